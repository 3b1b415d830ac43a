//! `glassbox tokenize`: text to ids and back.

use std::{
    io::{Read, Write},
    path::Path,
};

use glassbox_engine::{EngineError, read_tokenizer};
use glassbox_formats::Checkpoint;
use glassbox_text::{Special, Tokenizer};

use crate::{args::Tokenize, error::CliError, files};

pub async fn run(args: Tokenize) -> Result<(), CliError> {
    let tokenizer = tokenizer(&args.model).await?;
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let input = String::from_utf8(input)
        .map_err(|_| CliError::Usage("standard input is not valid UTF-8".to_owned()))?;
    let special = if args.special { Special::Add } else { Special::None };
    let mut out = std::io::stdout().lock();
    if args.decode {
        let ids = ids(&input)?;
        write!(out, "{}", tokenizer.decode_with(&ids, special)?)?;
    } else {
        let ids: Vec<String> = tokenizer.encode(&input, special)?.iter().map(u32::to_string).collect();
        writeln!(out, "{}", ids.join(","))?;
    }
    Ok(())
}

/// The tokenizer of a folder (which needs no weights for it), a tokenizer.json or a GGUF.
async fn tokenizer(path: &Path) -> Result<Tokenizer, CliError> {
    let json = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
    if json.extension().is_some_and(|extension| extension == "json") {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
        };
        let bytes = read(&json)?;
        let config = json.with_file_name("tokenizer_config.json");
        let config = if config.is_file() { Some(read(&config)?) } else { None };
        return Ok(Tokenizer::from_hub(&bytes, config.as_deref())?);
    }
    let checkpoint = Checkpoint::open(files::open(path)?).await?;
    Ok(read_tokenizer(&checkpoint)?.ok_or(EngineError::NoTokenizer)?)
}

fn ids(text: &str) -> Result<Vec<u32>, CliError> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| CliError::Usage(format!("\"{part}\" is not a token id"))))
        .collect()
}
