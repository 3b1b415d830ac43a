//! Reads and checks a GGUF header.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::metadata::{Array, Metadata, Value};
use super::split::Split;
use super::types::{GgmlType, ggml_type};
use crate::dtype::{UnsupportedTensor, block_bytes_for, element_count};
use crate::f8::Encoding;
use crate::{ByteSource, FormatError, TensorInfo};

/// Most metadata keys and tensors a file may have. Real files have dozens and hundreds.
const MAX_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 17;
/// Longest key or tensor name in bytes (the format's own limit for keys).
const MAX_NAME_BYTES: u64 = 65_535;
/// Longest string value in bytes; chat templates are the longest real ones, below 100 kB.
const MAX_STRING_BYTES: u64 = 16 << 20;
/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
const MAX_DIMENSIONS: u32 = 4;
/// Alignment of the data where `general.alignment` does not say.
const DEFAULT_ALIGNMENT: u64 = 32;

/// A checked GGUF header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The format's version: 2 or 3.
    pub version: u32,
    /// All metadata, vocabulary included.
    pub metadata: Metadata,
    /// Which part of a split model the file is; `None` for a model in one file.
    pub split: Option<Split>,
    /// Tensors that can be read, in the order of their data; none in a vocabulary-only file.
    pub tensors: Vec<TensorInfo>,
    /// Integer and double tensors, which no weights are stored in.
    pub unsupported: Vec<UnsupportedTensor>,
}

/// Reads and checks the header of `source`, which is file number `file` of its set.
///
/// Bytes after the last tensor are allowed: writers pad the end.
///
/// # Errors
/// A [`FormatError`] that names the first fault found.
pub async fn read_header(source: &dyn ByteSource, file: usize) -> Result<Header, FormatError> {
    let cursor = &mut Cursor::new(source);
    let version = read_version(cursor).await?;
    let tensor_count = read_count(cursor, "number of tensors", MAX_TENSORS, 24).await?;
    let key_count = read_count(cursor, "number of metadata keys", MAX_KEYS, 13).await?;
    let metadata = read_metadata(cursor, key_count).await?;
    let alignment = alignment(cursor, &metadata)?;
    let split = Split::read(&cursor.file(), &metadata)?;
    let mut entries = Vec::new();
    for _ in 0..tensor_count {
        entries.push(read_tensor(cursor).await?);
    }
    let data_start = cursor.position().next_multiple_of(alignment);
    let (tensors, unsupported) = place(source, file, data_start, alignment, entries)?;
    Ok(Header { version, metadata, split, tensors, unsupported })
}

async fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, FormatError> {
    if &cursor.array().await? != b"GGUF" {
        let (what, message) = ("magic number".to_owned(), "the file does not start with GGUF".to_owned());
        return Err(FormatError::GgufInvalid { file: cursor.file(), what, message });
    }
    let version = cursor.u32().await?;
    match version {
        2 | 3 => Ok(version),
        // A version in the other byte order: its low half is empty.
        v if v != 0 && v & 0xffff == 0 => Err(FormatError::GgufBigEndian { file: cursor.file() }),
        version => Err(FormatError::GgufVersion { file: cursor.file(), version }),
    }
}

/// A count of things that take at least `least` bytes each.
async fn read_count(cursor: &mut Cursor<'_>, what: &str, cap: u64, least: u64) -> Result<u64, FormatError> {
    let count = cursor.u64().await?;
    if count > cap {
        return Err(FormatError::GgufLimit { file: cursor.file(), what: what.to_owned(), value: count, cap });
    }
    cursor.require(count.saturating_mul(least))?;
    Ok(count)
}

async fn read_metadata(cursor: &mut Cursor<'_>, count: u64) -> Result<Metadata, FormatError> {
    let mut pairs = BTreeMap::new();
    for index in 0..count {
        let key = cursor.string(MAX_NAME_BYTES, || format!("metadata key {}", index + 1)).await?;
        let value_type = cursor.u32().await?;
        let value = if value_type == ARRAY {
            Value::Array(read_array(cursor, &key).await?)
        } else {
            read_scalar(cursor, &key, value_type).await?
        };
        if pairs.contains_key(&key) {
            return Err(FormatError::DuplicateName { file: cursor.file(), name: key });
        }
        pairs.insert(key, value);
    }
    Ok(Metadata(pairs))
}

const ARRAY: u32 = 9;

fn invalid(cursor: &Cursor<'_>, key: &str, message: String) -> FormatError {
    FormatError::GgufInvalid { file: cursor.file(), what: format!("metadata key {key:?}"), message }
}

