//! What kind of head each head is, measured over many prompts.
//!
//! The induction score on random tokens that repeat once is that of Olsson et al. (2022) and of TransformerLens's
//! demonstration: random tokens have no meaning, so that a head can only find its place by looking for the earlier
//! occurrence.

use glassbox_model::{DecoderSpec, Hook, Probe, Site};
use glassbox_text::Special;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::{HeadRole, HeadScores, HeadTally, largest};
use crate::{EngineError, Host, Model};

/// Prompts of random tokens that repeat once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatedTokens {
    /// Random tokens before they repeat.
    pub length: usize,
    /// Number of prompts.
    pub prompts: usize,
    /// Seed of the random tokens.
    pub seed: u64,
}

impl Default for RepeatedTokens {
    /// 10 prompts of 50 tokens twice, as in TransformerLens's demonstration.
    fn default() -> Self {
        Self { length: 50, prompts: 10, seed: 0 }
    }
}

/// Scores of all heads over all prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadSurvey {
    /// Query heads per block.
    pub heads: usize,
    /// `[block, head]`, row by row.
    pub scores: Vec<HeadScores>,
}

impl HeadSurvey {
    /// Block, head and score of the heads that a role was measured for, the highest score first.
    pub fn ranked(&self, role: HeadRole) -> Vec<(usize, usize, f32)> {
        let heads = self.heads.max(1);
        let place = HeadRole::ALL.iter().position(|other| *other == role).unwrap_or_default();
        let scores = (0..).zip(&self.scores).filter_map(|(index, scores)| Some((index, scores[place]?)));
        let (indices, scores): (Vec<usize>, Vec<f32>) = scores.unzip();
        let ranked =
            largest(&scores, scores.len()).into_iter().map(|at| (indices[at as usize], scores[at as usize]));
        ranked.map(|(index, score)| (index / heads, index % heads, score)).collect()
    }
}

impl Model {
    /// Random tokens that repeat once, each prompt behind the token that begins a text where the model has
    /// one. Special tokens are not drawn.
    ///
    /// # Errors
    /// Where a prompt has no tokens or does not fit the model's context.
    pub fn repeated_prompts(&self, repeated: RepeatedTokens) -> Result<Vec<Vec<u32>>, EngineError> {
        let RepeatedTokens { length, prompts, seed } = repeated;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let first = self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.bos());
        let prompt = |_| {
            let unit: Vec<u32> = (0..length).map(|_| self.random_token(&mut rng)).collect();
            first.into_iter().chain(unit.iter().copied()).chain(unit.iter().copied()).collect()
        };
        let prompts: Vec<Vec<u32>> = (0..prompts).map(prompt).collect();
        prompts.iter().try_for_each(|tokens| self.decoder.check_tokens(tokens, 0))?;
        Ok(prompts)
    }

    /// Prompts of texts, as the model wants them, cut to its context.
    ///
    /// # Errors
    /// Without a tokenizer, or where it refuses a text.
    pub fn text_prompts(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, EngineError> {
        let prompt = |text: &&str| {
            let mut tokens = self.tokenize(text, Special::Add)?;
            tokens.truncate(self.spec().context);
            Ok(tokens)
        };
        texts.iter().map(prompt).collect()
    }

    /// Scores of all heads over all queries of all prompts.
    ///
    /// # Errors
    /// Where a prompt cannot be run, or when `host` stops the work.
    pub async fn survey_heads(
        &self,
        prompts: &[Vec<u32>],
        host: &dyn Host,
    ) -> Result<HeadSurvey, EngineError> {
        let DecoderSpec { layers, heads, .. } = *self.spec();
        let mut tallies = vec![HeadTally::default(); layers * heads];
        for (done, tokens) in prompts.iter().enumerate() {
            let attends = |block: &usize| Site::block(*block, Hook::Pattern).exists(self.spec());
            for block in (0..layers).filter(attends) {
                // One block at a time: a pattern takes the square of the prompt's length.
                let site = Site::block(block, Hook::Pattern).to_string();
                let trace = self.trace(tokens, &Probe::parse(&[&site], self.spec())?, &[], host).await?;
                let rows = trace.tensors.iter().flat_map(|tensor| tensor.data.chunks_exact(tokens.len()));
                for (index, row) in rows.enumerate() {
                    let (head, query) = (index / tokens.len(), index % tokens.len());
                    tallies[block * heads + head].add(tokens, query, row);
                }
            }
            host.analysed(done + 1, prompts.len());
        }
        Ok(HeadSurvey { heads, scores: tallies.iter().map(HeadTally::scores).collect() })
    }

    /// A token that stands for text, drawn evenly.
    fn random_token(&self, rng: &mut ChaCha8Rng) -> u32 {
        let vocab = self.spec().vocab as u64;
        let meaningless = |id: u32| match &self.tokenizer {
            // An id that the tokenizer does not know is padding of the vocabulary.
            Some(tokenizer) => tokenizer.token(id).is_none_or(|piece| piece.special),
            None => false,
        };
        // Bounded: a vocabulary may have special tokens alone.
        let mut id = 0;
        for _ in 0..1000 {
            id = (rng.next_u64() % vocab) as u32;
            if !meaningless(id) {
                break;
            }
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_ranked_by_a_role_and_those_without_a_score_left_out() {
        let scores = |induction| [Some(0.5), None, induction, None];
        let survey = HeadSurvey {
            heads: 2,
            scores: [Some(0.1), Some(0.9), None, Some(0.2)].into_iter().map(scores).collect(),
        };
        assert_eq!(survey.ranked(HeadRole::Induction), [(0, 1, 0.9), (1, 1, 0.2), (0, 0, 0.1)]);
        assert_eq!(survey.ranked(HeadRole::PreviousToken).len(), 4);
        assert!(survey.ranked(HeadRole::FirstToken).is_empty());
    }
}
