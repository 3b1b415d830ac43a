//! SentencePiece's unigram model, from a GGUF vocabulary of the kind `t5`.
//!
//! Of all ways to write the text with tokens, the one whose scores (log probabilities) have the
//! largest sum is taken (Viterbi). The text is normalized before, by SentencePiece's own character
//! map and rules for spaces. Both work on bytes, as llama.cpp does.

use ahash::{AHashMap, AHashSet};
use glassbox_formats::gguf::{TokenType, Vocabulary, byte_token};

use super::kinds::Kinds;
use super::{SPACE, added_tokens, check_scores, edges, is_text, special_id, split};
use crate::error::TextError;
use crate::pieces::PieceTable;
use crate::pipeline::AddedTokens;
use crate::precompiled::CharacterMap;
use crate::stream::Trim;
use crate::tokenizer::{Encoder, Parts, Special};

/// How much worse than the worst token an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A vocabulary with log probabilities.
#[derive(Debug)]
pub(crate) struct Unigram {
    /// The tokens that text can become, with their ids and scores.
    tokens: AHashMap<Vec<u8>, (u32, f64)>,
    /// The length of the longest token in bytes.
    longest: usize,
    unknown: u32,
    unknown_score: f64,
    added: AddedTokens,
    map: Option<CharacterMap>,
    /// Every beginning of a token that the user has defined: the character map leaves these alone.
    untouched: AHashSet<Vec<u8>>,
    add_space_prefix: bool,
    merge_spaces: bool,
}

/// Builds the tokenizer of a `t5` vocabulary.
pub(super) fn load(vocabulary: &Vocabulary, kinds: &Kinds) -> Result<Parts, TextError> {
    check_scores(vocabulary)?;
    let mut tokens = AHashMap::with_capacity(vocabulary.tokens.len());
    let mut pieces = PieceTable::default();
    let mut untouched = AHashSet::new();
    let mut worst = f32::MAX;
    for ((id, token), &score) in (0u32..).zip(&vocabulary.tokens).zip(&vocabulary.scores) {
        let kind = kinds.get(id);
        let special = matches!(kind, TokenType::Control | TokenType::Unknown);
        match byte_token(token).filter(|_| kind == TokenType::Byte) {
            Some(byte) => pieces.set(id, &[byte], false)?,
            None if special || kind == TokenType::UserDefined => pieces.set(id, token.as_bytes(), special)?,
            None => pieces.set(id, token.replace(SPACE, " ").as_bytes(), false)?,
        }
        if kind == TokenType::Normal {
            worst = worst.min(score);
        }
        if kind == TokenType::UserDefined {
            untouched.extend((1..=token.len()).map(|len| token.as_bytes()[..len].to_vec()));
        }
        if !token.is_empty() && (is_text(kind) || kind == TokenType::UserDefined) {
            let score = if kind == TokenType::UserDefined { 0.0 } else { f64::from(score) };
            tokens.entry(token.clone().into_bytes()).or_insert((id, score));
        }
    }
    let unknown = special_id(vocabulary, vocabulary.unknown, 2)?
        .ok_or_else(|| TextError::invalid("a vocabulary of the kind t5 needs an unknown token"))?;
    let bos = vocabulary.bos;
    let eos = special_id(vocabulary, vocabulary.eos, 1)?;
    let (before, mut after) = edges(vocabulary, bos, eos, false);
    if vocabulary.add_eos.is_none() {
        after.extend(eos);
    }
    let add_space_prefix = vocabulary.add_space_prefix.unwrap_or(false);
    let map = Some(vocabulary.precompiled_charsmap.as_slice()).filter(|map| !map.is_empty());
    let model = Unigram {
        longest: tokens.keys().map(Vec::len).max().unwrap_or(0),
        tokens,
        unknown,
        unknown_score: f64::from(worst - UNKNOWN_PENALTY),
        added: added_tokens(vocabulary, kinds)?,
        map: map.map(CharacterMap::new).transpose()?,
        untouched,
        add_space_prefix,
        merge_spaces: vocabulary.remove_extra_whitespaces.unwrap_or(false),
    };
    let trim = Trim { start: usize::from(add_space_prefix || model.merge_spaces), ..Trim::NONE };
    Ok(Parts::gguf(Encoder::Unigram(Box::new(model)), pieces, trim, (before, after), (bos, eos)))
}

