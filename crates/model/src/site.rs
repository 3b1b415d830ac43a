//! Named sites of the forward pass, under TransformerLens's hook names.
//!
//! Source of the names: TransformerLens, `HookedTransformer` (Nanda & Bloom, 2022). Shapes here leave
//! out its leading batch axis.

use std::{fmt, str::FromStr};

use crate::{DecoderSpec, Mixer, ModelError, Placement, Positions, Wiring};

/// What an axis of a captured tensor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Positions of the sequence; also the query positions of an attention pattern.
    Position,
    /// Positions attended to.
    Key,
    /// Attention heads.
    Head,
    /// Components of a vector.
    Feature,
}

/// A kind of site; together with a block's index it names one tensor of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Token embedding `[position, hidden]`.
    Embed,
    /// Learned position embedding `[position, hidden]`.
    PosEmbed,
    /// Residual stream before a block `[position, hidden]`.
    ResidPre,
    /// Normalised input of attention `[position, hidden]`.
    Ln1,
    /// Queries before rotary embedding `[position, head, head_dim]`.
    Q,
    /// Keys before rotary embedding `[position, kv_head, head_dim]`.
    K,
    /// Values `[position, kv_head, head_dim]`.
    V,
    /// Queries after rotary embedding `[position, head, head_dim]`.
    RotQ,
    /// Keys after rotary embedding `[position, kv_head, head_dim]`.
    RotK,
    /// Scaled and masked attention scores `[head, query, key]`.
    AttnScores,
    /// Attention weights `[head, query, key]`; each row sums to 1.
    Pattern,
    /// Weighted sum of values `[position, head, head_dim]`.
    Z,
    /// What goes into a convolution, gated `[position, hidden]`.
    ConvIn,
    /// What comes out of it, gated, before the output projection `[position, hidden]`.
    ConvOut,
    /// Output of attention, or of the convolution in its place `[position, hidden]`.
    AttnOut,
    /// Residual stream between attention and MLP `[position, hidden]`.
    ResidMid,
    /// Normalised input of the MLP `[position, hidden]`.
    Ln2,
    /// MLP pre-activation (the gate's, where there is one) `[position, intermediate]`.
    MlpPre,
    /// Linear branch of a gated MLP `[position, intermediate]`.
    MlpPreLinear,
    /// MLP activations before the output projection `[position, intermediate]`.
    MlpPost,
    /// Scores of the experts before softmax `[position, expert]`.
    RouterScores,
    /// Shares of the experts `[position, expert]`; 0 for those that do not run.
    ExpertWeights,
    /// Output of the MLP `[position, hidden]`.
    MlpOut,
    /// Residual stream after a block `[position, hidden]`.
    ResidPost,
    /// Residual stream after the final norm `[position, hidden]`.
    LnFinal,
}

/// Every hook with its name inside its block (or of the whole model) and the short kind that selects it.
const HOOKS: &[(Hook, &str, &str)] = &[
    (Hook::Embed, "hook_embed", "embed"),
    (Hook::PosEmbed, "hook_pos_embed", "pos_embed"),
    (Hook::LnFinal, "ln_final.hook_normalized", "ln_final"),
    (Hook::ResidPre, "hook_resid_pre", "resid_pre"),
    (Hook::Ln1, "ln1.hook_normalized", "ln1"),
    (Hook::Q, "attn.hook_q", "q"),
    (Hook::K, "attn.hook_k", "k"),
    (Hook::V, "attn.hook_v", "v"),
    (Hook::RotQ, "attn.hook_rot_q", "rot_q"),
    (Hook::RotK, "attn.hook_rot_k", "rot_k"),
    (Hook::AttnScores, "attn.hook_attn_scores", "attn_scores"),
    (Hook::Pattern, "attn.hook_pattern", "pattern"),
    (Hook::Z, "attn.hook_z", "z"),
    (Hook::ConvIn, "conv.hook_in", "conv_in"),
    (Hook::ConvOut, "conv.hook_out", "conv_out"),
    (Hook::AttnOut, "hook_attn_out", "attn_out"),
    (Hook::ResidMid, "hook_resid_mid", "resid_mid"),
    (Hook::Ln2, "ln2.hook_normalized", "ln2"),
    (Hook::MlpPre, "mlp.hook_pre", "mlp_pre"),
    (Hook::MlpPreLinear, "mlp.hook_pre_linear", "mlp_pre_linear"),
    (Hook::MlpPost, "mlp.hook_post", "mlp_post"),
    (Hook::RouterScores, "mlp.hook_router_scores", "router_scores"),
    (Hook::ExpertWeights, "mlp.hook_expert_weights", "expert_weights"),
    (Hook::MlpOut, "hook_mlp_out", "mlp_out"),
    (Hook::ResidPost, "hook_resid_post", "resid_post"),
];

impl Hook {
    /// All hooks.
    pub fn all() -> impl Iterator<Item = Hook> {
        HOOKS.iter().map(|(hook, ..)| *hook)
    }

    /// The hook that a short kind such as `pattern` or `resid_post` selects.
    pub fn from_kind(kind: &str) -> Option<Hook> {
        HOOKS.iter().find(|(_, _, short)| *short == kind).map(|(hook, ..)| *hook)
    }

