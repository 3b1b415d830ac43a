//! BERT's word pieces, from a GGUF vocabulary of the kind `bert`.
//!
//! Words are cut at white space, and punctuation and Chinese characters are words of their own.
//! Each word is written with the longest tokens from its start; the first has the mark of a space
//! before it (converters take the `##` from all others). A word that cannot be written is unknown.

use ahash::AHashMap;
use glassbox_formats::gguf::Vocabulary;
use regex::Regex;
use tokenizers::NormalizedString;

use super::kinds::Kinds;
use super::{SPACE, added_tokens, special_id, split};
use crate::error::TextError;
use crate::pieces::PieceTable;
use crate::pipeline::AddedTokens;
use crate::stream::Trim;
use crate::tokenizer::{Encoder, Parts, Special};

/// Word pieces with the mark of a space.
#[derive(Debug)]
pub(crate) struct WordPiece {
    tokens: AHashMap<String, u32>,
    /// The length of the longest token in bytes.
    longest: usize,
    unknown: Option<u32>,
    added: AddedTokens,
    lowercase: bool,
    strip_accents: bool,
    classes: Classes,
}

/// Classes of characters beyond ASCII.
#[derive(Debug)]
struct Classes {
    punctuation: Regex,
    mark: Regex,
    control: Regex,
}

impl Classes {
    fn new() -> Result<Self, TextError> {
        let class = |pattern: &str| {
            let regex = Regex::new(pattern);
            regex.map_err(|error| TextError::Pattern { pattern: pattern.into(), reason: error.to_string() })
        };
        Ok(Self {
            punctuation: class(r"^\p{P}$")?,
            mark: class(r"^\p{M}$")?,
            control: class(r"^[\p{Cc}\p{Cf}\p{Co}]$")?,
        })
    }
}

/// Builds the tokenizer of a `bert` vocabulary.
pub(super) fn load(vocabulary: &Vocabulary, kinds: &Kinds) -> Result<Parts, TextError> {
    let mut tokens = AHashMap::with_capacity(vocabulary.tokens.len());
    let mut pieces = PieceTable::default();
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        match kinds.added(id) {
            Some(special) => pieces.set(id, token.as_bytes(), special)?,
            None => pieces.set(id, token.replace(SPACE, " ").as_bytes(), false)?,
        }
        if !token.is_empty() {
            tokens.entry(token.clone()).or_insert(id);
        }
    }
    // The ids of bert-base-uncased, where a file does not name its own.
    let unknown = special_id(vocabulary, vocabulary.unknown, 100)?;
    let bos = special_id(vocabulary, vocabulary.bos, 101)?;
    let separator = special_id(vocabulary, vocabulary.separator, 102)?;
    let lowercase = vocabulary.lowercase.unwrap_or(true);
    let model = WordPiece {
        longest: tokens.keys().map(String::len).max().unwrap_or(0),
        tokens,
        unknown,
        added: added_tokens(vocabulary, kinds)?,
        lowercase,
        strip_accents: vocabulary.strip_accents.unwrap_or(lowercase),
        classes: Classes::new()?,
    };
    let trim = Trim { start: 1, ..Trim::NONE };
    let edges = (bos.into_iter().collect(), separator.into_iter().collect());
    Ok(Parts::gguf(Encoder::WordPiece(Box::new(model)), pieces, trim, edges, (bos, vocabulary.eos)))
}

impl WordPiece {
    /// Appends the ids of `text`, without the special tokens around it.
    pub(crate) fn encode(&self, text: &str, special: Special, ids: &mut Vec<u32>) -> Result<(), TextError> {
        split(&self.added, text, special, ids, |part, _, ids| {
            let mut word = SPACE.to_owned();
            for ch in part.chars().map(|ch| self.base(ch)) {
                if ch.is_whitespace() {
                    self.finish(&mut word, ids)?;
                } else if !self.is_left_out(ch) {
                    let ch = if self.lowercase { lower(ch) } else { ch };
                    let alone = self.stands_alone(ch);
                    if alone {
                        self.finish(&mut word, ids)?;
                    }
                    word.push(ch);
                    if alone {
                        self.finish(&mut word, ids)?;
                    }
                }
            }
            self.finish(&mut word, ids)
        })
    }

    /// The character without its accents, which are dropped.
    fn base(&self, ch: char) -> char {
        if !self.strip_accents || ch.is_ascii() {
            return ch;
        }
        let mut text = NormalizedString::from(ch.encode_utf8(&mut [0; 4]) as &str);
        text.nfd();
        text.get().chars().next().unwrap_or(ch)
    }

    fn is_left_out(&self, ch: char) -> bool {
        if ch.is_ascii() {
            return ch.is_ascii_control();
        }
        ch == char::REPLACEMENT_CHARACTER
            || is(&self.classes.control, ch)
            || (self.strip_accents && is(&self.classes.mark, ch))
    }

    fn stands_alone(&self, ch: char) -> bool {
        if ch.is_ascii() {
            return ch.is_ascii_punctuation();
        }
        is_chinese(ch) || is(&self.classes.punctuation, ch)
    }

    /// Appends the tokens of `word`, which begins with the mark, and starts the next one.
    fn finish(&self, word: &mut String, ids: &mut Vec<u32>) -> Result<(), TextError> {
        let first = ids.len();
        let mut rest = word.as_str();
        if rest.len() > SPACE.len() {
            while !rest.is_empty() {
                let Some((len, id)) = self.longest_token(rest) else {
                    let unknown = self
                        .unknown
                        .ok_or_else(|| TextError::Unencodable { text: word[SPACE.len()..].into() })?;
                    ids.truncate(first);
                    ids.push(unknown);
                    break;
                };
                ids.push(id);
                rest = &rest[len..];
            }
        }
        word.truncate(SPACE.len());
        Ok(())
    }

    /// The longest token that `text` begins with, and its length.
    fn longest_token(&self, text: &str) -> Option<(usize, u32)> {
        let ends = text.char_indices().map(|(at, ch)| at + ch.len_utf8());
        let ends: Vec<usize> = ends.take_while(|&end| end <= self.longest).collect();
        ends.into_iter().rev().find_map(|end| Some((end, *self.tokens.get(&text[..end])?)))
    }
}

/// The lower-case form of a character: the first of its characters where they are several.
fn lower(ch: char) -> char {
    ch.to_lowercase().next().unwrap_or(ch)
}

fn is(class: &Regex, ch: char) -> bool {
    class.is_match(ch.encode_utf8(&mut [0; 4]))
}

/// The blocks of Chinese characters that BERT's tokenizer names, as in llama.cpp.
fn is_chinese(ch: char) -> bool {
    matches!(u32::from(ch),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F
        | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
