//! The sampler as a bench: every stage over the full vocabulary, from logits that are there already.

use std::collections::BTreeMap;

use glassbox_formats::order;

use super::standing::{Row, descending, largest};
use crate::{Distribution, EngineError, Model, Sampler, SamplerSettings, StageKind};

/// Which rows of the vocabulary to report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchRows {
    /// How many rows to skip.
    pub from: usize,
    /// How many rows to report.
    pub count: usize,
    /// Only tokens whose visible text contains this, upper and lower case alike; all if empty.
    pub search: String,
    /// Whether rows are ordered by the last stage instead of the model's own distribution.
    pub by_final: bool,
}

/// A stage over the full vocabulary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BenchStage {
    /// Which stage.
    pub kind: StageKind,
    /// How many tokens are left.
    pub kept: usize,
    /// How many this stage cut off.
    pub cut: usize,
    /// Their probability before this stage.
    pub cut_mass: f32,
    /// Entropy in bits.
    pub entropy: f32,
}

/// A token in every stage.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchRow {
    /// Token id.
    pub id: u32,
    /// Its rank in the model's own distribution.
    pub rank: u32,
    /// Its logit as the model gave it.
    pub logit: f32,
    /// Its probability after each stage; 0 once it is cut off.
    pub probabilities: Vec<f32>,
    /// The stage that cut it off, as an index.
    pub cut_at: Option<usize>,
    /// How often it was drawn, where draws were asked for.
    pub drawn: Option<u32>,
}

/// The next-token distribution under a sampler.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// Every active stage, the model's own distribution first.
    pub stages: Vec<BenchStage>,
    /// The rows asked for.
    pub rows: Vec<BenchRow>,
    /// How many rows there are in all.
    pub total: usize,
    /// The pinned tokens.
    pub pinned: Vec<BenchRow>,
    /// Every token drawn, most often drawn first.
    pub drawn: Vec<BenchRow>,
}

/// All stages for logits `[vocab]` behind the tokens of `history`, with `draws` tokens drawn by the seed.
///
/// # Errors
/// For settings out of range and tokens that the model does not have.
pub fn bench(
    model: &Model,
    logits: &[f32],
    history: &[u32],
    settings: &SamplerSettings,
    rows: &BenchRows,
    pinned: &[u32],
    draws: usize,
) -> Result<Bench, EngineError> {
    settings.check()?;
    if draws > MOST_DRAWS {
        return Err(EngineError::Sampler(format!("{draws} draws are more than {MOST_DRAWS}")));
    }
    model.check_ids(pinned)?;
    let mut sampler = Sampler::new(settings.clone());
    let stages = sampler.stages(logits, history);
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    if let Some(last) = stages.last() {
        for id in sampler.draw_many(last, draws) {
            *counts.entry(id).or_default() += 1;
        }
    }
    let table = Table { row: Row::new(logits), stages: &stages, counts: (draws > 0).then_some(&counts) };
    let wanted = wanted(model, logits, stages.last(), rows);
    let page = wanted.ids.iter().skip(rows.from).take(rows.count);
    let mut drawn: Vec<(u32, u32)> = counts.iter().map(|(id, count)| (*id, *count)).collect();
    order::sort_by_key(&mut drawn, |(id, count)| (std::cmp::Reverse(*count), *id));
    Ok(Bench {
        rows: page.map(|id| table.row(*id)).collect(),
        total: wanted.total,
        pinned: pinned.iter().map(|id| table.row(*id)).collect(),
        drawn: drawn.into_iter().map(|(id, _)| table.row(id)).collect(),
        stages: summaries(&stages),
    })
}

/// The most draws at once.
const MOST_DRAWS: usize = 100_000;

struct Wanted {
    /// In order, up to the end of the page.
    ids: Vec<u32>,
    total: usize,
}

fn wanted(model: &Model, logits: &[f32], last: Option<&Distribution>, rows: &BenchRows) -> Wanted {
    let end = rows.from.saturating_add(rows.count);
    // What the rows are ordered by; tokens that are cut off come last, in the model's own order.
    let mut keys = logits.to_vec();
    if let (true, Some(last)) = (rows.by_final, last) {
        let least = logits.iter().copied().fold(f32::INFINITY, f32::min);
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let lowest = last.logits.iter().copied().fold(f32::INFINITY, f32::min);
        let below = (most - least + 1.0).max(1.0);
        keys.iter_mut().for_each(|key| *key += lowest - most - below);
        for (id, logit) in last.ids.iter().zip(&last.logits) {
            keys[*id as usize] = *logit;
        }
    }
    if rows.search.is_empty() {
        return Wanted { ids: largest(&keys, end), total: logits.len() };
    }
    let needle = rows.search.to_lowercase();
    let matches = |id: &u32| model.shown(*id).to_lowercase().contains(&needle);
    let mut ids: Vec<u32> = (0..logits.len() as u32).filter(matches).collect();
    descending(&keys, &mut ids);
    Wanted { total: ids.len(), ids }
}

struct Table<'a> {
    row: Row<'a>,
    stages: &'a [Distribution],
    counts: Option<&'a BTreeMap<u32, u32>>,
}

impl Table<'_> {
    fn row(&self, id: u32) -> BenchRow {
        let in_stage =
            |stage: &Distribution| stage.ids.binary_search(&id).ok().map(|at| stage.probabilities[at]);
        let probabilities: Vec<Option<f32>> = self.stages.iter().map(in_stage).collect();
        BenchRow {
            id,
            rank: self.row.rank(id),
            logit: self.row.logits[id as usize],
            cut_at: probabilities.iter().position(Option::is_none),
            probabilities: probabilities.into_iter().map(|p| p.unwrap_or(0.0)).collect(),
            drawn: self.counts.map(|counts| counts.get(&id).copied().unwrap_or(0)),
        }
    }
}

fn summaries(stages: &[Distribution]) -> Vec<BenchStage> {
    let summary = |(index, stage): (usize, &Distribution)| {
        let before = index.checked_sub(1).map(|index| &stages[index]);
        let mut left = stage.ids.iter().peekable();
        // Both lists are in the order of ids.
        let gone = before.into_iter().flat_map(|before| before.ids.iter().zip(&before.probabilities)).filter(
            |(id, _)| match left.peek() == Some(id) {
                true => {
                    left.next();
                    false
                }
                false => true,
            },
        );
        let (cut, cut_mass) = gone.fold((0, 0.0f64), |(cut, mass), (_, p)| (cut + 1, mass + f64::from(*p)));
        BenchStage {
            kind: stage.stage,
            kept: stage.ids.len(),
            cut,
            cut_mass: cut_mass as f32,
            entropy: stage.entropy,
        }
    };
    stages.iter().enumerate().map(summary).collect()
}
