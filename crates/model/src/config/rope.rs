//! Rotary embedding in configurations: `rope_theta` with `rope_scaling` and other old keys, `rope_parameters`,
//! and GGUF's `rope.*`.

use glassbox_formats::Checkpoint;
use serde_json::Value;

use super::{ConfigReader, as_f32, as_numbers, present, wrong};
use crate::{DecoderSpec, ModelError, RotarySpec, Scaling};

/// What transformers takes where a config.json is silent.
#[derive(Debug, Clone, Copy)]
pub struct RopeDefaults {
    /// Base of the wavelengths.
    pub theta: f32,
    /// Share of a head that turns.
    pub partial: f32,
    /// Old key of the base.
    pub theta_key: &'static str,
    /// Old key of the share.
    pub partial_key: &'static str,
}

impl Default for RopeDefaults {
    fn default() -> Self {
        Self { theta: 10_000.0, partial: 1.0, theta_key: "rope_theta", partial_key: "partial_rotary_factor" }
    }
}

impl ConfigReader<'_> {
    /// The rotary embedding of config.json, by Llama's keys and defaults.
    pub fn rotary(&self, head_dim: usize) -> Result<RotarySpec, ModelError> {
        self.rotary_of(None, head_dim, RopeDefaults::default())
    }

    /// The rotary embedding of the blocks of one kind (a name in `layer_types`), or of all.
    ///
    /// # Errors
    /// A scaling that is not known, or one that lacks a number.
    pub fn rotary_of(
        &self,
        kind: Option<&str>,
        head_dim: usize,
        defaults: RopeDefaults,
    ) -> Result<RotarySpec, ModelError> {
        let (key, parameters) = ["rope_parameters", "rope_scaling"]
            .into_iter()
            .find_map(|key| self.json(key).map(|value| (key, value)))
            .unwrap_or(("rope_parameters", &Value::Null));
        // transformers 5 has one entry for each kind of layer where they differ.
        let own = kind.and_then(|kind| present(parameters.get(kind)));
        let parameters = Parameters { key, values: own.unwrap_or(parameters) };
        let theta = match parameters.number("rope_theta")? {
            Some(theta) => theta,
            None => self.f32_or(defaults.theta_key, defaults.theta)?,
        };
        let partial = match parameters.number("partial_rotary_factor")? {
            Some(partial) => partial,
            None => self.f32_or(defaults.partial_key, defaults.partial)?,
        };
        let context = self.usize_or("max_position_embeddings", 2048)?;
        let stated = self.usize_or("original_max_position_embeddings", context)?;
        let dims = (head_dim as f64 * f64::from(partial)) as usize;
        parameters.apply(RotarySpec::plain(theta, dims), context, stated)
    }

    /// The rotary embedding of a GGUF. Factors that are tensors come with the weights.
    pub(super) fn gguf_rotary(&self, head_dim: usize, context: usize) -> Result<RotarySpec, ModelError> {
        let dims = self.usize_or("rope.dimension_count", head_dim)?;
        let mut rotary = RotarySpec::plain(self.f32_or("rope.freq_base", 10_000.0)?, dims);
        let factor = self.f32_or("rope.scaling.factor", 1.0)?;
        let original = self.usize_or("rope.scaling.original_context_length", context)?;
        rotary.attention_factor = self.f32_or("rope.scaling.attn_factor", 1.0)?;
        match self.string("rope.scaling.type")?.as_deref() {
            None | Some("none") => {}
            Some("linear") => rotary.scaling = Scaling::Linear { factor },
            Some("yarn") => {
                rotary.attention_factor *= yarn_attention_factor(factor);
                rotary.scaling = Scaling::Yarn {
                    factor,
                    beta_fast: self.f32_or("rope.scaling.yarn_beta_fast", 32.0)?,
                    beta_slow: self.f32_or("rope.scaling.yarn_beta_slow", 1.0)?,
                    original,
                    truncate: true,
                };
            }
            Some("longrope") => {}
            Some(other) => {
                let problem = format!("the rotary scaling \"{other}\" is not known");
                return Err(wrong(&self.full("rope.scaling.type"), &problem));
            }
        }
        Ok(rotary)
    }

    /// The rotary embedding of a GGUF that may hold two sets of factors (LongRoPE), which come with the weights.
    pub fn gguf_longrope(
        &self,
        spec: &DecoderSpec,
        checkpoint: &Checkpoint,
    ) -> Result<RotarySpec, ModelError> {
        let mut rotary = self.gguf_rotary(spec.head_dim, spec.context)?;
        if checkpoint.tensors.contains_key("rope_factors_long.weight") {
            let original = self.usize_or("rope.scaling.original_context_length", spec.context)?;
            let ones = vec![1.0; rotary.dims / 2];
            rotary.scaling = Scaling::Factors { short: ones.clone(), long: ones, original };
        }
        Ok(rotary)
    }

    /// Whether this is config.json and names a kind of layer in its rotary parameters.
    pub fn has_rope_of(&self, kind: &str) -> bool {
        self.json("rope_parameters").is_some_and(|parameters| parameters.get(kind).is_some())
    }
}

