//! What can go wrong with a tokenizer or a text.

use crate::limits::{MAX_TEXT_BYTES, MAX_TOKENIZER_JSON_BYTES, MAX_TOKENS};

/// An error of this crate. [`code`](Self::code) is stable; [`hint`](Self::hint) says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file is not JSON of the expected shape.
    #[error("the tokenizer's JSON cannot be read: {reason}")]
    Json {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The file is well-formed, but a part of it contradicts another or lacks something.
    #[error("the tokenizer is not consistent: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// The file uses a part this version does not know.
    #[error("the tokenizer uses {what}, which is not supported")]
    Unsupported {
        /// The unsupported part.
        what: String,
    },
    /// More than the stated bounds.
    #[error("{what} has {size}, more than the {limit} allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The bound.
        limit: usize,
    },
    /// `tokenizer.ggml.model` names a kind of vocabulary this version does not know.
    #[error("the vocabulary is of the kind '{kind}'; known kinds are gpt2, llama, t5 and bert")]
    UnknownKind {
        /// The kind in the file.
        kind: String,
    },
    /// `tokenizer.ggml.pre` names a pattern this version does not know.
    #[error("the pre-tokenizer '{name}' is not known; known ones are {known}")]
    UnknownPreTokenizer {
        /// The name in the file.
        name: String,
        /// All known names.
        known: String,
    },
    /// A regular expression of the tokenizer cannot be compiled.
    #[error("the pattern {pattern:?} of the tokenizer cannot be compiled: {reason}")]
    Pattern {
        /// The start of the expression.
        pattern: String,
        /// What the regex engine says.
        reason: String,
    },
    /// A regular expression gave up on this text; going on would give different tokens.
    #[error("the pattern {pattern:?} of the tokenizer steps back too often on this text: {reason}")]
    Backtracking {
        /// The start of the expression.
        pattern: String,
        /// What the regex engine says.
        reason: String,
    },
    /// The vocabulary has no token for a part of the text.
    #[error("the vocabulary has no token for {text:?}")]
    Unencodable {
        /// The part of the text.
        text: String,
    },
    /// A token id that the vocabulary does not have.
    #[error("there is no token {id}; the vocabulary ends at {last}")]
    NoSuchToken {
        /// The id asked for.
        id: u32,
        /// The largest id there is.
        last: u32,
    },
    /// A conversation is not a list of messages.
    #[error("the conversation cannot be read: {reason}")]
    ChatMessages {
        /// What is wrong.
        reason: String,
    },
    /// The model has chat templates, but not the one asked for.
    #[error("there is no chat template '{name}'; the model has {known}")]
    NoChatTemplate {
        /// The name asked for.
        name: String,
        /// All names there are.
        known: String,
    },
    /// The chat template cannot be compiled, or fails on these messages.
    #[error("the chat template does not work here: {reason}")]
    ChatTemplate {
        /// The line and what is wrong there.
        reason: String,
    },
    /// The template says itself that it does not take these messages.
    #[error("the chat template refuses these messages: {reason}")]
    ChatRefused {
        /// The template's own words.
        reason: String,
    },
    /// The template would take more than a template may.
    #[error("the chat template {what} than a template may")]
    ChatTemplateLimit {
        /// What it takes more of.
        what: &'static str,
    },
    /// The tokenizer's model refused the text.
    #[error("the text cannot be tokenized: {reason}")]
    Encode {
        /// What the tokenizers library says.
        reason: String,
    },
}

impl TextError {
    /// A stable name for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "tokenizer_json",
            Self::Invalid { .. } => "tokenizer_invalid",
            Self::Unsupported { .. } => "tokenizer_unsupported",
            Self::TooLarge { .. } => "text_too_large",
            Self::UnknownKind { .. } => "vocabulary_kind",
            Self::UnknownPreTokenizer { .. } => "pre_tokenizer",
            Self::Pattern { .. } => "tokenizer_pattern",
            Self::Backtracking { .. } => "tokenizer_backtracking",
            Self::Unencodable { .. } => "text_unencodable",
            Self::NoSuchToken { .. } => "no_such_token",
            Self::ChatMessages { .. } => "chat_messages",
            Self::NoChatTemplate { .. } => "no_chat_template",
            Self::ChatTemplate { .. } => "chat_template",
            Self::ChatRefused { .. } => "chat_refused",
            Self::ChatTemplateLimit { .. } => "chat_template_limit",
            Self::Encode { .. } => "text_encode",
        }
    }

    /// What the reader can do about it, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Json { .. } => {
                "Check that the file is a complete tokenizer.json, not a web page or a Git LFS pointer, \
                 and download it again."
                    .into()
            }
            Self::Invalid { .. } => {
                "Download the model's tokenizer again, or convert the model again.".into()
            }
            Self::Unsupported { .. } | Self::UnknownKind { .. } | Self::UnknownPreTokenizer { .. } => {
                "Open the model without its tokenizer and give the prompt as token ids, or report the model."
                    .into()
            }
            Self::TooLarge { .. } => format!(
                "The bounds are {MAX_TOKENIZER_JSON_BYTES} bytes of tokenizer.json, {MAX_TOKENS} tokens and \
                 {MAX_TEXT_BYTES} bytes of text."
            ),
            Self::Pattern { .. } => "The tokenizer file is damaged or not meant for this use.".into(),
            Self::Backtracking { .. } => {
                "Shorten the longest run of equal characters in the text, or split the text.".into()
            }
            Self::Unencodable { .. } => "Remove these characters, or give the prompt as token ids.".into(),
            Self::NoSuchToken { .. } => "Use ids below the size of the vocabulary.".into(),
            Self::ChatMessages { .. } => {
                "Give a JSON list of objects with \"role\" and \"content\", at least one.".into()
            }
            Self::NoChatTemplate { .. } => "Ask for one of the templates that are there.".into(),
            Self::ChatTemplate { .. } => {
                "Check that the messages have what the template reads, or write the prompt by hand.".into()
            }
            Self::ChatRefused { .. } => "Change the messages' roles or order as it says.".into(),
            Self::ChatTemplateLimit { .. } => "Use fewer messages, or write the prompt by hand.".into(),
            Self::Encode { .. } => "Change the text, or give the prompt as token ids.".into(),
        }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: shorten(&reason.into()) }
    }

    /// For text that is not the JSON it should be.
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Json { reason: shorten(&error.to_string()) }
    }

    /// From an error of the `tokenizers` crate; our own errors come back as they were.
    pub(crate) fn from_tokenizers(error: tokenizers::Error) -> Self {
        match error.downcast::<TextError>() {
            Ok(own) => *own,
            Err(other) => Self::Encode { reason: shorten(&other.to_string()) },
        }
    }
}

/// At most 200 characters of text that comes from a file, for use in messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
