//! PEFT's adapters: `adapter_config.json` says how, `adapter_model.safetensors` holds A and B.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Adapter, AdapterNames, CONFIG, WEIGHTS, display_name, pair};
use crate::safetensors::{self, Pairs};
use crate::shards::{refuse_accident, weights_content};
use crate::source::base_name;
use crate::{ByteSource, Content, FileSet, FormatError};

const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// PEFT's prefix of every name.
const PREFIX: &str = "base_model.model.";

/// Settings that change what an adapter computes, beyond low-rank terms. They must be unset.
const FEATURES: [(&str, &str); 13] = [
    ("use_dora", "DoRA"),
    ("modules_to_save", "modules trained as a whole (modules_to_save)"),
    ("lora_bias", "biases in its matrices (lora_bias)"),
    ("use_qalora", "QALoRA"),
    ("use_bdlora", "block-diagonal matrices"),
    ("layer_replication", "repeated layers (layer_replication)"),
    ("trainable_token_indices", "new token embeddings (trainable_token_indices)"),
    ("target_parameters", "parameters that are no projections (target_parameters)"),
    ("alora_invocation_tokens", "an invocation sequence (activated LoRA)"),
    ("arrow_config", "Arrow routing"),
    ("kasa_config", "KaSA"),
    ("monteclora_config", "Monte Carlo LoRA"),
    ("megatron_config", "Megatron's parallel layers"),
];

/// Ways of starting the training that do not change the base model's weights.
const HARMLESS_STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// What is read of `adapter_config.json`; the defaults are PEFT's.
#[derive(Deserialize)]
struct Config {
    #[serde(default = "eight")]
    r: u64,
    #[serde(default = "eight_as_float")]
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default = "nothing")]
    rank_pattern: Pairs<u64>,
    #[serde(default = "nothing")]
    alpha_pattern: Pairs<f64>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
}

fn eight() -> u64 {
    8
}

fn eight_as_float() -> f64 {
    8.0
}

fn nothing<V>() -> Pairs<V> {
    Pairs(Vec::new())
}

pub(super) async fn open(files: FileSet, index: usize) -> Result<Adapter, FormatError> {
    let config = read_config(&files, index).await?;
    let weights = find_weights(&files, index).await?;
    let source = files.get(weights).ok_or(FormatError::NoFiles)?;
    let file = source.name().to_owned();
    let header = safetensors::read_header(source, weights).await?;
    if let Some(tensor) = header.unsupported.first() {
        let (tensor, dtype, tensors) = (tensor.name.clone(), tensor.dtype.clone(), header.unsupported.len());
        return Err(FormatError::UnsupportedDType { file, tensor, dtype, tensors });
    }
    let terms = pair(&file, header.tensors, split, |target, rank| config.scale(target, rank))?;
    Ok(Adapter {
        name: display_name(&files, weights),
        base: config.base_model_name_or_path,
        names: AdapterNames::Hub,
        terms,
        files,
    })
}

async fn read_config(files: &FileSet, index: usize) -> Result<Config, FormatError> {
    let bytes = files.read_small(index, MAX_CONFIG_BYTES).await?;
    refuse_accident(CONFIG, &bytes)?;
    let invalid = |error: serde_json::Error| FormatError::InvalidJson {
        file: CONFIG.to_owned(),
        message: error.to_string(),
    };
    let all: Map<String, Value> = serde_json::from_slice(&bytes).map_err(invalid)?;
    refuse_features(&all)?;
    serde_json::from_slice(&bytes).map_err(invalid)
}

