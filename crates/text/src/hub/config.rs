//! The names of BOS and EOS in tokenizer_config.json.

use serde::Deserialize;

use super::json;
use crate::error::TextError;
use crate::pipeline::AddedTokens;

/// The names this crate takes from the file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Names {
    pub(super) bos: Option<String>,
    pub(super) eos: Option<String>,
}

/// A token is written as its name, or as an object with its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Plain(String),
    Object { content: String },
}

impl Name {
    fn into_string(self) -> String {
        match self {
            Self::Plain(name) | Self::Object { content: name } => name,
        }
    }
}

#[derive(Deserialize)]
struct File {
    bos_token: Option<Name>,
    eos_token: Option<Name>,
}

pub(super) fn read(config: &[u8]) -> Result<Names, TextError> {
    let file: File = serde_json::from_slice(config).map_err(json)?;
    Ok(Names { bos: file.bos_token.map(Name::into_string), eos: file.eos_token.map(Name::into_string) })
}

/// The EOS token by its usual names, for a tokenizer.json without a tokenizer_config.json.
pub(super) fn usual_eos(added: &AddedTokens) -> Option<u32> {
    ["</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|im_end|>"].iter().find_map(|name| added.id(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strings_or_objects() {
        let names =
            read(br#"{"bos_token": {"content": "<s>", "special": true}, "eos_token": "</s>", "x": 1}"#);
        assert_eq!(names, Ok(Names { bos: Some("<s>".into()), eos: Some("</s>".into()) }));
        assert_eq!(read(br#"{"bos_token": null}"#), Ok(Names::default()));
        assert_eq!(read(b"<html>").unwrap_err().code(), "tokenizer_json");
    }
}
