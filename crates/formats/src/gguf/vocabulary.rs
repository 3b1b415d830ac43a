//! The vocabulary a GGUF file carries, as plain data.

use super::metadata::{Array, Metadata, Value};
use crate::FormatError;

/// What a vocabulary entry is, from `tokenizer.ggml.token_type` (llama.cpp's `llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// An ordinary piece of text.
    Normal,
    /// The unknown token.
    Unknown,
    /// A control token such as BOS or an end-of-turn mark; it has no text of its own.
    Control,
    /// Added by the user; matched verbatim.
    UserDefined,
    /// A slot that is never produced.
    Unused,
    /// One raw byte, written `<0xHH>`.
    Byte,
}

/// A GGUF file's `tokenizer.ggml.*` keys. All per-token lists have the same length as `tokens`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, `t5`, `bert`, …
    pub model: String,
    /// `tokenizer.ggml.pre`: the name of the pre-tokenizer's pattern, where given.
    pub pre: Option<String>,
    /// The pieces, in the file's own spelling (byte-level alphabet for `gpt2`, `▁` for `llama`).
    pub tokens: Vec<String>,
    /// Scores (log probabilities) for `llama` vocabularies; empty where absent.
    pub scores: Vec<f32>,
    /// Kind of each token; empty where absent.
    pub types: Vec<TokenType>,
    /// Merge rules `left right`, best first, for `gpt2` vocabularies.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`.
    pub unknown: Option<u32>,
    /// `tokenizer.ggml.seperator_token_id`, in llama.cpp's spelling.
    pub separator: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`, where given.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`, where given.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`, where given.
    pub add_space_prefix: Option<bool>,
    /// `tokenizer.ggml.remove_extra_whitespaces`, where given; for `t5` vocabularies.
    pub remove_extra_whitespaces: Option<bool>,
    /// `tokenizer.ggml.precompiled_charsmap`: SentencePiece's character map, for `t5` vocabularies.
    pub precompiled_charsmap: Vec<u8>,
    /// `tokenizer.ggml.normalizer.lowercase`, where given; for `bert` vocabularies.
    pub lowercase: Option<bool>,
    /// `tokenizer.ggml.normalizer.strip_accents`, where given; for `bert` vocabularies.
    pub strip_accents: Option<bool>,
    /// `general.name`, where given: llama.cpp derives rules for special tokens from it.
    pub model_name: Option<String>,
    /// `tokenizer.chat_template`, where given.
    pub chat_template: Option<String>,
    /// Further templates by name: `tokenizer.chat_template.NAME`.
    pub named_chat_templates: Vec<(String, String)>,
}

impl Vocabulary {
    /// Moves the vocabulary out of `metadata`, so that its lists are not held twice; `None` where
    /// the file has none. Small keys (`tokenizer.ggml.model`, token ids…) stay in the metadata too.
    ///
    /// # Errors
    /// [`FormatError::MetadataType`] where a key has another type than llama.cpp writes;
    /// [`FormatError::Vocabulary`] where the lists' lengths differ, a token's kind does not exist, a
    /// byte token is not `<0xHH>`, or a special token's id is beyond the vocabulary.
    pub fn take(metadata: &mut Metadata) -> Result<Option<Self>, FormatError> {
        if metadata.value(TOKENS).is_none() {
            return Ok(None);
        }
        // Some converters write -1 for "none".
        let id = |key: &str| {
            let id = metadata.get::<u32>(&format!("tokenizer.ggml.{key}_token_id"))?;
            Ok::<_, FormatError>(id.filter(|&id| id != u32::MAX))
        };
        let flag = |key: &str| metadata.get::<bool>(&format!("tokenizer.ggml.{key}"));
        let text = |key: &str| Ok::<_, FormatError>(metadata.get::<&str>(key)?.map(str::to_owned));
        let mut vocabulary = Self {
            model: metadata.require::<&str>("tokenizer.ggml.model")?.to_owned(),
            pre: text("tokenizer.ggml.pre")?,
            bos: id("bos")?,
            eos: id("eos")?,
            unknown: id("unknown")?,
            separator: id("seperator")?,
            add_bos: flag("add_bos_token")?,
            add_eos: flag("add_eos_token")?,
            add_space_prefix: flag("add_space_prefix")?,
            remove_extra_whitespaces: flag("remove_extra_whitespaces")?,
            lowercase: flag("normalizer.lowercase")?,
            strip_accents: flag("normalizer.strip_accents")?,
            model_name: text("general.name")?,
            chat_template: text("tokenizer.chat_template")?,
            named_chat_templates: named_templates(metadata)?,
            ..Self::default()
        };
        vocabulary.types = token_types(metadata)?;
        // The types are checked before the lists are moved, so that an error leaves nothing half done.
        metadata.get::<&[String]>(TOKENS)?;
        metadata.get::<&[String]>(MERGES)?;
        metadata.get::<&[f32]>(SCORES)?;
        if let Some(Value::Array(Array::String(tokens))) = metadata.take(TOKENS) {
            vocabulary.tokens = tokens;
        }
        if let Some(Value::Array(Array::String(merges))) = metadata.take(MERGES) {
            vocabulary.merges = merges;
        }
        if let Some(Value::Array(Array::F32(scores))) = metadata.take(SCORES) {
            vocabulary.scores = scores;
        }
        if let Some(Value::Array(map)) = metadata.take(CHARSMAP) {
            vocabulary.precompiled_charsmap = bytes(map)?;
        }
        metadata.take(TYPES);
        vocabulary.check()?;
        Ok(Some(vocabulary))
    }

    fn check(&self) -> Result<(), FormatError> {
        let fault = |message| Err(FormatError::Vocabulary { message });
        let count = self.tokens.len();
        if count == 0 || u32::try_from(count).is_err() {
            return fault(format!("it has {count} tokens"));
        }
        for (list, len) in [("scores", self.scores.len()), ("token types", self.types.len())] {
            if len != 0 && len != count {
                return fault(format!("{count} tokens but {len} {list}"));
            }
        }
        for (name, id) in
            [("bos", self.bos), ("eos", self.eos), ("unknown", self.unknown), ("separator", self.separator)]
        {
            if let Some(id) = id.filter(|&id| id as usize >= count) {
                return fault(format!("the {name} token's id is {id}, but there are only {count} tokens"));
            }
        }
        for (id, (token, kind)) in self.tokens.iter().zip(&self.types).enumerate() {
            if *kind == TokenType::Byte && byte_token(token).is_none() {
                return fault(format!("token {id} is a byte token but is spelled {token:?}, not <0xHH>"));
            }
        }
        Ok(())
    }
}

/// The byte of a token spelled `<0xHH>`, with exactly two hexadecimal digits.
pub fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let valid = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if valid { u8::from_str_radix(digits, 16).ok() } else { None }
}

fn token_types(metadata: &Metadata) -> Result<Vec<TokenType>, FormatError> {
    let types: Vec<u64> = metadata.get(TYPES)?.unwrap_or_default();
    let parse = |(id, kind): (usize, u64)| match kind {
        // 0 is "undefined", which llama.cpp treats as ordinary text.
        0 | 1 => Ok(TokenType::Normal),
        2 => Ok(TokenType::Unknown),
        3 => Ok(TokenType::Control),
        4 => Ok(TokenType::UserDefined),
        5 => Ok(TokenType::Unused),
        6 => Ok(TokenType::Byte),
        other => Err(FormatError::Vocabulary {
            message: format!("token {id} has type {other}, which does not exist"),
        }),
    };
    types.into_iter().enumerate().map(parse).collect()
}

/// The bytes of the character map, which converters write as either type of byte.
fn bytes(array: Array) -> Result<Vec<u8>, FormatError> {
    match array {
        Array::U8(bytes) => Ok(bytes),
        Array::I8(bytes) => Ok(bytes.into_iter().map(i8::cast_unsigned).collect()),
        other => Err(FormatError::MetadataType {
            key: CHARSMAP.to_owned(),
            wanted: "an array of bytes",
            found: format!("of type {}", Value::Array(other).type_name()),
        }),
    }
}

/// The templates at `tokenizer.chat_template.NAME`.
fn named_templates(metadata: &Metadata) -> Result<Vec<(String, String)>, FormatError> {
    let named = |key: &str| {
        let name = key.strip_prefix("tokenizer.chat_template.")?;
        let source = metadata.get::<&str>(key).transpose()?;
        Some(source.map(|source| (name.to_owned(), source.to_owned())))
    };
    metadata.iter().filter_map(|(key, _)| named(key)).collect()
}

const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";
