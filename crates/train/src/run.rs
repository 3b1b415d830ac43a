//! A training run, from the corpus to trained weights.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use glassbox_model::Decoder;
use tokenizers::Tokenizer;

use crate::{
    Corpus, Recipe, SEPARATOR, Sequences, TrainError, checkpoint, evaluate, gradient, layout,
    optimizer::Optimizer,
    tokenizer,
    weights::{self, Weight},
};

/// Where and how a run works; nothing here changes its result.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the tokenizer and the checkpoint.
    pub work: PathBuf,
    /// Threads for the gradient.
    pub threads: usize,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// Steps between two evaluations on held-out stories.
    pub evaluate_every: u64,
    /// Held-out stories of an evaluation on the way.
    pub evaluate_stories: usize,
    /// Stop before this step, as an interruption would.
    pub stop_at: Option<u64>,
}

impl Options {
    /// Two threads, a checkpoint every 50 steps, an evaluation on 40 stories every 100.
    pub fn new(work: PathBuf) -> Self {
        Self {
            work,
            threads: 2,
            checkpoint_every: 50,
            evaluate_every: 100,
            evaluate_stories: 40,
            stop_at: None,
        }
    }
}

/// What a run tells while it goes.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// It starts, or goes on, at a step.
    Started {
        /// Steps done before.
        step: u64,
        /// Number of parameters.
        parameters: usize,
        /// Tokens of the training stories.
        epoch_tokens: u64,
    },
    /// A step is done.
    Stepped {
        /// Steps done.
        step: u64,
        /// Mean loss of the batch, in nats per token.
        loss: f64,
        /// The gradient's norm before clipping.
        norm: f64,
        /// Learning rate.
        rate: f64,
        /// Training tokens a second since the run started.
        tokens_per_second: f64,
        /// Seconds left at that speed.
        seconds_left: f64,
    },
    /// Held-out stories were measured.
    Evaluated {
        /// Steps done.
        step: u64,
        /// Bits per byte.
        bits_per_byte: f64,
    },
}

/// A model while it is trained, and when it is.
pub struct Trained {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Stories, split.
    pub corpus: Corpus,
    /// The weights, in the order of [`layout::table`].
    pub weights: Vec<Weight>,
    /// The decoder with those weights.
    pub decoder: Decoder,
    /// Tokens of the training stories, separators included.
    pub epoch_tokens: u64,
    /// Loss of every step of this run, from where it started.
    pub losses: Vec<f64>,
    /// Steps done.
    pub step: u64,
}

/// Trains a model, or goes on with it where `options.work` holds a checkpoint.
///
/// # Errors
/// A [`TrainError`]; a loss that is no number ends the run.
pub async fn train(
    text: &str,
    recipe: &Recipe,
    options: &Options,
    tell: &mut dyn FnMut(Event),
) -> Result<Trained, TrainError> {
    recipe.check()?;
    let corpus = Corpus::new(text, recipe)?;
    let work = &options.work;
    fs::create_dir_all(work).map_err(|cause| TrainError::File { path: work.clone(), cause })?;
    let tokenizer = kept_tokenizer(&work.join("tokenizer.json"), &corpus, recipe)?;
    let separator = tokenizer.token_to_id(SEPARATOR).unwrap_or_default();
    let stories = encode(&tokenizer, &corpus.training)?;
    let held_out = encode(&tokenizer, &corpus.held_out)?;

    let blank = layout::blank(recipe).await?;
    let mut weights = weights::of(&blank);
    weights::initialise(&mut weights, recipe);
    let mut optimizer = Optimizer::new(&recipe.adamw, weights.len());
    let path = work.join("checkpoint.safetensors");
    let first = checkpoint::load(&path, recipe, &mut weights, &mut optimizer)?.unwrap_or(0);

    let mut sequences = Sequences::new(recipe, &stories, separator);
    let parameters = weights.iter().map(|w| w.shape.iter().product::<usize>()).sum();
    tell(Event::Started { step: first, parameters, epoch_tokens: sequences.epoch_tokens() });
    let last = options.stop_at.map_or(recipe.steps, |stop| stop.min(recipe.steps));
    let mut losses = Vec::new();
    let start = Instant::now();
    for step in first..last {
        let batch = sequences.batch(step);
        let batch = gradient::Batch {
            sequences: &batch,
            per_micro: recipe.micro_batch_tokens / recipe.length(step),
            dropped: recipe.dropped(step),
            seed: recipe.seed,
            step,
        };
        let pass = gradient::pass(&blank, &weights, batch, options.threads);
        if !pass.loss.is_finite() {
            return Err(TrainError::Diverged { step });
        }
        let rate = recipe.rate(step);
        let norm = optimizer.step(rate, &mut weights, pass.gradients);
        losses.push(pass.loss);
        let done = step + 1;
        let speed = ((done - first) * recipe.batch_tokens as u64) as f64 / start.elapsed().as_secs_f64();
        let seconds_left = ((recipe.steps - done) * recipe.batch_tokens as u64) as f64 / speed;
        let tokens_per_second = speed;
        tell(Event::Stepped { step: done, loss: pass.loss, norm, rate, tokens_per_second, seconds_left });
        if done % options.checkpoint_every == 0 || done == last {
            checkpoint::save(&path, recipe, done, &weights, &optimizer)?;
        }
        if done % options.evaluate_every == 0 {
            let some = options.evaluate_stories.min(held_out.len());
            let decoder = plain(&blank, &weights);
            let bits =
                evaluate::bits_per_byte(&decoder, &held_out[..some], &corpus.held_out[..some], separator)
                    .await?;
            tell(Event::Evaluated { step: done, bits_per_byte: bits });
        }
    }
    let epoch_tokens = sequences.epoch_tokens();
    let decoder = plain(&blank, &weights);
    Ok(Trained { tokenizer, corpus, weights, decoder, epoch_tokens, losses, step: last.max(first) })
}

/// The decoder with these weights, outside autodiff.
fn plain(blank: &Decoder, weights: &[Weight]) -> Decoder {
    let tensors: Vec<_> = weights.iter().map(|weight| weight.values.clone()).collect();
    weights::with(blank, &tensors)
}

/// The run's tokenizer: trained once, then read back.
fn kept_tokenizer(path: &Path, corpus: &Corpus, recipe: &Recipe) -> Result<Tokenizer, TrainError> {
    let problem = |error: tokenizers::Error| TrainError::Tokenizer(error.to_string());
    if path.exists() {
        return Tokenizer::from_file(path).map_err(problem);
    }
    let tokenizer = tokenizer::train(&corpus.training, recipe.shape.vocab_size)?;
    tokenizer.save(path, true).map_err(problem)?;
    Ok(tokenizer)
}

fn encode(tokenizer: &Tokenizer, stories: &[String]) -> Result<Vec<Vec<u32>>, TrainError> {
    stories.iter().map(|story| tokenizer::encode(tokenizer, story)).collect()
}
