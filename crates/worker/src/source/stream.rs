//! A file read from front to back through one stream: the next bytes are on their way while the last are put
//! in their place, and no request waits for the one before.

use std::cell::RefCell;

use js_sys::{ArrayBuffer, Function, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{ReadableStream, ReadableStreamByobReader, ReadableStreamDefaultReader};

/// Bytes that are read and dropped sooner than asked for anew.
const SKIPPED: u64 = 1 << 20;
/// Bytes asked for at once where the browser fills a buffer of ours.
const FILLED: u32 = 1 << 20;

/// Reads of so many bytes begin a stream, since others like them follow.
const STREAMED: usize = 64 << 10;

/// Where large reads of a file come from, one after the other: a stream, away while one reads.
#[derive(Default)]
pub struct Onward(RefCell<Option<Stream>>);

impl Onward {
    /// Whether a read is one for a stream: a large one, or what comes next anyway.
    pub fn serves(&self, offset: u64, len: usize) -> bool {
        len >= STREAMED || self.0.borrow().as_ref().is_some_and(|stream| stream.reaches(offset))
    }

    /// The `len` bytes from `offset` on, or as many of them as there are, of a file of `size`: from the stream, or from a
    /// new one, the body that `open` gives from there on, where that stands elsewhere.
    pub async fn read<E>(
        &self,
        (offset, len): (u64, usize),
        size: u64,
        open: impl AsyncFnOnce() -> Result<ReadableStream, E>,
        failed: impl FnOnce(JsValue) -> E,
    ) -> Result<Vec<u8>, E> {
        // Not held over the wait: another read takes a stream of its own.
        let held = self.0.take().filter(|stream| stream.reaches(offset));
        let mut stream = match held {
            Some(stream) => stream,
            None => Stream::new(&open().await?, offset),
        };
        let bytes = stream.read(offset, len).await.map_err(failed)?;
        if offset + (len as u64) < size {
            self.0.replace(Some(stream));
        }
        Ok(bytes)
    }
}

/// A stream of a file's bytes up to its end.
struct Stream {
    reader: Reader,
    /// What is left of the bytes that came last.
    chunk: Option<Uint8Array>,
    /// The bytes before them, all of which have been taken.
    used: Option<Uint8Array>,
    /// Place in the file of the next byte.
    position: u64,
    /// The bytes before it, of a short read: who reads a header reads past its end, and comes back.
    tail: Vec<u8>,
}

enum Reader {
    /// Fills a buffer that goes there and back, which takes half the time.
    Filling { reader: ReadableStreamByobReader, buffer: ArrayBuffer },
    /// Gives a new buffer each time: every browser.
    Giving(ReadableStreamDefaultReader),
}

impl Reader {
    fn new(body: &ReadableStream) -> Self {
        match filling(body) {
            Ok(reader) => Self::Filling { reader, buffer: ArrayBuffer::new(FILLED) },
            Err(_) => Self::Giving(body.get_reader().unchecked_into()),
        }
    }

    /// The next bytes, none at the end; `used` is what it gave before.
    async fn read(&mut self, used: Option<Uint8Array>) -> Result<Option<Uint8Array>, JsValue> {
        let read = match self {
            Self::Filling { reader, buffer } => {
                if let Some(used) = used {
                    *buffer = used.buffer();
                }
                JsFuture::from(reader.read_with_array_buffer_view(&Uint8Array::new(buffer))).await?
            }
            Self::Giving(reader) => JsFuture::from(reader.read()).await?,
        };
        let done = Reflect::get(&read, &"done".into())?.is_truthy();
        Ok((!done).then_some(Reflect::get(&read, &"value".into())?.unchecked_into()))
    }

    fn cancel(&self) -> js_sys::Promise {
        match self {
            Self::Filling { reader, .. } => reader.cancel(),
            Self::Giving(reader) => reader.cancel(),
        }
    }
}

/// A reader that fills a given buffer, if this is a stream of bytes to the browser.
fn filling(body: &ReadableStream) -> Result<ReadableStreamByobReader, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"mode".into(), &"byob".into())?;
    // By hand, since the typed call would not let an exception through as an error.
    let get_reader: Function = Reflect::get(body, &"getReader".into())?.unchecked_into();
    Ok(get_reader.call1(body, &options)?.unchecked_into())
}

impl Stream {
    /// Takes over a body whose first byte is byte `position` of the file.
    fn new(body: &ReadableStream, position: u64) -> Self {
        Self { reader: Reader::new(body), chunk: None, used: None, position, tail: Vec::new() }
    }

    /// Whether byte `offset` comes next, or soon, or has just been.
    fn reaches(&self, offset: u64) -> bool {
        let first = self.position - self.tail.len() as u64;
        offset >= first && offset.saturating_sub(self.position) <= SKIPPED
    }

    /// The `len` bytes from `offset` on, or as many of them as there are.
    async fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, JsValue> {
        let mut out = Vec::with_capacity(len);
        let back = self.position.saturating_sub(offset) as usize;
        let again = &self.tail[self.tail.len() - back..];
        out.extend_from_slice(&again[..again.len().min(len)]);
        while out.len() < len {
            let Some(chunk) = self.next().await? else { break };
            let size = chunk.length();
            let skipped = offset.saturating_sub(self.position).min(u64::from(size)) as u32;
            let taken = ((len - out.len()).min((size - skipped) as usize)) as u32;
            append(&mut out, &chunk.subarray(skipped, skipped + taken));
            self.position += u64::from(skipped + taken);
            match skipped + taken < size {
                true => self.chunk = Some(chunk.subarray(skipped + taken, size)),
                false => self.used = Some(chunk),
            }
        }
        // What was asked for may end before what was given last time.
        if len > back {
            self.tail.clear();
            self.tail.extend_from_slice(if len <= STREAMED { &out } else { &[] });
        }
        Ok(out)
    }

    async fn next(&mut self) -> Result<Option<Uint8Array>, JsValue> {
        match self.chunk.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.reader.read(self.used.take()).await,
        }
    }
}

/// Copies bytes of the browser's behind those that are there, into memory that nobody has to clear first.
fn append(out: &mut Vec<u8>, bytes: &Uint8Array) {
    let (start, count) = (out.len(), bytes.length() as usize);
    out.reserve(count);
    bytes.copy_to_uninit(&mut out.spare_capacity_mut()[..count]);
    // SAFETY: so many bytes have just been written behind the first `start`.
    unsafe { out.set_len(start + count) }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let cancelled = self.reader.cancel();
        // That of a stream that has failed fails, too, and nobody is left to be told.
        spawn_local(async move { drop(JsFuture::from(cancelled).await) });
    }
}
