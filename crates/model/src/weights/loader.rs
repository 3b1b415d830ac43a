//! Streams tensors from a checkpoint, chunk by chunk, each straight into its final place.

use std::{collections::BTreeMap, rc::Rc};

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::{Checkpoint, DType, FormatError, TensorInfo, dequant, order};
use glassbox_kernels::{Matrix, MatrixBuilder};

use crate::{DecoderSpec, ModelError, architectures::Names, layers::Linear, layers::Norm};

use super::{
    Progress, lookup,
    parts::{Part, Role, Shape, parts},
};

/// Bytes read from the source at a time.
const CHUNK: usize = 4 << 20;

/// Reads parts.
pub(super) struct Loader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub device: &'a Device,
    pub spec: &'a DecoderSpec,
    pub names: &'a Names,
    /// The tensor read last whose rows are scattered: q, k and v are parts of the same one.
    pub whole: Option<(String, Rc<Vec<u8>>)>,
    pub done: u64,
    pub total: u64,
    pub progress: Progress<'a>,
}

/// The parts of a block, or of the whole model, on the device.
#[derive(Default)]
pub(super) struct Held {
    matrices: BTreeMap<Role, Matrix>,
    weights: BTreeMap<Role, Tensor<1>>,
    biases: BTreeMap<Role, Tensor<1>>,
    taps: BTreeMap<Role, Vec<Tensor<1>>>,
}

impl Held {
    pub fn matrix(&mut self, role: Role) -> Option<Matrix> {
        self.matrices.remove(&role)
    }

    pub fn bias(&mut self, role: Role) -> Option<Tensor<1>> {
        self.biases.remove(&role)
    }

    /// Columns of a convolution's kernel, `[channels]` each.
    pub fn taps(&mut self, role: Role) -> Option<Vec<Tensor<1>>> {
        self.taps.remove(&role)
    }

    pub fn linear(&mut self, role: Role) -> Option<Linear> {
        Some(Linear { weight: self.matrix(role)?, bias: self.bias(role), low_rank: Vec::new() })
    }

    /// A norm of the model's kind, which may have no weights.
    pub fn norm(&mut self, role: Role, spec: &DecoderSpec) -> Norm {
        let (weight, bias) = (self.weights.remove(&role), self.bias(role));
        Norm { kind: spec.norm.kind, eps: spec.norm.eps, weight, bias }
    }
}

