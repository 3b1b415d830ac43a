//! A block: attention and MLP around the residual stream.

use burn::tensor::Tensor;

use crate::{
    DecoderSpec, Hook, KvCache, Observation, Site, Wiring,
    attention::{Attention, Pass},
    layers::{Norm, scaled},
    mlp::Mlp,
};

/// A block's weights. Which norms there are follows from where they stand ([`crate::Placement`]).
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub attn_norm: Option<Norm>,
    pub attention: Attention,
    pub post_attn_norm: Option<Norm>,
    pub mlp_norm: Option<Norm>,
    pub mlp: Mlp,
    pub post_mlp_norm: Option<Norm>,
}

impl Block {
    /// From the residual stream before the block to the one after it, `[batch, position, hidden]`.
    pub fn forward(
        &self,
        spec: &DecoderSpec,
        index: usize,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let site = |hook| Site::block(index, hook);
        let x = observation.at3(site(Hook::ResidPre), x);
        let normed = before(&self.attn_norm, site(Hook::Ln1), x.clone(), observation);
        let attn = self.attention.forward(spec, index, normed.clone(), pass, cache, observation);
        let attn = scaled(after(&self.post_attn_norm, attn), spec.residual_scale);
        let attn = observation.at3(site(Hook::AttnOut), attn);
        let (x, normed) = match spec.wiring {
            Wiring::Sequential => {
                let x = observation.at3(site(Hook::ResidMid), x + attn);
                (x.clone(), before(&self.mlp_norm, site(Hook::Ln2), x, observation))
            }
            Wiring::Parallel => {
                let normed = before(&self.mlp_norm, site(Hook::Ln2), x.clone(), observation);
                (x + attn, normed)
            }
            Wiring::ParallelSharedNorm => (x + attn, normed),
        };
        let mlp = self.mlp.forward(spec, index, normed, observation);
        let mlp = scaled(after(&self.post_mlp_norm, mlp), spec.residual_scale);
        let mlp = observation.at3(site(Hook::MlpOut), mlp);
        observation.at3(site(Hook::ResidPost), x + mlp)
    }
}

fn before(norm: &Option<Norm>, site: Site, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
    match norm {
        Some(norm) => observation.at3(site, norm.forward(x)),
        None => x,
    }
}

fn after(norm: &Option<Norm>, x: Tensor<3>) -> Tensor<3> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}
