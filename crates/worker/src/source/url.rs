//! Addresses the browser fetches, by byte ranges.

use std::{cell::RefCell, rc::Rc};

use glassbox_formats::{ByteSource, FormatError, MemorySource, ReadFuture, SourceError, order};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReferrerPolicy, RequestCredentials, RequestInit, Response, WorkerGlobalScope};

use super::{all, reason, stream::Onward};
use crate::{error::WorkerError, requests::Work};

/// Files up to this size are taken whole where a server gives no ranges.
const WHOLE_FILE_LIMIT: u64 = 64 << 20;

/// Small reads are served from a block of this size: a block's norms lie close together.
const BLOCK: u64 = 1 << 20;

/// What a folder in the hub's layout may hold beside its weights.
const SMALL_FILES: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "README.md"];

/// Opens addresses: of files, or one of a folder in the hub's layout (or of the `.safetensors` in it), or of
/// one part of a split GGUF.
pub async fn open(urls: &[String], work: &Work<'_>) -> Result<Vec<Rc<dyn ByteSource>>, WorkerError> {
    let parts = match urls {
        [url] => parts(url),
        _ => None,
    };
    let urls = parts.as_deref().unwrap_or(urls);
    match urls {
        [url] if !file_name(url).ends_with(".gguf") => folder(url, work).await,
        _ => {
            let mut files = Vec::with_capacity(urls.len());
            for url in urls {
                files.push(file(url, work).await?);
            }
            Ok(files)
        }
    }
}

/// The addresses of all parts of a split GGUF, where `url` is that of one.
fn parts(url: &str) -> Option<Vec<String>> {
    let (path, query) = split_query(url);
    let name = file_name(url);
    let base = path.strip_suffix(name)?;
    let names = glassbox_formats::gguf::part_names(name)?;
    Some(names.into_iter().map(|name| format!("{base}{name}{query}")).collect())
}

/// Finds the files of a folder in the hub's layout.
async fn folder(url: &str, work: &Work<'_>) -> Result<Vec<Rc<dyn ByteSource>>, WorkerError> {
    let (path, query) = split_query(url);
    let named = file_name(url);
    let is_file = named.ends_with(".safetensors") || named.ends_with(".json");
    let base = if is_file { &path[..path.len() - named.len()] } else { path };
    let base = base.trim_end_matches('/');
    let at = |name: &str| format!("{base}/{name}{query}");
    let mut files = vec![file(&at("config.json"), work).await?];
    for name in SMALL_FILES {
        files.extend(optional(file(&at(name), work).await)?);
    }
    if named.ends_with(".safetensors") && !named.contains("-of-") {
        files.push(file(&at(named), work).await?);
        return Ok(files);
    }
    match optional(file(&at("model.safetensors.index.json"), work).await)? {
        Some(index) => {
            let shards = shards(index.as_ref()).await?;
            files.push(index);
            for shard in shards {
                files.push(file(&at(&shard), work).await?);
            }
        }
        None => files.push(file(&at("model.safetensors"), work).await?),
    }
    Ok(files)
}

/// Names of the shards in a safetensors index. What is wrong with it is told when the model is opened.
async fn shards(index: &dyn ByteSource) -> Result<Vec<String>, WorkerError> {
    let len = usize::try_from(index.len().min(WHOLE_FILE_LIMIT)).unwrap_or(0);
    let bytes = index.read(0, len).await.map_err(FormatError::from)?;
    let json = js_sys::JSON::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
    let map = js_sys::Reflect::get(&json, &"weight_map".into()).unwrap_or_default();
    let mut names: Vec<String> = match map.dyn_ref::<js_sys::Object>() {
        Some(map) => js_sys::Object::values(map).iter().filter_map(|name| name.as_string()).collect(),
        None => Vec::new(),
    };
    order::sort_by(&mut names, Ord::cmp);
    names.dedup();
    // A shard lies beside its index, wherever a hostile name points.
    names.retain(|name| !name.contains(['/', '\\', '?', '#']) && name.ends_with(".safetensors"));
    Ok(names)
}

