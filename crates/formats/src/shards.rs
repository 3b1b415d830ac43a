//! Weights in several files, and the index that says which tensor is where.

use std::collections::BTreeMap;

use crate::content::{Content, SNIFF_BYTES};
use crate::dtype::UnsupportedTensor;
use crate::safetensors::{self, ShardIndex};
use crate::select::{list, sniff};
use crate::{ByteSource, FileSet, FormatError, TensorInfo};

/// Largest index read, in bytes.
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// What a file that should hold weights holds; an error where it certainly holds none.
pub(crate) async fn weights_content(files: &FileSet, file: usize) -> Result<Content, FormatError> {
    let source = files.get(file).ok_or(FormatError::NoFiles)?;
    let content = sniff(source).await?;
    match content {
        Content::Safetensors | Content::Gguf => Ok(content),
        // The format's own reader says best what is wrong with bytes that look like nothing.
        Content::Unknown if source.name().to_ascii_lowercase().ends_with(".gguf") => Ok(Content::Gguf),
        Content::Unknown => Ok(Content::Safetensors),
        content => Err(FormatError::WrongContent { file: source.name().to_owned(), content }),
    }
}

/// Reads `*.safetensors.index.json`.
pub(crate) async fn read_index(files: &FileSet, file: usize) -> Result<ShardIndex, FormatError> {
    let name = files.get(file).map_or("", ByteSource::name);
    let bytes = files.read_small(file, MAX_INDEX_BYTES).await?;
    refuse_accident(name, &bytes)?;
    ShardIndex::parse(name, &bytes)
}

/// The shards that the index names; an error unless all are there.
pub(crate) fn find_shards(
    files: &FileSet,
    file: usize,
    index: &ShardIndex,
) -> Result<Vec<usize>, FormatError> {
    let names = index.shards();
    let find = |name: &str| files.find_beside(file, name);
    let missing: Vec<&str> = names.iter().copied().filter(|name| find(name).is_none()).collect();
    if !missing.is_empty() {
        let (total, count) = (names.len(), missing.len());
        return Err(FormatError::MissingShard { names: list(missing.into_iter()), missing: count, total });
    }
    Ok(names.into_iter().filter_map(find).collect())
}

/// Tensors by name: those that can be read, and those of other types.
pub(crate) type Tensors = (BTreeMap<String, TensorInfo>, BTreeMap<String, UnsupportedTensor>);

/// Reads the headers of all files that make up the weights.
pub(crate) async fn read_shards(files: &FileSet, shards: &[usize]) -> Result<Tensors, FormatError> {
    let (mut tensors, mut unsupported) = (BTreeMap::new(), BTreeMap::new());
    let mut owner: BTreeMap<String, usize> = BTreeMap::new();
    let name = |i: usize| files.get(i).map_or_else(String::new, |file| file.name().to_owned());
    for &file in shards {
        let source = files.get(file).ok_or(FormatError::NoFiles)?;
        if let content @ Content::Gguf = weights_content(files, file).await? {
            return Err(FormatError::WrongContent { file: source.name().to_owned(), content });
        }
        let header = safetensors::read_header(source, file).await?;
        let names = header.tensors.iter().map(|t| &t.name).chain(header.unsupported.iter().map(|t| &t.name));
        for tensor in names {
            if let Some(first) = owner.insert(tensor.clone(), file) {
                let tensor = tensor.clone();
                return Err(FormatError::DuplicateTensor { tensor, first: name(first), second: name(file) });
            }
        }
        tensors.extend(header.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)));
        unsupported.extend(header.unsupported.into_iter().map(|tensor| (tensor.name.clone(), tensor)));
    }
    Ok((tensors, unsupported))
}

/// Every tensor that the index names must be in the shard it names ([`find_shards`] has found them
/// all). Shards may hold more.
pub(crate) fn check_index(
    files: &FileSet,
    file: usize,
    index: &ShardIndex,
    tensors: &BTreeMap<String, TensorInfo>,
    unsupported: &BTreeMap<String, UnsupportedTensor>,
) -> Result<(), FormatError> {
    for (tensor, shard) in &index.weight_map {
        let found = tensors.get(tensor).map(|t| t.file).or_else(|| unsupported.get(tensor).map(|t| t.file));
        if found != files.find_beside(file, shard) {
            return Err(FormatError::IndexTensorMissing {
                index: files.get(file).map_or_else(String::new, |file| file.name().to_owned()),
                tensor: tensor.clone(),
                file: shard.clone(),
            });
        }
    }
    Ok(())
}

/// A small text file that is really an LFS pointer, a web page or an unfinished download.
pub(crate) fn refuse_accident(name: &str, bytes: &[u8]) -> Result<(), FormatError> {
    match Content::of(&bytes[..bytes.len().min(SNIFF_BYTES)]) {
        content @ (Content::LfsPointer { .. } | Content::Html | Content::Empty | Content::Zeros) => {
            Err(FormatError::WrongContent { file: name.to_owned(), content })
        }
        _ => Ok(()),
    }
}
