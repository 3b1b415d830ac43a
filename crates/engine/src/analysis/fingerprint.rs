//! A fingerprint that tells models apart without reading them whole.

use glassbox_formats::{FileSet, order};
use sha2::{Digest, Sha256};

use crate::EngineError;

/// How [`fingerprint`] is made, in one sentence.
pub const FINGERPRINT_METHOD: &str = "SHA-256 over each file's name and size, its first 64 KiB and 16 ranges of \
     4 KiB spread over it; not over every byte.";

const HEAD: u64 = 64 << 10;
const RANGE: u64 = 4 << 10;
const RANGES: u64 = 16;

/// SHA-256 in hexadecimal digits, as [`FINGERPRINT_METHOD`] says. Files are taken in the order of their names.
///
/// # Errors
/// If a file cannot be read.
pub async fn fingerprint(files: &FileSet) -> Result<String, EngineError> {
    let mut all: Vec<_> = files.iter().map(|(_, file)| file).collect();
    order::sort_by(&mut all, |a, b| base_name(a.name()).cmp(base_name(b.name())));
    let mut hash = Sha256::new();
    for file in all {
        let (name, len) = (base_name(file.name()), file.len());
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(len.to_le_bytes());
        for (offset, size) in ranges(len) {
            let bytes = file.read(offset, size as usize).await;
            hash.update(bytes.map_err(glassbox_formats::FormatError::from)?);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The part of a name after its folders: the same files give the same fingerprint wherever they lie.
fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Ranges that are read of a file of `len` bytes: all of a small one.
fn ranges(len: u64) -> Vec<(u64, u64)> {
    if len <= HEAD + RANGES * RANGE {
        return vec![(0, len)];
    }
    let step = (len - HEAD - RANGE) / (RANGES - 1);
    let spread = (0..RANGES).map(|index| (HEAD + index * step, RANGE));
    std::iter::once((0, HEAD)).chain(spread).collect()
}
