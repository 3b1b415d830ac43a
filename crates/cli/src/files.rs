//! Model files on the disk.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use glassbox_engine::{EngineError, Model, OpenDevice, Undisturbed, device};
use glassbox_formats::{Adapter, ByteSource, FileSet, ReadFuture, SourceError};
use glassbox_text::Special;

use crate::{
    args::{Backend, Prompt},
    error::CliError,
};

/// A file read by ranges.
struct FileSource {
    name: String,
    len: u64,
    file: RefCell<File>,
}

impl FileSource {
    fn open(path: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        // The folder's name is what a model is called where nothing else says it.
        // The parent's real path, not the file's: in the hub's cache a file is a link to a blob elsewhere.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = parent.canonicalize().ok().and_then(|full| Some(full.file_name()?.to_owned()));
        let name = match folder {
            Some(folder) => format!("{}/{name}", folder.to_string_lossy()),
            None => name.into_owned(),
        };
        Ok(Self { name, len: metadata.len(), file: RefCell::new(file) })
    }
}

impl ByteSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = self.file.borrow_mut();
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; len];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let failed =
            |error: io::Error| SourceError::Failed { file: self.name.clone(), message: error.to_string() };
        Box::pin(std::future::ready(read().map_err(failed)))
    }
}

/// The files of a model: a `.gguf` (with the other parts of a split one), or everything that lies in a folder.
pub fn open(path: &Path) -> Result<FileSet, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let mut files = FileSet::new();
    if path.is_dir() {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            files.push(FileSource::open(&path)?);
        }
        return Ok(files);
    }
    // Where one part of a split GGUF is named, those beside it are meant too.
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    for part in glassbox_formats::gguf::part_names(name).unwrap_or_default() {
        let beside = path.with_file_name(&part);
        if part != name && beside.is_file() {
            files.push(FileSource::open(&beside)?);
        }
    }
    files.push(FileSource::open(path)?);
    Ok(files)
}

/// Opens the device that a command asks for.
pub async fn device(backend: Backend) -> Result<OpenDevice, EngineError> {
    match backend {
        Backend::Cpu => Ok(device::cpu()),
        Backend::Gpu => device::gpu().await,
    }
}

/// Opens a model on the device that a command asks for.
pub async fn model(path: &Path, backend: Backend) -> Result<Model, CliError> {
    let device = device(backend).await?;
    Ok(Model::open(open(path)?, &device, &Undisturbed).await?)
}

/// Opens a model and attaches adapters, each given as `PATH` or `PATH:SCALE`.
pub async fn model_with(path: &Path, backend: Backend, adapters: &[String]) -> Result<Model, CliError> {
    let mut model = model(path, backend).await?;
    for adapter in adapters {
        let (path, scale) = adapter_and_scale(adapter);
        let adapter = Adapter::open(open(Path::new(path))?).await?;
        model.attach(&adapter, scale).await?;
    }
    Ok(model)
}

/// Takes a scale off the end of an argument, where there is one: a path may have colons too.
fn adapter_and_scale(argument: &str) -> (&str, f32) {
    let scaled = argument.rsplit_once(':').and_then(|(path, scale)| Some((path, scale.parse().ok()?)));
    scaled.unwrap_or((argument, 1.0))
}

/// The token ids of a prompt.
pub fn tokens(model: &Model, prompt: &Prompt) -> Result<Vec<u32>, CliError> {
    match (&prompt.tokens, &prompt.prompt) {
        (Some(tokens), _) => Ok(tokens.clone()),
        (None, Some(text)) => Ok(model.tokenize(text, Special::Add)?),
        (None, None) => Err(CliError::Usage("give --tokens or --prompt".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::adapter_and_scale;

    #[test]
    fn a_scale_is_what_follows_the_last_colon_as_a_number() {
        for (argument, expected) in [
            ("lora", ("lora", 1.0)),
            ("lora:0.5", ("lora", 0.5)),
            ("a:b/lora:-1", ("a:b/lora", -1.0)),
            ("a:b", ("a:b", 1.0)),
            (r"C:\lora", (r"C:\lora", 1.0)),
            (r"C:\lora:0", (r"C:\lora", 0.0)),
        ] {
            assert_eq!(adapter_and_scale(argument), expected, "{argument}");
        }
    }
}
