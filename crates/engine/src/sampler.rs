//! The sampler: from logits over the full vocabulary to one token, with every stage in between.
//!
//! Stages and their order follow HF transformers' logits processors: repetition penalty (Keskar et
//! al., 2019), temperature, top-k (Fan et al., 2018), top-p (Holtzman et al., 2019), min-p (Nguyen et
//! al., 2024). A stage that is switched off is left out.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use crate::{
    EngineError,
    analysis::{FEW, largest},
};

/// Settings of the sampler.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplerSettings {
    /// Divides the logits; 1 leaves them. Must be positive unless `greedy`.
    pub temperature: f32,
    /// Keeps the k most probable tokens (and ties); 0 keeps all.
    pub top_k: usize,
    /// Keeps the smallest set whose probabilities reach p; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least this fraction as probable as the best one; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens that were there before; 1 leaves them.
    pub repetition_penalty: f32,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Takes the most probable token instead of drawing.
    pub greedy: bool,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            greedy: false,
        }
    }
}

impl SamplerSettings {
    /// Always the most probable token.
    pub fn greedy() -> Self {
        Self { greedy: true, ..Self::default() }
    }

    /// Refuses settings that are out of their range.
    pub fn check(&self) -> Result<(), EngineError> {
        self.problem().map_or(Ok(()), |problem| Err(EngineError::Sampler(problem)))
    }

    /// Names the first setting that is out of its range, and the range.
    pub fn problem(&self) -> Option<String> {
        let checks = [
            (self.temperature.is_finite() && self.temperature > 0.0, "temperature", "a number above 0"),
            (self.top_p > 0.0 && self.top_p <= 1.0, "top-p", "above 0 and at most 1"),
            (self.min_p >= 0.0 && self.min_p < 1.0, "min-p", "at least 0 and below 1"),
            (
                self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
                "repetition penalty",
                "a number above 0",
            ),
        ];
        checks.iter().find(|(fine, ..)| !fine).map(|(_, name, range)| format!("{name} must be {range}"))
    }
}

/// A stage of the sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageKind {
    /// The model's own distribution.
    Raw,
    /// After the repetition penalty.
    RepetitionPenalty,
    /// After the temperature.
    Temperature,
    /// After top-k.
    TopK,
    /// After top-p.
    TopP,
    /// After min-p.
    MinP,
}

/// The distribution after a stage: what is left, with probabilities that sum to 1.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Which stage.
    pub stage: StageKind,
    /// Tokens that are left, by id.
    pub ids: Vec<u32>,
    /// Their logits at this stage.
    pub logits: Vec<f32>,
    /// Their probabilities.
    pub probabilities: Vec<f32>,
    /// In bits.
    pub entropy: f32,
}

/// A token with its place in a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Token id.
    pub id: u32,
    /// Logit at this stage.
    pub logit: f32,
    /// Probability at this stage.
    pub probability: f32,
}

impl Distribution {
    /// The softmax of logits, summed in f64.
    fn new(stage: StageKind, ids: Vec<u32>, logits: Vec<f32>) -> Self {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut probabilities: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
        let (mut sum, mut exponents) = (0.0f64, 0.0f64);
        for (p, logit) in probabilities.iter().zip(&logits).filter(|(p, _)| **p > 0.0) {
            sum += f64::from(*p);
            exponents += f64::from(*p) * f64::from(logit - max);
        }
        for p in &mut probabilities {
            *p = (f64::from(*p) / sum) as f32;
        }
        // The mean of -ln p, where p is exp(logit - max) / sum.
        let nats = sum.ln() - exponents / sum;
        Self { stage, ids, logits, probabilities, entropy: (nats / std::f64::consts::LN_2).max(0.0) as f32 }
    }

    /// The model's own distribution over the full vocabulary.
    pub fn raw(logits: &[f32]) -> Self {
        Self::new(StageKind::Raw, (0..logits.len() as u32).collect(), logits.to_vec())
    }

