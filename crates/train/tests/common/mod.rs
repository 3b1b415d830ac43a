//! A small corpus and a small recipe, so that a training run takes seconds.

#![allow(dead_code, missing_docs, reason = "each suite uses its part")]

use std::path::PathBuf;

use futures_lite::future::block_on;
use glassbox_train::{
    AdamW, DropoutFrom, Event, Options, Recipe, Repeated, SEPARATOR, Schedule, Shape, Stage, Trained, train,
};

/// Stories from a small grammar: names, things and places in all combinations.
pub fn corpus() -> String {
    let names = ["Lily", "Tom", "Anna", "Ben", "Mia", "Sam"];
    let things = ["a red ball", "an old boat", "a small cat", "a big cake", "a blue kite"];
    let places = ["in the park", "at home", "near the river", "under a tree"];
    let mut stories = Vec::new();
    for (i, name) in names.iter().enumerate() {
        for thing in things {
            for (j, place) in places.iter().enumerate() {
                let friend = names[(i + j + 1) % names.len()];
                stories.push(format!(
                    "One day, {name} found {thing} {place}. {name} was very happy and showed {thing} to {friend}. \
                     \"Look, {friend}!\" said {name}. \"I found {thing}.\" {friend} smiled. They played {place} \
                     all day. The end."
                ));
            }
        }
    }
    stories.join(&format!("\n{SEPARATOR}\n"))
}

/// A recipe of `steps` steps for a model of 0.1 million parameters.
pub fn recipe(steps: u64) -> Recipe {
    Recipe {
        name: "tiny-stories".to_owned(),
        seed: 7,
        shape: Shape {
            vocab_size: 320,
            hidden_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 16,
            intermediate_size: 96,
            max_position_embeddings: 128,
            rope_theta: 10_000.0,
        },
        held_out_percent: 5,
        steps,
        batch_tokens: 512,
        micro_batch_tokens: 128,
        stages: vec![Stage { from_percent: 0, length: 32 }, Stage { from_percent: 75, length: 64 }],
        dropout: vec![DropoutFrom { from_step: 2, per_256: 13 }],
        repeated: vec![Repeated { from_step: 0, every: 8, shortest: 2, longest: 16 }],
        schedule: Schedule { peak: 4e-3, warmup: 10, decay_from_percent: 50 },
        adamw: AdamW { beta_1: 0.9, beta_2: 0.97, epsilon: 1e-8, weight_decay: 0.1, clip: 1.0 },
    }
}

/// An empty folder for a run, in cargo's target folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A run that must succeed, with what it told.
pub fn run(recipe: &Recipe, options: &Options) -> (Trained, Vec<Event>) {
    let mut events = Vec::new();
    let trained = block_on(train(&corpus(), recipe, options, &mut |event| events.push(event))).unwrap();
    (trained, events)
}

/// All weights, bit by bit.
pub fn bits(trained: &Trained) -> Vec<u32> {
    let values =
        trained.weights.iter().flat_map(|weight| glassbox_train::weights::values(weight.values.clone()));
    values.map(f32::to_bits).collect()
}
