//! The safetensors header: eight bytes of length, then JSON that names every tensor.
//!
//! Read here and not by the `safetensors` crate, which wants the whole file in one slice and counts
//! in `usize` bits: on wasm32 a valid tensor of 512 MiB is already too much for it. The rules are the
//! format's own (github.com/huggingface/safetensors, "Format"), all in `u64`.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::dtype::{UnsupportedTensor, element_count};
use crate::f8::{Encoding, F8};
use crate::source::{base_name, read_exact};
use crate::{ByteSource, DType, FormatError, TensorInfo, order};

/// Largest JSON header read, in bytes. The format allows 100 MB; real headers take about 100 bytes
/// a tensor, and parsing needs a few times the header in memory.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;

/// Most dimensions a tensor may have.
pub const MAX_DIMENSIONS: usize = 16;

/// First read of a file: holds the whole header of most models, so that one request is enough.
const FIRST_READ: u64 = 64 << 10;

/// A checked header: the tensors lie in the file one after another and fill it to its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// Tensors that can be read, in the order of their data.
    pub tensors: Vec<TensorInfo>,
    /// Tensors of types that are not supported.
    pub unsupported: Vec<UnsupportedTensor>,
}

/// Reads and checks the header of `source`, which is file number `file` of its set.
///
/// # Errors
/// A [`FormatError`] that names the first fault found.
pub async fn read_header(source: &dyn ByteSource, file: usize) -> Result<Header, FormatError> {
    let name = source.name();
    let size = source.len();
    let truncated = |needed| FormatError::Truncated { file: name.to_owned(), needed, actual: size };
    let mut head = read_exact(source, 0, size.min(FIRST_READ) as usize).await?;
    let Some(length) = head.first_chunk::<8>() else {
        return Err(truncated(8));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(FormatError::HeaderTooLarge {
            file: name.to_owned(),
            bytes: length,
            cap: MAX_HEADER_BYTES,
        });
    }
    let data_start = 8 + length;
    if data_start > size {
        return Err(truncated(data_start));
    }
    let have = head.len() as u64;
    if data_start > have {
        head.extend(read_exact(source, have, (data_start - have) as usize).await?);
    }
    let json = &head[8..data_start as usize];
    if json.first() != Some(&b'{') {
        let message = "it does not start with '{'".to_owned();
        return Err(FormatError::SafetensorsHeader { file: name.to_owned(), message });
    }
    let entries: Entries = serde_json::from_slice(json)
        .map_err(|e| FormatError::SafetensorsHeader { file: name.to_owned(), message: e.to_string() })?;
    check(name, file, size, data_start, entries)
}

/// Each tensor by itself, then all of them together.
fn check(
    file_name: &str,
    file: usize,
    size: u64,
    data_start: u64,
    Entries { mut tensors, metadata }: Entries,
) -> Result<Header, FormatError> {
    unique(file_name, metadata.iter().map(|(key, _)| key))?;
    unique(file_name, tensors.iter().map(|(key, _)| key))?;
    order::sort_by_key(&mut tensors, |(_, entry)| entry.data_offsets);
    for (tensor, entry) in &tensors {
        check_size(file_name, tensor, entry)?;
    }
    check_places(file_name, size, data_start, &tensors)?;

    let mut header = Header::default();
    for (name, Entry { dtype, shape, data_offsets: [start, end] }) in tensors {
        let (offset, bytes) = (data_start + start, end - start);
        let shape = shape.0;
        if let Some(dtype) = supported(&dtype) {
            let encoding = Encoding::Plain;
            header.tensors.push(TensorInfo { name, shape, dtype, encoding, file, offset, bytes });
        } else if let Some(format) = F8::of(&dtype) {
            let tensor = TensorInfo::f8(name.clone(), shape.clone(), format, file, [offset, bytes]);
            let overflow = || FormatError::ShapeOverflow { file: file_name.to_owned(), tensor: name, shape };
            header.tensors.push(tensor.ok_or_else(overflow)?);
        } else {
            header.unsupported.push(UnsupportedTensor { name, dtype, file, bytes });
        }
    }
    Ok(header)
}

/// The offsets must give a tensor the bytes that its shape and type take.
fn check_size(name: &str, tensor: &str, entry: &Entry) -> Result<(), FormatError> {
    let (file, tensor) = (name.to_owned(), tensor.to_owned());
    let [start, end] = entry.data_offsets;
    let Some(found) = end.checked_sub(start) else {
        let message = format!("tensor {tensor} ends at byte {end}, before its start {start}");
        return Err(FormatError::SafetensorsHeader { file, message });
    };
    let shape = entry.shape.0.clone();
    match stored_bytes(entry) {
        Ok(expected) if expected.is_none_or(|expected| expected == found) => Ok(()),
        Ok(expected) => {
            let (dtype, expected) = (entry.dtype.clone(), expected.unwrap_or(found));
            Err(FormatError::SizeMismatch { file, tensor, shape, dtype, expected, found })
        }
        Err(Overflow) => Err(FormatError::ShapeOverflow { file, tensor, shape }),
    }
}

