//! What heads do on a prompt: scores from their attention patterns.
//!
//! The roles are those of Olsson et al. (2022), "In-context learning and induction heads", and of TransformerLens'
//! `head_detector`. A score is the mean, over the queries that count, of the attention on the role's keys:
//!
//! - previous token: key `q - 1`;
//! - first token: key 0, where many heads rest ("attention sink", Xiao et al., 2023);
//! - duplicate token: keys before `q` with the same token;
//! - induction: keys that follow such a key (and stand before `q`).
//!
//! Queries 0 and 1 do not count for the first two roles: they have no choice, or one key for both. Only queries whose
//! token came before count for the last two.

use glassbox_model::{Hook, Site};

use super::Run;
use crate::{EngineError, Host, Model};

/// What a head was found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRole {
    /// Looks at the token before.
    PreviousToken,
    /// Rests on the first token.
    FirstToken,
    /// Looks at what came after an earlier occurrence of the same token.
    Induction,
    /// Looks at earlier occurrences of the same token.
    DuplicateToken,
}

impl HeadRole {
    /// All roles, in the order of [`HeadScores`].
    pub const ALL: [HeadRole; 4] =
        [HeadRole::PreviousToken, HeadRole::FirstToken, HeadRole::Induction, HeadRole::DuplicateToken];

    /// Mean attention from which on a head is labelled: more than a third of its attention goes there. Chosen by
    /// us; the literature has no agreed value.
    pub fn threshold(self) -> f32 {
        match self {
            HeadRole::FirstToken => 0.5,
            _ => 0.35,
        }
    }
}

/// A head's four scores, each from 0 to 1 in the order of [`HeadRole::ALL`]; none where no query counts.
pub type HeadScores = [Option<f32>; 4];

/// Scores of one head that are still being summed.
#[derive(Debug, Clone, Default)]
pub struct HeadTally {
    sums: [f64; 4],
    counts: [usize; 4],
}

impl HeadTally {
    /// Adds the row of one query: its weights on keys 0 to `query`.
    pub fn add(&mut self, tokens: &[u32], query: usize, row: &[f32]) {
        let weight = |key: usize| f64::from(row[key]);
        if query >= 2 {
            self.count(0, weight(query - 1));
            self.count(1, weight(0));
        }
        let earlier = || (0..query).filter(|key| tokens[*key] == tokens[query]);
        if earlier().next().is_some() {
            self.count(2, earlier().filter(|key| key + 1 < query).map(|key| weight(key + 1)).sum());
            self.count(3, earlier().map(weight).sum());
        }
    }

    fn count(&mut self, role: usize, weight: f64) {
        self.sums[role] += weight;
        self.counts[role] += 1;
    }

    /// The means.
    pub fn scores(&self) -> HeadScores {
        std::array::from_fn(|role| {
            (self.counts[role] > 0).then(|| (self.sums[role] / self.counts[role] as f64) as f32)
        })
    }
}

/// A head's scores from its whole pattern `[query, key]`, row-major.
pub fn head_scores(tokens: &[u32], pattern: &[f32]) -> HeadScores {
    let mut tally = HeadTally::default();
    for (query, row) in pattern.chunks_exact(tokens.len().max(1)).enumerate().take(tokens.len()) {
        tally.add(tokens, query, row);
    }
    tally.scores()
}

/// What all heads do on a prompt (L layers, H heads, T tokens). Layers with a convolution in the place of attention
/// have no heads: their scores are none, their pictures 0, and a rollout passes them by (so that it misses what they move).
#[derive(Debug, Clone, PartialEq)]
pub struct HeadsReport {
    /// `[L, H]`
    pub scores: Vec<HeadScores>,
    /// `[L, H, S, S]` with side S, where asked for: the largest weight under each pixel.
    pub thumbnails: Option<(usize, Vec<f32>)>,
    /// `[T, T]`, where asked for: attention rollout (Abnar & Zuidema, 2020).
    pub rollout: Option<Vec<f32>>,
}