/// The best way to write the text up to a byte.
#[derive(Debug, Clone, Copy)]
struct Best {
    /// The last token of it.
    id: u32,
    /// Where that token starts.
    start: usize,
    /// The sum of scores; minus infinity where there is no way.
    score: f64,
}

impl Unigram {
    /// Appends the ids of `text`, without BOS and EOS.
    pub(crate) fn encode(&self, text: &str, special: Special, ids: &mut Vec<u32>) -> Result<(), TextError> {
        split(&self.added, text, special, ids, |part, _, ids| {
            self.segment(&self.normalize(part)?, ids);
            Ok(())
        })
    }

    fn segment(&self, text: &[u8], ids: &mut Vec<u32>) {
        let none = Best { id: self.unknown, start: 0, score: f64::NEG_INFINITY };
        let mut best = vec![none; text.len() + 1];
        best[0].score = 0.0;
        let mut at = 0;
        while at < text.len() {
            let here = best[at].score;
            let character = character_len(text[at]).min(text.len() - at);
            let mut whole = false;
            for len in 1..=self.longest.min(text.len() - at) {
                let Some(&(id, score)) = self.tokens.get(&text[at..at + len]) else { continue };
                whole |= len == character;
                offer(&mut best[at + len], Best { id, start: at, score: here + score });
            }
            if !whole {
                let unknown = Best { id: self.unknown, start: at, score: here + self.unknown_score };
                offer(&mut best[at + character], unknown);
            }
            at += character;
        }
        let first = ids.len();
        let mut end = text.len();
        while end > 0 {
            let Best { id, start, .. } = best[end];
            // A run of unknown characters is one unknown token.
            if id != self.unknown || ids.len() == first || ids.last() != Some(&id) {
                ids.push(id);
            }
            end = start;
        }
        ids[first..].reverse();
    }

    /// SentencePiece's normalization.
    fn normalize(&self, text: &str) -> Result<Vec<u8>, TextError> {
        let mut normalized = Vec::with_capacity(text.len() + SPACE.len());
        let mut prefixed = false;
        let mut in_word = false;
        let mut at = 0;
        while at < text.len() {
            let (consumed, replacement) = self.next(text, at)?;
            for &byte in replacement {
                if byte == b' ' {
                    in_word = false;
                    if !self.merge_spaces {
                        normalized.extend_from_slice(SPACE.as_bytes());
                    }
                    continue;
                }
                if !in_word {
                    in_word = true;
                    if (self.add_space_prefix && !prefixed) || self.merge_spaces {
                        normalized.extend_from_slice(SPACE.as_bytes());
                        prefixed = true;
                    }
                }
                normalized.push(byte);
            }
            at += consumed;
        }
        Ok(normalized)
    }

    /// How many bytes of `text` at `at` are replaced at once, and by what.
    fn next<'a>(&'a self, text: &'a str, at: usize) -> Result<(usize, &'a [u8]), TextError> {
        let rest = &text.as_bytes()[at..];
        let untouched = (1..=rest.len()).take_while(|&len| self.untouched.contains(&rest[..len])).count();
        if untouched > 0 {
            return Ok((untouched, &rest[..untouched]));
        }
        if let Some((len, replacement)) = self.map.as_ref().and_then(|map| map.longest(rest)) {
            return Ok((len, replacement));
        }
        // In the middle of a character, which a token that was left alone has begun.
        if !text.is_char_boundary(at) {
            return Ok((1, "\u{FFFD}".as_bytes()));
        }
        let len = character_len(rest[0]).min(rest.len());
        Ok((len, &rest[..len]))
    }
}

/// Keeps the better of two ways; the first of equals.
fn offer(best: &mut Best, challenger: Best) {
    if challenger.score > best.score {
        *best = challenger;
    }
}

/// The length of the UTF-8 character that `byte` begins.
fn character_len(byte: u8) -> usize {
    match byte {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0.. => 4,
        _ => 1,
    }
}
