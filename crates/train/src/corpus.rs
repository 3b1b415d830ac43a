//! The text: stories, and which of them are held out.

use rand_chacha::ChaCha8Rng;

use crate::{Recipe, Repeated, TrainError, random};

/// The line between two stories, and the token that stands for it.
pub const SEPARATOR: &str = "<|endoftext|>";

/// Stories for training and stories that the training never sees.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// What is learnt from, in the file's order.
    pub training: Vec<String>,
    /// What the result is measured on, in the file's order.
    pub held_out: Vec<String>,
}

impl Corpus {
    /// Splits a text at its separators and chooses the held-out stories by the recipe's seed.
    ///
    /// # Errors
    /// [`TrainError::Corpus`] with fewer than 20 stories.
    pub fn new(text: &str, recipe: &Recipe) -> Result<Self, TrainError> {
        let stories: Vec<&str> =
            text.split(SEPARATOR).map(str::trim).filter(|story| !story.is_empty()).collect();
        if stories.len() < 20 {
            return Err(TrainError::Corpus { found: stories.len(), needed: 20 });
        }
        let count = (stories.len() * recipe.held_out_percent as usize).div_ceil(100);
        let mut held_out = vec![false; stories.len()];
        for index in random::permutation(stories.len(), &mut random::stream(recipe.seed, "held out", 0))
            .into_iter()
            .take(count)
        {
            held_out[index] = true;
        }
        let pick = |wanted: bool| -> Vec<String> {
            let chosen = stories.iter().zip(&held_out).filter(|(_, out)| **out == wanted);
            chosen.map(|(story, _)| (*story).to_owned()).collect()
        };
        Ok(Self { training: pick(false), held_out: pick(true) })
    }
}

/// Sequences for every step, computed from the step's number alone: a run that was interrupted goes on
/// with the same data without having to remember anything.
#[derive(Debug)]
pub struct Sequences<'a> {
    recipe: &'a Recipe,
    stories: &'a [Vec<u32>],
    separator: u32,
    /// Tokens of an epoch: all stories, each behind a separator.
    epoch_tokens: u64,
    /// The epoch laid out last: its number and its tokens.
    epoch: Option<(u64, Vec<u32>)>,
}

/// One training sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// What the model reads, `[length]`.
    pub inputs: Vec<u32>,
    /// What it is to predict at each position, `[length]`.
    pub targets: Vec<u32>,
    /// Whether a position's prediction counts.
    pub counted: Vec<bool>,
}

impl<'a> Sequences<'a> {
    /// Sequences of tokenized stories.
    pub fn new(recipe: &'a Recipe, stories: &'a [Vec<u32>], separator: u32) -> Self {
        let epoch_tokens = stories.iter().map(|story| story.len() as u64 + 1).sum();
        Self { recipe, stories, separator, epoch_tokens, epoch: None }
    }

    /// Tokens of an epoch.
    pub fn epoch_tokens(&self) -> u64 {
        self.epoch_tokens
    }

    /// The sequences of a step.
    pub fn batch(&mut self, step: u64) -> Vec<Sequence> {
        let length = self.recipe.length(step);
        let count = self.recipe.batch_tokens / length;
        // All steps have the same number of tokens, so that a place in the text follows from the step.
        let first = step * self.recipe.batch_tokens as u64;
        let repetition = self.recipe.repetition(step);
        (0..count)
            .map(|index| {
                let number = (first / length as u64) + index as u64;
                match repetition.filter(|repeated| number % repeated.every == repeated.every - 1) {
                    Some(repeated) => self.repeated(repeated, length, first + index as u64),
                    None => self.story_text(length, first + (index * length) as u64),
                }
            })
            .collect()
    }

    /// A window of the endless text that the shuffled epochs make, behind a separator: the model always
    /// has that token at position 0, as the tokenizer puts it there.
    fn story_text(&mut self, length: usize, place: u64) -> Sequence {
        let (epoch, offset) = (place / self.epoch_tokens, (place % self.epoch_tokens) as usize);
        let separator = self.separator;
        let text = self.epoch(epoch);
        let targets: Vec<u32> = (0..length).map(|index| text[(offset + index) % text.len()]).collect();
        let inputs = std::iter::once(separator).chain(targets[..length - 1].iter().copied()).collect();
        // What a window begins with in the middle of a story cannot be known from the separator.
        let mut counted = vec![true; length];
        counted[0] = offset > 0 && text[offset - 1] == separator;
        Sequence { inputs, targets, counted }
    }

    fn epoch(&mut self, epoch: u64) -> &[u32] {
        if self.epoch.as_ref().is_none_or(|(laid_out, _)| *laid_out != epoch) {
            let order = random::permutation(
                self.stories.len(),
                &mut random::stream(self.recipe.seed, "epoch", epoch),
            );
            let mut text = Vec::with_capacity(self.epoch_tokens as usize);
            for story in order {
                text.push(self.separator);
                text.extend_from_slice(&self.stories[story]);
            }
            self.epoch = Some((epoch, text));
        }
        self.epoch.as_ref().map_or(&[], |(_, text)| text)
    }

    /// Random tokens that repeat with a random period; only what a repetition foretells counts.
    fn repeated(&self, repeated: Repeated, length: usize, number: u64) -> Sequence {
        let mut rng = random::stream(self.recipe.seed, "repeated", number);
        let vocab = self.recipe.shape.vocab_size as u64;
        let token = |rng: &mut ChaCha8Rng| loop {
            let token = random::below(rng, vocab) as u32;
            if token != self.separator {
                break token;
            }
        };
        let Repeated { shortest, longest, .. } = repeated;
        let period = (shortest + random::below(&mut rng, longest - shortest + 1)) as usize;
        let unit: Vec<u32> = (0..period).map(|_| token(&mut rng)).collect();
        let text = |index: usize| unit[index % period];
        Sequence {
            inputs: std::iter::once(self.separator).chain((0..length - 1).map(text)).collect(),
            targets: (0..length).map(text).collect(),
            // The first token of a repetition is foretold by nothing but its position.
            counted: (0..length).map(|index| index > period).collect(),
        }
    }
}
