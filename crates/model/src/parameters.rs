//! A decoder's weights one by one, in a fixed order: what training reads, differentiates and replaces.

use std::sync::Arc;

use burn::tensor::Tensor;
use glassbox_kernels::{Matrix, Precision, team::Team};

use crate::{
    Decoder,
    attention::Attention,
    block::{Block, Mixing},
    convolution::Convolution,
    layers::{Linear, Norm},
    mlp::{Experts, FeedForward, Mlp},
};

/// What [`Decoder::map_weights`] does with each weight. Names are those of the blocks' fields
/// (`blocks.3.q.weight`), the same for every architecture.
pub trait WeightMap {
    /// A vector `[size]`: a norm's weight or a bias.
    fn vector(&mut self, name: &str, vector: &Tensor<1>) -> Tensor<1>;

    /// A matrix `[out_features, in_features]`.
    fn matrix(&mut self, name: &str, matrix: &Matrix) -> Matrix;
}

impl Decoder {
    /// The same decoder with every weight replaced by what `map` makes of it; embedding first, then
    /// the blocks from the first to the last, then the final norm and an untied head.
    ///
    /// Shapes must stay as they are. With tensors that autodiff tracks, products record their gradient.
    pub fn map_weights(&self, map: &mut dyn WeightMap) -> Decoder {
        Decoder {
            embed: map.matrix("embed.weight", &self.embed),
            pos_embed: self.pos_embed.as_ref().map(|table| map.matrix("pos_embed.weight", table)),
            embed_norm: map_optional(map, "embed_norm", &self.embed_norm),
            blocks: (0..).zip(&self.blocks).map(|(index, block)| map_block(map, index, block)).collect(),
            final_norm: map_norm(map, "final_norm", &self.final_norm),
            head: self.head.as_ref().map(|head| map.matrix("head.weight", head)),
            head_bias: self.head_bias.as_ref().map(|bias| map.vector("head.bias", bias)),
            ..self.clone()
        }
    }
}

impl Decoder {
    /// The same weights, shared, whose products take their activations as `precision` says.
    pub fn with_precision(&self, precision: Precision) -> Decoder {
        self.map_weights(&mut Matrices(|matrix: &Matrix| matrix.with_precision(precision)))
    }

    /// How the product that rounds its activations most does so: [`Precision::F32`] where none rounds,
    /// because that was asked for, or weights are floats, or on a GPU.
    pub fn precision(&self) -> Precision {
        let mut found = Precision::F32;
        self.map_weights(&mut Matrices(|matrix: &Matrix| {
            found = found.max(matrix.precision());
            matrix.clone()
        }));
        found
    }
}

impl Decoder {
    /// The same weights, of whose rows each helper of a team holds a share, so that products take all of them.
    pub fn with_team(&self, team: &Arc<dyn Team>) -> Decoder {
        let mut shares = Shares { team, next: 0, tied: self.head.is_none() };
        self.map_weights(&mut shares)
    }
}

impl Decoder {
    /// Threads that compute its products.
    pub fn threads(&self) -> usize {
        let mut threads = 1;
        self.map_weights(&mut Matrices(|matrix: &Matrix| {
            threads = threads.max(matrix.threads());
            matrix.clone()
        }));
        threads
    }
}

/// Hands out shares of what is multiplied with.
struct Shares<'a> {
    team: &'a Arc<dyn Team>,
    next: u32,
    /// Whether the embedding is the head too.
    tied: bool,
}

impl WeightMap for Shares<'_> {
    fn vector(&mut self, _: &str, vector: &Tensor<1>) -> Tensor<1> {
        vector.clone()
    }

    fn matrix(&mut self, name: &str, matrix: &Matrix) -> Matrix {
        match name {
            "pos_embed.weight" => matrix.clone(),
            "embed.weight" if !self.tied => matrix.clone(),
            _ => matrix.with_team(self.team, &mut self.next),
        }
    }
}

/// Does something with every matrix; vectors stay as they are.
struct Matrices<F>(F);

impl<F: FnMut(&Matrix) -> Matrix> WeightMap for Matrices<F> {
    fn vector(&mut self, _: &str, vector: &Tensor<1>) -> Tensor<1> {
        vector.clone()
    }

