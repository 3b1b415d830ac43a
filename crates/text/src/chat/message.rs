//! Messages, and other values a template sees.

use std::ops::Range;

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::error::{TextError, shorten};
use crate::limits::MAX_TEXT_BYTES;

/// The mark after a content. The one before it is the character that follows by the message's
/// number and one: private characters, as transformers uses for marks of its own.
const END: char = '\u{F0000}';

/// The last character that can be a mark.
const LAST: char = '\u{FFFFD}';

/// Whether a text has characters that could be taken for marks.
pub(super) fn has_marks(text: &str) -> bool {
    text.contains(|ch| (END..=LAST).contains(&ch))
}

/// The mark before the content of message `at`, if there is one for so many messages.
fn mark(at: usize) -> Option<char> {
    let code = u32::try_from(at).ok()?.checked_add(END as u32 + 1)?;
    char::from_u32(code).filter(|&ch| ch <= LAST)
}

/// The names under which reasoning is given; templates read the first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A JSON value for a template. The order of an object's entries is kept: it shows in the prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(Value);

impl Json {
    /// Reads JSON text of at most [`MAX_TEXT_BYTES`].
    ///
    /// # Errors
    /// [`TextError::ChatMessages`] where the text is not JSON.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLarge { what: "the JSON", size: text.len(), limit: MAX_TEXT_BYTES });
        }
        let value = serde_json::from_str(text);
        value.map(Self).map_err(|error| wrong(&format!("it is not JSON: {error}")))
    }

    pub(super) fn value(&self) -> Value {
        self.0.clone()
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self(Value::from(value))
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self(Value::from(value))
    }
}

/// One message of a conversation: an object with a `role`, mostly a `content`, and whatever else
/// a template reads (`tool_calls`, `name`, `reasoning_content`, …).
#[derive(Debug, Clone, PartialEq)]
pub struct Message(Vec<(Value, Value)>);

impl Message {
    /// A message with a role (`system`, `user`, `assistant`, …) and a text.
    pub fn new(role: &str, content: &str) -> Self {
        Self(vec![(Value::from("role"), Value::from(role)), (Value::from("content"), Value::from(content))])
    }

    /// Reads a JSON list of messages, in the form chat interfaces use.
    ///
    /// As in transformers, an entry that is `null` counts as missing, and reasoning is found under
    /// `reasoning_content`, `thinking` or `reasoning`.
    ///
    /// # Errors
    /// [`TextError::ChatMessages`] where the text is not a list of objects with a role.
    pub fn list_from_json(text: &str) -> Result<Vec<Self>, TextError> {
        let Json(list) = Json::parse(text)?;
        if list.kind() != ValueKind::Seq {
            return Err(wrong("it is not a list"));
        }
        let messages = list.try_iter().map_err(|error| wrong(&error.to_string()))?;
        messages.enumerate().map(|(at, message)| Self::from_value(at, &message)).collect()
    }

    fn from_value(at: usize, value: &Value) -> Result<Self, TextError> {
        if value.kind() != ValueKind::Map {
            return Err(wrong(&format!("message {at} is not an object")));
        }
        let entries = value.as_object().and_then(|object| object.try_iter_pairs());
        let mut entries: Vec<(Value, Value)> =
            entries.into_iter().flatten().filter(|(_, value)| !value.is_none()).collect();
        let find =
            |name: &str| entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value);
        if find("role").and_then(Value::as_str).is_none() {
            return Err(wrong(&format!("message {at} has no role")));
        }
        if let Some(reasoning) = REASONING.iter().find_map(|name| find(name)).cloned() {
            if find("thinking").is_none() {
                entries.insert(0, (Value::from("thinking"), reasoning.clone()));
            }
            entries.retain(|(key, _)| key.as_str() != Some(REASONING[0]));
            entries.push((Value::from(REASONING[0]), reasoning));
        }
        Ok(Self(entries))
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// Who speaks.
    pub fn role(&self) -> &str {
        self.find("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// What is said, where it is one text.
    pub fn content(&self) -> Option<&str> {
        self.find("content").and_then(Value::as_str)
    }

    pub(super) fn value(&self) -> Value {
        Value::from_pairs(self.0.iter().cloned())
    }

    /// The message, which is number `at`, with marks around its content, inside the white space
    /// that templates trim.
    pub(super) fn marked(&self, at: usize) -> Value {
        let marked = |text: &str| {
            let inner = text.trim();
            let start = text.len() - text.trim_start().len();
            match mark(at) {
                Some(mark) if !inner.is_empty() => {
                    let (before, after) = (&text[..start], &text[start + inner.len()..]);
                    Value::from(format!("{before}{mark}{inner}{END}{after}"))
                }
                _ => Value::from(text),
            }
        };
        let entries = self.0.iter().map(|(key, value)| match (key.as_str(), value.as_str()) {
            (Some("content"), Some(text)) => (key.clone(), marked(text)),
            _ => (key.clone(), value.clone()),
        });
        Value::from_pairs(entries)
    }
}

/// Finds the contents of `count` messages in `marked`, if without its marks it is `text`.
///
/// A template may write messages in another order and leave some out. A content that it writes
/// twice has no place.
pub(super) fn places(marked: &str, text: &str, count: usize) -> Option<Vec<Option<Range<usize>>>> {
    let mut plain = String::with_capacity(text.len());
    let mut places: Vec<Option<Range<usize>>> = vec![None; count];
    let mut seen = vec![false; count];
    let mut rest = marked;
    while let Some((before, after)) = rest.split_once(|ch| END < ch && ch <= LAST) {
        let start = rest[before.len()..].chars().next()?;
        let (content, after) = after.split_once(END)?;
        plain.push_str(before);
        let place = plain.len()..plain.len() + content.len();
        plain.push_str(content);
        let at = usize::try_from(start as u32 - END as u32 - 1).ok()?;
        *places.get_mut(at)? = Some(place).filter(|_| !seen[at]);
        seen[at] = true;
        rest = after;
    }
    plain.push_str(rest);
    (plain == text).then_some(places)
}

fn wrong(reason: &str) -> TextError {
    TextError::ChatMessages { reason: shorten(reason) }
}
