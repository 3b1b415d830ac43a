//! Where a template writes to.

use std::io::{self, Write};

use crate::error::TextError;
use crate::limits::MAX_TEXT_BYTES;

/// A text that cannot grow beyond [`MAX_TEXT_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    full: bool,
}

impl Output {
    /// Whether more was written than there is room for.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn into_text(self) -> Result<String, TextError> {
        let text = String::from_utf8(self.bytes);
        text.map_err(|_| TextError::ChatTemplate { reason: "it writes text that is not UTF-8".into() })
    }
}

impl Write for &mut Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MAX_TEXT_BYTES - self.bytes.len() {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
