//! The sampler's stages against HF transformers' logits processors.

mod common;

use glassbox_engine::{Sampler, SamplerSettings, StageKind};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    logits: Vec<f32>,
    previous: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: Settings,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Settings {
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
}

#[derive(Deserialize)]
struct Stage {
    stage: String,
    kept: usize,
    entropy_nats: f32,
    probabilities: Vec<f32>,
}

fn name(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Raw => "raw",
        StageKind::RepetitionPenalty => "repetition_penalty",
        StageKind::Temperature => "temperature",
        StageKind::TopK => "top_k",
        StageKind::TopP => "top_p",
        StageKind::MinP => "min_p",
    }
}

#[test]
fn every_stage_equals_transformers() {
    let path = common::fixtures().join("sampler/golden.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(golden.cases.len() >= 10);
    for case in golden.cases {
        let given = &case.settings;
        let off = SamplerSettings::default();
        let sampler = Sampler::new(SamplerSettings {
            temperature: given.temperature.unwrap_or(off.temperature),
            top_k: given.top_k.unwrap_or(off.top_k),
            top_p: given.top_p.unwrap_or(off.top_p),
            min_p: given.min_p.unwrap_or(off.min_p),
            repetition_penalty: given.repetition_penalty.unwrap_or(off.repetition_penalty),
            ..off
        });
        let stages = sampler.stages(&golden.logits, &golden.previous);
        let found: Vec<_> = stages.iter().map(|stage| name(stage.stage)).collect();
        let expected: Vec<_> = case.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(found, expected, "{given:?}");
        for (stage, expected) in stages.iter().zip(&case.stages) {
            assert_eq!(stage.ids.len(), expected.kept, "{given:?} {}", expected.stage);
            let mut full = vec![0.0; golden.logits.len()];
            for (id, probability) in stage.ids.iter().zip(&stage.probabilities) {
                full[*id as usize] = *probability;
            }
            let most = common::difference(&full, &expected.probabilities);
            assert!(most <= 1e-6, "{given:?} {}: {most}", expected.stage);
            let bits = expected.entropy_nats / std::f32::consts::LN_2;
            assert!((stage.entropy - bits).abs() <= 1e-5, "{given:?} {}", expected.stage);
        }
    }
}
