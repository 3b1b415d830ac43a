//! The vocabulary a GGUF file carries, as plain data.

/// What a vocabulary entry is, from `tokenizer.ggml.token_type` (llama.cpp's `llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// An ordinary piece of text.
    Normal,
    /// The unknown token.
    Unknown,
    /// A control token such as BOS or an end-of-turn mark; it has no text of its own.
    Control,
    /// Added by the user; matched verbatim.
    UserDefined,
    /// A slot that is never produced.
    Unused,
    /// One raw byte, written `<0xHH>`.
    Byte,
}

/// A GGUF file's `tokenizer.ggml.*` keys. All per-token lists have the same length as `tokens`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, …
    pub model: String,
    /// `tokenizer.ggml.pre`: the name of the pre-tokenizer's pattern, where given.
    pub pre: Option<String>,
    /// The pieces, in the file's own spelling (byte-level alphabet for `gpt2`, `▁` for `llama`).
    pub tokens: Vec<String>,
    /// Scores (log probabilities) for `llama` vocabularies; empty where absent.
    pub scores: Vec<f32>,
    /// Kind of each token; empty where absent.
    pub types: Vec<TokenType>,
    /// Merge rules `left right`, best first, for `gpt2` vocabularies.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`.
    pub unknown: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`, where given.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`, where given.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`, where given.
    pub add_space_prefix: Option<bool>,
    /// `tokenizer.chat_template`, where given.
    pub chat_template: Option<String>,
}
