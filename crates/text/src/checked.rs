//! Normalizers and pre-tokenizers whose regular expressions report failure.
//!
//! The `tokenizers` crate without its C library takes a regex that gives up for the end of all
//! matches, and so gives other tokens without a word. Every component that runs a regex over the
//! text is therefore run here; all others stay the crate's own.

use std::sync::{Mutex, PoisonError};

use fancy_regex::{Regex, RegexBuilder};
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    NormalizedString, Normalizer, Offsets, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior,
};

use crate::error::{TextError, shorten};
use crate::limits::{BACKTRACK_LIMIT, MAX_PATTERN_BYTES};

/// A regular expression that says when it gave up.
#[derive(Debug)]
pub(crate) struct CheckedRegex(Regex);

impl CheckedRegex {
    pub(crate) fn new(pattern: &str) -> Result<Self, TextError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            let (size, limit) = (pattern.len(), MAX_PATTERN_BYTES);
            return Err(TextError::TooLarge { what: "a pattern of the tokenizer", size, limit });
        }
        let regex = RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_LIMIT).build();
        regex.map(Self).map_err(|error| TextError::Pattern {
            pattern: shorten(pattern),
            reason: shorten(&error.to_string()),
        })
    }

    /// An expression that matches `text` literally.
    pub(crate) fn literal(text: &str) -> Result<Self, TextError> {
        Self::new(&fancy_regex::escape(text))
    }

    /// The whole of `text` in order, each part with whether it is a match.
    pub(crate) fn parts(&self, text: &str) -> Result<Vec<(Offsets, bool)>, TextError> {
        let mut parts = Vec::new();
        let mut end = 0;
        for found in self.0.find_iter(text) {
            let found = found.map_err(|error| TextError::Backtracking {
                pattern: shorten(self.0.as_str()),
                reason: error.to_string(),
            })?;
            if end < found.start() {
                parts.push(((end, found.start()), false));
            }
            parts.push(((found.start(), found.end()), true));
            end = found.end();
        }
        if end < text.len() || text.is_empty() {
            parts.push(((end, text.len()), false));
        }
        Ok(parts)
    }
}

impl Pattern for &CheckedRegex {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        Ok(self.parts(inside)?)
    }
}

/// A normalizer of tokenizer.json.
pub(crate) enum CheckedNormalizer {
    Replace { pattern: CheckedRegex, content: String },
    Sequence(Vec<CheckedNormalizer>),
    Plain(Box<dyn Normalizer + Send + Sync>),
}

impl Normalizer for CheckedNormalizer {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        match self {
            Self::Replace { pattern, content } => {
                // Text put between two characters belongs to neither, and the crate's bookkeeping
                // of where characters come from breaks on it.
                let is_empty = |&((start, end), is_match): &(Offsets, bool)| is_match && start == end;
                if pattern.parts(text.get())?.iter().any(is_empty) {
                    let what = "a normalizer that replaces the space between characters".into();
                    return Err(TextError::Unsupported { what }.into());
                }
                text.replace(pattern, content)
            }
            Self::Sequence(steps) => steps.iter().try_for_each(|step| step.normalize(text)),
            Self::Plain(normalizer) => normalizer.normalize(text),
        }
    }
}

/// Keeps the first error of a normalizer, for callers that drop it.
pub(crate) struct Recorded<'a> {
    normalizer: &'a CheckedNormalizer,
    error: Mutex<Option<TextError>>,
}

impl<'a> Recorded<'a> {
    pub(crate) fn new(normalizer: &'a CheckedNormalizer) -> Self {
        Self { normalizer, error: Mutex::new(None) }
    }

    /// The first error since the start.
    pub(crate) fn finish(self) -> Result<(), TextError> {
        self.error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

impl Normalizer for Recorded<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        self.normalizer.normalize(text).map_err(|error| {
            let error = TextError::from_tokenizers(error);
            let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
            error.into()
        })
    }
}

/// A pre-tokenizer of tokenizer.json.
pub(crate) enum CheckedPreTokenizer {
    Split { pattern: CheckedRegex, behavior: SplitDelimiterBehavior, invert: bool },
    ByteLevel { add_prefix_space: bool, pattern: Option<CheckedRegex> },
    Sequence(Vec<CheckedPreTokenizer>),
    Plain(Box<dyn PreTokenizer + Send + Sync>),
}

impl PreTokenizer for CheckedPreTokenizer {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Self::Split { pattern, behavior, invert: false } => {
                text.split(|_, part| part.split(pattern, *behavior))
            }
            Self::Split { pattern, behavior, invert: true } => {
                text.split(|_, part| part.split(Invert(pattern), *behavior))
            }
            Self::ByteLevel { add_prefix_space, pattern } => {
                text.split(|_, mut part| {
                    if *add_prefix_space && !part.get().starts_with(' ') {
                        part.prepend(" ");
                    }
                    match pattern {
                        Some(pattern) => part.split(pattern, SplitDelimiterBehavior::Isolated),
                        None => Ok(vec![part]),
                    }
                })?;
                // What is left for the crate's own step is to spell the bytes.
                ByteLevel::new(false, false, false).pre_tokenize(text)
            }
            Self::Sequence(steps) => steps.iter().try_for_each(|step| step.pre_tokenize(text)),
            Self::Plain(pre_tokenizer) => pre_tokenizer.pre_tokenize(text),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_pattern_that_gives_up_is_an_error() {
        let regex = CheckedRegex::new(r"(?:a|a)+(?=b)|c").unwrap();
        assert_eq!(regex.parts("aab c").unwrap().len(), 3);
        let error = regex.parts(&"a".repeat(64)).unwrap_err();
        assert_eq!(error.code(), "tokenizer_backtracking");
    }

    #[test]
    fn parts_cover_the_text() {
        let regex = CheckedRegex::new(r"\d+(?!x)").unwrap();
        for text in ["", "a", "1", "a12x3 45", "é٣"] {
            let parts = regex.parts(text).unwrap();
            let joined: String = parts.iter().map(|&((start, end), _)| &text[start..end]).collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn patterns_are_bounded() {
        assert_eq!(
            CheckedRegex::new(&"a".repeat(MAX_PATTERN_BYTES + 1)).unwrap_err().code(),
            "text_too_large"
        );
        assert_eq!(CheckedRegex::new("(").unwrap_err().code(), "tokenizer_pattern");
        assert_eq!(
            CheckedRegex::new(r"(?:(?:\w{1000}){1000}){1000}").unwrap_err().code(),
            "tokenizer_pattern"
        );
        assert_eq!(CheckedRegex::new(&"(".repeat(10_000)).unwrap_err().code(), "tokenizer_pattern");
    }
}
