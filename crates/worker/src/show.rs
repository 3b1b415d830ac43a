//! Results of analyses to protocol values.

use glassbox_engine::{HostTensor, Model, analysis as engine};
use glassbox_formats::order;
use glassbox_protocol as protocol;
use js_sys::{ArrayBuffer, Float32Array, Uint8Array, Uint32Array};

use crate::{convert, error::WorkerError};

/// Arrays on their way to the page: descriptions for the event, buffers beside it.
#[derive(Default)]
pub struct Arrays {
    /// In the order of the buffers.
    pub metas: Vec<protocol::ArrayMeta>,
    /// Copied out of the module's memory, to be moved to the page.
    pub buffers: Vec<ArrayBuffer>,
}

impl Arrays {
    fn add(&mut self, name: &str, dtype: protocol::ArrayType, shape: &[usize], buffer: ArrayBuffer) {
        let shape = shape.iter().map(|size| *size as u32).collect();
        self.metas.push(protocol::ArrayMeta { name: name.to_owned(), dtype, shape });
        self.buffers.push(buffer);
    }

    /// Adds floats.
    pub fn floats(&mut self, name: &str, shape: &[usize], data: &[f32]) {
        self.add(name, protocol::ArrayType::F32, shape, Float32Array::from(data).buffer());
    }

    /// Adds whole numbers.
    pub fn uints(&mut self, name: &str, shape: &[usize], data: &[u32]) {
        self.add(name, protocol::ArrayType::U32, shape, Uint32Array::from(data).buffer());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: &str, data: &[u8]) {
        self.add(name, protocol::ArrayType::U8, &[data.len()], Uint8Array::from(data).buffer());
    }

    /// Adds tensors under their names.
    pub fn tensors(&mut self, tensors: &[HostTensor]) {
        for tensor in tensors {
            self.floats(&tensor.name, &tensor.shape, &tensor.data);
        }
    }
}

/// A row of the lens.
pub fn lens_row(model: &Model, row: &engine::LensRow, pinned: usize) -> (protocol::Event, Arrays) {
    let count = row.positions.len();
    let top = row.ids.len() / count.max(1);
    let mut arrays = Arrays::default();
    arrays.uints("ids", &[count, top], &row.ids);
    arrays.floats("logits", &[count, top], &row.logits);
    arrays.floats("probabilities", &[count, top], &row.probabilities);
    arrays.floats("entropy", &[count], &row.entropy);
    arrays.floats("pinned_logits", &[count, pinned], &row.pinned_logits);
    arrays.floats("pinned_probabilities", &[count, pinned], &row.pinned_probabilities);
    arrays.uints("pinned_ranks", &[count, pinned], &row.pinned_ranks);
    let mut ids = row.ids.clone();
    order::sort_by(&mut ids, Ord::cmp);
    ids.dedup();
    let event = protocol::Event::LensRow {
        site: row.site.to_string(),
        layer: row.layer as u32,
        positions: [row.positions.start as u32, row.positions.end as u32],
        tokens: convert::tokens(model, &ids),
        arrays: arrays.metas.clone(),
    };
    (event, arrays)
}

/// A part of the model.
pub fn part_name(name: engine::PartName) -> protocol::PartName {
    use engine::PartName;
    use protocol::PartKind;
    let (kind, layer, head) = match name {
        PartName::Embed => (PartKind::Embed, None, None),
        PartName::PosEmbed => (PartKind::PosEmbed, None, None),
        PartName::Head { layer, head } => (PartKind::Head, Some(layer), Some(head)),
        PartName::Convolution { layer } => (PartKind::Convolution, Some(layer), None),
        PartName::AttnBias { layer } => (PartKind::AttnBias, Some(layer), None),
        PartName::Mlp { layer } => (PartKind::Mlp, Some(layer), None),
        PartName::Edits => (PartKind::Edits, None, None),
        PartName::NormBias => (PartKind::NormBias, None, None),
        PartName::HeadBias => (PartKind::HeadBias, None, None),
    };
    let number = |n: Option<usize>| n.map(|n| n as u32);
    protocol::PartName { kind, layer: number(layer), head: number(head) }
}

