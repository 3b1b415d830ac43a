//! Where bytes come from: ranges of named files, read asynchronously.
//!
//! The crate does no I/O of its own. The command line implements [`ByteSource`] over files, the
//! worker over browser `Blob`s and HTTP ranges, tests over memory.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::FormatError;

/// What [`ByteSource::read`] returns. Not `Send`: browser handles stay on their thread.
pub type ReadFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SourceError>> + 'a>>;

/// Random access to the bytes of one file.
pub trait ByteSource {
    /// The file's name, with the folders it was found in where they are known (`/` between them).
    fn name(&self) -> &str;

    /// The file's length in bytes.
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes `[offset, offset + len)`. Callers ask within the file's length; a source that cannot
    /// deliver all of them returns an error, never fewer bytes.
    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_>;
}

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The range does not lie in the file.
    #[error("{file}: bytes {offset}..+{len} do not lie in the file's {size} bytes")]
    OutOfRange {
        /// The file's name.
        file: String,
        /// First byte asked for.
        offset: u64,
        /// Number of bytes asked for.
        len: u64,
        /// The file's length.
        size: u64,
    },
    /// The source returned another number of bytes than was asked for.
    #[error("{file}: asked for {expected} bytes at {offset}, got {found}")]
    Short {
        /// The file's name.
        file: String,
        /// First byte asked for.
        offset: u64,
        /// Number of bytes asked for.
        expected: u64,
        /// Number of bytes returned.
        found: u64,
    },
    /// The operating system, the browser or the network refused.
    #[error("{file}: {message}")]
    Failed {
        /// The file's name.
        file: String,
        /// The cause in the platform's words.
        message: String,
    },
    /// The user stopped the load.
    #[error("reading {file} was stopped")]
    Aborted {
        /// The file's name.
        file: String,
    },
}

impl SourceError {
    /// A stable identifier of the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "source_range",
            Self::Short { .. } => "source_short",
            Self::Failed { .. } => "source_failed",
            Self::Aborted { .. } => "aborted",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } | Self::Short { .. } => {
                "The file changed while it was open, or the server does not answer range requests. Open it again."
            }
            Self::Failed { .. } => "Check that the file is still there and readable, then open it again.",
            Self::Aborted { .. } => "Open the model again to load it.",
        }
    }
}

/// A file held in memory.
#[derive(Clone)]
pub struct MemorySource {
    name: String,
    bytes: Rc<[u8]>,
}

impl MemorySource {
    /// A file called `name` with these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Rc<[u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemorySource({:?}, {} bytes)", self.name, self.bytes.len())
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
        let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(len)?));
        let bytes = range.and_then(|range| self.bytes.get(range)).map(<[u8]>::to_vec);
        let result = bytes.ok_or_else(|| SourceError::OutOfRange {
            file: self.name.clone(),
            offset,
            len: len as u64,
            size: self.len(),
        });
        Box::pin(std::future::ready(result))
    }
}

/// Reads exactly `len` bytes at `offset`, whatever the source's own checks are.
pub(crate) async fn read_exact(
    source: &dyn ByteSource,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, SourceError> {
    let size = source.len();
    if offset.checked_add(len as u64).is_none_or(|end| end > size) {
        return Err(SourceError::OutOfRange {
            file: source.name().to_owned(),
            offset,
            len: len as u64,
            size,
        });
    }
    if len == 0 {
        return Ok(Vec::new());
    }
    let bytes = source.read(offset, len).await?;
    if bytes.len() != len {
        return Err(SourceError::Short {
            file: source.name().to_owned(),
            offset,
            expected: len as u64,
            found: bytes.len() as u64,
        });
    }
    Ok(bytes)
}

/// The files a user opened together: one `.gguf`, or the files of a folder in the hub's layout.
#[derive(Clone, Default)]
pub struct FileSet {
    files: Vec<Rc<dyn ByteSource>>,
}

impl fmt::Debug for FileSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| (file.name(), file.len()))).finish()
    }
}

impl FromIterator<Rc<dyn ByteSource>> for FileSet {
    fn from_iter<I: IntoIterator<Item = Rc<dyn ByteSource>>>(files: I) -> Self {
        Self { files: files.into_iter().collect() }
    }
}

/// The part of a file's name after its last folder.
pub fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// The folders before a file's base name, with the separator; empty where there are none.
pub(crate) fn folder(name: &str) -> &str {
    &name[..name.len() - base_name(name).len()]
}

/// Number of folders in a path that ends with its separator.
pub(crate) fn depth(folder: &str) -> usize {
    folder.matches(['/', '\\']).count()
}

impl FileSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn push(&mut self, file: impl ByteSource + 'static) {
        self.files.push(Rc::new(file));
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file at `index`, in the order they were added.
    pub fn get(&self, index: usize) -> Option<&dyn ByteSource> {
        self.files.get(index).map(Rc::as_ref)
    }

    /// All files with their index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &dyn ByteSource)> {
        self.files.iter().map(Rc::as_ref).enumerate()
    }

    /// Index of the file with this base name; of several, the one in the fewest folders.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.iter()
            .filter(|(_, file)| base_name(file.name()) == name)
            .min_by_key(|(_, file)| depth(folder(file.name())))
            .map(|(index, _)| index)
    }

    /// Index of the file called `name` that belongs to file `index`: the one in the same folder,
    /// else one that was opened without a folder, else the only one in no deeper a folder (a link
    /// may have led elsewhere). What lies in deeper folders belongs to something else.
    pub fn find_beside(&self, index: usize, name: &str) -> Option<usize> {
        let here = self.get(index).map_or("", |file| folder(file.name()));
        let called: Vec<(usize, &str)> = self
            .iter()
            .filter(|(_, file)| base_name(file.name()) == name)
            .map(|(index, file)| (index, folder(file.name())))
            .collect();
        let in_folder = |wanted: &str| called.iter().find(|(_, folder)| *folder == wanted);
        let shallow: Vec<_> = called.iter().filter(|(_, folder)| depth(folder) <= depth(here)).collect();
        let only = if let [one] = shallow.as_slice() { Some(*one) } else { None };
        in_folder(here).or_else(|| in_folder("")).or(only).map(|(index, _)| *index)
    }

    /// The whole of a small file (`config.json`, `tokenizer.json`…).
    ///
    /// # Errors
    /// [`FormatError::FileTooLarge`] beyond `cap` bytes, so that a lying name cannot fill memory;
    /// [`FormatError::Source`] where the bytes cannot be read.
    pub async fn read_small(&self, index: usize, cap: u64) -> Result<Vec<u8>, FormatError> {
        let Some(file) = self.get(index) else {
            return Err(FormatError::NoFiles);
        };
        let bytes = file.len();
        match usize::try_from(bytes) {
            Ok(len) if bytes <= cap => Ok(read_exact(file, 0, len).await?),
            _ => Err(FormatError::FileTooLarge { file: file.name().to_owned(), bytes, cap }),
        }
    }
}
