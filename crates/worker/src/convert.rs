//! Engine values to protocol values and back: the one place where the two meet.

use std::ops::Range;

use glassbox_engine::{
    Attached, Calibration, Candidate, Distribution, EngineError, Finish, GenerationTiming, Model, OpenDevice,
    SamplerSettings, Speed, StageKind, Step, analysis::Intervention, device::Precision,
};
use glassbox_formats::order::gather;
use glassbox_model::{Action, Edit, Mixer};
use glassbox_protocol as protocol;
use glassbox_text::{Special, display};

use crate::error::WorkerError;

/// How to treat special tokens.
pub fn special(special: bool) -> Special {
    if special { Special::Add } else { Special::None }
}

/// A prompt's token ids.
pub fn input(model: &Model, input: &protocol::Input) -> Result<Vec<u32>, EngineError> {
    match input {
        protocol::Input::Text { text, special: with } => model.tokenize(text, special(*with)),
        protocol::Input::Tokens { tokens } => Ok(tokens.clone()),
    }
}

/// A half-open range.
pub fn range([start, end]: [u32; 2]) -> Range<usize> {
    start as usize..end as usize
}

/// A causal edit, or what becomes one once other prompts have been run.
pub fn intervention(model: &Model, edit: &protocol::Edit) -> Result<Intervention, WorkerError> {
    let site = edit.site.parse().map_err(EngineError::Model)?;
    let head = edit.head.map(|head| head as usize);
    let positions = edit.positions.map(range);
    let sizes = |shape: &[u32]| shape.iter().map(|size| *size as usize).collect();
    let action = match &edit.action {
        protocol::EditAction::Scale { factor } => Action::Scale(*factor),
        protocol::EditAction::Replace { shape, data } => {
            Action::Replace { shape: sizes(shape), values: data.clone() }
        }
        protocol::EditAction::Add { shape, data, strength } => {
            Action::Add { shape: sizes(shape), values: data.iter().map(|value| value * strength).collect() }
        }
        protocol::EditAction::Mask => Action::Mask,
        protocol::EditAction::Patch { source, from } => {
            let source = input(model, source)?;
            let positions = positions.unwrap_or(0..source.len());
            let from = from.map_or(positions.start, |from| from as usize);
            return Ok(Intervention::Patch { site, head, positions, source, from });
        }
        protocol::EditAction::Steer { towards, away, strength } => {
            let (towards, strength) = (input(model, towards)?, *strength);
            let away = away.as_ref().map(|away| input(model, away)).transpose()?;
            return Ok(Intervention::Steer { site, head, positions, towards, away, strength });
        }
    };
    Ok(Intervention::Edit(Edit { site, head, positions, keys: edit.keys.map(range), action }))
}

/// Settings of the sampler.
pub fn sampler(sampler: &protocol::Sampler) -> SamplerSettings {
    SamplerSettings {
        temperature: sampler.temperature,
        top_k: sampler.top_k as usize,
        top_p: sampler.top_p,
        min_p: sampler.min_p,
        repetition_penalty: sampler.repetition_penalty,
        seed: sampler.seed.into(),
        greedy: sampler.greedy,
    }
}

/// A token as a page shows it; without a tokenizer its id stands for it.
pub fn token(model: &Model, id: u32) -> protocol::Token {
    match model.tokenizer.as_ref().and_then(|tokenizer| tokenizer.token(id)) {
        Some(piece) => protocol::Token {
            id,
            text: String::from_utf8(piece.bytes.clone()).unwrap_or_default(),
            display: display(&piece.bytes),
            bytes: piece.bytes,
            special: piece.special,
        },
        None => protocol::Token {
            id,
            text: String::new(),
            display: id.to_string(),
            bytes: Vec::new(),
            special: false,
        },
    }
}

/// Tokens as a page shows them.
pub fn tokens(model: &Model, ids: &[u32]) -> Vec<protocol::Token> {
    ids.iter().map(|id| token(model, *id)).collect()
}

/// The most probable tokens of a distribution, with their ranks in the raw one.
pub fn candidates(
    model: &Model,
    distribution: &Distribution,
    raw: &Distribution,
    n: usize,
) -> Vec<protocol::Candidate> {
    let rank = |c: &Candidate| {
        let own = raw.logits[c.id as usize];
        let before = |(id, logit): (usize, &f32)| *logit > own || (*logit == own && id < c.id as usize);
        1 + raw.logits.iter().enumerate().filter(|entry| before(*entry)).count() as u32
    };
    let top = distribution.top(n);
    let candidate = |(index, c): (usize, &Candidate)| protocol::Candidate {
        token: token(model, c.id),
        logit: c.logit,
        probability: c.probability,
        rank: if distribution.stage == StageKind::Raw { index as u32 + 1 } else { rank(c) },
    };
    top.iter().enumerate().map(candidate).collect()
}

/// A generated token with all stages of its distribution.
pub fn step(model: &Model, step: &Step, timing: GenerationTiming, n: usize) -> protocol::Event {
    let raw = &step.draw.stages[0];
    let stage = |d: &Distribution| protocol::Stage {
        name: stage_name(d.stage),
        kept: d.ids.len() as u32,
        entropy: d.entropy,
        top: candidates(model, d, raw, n),
    };
    let stages: Vec<protocol::Stage> = step.draw.stages.iter().map(stage).collect();
    protocol::Event::Step {
        index: step.index as u32,
        token: token(model, step.draw.id),
        text: step.text.clone(),
        // The first stage and the last: found once, since this is done for every token.
        raw: stages[0].top.clone(),
        r#final: stages[stages.len() - 1].top.clone(),
        stages,
        timing: self::timing(timing),
    }
}