/// A part of the model, as a page names it.
pub fn to_part(part: &protocol::PartName) -> Result<engine::PartName, WorkerError> {
    use engine::PartName;
    use protocol::PartKind;
    let number = |n: Option<u32>| {
        n.map(|n| n as usize).ok_or_else(|| WorkerError::Message("a part lacks its layer or head".to_owned()))
    };
    Ok(match part.kind {
        PartKind::Embed => PartName::Embed,
        PartKind::PosEmbed => PartName::PosEmbed,
        PartKind::Head => PartName::Head { layer: number(part.layer)?, head: number(part.head)? },
        PartKind::Convolution => PartName::Convolution { layer: number(part.layer)? },
        PartKind::AttnBias => PartName::AttnBias { layer: number(part.layer)? },
        PartKind::Mlp => PartName::Mlp { layer: number(part.layer)? },
        PartKind::Edits => PartName::Edits,
        PartKind::NormBias => PartName::NormBias,
        PartKind::HeadBias => PartName::HeadBias,
    })
}

/// An attribution of a token's logit.
pub fn attribution(
    model: &Model,
    attribution: &engine::Attribution,
    token: u32,
    against: Option<u32>,
) -> protocol::Event {
    let part = |part: &engine::Part| protocol::Part {
        part: part_name(part.name),
        contribution: part.contribution,
        norm: part.norm,
    };
    protocol::Event::Attributed {
        position: attribution.position as u32,
        token: convert::token(model, token),
        against: against.map(|id| convert::token(model, id)),
        parts: attribution.parts.iter().map(part).collect(),
        logit: attribution.logit,
        scale: attribution.scale,
        note: attribution.note.clone(),
    }
}

fn effects(model: &Model, effects: &[engine::TokenEffect]) -> Vec<protocol::TokenEffect> {
    let effect = |effect: &engine::TokenEffect| protocol::TokenEffect {
        token: convert::token(model, effect.id),
        logit: effect.logit,
    };
    effects.iter().map(effect).collect()
}

/// What a part pushes up and down.
pub fn promotion(
    model: &Model,
    part: &protocol::PartName,
    promotion: &engine::Promotion,
) -> protocol::Promotion {
    protocol::Promotion {
        part: *part,
        promoted: effects(model, &promotion.promoted),
        suppressed: effects(model, &promotion.suppressed),
    }
}

/// A neuron.
pub fn neuron(model: &Model, neuron: &engine::Neuron) -> protocol::Neuron {
    protocol::Neuron {
        index: neuron.index as u32,
        pre: neuron.pre,
        linear: neuron.linear,
        activation: neuron.activation,
        norm: neuron.norm,
        promoted: effects(model, &neuron.effect.promoted),
        suppressed: effects(model, &neuron.effect.suppressed),
    }
}

/// What all heads do.
pub fn heads(model: &Model, report: &engine::HeadsReport, count: usize) -> (protocol::Event, Arrays) {
    let (layers, heads) = (model.spec().layers, model.spec().heads);
    let names = ["previous_token", "first_token", "induction", "duplicate_token"];
    let mut arrays = Arrays::default();
    let mut labels = Vec::new();
    for (index, (name, role)) in names.iter().zip(engine::HeadRole::ALL).enumerate() {
        let scores: Vec<f32> = report.scores.iter().map(|scores| scores[index].unwrap_or(f32::NAN)).collect();
        arrays.floats(name, &[layers, heads], &scores);
        for (at, score) in scores.into_iter().enumerate().filter(|(_, score)| *score >= role.threshold()) {
            let (layer, head) = ((at / heads) as u32, (at % heads) as u32);
            labels.push(protocol::HeadLabel { layer, head, role: head_role(role), score });
        }
    }
    let scores: Vec<f32> = labels.iter().map(|label: &protocol::HeadLabel| label.score).collect();
    let labels = engine::largest(&scores, scores.len()).into_iter().map(|at| labels[at as usize]).collect();
    if let Some((side, pictures)) = &report.thumbnails {
        arrays.floats("thumbnails", &[layers, heads, *side, *side], pictures);
    }
    if let Some(rollout) = &report.rollout {
        arrays.floats("rollout", &[count, count], rollout);
    }
    let thresholds = engine::HeadRole::ALL.map(engine::HeadRole::threshold);
    (protocol::Event::Heads { labels, thresholds, arrays: arrays.metas.clone() }, arrays)
}

