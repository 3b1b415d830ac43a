//! A file the reader picked or dropped.

use std::cell::RefCell;

use glassbox_formats::{ByteSource, ReadFuture, SourceError};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use super::{reason, stream::Stream};

/// Reads of so many bytes begin a stream, since others like them follow.
const STREAMED: usize = 64 << 10;

/// Reads slices of a browser `File`; the file itself stays on the disk.
pub struct BlobSource {
    file: File,
    name: String,
    /// Where large reads come from, one after the other; away while one reads.
    stream: RefCell<Option<Stream>>,
}

impl BlobSource {
    /// A source over a file.
    pub fn new(file: File) -> Self {
        // In a picked folder, the path inside it: the folder's name is what the model is called.
        let path = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
        let name = path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
        Self { file, name, stream: RefCell::default() }
    }

    async fn slice(&self, offset: u64, len: usize) -> Result<Vec<u8>, JsValue> {
        let end = offset as f64 + len as f64;
        let slice = self.file.slice_with_f64_and_f64(offset as f64, end)?;
        let buffer = JsFuture::from(slice.array_buffer()).await?;
        Ok(Uint8Array::new(&buffer).to_vec())
    }

    /// Bytes from the stream, or from a new one where that stands elsewhere.
    async fn streamed(&self, offset: u64, len: usize) -> Result<Vec<u8>, JsValue> {
        // Not held over the wait: another read takes a stream of its own.
        let held = self.stream.take().filter(|stream| stream.reaches(offset));
        let mut stream = match held {
            Some(stream) => stream,
            None => Stream::new(&self.file.slice_with_f64(offset as f64)?.stream(), offset),
        };
        let bytes = stream.read(offset, len).await?;
        if offset + (len as u64) < self.len() {
            self.stream.replace(Some(stream));
        }
        Ok(bytes)
    }
}

impl ByteSource for BlobSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.file.size() as u64
    }

    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
        Box::pin(async move {
            let soon = self.stream.borrow().as_ref().is_some_and(|stream| stream.reaches(offset));
            let bytes = match soon || len >= STREAMED {
                true => self.streamed(offset, len).await,
                false => self.slice(offset, len).await,
            };
            let failed = |error| SourceError::Failed { file: self.name.clone(), message: reason(&error) };
            let bytes = bytes.map_err(failed)?;
            match bytes.len() == len {
                true => Ok(bytes),
                false => Err(SourceError::Short {
                    file: self.name.clone(),
                    offset,
                    expected: len as u64,
                    found: bytes.len() as u64,
                }),
            }
        })
    }
}