impl Loader<'_> {
    pub async fn read_parts(&mut self, block: Option<usize>) -> Result<Held, ModelError> {
        let mut held = Held::default();
        let mut parts = parts(self.spec, self.names, block);
        // In the file's order, so that a source can read on. What is not there is told when it is read.
        order::sort_by_key(&mut parts, |part| {
            let tensor = lookup(self.checkpoint, self.names, &part.name).ok();
            tensor.map(|tensor| (tensor.file, tensor.offset))
        });
        for part in parts {
            match part.shape {
                Shape::Matrix { out, input } => {
                    held.matrices.insert(part.role, self.matrix(&part, out, input).await?);
                }
                Shape::Weight { .. } => {
                    let weight = self.vector(&part).await?;
                    let weight =
                        if self.names.norm_offset == 0.0 { weight } else { weight + self.names.norm_offset };
                    held.weights.insert(part.role, weight);
                }
                Shape::Kernel { width, .. } => {
                    let values = self.values(&part.name).await?;
                    let column = |tap| values.iter().skip(tap).step_by(width).copied().collect::<Vec<f32>>();
                    let taps = (0..width).map(|tap| Tensor::from_floats(column(tap).as_slice(), self.device));
                    held.taps.insert(part.role, taps.collect());
                }
                Shape::Bias { .. } => {
                    held.biases.insert(part.role, self.vector(&part).await?);
                }
            }
        }
        Ok(held)
    }

    /// Reads a vector `[size]`, or the part of it and in the order that its source says.
    async fn vector(&mut self, part: &Part) -> Result<Tensor<1>, ModelError> {
        let mut all = Vec::new();
        for name in part.tensors(self.spec.heads_of(part.role == Role::KNorm)) {
            all.extend(self.values(&name).await?);
        }
        let size = match part.shape {
            Shape::Weight { size } | Shape::Bias { size } => size,
            Shape::Matrix { .. } | Shape::Kernel { .. } => all.len(),
        };
        let values: Option<Vec<f32>> =
            (0..size).map(|row| all.get(part.source.file_row(row)).copied()).collect();
        let values = values.ok_or_else(|| absent(&part.name))?;
        Ok(Tensor::from_data(TensorData::new(values, [size]), self.device))
    }

    /// All values of a tensor, widened.
    pub async fn values(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let tensor = lookup(self.checkpoint, self.names, name)?;
        let bytes = self.read(tensor, 0, tensor.bytes as usize).await?;
        let mut values = vec![0.0; tensor.shape.iter().product::<u64>() as usize];
        dequant::to_f32(tensor.dtype, &bytes, &mut values)?;
        Ok(values)
    }

    /// Streams a matrix `[out, in]` into place.
    async fn matrix(&mut self, part: &Part, out: usize, input: usize) -> Result<Matrix, ModelError> {
        let tensor = lookup(self.checkpoint, self.names, &part.name)?;
        let mut builder = MatrixBuilder::new(self.device, tensor.dtype, out, input)?;
        if part.source.transposed {
            self.transposed_rows(tensor, part, out, input, &mut builder).await?;
        } else if part.source.is_contiguous(out) {
            self.contiguous_rows(tensor, part, out, input, &mut builder).await?;
        } else {
            self.scattered_rows(tensor, part, out, input, &mut builder).await?;
        }
        Ok(builder.finish()?)
    }

    async fn contiguous_rows(
        &mut self,
        tensor: &TensorInfo,
        part: &Part,
        out: usize,
        input: usize,
        builder: &mut MatrixBuilder,
    ) -> Result<(), ModelError> {
        let source = &part.source;
        let stacked =
            part.expert.filter(|_| source.stacked).map_or(0, |(expert, _)| expert * source.file_rows(out));
        let first = stacked + source.rows.map_or(0, |rows| rows.start);
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
                Some(_) => pick(
                    &bytes,
                    row_bytes,
                    (row..row + count).map(|r| stacked + source.file_row(r) - first - row),
                ),
                None => bytes,
            };
            builder.write_rows(row, &bytes)?;
            row += count;
        }
        Ok(())
    }

    /// Rows of a fused tensor that do not stand together: read whole, once for all that it holds.
    async fn scattered_rows(
        &mut self,
        tensor: &TensorInfo,
        part: &Part,
        out: usize,
        input: usize,
        builder: &mut MatrixBuilder,
    ) -> Result<(), ModelError> {
        let row_bytes = tensor.dtype.bytes_for(input as u64)? as usize;
        let bytes = self.whole(tensor).await?;
        let step = (CHUNK / row_bytes.max(1) / builder.rows_per_write()).max(1) * builder.rows_per_write();
        let mut row = 0;
        while row < out {
            let count = step.min(out - row);
            let rows = (row..row + count).map(|row| part.source.file_row(row));
            builder.write_rows(row, &pick(&bytes, row_bytes, rows))?;
            row += count;
        }
        Ok(())
    }

    /// `[in, out]` in the file: read whole, since every output row touches every file row.
    async fn transposed_rows(
        &mut self,
        tensor: &TensorInfo,
        part: &Part,
        out: usize,
        input: usize,
        builder: &mut MatrixBuilder,
    ) -> Result<(), ModelError> {
        let size = match tensor.dtype {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            dtype => {
                return Err(ModelError::Quantised { name: tensor.name.clone(), dtype: dtype.to_string() });
            }
        };
        let columns = part.source.file_rows(out);
        let bytes = self.whole(tensor).await?;
        let step = builder.rows_per_write();
        let mut row = 0;
        while row < out {
            let count = step.min(out - row);
            let mut rows = Vec::with_capacity(count * input * size);
            for column in (row..row + count).map(|row| part.source.file_row(row)) {
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
    pub fn finish(self) {
        (self.progress)(self.total, self.total);
    }
}

/// The error for a weight that the list of parts should have held.
pub(super) fn absent(name: &str) -> ModelError {
    FormatError::TensorMissing { tensor: name.to_owned(), count: 0 }.into()
}

/// Rows one after the other.
fn pick(bytes: &[u8], row_bytes: usize, rows: impl ExactSizeIterator<Item = usize>) -> Vec<u8> {
    let mut picked = Vec::with_capacity(rows.len() * row_bytes);
    for row in rows {
        picked.extend_from_slice(&bytes[row * row_bytes..(row + 1) * row_bytes]);
    }
    picked
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
    fn least_common_multiple() {
        assert_eq!((lcm(64, 80), lcm(64, 1), lcm(1, 10)), (320, 64, 10));
    }

    #[test]
    fn rows_are_picked_in_order() {
        assert_eq!(pick(&[1, 2, 3, 4, 5, 6], 2, [2, 0].into_iter()), [5, 6, 1, 2]);
    }
}
