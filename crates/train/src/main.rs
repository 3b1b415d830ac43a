//! `glassbox-train`: trains the house model.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use glassbox_train::{Options, Recipe, TrainError, train};

/// Trains the house model and writes its files.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    /// Stories, with a line <|endoftext|> between them.
    #[arg(long)]
    corpus: PathBuf,
    /// Folder of the tokenizer and the checkpoint; an interrupted run goes on from there.
    #[arg(long)]
    work: PathBuf,
    /// Threads; the result does not depend on it.
    #[arg(long)]
    threads: Option<usize>,
    /// Steps, where another number than the recipe's is wanted.
    #[arg(long)]
    steps: Option<u64>,
}

fn main() -> ExitCode {
    match futures_lite::future::block_on(run(Args::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}\n{}", error.code(), error.hint());
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), TrainError> {
    let text = std::fs::read_to_string(&args.corpus)
        .map_err(|cause| TrainError::File { path: args.corpus.clone(), cause })?;
    let mut recipe = Recipe::house();
    recipe.steps = args.steps.unwrap_or(recipe.steps);
    let options = Options {
        work: args.work,
        threads: args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        checkpoint_every: 50,
        evaluate_every: 100,
        evaluate_stories: 40,
        stop_at: None,
    };
    train(&text, &recipe, &options, &mut |event| println!("{event:?}")).await?;
    Ok(())
}
