//! Reading a configuration: config.json or GGUF metadata, with an error that names key and problem.

mod rope;

use glassbox_formats::{Checkpoint, Config, gguf};
use serde_json::Value;

pub use rope::RopeDefaults;

use crate::{Activation, DecoderSpec, ExpertsSpec, ModelError, Positions, Sizes, spec::MAX_LAYERS};

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

    /// What all GGUF files of one architecture state in the same keys: sizes, the norms' eps, rotary embedding,
    /// and, by the tensors that are there, biases and an untied head.
    pub fn gguf_spec(
        &self,
        architecture: &'static str,
        checkpoint: &Checkpoint,
    ) -> Result<DecoderSpec, ModelError> {
        let has = |name: &str| checkpoint.tensors.contains_key(name);
        let mut sizes = self.sizes()?;
        sizes.vocab = self.gguf_vocab(checkpoint)?;
        let mut spec = DecoderSpec::plain(architecture, sizes);
        spec.norm.eps = match self.number("attention.layer_norm_rms_epsilon")? {
            Some(eps) => eps,
            None => self.f32("attention.layer_norm_epsilon")?,
        };
        spec.norm.bias = has("output_norm.bias");
        spec.positions = Positions::Rotary(vec![self.gguf_rotary(spec.head_dim, spec.context)?]);
        spec.attention.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
        spec.attention.output_bias = has("blk.0.attn_output.bias");
        spec.mlp.bias = has("blk.0.ffn_up.bias");
        spec.tied_head = !has("output.weight");
        spec.head_bias = has("output.bias");
        Ok(spec)
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

    /// The same of a GGUF whose MLPs are mixtures of experts; `normalised` as the architecture has it.
    pub fn gguf_experts(
        &self,
        mut spec: DecoderSpec,
        checkpoint: &Checkpoint,
        normalised: bool,
    ) -> Result<DecoderSpec, ModelError> {
        for (index, block) in spec.blocks.iter_mut().enumerate() {
            block.experts = checkpoint.tensors.contains_key(&format!("blk.{index}.ffn_gate_inp.weight"));
        }
        spec.mlp.experts = Some(ExpertsSpec {
            count: self.usize("expert_count")?,
            active: self.usize("expert_used_count")?,
            intermediate: self.usize_or("expert_feed_forward_length", spec.intermediate)?,
            normalised,
        });
        Ok(spec)
    }

    /// Refuses a GGUF that holds a tensor.
    pub fn refuse_tensor(
        &self,
        checkpoint: &Checkpoint,
        name: &str,
        problem: &str,
    ) -> Result<(), ModelError> {
        match checkpoint.tensors.contains_key(name) {
            true => Err(wrong(name, problem)),
            false => Ok(()),
        }
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
