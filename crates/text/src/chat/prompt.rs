//! A rendered conversation as tokens.

use std::ops::Range;

use super::Rendered;
use crate::error::TextError;
use crate::tokenizer::{Special, Tokenizer};

impl Tokenizer {
    /// The token ids of what a chat template has written.
    ///
    /// Special tokens in it are recognised. With a hub tokenizer none is added: the template writes
    /// BOS itself, as in transformers. With a GGUF vocabulary BOS and EOS are added where the
    /// vocabulary asks for them and the template has not written them, as in llama.cpp.
    ///
    /// # Errors
    /// Those of [`encode`](Tokenizer::encode).
    pub fn encode_chat(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut ids = self.encode(text, Special::Parse)?;
        let (before, after) = self.chat_edges();
        if !ids.starts_with(before) {
            ids.splice(0..0, before.iter().copied());
        }
        if !ids.ends_with(after) {
            ids.extend_from_slice(after);
        }
        Ok(ids)
    }
}

impl Rendered {
    /// Which of the tokens at `offsets` (see [`Tokenizer::offsets`]) belong to each message's
    /// content: every token with a byte of it.
    pub fn content_tokens(&self, offsets: &[Range<usize>]) -> Vec<Option<Range<usize>>> {
        let tokens = |content: &Range<usize>| {
            let first = offsets.partition_point(|token| token.end <= content.start);
            let end = offsets.partition_point(|token| token.start < content.end);
            first..end.max(first)
        };
        self.contents.iter().map(|content| content.as_ref().map(tokens)).collect()
    }
}
