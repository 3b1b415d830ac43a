//! From files to named tensors: safetensors, GGUF, `config.json`, vocabularies, model cards.
//!
//! Nothing here does I/O or knows the engine. Files are read through [`ByteSource`] in ranges:
//! [`Checkpoint::open`] reads headers only, and [`Checkpoint::read`] any part of a tensor, so that a
//! file of 10 GB needs no more memory than its largest piece in flight.
//!
//! Every file is taken to be hostile. Offsets, counts and products are checked `u64` (wasm32 has a
//! 32-bit `usize`), lengths are bounded by the file and by a cap before anything is allocated, and
//! each fault is a [`FormatError`] that names its cause.
//!
//! ```
//! # use glassbox_formats::{Checkpoint, FileSet, MemorySource};
//! # futures_lite::future::block_on(async {
//! let mut files = FileSet::new();
//! files.push(MemorySource::new("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n".to_vec()));
//! let error = Checkpoint::open(files).await.unwrap_err();
//! assert_eq!(error.code(), "lfs_pointer");
//! println!("{error}. {}", error.hint());
//! # });
//! ```

#![forbid(unsafe_code)]

mod adapter;
pub mod card;
mod checkpoint;
mod content;
pub mod dequant;
mod dtype;
mod error;
mod f8;
pub mod gguf;
pub mod order;
mod quantisation;
pub mod safetensors;
mod select;
mod shards;
mod source;

pub use adapter::{Adapter, AdapterNames, AdapterTerm};
pub use card::Card;
pub use checkpoint::{Checkpoint, Config, FileInfo, Format, Storage, TokenizerFiles};
pub use content::Content;
pub use dtype::{DType, TensorInfo, UnsupportedTensor};
pub use error::FormatError;
pub use f8::{Encoding, F8, Scale};
pub use source::{ByteSource, FileSet, MemorySource, ReadFuture, SourceError, base_name};
