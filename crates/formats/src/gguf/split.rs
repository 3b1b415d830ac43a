//! A GGUF model in several files, as `llama-gguf-split` and gguf-py write them: each part is a GGUF
//! file of its own that says which part it is; the first one holds the model's metadata.

use std::collections::BTreeMap;

use super::metadata::Metadata;
use super::reader::{Header, read_header};
use crate::content::Content;
use crate::select::{list, shard_number};
use crate::shards::weights_content;
use crate::source::base_name;
use crate::{ByteSource, FileSet, FormatError, order};

/// What a part says about its place (`split.no`, `split.count`, `split.tensors.count`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Which part this is, from 0.
    pub index: u64,
    /// Number of parts; at least 2.
    pub count: u64,
    /// Number of tensors in all parts together.
    pub tensors: u64,
}

impl Split {
    /// Reads a part's place; `None` for a model that is not split.
    pub(super) fn read(file: &str, metadata: &Metadata) -> Result<Option<Self>, FormatError> {
        let Some(count) = metadata.get::<u64>("split.count")?.filter(|&count| count > 1) else {
            return Ok(None);
        };
        let index = metadata.require("split.no")?;
        let tensors = metadata.require("split.tensors.count")?;
        // The writers store both numbers as u16.
        if index >= count || count > u16::MAX.into() {
            let message = format!("part {index} (from 0) of {count} cannot exist");
            return Err(FormatError::GgufInvalid {
                file: file.to_owned(),
                what: "split.no".to_owned(),
                message,
            });
        }
        Ok(Some(Self { index, count, tensors }))
    }
}

/// Most parts that are looked for by name.
const MAX_NAMED_PARTS: u32 = 1000;

/// The names of all parts of the split model that a file of this name is one of, in their order; `None`
/// where it is called otherwise. For opening all of them where one was named.
///
/// ```
/// let names = glassbox_formats::gguf::part_names("m-00002-of-00002.gguf").unwrap();
/// assert_eq!(names, ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
/// assert_eq!(glassbox_formats::gguf::part_names("m.gguf"), None);
/// ```
pub fn part_names(name: &str) -> Option<Vec<String>> {
    let (prefix, number, total) = shard_number(name).filter(|_| name.ends_with(".gguf"))?;
    let possible = (1..=total).contains(&number) && (2..=MAX_NAMED_PARTS).contains(&total);
    possible.then(|| (1..=total).map(|number| format!("{prefix}-{number:05}-of-{total:05}.gguf")).collect())
}

struct Part {
    file: usize,
    split: Split,
    header: Header,
}

/// Reads the header of a model in one file, or those of all its parts as one. Also gives the files
/// that it is in, in their order.
///
/// # Errors
/// [`FormatError::SeveralModels`] where the files are not parts, [`FormatError::MissingShard`] where
/// some are missing, [`FormatError::GgufSplit`] and [`FormatError::DuplicateTensor`] where they do not
/// belong together, and as [`read_header`].
pub(crate) async fn read_model(
    files: &FileSet,
    candidates: &[usize],
) -> Result<(Header, Vec<usize>), FormatError> {
    let name = |file: usize| files.get(file).map_or("", ByteSource::name);
    let mut parts = Vec::new();
    for &file in candidates {
        match weights_content(files, file).await? {
            Content::Gguf => {}
            content => return Err(FormatError::WrongContent { file: name(file).to_owned(), content }),
        }
        let header = read_header(files.get(file).ok_or(FormatError::NoFiles)?, file).await?;
        match header.split {
            Some(split) => parts.push(Part { file, split, header }),
            None if candidates.len() == 1 => return Ok((header, vec![file])),
            None => {
                return Err(FormatError::SeveralModels { names: list(candidates.iter().map(|&i| name(i))) });
            }
        }
    }
    order::sort_by_key(&mut parts, |part| (part.split.index, part.file));
    check(files, &parts)?;
    merge(files, parts)
}

/// All parts of one model must be there, each once.
fn check(files: &FileSet, parts: &[Part]) -> Result<(), FormatError> {
    let name = |part: &Part| files.get(part.file).map_or_else(String::new, |file| file.name().to_owned());
    let Some(first) = parts.first() else {
        return Err(FormatError::NoFiles);
    };
    let Split { count, tensors, .. } = first.split;
    for (part, next) in parts.iter().zip(&parts[1..]) {
        let place = |part: &Part| format!("part {} of {}", part.split.index + 1, part.split.count);
        let agrees = next.split.count == count && next.split.tensors == tensors;
        if !agrees || part.split.index == next.split.index {
            let message = format!(
                "it is {} of a model of {} tensors, and {} is {} of one of {tensors}",
                place(next),
                next.split.tensors,
                name(part),
                place(part),
            );
            return Err(FormatError::GgufSplit { file: name(next), message });
        }
    }
    if (parts.len() as u64) < count {
        return Err(missing(&name(first), parts, count));
    }
    let found: usize =
        parts.iter().map(|part| part.header.tensors.len() + part.header.unsupported.len()).sum();
    if found as u64 != tensors {
        let message = format!("the parts hold {found} tensors, but split.tensors.count is {tensors}");
        return Err(FormatError::GgufSplit { file: name(first), message });
    }
    Ok(())
}

/// Names the parts that are not there, as far as the name of one that is tells theirs.
fn missing(one: &str, parts: &[Part], count: u64) -> FormatError {
    let prefix = shard_number(base_name(one)).map(|(prefix, ..)| prefix);
    let names: Vec<String> = (0..count)
        .filter(|index| parts.binary_search_by_key(index, |part| part.split.index).is_err())
        .map(|index| match prefix {
            Some(prefix) => format!("{prefix}-{:05}-of-{count:05}.gguf", index + 1),
            None => format!("part {} of {count}", index + 1),
        })
        .collect();
    FormatError::MissingShard {
        missing: names.len(),
        total: count as usize,
        names: list(names.iter().map(String::as_str)),
    }
}

/// One header from those of the parts: the first one's, with all tensors.
fn merge(files: &FileSet, parts: Vec<Part>) -> Result<(Header, Vec<usize>), FormatError> {
    let name = |file: usize| files.get(file).map_or_else(String::new, |file| file.name().to_owned());
    let used = parts.iter().map(|part| part.file).collect();
    let mut owner = BTreeMap::new();
    let mut merged: Option<Header> = None;
    for Part { file, header, .. } in parts {
        let names = header.tensors.iter().map(|t| &t.name).chain(header.unsupported.iter().map(|t| &t.name));
        for tensor in names {
            if let Some(first) = owner.insert(tensor.clone(), file) {
                let tensor = tensor.clone();
                return Err(FormatError::DuplicateTensor { tensor, first: name(first), second: name(file) });
            }
        }
        match &mut merged {
            None => merged = Some(header),
            Some(merged) => {
                merged.tensors.extend(header.tensors);
                merged.unsupported.extend(header.unsupported);
            }
        }
    }
    Ok((merged.ok_or(FormatError::NoFiles)?, used))
}
