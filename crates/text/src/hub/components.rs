//! Normalizers and pre-tokenizers of tokenizer.json.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokenizers::normalizers::{
    BertNormalizer, ByteLevel as SpelledBytes, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend,
    Strip, StripAccents,
};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::delimiter::CharDelimiterSplit;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::fixed_length::FixedLength;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::unicode_scripts::UnicodeScripts;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{Normalizer, PreTokenizer, SplitDelimiterBehavior};

use crate::checked::{CheckedNormalizer, CheckedPreTokenizer, CheckedRegex};
use crate::error::TextError;
use crate::fields::Fields;
use crate::{gguf, precompiled};

/// Words, and runs of what is neither a word nor space.
const WORDS: &str = r"\w+|[^\w\s]+";

/// Builds a normalizer.
pub(super) fn normalizer(value: &Value) -> Result<CheckedNormalizer, TextError> {
    fn plain(normalizer: impl Normalizer + Send + 'static) -> Result<CheckedNormalizer, TextError> {
        Ok(CheckedNormalizer::Plain(Box::new(normalizer)))
    }
    let fields = Fields::of(value)?;
    match fields.kind {
        "Sequence" => {
            let steps = fields.list("normalizers")?.iter().map(normalizer).collect::<Result<_, _>>()?;
            Ok(CheckedNormalizer::Sequence(steps))
        }
        "Replace" => Ok(CheckedNormalizer::Replace {
            pattern: fields.pattern()?,
            content: fields.text("content")?.to_owned(),
        }),
        "Precompiled" => plain(character_map(fields)?),
        "BertNormalizer" => plain(BertNormalizer::new(
            fields.flag("clean_text")?,
            fields.flag("handle_chinese_chars")?,
            fields.maybe_flag("strip_accents")?,
            fields.flag("lowercase")?,
        )),
        "Strip" => plain(Strip::new(fields.flag("strip_left")?, fields.flag("strip_right")?)),
        "StripAccents" => plain(StripAccents),
        "NFC" => plain(NFC),
        "NFD" => plain(NFD),
        "NFKC" => plain(NFKC),
        "NFKD" => plain(NFKD),
        "Lowercase" => plain(Lowercase),
        "Nmt" => plain(Nmt),
        "Prepend" => plain(Prepend::new(fields.text("prepend")?.to_owned())),
        "ByteLevel" => plain(SpelledBytes::new()),
        _ => fields.unknown(),
    }
}

/// SentencePiece's map of characters.
fn character_map(fields: Fields) -> Result<Precompiled, TextError> {
    let map = fields.maybe_text("precompiled_charsmap")?;
    let map = map.ok_or_else(|| TextError::invalid("its precompiled character map is missing"))?;
    let invalid = |error: String| TextError::invalid(format!("its precompiled character map: {error}"));
    let bytes = STANDARD.decode(map).map_err(|error| invalid(error.to_string()))?;
    precompiled::CharacterMap::new(&bytes)?;
    Precompiled::from(&bytes).map_err(|error| invalid(error.to_string()))
}

/// Builds a pre-tokenizer.
pub(super) fn pre_tokenizer(value: &Value) -> Result<CheckedPreTokenizer, TextError> {
    fn plain(step: impl PreTokenizer + Send + Sync + 'static) -> Result<CheckedPreTokenizer, TextError> {
        Ok(CheckedPreTokenizer::Plain(Box::new(step)))
    }
    let fields = Fields::of(value)?;
    match fields.kind {
        "Sequence" => {
            let steps = fields.list("pretokenizers")?.iter().map(pre_tokenizer).collect::<Result<_, _>>()?;
            Ok(CheckedPreTokenizer::Sequence(steps))
        }
        "Split" => Ok(CheckedPreTokenizer::Split {
            pattern: fields.pattern()?,
            behavior: fields.maybe_behavior()?.ok_or_else(|| fields.wrong("behavior", "there"))?,
            invert: fields.maybe_flag("invert")?.unwrap_or(false),
        }),
        "ByteLevel" => {
            let pattern = match fields.maybe_flag("use_regex")? {
                Some(false) => None,
                _ => Some(CheckedRegex::new(gguf::GPT2)?),
            };
            let add_prefix_space = fields.flag("add_prefix_space")?;
            Ok(CheckedPreTokenizer::ByteLevel { add_prefix_space, pattern })
        }
        // As the crate has it, but for an expression that says when it gives up.
        "Whitespace" => Ok(CheckedPreTokenizer::Split {
            pattern: CheckedRegex::new(WORDS)?,
            behavior: SplitDelimiterBehavior::Removed,
            invert: true,
        }),
        "FixedLength" => match fields.maybe_count("length")?.unwrap_or(5) {
            0 => Err(TextError::invalid("its pre-tokenizer cuts pieces of length 0")),
            length => plain(FixedLength::new(length)),
        },
        "BertPreTokenizer" => plain(BertPreTokenizer),
        "CharDelimiterSplit" => plain(CharDelimiterSplit::new(fields.character("delimiter")?)),
        "Digits" => plain(Digits::new(fields.flag("individual_digits")?)),
        "Metaspace" => plain(metaspace(fields)?),
        "Punctuation" => {
            plain(Punctuation::new(fields.maybe_behavior()?.unwrap_or(SplitDelimiterBehavior::Isolated)))
        }
        "UnicodeScripts" => plain(UnicodeScripts::new()),
        "WhitespaceSplit" => plain(WhitespaceSplit),
        _ => fields.unknown(),
    }
}

/// Spaces as a character of their own, in the forms of new files and of old ones.
fn metaspace(fields: Fields) -> Result<Metaspace, TextError> {
    let scheme = match (fields.maybe_text("prepend_scheme")?, fields.maybe_flag("add_prefix_space")?) {
        (None | Some("never"), Some(false)) | (Some("never"), _) => PrependScheme::Never,
        (Some(_), Some(false)) => {
            return Err(fields.wrong("add_prefix_space", "what its prepend_scheme says"));
        }
        (None | Some("always"), _) => PrependScheme::Always,
        (Some("first"), _) => PrependScheme::First,
        _ => return Err(fields.wrong("prepend_scheme", "a known one")),
    };
    let split = fields.maybe_flag("split")?.unwrap_or(true);
    Ok(Metaspace::new(fields.character("replacement")?, scheme, split))
}

/// Whether the tokens of the model are spelled in the byte-level alphabet.
pub(super) fn spells_bytes(pre_tokenizer: &CheckedPreTokenizer) -> bool {
    match pre_tokenizer {
        CheckedPreTokenizer::ByteLevel { .. } => true,
        CheckedPreTokenizer::Sequence(steps) => steps.iter().any(spells_bytes),
        _ => false,
    }
}
