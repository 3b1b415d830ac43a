//! What config.json says of single blocks: windows and kinds of attention.

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
            Some(types) if types.len() == layers => types
                .iter()
                .map(|kind| match kind.as_str() {
                    "full_attention" => Ok(false),
                    "sliding_attention" => Ok(true),
                    other => Err(wrong("layer_types", &format!("the kind \"{other}\" is not known"))),
                })
                .collect(),
            Some(types) => Err(wrong("layer_types", &format!("{} kinds for {layers} layers", types.len()))),
        }
    }
}
