//! Streams a checkpoint's tensors into a decoder, chunk by chunk, each straight into its final place.

use std::{collections::BTreeSet, rc::Rc};

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::{Checkpoint, DType, TensorInfo, dequant};
use glassbox_kernels::{Matrix, MatrixBuilder};

use crate::{
    Decoder, DecoderSpec, ModelError,
    architectures::{self, Names, Source},
    decoder::Block,
    layers::{Linear, Norm},
};

/// Bytes read from the source at a time.
const CHUNK: usize = 4 << 20;

/// Told while weights stream in: bytes done and bytes in all. Returning `false` stops the load.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Opens a checkpoint's model on a device.
///
/// # Errors
/// Any disagreement between configuration and tensors, before memory is taken where that is possible.
pub async fn load(
    checkpoint: &Checkpoint,
    device: &Device,
    progress: Progress<'_>,
) -> Result<Decoder, ModelError> {
    let (spec, names) = architectures::identify(checkpoint)?;
    check(checkpoint, &spec, &names)?;
    let total = checkpoint.tensors.values().map(|t| t.bytes).sum();
    let mut loader = Loader { checkpoint, device, names: &names, whole: None, done: 0, total, progress };
    let embed = loader.matrix(&Source::plain(names.embed), None, spec.vocab, spec.hidden).await?;
    let pos_embed = match names.pos_embed {
        Some(name) => Some(loader.matrix(&Source::plain(name), None, spec.context, spec.hidden).await?),
        None => None,
    };
    let mut blocks = Vec::with_capacity(spec.layers);
    for index in 0..spec.layers {
        blocks.push(loader.block(index, &spec).await?);
    }
    let final_norm = loader.norm(names.final_norm, None, &spec).await?;
    let head = match spec.tied_head {
        true => None,
        false => Some(loader.matrix(&Source::plain(names.head), None, spec.vocab, spec.hidden).await?),
    };
    loader.finish();
    Ok(Decoder { spec, embed, pos_embed, blocks, final_norm, head, device: device.clone() })
}

/// Checks every tensor's presence and shape without reading weights, and that none is left over.
/// Returns the number of parameters, a tied head counted once.
pub fn check(checkpoint: &Checkpoint, spec: &DecoderSpec, names: &Names) -> Result<u64, ModelError> {
    if checkpoint.tensors.is_empty() {
        return Err(ModelError::NoTensors);
    }
    let mut used = BTreeSet::new();
    for (name, shape) in expected(spec, names) {
        let tensor = lookup(checkpoint, names, &name)?;
        if tensor.shape != shape {
            return Err(ModelError::Shape {
                name: tensor.name.clone(),
                found: tensor.shape.clone(),
                expected: shape,
            });
        }
        used.insert(tensor.name.as_str());
    }
    let ignored = |name: &str| {
        names.ignored.iter().any(|end| name.ends_with(end))
            // A tied head that the file repeats.
            || name == format!("{}.weight", names.head)
    };
    let extra: Vec<&str> =
        checkpoint.tensors.keys().map(String::as_str).filter(|n| !used.contains(n) && !ignored(n)).collect();
    match extra.len() {
        0 => Ok(used.iter().filter_map(|name| checkpoint.tensors.get(*name)).map(TensorInfo::elements).sum()),
        count => {
            let mut names = extra.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            if count > 3 {
                names.push_str(&format!(" and {} more", count - 3));
            }
            Err(ModelError::UnexpectedTensors { architecture: spec.architecture, names })
        }
    }
}

/// Name and file shape of every tensor a decoder is made of.
fn expected(spec: &DecoderSpec, names: &Names) -> Vec<(String, Vec<u64>)> {
    let mut all = Vec::new();
    let mut vector = |name: String, size: usize| all.push((name, vec![size as u64]));
    let norm_bias = spec.norm == crate::NormKind::Layer;
    let mut norm = |name: String| {
        vector(format!("{name}.weight"), spec.hidden);
        if norm_bias {
            vector(format!("{name}.bias"), spec.hidden);
        }
    };
    for i in 0..spec.layers {
        norm(at(names.attn_norm, Some(i)));
        norm(at(names.mlp_norm, Some(i)));
    }
    norm(names.final_norm.to_owned());

    let table = |name: &str, rows: usize| (format!("{name}.weight"), vec![rows as u64, spec.hidden as u64]);
    all.push(table(names.embed, spec.vocab));
    all.extend(names.pos_embed.map(|name| table(name, spec.context)));
    if !spec.tied_head {
        all.push(table(names.head, spec.vocab));
    }
    for i in 0..spec.layers {
        for (source, out, input, bias) in projections(spec, names) {
            let name = at(source.name, Some(i));
            // A part of a fused tensor: q, k and v stand one behind the other.
            let rows = if source.rows.is_some() { spec.query_width() + 2 * spec.kv_width() } else { out };
            let shape = if source.transposed { [input, rows] } else { [rows, input] };
            all.push((format!("{name}.weight"), shape.map(|size| size as u64).to_vec()));
            if bias {
                all.push((format!("{name}.bias"), vec![rows as u64]));
            }
        }
    }
    all
}

