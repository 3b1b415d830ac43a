//! Text to token ids and back.
//!
//! A [`Tokenizer`] is read from a hub `tokenizer.json` or from the vocabulary inside a GGUF file
//! (kinds `gpt2`, `llama`, `t5` and `bert`). Every token is known by its raw bytes ([`Piece`]), so that text is
//! rebuilt without loss even where a token holds a part of a character; [`DecodeStream`] does so
//! while a model generates, and [`display`] shows any bytes visibly. A [`chat::ChatTemplate`] turns
//! messages into the prompt a chat model expects.
//!
//! All input is untrusted: a bad file gives a [`TextError`], never a panic, and sizes are bounded.

#![forbid(unsafe_code)]

mod alphabet;
pub mod chat;
mod checked;
mod decoder;
mod display;
mod error;
mod fields;
mod gguf;
mod hub;
mod limits;
mod offsets;
mod pieces;
mod pipeline;
mod precompiled;
mod stream;
mod tokenizer;

pub use display::display;
pub use error::TextError;
pub use gguf::known_pre_tokenizers;
pub use limits::{MAX_CHAT_TEMPLATE_BYTES, MAX_TEXT_BYTES, MAX_TOKENIZER_JSON_BYTES, MAX_TOKENS};
pub use pieces::Piece;
pub use stream::DecodeStream;
pub use tokenizer::{Special, Tokenizer};
