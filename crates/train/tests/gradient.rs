//! The gradient against finite differences, and the batched pass against the session's.

mod common;

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use common::recipe;
use futures_lite::future::block_on;
use glassbox_engine::{Model, Undisturbed, device};
use glassbox_formats::{FileSet, MemorySource};
use glassbox_model::{KvCache, Observation, Probe};
use glassbox_train::{Batch, Recipe, Sequences, layout, pass, weights};

/// The derivative of the loss along each weight's gradient, by autodiff (the gradient's squared norm) and by a
/// central difference.
#[test]
fn the_gradient_equals_finite_differences() {
    let recipe = Recipe { dropout: Vec::new(), ..recipe(8) };
    let decoder = block_on(layout::blank(&recipe)).unwrap();
    let mut all = weights::of(&decoder);
    weights::initialise(&mut all, &recipe);
    let stories: Vec<Vec<u32>> =
        (0..9).map(|s| (0..40).map(|i| (s * 31 + i * 7) % 319 + 1).collect()).collect();
    let sequences = Sequences::new(&recipe, &stories, 0).batch(0);
    let batch = Batch { sequences: &sequences, per_micro: 4, dropped: 0, seed: 0, step: 0 };
    let found = pass(&decoder, &all, batch, 2);
    for index in 0..all.len() {
        let gradient = &found.gradients[index];
        let squared = f64::from(gradient.clone().square().sum().into_scalar::<f32>());
        let (name, kept) = (all[index].name.clone(), all[index].values.clone());
        assert!(squared > 1e-12, "{name} has no gradient");
        // So far that the loss changes by about 0.01: rounding of the loss is far below, curvature little.
        let step = 0.005 / squared.sqrt().max(0.02);
        let mut loss = |sign: f64| {
            let direction = gradient.clone().mul_scalar(sign * step / squared.sqrt());
            all[index].values = kept.clone() + direction;
            pass(&decoder, &all, batch, 2).loss
        };
        let slope = (loss(1.0) - loss(-1.0)) / (2.0 * step);
        all[index].values = kept;
        let expected = squared.sqrt();
        assert!((slope - expected).abs() < 0.03 * expected + 2e-4, "{name}: {slope} and {expected}");
    }
}

/// Logits `[position, vocab]` of a session's pass.
fn session(model: &Model, tokens: &[u32]) -> Tensor<2> {
    let probe = Probe::all_logits();
    let mut cache = KvCache::new(model.spec(), 1, model.decoder.device());
    model.decoder.forward(tokens, &mut cache, &mut Observation::new(&probe, &[], 0)).unwrap()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data();
    data.try_into_vec().unwrap()
}

#[test]
fn a_batch_equals_its_sequences_one_by_one() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut compared = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let folder = entry.unwrap().path();
        let read = |name: &str| std::fs::read(folder.join(name)).ok();
        let (Some(config), Some(model)) = (read("config.json"), read("model.safetensors")) else { continue };
        let mut files = FileSet::new();
        files.push(MemorySource::new("config.json", config));
        files.push(MemorySource::new("model.safetensors", model));
        let model = block_on(Model::open(files, &device::cpu(), &Undisturbed))
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let vocab = model.spec().vocab as u32;
        let sequences: Vec<Vec<u32>> =
            (0..3).map(|s| (0..12).map(|i| (s * 53 + i * i * 11 + 3) % vocab).collect()).collect();
        let batch = values(model.decoder.forward_batch(&sequences.concat(), 3, None));
        let single: Vec<f32> = sequences.iter().flat_map(|tokens| values(session(&model, tokens))).collect();
        assert_eq!(batch.len(), single.len());
        for (batch, single) in batch.iter().zip(&single) {
            assert!((batch - single).abs() < 1e-4, "{}: {batch} and {single}", folder.display());
        }
        compared += 1;
    }
    assert!(compared >= 6, "only {compared} fixtures");
}
