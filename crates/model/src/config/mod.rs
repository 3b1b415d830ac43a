//! Reading a configuration: config.json or GGUF metadata, with an error that names key and problem.

mod blocks;
mod gguf;
mod rope;

use glassbox_formats::Config;
use serde_json::Value;

pub use rope::RopeDefaults;

use crate::{Activation, ModelError, Sizes, spec::MAX_LAYERS};

/// The keys of sizes in config.json. A key that a configuration lacks stands for the default.
pub struct SizeKeys {
    /// Number of tokens.
    pub vocab: &'static str,
    /// Width of the residual stream.
    pub hidden: &'static str,
    /// Number of blocks.
    pub layers: &'static str,
    /// Query heads.
    pub heads: &'static str,
    /// Key and value heads; as many as query heads by default.
    pub kv_heads: &'static str,
    /// Size of a head; `hidden / heads` by default.
    pub head_dim: &'static str,
    /// Width of the MLP; `4 * hidden` by default.
    pub intermediate: &'static str,
    /// Longest sequence; 2048 by default.
    pub context: &'static str,
}

impl SizeKeys {
    /// The spelling of Llama, which most keep.
    pub const LLAMA: Self = Self {
        vocab: "vocab_size",
        hidden: "hidden_size",
        layers: "num_hidden_layers",
        heads: "num_attention_heads",
        kv_heads: "num_key_value_heads",
        head_dim: "head_dim",
        intermediate: "intermediate_size",
        context: "max_position_embeddings",
    };

    /// The spelling of GPT-2.
    pub const GPT2: Self = Self {
        vocab: "vocab_size",
        hidden: "n_embd",
        layers: "n_layer",
        heads: "n_head",
        kv_heads: "n_head",
        head_dim: "head_dim",
        intermediate: "n_inner",
        context: "n_positions",
    };

    const GGUF: Self = Self {
        vocab: "vocab_size",
        hidden: "embedding_length",
        layers: "block_count",
        heads: "attention.head_count",
        kv_heads: "attention.head_count_kv",
        head_dim: "attention.key_length",
        intermediate: "feed_forward_length",
        context: "context_length",
    };
}

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
            Config::Hub(_) => match self.json(key) {
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

    /// The sizes of a config.json in the spelling of Llama, or of a GGUF.
    ///
    /// # Errors
    /// Where one is missing, or the number of layers is absurd: lists of that length are made from it.
    pub fn sizes(&self) -> Result<Sizes, ModelError> {
        self.sizes_named(&SizeKeys::LLAMA)
    }

    /// The sizes of a config.json that has names of its own for some, or of a GGUF.
    pub fn sizes_named(&self, keys: &SizeKeys) -> Result<Sizes, ModelError> {
        let keys = match self.config {
            Config::Hub(_) => keys,
            Config::Gguf(_) => &SizeKeys::GGUF,
        };
        let (hidden, heads) = (self.usize(keys.hidden)?, self.usize(keys.heads)?);
        let layers = self.usize(keys.layers)?;
        if layers > MAX_LAYERS {
            return Err(wrong(&self.full(keys.layers), &format!("{layers} is more than {MAX_LAYERS}")));
        }
        Ok(Sizes {
            vocab: self.usize_or(keys.vocab, 0)?,
            hidden,
            layers,
            heads,
            kv_heads: self.usize_or(keys.kv_heads, heads)?,
            head_dim: self.usize_or(keys.head_dim, hidden / heads.max(1))?,
            intermediate: self.usize_or(keys.intermediate, hidden.saturating_mul(4))?,
            context: self.usize_or(keys.context, 2048)?,
        })
    }

    /// Whether a key of config.json has a value.
    pub fn has(&self, key: &str) -> bool {
        self.json(key).is_some()
    }

    /// A soft-cap, or a default where the key is missing; none where it is null or 0.
    pub fn soft_cap(&self, key: &str, default: Option<f32>) -> Result<Option<f32>, ModelError> {
        let stated = matches!(self.config, Config::Hub(json) if json.get(key).is_some());
        let found = self.number(key)?;
        Ok(if stated { found } else { found.or(default) }.filter(|cap| *cap != 0.0))
    }

    /// A list of strings, or none where it is missing.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<String>>, ModelError> {
        let Some(list) = self.json(key) else { return Ok(None) };
        let strings =
            list.as_array().map(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        match strings.flatten() {
            Some(strings) => Ok(Some(strings)),
            None => Err(wrong(key, "it is not a list of strings")),
        }
    }

    /// A list of numbers, booleans counting as 0 and 1, or none where it is missing.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f32>>, ModelError> {
        self.json(key).map(|list| as_numbers(key, list)).transpose()
    }

    /// A number, or none where it is missing, null or 0: the keys of soft-caps and clamps.
    pub fn f32_unless_zero(&self, key: &str) -> Result<Option<f32>, ModelError> {
        Ok(self.number(key)?.filter(|number| *number != 0.0))
    }

    /// The value of a key of config.json; `a.b` is the key `b` of the object `a`.
    fn json(&self, key: &str) -> Option<&'c Value> {
        match self.config {
            Config::Hub(json) => present(key.split('.').try_fold(json, |value, part| value.get(part))),
            Config::Gguf(_) => None,
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
            Config::Hub(_) => match self.json(key) {
                None => Ok(None),
                Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                    Some(n) => Ok(Some(n)),
                    None => Err(wrong(key, &format!("{value} is not a count"))),
                },
            },
            Config::Gguf(metadata) => {
                let full = self.full(key);
                // Some keys hold one number per block; the decoder has the same sizes in all of them. No key heads
                // are a block without attention.
                let Some(mut values) = metadata.get::<Vec<u64>>(&full)? else { return Ok(None) };
                if key == SizeKeys::GGUF.kv_heads && values.iter().any(|heads| *heads > 0) {
                    values.retain(|heads| *heads > 0);
                }
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
            Config::Hub(_) => self.json(key).map(|value| as_f32(key, value)).transpose(),
            Config::Gguf(metadata) => Ok(metadata.get::<f32>(&self.full(key))?),
        }
    }

    fn string(&self, key: &str) -> Result<Option<String>, ModelError> {
        match self.config {
            Config::Hub(_) => match self.json(key) {
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

fn as_numbers(key: &str, value: &Value) -> Result<Vec<f32>, ModelError> {
    let number = |value: &Value| match value {
        Value::Bool(switch) => Ok(f32::from(u8::from(*switch))),
        other => as_f32(key, other),
    };
    match value.as_array() {
        Some(list) => list.iter().map(number).collect(),
        None => Err(wrong(key, "it is not a list")),
    }
}

fn wrong(key: &str, problem: &str) -> ModelError {
    ModelError::Config { key: key.to_owned(), problem: problem.to_owned() }
}
