//! SentencePiece BPE by scores, from a GGUF vocabulary of the kind `llama`.
//!
//! The text is cut into characters; as long as two neighbours make a token, the pair whose token
//! has the best score is joined (the leftmost among equals). Characters that are no token become
//! their bytes. The result is that of SentencePiece's own BPE encoder.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ahash::AHashMap;
use glassbox_formats::gguf::{TokenType, Vocabulary, byte_token};

use super::kinds::Kinds;
use super::{SPACE, added_tokens, check_scores, edges, split};
use crate::error::TextError;
use crate::pieces::PieceTable;
use crate::pipeline::AddedTokens;
use crate::stream::Trim;
use crate::tokenizer::{Encoder, Parts, Special};

/// A vocabulary with scores.
#[derive(Debug)]
pub(crate) struct SentencePiece {
    /// The tokens that text can become, with their ids.
    tokens: AHashMap<String, u32>,
    /// The score of every token by id; higher is joined earlier.
    scores: Vec<f32>,
    /// The length of the longest token in bytes: no longer pair needs to be looked up.
    longest: usize,
    /// The token of each byte.
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    added: AddedTokens,
    add_space_prefix: bool,
    /// No token reaches over the start of a word, so words can be merged one by one.
    words_apart: bool,
}

/// Builds the tokenizer of a `llama` vocabulary.
pub(super) fn load(vocabulary: &Vocabulary, kinds: &Kinds) -> Result<Parts, TextError> {
    check_scores(vocabulary)?;
    let mut tokens = AHashMap::with_capacity(vocabulary.tokens.len());
    let mut pieces = PieceTable::default();
    let mut bytes = vec![None; 256];
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        let kind = kinds.get(id);
        match kind {
            TokenType::Byte => {
                let byte = byte_token(token).ok_or_else(|| {
                    TextError::invalid(format!("token {id} is a byte, but not written <0xHH>"))
                })?;
                bytes[usize::from(byte)] = Some(id);
                pieces.set(id, &[byte], false)?;
            }
            TokenType::Control | TokenType::Unknown | TokenType::UserDefined => {
                let special = kind != TokenType::UserDefined;
                pieces.set(id, token.as_bytes(), special)?;
            }
            TokenType::Normal | TokenType::Unused => {
                pieces.set(id, token.replace(SPACE, " ").as_bytes(), false)?;
                tokens.entry(token.clone()).or_insert(id);
            }
        }
    }

    // The ids SentencePiece gives these tokens where a file does not say otherwise.
    let default = |id: u32, kind| Some(id).filter(|&id| kinds.get(id) == kind);
    let unknown = vocabulary.unknown.or_else(|| default(0, TokenType::Unknown));
    let bos = vocabulary.bos.or_else(|| default(1, TokenType::Control));
    let eos = vocabulary.eos.or_else(|| default(2, TokenType::Control));
    if unknown.is_some_and(|id| id as usize >= vocabulary.tokens.len()) {
        return Err(TextError::invalid("the unknown token is not in the vocabulary"));
    }

    let add_space_prefix = vocabulary.add_space_prefix.unwrap_or(true);
    let edges = edges(vocabulary, bos, eos, true);
    let model = SentencePiece {
        words_apart: tokens.keys().all(|token| words(token).count() == 1),
        longest: tokens.keys().map(String::len).max().unwrap_or(0),
        tokens,
        // Adding zero makes -0.0 equal to 0.0 in the total order that the queue needs.
        scores: vocabulary.scores.iter().map(|score| score + 0.0).collect(),
        bytes,
        unknown,
        added: added_tokens(vocabulary, kinds)?,
        add_space_prefix,
    };
    let trim = Trim { start: usize::from(add_space_prefix), ..Trim::NONE };
    Ok(Parts::gguf(Encoder::SentencePiece(Box::new(model)), pieces, trim, edges, (bos, eos)))
}

