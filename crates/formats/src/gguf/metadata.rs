//! The key-value metadata of a GGUF file.

use std::collections::BTreeMap;

use crate::FormatError;

/// One metadata value, in the type the file gives it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the type it holds")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array value; all elements have one type. Arrays of arrays are not accepted.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the type it holds")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl Value {
    /// The type's name, for messages: `u32`, `array of string`…
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::U8(_) => "u8",
            Self::I8(_) => "i8",
            Self::U16(_) => "u16",
            Self::I16(_) => "i16",
            Self::U32(_) => "u32",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
            Self::Bool(_) => "bool",
            Self::String(_) => "string",
            Self::U64(_) => "u64",
            Self::I64(_) => "i64",
            Self::F64(_) => "f64",
            Self::Array(array) => match array {
                Array::U8(_) => "array of u8",
                Array::I8(_) => "array of i8",
                Array::U16(_) => "array of u16",
                Array::I16(_) => "array of i16",
                Array::U32(_) => "array of u32",
                Array::I32(_) => "array of i32",
                Array::F32(_) => "array of f32",
                Array::Bool(_) => "array of bool",
                Array::String(_) => "array of string",
                Array::U64(_) => "array of u64",
                Array::I64(_) => "array of i64",
                Array::F64(_) => "array of f64",
            },
        }
    }

    /// The value as an integer of any width; `None` for other types.
    pub fn as_integer(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(n) => n.into(),
            Self::I8(n) => n.into(),
            Self::U16(n) => n.into(),
            Self::I16(n) => n.into(),
            Self::U32(n) => n.into(),
            Self::I32(n) => n.into(),
            Self::U64(n) => n.into(),
            Self::I64(n) => n.into(),
            _ => return None,
        })
    }
}

/// A type that a metadata value can be asked for as.
pub trait FromValue<'a>: Sized {
    /// What the type is called in [`FormatError::MetadataType`].
    const WANTED: &'static str;

    /// The value in this type; `None` where its type does not fit or the number is out of range.
    fn from_value(value: &'a Value) -> Option<Self>;
}

macro_rules! from_integer {
    ($($integer:ty, $wanted:literal;)*) => { $(
        impl FromValue<'_> for $integer {
            const WANTED: &'static str = $wanted;

            fn from_value(value: &Value) -> Option<Self> {
                value.as_integer()?.try_into().ok()
            }
        }
    )* };
}

from_integer! {
    u32, "an integer from 0 to 2^32-1";
    u64, "an integer from 0 to 2^64-1";
    i64, "a 64-bit integer";
}

impl FromValue<'_> for f32 {
    const WANTED: &'static str = "a floating-point number";

    fn from_value(value: &Value) -> Option<Self> {
        match *value {
            Value::F32(x) => Some(x),
            Value::F64(x) => Some(x as f32),
            _ => None,
        }
    }
}

impl FromValue<'_> for bool {
    const WANTED: &'static str = "a bool";

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(b) = value { Some(*b) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "a string";

    fn from_value(value: &'a Value) -> Option<Self> {
        if let Value::String(s) = value { Some(s) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a [String] {
    const WANTED: &'static str = "an array of strings";

    fn from_value(value: &'a Value) -> Option<Self> {
        if let Value::Array(Array::String(list)) = value { Some(list) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a [f32] {
    const WANTED: &'static str = "an array of f32";

    fn from_value(value: &'a Value) -> Option<Self> {
        if let Value::Array(Array::F32(list)) = value { Some(list) } else { None }
    }
}

/// One number, or a list of them: some keys (`*.attention.head_count_kv`) hold either a number for
/// all layers or one for each.
impl FromValue<'_> for Vec<u64> {
    const WANTED: &'static str = "a non-negative integer or an array of them";

    fn from_value(value: &Value) -> Option<Self> {
        fn list<T: Copy + TryInto<u64>>(list: &[T]) -> Option<Vec<u64>> {
            list.iter().map(|&n| n.try_into().ok()).collect()
        }
        match value {
            Value::Array(Array::U8(n)) => list(n),
            Value::Array(Array::I8(n)) => list(n),
            Value::Array(Array::U16(n)) => list(n),
            Value::Array(Array::I16(n)) => list(n),
            Value::Array(Array::U32(n)) => list(n),
            Value::Array(Array::I32(n)) => list(n),
            Value::Array(Array::U64(n)) => list(n),
            Value::Array(Array::I64(n)) => list(n),
            value => Some(vec![u64::from_value(value)?]),
        }
    }
}

/// A GGUF file's metadata by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(pub(super) BTreeMap<String, Value>);

impl Metadata {
    /// The value at `key` as it is stored.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value at `key` as a `T`; `None` where the key is absent.
    ///
    /// # Errors
    /// [`FormatError::MetadataType`] where the value is of another type or out of range.
    pub fn get<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<Option<T>, FormatError> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        match T::from_value(value) {
            Some(value) => Ok(Some(value)),
            None => Err(FormatError::MetadataType {
                key: key.to_owned(),
                wanted: T::WANTED,
                found: describe(value),
            }),
        }
    }

    /// The value at `key` as a `T`.
    ///
    /// # Errors
    /// [`FormatError::MetadataMissing`] where the key is absent, and as [`get`](Self::get).
    pub fn require<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<T, FormatError> {
        self.get(key)?.ok_or_else(|| FormatError::MetadataMissing { key: key.to_owned() })
    }

    /// `general.architecture`: the prefix of the keys that describe the model.
    ///
    /// # Errors
    /// As [`require`](Self::require).
    pub fn architecture(&self) -> Result<&str, FormatError> {
        self.require("general.architecture")
    }

    /// All keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }
}

impl FromIterator<(String, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// A value in a message: its type, and itself where it is short.
fn describe(value: &Value) -> String {
    match (value.as_integer(), value) {
        (Some(n), _) => format!("{n} ({})", value.type_name()),
        (None, Value::F32(x)) => format!("{x} (f32)"),
        (None, Value::F64(x)) => format!("{x} (f64)"),
        _ => format!("of type {}", value.type_name()),
    }
}
