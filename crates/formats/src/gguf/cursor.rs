//! A forward reader over the start of a file.

use crate::source::read_exact;
use crate::{ByteSource, FormatError};

/// Most bytes a header may take. A vocabulary of 262,144 tokens with its merges takes about 12 MB.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Bytes asked for at a time: few, since sources read on from where they were, and what is read past the header's end is
/// weights that are read again.
const RANGE: u64 = 64 << 10;

/// Reads values one after another, fetching the file range by range.
pub(super) struct Cursor<'s> {
    source: &'s dyn ByteSource,
    /// Bytes fetched and not yet dropped; `window[at..]` is unread.
    window: Vec<u8>,
    at: usize,
    /// File offset of the end of `window`.
    fetched: u64,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s dyn ByteSource) -> Self {
        Self { source, window: Vec::new(), at: 0, fetched: 0 }
    }

    pub(super) fn file(&self) -> String {
        self.source.name().to_owned()
    }

    /// File offset of the next unread byte.
    pub(super) fn position(&self) -> u64 {
        self.fetched - (self.window.len() - self.at) as u64
    }

    /// An error unless `bytes` more bytes are in the file and within the header's cap.
    pub(super) fn require(&self, bytes: u64) -> Result<(), FormatError> {
        let needed = self.position().saturating_add(bytes);
        if needed > self.source.len() {
            return Err(FormatError::Truncated { file: self.file(), needed, actual: self.source.len() });
        }
        if needed > MAX_HEADER_BYTES {
            let file = self.file();
            return Err(FormatError::HeaderTooLarge { file, bytes: needed, cap: MAX_HEADER_BYTES });
        }
        Ok(())
    }

    /// Makes `window[at..at + len]` valid.
    async fn fetch(&mut self, len: usize) -> Result<(), FormatError> {
        self.require(len as u64)?;
        self.window.drain(..self.at);
        self.at = 0;
        let missing = (len - self.window.len()) as u64;
        // At most MAX_HEADER_BYTES and a range: fits in 32 bits.
        let range = missing.max(RANGE).min(self.source.len() - self.fetched);
        self.window.extend(read_exact(self.source, self.fetched, range as usize).await?);
        self.fetched += range;
        Ok(())
    }

    /// The next `len` bytes.
    pub(super) async fn bytes(&mut self, len: usize) -> Result<&[u8], FormatError> {
        if self.window.len() - self.at < len {
            self.fetch(len).await?;
        }
        let start = self.at;
        self.at += len;
        Ok(&self.window[start..self.at])
    }

    pub(super) async fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut value = [0; N];
        value.copy_from_slice(self.bytes(N).await?);
        Ok(value)
    }

    pub(super) async fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array().await?))
    }

    pub(super) async fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.array().await?))
    }

    /// A string: `u64` length, then UTF-8. `what` names it in errors.
    pub(super) async fn string(
        &mut self,
        cap: u64,
        what: impl Fn() -> String,
    ) -> Result<String, FormatError> {
        let len = self.u64().await?;
        if len > cap {
            return Err(FormatError::GgufLimit {
                file: self.file(),
                what: format!("length of {}", what()),
                value: len,
                cap,
            });
        }
        let bytes = self.bytes(len as usize).await?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let message = format!("not UTF-8: {error}");
                Err(FormatError::GgufInvalid { file: self.file(), what: what(), message })
            }
        }
    }
}
