//! Distributions set side by side: before and after edits, and what the model expected against what came.

use super::{
    Run,
    run::{chunks, logit_rows, pause},
    standing::{Row, Standing, descending, largest},
};
use crate::{EngineError, Host, Model};

/// Two runs of one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The position compared token by token.
    pub position: usize,
    /// KL(before || after) there, in bits.
    pub divergence: f32,
    /// Entropy before and after, in bits.
    pub entropy: [f32; 2],
    /// Before and after of the tokens whose probability changed the most.
    pub changes: Vec<(Standing, Standing)>,
    /// Before and after of the most probable tokens of either run, by their probability before.
    pub top: Vec<(Standing, Standing)>,
    /// Divergence at every position, or at the one.
    pub divergences: Vec<f32>,
    /// Whether the most probable token changed, in the same places.
    pub top_changed: Vec<bool>,
}

/// How a token of a prompt was expected; all none for the first one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// Where it stood in the distribution after the tokens before it.
    pub standing: Option<Standing>,
    /// Surprisal, `-log2` of its probability, in bits.
    pub surprisal: Option<f32>,
    /// Entropy of that distribution, in bits.
    pub entropy: Option<f32>,
    /// The model's own choices in its place.
    pub top: Vec<Standing>,
}

/// A forced continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Natural logarithm of each token's probability after all before it.
    pub logprobs: Vec<f32>,
    /// Their sum.
    pub total: f32,
}

impl Run {
    /// Compares the next-token distributions of this run (before) with those of another one of the same tokens.
    pub async fn compare(
        &self,
        model: &Model,
        after: &Run,
        position: Option<usize>,
        every_position: bool,
        top: usize,
        host: &dyn Host,
    ) -> Result<Comparison, EngineError> {
        if self.len() != after.len() {
            return Err(EngineError::Lengths { one: self.len(), other: after.len() });
        }
        let position = self.position(position)?;
        let (first, second) = (self.logits(model, position).await?, after.logits(model, position).await?);
        let (a, b) = (Row::new(&first), Row::new(&second));
        let pair = |id: u32| (a.standing(id), b.standing(id));
        let change = |id: u32| (b.probability(id) - a.probability(id)).abs();
        let changes: Vec<f32> = (0..first.len() as u32).map(change).collect();
        let mut tops = largest(&first, top);
        tops.extend(largest(&second, top));
        descending(&first, &mut tops);
        tops.dedup();
        let divergence = a.divergence(&b);
        let mut comparison = Comparison {
            position,
            divergence,
            entropy: [a.entropy(), b.entropy()],
            changes: largest(&changes, top).into_iter().map(pair).collect(),
            top: tops.into_iter().map(pair).collect(),
            divergences: vec![divergence],
            top_changed: vec![largest(&first, 1) != largest(&second, 1)],
        };
        if every_position {
            self.compare_all(model, after, &mut comparison, host).await?;
        }
        Ok(comparison)
    }

    async fn compare_all(
        &self,
        model: &Model,
        after: &Run,
        comparison: &mut Comparison,
        host: &dyn Host,
    ) -> Result<(), EngineError> {
        let vocab = model.spec().vocab;
        comparison.divergences.clear();
        comparison.top_changed.clear();
        for chunk in chunks(0..self.len(), logit_rows(2 * vocab)) {
            let before = self.logit_rows(model, chunk.clone()).await?;
            let after = after.logit_rows(model, chunk.clone()).await?;
            for (a, b) in before.chunks_exact(vocab).zip(after.chunks_exact(vocab)) {
                comparison.divergences.push(Row::new(a).divergence(&Row::new(b)));
                comparison.top_changed.push(largest(a, 1) != largest(b, 1));
            }
            host.analysed(chunk.end, self.len());
            pause(host).await?;
        }
        Ok(())
    }

    /// How each token of the prompt was expected, with the model's `top` own choices.
    pub async fn expectations(
        &self,
        model: &Model,
        top: usize,
        host: &dyn Host,
    ) -> Result<Vec<Expectation>, EngineError> {
        let mut all = vec![Expectation::default()];
        self.each_row(model, 0..self.len() - 1, host, |position, logits| {
            let row = Row::new(logits);
            let id = self.tokens[position + 1];
            all.push(Expectation {
                standing: Some(row.standing(id)),
                surprisal: Some((-row.logprob(id) / std::f64::consts::LN_2) as f32),
                entropy: Some(row.entropy()),
                top: row.top(top),
            });
        })
        .await?;
        Ok(all)
    }

    /// Probabilities of forced continuations. The prompt is not run again: each goes on from its cache.
    pub async fn score(
        &self,
        model: &Model,
        continuations: &[Vec<u32>],
        host: &dyn Host,
    ) -> Result<Vec<Continuation>, EngineError> {
        let mut scored = Vec::with_capacity(continuations.len());
        for (index, tokens) in continuations.iter().enumerate() {
            model.decoder.check_tokens(tokens, self.len())?;
            let first = self.logits(model, self.len() - 1).await?;
            let mut logprobs = vec![Row::new(&first).logprob(tokens[0])];
            // The last token's own logits are not asked for.
            let all: Vec<u32> = self.tokens.iter().chain(&tokens[..tokens.len() - 1]).copied().collect();
            if tokens.len() > 1 {
                let run = Run::new(model, &all, &self.edits, Some(self), host).await?;
                run.each_row(model, self.len()..all.len(), host, |position, logits| {
                    let next = tokens[position - self.len() + 1];
                    logprobs.push(Row::new(logits).logprob(next));
                })
                .await?;
            }
            let total = logprobs.iter().sum::<f64>() as f32;
            let logprobs = logprobs.into_iter().map(|value| value as f32).collect();
            scored.push(Continuation { tokens: tokens.clone(), logprobs, total });
            host.analysed(index + 1, continuations.len());
        }
        Ok(scored)
    }
}