impl SentencePiece {
    /// Appends the ids of `text`, without BOS and EOS.
    pub(crate) fn encode(&self, text: &str, special: Special, ids: &mut Vec<u32>) -> Result<(), TextError> {
        split(&self.added, text, special, ids, |part, starts, ids| {
            // As in llama.cpp, text gets its space at the start and after each added token.
            let prefix = if starts && self.add_space_prefix { SPACE } else { "" };
            let text = prefix.to_owned() + &part.replace(' ', SPACE);
            let mut unknown_before = false;
            if self.words_apart {
                words(&text).try_for_each(|word| self.merge(word, &mut unknown_before, ids))
            } else {
                self.merge(&text, &mut unknown_before, ids)
            }
        })
    }

    /// Appends the ids of `text`, whose spaces are already marks. `unknown_before` says whether
    /// the last id is the unknown token.
    fn merge(&self, text: &str, unknown_before: &mut bool, ids: &mut Vec<u32>) -> Result<(), TextError> {
        let mut chain = Chain::new(text);
        let mut queue = BinaryHeap::new();
        for right in 1..chain.0.len() {
            queue.extend(self.pair(text, &chain, right - 1, right));
        }
        while let Some(pair) = queue.pop() {
            if !chain.join(&pair) {
                continue;
            }
            let Symbol { previous, next, .. } = chain.0[pair.left];
            queue.extend(previous.and_then(|previous| self.pair(text, &chain, previous, pair.left)));
            queue.extend(next.and_then(|next| self.pair(text, &chain, pair.left, next)));
        }
        for symbol in chain.0.iter().filter(|symbol| symbol.len > 0) {
            let piece = &text[symbol.start..symbol.start + symbol.len];
            if let Some(&id) = self.tokens.get(piece) {
                ids.push(id);
                *unknown_before = false;
            } else {
                *unknown_before = self.fall_back(piece, *unknown_before, ids)?;
            }
        }
        Ok(())
    }

    /// Appends the bytes of a character that is no token. Where bytes have no tokens either, the
    /// unknown token stands once for the whole run; then this is true.
    fn fall_back(&self, piece: &str, unknown_before: bool, ids: &mut Vec<u32>) -> Result<bool, TextError> {
        let bytes: Option<Vec<u32>> = piece.bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
        if let Some(bytes) = bytes {
            ids.extend(bytes);
            return Ok(false);
        }
        let unknown = self.unknown.ok_or_else(|| TextError::Unencodable { text: piece.to_owned() })?;
        if !unknown_before {
            ids.push(unknown);
        }
        Ok(true)
    }

    /// The joining of two neighbouring symbols, if together they are a token.
    fn pair(&self, text: &str, chain: &Chain, left: usize, right: usize) -> Option<Pair> {
        let start = chain.0[left].start;
        let len = chain.0[left].len + chain.0[right].len;
        if len > self.longest {
            return None;
        }
        let id = *self.tokens.get(&text[start..start + len])?;
        let score = *self.scores.get(id as usize)?;
        Some(Pair { score, left, right, len })
    }
}

/// Cuts marked text before every mark that follows something else.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let marks = rest.len() - rest.trim_start_matches(SPACE).len();
        let end = rest[marks..].find(SPACE).map_or(rest.len(), |at| marks + at);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// A run of the text that is one piece for now.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    start: usize,
    /// In bytes; zero once it has been joined to the symbol before it.
    len: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// The symbols of a text, linked in order.
struct Chain(Vec<Symbol>);

impl Chain {
    /// One symbol for each character.
    fn new(text: &str) -> Self {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (start, ch) in text.char_indices() {
            let index = symbols.len();
            let previous = index.checked_sub(1);
            if let Some(previous) = symbols.last_mut() {
                previous.next = Some(index);
            }
            symbols.push(Symbol { start, len: ch.len_utf8(), previous, next: None });
        }
        Self(symbols)
    }

    /// Joins the two symbols of `pair`; false if either has changed since the pair was found.
    fn join(&mut self, pair: &Pair) -> bool {
        let (left, right) = (self.0[pair.left], self.0[pair.right]);
        if left.len == 0 || right.len == 0 || left.len + right.len != pair.len {
            return false;
        }
        self.0[pair.left].len = pair.len;
        self.0[pair.left].next = right.next;
        self.0[pair.right].len = 0;
        if let Some(next) = right.next {
            self.0[next].previous = Some(pair.left);
        }
        true
    }
}

/// Two neighbouring symbols that together are a token.
#[derive(Debug)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// The joint length when the pair was found, in bytes.
    len: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}
