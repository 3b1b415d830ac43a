//! What config.json says of single blocks: windows, kinds of attention, convolutions in its place.

use glassbox_formats::Config;
use serde_json::Value;

use super::{ConfigReader, wrong};
use crate::{ModelError, spec::MAX_LAYERS};

impl ConfigReader<'_> {
    /// How many blocks a pattern of windows has: a number, or a text with a letter for each block
    /// (`LLLG`, where L is local).
    pub fn pattern(&self, key: &str, default: usize) -> Result<usize, ModelError> {
        match self.json(key) {
            Some(Value::String(letters)) => Ok(letters.len().max(1)),
            _ => Ok(self.usize_or(key, default)?.max(1)),
        }
    }

    /// GPT-Neo's list of kinds, repeated: whether each block is local.
    pub fn attention_types(&self, layers: usize) -> Result<Vec<bool>, ModelError> {
        let problem = || wrong("attention_types", "it is not a list of kinds and how often they repeat");
        let kinds = match (self.strings("attention_layers")?, self.json("attention_types")) {
            (Some(kinds), _) => kinds,
            (None, None) => return Ok((0..layers).map(|block| block % 2 == 1).collect()),
            (None, Some(types)) => {
                let mut all = Vec::new();
                for entry in types.as_array().ok_or_else(problem)? {
                    let pair = entry.as_array().filter(|pair| pair.len() == 2).ok_or_else(problem)?;
                    let kinds = pair[0].as_array().ok_or_else(problem)?;
                    let times = pair[1].as_u64().filter(|n| *n <= MAX_LAYERS as u64).ok_or_else(problem)?;
                    for kind in (0..times).flat_map(|_| kinds) {
                        all.push(kind.as_str().ok_or_else(problem)?.to_owned());
                        if all.len() > MAX_LAYERS {
                            return Err(problem());
                        }
                    }
                }
                all
            }
        };
        if kinds.len() != layers {
            return Err(wrong("attention_types", &format!("{} kinds for {layers} layers", kinds.len())));
        }
        Ok(kinds.iter().map(|kind| kind == "local").collect())
    }

    /// Which blocks of a hybrid attend; the others have a convolution. By `layer_types`, or LFM2's older list of indices;
    /// all where neither is there.
    pub fn attends(&self, layers: usize) -> Result<Vec<bool>, ModelError> {
        match (self.strings("layer_types")?, self.numbers("full_attn_idxs")?) {
            (Some(types), _) => self.layer_types(&types, layers, [("conv", false), ("full_attention", true)]),
            (None, Some(list)) => Ok((0..layers).map(|block| list.contains(&(block as f32))).collect()),
            (None, None) => Ok(vec![true; layers]),
        }
    }

    /// A size, or a default where the key is missing; none where it is null or 0.
    pub fn window(&self, key: &str, default: Option<usize>) -> Result<Option<usize>, ModelError> {
        let stated = match self.config {
            Config::Hub(json) => json.get(key).is_some(),
            Config::Gguf(_) => false,
        };
        let found = self.integer(key)?;
        Ok(if stated { found } else { found.or(default) }.filter(|window| *window > 0))
    }

    /// Which blocks have a window: those that `layer_types` calls sliding, or those that `default` picks.
    pub fn sliding(&self, layers: usize, default: impl Fn(usize) -> bool) -> Result<Vec<bool>, ModelError> {
        match self.strings("layer_types")? {
            None => Ok((0..layers).map(default).collect()),
            Some(types) => {
                self.layer_types(&types, layers, [("full_attention", false), ("sliding_attention", true)])
            }
        }
    }

    /// A kind for each layer, by what the two known ones stand for.
    fn layer_types(
        &self,
        types: &[String],
        layers: usize,
        known: [(&str, bool); 2],
    ) -> Result<Vec<bool>, ModelError> {
        if types.len() != layers {
            return Err(wrong("layer_types", &format!("{} kinds for {layers} layers", types.len())));
        }
        let kind = |kind: &String| {
            let found = known.iter().find(|(name, _)| name == kind);
            found
                .map(|(_, stands_for)| *stands_for)
                .ok_or_else(|| wrong("layer_types", &format!("the kind \"{kind}\" is not known")))
        };
        types.iter().map(kind).collect()
    }
}
