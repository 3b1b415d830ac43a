//! Captured tensors as a safetensors file.

use std::collections::BTreeMap;

use glassbox_formats::order;

use super::Run;
use crate::{EngineError, HostTensor, Model};

/// A safetensors file: `tokens` as I64 and the tensors as F32, with metadata.
///
/// # Errors
/// If the file would be larger than the capture's limit allows to copy.
pub fn safetensors(
    tokens: &[u32],
    tensors: &[HostTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, EngineError> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    let mut end = 0usize;
    let mut entry = |name: &str, dtype: &str, shape: &[usize], bytes: usize| {
        let offsets = [end, end + bytes];
        end += bytes;
        let value = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
        header.insert(name.to_owned(), value);
    };
    entry("tokens", "I64", &[tokens.len()], 8 * tokens.len());
    for tensor in tensors {
        entry(&tensor.name, "F32", &tensor.shape, 4 * tensor.data.len());
    }
    let mut text = serde_json::Value::Object(header).to_string().into_bytes();
    // Data start at a multiple of eight.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut file = Vec::new();
    let needed = 8 + text.len() + end;
    let too_large = |_| EngineError::CaptureTooLarge { needed: needed as u64, limit: crate::CAPTURE_LIMIT };
    file.try_reserve_exact(needed).map_err(too_large)?;
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text);
    file.extend(tokens.iter().flat_map(|id| i64::from(*id).to_le_bytes()));
    for tensor in tensors {
        file.extend(tensor.data.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(file)
}

/// What a file says of where its numbers come from: model, files, prompt, tokens and edits.
pub fn metadata(model: &Model, run: &Run, fingerprint: Option<&str>) -> BTreeMap<String, String> {
    let prompt: String = run.tokens.iter().map(|id| model.shown(*id)).collect();
    let edits: Vec<String> = run.edits.iter().map(ToString::to_string).collect();
    let files: Vec<&str> = model.summary.files.iter().map(|file| file.name.as_str()).collect();
    let entries = [
        ("producer", format!("glassbox {}", env!("CARGO_PKG_VERSION"))),
        ("model", model.summary.name.clone()),
        ("architecture", model.spec().architecture.to_owned()),
        ("files", files.join(", ")),
        ("prompt", prompt),
        ("edits", edits.join("\n")),
    ];
    let fingerprint = fingerprint.map(|value| ("fingerprint", value.to_owned()));
    order::gather(entries.into_iter().chain(fingerprint).map(|(key, value)| (key.to_owned(), value)))
}