/// The tensors, sorted by offset, must follow one another without a gap to the file's end.
fn check_places(
    name: &str,
    size: u64,
    data_start: u64,
    tensors: &[(String, Entry)],
) -> Result<(), FormatError> {
    let file = name.to_owned();
    let mut end = 0;
    for (tensor, Entry { data_offsets: [start, stop], .. }) in tensors {
        let (tensor, start) = (|| tensor.clone(), *start);
        match start.cmp(&end) {
            Ordering::Less => return Err(FormatError::TensorOverlap { file, tensor: tensor(), start, end }),
            Ordering::Greater => return Err(FormatError::TensorHole { file, tensor: tensor(), start, end }),
            Ordering::Equal => end = *stop,
        }
    }
    let needed = data_start.saturating_add(end);
    match needed.cmp(&size) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(FormatError::Truncated { file, needed, actual: size }),
        Ordering::Less => Err(FormatError::TrailingBytes { file, expected: needed, actual: size }),
    }
}

fn unique<'a>(file: &str, names: impl Iterator<Item = &'a String>) -> Result<(), FormatError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(FormatError::DuplicateName { file: file.to_owned(), name: name.clone() });
        }
    }
    Ok(())
}

fn supported(dtype: &str) -> Option<DType> {
    match dtype {
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        _ => None,
    }
}

/// A size that does not fit in 64 bits.
struct Overflow;

/// Bytes that shape and type take; `None` for a type unknown to us.
fn stored_bytes(entry: &Entry) -> Result<Option<u64>, Overflow> {
    let bits = match entry.dtype.as_str() {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        _ => return Ok(None),
    };
    let elements = element_count(&entry.shape.0).ok_or(Overflow)?;
    // Bits in u128: 2^61 bytes still count as a size, and are then found to exceed the file.
    u64::try_from((u128::from(elements) * bits).div_ceil(8)).map(Some).map_err(|_| Overflow)
}

/// The header's JSON as it stands, duplicates included.
#[derive(Default)]
struct Entries {
    tensors: Vec<(String, Entry)>,
    metadata: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Dimensions,
    data_offsets: [u64; 2],
}

struct Dimensions(Vec<u64>);

impl<'de> Deserialize<'de> for Dimensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Dimensions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_DIMENSIONS} dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Dimensions, A::Error> {
                let mut dimensions = Vec::new();
                while let Some(n) = list.next_element()? {
                    if dimensions.len() == MAX_DIMENSIONS {
                        return Err(A::Error::invalid_length(MAX_DIMENSIONS + 1, &self));
                    }
                    dimensions.push(n);
                }
                Ok(Dimensions(dimensions))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Entries::default();
                let mut metadata_seen = false;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "__metadata__" {
                        let entry = map.next_value().map_err(|e| A::Error::custom(format!("{key}: {e}")))?;
                        entries.tensors.push((key, entry));
                    } else if std::mem::replace(&mut metadata_seen, true) {
                        return Err(A::Error::custom("__metadata__ is there twice"));
                    } else {
                        entries.metadata = map.next_value::<Pairs<String>>()?.0;
                    }
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A JSON object's entries in order, so that duplicate keys can be seen.
pub(crate) struct Pairs<V>(pub(crate) Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }

            fn visit_unit<E>(self) -> Result<Pairs<V>, E> {
                Ok(Pairs(Vec::new()))
            }
        }
        deserializer.deserialize_any(Object(PhantomData))
    }
}

/// `model.safetensors.index.json`: which shard holds which tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    /// Tensor name and shard file name (without folders), in the file's order.
    pub weight_map: Vec<(String, String)>,
}

impl ShardIndex {
    /// Parses the index in `bytes`, from the file called `name`.
    ///
    /// `metadata.total_size` is not compared: published indexes with a stale one are common, and
    /// every shard is checked against its own header.
    ///
    /// # Errors
    /// [`FormatError::InvalidJson`], [`FormatError::DuplicateName`], or [`FormatError::IndexPath`]
    /// where a shard's name leads to another folder.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: Pairs<String>,
            #[serde(default, rename = "metadata")]
            _metadata: Option<IgnoredAny>,
        }
        let index: Index = serde_json::from_slice(bytes)
            .map_err(|e| FormatError::InvalidJson { file: name.to_owned(), message: e.to_string() })?;
        let weight_map = index.weight_map.0;
        unique(name, weight_map.iter().map(|(tensor, _)| tensor))?;
        if let Some((_, shard)) =
            weight_map.iter().find(|(_, shard)| base_name(shard) != shard || shard == "..")
        {
            return Err(FormatError::IndexPath { index: name.to_owned(), shard: shard.clone() });
        }
        if weight_map.is_empty() {
            let message = "weight_map names no tensor".to_owned();
            return Err(FormatError::InvalidJson { file: name.to_owned(), message });
        }
        Ok(Self { weight_map })
    }

    /// The shards' file names, each once, sorted.
    pub fn shards(&self) -> BTreeSet<&str> {
        order::gather(self.weight_map.iter().map(|(_, shard)| shard.as_str()))
    }
}
