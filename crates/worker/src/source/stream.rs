//! A file read from front to back through one stream: the next bytes are on their way while the last are put
//! in their place, and no request waits for the one before.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

/// Bytes that are read and dropped sooner than asked for anew.
const SKIPPED: u64 = 1 << 20;

/// A stream of a file's bytes up to its end.
pub struct Stream {
    reader: ReadableStreamDefaultReader,
    /// What is left of the bytes that came last.
    chunk: Option<Uint8Array>,
    /// Place in the file of the next byte.
    position: u64,
}

impl Stream {
    /// Takes over a body whose first byte is byte `position` of the file.
    pub fn new(body: &ReadableStream, position: u64) -> Self {
        Self { reader: body.get_reader().unchecked_into(), chunk: None, position }
    }

    /// Whether byte `offset` comes next, or soon.
    pub fn reaches(&self, offset: u64) -> bool {
        offset.checked_sub(self.position).is_some_and(|skipped| skipped <= SKIPPED)
    }

    /// The `len` bytes from `offset` on, or as many of them as there are.
    pub async fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, JsValue> {
        let mut out = vec![0; len];
        let mut filled = 0;
        while filled < len {
            let Some(chunk) = self.next().await? else { break };
            let size = chunk.length();
            let skipped = offset.saturating_sub(self.position).min(u64::from(size)) as u32;
            let taken = ((len - filled).min((size - skipped) as usize)) as u32;
            chunk.subarray(skipped, skipped + taken).copy_to(&mut out[filled..filled + taken as usize]);
            filled += taken as usize;
            self.position += u64::from(skipped + taken);
            self.chunk = (skipped + taken < size).then(|| chunk.subarray(skipped + taken, size));
        }
        out.truncate(filled);
        Ok(out)
    }

    async fn next(&mut self) -> Result<Option<Uint8Array>, JsValue> {
        if let Some(chunk) = self.chunk.take() {
            return Ok(Some(chunk));
        }
        let read = JsFuture::from(self.reader.read()).await?;
        let done = Reflect::get(&read, &"done".into())?.is_truthy();
        Ok((!done).then_some(Reflect::get(&read, &"value".into())?.unchecked_into()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let cancelled = self.reader.cancel();
        // That of a stream that has failed fails, too, and nobody is left to be told.
        spawn_local(async move { drop(JsFuture::from(cancelled).await) });
    }
}