async fn read_scalar(cursor: &mut Cursor<'_>, key: &str, value_type: u32) -> Result<Value, FormatError> {
    Ok(match value_type {
        0 => Value::U8(u8::from_le_bytes(cursor.array().await?)),
        1 => Value::I8(i8::from_le_bytes(cursor.array().await?)),
        2 => Value::U16(u16::from_le_bytes(cursor.array().await?)),
        3 => Value::I16(i16::from_le_bytes(cursor.array().await?)),
        4 => Value::U32(cursor.u32().await?),
        5 => Value::I32(i32::from_le_bytes(cursor.array().await?)),
        6 => Value::F32(f32::from_le_bytes(cursor.array().await?)),
        7 => {
            let [byte] = cursor.array().await?;
            Value::Bool(boolean(byte).ok_or_else(|| invalid(cursor, key, format!("a bool of value {byte}")))?)
        }
        8 => Value::String(cursor.string(MAX_STRING_BYTES, || format!("metadata key {key:?}")).await?),
        10 => Value::U64(cursor.u64().await?),
        11 => Value::I64(i64::from_le_bytes(cursor.array().await?)),
        12 => Value::F64(f64::from_le_bytes(cursor.array().await?)),
        other => return Err(invalid(cursor, key, format!("value type {other} does not exist"))),
    })
}

