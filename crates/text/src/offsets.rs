//! Where each token of a text stands in it.

use std::ops::Range;

use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// The bytes of `text` that each of `ids`, its tokens, stands for.
    ///
    /// A character may be spread over several tokens, so a range need not end between characters.
    /// A token that was added to the text (BOS) has an empty range, and white space that a token
    /// swallowed belongs to none. `None` where tokens do not spell the text, as with tokenizers
    /// that change letters.
    pub fn offsets(&self, text: &str, ids: &[u32]) -> Option<Vec<Range<usize>>> {
        let text = text.as_bytes();
        let mut at = 0;
        let mut places = Vec::with_capacity(ids.len());
        for &id in ids {
            let (bytes, special) = self.bytes(id)?;
            let starts = |from: usize| text.get(from..).is_some_and(|rest| rest.starts_with(bytes));
            let spaces = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (start, len) = if starts(at) {
                (at, bytes.len())
            } else if special && starts(at + spaces) {
                (at + spaces, bytes.len())
            } else if special {
                (at, 0)
            } else {
                // SentencePiece's space before a word that has none in the text.
                let word = bytes.strip_prefix(b" ")?;
                text.get(at..)?.starts_with(word).then_some((at, word.len()))?
            };
            at = start + len;
            places.push(start..at);
        }
        text.get(at..)?.iter().all(u8::is_ascii_whitespace).then_some(places)
    }
}
