//! Where a model's chat templates are.

use glassbox_formats::TokenizerFiles;
use glassbox_formats::gguf::Vocabulary;
use serde_json::Value;

use crate::error::{TextError, shorten};
use crate::limits::MAX_CHAT_TEMPLATE_BYTES;

/// The entries of tokenizer_config.json that templates see as variables.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The name of the template used where none is asked for.
const DEFAULT: &str = "default";
/// The name of the template used where there are tools.
const TOOL_USE: &str = "tool_use";

/// A model's chat template: one, or several by name.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatTemplate {
    /// Names and sources; names are given once.
    templates: Vec<(String, String)>,
    /// Special tokens by the names templates know.
    special: Vec<(String, String)>,
}

impl ChatTemplate {
    /// A single template, with the special tokens that it may write (`bos_token`, …).
    ///
    /// # Errors
    /// [`TextError::TooLarge`] for a source above [`MAX_CHAT_TEMPLATE_BYTES`].
    pub fn new(source: &str, special: &[(&str, &str)]) -> Result<Self, TextError> {
        let mut template = Self { templates: Vec::new(), special: Vec::new() };
        template.add(DEFAULT, source)?;
        template.special = special.iter().map(|&(name, token)| (name.into(), token.into())).collect();
        Ok(template)
    }

    /// The template of a checkpoint, if it has one.
    ///
    /// `chat_template.jinja` counts before `tokenizer_config.json`, and both before a GGUF file's
    /// own. What is wrong with a template shows when it is used.
    ///
    /// # Errors
    /// [`TextError::TooLarge`] for a source above [`MAX_CHAT_TEMPLATE_BYTES`].
    pub fn from_files(files: &TokenizerFiles) -> Result<Option<Self>, TextError> {
        let mut found = Self { templates: Vec::new(), special: Vec::new() };
        if let Some(config) = &files.config {
            found.special = special_tokens(config);
        }
        if let Some(source) = &files.chat_template {
            found.add(DEFAULT, source)?;
        }
        for (name, source) in &files.additional_chat_templates {
            found.add(name, source)?;
        }
        // As in transformers, files take the place of what the configuration says.
        if found.templates.is_empty()
            && let Some(templates) = files.config.as_ref().and_then(|config| config.get("chat_template"))
        {
            found.read(templates)?;
        }
        if found.templates.is_empty()
            && let Some(vocabulary) = &files.vocabulary
        {
            found.read_gguf(vocabulary)?;
        }
        Ok(Some(found).filter(|found| !found.templates.is_empty()))
    }

    /// The names of the templates; a model with one template has `default`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.iter().map(|(name, _)| name.as_str())
    }

    /// The Jinja source of the template called `name`.
    pub fn source(&self, name: &str) -> Option<&str> {
        self.templates.iter().find(|(known, _)| known == name).map(|(_, source)| source.as_str())
    }

    pub(super) fn special(&self) -> &[(String, String)] {
        &self.special
    }

    /// The source to use.
    pub(super) fn select(&self, name: Option<&str>, tools: bool) -> Result<&str, TextError> {
        if let Some(name) = name {
            return self.source(name).ok_or_else(|| self.missing(name));
        }
        let tool_use = self.source(TOOL_USE).filter(|_| tools);
        tool_use.or_else(|| self.source(DEFAULT)).ok_or_else(|| self.missing(DEFAULT))
    }

    fn missing(&self, name: &str) -> TextError {
        let known = self.names().collect::<Vec<_>>().join(", ");
        TextError::NoChatTemplate { name: shorten(name), known: shorten(&known) }
    }

    fn add(&mut self, name: &str, source: &str) -> Result<(), TextError> {
        if source.len() > MAX_CHAT_TEMPLATE_BYTES {
            let (size, limit) = (source.len(), MAX_CHAT_TEMPLATE_BYTES);
            return Err(TextError::TooLarge { what: "the chat template", size, limit });
        }
        self.templates.retain(|(known, _)| known != name);
        self.templates.push((name.into(), source.into()));
        Ok(())
    }

    /// Reads `chat_template` of tokenizer_config.json: a string, or a list of named ones.
    fn read(&mut self, value: &Value) -> Result<(), TextError> {
        if let Some(source) = value.as_str() {
            return self.add(DEFAULT, source);
        }
        for entry in value.as_array().into_iter().flatten() {
            let field = |name: &str| entry.get(name).and_then(Value::as_str);
            if let (Some(name), Some(source)) = (field("name"), field("template")) {
                self.add(name, source)?;
            }
        }
        Ok(())
    }

    /// Takes the templates of a GGUF file, which names its special tokens by id.
    fn read_gguf(&mut self, vocabulary: &Vocabulary) -> Result<(), TextError> {
        for (name, source) in &vocabulary.named_chat_templates {
            self.add(name, source)?;
        }
        if let Some(source) = &vocabulary.chat_template {
            self.add(DEFAULT, source)?;
        }
        for (name, id) in [("bos_token", vocabulary.bos), ("eos_token", vocabulary.eos)] {
            if let Some(token) = id.and_then(|id| vocabulary.tokens.get(id as usize)) {
                self.special.push((name.into(), token.clone()));
            }
        }
        Ok(())
    }
}

/// The special tokens that tokenizer_config.json names, as strings or as objects.
fn special_tokens(config: &Value) -> Vec<(String, String)> {
    let token = |name: &&str| {
        let token = crate::hub::token_name(config, name)?;
        Some(((*name).to_owned(), token.to_owned()))
    };
    SPECIAL.iter().filter_map(token).collect()
}
