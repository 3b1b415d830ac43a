//! `glassbox-train`: trains the house model and writes its files.

mod progress;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use glassbox_train::{Options, Recipe, TrainError, publish, train};

use crate::progress::Progress;

/// Trains the house model and writes its files.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    /// Stories, with a line <|endoftext|> between them.
    #[arg(long)]
    corpus: PathBuf,
    /// Folder for the model's files.
    #[arg(long)]
    out: PathBuf,
    /// Folder of the tokenizer, the checkpoint and the log; an interrupted run goes on from there.
    #[arg(long)]
    work: PathBuf,
    /// Threads; the result does not depend on it.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    match futures_lite::future::block_on(run(Args::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}. {}", error.code(), error.hint());
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), TrainError> {
    let text = std::fs::read_to_string(&args.corpus)
        .map_err(|cause| TrainError::File { path: args.corpus.clone(), cause })?;
    let recipe = Recipe::house();
    let options = Options {
        threads: args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        ..Options::new(args.work.clone())
    };
    let mut progress = Progress::new(&args.work, recipe.steps)?;
    let trained = train(&text, &recipe, &options, &mut |event| progress.tell(event)).await?;
    println!("writing {} and measuring it", args.out.display());
    let figures = publish(&trained, &recipe, &args.out).await?;
    println!(
        "{:.4} bits per byte on {} held-out stories, {:.4} as Q8_0",
        figures.held_out.bits_per_byte(),
        figures.held_out.documents,
        figures.quantised.bits_per_byte(),
    );
    Ok(())
}
