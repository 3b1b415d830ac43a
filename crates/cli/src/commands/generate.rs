//! `glassbox generate`: continues a prompt.

use std::io::Write;

use glassbox_engine::Undisturbed;

use crate::{args::Generate, error::CliError, files};

pub async fn run(args: Generate) -> Result<(), CliError> {
    let model = files::model_with(&args.model, args.backend, &args.adapter).await?;
    let tokens = files::tokens(&model, &args.prompt)?;
    let as_ids = args.ids || model.tokenizer.is_none();
    let mut generation = model.generate(&tokens, args.n, args.sampler.into(), &[], &Undisturbed).await?;
    let mut out = std::io::stdout().lock();
    while let Some(step) = generation.step(&Undisturbed).await? {
        if !as_ids {
            out.write_all(step.text.as_bytes())?;
            out.flush()?;
        }
    }
    if as_ids {
        let ids: Vec<String> = generation.new_tokens().iter().map(u32::to_string).collect();
        write!(out, "{}", ids.join(","))?;
    }
    writeln!(out)?;
    Ok(())
}