/// An adapter that does more than we would compute gives wrong numbers: refused by name.
fn refuse_features(config: &Map<String, Value>) -> Result<(), FormatError> {
    let feature = |feature: String| Err(FormatError::AdapterFeature { feature });
    match config.get("peft_type").and_then(Value::as_str) {
        Some("LORA") => {}
        Some(kind) => return feature(format!("the method {kind}")),
        None => return feature("a method it does not name".to_owned()),
    }
    if let Some((_, name)) = FEATURES.iter().find(|(key, _)| config.get(*key).is_some_and(is_set)) {
        return feature((*name).to_owned());
    }
    match config.get("bias").and_then(Value::as_str) {
        None | Some("none") => {}
        Some(bias) => return feature(format!("the base model's biases (bias = {bias})")),
    }
    match config.get("init_lora_weights") {
        Some(Value::String(start)) if !HARMLESS_STARTS.contains(&start.as_str()) => {
            feature(format!("changed weights of the base model (init_lora_weights = {start})"))
        }
        _ => Ok(()),
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

/// The weights beside the configuration; a pickle in their place is told as such.
async fn find_weights(files: &FileSet, config: usize) -> Result<usize, FormatError> {
    if let Some(index) = files.find_beside(config, WEIGHTS) {
        return match weights_content(files, index).await? {
            Content::Safetensors => Ok(index),
            content => Err(FormatError::WrongContent { file: WEIGHTS.to_owned(), content }),
        };
    }
    let others = files.iter().find(|(_, file)| base_name(file.name()).starts_with("adapter_model."));
    if let Some((index, _)) = others {
        weights_content(files, index).await?;
    }
    let name = files.get(config).map_or(CONFIG, ByteSource::name);
    Err(FormatError::Adapter { file: name.to_owned(), message: format!("{WEIGHTS} is missing beside it") })
}

/// `base_model.model.<target>.lora_A.weight`.
fn split(name: &str) -> Result<(String, bool), FormatError> {
    let target = name.strip_prefix(PREFIX).unwrap_or(name);
    for (end, is_b) in [(".lora_A.weight", false), (".lora_B.weight", true)] {
        if let Some(target) = target.strip_suffix(end) {
            return Ok((target.to_owned(), is_b));
        }
    }
    let feature = if target.contains(".lora_embedding_") {
        format!("an embedding ({name})")
    } else if target.ends_with("lora_magnitude_vector") || target.contains("lora_magnitude_vector.") {
        "DoRA".to_owned()
    } else {
        format!("the tensor {name}, which is neither lora_A nor lora_B")
    };
    Err(FormatError::AdapterFeature { feature })
}

impl Config {
    /// Alpha over rank, or over its root (Kalajdzievski 2023, "A Rank Stabilization Scaling Factor").
    fn scale(&self, target: &str, rank: u64) -> Result<f32, FormatError> {
        let stated = find(&self.rank_pattern, target)?.copied().unwrap_or(self.r);
        if stated != rank {
            let message = format!("it says rank {stated} for {target}, whose matrices have rank {rank}");
            return Err(FormatError::Adapter { file: CONFIG.to_owned(), message });
        }
        let alpha = find(&self.alpha_pattern, target)?.copied().unwrap_or(self.lora_alpha);
        let rank = rank as f64;
        Ok((alpha / if self.use_rslora { rank.sqrt() } else { rank }) as f32)
    }
}

/// The first entry whose key is the target's name or its end, as PEFT's `get_pattern_key` has it.
fn find<'p, V>(pattern: &'p Pairs<V>, target: &str) -> Result<Option<&'p V>, FormatError> {
    for (key, value) in &pattern.0 {
        let (key, whole) = key.strip_prefix('^').map_or((key.as_str(), false), |key| (key, true));
        let key = key.strip_suffix('$').unwrap_or(key).replace("\\.", ".");
        // Keys are regular expressions. In practice they are names, whose dots match any character.
        if !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(FormatError::AdapterFeature { feature: format!("the regular expression {key:?}") });
        }
        let Some(start) = target.len().checked_sub(key.len()) else { continue };
        let equal = |(a, b): (u8, u8)| a == b || a == b'.';
        let ends = key.bytes().zip(target.bytes().skip(start)).all(equal);
        let bounded = start == 0 || (!whole && target.as_bytes()[start - 1] == b'.');
        if ends && bounded {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
