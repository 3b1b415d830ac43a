//! Normalizers and pre-tokenizers of tokenizer.json.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::SplitDelimiterBehavior;

use crate::checked::{CheckedNormalizer, CheckedPreTokenizer, CheckedRegex};
use crate::decoder::PatternSpec;
use crate::error::{TextError, shorten};
use crate::{gguf, precompiled};

#[derive(Deserialize)]
struct Replace {
    pattern: PatternSpec,
    content: String,
}

#[derive(Deserialize)]
struct Split {
    pattern: PatternSpec,
    behavior: SplitDelimiterBehavior,
    #[serde(default)]
    invert: bool,
}

#[derive(Deserialize)]
struct ByteLevel {
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

/// Builds a normalizer.
pub(super) fn normalizer(value: Value) -> Result<CheckedNormalizer, TextError> {
    match kind(&value)? {
        "Sequence" => {
            let steps = list(value, "normalizers")?;
            Ok(CheckedNormalizer::Sequence(steps.into_iter().map(normalizer).collect::<Result<_, _>>()?))
        }
        "Replace" => {
            let Replace { pattern, content } = parse(value)?;
            Ok(CheckedNormalizer::Replace { pattern: pattern.compile()?, content })
        }
        "Precompiled" => {
            let map = value.get("precompiled_charsmap").and_then(Value::as_str);
            precompiled::check(
                map.ok_or_else(|| TextError::invalid("its precompiled character map is missing"))?,
            )?;
            // The crate reads this map from text only.
            let normalizer = serde_json::from_str(&value.to_string()).map_err(TextError::json)?;
            Ok(CheckedNormalizer::Plain(Box::new(normalizer)))
        }
        _ => Ok(CheckedNormalizer::Plain(parse(value)?)),
    }
}

/// Builds a pre-tokenizer.
pub(super) fn pre_tokenizer(value: Value) -> Result<CheckedPreTokenizer, TextError> {
    match kind(&value)? {
        "Sequence" => {
            let steps = list(value, "pretokenizers")?;
            Ok(CheckedPreTokenizer::Sequence(steps.into_iter().map(pre_tokenizer).collect::<Result<_, _>>()?))
        }
        "Split" => {
            let Split { pattern, behavior, invert } = parse(value)?;
            Ok(CheckedPreTokenizer::Split { pattern: pattern.compile()?, behavior, invert })
        }
        "ByteLevel" => {
            let ByteLevel { add_prefix_space, use_regex } = parse(value)?;
            let pattern = use_regex.then(|| CheckedRegex::new(gguf::GPT2)).transpose()?;
            Ok(CheckedPreTokenizer::ByteLevel { add_prefix_space, pattern })
        }
        "FixedLength" if value.get("length").and_then(Value::as_u64) == Some(0) => {
            Err(TextError::invalid("its pre-tokenizer cuts pieces of length 0"))
        }
        _ => Ok(CheckedPreTokenizer::Plain(parse(value)?)),
    }
}

/// Whether the tokens of the model are spelled in the byte-level alphabet.
pub(super) fn spells_bytes(pre_tokenizer: &CheckedPreTokenizer) -> bool {
    match pre_tokenizer {
        CheckedPreTokenizer::ByteLevel { .. } => true,
        CheckedPreTokenizer::Sequence(steps) => steps.iter().any(spells_bytes),
        _ => false,
    }
}

/// The `type` of a component.
fn kind(value: &Value) -> Result<&str, TextError> {
    let kind = value.get("type").and_then(Value::as_str);
    kind.ok_or_else(|| TextError::Unsupported { what: "a component without a type".into() })
}

/// The components in the list `key`.
fn list(mut value: Value, key: &str) -> Result<Vec<Value>, TextError> {
    match value.get_mut(key).map(Value::take) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(TextError::invalid(format!("a sequence of components lacks its list {key:?}"))),
    }
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, TextError> {
    let what = kind(&value).map(shorten).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| TextError::Unsupported {
        what: format!(
            "the component {what:?} in a way this version does not read ({})",
            shorten(&error.to_string())
        ),
    })
}