fn head_role(role: engine::HeadRole) -> protocol::HeadRole {
    match role {
        engine::HeadRole::PreviousToken => protocol::HeadRole::PreviousToken,
        engine::HeadRole::FirstToken => protocol::HeadRole::FirstToken,
        engine::HeadRole::Induction => protocol::HeadRole::Induction,
        engine::HeadRole::DuplicateToken => protocol::HeadRole::DuplicateToken,
    }
}

/// The sampler's bench.
pub fn bench(model: &Model, bench: &engine::Bench, position: usize) -> protocol::Event {
    let stage = |stage: &engine::BenchStage| protocol::BenchStage {
        name: convert::stage_name(stage.kind),
        kept: stage.kept as u32,
        cut: stage.cut as u32,
        cut_mass: stage.cut_mass,
        entropy: stage.entropy,
    };
    let rows = |rows: &[engine::BenchRow]| rows.iter().map(|row| bench_row(model, row)).collect();
    protocol::Event::Bench {
        position: position as u32,
        stages: bench.stages.iter().map(stage).collect(),
        rows: rows(&bench.rows),
        total: bench.total as u32,
        pinned: rows(&bench.pinned),
        drawn: rows(&bench.drawn),
    }
}

fn bench_row(model: &Model, row: &engine::BenchRow) -> protocol::BenchRow {
    protocol::BenchRow {
        token: convert::token(model, row.id),
        rank: row.rank,
        logit: row.logit,
        probabilities: row.probabilities.clone(),
        cut_at: row.cut_at.map(|stage| stage as u32),
        drawn: row.drawn,
    }
}

fn standing(standing: &engine::Standing) -> protocol::Standing {
    protocol::Standing { logit: standing.logit, probability: standing.probability, rank: standing.rank }
}

/// A token of the model's own distribution.
pub fn candidate(model: &Model, standing: &engine::Standing) -> protocol::Candidate {
    protocol::Candidate {
        token: convert::token(model, standing.id),
        logit: standing.logit,
        probability: standing.probability,
        rank: standing.rank,
    }
}

/// Two runs compared.
pub fn comparison(model: &Model, comparison: &engine::Comparison) -> (protocol::Event, Arrays) {
    let change = |(before, after): &(engine::Standing, engine::Standing)| protocol::Change {
        token: convert::token(model, before.id),
        before: standing(before),
        after: standing(after),
    };
    let mut arrays = Arrays::default();
    arrays.floats("divergence", &[comparison.divergences.len()], &comparison.divergences);
    let changed: Vec<u32> = comparison.top_changed.iter().map(|changed| u32::from(*changed)).collect();
    arrays.uints("top_changed", &[changed.len()], &changed);
    let event = protocol::Event::Compared {
        position: comparison.position as u32,
        divergence: comparison.divergence,
        entropy: comparison.entropy,
        changes: comparison.changes.iter().map(change).collect(),
        top: comparison.top.iter().map(change).collect(),
        arrays: arrays.metas.clone(),
    };
    (event, arrays)
}

/// How a token was expected.
pub fn expectation(model: &Model, expectation: &engine::Expectation) -> protocol::Expectation {
    protocol::Expectation {
        probability: expectation.standing.map(|standing| standing.probability),
        surprisal: expectation.surprisal,
        rank: expectation.standing.map(|standing| standing.rank),
        entropy: expectation.entropy,
        top: expectation.top.iter().map(|standing| candidate(model, standing)).collect(),
    }
}

/// A continuation with its probability.
pub fn continuation(model: &Model, continuation: &engine::Continuation) -> protocol::Continuation {
    protocol::Continuation {
        tokens: convert::tokens(model, &continuation.tokens),
        logprobs: continuation.logprobs.clone(),
        total: continuation.total,
    }
}

/// A sweep.
pub fn sweep(sweep: &engine::Sweep) -> (protocol::Event, Arrays) {
    let shape = [sweep.layers.len(), sweep.positions.len()];
    let mut arrays = Arrays::default();
    arrays.floats("metric", &shape, &sweep.metric);
    let recovered: Vec<f32> = sweep.recovered.iter().map(|value| value.unwrap_or(f32::NAN)).collect();
    arrays.floats("recovered", &shape, &recovered);
    let event = protocol::Event::SweepDone {
        origin: [sweep.layers.start as u32, sweep.positions.start as u32],
        source: sweep.source,
        target: sweep.target,
        arrays: arrays.metas.clone(),
    };
    (event, arrays)
}