/// A stage of the sampler.
pub fn stage_name(stage: StageKind) -> protocol::StageName {
    match stage {
        StageKind::Raw => protocol::StageName::Raw,
        StageKind::RepetitionPenalty => protocol::StageName::RepetitionPenalty,
        StageKind::Temperature => protocol::StageName::Temperature,
        StageKind::TopK => protocol::StageName::TopK,
        StageKind::TopP => protocol::StageName::TopP,
        StageKind::MinP => protocol::StageName::MinP,
    }
}

/// Timings.
pub fn timing(timing: GenerationTiming) -> protocol::Timing {
    protocol::Timing {
        prefill_ms: timing.prefill_ms,
        decode_ms: timing.decode_ms,
        prompt_tokens: timing.prompt_tokens as u32,
        decoded_tokens: timing.decoded_tokens as u32,
    }
}

/// Why generation ended.
pub fn finish(finish: Option<Finish>) -> protocol::FinishReason {
    match finish {
        Some(Finish::EndOfText) => protocol::FinishReason::Eos,
        Some(Finish::Context) => protocol::FinishReason::Context,
        Some(Finish::Stopped) => protocol::FinishReason::Aborted,
        Some(Finish::Length) | None => protocol::FinishReason::Length,
    }
}

/// The device, with the reason for it and, where the driver tells none, its name.
pub fn device(device: &OpenDevice, chosen: &protocol::ChosenDevice, reason: String) -> protocol::DeviceInfo {
    let told = |name: &str| !name.is_empty() && !name.starts_with("GPU (");
    protocol::DeviceInfo {
        kind: if device.gpu { protocol::DeviceKind::Gpu } else { protocol::DeviceKind::Cpu },
        name: match device.gpu && !told(&device.name) && !chosen.name.is_empty() {
            true => chosen.name.clone(),
            false => device.name.clone(),
        },
        reason,
        software: device.software || (device.gpu && chosen.software),
    }
}

/// What was measured before.
pub fn calibration(calibration: &protocol::Calibration) -> Calibration {
    let speed = |speed: &protocol::Speed| Speed {
        launch_ms: speed.launch_ms,
        read_ms: speed.read_ms,
        bytes_per_ms: speed.bytes_per_ms,
    };
    Calibration { cpu: speed(&calibration.cpu), gpu: speed(&calibration.gpu) }
}

/// What was measured now.
pub fn calibrated(calibration: &Calibration) -> protocol::Calibration {
    let speed = |speed: &Speed| protocol::Speed {
        launch_ms: speed.launch_ms,
        read_ms: speed.read_ms,
        bytes_per_ms: speed.bytes_per_ms,
    };
    protocol::Calibration { cpu: speed(&calibration.cpu), gpu: speed(&calibration.gpu) }
}

/// The adapters of a model.
pub fn adapters(model: &Model) -> Vec<protocol::AdapterInfo> {
    let adapter = |adapter: &Attached| protocol::AdapterInfo {
        id: adapter.id as u32,
        name: adapter.name.clone(),
        base: adapter.base.clone(),
        parameters: adapter.parameters as f64,
        scale: adapter.scale,
    };
    model.adapters().iter().map(adapter).collect()
}

/// How products are to take their activations.
pub fn asked_precision(precision: protocol::Precision) -> Precision {
    match precision {
        protocol::Precision::F32 => Precision::F32,
        protocol::Precision::Int16 => Precision::Int16,
        protocol::Precision::Int8 => Precision::Int8,
    }
}

/// How a model's products take their activations.
fn precision(precision: Precision) -> protocol::Precision {
    match precision {
        Precision::F32 => protocol::Precision::F32,
        Precision::Int16 => protocol::Precision::Int16,
        Precision::Int8 => protocol::Precision::Int8,
    }
}

/// What an open model is.
pub fn model(model: &Model) -> protocol::ModelInfo {
    let (summary, spec) = (&model.summary, model.spec());
    let bytes = |n: u64| n as f64;
    protocol::ModelInfo {
        architecture: spec.architecture.to_owned(),
        name: summary.name.clone(),
        format: summary.format.clone(),
        parameters: bytes(summary.parameters),
        layers: spec.layers as u32,
        heads: spec.heads as u32,
        kv_heads: spec.kv_heads as u32,
        convolutions: (0..)
            .zip(&spec.blocks)
            .filter(|(_, block)| block.mixer == Mixer::Convolution)
            .map(|(layer, _)| layer)
            .collect(),
        head_dim: spec.head_dim as u32,
        hidden: spec.hidden as u32,
        intermediate: spec.intermediate as u32,
        vocab: spec.vocab as u32,
        context: spec.context as u32,
        dtypes: gather(summary.dtypes.iter().map(|(name, n)| (name.clone(), bytes(*n)))),
        weight_bytes: bytes(model.decoder.weight_bytes()),
        tokenizer: summary.tokenizer.clone(),
        chat_template: model.has_chat_template(),
        precision: precision(model.precision()),
        threads: model.decoder.threads() as u32,
        adapters: adapters(model),
        licence: summary.licence.clone(),
        files: summary
            .files
            .iter()
            .map(|file| protocol::FileInfo { name: file.name.clone(), bytes: bytes(file.bytes) })
            .collect(),
    }
}
