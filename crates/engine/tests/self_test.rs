//! The model that every new device has to answer rightly (`web/self-test`), and the timing of devices.

mod common;

use std::path::Path;

use common::{backends, files};
use futures_lite::future::block_on;
use glassbox_engine::{Calibration, Model, OpenDevice, SamplerSettings, Speed, Undisturbed, device};
use glassbox_model::Probe;
use serde::Deserialize;

/// `answers.json`: what transformers computes.
#[derive(Debug, Deserialize)]
struct Answers {
    tokens: Vec<u32>,
    greedy: Vec<u32>,
    logits: Vec<f32>,
    pattern: Vec<Vec<f32>>,
}

/// The largest departures of a device.
#[derive(Debug)]
struct Departure {
    logits: f32,
    pattern: f32,
    divergence: f64,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/self-test")
}

fn answers() -> Answers {
    serde_json::from_slice(&std::fs::read(folder().join("answers.json")).unwrap()).unwrap()
}

fn largest<'a>(one: impl IntoIterator<Item = &'a f32>, other: impl IntoIterator<Item = &'a f32>) -> f32 {
    one.into_iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let exp: Vec<f64> = logits.iter().map(|x| f64::from(x - top).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|x| x / sum).collect()
}

/// Kullback-Leibler divergence of the next token, in nats.
fn divergence(wanted: &[f32], found: &[f32]) -> f64 {
    softmax(wanted).iter().zip(softmax(found)).map(|(p, q)| p * (p / q).ln()).sum()
}

fn test(device: &OpenDevice) -> Departure {
    let answers = answers();
    let model = block_on(Model::open(files(&folder().join("model.gguf")), device, &Undisturbed)).unwrap();
    let names = ["logits".to_owned(), "blocks.1.attn.hook_pattern".to_owned()];
    let probe = Probe::parse(&names, model.spec()).unwrap();
    let trace = block_on(model.trace(&answers.tokens, &probe, &[], &Undisturbed)).unwrap();
    let logits = &trace.tensor("logits").unwrap().data;
    let logits = &logits[logits.len() - answers.logits.len()..];
    let pattern = &trace.tensor("blocks.1.attn.hook_pattern").unwrap().data;
    let last_rows =
        pattern.chunks(answers.tokens.len()).skip(answers.tokens.len() - 1).step_by(answers.tokens.len());
    let greedy = block_on(async {
        let settings = SamplerSettings::greedy();
        let count = answers.greedy.len();
        let mut generation =
            model.generate(&answers.tokens, count, settings, &[], &Undisturbed).await.unwrap();
        while generation.step(&Undisturbed).await.unwrap().is_some() {}
        generation.new_tokens().to_vec()
    });
    assert_eq!(greedy, answers.greedy, "{}", device.name);
    Departure {
        logits: largest(logits, &answers.logits),
        pattern: largest(last_rows.flatten(), answers.pattern.iter().flatten()),
        divergence: divergence(&answers.logits, logits),
    }
}

#[test]
fn every_backend_gives_the_known_answers() {
    for device in backends() {
        let found = test(&device);
        assert!(found.logits < 1e-3 && found.pattern < 1e-4, "{}: {found:?}", device.name);
    }
}

#[test]
fn rounded_activations_give_them_too() {
    let found = test(&device::cpu());
    assert!(found.divergence < 1e-3 && found.pattern < 1e-2, "{found:?}");
}

#[test]
fn devices_are_timed() {
    let [cpu, gpu] = backends();
    let both = block_on(Calibration::measure(&cpu, &gpu, &Undisturbed)).unwrap();
    for speed in [both.cpu, both.gpu] {
        let Speed { launch_ms, read_ms, bytes_per_ms } = speed;
        assert!(launch_ms > 0.0 && read_ms >= 0.0, "{speed:?}");
        // From the slowest software adapter to memory as fast as the largest GPU's.
        assert!((1e3..1e11).contains(&bytes_per_ms), "{speed:?}");
    }
    if gpu.software {
        assert!(!both.prefers_gpu(3_000_000, 6), "a program that stands in for a GPU is slower: {both:?}");
    }
}