impl Run {
    /// Scores of all heads; patterns are read a stretch of queries at a time and never held all together.
    pub async fn heads(
        &self,
        model: &Model,
        thumbnails: usize,
        rollout: bool,
        host: &dyn Host,
    ) -> Result<HeadsReport, EngineError> {
        let (spec, count) = (model.spec(), self.len());
        if rollout && count > MOST_ROLLOUT {
            return Err(EngineError::TooLong { what: "attention rollout", count, limit: MOST_ROLLOUT });
        }
        let side = thumbnails.min(count);
        let mut report = HeadsReport {
            scores: Vec::with_capacity(spec.layers * spec.heads),
            thumbnails: (side > 0)
                .then(|| (side, Vec::with_capacity(spec.layers * spec.heads * side * side))),
            rollout: rollout.then(|| identity(count)),
        };
        for layer in 0..spec.layers {
            let mut heads: Vec<(HeadTally, Vec<f32>)> =
                vec![(HeadTally::default(), vec![0.0; side * side]); spec.heads];
            let mut mean = vec![0.0f32; if rollout { count * count } else { 0 }];
            for chunk in super::run::chunks(0..count, model.chunk()) {
                let pattern = self.layer(model, layer, &[Hook::Pattern], chunk.clone(), host).await?;
                let rows = pattern.iter().flat_map(|tensor| tensor.data.chunks_exact(chunk.end));
                for (index, row) in rows.enumerate() {
                    let (head, query) = (index / chunk.len(), chunk.start + index % chunk.len());
                    let (tally, picture) = &mut heads[head];
                    tally.add(&self.tokens, query, row);
                    shrink(picture, side, count, query, row);
                    if rollout {
                        let mean = &mut mean[query * count..];
                        mean.iter_mut().zip(row).for_each(|(mean, w)| *mean += w / spec.heads as f32);
                    }
                }
            }
            for (tally, picture) in heads {
                report.scores.push(tally.scores());
                if let Some((_, pictures)) = &mut report.thumbnails {
                    pictures.extend(picture);
                }
            }
            if Site::block(layer, Hook::Pattern).exists(spec) {
                report.rollout = report.rollout.map(|before| roll(&before, &mean, count));
            }
            host.analysed(layer + 1, spec.layers);
        }
        Ok(report)
    }
}

/// The most tokens a rollout is computed for: its work grows with their cube.
const MOST_ROLLOUT: usize = 1024;

/// Puts a row's weights into a picture of `side` by `side`, keeping the largest under each pixel.
fn shrink(picture: &mut [f32], side: usize, count: usize, query: usize, row: &[f32]) {
    if side == 0 {
        return;
    }
    let pixels = &mut picture[query * side / count * side..][..side];
    for (key, weight) in row.iter().enumerate() {
        let pixel = &mut pixels[key * side / count];
        *pixel = pixel.max(*weight);
    }
}

fn identity(count: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; count * count];
    matrix.iter_mut().step_by(count + 1).for_each(|value| *value = 1.0);
    matrix
}

/// One layer of rollout: half the mean pattern and half the residual path, times what came before.
fn roll(before: &[f32], mean: &[f32], count: usize) -> Vec<f32> {
    let mut after = vec![0.0f32; count * count];
    for query in 0..count {
        let out = &mut after[query * count..(query + 1) * count];
        for key in 0..=query {
            let weight = 0.5 * mean[query * count + key] + if key == query { 0.5 } else { 0.0 };
            if weight != 0.0 {
                let row = &before[key * count..key * count + key + 1];
                out.iter_mut().zip(row).for_each(|(out, value)| *out += weight * value);
            }
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern with all of each query's weight on one key.
    fn pattern(keys: &[usize]) -> Vec<f32> {
        let count = keys.len();
        let mut pattern = vec![0.0; count * count];
        for (query, key) in keys.iter().enumerate() {
            pattern[query * count + key] = 1.0;
        }
        pattern
    }

    #[test]
    fn each_role_is_found_by_its_own_pattern() {
        let tokens = [7, 8, 9, 7, 8, 9];
        let found = |keys: [usize; 6]| head_scores(&tokens, &pattern(&keys));
        assert_eq!(found([0, 0, 1, 2, 3, 4]), [Some(1.0), Some(0.0), Some(0.0), Some(0.0)]);
        assert_eq!(found([0, 0, 0, 1, 2, 3]), [Some(0.0), Some(0.25), Some(1.0), Some(0.0)]);
        assert_eq!(found([0, 1, 2, 0, 1, 2]), [Some(0.0), Some(0.25), Some(0.0), Some(1.0)]);
        assert_eq!(found([0; 6]), [Some(0.0), Some(1.0), Some(0.0), Some(1.0 / 3.0)]);
    }

    #[test]
    fn without_repeats_there_is_no_induction() {
        assert_eq!(head_scores(&[1, 2, 3], &pattern(&[0, 0, 1])), [Some(1.0), Some(0.0), None, None]);
        assert_eq!(head_scores(&[1], &[1.0]), [None; 4]);
        assert_eq!(head_scores(&[], &[]), [None; 4]);
    }

    #[test]
    fn pictures_keep_the_largest_weight() {
        let mut picture = vec![0.0; 4];
        shrink(&mut picture, 2, 4, 2, &[0.1, 0.3, 0.6]);
        shrink(&mut picture, 2, 4, 3, &[0.2, 0.1, 0.1, 0.6]);
        assert_eq!(picture, [0.0, 0.0, 0.3, 0.6]);
    }

    #[test]
    fn rollout_rows_sum_to_one() {
        let mean = [1.0, 0.0, 0.0, 0.25, 0.75, 0.0, 0.5, 0.25, 0.25];
        let once = roll(&identity(3), &mean, 3);
        assert_eq!(once[3..6], [0.125, 0.875, 0.0]);
        for row in roll(&once, &mean, 3).chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
