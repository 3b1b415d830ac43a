//! Vocabularies inside GGUF files, read as llama.cpp reads them.

mod byte_level;
mod kinds;
mod patterns;
mod sentencepiece;
mod unigram;
mod word_piece;

use glassbox_formats::gguf::{TokenType, Vocabulary};
use tokenizers::models::wordlevel::WordLevelBuilder;
use tokenizers::{AddedToken, OffsetReferential, OffsetType};

pub(crate) use patterns::GPT2;
pub use patterns::known_pre_tokenizers;
pub(crate) use sentencepiece::SentencePiece;
pub(crate) use unigram::Unigram;
pub(crate) use word_piece::WordPiece;

use crate::error::{TextError, shorten};
use crate::limits::MAX_TOKENS;
use crate::pipeline::AddedTokens;
use crate::tokenizer::{Parts, Special};
use kinds::Kinds;

/// SentencePiece's mark for a space.
const SPACE: &str = "▁";

/// Builds the tokenizer of a vocabulary of any known kind.
pub(crate) fn load(vocabulary: &Vocabulary) -> Result<Parts, TextError> {
    check_lengths(vocabulary)?;
    let kinds = Kinds::new(vocabulary);
    let end_tokens = kinds.end_tokens.clone();
    let parts = match vocabulary.model.as_str() {
        "gpt2" => byte_level::load(vocabulary, &kinds),
        "llama" => sentencepiece::load(vocabulary, &kinds),
        "t5" => unigram::load(vocabulary, &kinds),
        "bert" => word_piece::load(vocabulary, &kinds),
        kind => Err(TextError::UnknownKind { kind: shorten(kind) }),
    }?;
    Ok(Parts { end_tokens, ..parts })
}

/// Whether a file says of itself that it has no vocabulary.
pub(crate) fn is_none(vocabulary: &Vocabulary) -> bool {
    matches!(vocabulary.model.as_str(), "none" | "no_vocab")
}

/// Checks that per-token lists agree and are bounded.
fn check_lengths(vocabulary: &Vocabulary) -> Result<(), TextError> {
    let count = vocabulary.tokens.len();
    if count == 0 {
        return Err(TextError::invalid("the vocabulary has no tokens"));
    }
    if count > MAX_TOKENS {
        return Err(TextError::TooLarge { what: "the vocabulary", size: count, limit: MAX_TOKENS });
    }
    for (name, len) in [("kinds", vocabulary.types.len()), ("scores", vocabulary.scores.len())] {
        if len != 0 && len != count {
            return Err(TextError::invalid(format!("there are {count} tokens, but {len} {name}")));
        }
    }
    Ok(())
}

/// Checks that every token has a score that is a number.
fn check_scores(vocabulary: &Vocabulary) -> Result<(), TextError> {
    if vocabulary.scores.is_empty() {
        let kind = shorten(&vocabulary.model);
        return Err(TextError::invalid(format!(
            "a vocabulary of the kind {kind} needs scores, and this one has none"
        )));
    }
    match vocabulary.scores.iter().position(|score| score.is_nan()) {
        Some(id) => Err(TextError::invalid(format!("the score of token {id} is not a number"))),
        None => Ok(()),
    }
}

/// The ids added before and after a text.
fn edges(vocabulary: &Vocabulary, bos: Option<u32>, eos: Option<u32>, add_bos: bool) -> (Vec<u32>, Vec<u32>) {
    let before = bos.filter(|_| vocabulary.add_bos.unwrap_or(add_bos));
    let after = eos.filter(|_| vocabulary.add_eos.unwrap_or(false));
    (before.into_iter().collect(), after.into_iter().collect())
}

/// The special token a file names, or the id llama.cpp takes where it does not, if there is one.
fn special_id(vocabulary: &Vocabulary, given: Option<u32>, default: u32) -> Result<Option<u32>, TextError> {
    let exists = |id: &u32| (*id as usize) < vocabulary.tokens.len();
    match given {
        Some(id) if !exists(&id) => {
            Err(TextError::invalid(format!("the special token {id} is not in the vocabulary")))
        }
        Some(id) => Ok(Some(id)),
        None => Ok(Some(default).filter(exists)),
    }
}

/// The tokens that are recognised as whole strings: control tokens where they are asked for, and
/// those the user has defined.
fn added_tokens(vocabulary: &Vocabulary, kinds: &Kinds) -> Result<AddedTokens, TextError> {
    let mut added = Vec::new();
    let mut ids = ahash::AHashMap::new();
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        if let Some(special) = kinds.added(id)
            && !token.is_empty()
        {
            added.push(kinds.added_token(token, special));
            ids.entry(token.clone()).or_insert(id);
        }
    }
    let lookup = WordLevelBuilder::new().vocab(ids).build();
    let lookup = lookup.map_err(|error| TextError::invalid(error.to_string()))?;
    AddedTokens::new(added, &lookup, None)
}

/// Cuts `text` at `added` tokens; `piece` takes what lies between, with whether it stands at the
/// start or after such a token.
fn split(
    added: &AddedTokens,
    text: &str,
    special: Special,
    ids: &mut Vec<u32>,
    mut piece: impl FnMut(&str, bool, &mut Vec<u32>) -> Result<(), TextError>,
) -> Result<(), TextError> {
    let parts = added.split(text, special, None)?;
    let mut starts = true;
    for (part, _, tokens) in parts.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        match tokens {
            Some(tokens) => ids.extend(tokens.iter().map(|token| token.id)),
            None => piece(part, starts, ids)?,
        }
        starts = tokens.is_some();
    }
    Ok(())
}

/// The token as the `tokenizers` crate takes it.
fn added_token(token: &str, special: bool, rstrip: bool) -> AddedToken {
    AddedToken::from(token, special).normalized(false).rstrip(rstrip)
}

/// Whether a token of this kind may come out of a text.
fn is_text(kind: TokenType) -> bool {
    matches!(kind, TokenType::Normal | TokenType::Unused)
}
