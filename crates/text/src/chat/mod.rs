//! Chat templates: from messages to the prompt a model was trained on.
//!
//! A chat model's repository carries a template in the Jinja language, as `chat_template` in
//! `tokenizer_config.json` (one, or a list of named ones), as `chat_template.jinja` and
//! `additional_chat_templates/NAME.jinja`, or in a GGUF file's metadata. The result is that of
//! transformers' `apply_chat_template(tokenize=False)`.
//!
//! A template is untrusted. It sees nothing but the messages and options; it runs for a bounded
//! number of steps, and all that it builds and writes is paid for from one account (`meter.rs`). How
//! deep its source and its values nest is bounded too. A template that does not compile is an error
//! when it is used, not when its model is opened.

mod environment;
mod json;
mod message;
mod meter;
mod metered;
mod nesting;
mod prompt;
mod source;
mod time;

use std::ops::Range;

use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse};
use minijinja::{AutoEscape, ErrorKind, Value};

pub use message::{Json, Message};
pub use source::ChatTemplate;
pub use time::LocalTime;

use crate::error::{TextError, shorten};
use crate::limits::MAX_TEXT_BYTES;
use environment::Refusal;
use meter::{Exceeded, Meter};

/// What a template may be told besides the messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// End with what comes before an answer, so that the model goes on with one.
    pub add_generation_prompt: bool,
    /// The template's name, where there are several; else `tool_use` with tools, or `default`.
    pub template: Option<String>,
    /// A list of tools as JSON schemas.
    pub tools: Option<Json>,
    /// More variables by name, such as `enable_thinking` or `documents`.
    pub extra: Vec<(String, Json)>,
    /// What `strftime_now` takes for now. Without it a template that asks for the date fails.
    pub now: Option<LocalTime>,
}

/// A conversation as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The prompt, special tokens by name. [`Tokenizer::encode_chat`](crate::Tokenizer::encode_chat)
    /// gives its ids.
    pub text: String,
    /// Where each message's content stands in `text`, in bytes, without surrounding white space.
    /// `None` where a content is no text, is empty or is not written once, and for all where the
    /// template does more with a content than to write it. Some templates write a tool's answer as
    /// JSON; then that is what stands there.
    pub contents: Vec<Option<Range<usize>>>,
}

impl ChatTemplate {
    /// The prompt for `messages`.
    ///
    /// # Errors
    /// [`TextError::ChatMessages`] without messages, [`TextError::NoChatTemplate`] where the
    /// template asked for does not exist, [`TextError::ChatRefused`] where the template refuses the
    /// conversation (most do for roles they do not know), [`TextError::ChatTemplate`] where it has a
    /// fault, and [`TextError::ChatTemplateLimit`] where it takes too long or writes too much.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String, TextError> {
        self.run(messages.iter().map(Message::value).collect(), options)
    }

    /// The prompt for `messages`, and where their contents stand in it.
    ///
    /// The template runs once more, with marks around each content. Where that changes anything
    /// else, no places are given.
    ///
    /// # Errors
    /// Those of [`render`](Self::render).
    pub fn render_with_contents(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<Rendered, TextError> {
        let text = self.render(messages, options)?;
        let nowhere = vec![None; messages.len()];
        if message::has_marks(&text) {
            return Ok(Rendered { text, contents: nowhere });
        }
        let marked = messages.iter().enumerate().map(|(at, message)| message.marked(at)).collect();
        let marked = self.run(marked, options).ok();
        let contents = marked.and_then(|marked| message::places(&marked, &text, messages.len()));
        Ok(Rendered { text, contents: contents.unwrap_or(nowhere) })
    }

    fn run(&self, messages: Vec<Value>, options: &RenderOptions) -> Result<String, TextError> {
        if messages.is_empty() {
            return Err(TextError::ChatMessages { reason: "it has no messages".into() });
        }
        let source = self.select(options.template.as_deref(), options.tools.is_some())?;
        let source = environment::translate(source);
        let none = || Value::from(());
        let mut variables: Vec<(String, Value)> = vec![
            ("messages".into(), Value::from(messages)),
            ("tools".into(), options.tools.as_ref().map_or_else(none, Json::value)),
            ("documents".into(), none()),
            ("add_generation_prompt".into(), Value::from(options.add_generation_prompt)),
        ];
        variables
            .extend(self.special().iter().map(|(name, token)| (name.clone(), Value::from(token.as_str()))));
        // A later variable of the same name counts.
        variables.extend(options.extra.iter().map(|(name, value)| (name.clone(), value.value())));

        match write(&source, Value::from_pairs(variables), options.now) {
            Ok(text) if text.len() > MAX_TEXT_BYTES => {
                Err(TextError::ChatTemplateLimit { what: "writes more text" })
            }
            Ok(text) => Ok(text),
            Err(error) => Err(fault(&error)),
        }
    }
}

/// What a template writes with these variables.
fn write(source: &str, variables: Value, now: Option<LocalTime>) -> Result<String, minijinja::Error> {
    const NAME: &str = "chat_template";
    nesting::check(source, environment::syntax())?;
    let tree = metered::template(&parse(source, NAME, environment::syntax())?)?;
    let mut generator = CodeGenerator::new(NAME, source);
    generator.compile_stmt(&tree);
    let (instructions, blocks) = generator.finish();
    let environment = environment::new(now, &Meter::new());
    let mut text = String::new();
    let mut output = make_string_output(&mut text);
    eval(&environment, &instructions, variables, &blocks, &mut output, AutoEscape::None)?;
    Ok(text)
}

/// The error for a template that cannot be compiled or run.
fn fault(error: &minijinja::Error) -> TextError {
    if error.kind() == ErrorKind::OutOfFuel {
        return TextError::ChatTemplateLimit { what: "takes more steps" };
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(Refusal(message)) = cause.downcast_ref() {
            return TextError::ChatRefused { reason: shorten(message) };
        }
        if let Some(Exceeded(what)) = cause.downcast_ref() {
            return TextError::ChatTemplateLimit { what };
        }
        source = cause.source();
    }
    let place = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(", {detail}")).unwrap_or_default();
    TextError::ChatTemplate { reason: shorten(&format!("{place}{}{detail}", error.kind())) }
}
