//! The `glassbox` command: the engine natively.

mod analysis_args;
mod args;
mod commands;
mod error;
mod files;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::{Args, Command},
    error::CliError,
};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            // Help and version are no errors.
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&CliError::usage(&error)),
    };
    let result = futures_lite::future::block_on(async {
        match args.command {
            Command::Trace(args) => commands::trace::run(args).await,
            Command::Generate(args) => commands::generate::run(args).await,
            Command::Tokenize(args) => commands::tokenize::run(args).await,
            Command::ChatTemplate(args) => commands::chat_template::run(args).await,
            Command::Check(args) => commands::check::run(args).await,
            Command::Architectures(args) => commands::architectures::run(&args),
            Command::Bench(args) => commands::bench::run(args).await,
            Command::Evaluate(args) => commands::evaluate::run(args).await,
            Command::Lens(args) => commands::analyses::lens(args).await,
            Command::Attribute(args) => commands::analyses::attribute(args).await,
            Command::Patch(args) => commands::analyses::patch(args).await,
            Command::Heads(args) => commands::heads::run(args).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// One line on standard error: what went wrong and what to do.
fn fail(error: &CliError) -> ExitCode {
    let message = error.to_string();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    eprintln!("error[{}]: {message}{end} {}", error.code(), error.hint());
    ExitCode::FAILURE
}
