//! Which of the opened files are the model: by name where names are telling, else by content.

use crate::content::{Content, SNIFF_BYTES};
use crate::source::{base_name, depth, folder, read_exact};
use crate::{ByteSource, FileSet, FormatError, adapter, order};

/// Files looked into where no name tells which of them are weights.
const MAX_SNIFFED: usize = 256;
/// Names listed in a message.
const MAX_NAMES: usize = 4;

/// The files that hold a model's weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Weights {
    /// One file, of either format.
    Single(usize),
    /// Several GGUF files: the parts of one model, as far as their names tell.
    Parts(Vec<usize>),
    /// Shards listed by an index file.
    Indexed(usize),
    /// Shards without an index, told by their names; all of them are there.
    Shards(Vec<usize>),
}

/// Finds the model. Where a folder holds safetensors and GGUF side by side, the hub's layout wins.
pub(crate) async fn weights(files: &FileSet) -> Result<Weights, FormatError> {
    if files.is_empty() {
        return Err(FormatError::NoFiles);
    }
    let is_adapter = |file: &dyn ByteSource| base_name(file.name()) == adapter::WEIGHTS;
    let (adapters, named): (Vec<_>, Vec<_>) = files
        .iter()
        .filter(|(_, file)| is_weights_name(file.name()))
        .partition(|(_, file)| is_adapter(*file));
    if let ([(_, file), ..], []) = (adapters.as_slice(), named.as_slice()) {
        return Err(FormatError::AdapterAlone { file: file.name().to_owned() });
    }
    let named: Vec<usize> = named.into_iter().map(|(i, _)| i).collect();
    if named.is_empty() { by_content(files).await } else { by_name(files, &named) }
}

fn is_weights_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(SAFETENSORS) || name.ends_with(INDEX) || name.ends_with(GGUF)
}

const SAFETENSORS: &str = ".safetensors";
const INDEX: &str = ".safetensors.index.json";
const GGUF: &str = ".gguf";

fn by_name(files: &FileSet, named: &[usize]) -> Result<Weights, FormatError> {
    let name = |i: usize| files.get(i).map_or("", ByteSource::name);
    let depth = |i: &usize| depth(folder(name(*i)));
    let shallowest = named.iter().map(depth).min().unwrap_or(0);
    let top: Vec<usize> = named.iter().copied().filter(|i| depth(i) == shallowest).collect();
    if top.iter().any(|&i| folder(name(i)) != folder(name(top[0]))) {
        return Err(FormatError::SeveralModels { names: list(top.iter().map(|&i| name(i))) });
    }
    let with = |suffix: &str| -> Vec<usize> {
        top.iter().copied().filter(|&i| name(i).to_ascii_lowercase().ends_with(suffix)).collect()
    };
    let (safetensors, indexes, ggufs) = (with(SAFETENSORS), with(INDEX), with(GGUF));
    let called = |list: &[usize], wanted: &str| list.iter().copied().find(|&i| base_name(name(i)) == wanted);
    if let Some(i) = called(&safetensors, "model.safetensors") {
        return Ok(Weights::Single(i));
    }
    if let Some(i) = called(&indexes, "model.safetensors.index.json").or(indexes.first().copied()) {
        return Ok(Weights::Indexed(i));
    }
    let model = |i: usize| shard_number(base_name(name(i))).map(|(prefix, _, total)| (prefix, total));
    match (safetensors.as_slice(), ggufs.as_slice()) {
        ([one], _) if shard_number(base_name(name(*one))).is_none() => Ok(Weights::Single(*one)),
        ([_, ..], _) => shards(files, &safetensors),
        ([], [one]) => Ok(Weights::Single(*one)),
        ([], [first, ..]) if ggufs.iter().all(|&i| model(i) == model(*first)) => Ok(Weights::Parts(ggufs)),
        _ => Err(FormatError::SeveralModels { names: list(ggufs.iter().map(|&i| name(i))) }),
    }
}

