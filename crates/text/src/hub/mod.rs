//! tokenizer.json, as the Hugging Face hub has it.
//!
//! The file is parsed and checked here, and the parts of the `tokenizers` crate are then built
//! through their constructors: its own reader takes some contradictions for granted and panics.

mod components;
mod config;
mod model;
mod template;

pub(crate) use config::token_name;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{AddedToken, Model as _};

use crate::decoder::Decoder;
use crate::error::TextError;
use crate::limits::{MAX_TOKENIZER_JSON_BYTES, MAX_TOKENS};
use crate::pieces::PieceTable;
use crate::pipeline::{AddedTokens, Pipeline};
use crate::tokenizer::{Encoder, Parts};

/// The top level of a tokenizer.json. Truncation and padding are left out on purpose: they would
/// change the text that is looked at.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Option<Value>,
    #[serde(default)]
    pre_tokenizer: Option<Value>,
    #[serde(default)]
    post_processor: Option<Value>,
    #[serde(default)]
    decoder: Option<Value>,
    model: model::ModelFile,
}

/// Reads a tokenizer.json and the tokenizer_config.json beside it, if there is one.
pub(crate) fn load(tokenizer: &[u8], config: Option<&Value>) -> Result<Parts, TextError> {
    if tokenizer.len() > MAX_TOKENIZER_JSON_BYTES {
        let (size, limit) = (tokenizer.len(), MAX_TOKENIZER_JSON_BYTES);
        return Err(TextError::TooLarge { what: "the tokenizer.json", size, limit });
    }
    let file: File = serde_json::from_slice(tokenizer).map_err(TextError::json)?;
    if file.added_tokens.len() > MAX_TOKENS {
        let (size, limit) = (file.added_tokens.len(), MAX_TOKENS);
        return Err(TextError::TooLarge { what: "the list of added tokens", size, limit });
    }
    let normalizer = file.normalizer.as_ref().map(components::normalizer).transpose()?;
    let pre_tokenizer = file.pre_tokenizer.as_ref().map(components::pre_tokenizer).transpose()?;
    let byte_level = pre_tokenizer.as_ref().is_some_and(components::spells_bytes);
    let decoder = Decoder::new(file.decoder.as_ref(), byte_level)?;
    let mut pieces = PieceTable::default();
    for (token, id) in file.model.tokens() {
        pieces.set(id, &decoder.bytes(token)?, false)?;
    }
    let model = file.model.build()?;
    let added = AddedTokens::new(file.added_tokens, &model, normalizer.as_ref())?;
    for (id, token) in added.iter() {
        let bytes = if token.special {
            token.content.clone().into_bytes()
        } else {
            decoder.added_bytes(&token.content)?
        };
        pieces.set(id, &bytes, token.special)?;
    }

    let template::Template { before, after } =
        file.post_processor.as_ref().map_or(Ok(Default::default()), template::read)?;
    let named = |key| {
        let name = config.and_then(|config| config::token_name(config, key))?;
        added.id(name).or_else(|| model.token_to_id(name))
    };
    let bos = named("bos_token").or_else(|| before.first().copied());
    let eos = named("eos_token").or_else(|| after.last().copied()).or_else(|| config::usual_eos(&added));
    let trim = decoder.trim;
    let pipeline = Pipeline { added, normalizer, pre_tokenizer, model, byte_exact: false };
    Ok(Parts {
        encoder: Encoder::Pipeline(Box::new(pipeline)),
        pieces,
        trim,
        before,
        after,
        edges_in_chat: false,
        bos,
        end_tokens: eos.into_iter().collect(),
        eos,
    })
}
