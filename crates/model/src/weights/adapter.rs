//! Attaches LoRA adapters to a decoder's projections, and takes them off.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use glassbox_formats::{Adapter, AdapterNames, AdapterTerm, DType};
use glassbox_kernels::{Matrix, MatrixBuilder};

use super::parts::{Part, Role, Shape, parts};
use crate::{
    Decoder, ModelError,
    architectures::{self, Names},
    block::{Block, Mixing},
    layers::Linear,
    low_rank::LowRank,
    mlp::{FeedForward, Mlp},
};

impl Decoder {
    /// Reads an adapter's matrices and adds its terms, `scale` times, to the projections they are for.
    /// `id` tells it apart from others: [`Self::detach`] and [`Self::set_adapter_scale`] take it. The
    /// weights stay as they are. What a KV cache holds was computed without the adapter.
    ///
    /// # Errors
    /// [`ModelError::Adapter`] where it is for something else than this model's projections; nothing
    /// is attached then.
    pub async fn attach(&mut self, id: usize, adapter: &Adapter, scale: f32) -> Result<(), ModelError> {
        check_scale(scale)?;
        let names = names(self.spec.architecture, adapter.names)?(&self.spec);
        let short = |name: &str| name.strip_prefix(names.optional_prefix).unwrap_or(name).to_owned();
        let wanted: BTreeMap<String, &AdapterTerm> =
            adapter.terms.iter().map(|term| (short(&term.target), term)).collect();
        let mut used = BTreeSet::new();
        let mut terms = Vec::new();
        for index in 0..self.spec.layers {
            for part in parts(&self.spec, &names, Some(index)) {
                let name = short(part.name.trim_end_matches(".weight"));
                let (Some(term), Shape::Matrix { out, input }) = (wanted.get(&name), part.shape) else {
                    continue;
                };
                let (a, b) = read(adapter, term, &part, out, input).await?;
                let rank = term.rank() as usize;
                let down = matrix(&self.device, rank, input, &a)?;
                let up = matrix(&self.device, out, rank, &b)?;
                terms.push((
                    index,
                    part.role,
                    LowRank { adapter: id, down, up, factor: term.scale, strength: scale },
                ));
                used.insert(name);
            }
        }
        if let Some((_, term)) = wanted.iter().find(|(name, _)| !used.contains(*name)) {
            return Err(mismatch(format!("this model has no projection {}", term.target)));
        }
        for (index, role, term) in terms {
            let mut linears = self.blocks.get_mut(index).into_iter().flat_map(linears);
            if let Some((_, linear)) = linears.find(|(other, _)| *other == role) {
                linear.low_rank.push(term);
            }
        }
        Ok(())
    }

    /// Takes an adapter off; nothing happens where there is none called `id`.
    pub fn detach(&mut self, id: usize) {
        self.each_linear(|linear| linear.low_rank.retain(|term| term.adapter != id));
    }

    /// Sets what an adapter's terms are multiplied by: 1 as trained, 0 off.
    ///
    /// # Errors
    /// [`ModelError::Adapter`] where the scale is no finite number.
    pub fn set_adapter_scale(&mut self, id: usize, scale: f32) -> Result<(), ModelError> {
        check_scale(scale)?;
        self.each_linear(|linear| {
            for term in linear.low_rank.iter_mut().filter(|term| term.adapter == id) {
                term.strength = scale;
            }
        });
        Ok(())
    }

    fn each_linear(&mut self, mut change: impl FnMut(&mut Linear)) {
        self.blocks.iter_mut().flat_map(linears).for_each(|(_, linear)| change(linear));
    }
}

fn mismatch(problem: String) -> ModelError {
    ModelError::Adapter { problem }
}

fn check_scale(scale: f32) -> Result<(), ModelError> {
    if scale.is_finite() { Ok(()) } else { Err(mismatch(format!("the scale {scale} is no finite number"))) }
}

/// How an architecture's projections are called in files with such names.
fn names(architecture: &str, names: AdapterNames) -> Result<fn(&crate::DecoderSpec) -> Names, ModelError> {
    let known = architectures::ARCHITECTURES.iter().find(|known| known.name == architecture);
    let found = known.and_then(|known| match names {
        AdapterNames::Hub => Some(known.hub_names),
        AdapterNames::Gguf => known.gguf.as_ref().map(|form| form.names),
    });
    found.ok_or_else(|| {
        mismatch(format!("adapters of this kind are not known for the architecture {architecture}"))
    })
}

/// A `[rank, in]` and the rows of B that belong to one of our projections, `[out, rank]`, in our order.
async fn read(
    adapter: &Adapter,
    term: &AdapterTerm,
    part: &Part,
    out: usize,
    input: usize,
) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
    let rows = part.source.file_rows(out);
    let found = [term.b.shape.first(), term.a.shape.get(1)].map(|size| size.copied().unwrap_or(0));
    if found != [rows as u64, input as u64] || part.source.stacked {
        let ([out, input], width) = (found, input);
        return Err(mismatch(format!(
            "its term for {} is {out} x {input}, the projection {rows} x {width}",
            term.target
        )));
    }
    let (a, b) = (adapter.values(&term.a).await?, adapter.values(&term.b).await?);
    let rank = term.rank() as usize;
    let own = (0..out).flat_map(|row| &b[part.source.file_row(row) * rank..][..rank]).copied().collect();
    Ok((a, own))
}

fn matrix(device: &Device, rows: usize, columns: usize, values: &[f32]) -> Result<Matrix, ModelError> {
    let mut builder = MatrixBuilder::new(device, DType::F32, rows, columns)?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    builder.write_rows(0, &bytes)?;
    Ok(builder.finish()?)
}

/// All projections of a block.
fn linears(block: &mut Block) -> Vec<(Role, &mut Linear)> {
    let mut all = match &mut block.mixer {
        Mixing::Attention(of) => {
            vec![(Role::Q, &mut of.q), (Role::K, &mut of.k), (Role::V, &mut of.v), (Role::O, &mut of.o)]
        }
        Mixing::Convolution(of) => vec![(Role::ConvInput, &mut of.input), (Role::ConvOutput, &mut of.output)],
    };
    match &mut block.mlp {
        Mlp::Dense(mlp) => all.extend(feed_forward(mlp, None)),
        Mlp::Experts(mixture) => {
            all.push((Role::Router, &mut mixture.router));
            let experts = mixture.experts.iter_mut().enumerate();
            all.extend(experts.flat_map(|(expert, mlp)| feed_forward(mlp, Some(expert))));
        }
    }
    all
}

fn feed_forward(
    mlp: &mut FeedForward,
    expert: Option<usize>,
) -> impl Iterator<Item = (Role, &mut Linear)> + use<'_> {
    let gate = mlp.gate.as_mut().map(|gate| (Role::Gate(expert), gate));
    let others = [(Role::Up(expert), &mut mlp.up), (Role::Down(expert), &mut mlp.down)];
    gate.into_iter().chain(others)
}
