//! `glassbox chat-template`: messages to a prompt.

use std::{
    io::Write,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use glassbox_engine::{EngineError, read_tokenizer};
use glassbox_formats::Checkpoint;
use glassbox_text::chat::{self, Json, LocalTime, Message, RenderOptions};

use crate::{args::ChatTemplate, error::CliError, files};

pub async fn run(args: ChatTemplate) -> Result<(), CliError> {
    let checkpoint = Checkpoint::open(files::open(&args.model)?).await?;
    let template =
        chat::ChatTemplate::from_files(&checkpoint.tokenizer)?.ok_or(EngineError::NoChatTemplate)?;
    let mut out = std::io::stdout().lock();
    let Some(messages) = &args.messages else {
        print(&template, args.template.as_deref(), &mut out)?;
        return Ok(());
    };
    let options = RenderOptions {
        add_generation_prompt: !args.no_generation_prompt,
        template: args.template,
        tools: args.tools.as_deref().map(read).transpose()?.as_deref().map(Json::parse).transpose()?,
        extra: args.variables.iter().map(|variable| parse(variable)).collect::<Result<_, _>>()?,
        now: Some(LocalTime { seconds: args.now.unwrap_or_else(clock) }),
    };
    let text = template.render(&Message::list_from_json(&read(messages)?)?, &options)?;
    if args.ids {
        let tokenizer = read_tokenizer(&checkpoint)?.ok_or(EngineError::NoTokenizer)?;
        let ids: Vec<String> = tokenizer.encode_chat(&text)?.iter().map(u32::to_string).collect();
        writeln!(out, "{}", ids.join(","))?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

/// The template asked for, or every template under its name.
fn print(template: &chat::ChatTemplate, name: Option<&str>, out: &mut impl Write) -> Result<(), CliError> {
    let names: Vec<&str> = template.names().collect();
    if let Some(name) = name {
        let known = names.join(", ");
        let usage = || CliError::Usage(format!("there is no template {name}; the model has {known}"));
        writeln!(out, "{}", template.source(name).ok_or_else(usage)?)?;
        return Ok(());
    }
    for name in &names {
        if names.len() > 1 {
            writeln!(out, "== {name} ==")?;
        }
        writeln!(out, "{}", template.source(name).unwrap_or_default())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// Splits `NAME=JSON`.
fn parse(variable: &str) -> Result<(String, Json), CliError> {
    let usage = || CliError::Usage(format!("\"{variable}\" is not NAME=JSON"));
    let (name, value) = variable.split_once('=').ok_or_else(usage)?;
    Ok((name.to_owned(), Json::parse(value)?))
}

fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}
