//! GGUF, llama.cpp's single-file format: metadata, vocabulary, tensor list, then the data.
//!
//! The header has no length of its own, so it is read in growing ranges until it ends. Every count
//! and length in it is bounded by the bytes that are left and by a cap before anything is allocated.
//! Layout: ggml's `docs/gguf.md`; rules on offsets and padding as in its `gguf.cpp`.

mod cursor;
mod metadata;
mod reader;
mod split;
mod types;
mod vocabulary;

pub use cursor::MAX_HEADER_BYTES;
pub use metadata::{Array, FromValue, Metadata, Value};
pub use reader::{Header, read_header};
pub(crate) use split::read_model;
pub use split::{Split, part_names};
pub use vocabulary::{TokenType, Vocabulary, byte_token};