    /// The short kind, e.g. `pattern`.
    pub fn kind(self) -> &'static str {
        self.entry().2
    }

    /// Whether the site belongs to the whole model rather than to one block.
    pub fn is_global(self) -> bool {
        matches!(self, Hook::Embed | Hook::PosEmbed | Hook::LnFinal)
    }

    /// What the axes of the tensor count, outermost first.
    pub fn axes(self) -> &'static [Axis] {
        match self {
            Hook::Q | Hook::K | Hook::V | Hook::RotQ | Hook::RotK | Hook::Z => {
                &[Axis::Position, Axis::Head, Axis::Feature]
            }
            Hook::AttnScores | Hook::Pattern => &[Axis::Head, Axis::Position, Axis::Key],
            _ => &[Axis::Position, Axis::Feature],
        }
    }

    /// Where an axis stands in [`Self::axes`].
    pub fn axis(self, axis: Axis) -> Option<usize> {
        self.axes().iter().position(|a| *a == axis)
    }

    /// How many heads the site's tensor has, if it has a head axis.
    pub fn heads(self, spec: &DecoderSpec) -> Option<usize> {
        self.axis(Axis::Head)?;
        Some(match self {
            Hook::K | Hook::V | Hook::RotK => spec.kv_heads,
            _ => spec.heads,
        })
    }

    /// How many components the site's vectors have.
    pub fn features(self, spec: &DecoderSpec) -> usize {
        match self {
            Hook::Q | Hook::K | Hook::V | Hook::RotQ | Hook::RotK | Hook::Z => spec.head_dim,
            Hook::MlpPre | Hook::MlpPreLinear | Hook::MlpPost => spec.intermediate,
            Hook::RouterScores | Hook::ExpertWeights => spec.mlp.experts.as_ref().map_or(0, |e| e.count),
            _ => spec.hidden,
        }
    }

    fn entry(self) -> &'static (Hook, &'static str, &'static str) {
        // Every variant is in the table: the test `every_hook_has_a_name` holds this.
        HOOKS.iter().find(|(hook, ..)| *hook == self).unwrap_or(&HOOKS[0])
    }
}

/// One tensor of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// The block, or none for sites of the whole model.
    pub block: Option<usize>,
    /// What it is.
    pub hook: Hook,
}

impl Site {
    /// A site inside a block.
    pub fn block(block: usize, hook: Hook) -> Self {
        Self { block: Some(block), hook }
    }

    /// Whether a model's forward pass comes by here.
    pub fn exists(self, spec: &DecoderSpec) -> bool {
        let Some(index) = self.block else {
            return self.hook != Hook::PosEmbed || matches!(spec.positions, Positions::Learned { .. });
        };
        let Some(block) = spec.blocks.get(index) else { return false };
        match self.hook {
            Hook::Ln1 => spec.placement != Placement::Post,
            Hook::Ln2 => spec.placement != Placement::Post && spec.wiring != Wiring::ParallelSharedNorm,
            Hook::RotQ | Hook::RotK => block.rotary.is_some(),
            Hook::Q | Hook::K | Hook::V | Hook::AttnScores | Hook::Pattern | Hook::Z => {
                block.mixer == Mixer::Attention
            }
            Hook::ConvIn | Hook::ConvOut => block.mixer == Mixer::Convolution,
            Hook::ResidMid => spec.wiring == Wiring::Sequential,
            Hook::MlpPre | Hook::MlpPost => !block.experts,
            Hook::MlpPreLinear => !block.experts && spec.mlp.gated,
            Hook::RouterScores | Hook::ExpertWeights => block.experts,
            _ => true,
        }
    }

    /// A site of the whole model.
    pub fn global(hook: Hook) -> Self {
        Self { block: None, hook }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.hook.entry().1;
        match self.block {
            Some(block) => write!(f, "blocks.{block}.{name}"),
            None => f.write_str(name),
        }
    }
}

impl FromStr for Site {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let unknown = || ModelError::UnknownSite { site: text.to_owned() };
        let (block, name) = match text.strip_prefix("blocks.") {
            Some(rest) => {
                let (index, name) = rest.split_once('.').ok_or_else(unknown)?;
                (Some(index.parse::<usize>().map_err(|_| unknown())?), name)
            }
            None => (None, text),
        };
        let (hook, ..) = HOOKS.iter().find(|(_, full, _)| *full == name).ok_or_else(unknown)?;
        if hook.is_global() != block.is_none() {
            return Err(unknown());
        }
        Ok(Site { block, hook: *hook })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_name_of_its_own() {
        for hook in Hook::all() {
            let site = Site { block: (!hook.is_global()).then_some(3), hook };
            assert_eq!(site.to_string().parse::<Site>().unwrap(), site);
            assert_eq!(Hook::from_kind(hook.kind()), Some(hook));
        }
    }

    #[test]
    fn names_are_transformer_lens_names() {
        assert_eq!(Site::block(3, Hook::Pattern).to_string(), "blocks.3.attn.hook_pattern");
        assert_eq!(Site::global(Hook::Embed).to_string(), "hook_embed");
    }

    #[test]
    fn refuses_what_is_not_a_site() {
        for text in
            ["", "blocks.x.hook_embed", "blocks.1.hook_embed", "hook_resid_post", "blocks.1", "pattern"]
        {
            assert!(matches!(text.parse::<Site>(), Err(ModelError::UnknownSite { .. })), "{text}");
        }
    }
}