/// A block's projections with output size, input size and whether they have a bias.
fn projections<'n>(spec: &DecoderSpec, names: &'n Names) -> Vec<(&'n Source, usize, usize, bool)> {
    let (hidden, inner) = (spec.hidden, spec.intermediate);
    let (query, kv) = (spec.query_width(), spec.kv_width());
    let mut all = vec![
        (&names.q, query, hidden, spec.attention_bias),
        (&names.k, kv, hidden, spec.attention_bias),
        (&names.v, kv, hidden, spec.attention_bias),
        (&names.o, hidden, query, spec.attention_bias),
        (&names.up, inner, hidden, spec.mlp_bias),
        (&names.down, hidden, inner, spec.mlp_bias),
    ];
    all.extend(names.gate.as_ref().map(|gate| (gate, inner, hidden, spec.mlp_bias)));
    all
}

fn at(pattern: &str, block: Option<usize>) -> String {
    match block {
        Some(index) => pattern.replace("{i}", &index.to_string()),
        None => pattern.to_owned(),
    }
}

/// Finds a tensor with or without the prefix that some files leave out.
fn lookup<'c>(checkpoint: &'c Checkpoint, names: &Names, name: &str) -> Result<&'c TensorInfo, ModelError> {
    let short = name.strip_prefix(names.optional_prefix).unwrap_or(name);
    match checkpoint.tensors.get(name).or_else(|| checkpoint.tensors.get(short)) {
        Some(tensor) => Ok(tensor),
        None => Ok(checkpoint.tensor(name)?),
    }
}

struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    names: &'a Names,
    /// The transposed tensor read last: q, k and v are parts of the same one.
    whole: Option<(String, Rc<Vec<u8>>)>,
    done: u64,
    total: u64,
    progress: Progress<'a>,
}

