//! Encoding with the parts of the `tokenizers` crate: added tokens, normalizer, pre-tokenizer, model.

use std::fmt;

use tokenizers::{
    AddedToken, AddedVocabulary, Model, ModelWrapper, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer,
};

use crate::checked::{CheckedNormalizer, CheckedPreTokenizer, Recorded};
use crate::error::{TextError, shorten};
use crate::tokenizer::Special;

/// The tokens that are recognised as whole strings before the model runs.
pub(crate) struct AddedTokens {
    /// Recognises all of them.
    all: AddedVocabulary,
    /// Recognises only those that are not special.
    ordinary: AddedVocabulary,
}

impl fmt::Debug for AddedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddedTokens").field("count", &self.all.len()).finish()
    }
}

impl AddedTokens {
    /// Takes `tokens` in order; one that `model` does not know gets the next free id.
    pub(crate) fn new(
        tokens: Vec<AddedToken>,
        model: &impl Model,
        normalizer: Option<&CheckedNormalizer>,
    ) -> Result<Self, TextError> {
        let mut all = AddedVocabulary::new();
        all.add_tokens(tokens, model, normalizer).map_err(|error| match error.downcast::<TextError>() {
            Ok(own) => *own,
            Err(other) => TextError::invalid(format!(
                "its added tokens cannot be taken in: {}",
                shorten(&other.to_string())
            )),
        })?;
        let mut ordinary = all.clone();
        ordinary.set_encode_special_tokens(true);
        Ok(Self { all, ordinary })
    }

    /// All added tokens by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &AddedToken)> {
        self.all.get_added_tokens_decoder().iter().map(|(&id, token)| (id, token))
    }

    /// The id of the added token that is written `content`.
    pub(crate) fn id(&self, content: &str) -> Option<u32> {
        self.all.get_vocab().get(content).copied()
    }

    /// Splits `text` at the tokens that `special` allows, and normalizes what lies between.
    pub(crate) fn split(
        &self,
        text: &str,
        special: Special,
        normalizer: Option<&CheckedNormalizer>,
    ) -> Result<PreTokenizedString, TextError> {
        let vocabulary = match special {
            Special::Add | Special::Parse => &self.all,
            Special::None => &self.ordinary,
        };
        let recorded = normalizer.map(Recorded::new);
        let split = vocabulary.extract_and_normalize(recorded.as_ref(), text);
        recorded.map_or(Ok(()), Recorded::finish)?;
        Ok(split)
    }
}

/// A tokenizer made of the `tokenizers` crate's parts.
pub(crate) struct Pipeline {
    pub(crate) added: AddedTokens,
    pub(crate) normalizer: Option<CheckedNormalizer>,
    pub(crate) pre_tokenizer: Option<CheckedPreTokenizer>,
    pub(crate) model: ModelWrapper,
    /// Refuse text that the model would leave out, byte for byte (byte-level models only).
    pub(crate) byte_exact: bool,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("added", &self.added).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Appends the ids of `text`, without BOS and EOS.
    pub(crate) fn encode(&self, text: &str, special: Special, ids: &mut Vec<u32>) -> Result<(), TextError> {
        let mut parts = self.added.split(text, special, self.normalizer.as_ref())?;
        if let Some(pre_tokenizer) = &self.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut parts).map_err(TextError::from_tokenizers)?;
        }
        parts.tokenize(|part| self.model.tokenize(part.get())).map_err(TextError::from_tokenizers)?;
        for (part, _, tokens) in parts.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            let tokens = tokens.as_deref().unwrap_or_default();
            if self.byte_exact && tokens.iter().map(|token| token.value.len()).sum::<usize>() != part.len() {
                return Err(unencodable(part));
            }
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }
}

/// The error for a byte-level piece that the vocabulary lacks a byte of.
fn unencodable(part: &str) -> TextError {
    let bytes = crate::alphabet::decode(part).unwrap_or_else(|| part.as_bytes().to_vec());
    TextError::Unencodable { text: shorten(&crate::display(&bytes)) }
}
