//! Reading a configuration: config.json or GGUF metadata, with an error that names key and problem.

use glassbox_formats::{Checkpoint, Config, gguf};
use serde_json::Value;

use crate::{Activation, ModelError};

/// Typed access to a configuration's values.
pub struct ConfigReader<'c> {
    config: &'c Config,
}

impl<'c> ConfigReader<'c> {
    /// A reader of a checkpoint's configuration.
    pub fn new(config: &'c Config) -> Self {
        Self { config }
    }

    /// `model_type` or `general.architecture`.
    pub fn architecture(&self) -> Result<String, ModelError> {
        let key = match self.config {
            Config::Hub(_) => "model_type",
            Config::Gguf(_) => "general.architecture",
        };
        match self.string(key)? {
            Some(name) => Ok(name),
            None => Err(wrong(key, "it is missing, so the architecture is not known")),
        }
    }

    /// A size; it must be there.
    pub fn usize(&self, key: &str) -> Result<usize, ModelError> {
        self.integer(key)?.ok_or_else(|| wrong(&self.full(key), "it is missing"))
    }

    /// A size, or a default where it is missing or null.
    pub fn usize_or(&self, key: &str, default: usize) -> Result<usize, ModelError> {
        Ok(self.integer(key)?.unwrap_or(default))
    }

    /// A number; it must be there.
    pub fn f32(&self, key: &str) -> Result<f32, ModelError> {
        self.number(key)?.ok_or_else(|| wrong(&self.full(key), "it is missing"))
    }

    /// A number, or a default where it is missing or null.
    pub fn f32_or(&self, key: &str, default: f32) -> Result<f32, ModelError> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    /// A switch, or a default where it is missing or null.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool, ModelError> {
        match self.config {
            Config::Hub(json) => match present(json.get(key)) {
                None => Ok(default),
                Some(Value::Bool(value)) => Ok(*value),
                Some(other) => Err(wrong(key, &format!("{other} is neither true nor false"))),
            },
            Config::Gguf(metadata) => Ok(metadata.get::<bool>(&self.full(key))?.unwrap_or(default)),
        }
    }

    /// The MLP's non-linearity by its name in transformers.
    pub fn activation(&self, key: &str, default: Activation) -> Result<Activation, ModelError> {
        match self.string(key)?.as_deref() {
            None => Ok(default),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
            Some("gelu") => Ok(Activation::Gelu),
            Some("relu") => Ok(Activation::Relu),
            Some(other) => Err(wrong(key, &format!("the activation \"{other}\" is not known"))),
        }
    }

    /// Base of the rotary wavelengths in both spellings of config.json: `rope_theta` with
    /// `rope_scaling`, and `rope_parameters`.
    pub fn rope_theta(&self) -> Result<f32, ModelError> {
        let Config::Hub(json) = self.config else {
            return self.f32_or("rope.freq_base", 10_000.0);
        };
        for key in ["rope_parameters", "rope_scaling"] {
            let Some(parameters) = present(json.get(key)) else { continue };
            let kind = present(parameters.get("rope_type")).or_else(|| present(parameters.get("type")));
            match kind.map(|kind| kind.as_str().unwrap_or("?")) {
                None | Some("default") => {}
                Some(other) => {
                    return Err(wrong(key, &format!("the rotary scaling \"{other}\" is not known")));
                }
            }
            if let Some(theta) = present(parameters.get("rope_theta")) {
                return as_f32(key, theta);
            }
        }
        self.f32_or("rope_theta", 10_000.0)
    }

    /// The vocabulary's size in a GGUF: rows of the embedding, which are what the model computes with.
    pub fn gguf_vocab(&self, checkpoint: &Checkpoint) -> Result<usize, ModelError> {
        let tensor = checkpoint.tensor("token_embd.weight")?;
        Ok(tensor.shape.first().copied().and_then(|rows| usize::try_from(rows).ok()).unwrap_or(0))
    }

    /// Refuses a GGUF that sets a key to anything but `none` or 0.
    pub fn refuse(&self, key: &str, problem: &str) -> Result<(), ModelError> {
        let Config::Gguf(metadata) = self.config else { return Ok(()) };
        let full = self.full(key);
        match metadata.value(&full) {
            None => Ok(()),
            Some(gguf::Value::String(value)) if value == "none" => Ok(()),
            Some(value) if value.as_integer() == Some(0) => Ok(()),
            Some(_) => Err(wrong(&full, problem)),
        }
    }

    /// Refuses a config.json whose switch is not as expected.
    pub fn refuse_unless(&self, key: &str, expected: bool, problem: &str) -> Result<(), ModelError> {
        match self.bool_or(key, expected)? == expected {
            true => Ok(()),
            false => Err(wrong(key, problem)),
        }
    }

    /// GGUF keys carry the architecture's name, except those of other groups.
    fn full(&self, key: &str) -> String {
        match self.config {
            Config::Hub(_) => key.to_owned(),
            Config::Gguf(_) if key.starts_with("general.") => key.to_owned(),
            Config::Gguf(_) => format!("{}.{key}", self.architecture().unwrap_or_default()),
        }
    }

    fn integer(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.config {
            Config::Hub(json) => match present(json.get(key)) {
                None => Ok(None),
                Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                    Some(n) => Ok(Some(n)),
                    None => Err(wrong(key, &format!("{value} is not a count"))),
                },
            },
            Config::Gguf(metadata) => {
                let full = self.full(key);
                // Some keys hold one number per block; the decoder has the same sizes in all of them.
                let Some(values) = metadata.get::<Vec<u64>>(&full)? else { return Ok(None) };
                match values.as_slice() {
                    [first, rest @ ..] if rest.iter().all(|n| n == first) => {
                        usize::try_from(*first).map(Some).map_err(|_| wrong(&full, "it is too large"))
                    }
                    _ => Err(wrong(&full, "blocks of different sizes are not known")),
                }
            }
        }
    }

    fn number(&self, key: &str) -> Result<Option<f32>, ModelError> {
        match self.config {
            Config::Hub(json) => present(json.get(key)).map(|value| as_f32(key, value)).transpose(),
            Config::Gguf(metadata) => Ok(metadata.get::<f32>(&self.full(key))?),
        }
    }

    fn string(&self, key: &str) -> Result<Option<String>, ModelError> {
        match self.config {
            Config::Hub(json) => match present(json.get(key)) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(other) => Err(wrong(key, &format!("{other} is not a string"))),
            },
            Config::Gguf(metadata) => Ok(metadata.get::<&str>(&self.full(key))?.map(str::to_owned)),
        }
    }
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

fn as_f32(key: &str, value: &Value) -> Result<f32, ModelError> {
    match value.as_f64() {
        Some(number) => Ok(number as f32),
        None => Err(wrong(key, &format!("{value} is not a number"))),
    }
}

fn wrong(key: &str, problem: &str) -> ModelError {
    ModelError::Config { key: key.to_owned(), problem: problem.to_owned() }
}