fn boolean(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

async fn read_array(cursor: &mut Cursor<'_>, key: &str) -> Result<Array, FormatError> {
    let element_type = cursor.u32().await?;
    let count = cursor.u64().await?;
    Ok(match element_type {
        0 => Array::U8(numbers(cursor, count, u8::from_le_bytes).await?),
        1 => Array::I8(numbers(cursor, count, i8::from_le_bytes).await?),
        2 => Array::U16(numbers(cursor, count, u16::from_le_bytes).await?),
        3 => Array::I16(numbers(cursor, count, i16::from_le_bytes).await?),
        4 => Array::U32(numbers(cursor, count, u32::from_le_bytes).await?),
        5 => Array::I32(numbers(cursor, count, i32::from_le_bytes).await?),
        6 => Array::F32(numbers(cursor, count, f32::from_le_bytes).await?),
        7 => {
            let bytes = numbers(cursor, count, |[byte]: [u8; 1]| byte).await?;
            let flags = bytes.into_iter().map(boolean).collect::<Option<_>>();
            Array::Bool(
                flags.ok_or_else(|| invalid(cursor, key, "a bool that is neither 0 nor 1".to_owned()))?,
            )
        }
        8 => Array::String(strings(cursor, key, count).await?),
        ARRAY => return Err(invalid(cursor, key, "an array of arrays".to_owned())),
        10 => Array::U64(numbers(cursor, count, u64::from_le_bytes).await?),
        11 => Array::I64(numbers(cursor, count, i64::from_le_bytes).await?),
        12 => Array::F64(numbers(cursor, count, f64::from_le_bytes).await?),
        other => return Err(invalid(cursor, key, format!("array element type {other} does not exist"))),
    })
}

async fn numbers<const N: usize, T>(
    cursor: &mut Cursor<'_>,
    count: u64,
    convert: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, FormatError> {
    let bytes = count.saturating_mul(N as u64);
    cursor.require(bytes)?;
    // Within the header's cap now, so within usize.
    let bytes = cursor.bytes(bytes as usize).await?;
    Ok(bytes.as_chunks::<N>().0.iter().map(|chunk| convert(*chunk)).collect())
}

async fn strings(cursor: &mut Cursor<'_>, key: &str, count: u64) -> Result<Vec<String>, FormatError> {
    /// Room set aside before the strings are there; a longer list grows as it is read.
    const RESERVE: u64 = 1 << 14;
    cursor.require(count.saturating_mul(8))?;
    let mut list = Vec::with_capacity(count.min(RESERVE) as usize);
    for index in 0..count {
        list.push(
            cursor.string(MAX_STRING_BYTES, || format!("element {index} of metadata key {key:?}")).await?,
        );
    }
    Ok(list)
}

fn alignment(cursor: &Cursor<'_>, metadata: &Metadata) -> Result<u64, FormatError> {
    match metadata.value("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::U32(n)) if n.is_power_of_two() && n >= 8 => Ok(n.into()),
        Some(other) => {
            let value = other.as_integer().map_or_else(
                || format!("of type {}", other.type_name()),
                |n| format!("{n} ({})", other.type_name()),
            );
            Err(FormatError::GgufAlignment { file: cursor.file(), value })
        }
    }
}

/// A tensor as the header lists it.
struct Entry {
    name: String,
    shape: Vec<u64>,
    kind: GgmlType,
    /// From the start of the data.
    offset: u64,
    bytes: u64,
}

async fn read_tensor(cursor: &mut Cursor<'_>) -> Result<Entry, FormatError> {
    let name = cursor.string(MAX_NAME_BYTES, || "a tensor's name".to_owned()).await?;
    let rank = cursor.u32().await?;
    if rank > MAX_DIMENSIONS {
        return Err(FormatError::GgufLimit {
            file: cursor.file(),
            what: format!("number of dimensions of tensor {name}"),
            value: rank.into(),
            cap: MAX_DIMENSIONS.into(),
        });
    }
    let mut shape = Vec::with_capacity(rank as usize);
    for _ in 0..rank {
        shape.push(cursor.u64().await?);
    }
    shape.reverse();
    let type_id = cursor.u32().await?;
    let offset = cursor.u64().await?;
    let Some(kind) = ggml_type(type_id) else {
        let (file, dtype) = (cursor.file(), format!("ggml type {type_id}"));
        return Err(FormatError::UnsupportedDType { file, tensor: name, dtype, tensors: 1 });
    };
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(kind.block_elements) {
        return Err(FormatError::GgufInvalid {
            file: cursor.file(),
            what: format!("tensor {name}"),
            message: format!(
                "rows of {row} elements are not whole {} blocks of {}",
                kind.name, kind.block_elements
            ),
        });
    }
    let bytes = element_count(&shape).and_then(|n| block_bytes_for(n, kind.block_elements, kind.block_bytes));
    let Some(bytes) = bytes else {
        return Err(FormatError::ShapeOverflow { file: cursor.file(), tensor: name, shape });
    };
    Ok(Entry { name, shape, kind, offset, bytes })
}

/// Checks that the tensors follow one another, each padded to `alignment`, and lie in the file.
fn place(
    source: &dyn ByteSource,
    file: usize,
    data_start: u64,
    alignment: u64,
    entries: Vec<Entry>,
) -> Result<(Vec<TensorInfo>, Vec<UnsupportedTensor>), FormatError> {
    let file_name = || source.name().to_owned();
    refuse_unsupported_weights(source, &entries)?;
    let (mut tensors, mut unsupported) = (Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    let mut expected = 0u64;
    let mut needed = 0u64;
    for Entry { name, shape, kind, offset, bytes } in entries {
        if !seen.insert(name.clone()) {
            return Err(FormatError::DuplicateName { file: file_name(), name });
        }
        if offset != expected {
            return Err(FormatError::GgufOffset { file: file_name(), tensor: name, expected, found: offset });
        }
        let end = data_start.checked_add(offset).and_then(|start| start.checked_add(bytes));
        let padded = bytes.checked_next_multiple_of(alignment).and_then(|bytes| offset.checked_add(bytes));
        let (Some(end), Some(padded)) = (end, padded) else {
            return Err(FormatError::ShapeOverflow { file: file_name(), tensor: name, shape });
        };
        expected = padded;
        if bytes > 0 {
            needed = end;
        }
        match kind.dtype {
            Some(dtype) => {
                let (offset, encoding) = (data_start + offset, Encoding::Plain);
                tensors.push(TensorInfo { name, shape, dtype, encoding, file, offset, bytes });
            }
            None => unsupported.push(UnsupportedTensor { name, dtype: kind.name.to_owned(), file, bytes }),
        }
    }
    if needed > source.len() {
        return Err(FormatError::Truncated { file: file_name(), needed, actual: source.len() });
    }
    Ok((tensors, unsupported))
}

/// A quantisation that is not supported is told at once, with how much of the file uses it.
fn refuse_unsupported_weights(source: &dyn ByteSource, entries: &[Entry]) -> Result<(), FormatError> {
    let refused = |entry: &&Entry| entry.kind.is_weights() && entry.kind.dtype.is_none();
    let Some(first) = entries.iter().find(refused) else {
        return Ok(());
    };
    Err(FormatError::UnsupportedDType {
        file: source.name().to_owned(),
        tensor: first.name.clone(),
        dtype: first.kind.name.to_owned(),
        tensors: entries.iter().filter(|entry| entry.kind.name == first.kind.name).count(),
    })
}
