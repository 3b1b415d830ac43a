//! Bounds on untrusted input, each far above what published models need.

/// Largest `tokenizer.json` read, in bytes. The largest in common use (Gemma 3) has 33 MB.
pub const MAX_TOKENIZER_JSON_BYTES: usize = 256 << 20;

/// Largest number of tokens in a vocabulary, and one more than the largest token id.
pub const MAX_TOKENS: usize = 1 << 22;

/// Largest text encoded at once, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Longest regular expression taken from a file, in bytes.
pub(crate) const MAX_PATTERN_BYTES: usize = 64 << 10;

/// How often a regular expression may step back on one match before it counts as failed.
pub(crate) const BACKTRACK_LIMIT: usize = 1_000_000;

/// Largest chat template, in bytes. The longest in common use have 20 KB.
pub const MAX_CHAT_TEMPLATE_BYTES: usize = 1 << 20;