/// A file that need not be there.
fn optional(
    file: Result<Rc<dyn ByteSource>, WorkerError>,
) -> Result<Option<Rc<dyn ByteSource>>, WorkerError> {
    match file {
        Ok(file) => Ok(Some(file)),
        // 416: it is there, and empty.
        Err(WorkerError::Status { status: 403 | 404 | 410 | 416, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file by its first block, whose answer tells size, validator and whether ranges are given; of most files no more
/// is needed, or the header begins in it.
async fn file(url: &str, work: &Work<'_>) -> Result<Rc<dyn ByteSource>, WorkerError> {
    if glassbox_engine::Host::stopped(work) {
        return Err(WorkerError::Aborted);
    }
    let signal = work.signal();
    let response = fetch(url, Some((0, BLOCK)), signal.as_ref()).await?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let total = header("content-range").and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok());
    match (response.status(), total) {
        (206, Some(len)) => {
            let validator = header("etag").filter(|tag| !tag.starts_with("W/"));
            let block = body(url, &response, signal.as_ref()).await?;
            let block = all(url, 0, BLOCK.min(len) as usize, block).map_err(FormatError::from)?;
            Ok(Rc::new(UrlSource {
                url: url.to_owned(),
                name: named(url),
                len,
                validator,
                signal,
                block: RefCell::new(Some((0, Rc::new(block)))),
                onward: Onward::default(),
            }))
        }
        (206, None) => whole(url, fetch(url, None, signal.as_ref()).await?, signal.as_ref()).await,
        _ => whole(url, response, signal.as_ref()).await,
    }
}

/// Takes a file whole.
async fn whole(
    url: &str,
    response: Response,
    signal: Option<&AbortSignal>,
) -> Result<Rc<dyn ByteSource>, WorkerError> {
    let length = response.headers().get("content-length").ok().flatten();
    let bytes = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    if bytes > WHOLE_FILE_LIMIT {
        return Err(WorkerError::NoRanges { url: url.to_owned(), bytes });
    }
    let body = body(url, &response, signal).await?;
    Ok(Rc::new(MemorySource::new(named(url), body)))
}

/// The error of a request that did not come to its end.
fn failed(url: &str, signal: Option<&AbortSignal>, error: &JsValue) -> WorkerError {
    match signal.is_some_and(AbortSignal::aborted) {
        true => WorkerError::Aborted,
        false => WorkerError::Fetch { url: url.to_owned(), reason: reason(error) },
    }
}

async fn fetch(
    url: &str,
    range: Option<(u64, u64)>,
    signal: Option<&AbortSignal>,
) -> Result<Response, WorkerError> {
    let failed = |error: JsValue| failed(url, signal, &error);
    let init = RequestInit::new();
    init.set_credentials(RequestCredentials::Omit);
    init.set_referrer_policy(ReferrerPolicy::NoReferrer);
    init.set_signal(signal);
    if let Some((start, end)) = range {
        let headers = web_sys::Headers::new().map_err(failed)?;
        headers.set("Range", &format!("bytes={start}-{}", end - 1)).map_err(failed)?;
        init.set_headers(&headers);
    }
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_str_and_init(url, &init)).await.map_err(failed)?;
    let response: Response = response.unchecked_into();
    match response.ok() {
        true => Ok(response),
        false => Err(WorkerError::Status { url: url.to_owned(), status: response.status() }),
    }
}

async fn body(url: &str, response: &Response, signal: Option<&AbortSignal>) -> Result<Vec<u8>, WorkerError> {
    let failed = |error: JsValue| failed(url, signal, &error);
    let buffer = JsFuture::from(response.array_buffer().map_err(failed)?).await.map_err(failed)?;
    Ok(Uint8Array::new(buffer.unchecked_ref::<ArrayBuffer>()).to_vec())
}

/// A file behind an address, read by ranges.
struct UrlSource {
    url: String,
    name: String,
    len: u64,
    /// A strong ETag: all ranges must be of the same file.
    validator: Option<String>,
    /// Stops the request that opened it.
    signal: Option<AbortSignal>,
    /// The block that small reads came from last, with its offset.
    block: RefCell<Option<(u64, Rc<Vec<u8>>)>>,
    onward: Onward,
}

impl UrlSource {
    fn failed(&self, message: String) -> SourceError {
        SourceError::Failed { file: self.name.clone(), message }
    }

    fn told(&self, error: WorkerError) -> SourceError {
        match error {
            WorkerError::Aborted => SourceError::Aborted { file: self.name.clone() },
            error => self.failed(error.to_string()),
        }
    }

    /// The answer to a request for a range, which it really holds.
    async fn response(&self, start: u64, end: u64) -> Result<Response, SourceError> {
        let failed = |message| self.failed(message);
        let told = |error| self.told(error);
        let response = fetch(&self.url, Some((start, end)), self.signal.as_ref()).await.map_err(told)?;
        let header = |name: &str| response.headers().get(name).ok().flatten();
        if response.status() != 206 {
            return Err(failed(format!("the server answered a range with status {}", response.status())));
        }
        let expected = format!("bytes {start}-{}/{}", end - 1, self.len);
        if header("content-range").is_some_and(|range| range != expected) {
            return Err(failed(format!("asked for {expected}, the server sent another range")));
        }
        if self.validator.is_some() && header("etag") != self.validator {
            return Err(failed("the file has changed while it was being read".to_owned()));
        }
        Ok(response)
    }

    async fn range(&self, start: u64, end: u64) -> Result<Vec<u8>, SourceError> {
        let response = self.response(start, end).await?;
        let bytes = body(&self.url, &response, self.signal.as_ref()).await;
        all(&self.name, start, (end - start) as usize, bytes.map_err(|error| self.told(error))?)
    }

    /// Bytes from the stream.
    async fn streamed(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        let open = async || {
            let response = self.response(offset, self.len).await?;
            response.body().ok_or_else(|| self.failed("the answer has no body".to_owned()))
        };
        let broken = |error| self.told(failed(&self.url, self.signal.as_ref(), &error));
        let bytes = self.onward.read((offset, len), self.len, open, broken).await?;
        all(&self.name, offset, len, bytes)
    }

    /// The bytes from the block read last, if they all lie in it.
    fn held(&self, start: u64, end: u64) -> Option<Vec<u8>> {
        let held = self.block.borrow();
        let (offset, block) = held.as_ref()?;
        let from = usize::try_from(start.checked_sub(*offset)?).ok()?;
        let to = usize::try_from(end.checked_sub(*offset)?).ok()?;
        Some(block.get(from..to)?.to_vec())
    }
}

impl ByteSource for UrlSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
        Box::pin(async move {
            let end = offset + len as u64;
            if let Some(bytes) = self.held(offset, end) {
                return Ok(bytes);
            }
            if self.onward.serves(offset, len) {
                return self.streamed(offset, len).await;
            }
            let bytes = Rc::new(self.range(offset, (offset + BLOCK).min(self.len)).await?);
            let wanted = bytes[..len].to_vec();
            *self.block.borrow_mut() = Some((offset, bytes));
            Ok(wanted)
        })
    }
}

fn split_query(url: &str) -> (&str, &str) {
    url.find(['?', '#']).map_or((url, ""), |at| url.split_at(at))
}

/// A file's name with its folder's: on a hub (`…/NAME/resolve/REVISION/FILE`) the repository's.
fn named(url: &str) -> String {
    let path = split_query(url).0;
    let folder = match path.split_once("/resolve/") {
        Some((repository, _)) => repository,
        None => path.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    match folder.rsplit('/').next() {
        Some(folder) if !folder.is_empty() => format!("{folder}/{}", file_name(url)),
        _ => file_name(url).to_owned(),
    }
}

fn file_name(url: &str) -> &str {
    let path = split_query(url).0;
    path.rsplit('/').next().unwrap_or(path)
}
