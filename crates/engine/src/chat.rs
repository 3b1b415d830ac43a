//! From messages to tokens.

use std::ops::Range;

use glassbox_text::chat::{ChatTemplate, Message, RenderOptions};

use crate::{EngineError, Model};

/// A conversation as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// The prompt as text, special tokens by name.
    pub text: String,
    /// The prompt as tokens.
    pub tokens: Vec<u32>,
    /// Which tokens hold each message's content; `None` where that is not certain (see
    /// [`Rendered::contents`](glassbox_text::chat::Rendered::contents)).
    pub contents: Vec<Option<Range<usize>>>,
}

impl Model {
    /// Whether messages can be made a prompt.
    pub fn has_chat_template(&self) -> bool {
        self.chat_template.is_some() && self.tokenizer.is_some()
    }

    /// Makes `messages` a prompt with the model's own chat template.
    ///
    /// # Errors
    /// [`EngineError::NoChatTemplate`] and [`EngineError::NoTokenizer`] where the model came without
    /// one, else those of [`ChatTemplate::render`].
    pub fn chat(&self, messages: &[Message], options: &RenderOptions) -> Result<Chat, EngineError> {
        let template: &ChatTemplate = self.chat_template.as_ref().ok_or(EngineError::NoChatTemplate)?;
        let tokenizer = self.tokenizer.as_ref().ok_or(EngineError::NoTokenizer)?;
        let rendered = template.render_with_contents(messages, options)?;
        let tokens = tokenizer.encode_chat(&rendered.text)?;
        let contents = match tokenizer.offsets(&rendered.text, &tokens) {
            Some(offsets) => rendered.content_tokens(&offsets),
            None => vec![None; messages.len()],
        };
        Ok(Chat { text: rendered.text, tokens, contents })
    }
}
