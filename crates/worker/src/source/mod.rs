//! Where a model's bytes come from in a browser: files the reader picked, or addresses.

mod blob;
mod stream;
mod url;

use std::rc::Rc;

use glassbox_formats::{ByteSource, FileSet, SourceError};
use glassbox_protocol::{LoadStage, Source};
use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::File;

use crate::{error::WorkerError, requests::Work};

/// The files of an `open` request; browser files travel in the message itself.
pub async fn files(source: &Source, message: &JsValue, work: &Work<'_>) -> Result<FileSet, WorkerError> {
    work.progress(LoadStage::Header, 0.0, 0.0);
    let sources = match source {
        Source::Files { .. } => picked(message)?,
        Source::Urls { urls } => url::open(urls, work).await?,
    };
    Ok(sources.into_iter().collect())
}

/// `message.request.source.files` as byte sources.
fn picked(message: &JsValue) -> Result<Vec<Rc<dyn ByteSource>>, WorkerError> {
    let files = ["request", "source", "files"]
        .iter()
        .try_fold(message.clone(), |value, key| Reflect::get(&value, &(*key).into()))
        .ok()
        .and_then(|files| files.dyn_into::<Array>().ok())
        .ok_or_else(|| WorkerError::Message("it has no list of files".to_owned()))?;
    files
        .iter()
        .map(|file| {
            let file = file
                .dyn_into::<File>()
                .map_err(|_| WorkerError::Message("one of the files is no file".to_owned()))?;
            Ok(Rc::new(blob::BlobSource::new(file)) as Rc<dyn ByteSource>)
        })
        .collect()
}

/// All `len` bytes that were asked of a file from `offset` on.
fn all(name: &str, offset: u64, len: usize, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    match bytes.len() == len {
        true => Ok(bytes),
        false => Err(SourceError::Short {
            file: name.to_owned(),
            offset,
            expected: len as u64,
            found: bytes.len() as u64,
        }),
    }
}

/// What a JavaScript error says.
fn reason(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| "unknown reason".to_owned()),
    }
}