    /// The `n` most probable tokens, best first; ties by id.
    pub fn top(&self, n: usize) -> Vec<Candidate> {
        largest(&self.logits, n).into_iter().map(|index| self.candidate(index as usize)).collect()
    }

    fn candidate(&self, index: usize) -> Candidate {
        Candidate { id: self.ids[index], logit: self.logits[index], probability: self.probabilities[index] }
    }

    /// A stage that changes logits.
    fn map(&self, stage: StageKind, f: impl Fn(u32, f32) -> f32) -> Self {
        let logits = self.ids.iter().zip(&self.logits).map(|(id, logit)| f(*id, *logit)).collect();
        Self::new(stage, self.ids.clone(), logits)
    }

    /// A stage that cuts tokens off.
    fn filter(&self, stage: StageKind, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.ids.len()).filter(|i| keep(*i)).collect();
        let ids = kept.iter().map(|i| self.ids[*i]).collect();
        let logits = kept.iter().map(|i| self.logits[*i]).collect();
        Self::new(stage, ids, logits)
    }

    fn top_k(&self, k: usize) -> Self {
        if k >= self.ids.len() {
            return Self { stage: StageKind::TopK, ..self.clone() };
        }
        let kept = largest(&self.logits, k);
        let threshold = self.logits[kept[k - 1] as usize];
        self.filter(StageKind::TopK, |i| self.logits[i] >= threshold)
    }

    /// Cuts the least probable tokens whose probabilities together are at most `1 - p`.
    fn top_p(&self, p: f32) -> Self {
        let total: f64 = self.probabilities.iter().map(|p| f64::from(*p)).sum();
        let wanted = total - (1.0 - f64::from(p));
        let mut keep = vec![false; self.ids.len()];
        // Mostly a few tokens have nearly all of the probability; else all have to be put in order.
        for n in [FEW, self.ids.len()] {
            let mut sum = 0.0;
            for index in largest(&self.logits, n) {
                keep[index as usize] = true;
                sum += f64::from(self.probabilities[index as usize]);
                if sum >= wanted {
                    return self.filter(StageKind::TopP, |i| keep[i]);
                }
            }
        }
        Self { stage: StageKind::TopP, ..self.clone() }
    }

    fn min_p(&self, min_p: f32) -> Self {
        let best = self.probabilities.iter().copied().fold(0.0, f32::max);
        self.filter(StageKind::MinP, |i| self.probabilities[i] >= min_p * best)
    }
}

/// A drawn token with the distribution before and after every stage.
#[derive(Debug, Clone)]
pub struct Draw {
    /// The token.
    pub id: u32,
    /// The raw distribution first, then one per active stage; the token was drawn from the last.
    pub stages: Vec<Distribution>,
}