    fn matrix(&mut self, _: &str, matrix: &Matrix) -> Matrix {
        (self.0)(matrix)
    }
}

/// Bytes of all matrices.
pub(crate) fn bytes(decoder: &Decoder) -> u64 {
    let mut bytes = 0;
    decoder.map_weights(&mut Matrices(|matrix: &Matrix| {
        bytes += matrix.bytes();
        matrix.clone()
    }));
    bytes
}

fn map_block(map: &mut dyn WeightMap, index: usize, block: &Block) -> Block {
    let name = |part: &str| format!("blocks.{index}.{part}");
    Block {
        attn_norm: map_optional(map, &name("attn_norm"), &block.attn_norm),
        mixer: map_mixer(map, &name, &block.mixer),
        post_attn_norm: map_optional(map, &name("post_attn_norm"), &block.post_attn_norm),
        mlp_norm: map_optional(map, &name("mlp_norm"), &block.mlp_norm),
        mlp: match &block.mlp {
            Mlp::Dense(mlp) => Mlp::Dense(map_mlp(map, &name(""), mlp)),
            Mlp::Experts(mixture) => Mlp::Experts(Experts {
                router: map_linear(map, &name("router"), &mixture.router),
                experts: (0..)
                    .zip(&mixture.experts)
                    .map(|(expert, mlp)| map_mlp(map, &name(&format!("experts.{expert}.")), mlp))
                    .collect(),
            }),
        },
        post_mlp_norm: map_optional(map, &name("post_mlp_norm"), &block.post_mlp_norm),
    }
}

fn map_mixer(map: &mut dyn WeightMap, name: &dyn Fn(&str) -> String, mixer: &Mixing) -> Mixing {
    match mixer {
        Mixing::Attention(Attention { q, k, v, o, q_norm, k_norm }) => Mixing::Attention(Attention {
            q: map_linear(map, &name("q"), q),
            k: map_linear(map, &name("k"), k),
            v: map_linear(map, &name("v"), v),
            o: map_linear(map, &name("o"), o),
            q_norm: map_optional(map, &name("q_norm"), q_norm),
            k_norm: map_optional(map, &name("k_norm"), k_norm),
        }),
        Mixing::Convolution(Convolution { input, taps, bias, output }) => Mixing::Convolution(Convolution {
            input: map_linear(map, &name("conv.input"), input),
            taps: (0..)
                .zip(taps)
                .map(|(tap, weight)| map.vector(&name(&format!("conv.taps.{tap}")), weight))
                .collect(),
            bias: bias.as_ref().map(|bias| map.vector(&name("conv.bias"), bias)),
            output: map_linear(map, &name("conv.output"), output),
        }),
    }
}

fn map_mlp(map: &mut dyn WeightMap, prefix: &str, mlp: &FeedForward) -> FeedForward {
    FeedForward {
        gate: mlp.gate.as_ref().map(|gate| map_linear(map, &format!("{prefix}gate"), gate)),
        up: map_linear(map, &format!("{prefix}up"), &mlp.up),
        down: map_linear(map, &format!("{prefix}down"), &mlp.down),
    }
}

fn map_optional(map: &mut dyn WeightMap, name: &str, norm: &Option<Norm>) -> Option<Norm> {
    norm.as_ref().map(|norm| map_norm(map, name, norm))
}

fn map_norm(map: &mut dyn WeightMap, name: &str, norm: &Norm) -> Norm {
    Norm {
        weight: norm.weight.as_ref().map(|weight| map.vector(&format!("{name}.weight"), weight)),
        bias: norm.bias.as_ref().map(|bias| map.vector(&format!("{name}.bias"), bias)),
        ..norm.clone()
    }
}

fn map_linear(map: &mut dyn WeightMap, name: &str, linear: &Linear) -> Linear {
    Linear {
        weight: map.matrix(&format!("{name}.weight"), &linear.weight),
        bias: linear.bias.as_ref().map(|bias| map.vector(&format!("{name}.bias"), bias)),
        ..linear.clone()
    }
}
