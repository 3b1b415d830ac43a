//! From a checkpoint's tensors to a decoder: all names and shapes checked first, then read.

mod adapter;
mod loader;
mod parts;
mod source;

use std::collections::BTreeSet;

use burn::tensor::Device;
use glassbox_formats::{Checkpoint, TensorInfo};

use crate::{
    Decoder, DecoderSpec, Mixer, ModelError, Placement, Positions, Scaling, Wiring,
    architectures::{self, Names},
    attention::Attention,
    block::{Block, Mixing},
    convolution::Convolution,
    mlp::{Experts, FeedForward, Mlp},
};
use loader::{Held, Loader, absent};
use parts::{Role, parts};

pub use source::{Rows, Source};

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
    let (mut spec, names) = architectures::identify(checkpoint)?;
    check(checkpoint, &spec, &names)?;
    let total = checkpoint.tensors.values().map(|t| t.bytes).sum();
    let table = spec.clone();
    let mut loader =
        Loader { checkpoint, device, spec: &table, names: &names, whole: None, done: 0, total, progress };
    read_factors(&mut loader, &mut spec).await?;
    let mut outer = loader.read_parts(None).await?;
    let mut blocks = Vec::with_capacity(spec.layers);
    for index in 0..spec.layers {
        let mut held = loader.read_parts(Some(index)).await?;
        blocks.push(block(&spec, index, &mut held).ok_or_else(|| absent(names.q.name))?);
    }
    loader.finish();
    Ok(Decoder {
        embed: outer.matrix(Role::Embed).ok_or_else(|| absent(names.embed))?,
        pos_embed: outer.matrix(Role::PosEmbed),
        embed_norm: spec.embed_norm.then(|| outer.norm(Role::EmbedNorm, &spec)),
        blocks,
        final_norm: outer.norm(Role::FinalNorm, &spec),
        head: outer.matrix(Role::Head),
        head_bias: outer.bias(Role::Head),
        device: device.clone(),
        spec,
    })
}

/// A block of its parts; none where one is missing.
fn block(spec: &DecoderSpec, index: usize, held: &mut Held) -> Option<Block> {
    let (pre, post) = (spec.placement != Placement::Post, spec.placement != Placement::Pre);
    let own_norm = pre && spec.wiring != Wiring::ParallelSharedNorm;
    let mlp = |held: &mut Held, expert: Option<usize>| {
        Some(FeedForward {
            gate: held.linear(Role::Gate(expert)),
            up: held.linear(Role::Up(expert))?,
            down: held.linear(Role::Down(expert))?,
        })
    };
    let table = spec.blocks.get(index)?;
    Some(Block {
        attn_norm: pre.then(|| held.norm(Role::AttnNorm, spec)),
        mixer: mixer(spec, table.mixer, held)?,
        post_attn_norm: post.then(|| held.norm(Role::PostAttnNorm, spec)),
        mlp_norm: own_norm.then(|| held.norm(Role::MlpNorm, spec)),
        mlp: match spec.mlp.experts.as_ref().filter(|_| table.experts) {
            Some(table) => Mlp::Experts(Experts {
                router: held.linear(Role::Router)?,
                experts: (0..table.count).map(|expert| mlp(held, Some(expert))).collect::<Option<_>>()?,
            }),
            None => Mlp::Dense(mlp(held, None)?),
        },
        post_mlp_norm: post.then(|| held.norm(Role::PostMlpNorm, spec)),
    })
}

fn mixer(spec: &DecoderSpec, kind: Mixer, held: &mut Held) -> Option<Mixing> {
    let qk_norm = spec.attention.qk_norm.is_some();
    Some(match kind {
        Mixer::Attention => Mixing::Attention(Attention {
            q: held.linear(Role::Q)?,
            k: held.linear(Role::K)?,
            v: held.linear(Role::V)?,
            o: held.linear(Role::O)?,
            q_norm: qk_norm.then(|| held.norm(Role::QNorm, spec)),
            k_norm: qk_norm.then(|| held.norm(Role::KNorm, spec)),
        }),
        Mixer::Convolution => Mixing::Convolution(Convolution {
            input: held.linear(Role::ConvInput)?,
            taps: held.taps(Role::ConvKernel)?,
            bias: held.bias(Role::ConvKernel),
            output: held.linear(Role::ConvOutput)?,
        }),
    })
}

/// Rotary factors that a GGUF holds as tensors.
const FACTORS: [&str; 3] = ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

async fn read_factors(loader: &mut Loader<'_>, spec: &mut DecoderSpec) -> Result<(), ModelError> {
    let Positions::Rotary(variants) = &mut spec.positions else { return Ok(()) };
    let Some(variant) = variants.first_mut() else { return Ok(()) };
    let mut found = Vec::new();
    for name in FACTORS {
        let there = loader.checkpoint.tensors.contains_key(name);
        found.push(if there { Some(loader.values(name).await?) } else { None });
    }
    let original = match &variant.scaling {
        Scaling::Factors { original, .. } => *original,
        _ => usize::MAX,
    };
    let [all, short, long] = [0, 1, 2].map(|i| found[i].take());
    if let Some((short, long)) = all.map(|all| (all.clone(), all)).or(short.zip(long)) {
        variant.scaling = Scaling::Factors { short, long, original };
        variant.validate(spec.head_dim)?;
    }
    Ok(())
}

/// Checks every tensor's presence and shape without reading weights, and that none is left over.
/// Returns the number of parameters, a tied head counted once.
pub fn check(checkpoint: &Checkpoint, spec: &DecoderSpec, names: &Names) -> Result<u64, ModelError> {
    if checkpoint.tensors.is_empty() {
        return Err(ModelError::NoTensors);
    }
    let mut used = BTreeSet::new();
    for block in [None].into_iter().chain((0..spec.layers).map(Some)) {
        for part in parts(spec, names, block) {
            let heads = spec.heads_of(part.role == Role::KNorm);
            let shapes = part.file_shapes(heads);
            for name in part.tensors(heads) {
                let tensor = lookup(checkpoint, names, &name)?;
                if !shapes.contains(&tensor.shape) {
                    return Err(ModelError::Shape {
                        name: tensor.name.clone(),
                        found: tensor.shape.clone(),
                        expected: shapes.into_iter().next().unwrap_or_default(),
                    });
                }
                used.insert(tensor.name.as_str());
            }
        }
    }
    let ignored = |name: &str| {
        names.ignored.iter().any(|end| name.ends_with(end))
            || FACTORS.contains(&name)
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

/// Finds a tensor with or without the prefix that some files leave out.
fn lookup<'c>(checkpoint: &'c Checkpoint, names: &Names, name: &str) -> Result<&'c TensorInfo, ModelError> {
    let short = name.strip_prefix(names.optional_prefix).unwrap_or(name);
    match checkpoint.tensors.get(name).or_else(|| checkpoint.tensors.get(short)) {
        Some(tensor) => Ok(tensor),
        None => Ok(checkpoint.tensor(name)?),
    }
}

impl DecoderSpec {
    /// Key heads, or query heads.
    fn heads_of(&self, keys: bool) -> usize {
        if keys { self.kv_heads } else { self.heads }
    }
}