/// Draws tokens by [`SamplerSettings`].
#[derive(Debug, Clone)]
pub struct Sampler {
    settings: SamplerSettings,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// A sampler at the start of its random numbers. The settings must have no [`SamplerSettings::problem`].
    pub fn new(settings: SamplerSettings) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(settings.seed);
        Self { settings, rng }
    }

    /// The distribution after every active stage, for logits `[vocab]` behind the tokens of `history`.
    pub fn stages(&self, logits: &[f32], history: &[u32]) -> Vec<Distribution> {
        let s = &self.settings;
        let mut stages = vec![Distribution::raw(logits)];
        let mut push = |next: &dyn Fn(&Distribution) -> Distribution| {
            let stage = next(&stages[stages.len() - 1]);
            stages.push(stage);
        };
        if s.repetition_penalty != 1.0 {
            let seen = seen(history, logits.len());
            push(&|d| {
                d.map(StageKind::RepetitionPenalty, |id, logit| match seen[id as usize] {
                    true if logit > 0.0 => logit / s.repetition_penalty,
                    true => logit * s.repetition_penalty,
                    false => logit,
                })
            });
        }
        if s.greedy {
            return stages;
        }
        if s.temperature != 1.0 {
            push(&|d| d.map(StageKind::Temperature, |_, logit| logit / s.temperature));
        }
        if s.top_k > 0 {
            push(&|d| d.top_k(s.top_k));
        }
        if s.top_p < 1.0 {
            push(&|d| d.top_p(s.top_p));
        }
        if s.min_p > 0.0 {
            push(&|d| d.min_p(s.min_p));
        }
        stages
    }

    /// Draws the next token.
    pub fn draw(&mut self, logits: &[f32], history: &[u32]) -> Draw {
        let stages = self.stages(logits, history);
        let last = &stages[stages.len() - 1];
        let id = self.draw_many(last, 1).first().copied().unwrap_or_default();
        Draw { id, stages }
    }

    /// Draws `count` tokens from one distribution, the last of [`Self::stages`]: each as the next token would be.
    pub fn draw_many(&mut self, last: &Distribution, count: usize) -> Vec<u32> {
        if self.settings.greedy {
            return vec![last.top(1).first().map_or(0, |c| c.id); count];
        }
        // Cumulative, in the order of ids; tokens without probability are never drawn.
        let mut sum = 0.0;
        let possible = last.ids.iter().zip(&last.probabilities).filter(|(_, p)| **p > 0.0);
        let sums: Vec<(f64, u32)> = possible
            .map(|(id, p)| {
                sum += f64::from(*p);
                (sum, *id)
            })
            .collect();
        let mut one = || {
            // 53 random bits: a number in [0, 1).
            let point = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            let index = sums.partition_point(|(sum, _)| *sum <= point);
            sums.get(index).or(sums.last()).map_or(0, |(_, id)| *id)
        };
        (0..count).map(|_| one()).collect()
    }
}

fn seen(history: &[u32], vocab: usize) -> Vec<bool> {
    let mut seen = vec![false; vocab];
    for id in history {
        if let Some(entry) = seen.get_mut(*id as usize) {
            *entry = true;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(settings: SamplerSettings) -> Sampler {
        Sampler::new(settings)
    }

    #[test]
    fn same_seed_same_tokens_and_frequencies_follow_probabilities() {
        let logits = [0.0f32, 1.0, 2.0, -1.0];
        let settings = SamplerSettings { seed: 7, ..Default::default() };
        let draw_all = || {
            let mut s = sampler(settings.clone());
            (0..20_000).map(|_| s.draw(&logits, &[]).id).collect::<Vec<_>>()
        };
        let first = draw_all();
        assert_eq!(first, draw_all());
        let raw = Distribution::raw(&logits);
        for (id, p) in raw.ids.iter().zip(&raw.probabilities) {
            let share = first.iter().filter(|d| *d == id).count() as f32 / first.len() as f32;
            assert!((share - p).abs() < 0.015, "token {id}: {share} drawn, {p} expected");
        }
    }

    #[test]
    fn greedy_takes_the_first_of_equals() {
        let mut s = sampler(SamplerSettings::greedy());
        assert_eq!(s.draw(&[1.0, 3.0, 3.0], &[]).id, 1);
    }

    #[test]
    fn out_of_range_settings_are_named() {
        let bad = SamplerSettings { temperature: 0.0, ..Default::default() };
        assert!(bad.problem().unwrap().contains("temperature"));
        let bad = SamplerSettings { top_p: 1.5, ..Default::default() };
        assert!(bad.problem().unwrap().contains("top-p"));
        assert_eq!(SamplerSettings::default().problem(), None);
    }

    #[test]
    fn every_stage_sums_to_one_and_never_cuts_everything() {
        let logits: Vec<f32> = (0..100).map(|i| ((i * 37) % 100) as f32 / 10.0).collect();
        let settings = SamplerSettings {
            temperature: 0.7,
            top_k: 5,
            top_p: 0.01,
            min_p: 0.99,
            repetition_penalty: 1.3,
            ..Default::default()
        };
        let stages = sampler(settings).stages(&logits, &[3, 4]);
        assert_eq!(stages.len(), 6);
        for d in &stages {
            let sum: f32 = d.probabilities.iter().sum();
            assert!(!d.ids.is_empty() && (sum - 1.0).abs() < 1e-5, "{:?}: {sum}", d.stage);
        }
    }
}