/// Shards `prefix-00001-of-0000n.safetensors` of one model, complete.
fn shards(files: &FileSet, candidates: &[usize]) -> Result<Weights, FormatError> {
    let name = |i: usize| base_name(files.get(i).map_or("", ByteSource::name));
    let several = || FormatError::SeveralModels { names: list(candidates.iter().map(|&i| name(i))) };
    let mut parts = Vec::new();
    for &i in candidates {
        let (prefix, number, total) = shard_number(name(i)).ok_or_else(several)?;
        parts.push((prefix, total, number, i));
    }
    let (prefix, total, ..) = parts[0];
    if parts.iter().any(|part| (part.0, part.1) != (prefix, total)) {
        return Err(several());
    }
    order::sort_by(&mut parts, Ord::cmp);
    let missing: Vec<String> = (1..=total)
        .filter(|wanted| !parts.iter().any(|part| part.2 == *wanted))
        .map(|number| format!("{prefix}-{number:05}-of-{total:05}{SAFETENSORS}"))
        .collect();
    if !missing.is_empty() {
        let names = list(missing.iter().map(String::as_str));
        return Err(FormatError::MissingShard { names, missing: missing.len(), total: total as usize });
    }
    Ok(Weights::Shards(parts.into_iter().map(|part| part.3).collect()))
}

/// Splits `prefix-00002-of-00005.ext` into prefix, 2 and 5.
pub(crate) fn shard_number(name: &str) -> Option<(&str, u32, u32)> {
    let stem = &name[..name.rfind('.')?];
    let (rest, total) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    let digits = |s: &str| s.len() == 5 && s.bytes().all(|b| b.is_ascii_digit());
    if digits(total) && digits(number) {
        Some((prefix, number.parse().ok()?, total.parse().ok()?))
    } else {
        None
    }
}

/// No name tells: looks at how the files start, and names what stands where weights should be.
async fn by_content(files: &FileSet) -> Result<Weights, FormatError> {
    let mut models = Vec::new();
    let mut culprit: Option<(&str, Content)> = None;
    for (i, file) in files.iter().take(MAX_SNIFFED) {
        let content = sniff(file).await?;
        match content {
            Content::Safetensors | Content::Gguf => models.push((i, content)),
            Content::Json | Content::Text | Content::Unknown => {}
            _ if culprit.is_some() || is_companion(file.name()) => {}
            _ => culprit = Some((file.name(), content)),
        }
    }
    let name = |i: usize| files.get(i).map_or("", ByteSource::name);
    match (models.as_slice(), culprit) {
        ([(one, _)], _) => Ok(Weights::Single(*one)),
        ([_, ..], _) if models.iter().all(|(_, content)| *content == Content::Gguf) => {
            Ok(Weights::Parts(models.into_iter().map(|(i, _)| i).collect()))
        }
        ([_, ..], _) => Err(FormatError::SeveralModels { names: list(models.iter().map(|&(i, _)| name(i))) }),
        ([], Some((file, content))) => Err(FormatError::WrongContent { file: file.to_owned(), content }),
        ([], None) => Err(FormatError::NoWeights {
            count: files.len(),
            names: list(files.iter().map(|(_, file)| file.name())),
        }),
    }
}

/// Files that come with weights and are never mistaken for them.
fn is_companion(name: &str) -> bool {
    let companions = ["md", "txt", "json", "jinja", "py", "gitattributes", "gitignore"];
    base_name(name).rsplit_once('.').is_some_and(|(_, extension)| companions.contains(&extension))
}

/// What the file holds, from its first bytes.
pub(crate) async fn sniff(file: &dyn ByteSource) -> Result<Content, FormatError> {
    let head = read_exact(file, 0, file.len().min(SNIFF_BYTES as u64) as usize).await?;
    Ok(Content::of(&head))
}

/// A few names for a message.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    if names.len() > MAX_NAMES { format!("{shown} and {} more", names.len() - MAX_NAMES) } else { shown }
}
