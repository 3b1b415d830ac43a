//! The components of a tokenizer.json as the file has them: objects that say their type.
//!
//! They are read field by field, and not by derived readers: of those every component would have its own, in all forms
//! that serde's tagged enums take, which is a twentieth of what the page downloads for the engine.

use serde_json::Value;
use tokenizers::SplitDelimiterBehavior;

use crate::checked::CheckedRegex;
use crate::error::{TextError, shorten};

/// The fields of one component.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// Its `type`.
    pub(crate) kind: &'a str,
    value: &'a Value,
}

impl<'a> Fields<'a> {
    /// A component.
    pub(crate) fn of(value: &'a Value) -> Result<Self, TextError> {
        match value.get("type").and_then(Value::as_str) {
            Some(kind) => Ok(Self { kind, value }),
            None => Err(TextError::Unsupported { what: "a component without a type".into() }),
        }
    }

    /// A component of a kind that this version does not know.
    pub(crate) fn unknown<T>(&self) -> Result<T, TextError> {
        Err(TextError::Unsupported { what: format!("the component {:?}", shorten(self.kind)) })
    }

    /// A field that is not as it should be.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> TextError {
        let kind = shorten(self.kind);
        TextError::Unsupported { what: format!("the component {kind:?} whose {key:?} is not {expected}") }
    }

    /// A field of any shape; none where it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// A field that may be absent.
    fn maybe<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, TextError> {
        self.get(key).map(|value| read(value).ok_or_else(|| self.wrong(key, expected))).transpose()
    }

    pub(crate) fn maybe_flag(&self, key: &str) -> Result<Option<bool>, TextError> {
        self.maybe(key, "true or false", Value::as_bool)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, TextError> {
        self.maybe_flag(key)?.ok_or_else(|| self.wrong(key, "there"))
    }

    pub(crate) fn maybe_text(&self, key: &str) -> Result<Option<&'a str>, TextError> {
        self.maybe(key, "a text", Value::as_str)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&'a str, TextError> {
        self.maybe_text(key)?.ok_or_else(|| self.wrong(key, "there"))
    }

    pub(crate) fn character(&self, key: &str) -> Result<char, TextError> {
        let mut characters = self.text(key)?.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => Err(self.wrong(key, "one character")),
        }
    }

    pub(crate) fn maybe_count(&self, key: &str) -> Result<Option<usize>, TextError> {
        self.maybe(key, "a whole number", |value| usize::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn count(&self, key: &str) -> Result<usize, TextError> {
        self.maybe_count(key)?.ok_or_else(|| self.wrong(key, "there"))
    }

    pub(crate) fn list(&self, key: &str) -> Result<&'a [Value], TextError> {
        match self.get(key) {
            Some(Value::Array(list)) => Ok(list),
            _ => Err(TextError::invalid(format!("a sequence of components lacks its list {key:?}"))),
        }
    }

    /// What is matched: a text, or a regular expression.
    pub(crate) fn pattern(&self) -> Result<CheckedRegex, TextError> {
        let pattern = self.get("pattern");
        let part = |key| pattern.and_then(|pattern| pattern.get(key)).and_then(Value::as_str);
        match (part("String"), part("Regex")) {
            (Some(text), None) => CheckedRegex::literal(text),
            (None, Some(expression)) => CheckedRegex::new(expression),
            _ => Err(self.wrong("pattern", "a text or a regular expression")),
        }
    }

    /// What becomes of what is matched.
    pub(crate) fn maybe_behavior(&self) -> Result<Option<SplitDelimiterBehavior>, TextError> {
        let behavior = |name: &str| {
            Some(match name {
                "Removed" => SplitDelimiterBehavior::Removed,
                "Isolated" => SplitDelimiterBehavior::Isolated,
                "MergedWithPrevious" => SplitDelimiterBehavior::MergedWithPrevious,
                "MergedWithNext" => SplitDelimiterBehavior::MergedWithNext,
                "Contiguous" => SplitDelimiterBehavior::Contiguous,
                _ => return None,
            })
        };
        self.maybe("behavior", "a known one", |value| value.as_str().and_then(behavior))
    }
}
