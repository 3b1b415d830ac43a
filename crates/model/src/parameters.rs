//! A decoder's weights one by one, in a fixed order: what training reads, differentiates and replaces.

use burn::tensor::Tensor;
use glassbox_kernels::Matrix;

use crate::{
    Decoder,
    decoder::Block,
    layers::{Linear, Norm},
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
    /// Shapes must stay as they are, and adapters stay attached. With tensors that autodiff tracks, products record their gradient.
    pub fn map_weights(&self, map: &mut dyn WeightMap) -> Decoder {
        Decoder {
            embed: map.matrix("embed.weight", &self.embed),
            pos_embed: self.pos_embed.as_ref().map(|table| map.matrix("pos_embed.weight", table)),
            blocks: (0..).zip(&self.blocks).map(|(index, block)| map_block(map, index, block)).collect(),
            final_norm: map_norm(map, "final_norm", &self.final_norm),
            head: self.head.as_ref().map(|head| map.matrix("head.weight", head)),
            ..self.clone()
        }
    }
}

fn map_block(map: &mut dyn WeightMap, index: usize, block: &Block) -> Block {
    let name = |part: &str| format!("blocks.{index}.{part}");
    Block {
        attn_norm: map_norm(map, &name("attn_norm"), &block.attn_norm),
        q: map_linear(map, &name("q"), &block.q),
        k: map_linear(map, &name("k"), &block.k),
        v: map_linear(map, &name("v"), &block.v),
        o: map_linear(map, &name("o"), &block.o),
        mlp_norm: map_norm(map, &name("mlp_norm"), &block.mlp_norm),
        gate: block.gate.as_ref().map(|gate| map_linear(map, &name("gate"), gate)),
        up: map_linear(map, &name("up"), &block.up),
        down: map_linear(map, &name("down"), &block.down),
    }
}

fn map_norm(map: &mut dyn WeightMap, name: &str, norm: &Norm) -> Norm {
    Norm {
        weight: map.vector(&format!("{name}.weight"), &norm.weight),
        bias: norm.bias.as_ref().map(|bias| map.vector(&format!("{name}.bias"), bias)),
        ..norm.clone()
    }
}

fn map_linear(map: &mut dyn WeightMap, name: &str, linear: &Linear) -> Linear {
    Linear {
        weight: map.matrix(&format!("{name}.weight"), &linear.weight),
        bias: linear.bias.as_ref().map(|bias| map.vector(&format!("{name}.bias"), bias)),
        low_rank: linear.low_rank.clone(),
    }
}