impl Loader<'_> {
    async fn block(&mut self, index: usize, spec: &DecoderSpec) -> Result<Block, ModelError> {
        let names = self.names;
        let i = Some(index);
        let (hidden, inner) = (spec.hidden, spec.intermediate);
        let (query, kv) = (spec.query_width(), spec.kv_width());
        let (attn, mlp) = (spec.attention_bias, spec.mlp_bias);
        Ok(Block {
            attn_norm: self.norm(names.attn_norm, i, spec).await?,
            q: self.linear(&names.q, i, query, hidden, attn).await?,
            k: self.linear(&names.k, i, kv, hidden, attn).await?,
            v: self.linear(&names.v, i, kv, hidden, attn).await?,
            o: self.linear(&names.o, i, hidden, query, attn).await?,
            mlp_norm: self.norm(names.mlp_norm, i, spec).await?,
            gate: match &names.gate {
                Some(gate) => Some(self.linear(gate, i, inner, hidden, mlp).await?),
                None => None,
            },
            up: self.linear(&names.up, i, inner, hidden, mlp).await?,
            down: self.linear(&names.down, i, hidden, inner, mlp).await?,
        })
    }

    async fn norm(
        &mut self,
        name: &str,
        block: Option<usize>,
        spec: &DecoderSpec,
    ) -> Result<Norm, ModelError> {
        let name = at(name, block);
        let bias = match spec.norm {
            crate::NormKind::Rms => None,
            crate::NormKind::Layer => Some(self.vector(&format!("{name}.bias"), None).await?),
        };
        let weight = self.vector(&format!("{name}.weight"), None).await?;
        Ok(Norm { kind: spec.norm, eps: spec.norm_eps, weight, bias })
    }

    async fn linear(
        &mut self,
        source: &Source,
        block: Option<usize>,
        out: usize,
        input: usize,
        bias: bool,
    ) -> Result<Linear, ModelError> {
        let weight = self.matrix(source, block, out, input).await?;
        let bias = match bias {
            true => Some(self.vector(&format!("{}.bias", at(source.name, block)), Some(source)).await?),
            false => None,
        };
        Ok(Linear { weight, bias, low_rank: Vec::new() })
    }

    /// Reads a vector `[size]`, or the part of it and in the order that `source` says.
    async fn vector(&mut self, name: &str, source: Option<&Source>) -> Result<Tensor<1>, ModelError> {
        let tensor = lookup(self.checkpoint, self.names, name)?;
        let bytes = self.read(tensor, 0, tensor.bytes as usize).await?;
        let mut values = vec![0.0; tensor.shape.iter().product::<u64>() as usize];
        dequant::to_f32(tensor.dtype, &bytes, &mut values)?;
        if let Some((start, count)) = source.and_then(|s| s.rows) {
            values = values[start..start + count].to_vec();
        }
        if let Some(head_dim) = source.and_then(|s| s.interleaved) {
            values = (0..values.len()).map(|row| values[interleaved_row(row, head_dim)]).collect();
        }
        let size = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [size]), self.device))
    }

    /// Streams a matrix `[out, in]` into place.
    async fn matrix(
        &mut self,
        source: &Source,
        block: Option<usize>,
        out: usize,
        input: usize,
    ) -> Result<Matrix, ModelError> {
        let tensor = lookup(self.checkpoint, self.names, &format!("{}.weight", at(source.name, block)))?;
        let mut builder = MatrixBuilder::new(self.device, tensor.dtype, out, input)?;
        if source.transposed {
            self.transposed_rows(tensor, source, out, input, &mut builder).await?;
        } else {
            self.plain_rows(tensor, source, out, input, &mut builder).await?;
        }
        Ok(builder.finish()?)
    }

    async fn plain_rows(
        &mut self,
        tensor: &TensorInfo,
        source: &Source,
        out: usize,
        input: usize,
        builder: &mut MatrixBuilder,
    ) -> Result<(), ModelError> {
        let first = source.rows.map_or(0, |(start, _)| start);
        let row_bytes = tensor.dtype.bytes_for(input as u64)? as usize;
        // Whole heads at a time where their rows change places, and what the builder can take.
        let unit = lcm(builder.rows_per_write(), source.interleaved.unwrap_or(1));
        let step = (CHUNK / row_bytes.max(1) / unit).max(1) * unit;
        let mut row = 0;
        while row < out {
            let count = step.min(out - row);
            let offset = (first + row) as u64 * row_bytes as u64;
            let bytes = self.read(tensor, offset, count * row_bytes).await?;
            let bytes = match source.interleaved {
                Some(head_dim) => reorder(&bytes, row_bytes, |row| interleaved_row(row, head_dim)),
                None => bytes,
            };
            builder.write_rows(row, &bytes)?;
            row += count;
        }
        Ok(())
    }

    /// `[in, out]` in the file: read whole, since every output row touches every file row.
    async fn transposed_rows(
        &mut self,
        tensor: &TensorInfo,
        source: &Source,
        out: usize,
        input: usize,
        builder: &mut MatrixBuilder,
    ) -> Result<(), ModelError> {
        let size = match tensor.dtype {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            dtype => {
                return Err(ModelError::Quantised { name: tensor.name.clone(), dtype: format!("{dtype:?}") });
            }
        };
        let columns = tensor.shape[1] as usize;
        let first = source.rows.map_or(0, |(start, _)| start);
        let bytes = self.whole(tensor).await?;
        let step = builder.rows_per_write();
        let mut row = 0;
        while row < out {
            let count = step.min(out - row);
            let mut rows = Vec::with_capacity(count * input * size);
            for column in first + row..first + row + count {
                for line in 0..input {
                    let start = (line * columns + column) * size;
                    rows.extend_from_slice(&bytes[start..start + size]);
                }
            }
            builder.write_rows(row, &rows)?;
            row += count;
        }
        Ok(())
    }

    async fn whole(&mut self, tensor: &TensorInfo) -> Result<Rc<Vec<u8>>, ModelError> {
        match &self.whole {
            Some((name, bytes)) if *name == tensor.name => Ok(bytes.clone()),
            _ => {
                self.whole = None;
                let bytes = Rc::new(self.read(tensor, 0, tensor.bytes as usize).await?);
                self.whole = Some((tensor.name.clone(), bytes.clone()));
                Ok(bytes)
            }
        }
    }

    async fn read(&mut self, tensor: &TensorInfo, offset: u64, len: usize) -> Result<Vec<u8>, ModelError> {
        let bytes = self.checkpoint.read(tensor, offset, len).await?;
        self.done = (self.done + len as u64).min(self.total);
        match (self.progress)(self.done, self.total) {
            true => Ok(bytes),
            false => Err(ModelError::Aborted),
        }
    }

    /// Parts that were read several times or not at all no longer matter.
    fn finish(self) {
        (self.progress)(self.total, self.total);
    }
}

/// The file row of our row: llama.cpp stores rotary pairs `(i, i + half)` of a head side by side.
fn interleaved_row(row: usize, head_dim: usize) -> usize {
    let (head, inside, half) = (row / head_dim, row % head_dim, head_dim / 2);
    head * head_dim + (inside % half) * 2 + inside / half
}

fn reorder(bytes: &[u8], row_bytes: usize, source_row: impl Fn(usize) -> usize) -> Vec<u8> {
    let rows = bytes.len() / row_bytes;
    let mut out = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        let start = source_row(row) * row_bytes;
        out.extend_from_slice(&bytes[start..start + row_bytes]);
    }
    out
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_rows_are_a_permutation_that_pairs_halves() {
        let rows: Vec<_> = (0..12).map(|row| interleaved_row(row, 6)).collect();
        assert_eq!(rows, [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
    }

    #[test]
    fn least_common_multiple() {
        assert_eq!((lcm(64, 80), lcm(64, 1), lcm(1, 10)), (320, 64, 10));
    }
}
