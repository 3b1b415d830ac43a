//! Token ids to text, one at a time.

use crate::display::push_bytes;
use crate::tokenizer::{Special, Tokenizer};

/// What decoding removes at the two ends of a text.
///
/// SentencePiece puts a space before the first word, which decoding takes away again; other
/// tokenizers end each word with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trim {
    /// The character removed.
    pub(crate) content: char,
    /// How many at most at the start.
    pub(crate) start: usize,
    /// How many at most at the end.
    pub(crate) end: usize,
}

impl Trim {
    pub(crate) const NONE: Trim = Trim { content: ' ', start: 0, end: 0 };
}

/// Turns tokens into text as they come.
///
/// Characters that are split over tokens are held back until they are whole, so every string that
/// comes out is final. The strings of all calls, joined, are [`Tokenizer::decode`] of all ids.
///
/// ```no_run
/// # fn f(tokenizer: &glassbox_text::Tokenizer, prompt: &[u32], generated: &[u32]) {
/// let mut stream = glassbox_text::DecodeStream::new(tokenizer);
/// stream.prime(prompt);
/// for &id in generated {
///     if let Some(text) = stream.push(id) {
///         print!("{text}");
///     }
/// }
/// print!("{}", stream.finish());
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DecodeStream {
    tokenizer: Tokenizer,
    special: Special,
    trim: Trim,
    /// The start of a character that is not whole yet; at most three bytes.
    partial: Vec<u8>,
    /// Characters that go away if the text ends here.
    held: String,
}

impl DecodeStream {
    /// A stream at the start of a text. Special tokens are left out.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        Self::with_special(tokenizer, Special::None)
    }

    /// A stream at the start of a text; with [`Special::Add`] special tokens are written by name.
    pub fn with_special(tokenizer: &Tokenizer, special: Special) -> Self {
        let trim = tokenizer.trim();
        Self { tokenizer: tokenizer.clone(), special, trim, partial: Vec::new(), held: String::new() }
    }

    /// Takes in what stands before, without giving its text: the next token then continues it.
    pub fn prime(&mut self, ids: &[u32]) {
        for &id in ids {
            self.push(id);
        }
    }

    /// Takes in one token and gives the text that is now certain, if any.
    ///
    /// An id that the vocabulary does not have adds nothing: models may have more rows of
    /// embeddings than tokens.
    pub fn push(&mut self, id: u32) -> Option<String> {
        let mut text = String::new();
        // A cheap handle: it lets the piece be borrowed while the stream changes.
        let tokenizer = self.tokenizer.clone();
        if let Some((bytes, special)) = tokenizer.bytes(id)
            && (!special || self.special != Special::None)
        {
            self.append(bytes, &mut text);
        }
        (!text.is_empty()).then_some(text)
    }

    /// Ends the stream: what was held back of an unfinished character is given as `<0xE2>`.
    pub fn finish(mut self) -> String {
        let mut text = String::new();
        if !self.partial.is_empty() {
            text.push_str(&self.held);
            push_bytes(&std::mem::take(&mut self.partial), &mut text);
        }
        text
    }

    /// Adds `bytes` to what is pending and moves all that is certain to `text`.
    fn append(&mut self, bytes: &[u8], text: &mut String) {
        let bytes = self.trim_start(bytes);
        if bytes.is_empty() {
            return;
        }
        self.partial.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.partial);
        let mut fresh = std::mem::take(&mut self.held);
        let mut rest = pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    fresh.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    fresh.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    let Some(invalid) = error.error_len() else {
                        self.partial = after.to_vec();
                        break;
                    };
                    let (invalid, after) = after.split_at(invalid);
                    push_bytes(invalid, &mut fresh);
                    rest = after;
                }
            }
        }
        self.hold_end(&mut fresh);
        text.push_str(&fresh);
    }

    /// Drops the leading characters that decoding removes.
    fn trim_start<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        let mut buffer = [0; 4];
        let content = self.trim.content.encode_utf8(&mut buffer).as_bytes();
        while self.trim.start > 0 && !bytes.is_empty() {
            match bytes.strip_prefix(content) {
                Some(rest) => {
                    bytes = rest;
                    self.trim.start -= 1;
                }
                None => self.trim.start = 0,
            }
        }
        bytes
    }

    /// Moves the characters at the end of `fresh` that may have to go to `held`.
    fn hold_end(&mut self, fresh: &mut String) {
        if self.trim.end == 0 || !self.partial.is_empty() {
            return;
        }
        let content = self.trim.content;
        let count = fresh.chars().rev().take(self.trim.end).take_while(|&ch| ch == content).count();
        let keep = fresh.len() - count * content.len_utf8();
        self.held = fresh.split_off(keep);
    }
}
