//! A block: attention (or a convolution) and MLP around the residual stream.

use burn::tensor::Tensor;
use glassbox_kernels::device::submit;

use crate::{
    DecoderSpec, Hook, KvCache, Observation, Site, Wiring,
    attention::{Attention, Pass},
    convolution::Convolution,
    layers::{Linear, Norm, scaled},
    mlp::Mlp,
};

/// A block's weights. Which norms there are follows from where they stand ([`crate::Placement`]).
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub attn_norm: Option<Norm>,
    pub mixer: Mixing,
    pub post_attn_norm: Option<Norm>,
    pub mlp_norm: Option<Norm>,
    pub mlp: Mlp,
    pub post_mlp_norm: Option<Norm>,
}

/// What lets positions take from each other ([`crate::Mixer`]).
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one for each block, and mostly the larger one")]
pub(crate) enum Mixing {
    Attention(Attention),
    Convolution(Convolution),
}

impl Mixing {
    /// From a block's normalised input `[batch, position, hidden]` to what the output projection takes.
    fn forward(
        &self,
        spec: &DecoderSpec,
        index: usize,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        match self {
            Self::Attention(attention) => attention.forward(spec, index, x, pass, cache, observation),
            Self::Convolution(convolution) => convolution.forward(index, x, cache, observation),
        }
    }

    /// The output projection.
    fn output(&self) -> &Linear {
        match self {
            Self::Attention(attention) => &attention.o,
            Self::Convolution(convolution) => &convolution.output,
        }
    }
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
        let z = self.mixer.forward(spec, index, normed.clone(), pass, cache, observation);
        let attn =
            Branch { post_norm: &self.post_attn_norm, scale: spec.residual_scale, site: site(Hook::AttnOut) };
        let (x, normed) = match spec.wiring {
            Wiring::Sequential => {
                let x = attn.project(self.mixer.output(), z, x, observation);
                let x = observation.at3(site(Hook::ResidMid), x);
                (x.clone(), before(&self.mlp_norm, site(Hook::Ln2), x, observation))
            }
            Wiring::Parallel => {
                let normed = before(&self.mlp_norm, site(Hook::Ln2), x.clone(), observation);
                (attn.project(self.mixer.output(), z, x, observation), normed)
            }
            Wiring::ParallelSharedNorm => (attn.project(self.mixer.output(), z, x, observation), normed),
        };
        let mlp =
            Branch { post_norm: &self.post_mlp_norm, scale: spec.residual_scale, site: site(Hook::MlpOut) };
        let x = match (&self.mlp, &spec.mlp.experts) {
            (Mlp::Dense(dense), _) => {
                let hidden = dense.hidden(spec.mlp.activation, index, normed, observation);
                mlp.project(&dense.down, hidden, x, observation)
            }
            (Mlp::Experts(experts), Some(table)) => {
                let out = experts.forward(table, spec.mlp.activation, index, normed, observation);
                mlp.add(out, x, observation)
            }
            // Made from the spec, so that one never comes without the other.
            (Mlp::Experts(_), None) => x,
        };
        let x = observation.at3(site(Hook::ResidPost), x);
        if x.dims()[1] > 1 {
            submit(&x);
        }
        x
    }
}

/// How what a branch computes gets into the residual stream.
struct Branch<'a> {
    post_norm: &'a Option<Norm>,
    scale: f32,
    /// Where it is observed before it is added.
    site: Site,
}

impl Branch<'_> {
    /// Projects `[batch, position, in]` and adds it to the stream `[batch, position, hidden]`: in one step, where
    /// nothing is to be done between.
    fn project(
        &self,
        out: &Linear,
        hidden: Tensor<3>,
        stream: Tensor<3>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        match self.post_norm.is_none() && self.scale == 1.0 && !observation.touches(self.site) {
            true => out.forward_onto(hidden, stream),
            false => self.add(out.forward(hidden), stream, observation),
        }
    }

    /// Adds `[batch, position, hidden]` to the stream.
    fn add(&self, branch: Tensor<3>, stream: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
        let branch = match self.post_norm {
            Some(norm) => norm.forward(branch),
            None => branch,
        };
        stream + observation.at3(self.site, scaled(branch, self.scale))
    }
}

fn before(norm: &Option<Norm>, site: Site, x: Tensor<3>, observation: &mut Observation<'_>) -> Tensor<3> {
    match norm {
        Some(norm) => observation.at3(site, norm.forward(x)),
        None => x,
    }
}