/// The object of `rope_parameters` or `rope_scaling`.
struct Parameters<'v> {
    key: &'static str,
    values: &'v Value,
}

impl Parameters<'_> {
    fn apply(&self, mut rotary: RotarySpec, context: usize, stated: usize) -> Result<RotarySpec, ModelError> {
        let kind = present(self.values.get("rope_type")).or_else(|| present(self.values.get("type")));
        let kind = kind.map_or("default", |kind| kind.as_str().unwrap_or("?"));
        let original = self.count("original_max_position_embeddings")?.unwrap_or(stated);
        let attention = self.number("attention_factor")?;
        rotary.scaling = match kind {
            "default" => Scaling::None,
            "linear" => Scaling::Linear { factor: self.required("factor")? },
            "dynamic" => Scaling::Dynamic { factor: self.required("factor")?, original: context },
            "llama3" => Scaling::Llama3 {
                factor: self.required("factor")?,
                low: self.required("low_freq_factor")?,
                high: self.required("high_freq_factor")?,
                original,
            },
            "yarn" => {
                let factor = self.number("factor")?.unwrap_or(context as f32 / original.max(1) as f32);
                rotary.attention_factor = attention.unwrap_or(yarn_attention_factor(factor));
                if let (None, Some(scale), Some(all)) =
                    (attention, self.number("mscale")?, self.number("mscale_all_dim")?)
                    && scale != 0.0
                    && all != 0.0
                {
                    let part = |scale: f32| 1.0 + scale * (yarn_attention_factor(factor) - 1.0);
                    rotary.attention_factor = part(scale) / part(all);
                }
                Scaling::Yarn {
                    factor,
                    beta_fast: self.number("beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.number("beta_slow")?.unwrap_or(1.0),
                    original,
                    truncate: self.values.get("truncate").and_then(Value::as_bool).unwrap_or(true),
                }
            }
            "longrope" | "su" => {
                let factor = self.number("factor")?.unwrap_or(context as f32 / original.max(1) as f32);
                rotary.attention_factor = attention.unwrap_or(longrope_attention_factor(factor, original));
                Scaling::Factors {
                    short: self.list("short_factor")?,
                    long: self.list("long_factor")?,
                    original,
                }
            }
            other => {
                return Err(wrong(self.key, &format!("the rotary scaling \"{other}\" is not known")));
            }
        };
        Ok(rotary)
    }

    fn number(&self, name: &str) -> Result<Option<f32>, ModelError> {
        present(self.values.get(name)).map(|value| as_f32(&self.path(name), value)).transpose()
    }

    fn count(&self, name: &str) -> Result<Option<usize>, ModelError> {
        match present(self.values.get(name)) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n > 0 => Ok(Some(n)),
                _ => Err(wrong(&self.path(name), &format!("{value} is not a count"))),
            },
        }
    }

    fn required(&self, name: &str) -> Result<f32, ModelError> {
        self.number(name)?.ok_or_else(|| wrong(&self.path(name), "it is missing"))
    }

    fn list(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        match present(self.values.get(name)) {
            Some(list) => as_numbers(&self.path(name), list),
            None => Err(wrong(&self.path(name), "it is missing")),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.key)
    }
}

/// What YaRN's paper suggests.
fn yarn_attention_factor(factor: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { (0.1 * f64::from(factor).ln() + 1.0) as f32 }
}

/// What LongRoPE's paper suggests.
fn longrope_attention_factor(factor: f32, original: usize) -> f32 {
    match factor <= 1.0 || original < 2 {
        true => 1.0,
        false => (1.0 + f64::from(factor).ln() / (original as f64).ln()).sqrt() as f32,
    }
}
