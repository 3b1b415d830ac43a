//! A file the reader picked or dropped.

use glassbox_formats::{ByteSource, ReadFuture, SourceError};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use super::reason;

/// Reads slices of a browser `File`; the file itself stays on the disk.
pub struct BlobSource {
    file: File,
    name: String,
}

impl BlobSource {
    /// A source over a file.
    pub fn new(file: File) -> Self {
        // In a picked folder, the path inside it: the folder's name is what the model is called.
        let path = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
        let name = path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
        Self { file, name }
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
            let failed = |error| SourceError::Failed { file: self.name.clone(), message: reason(&error) };
            let end = offset as f64 + len as f64;
            let slice = self.file.slice_with_f64_and_f64(offset as f64, end).map_err(failed)?;
            let buffer = JsFuture::from(slice.array_buffer()).await.map_err(failed)?;
            let bytes = Uint8Array::new(&buffer).to_vec();
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
