//! The raw bytes of every token.

use crate::error::TextError;
use crate::limits::MAX_TOKENS;

/// One token of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The token's id.
    pub id: u32,
    /// What the token adds to the decoded text when it is not the first one. One character may
    /// be spread over several tokens, so these bytes need not be valid UTF-8.
    /// For a special token: its name, such as `<|endoftext|>`.
    pub bytes: Vec<u8>,
    /// Whether this is a control token such as BOS, which has no text of its own.
    pub special: bool,
}

/// Where one token's bytes lie in the table.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    start: u32,
    end: u32,
    present: bool,
    special: bool,
}

/// All tokens' bytes in one buffer, by id. Ids need not be dense.
#[derive(Debug, Default)]
pub(crate) struct PieceTable {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl PieceTable {
    /// Sets the bytes of token `id`; a later call for the same id wins.
    pub(crate) fn set(&mut self, id: u32, bytes: &[u8], special: bool) -> Result<(), TextError> {
        let index = id as usize;
        if index >= MAX_TOKENS {
            return Err(TextError::TooLarge {
                what: "the largest token id",
                size: index,
                limit: MAX_TOKENS - 1,
            });
        }
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry::default());
        }
        let too_large =
            |size| TextError::TooLarge { what: "the vocabulary's text", size, limit: u32::MAX as usize };
        let start = u32::try_from(self.bytes.len()).map_err(|_| too_large(self.bytes.len()))?;
        self.bytes.extend_from_slice(bytes);
        let end = u32::try_from(self.bytes.len()).map_err(|_| too_large(self.bytes.len()))?;
        self.entries[index] = Entry { start, end, present: true, special };
        Ok(())
    }

    /// The bytes of token `id` and whether it is special.
    pub(crate) fn get(&self, id: u32) -> Option<(&[u8], bool)> {
        let entry = self.entries.get(id as usize).filter(|entry| entry.present)?;
        let bytes = self.bytes.get(entry.start as usize..entry.end as usize)?;
        Some((bytes, entry.special))
    }

    /// One more than the largest id.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
