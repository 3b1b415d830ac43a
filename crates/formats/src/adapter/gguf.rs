//! Adapters in GGUF, as llama.cpp reads them (`llama-adapter.cpp`).

use super::{Adapter, AdapterNames, display_name, pair};
use crate::gguf::read_header;
use crate::{FileSet, FormatError};

pub(super) async fn open(files: FileSet, index: usize) -> Result<Adapter, FormatError> {
    let source = files.get(index).ok_or(FormatError::NoFiles)?;
    let file = source.name().to_owned();
    let header = read_header(source, index).await?;
    let metadata = &header.metadata;
    if metadata.get::<&str>("general.type")? != Some("adapter") {
        let names = file;
        return Err(FormatError::NoAdapter { count: files.len(), names });
    }
    let feature = |feature: String| Err(FormatError::AdapterFeature { feature });
    match metadata.require::<&str>("adapter.type")? {
        "lora" => {}
        kind => return feature(format!("the method {kind}")),
    }
    if metadata.value("adapter.alora.invocation_tokens").is_some() {
        return feature("an invocation sequence (activated LoRA)".to_owned());
    }
    let alpha: f32 = metadata.get("adapter.lora.alpha")?.unwrap_or(0.0);
    if let Some(tensor) = header.unsupported.first() {
        let (tensor, dtype, tensors) = (tensor.name.clone(), tensor.dtype.clone(), header.unsupported.len());
        return Err(FormatError::UnsupportedDType { file, tensor, dtype, tensors });
    }
    // Without alpha the terms are added as they are.
    let scale = |_: &str, rank: u64| Ok(if alpha == 0.0 { 1.0 } else { alpha / rank as f32 });
    let base = metadata.get::<&str>("general.base_model.0.name")?.map(str::to_owned);
    let terms = pair(&file, header.tensors, split, scale)?;
    Ok(Adapter { name: display_name(&files, index), base, names: AdapterNames::Gguf, terms, files })
}

/// `<target>.weight.lora_a`.
fn split(name: &str) -> Result<(String, bool), FormatError> {
    for (end, is_b) in [(".weight.lora_a", false), (".weight.lora_b", true)] {
        if let Some(target) = name.strip_suffix(end) {
            return Ok((target.to_owned(), is_b));
        }
    }
    let feature = format!("the tensor {name}, which is neither lora_a nor lora_b");
    Err(FormatError::AdapterFeature { feature })
}
