//! The house model: its files give what HF transformers computes from them, on both backends.

mod common;

use std::path::{Path, PathBuf};

use common::{backends, fixtures, open};
use futures_lite::future::block_on;
use glassbox_engine::{
    Model, SamplerSettings, Undisturbed,
    analysis::{HeadRole, RepeatedTokens},
};
use glassbox_model::Probe;
use glassbox_text::Special;
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    model: PathBuf,
    golden: PathBuf,
    tolerance: Tolerance,
    prompt: Prompt,
    greedy: Greedy,
    gguf: Gguf,
}

#[derive(Deserialize)]
struct Tolerance {
    logits: f32,
    pattern: f32,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    ids_with_special: Vec<u32>,
}

#[derive(Deserialize)]
struct Greedy {
    ids: Vec<u32>,
    text: String,
}

#[derive(Deserialize)]
struct Gguf {
    file: PathBuf,
    golden: PathBuf,
    greedy_ids: Vec<u32>,
}

fn case() -> Case {
    toml::from_str(&std::fs::read_to_string(fixtures().join("house/case.toml")).unwrap()).unwrap()
}

fn folder(case: &Case) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&case.model)
}

/// Compares everything that a golden holds.
fn compare(model: &Model, case: &Case, golden: &Path, label: &str) {
    let bytes = std::fs::read(fixtures().join("house").join(golden)).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let names: Vec<&str> = golden.names().into_iter().filter(|name| *name != "tokens").collect();
    let probe = Probe::parse(&names, model.spec()).unwrap();
    let trace = block_on(model.trace(&case.prompt.ids_with_special, &probe, &[], &Undisturbed)).unwrap();
    for name in names {
        let expected = golden.tensor(name).unwrap();
        let found = trace.tensor(name).unwrap();
        assert_eq!(found.shape, expected.shape(), "{label}: {name}");
        let limit = if name.ends_with("pattern") { case.tolerance.pattern } else { case.tolerance.logits };
        for (found, expected) in found.data.iter().zip(expected.data().as_chunks::<4>().0) {
            let expected = f32::from_le_bytes(*expected);
            // Sums in the residual stream grow with its size.
            let limit = limit * expected.abs().max(1.0);
            assert!((found - expected).abs() <= limit, "{label}: {name}: {found} and {expected}");
        }
    }
}

fn greedy(model: &Model, tokens: &[u32], count: usize) -> (Vec<u32>, String) {
    let settings = SamplerSettings::greedy();
    block_on(async {
        let mut generation = model.generate(tokens, count, settings, &[], &Undisturbed).await.unwrap();
        let mut text = String::new();
        while let Some(step) = generation.step(&Undisturbed).await.unwrap() {
            text.push_str(&step.text);
        }
        (generation.new_tokens().to_vec(), text)
    })
}

#[test]
fn both_files_equal_transformers() {
    let case = case();
    for device in backends() {
        let hub = open(&folder(&case), &device);
        compare(&hub, &case, &case.golden, &format!("safetensors on {}", device.name));
        let (ids, text) = greedy(&hub, &case.prompt.ids_with_special, case.greedy.ids.len());
        assert_eq!((ids, text), (case.greedy.ids.clone(), case.greedy.text.clone()), "{}", device.name);
        let gguf = open(&folder(&case).join(&case.gguf.file), &device);
        compare(&gguf, &case, &case.gguf.golden, &format!("GGUF on {}", device.name));
        let (ids, _) = greedy(&gguf, &case.prompt.ids_with_special, case.gguf.greedy_ids.len());
        assert_eq!(ids, case.gguf.greedy_ids, "{}", device.name);
    }
}

#[test]
fn both_tokenizers_give_the_same_ids() {
    let case = case();
    let device = &backends()[0];
    let models = [open(&folder(&case), device), open(&folder(&case).join(&case.gguf.file), device)];
    for model in &models {
        assert_eq!(model.tokenize(&case.prompt.text, Special::Add).unwrap(), case.prompt.ids_with_special);
    }
    for text in ["\"Hello,\" said Tom.\n\nHe ran 12 miles!", "café 🙂 don't", "  two  spaces", ""] {
        let [hub, gguf] = &models;
        let ids = hub.tokenize(text, Special::Add).unwrap();
        assert_eq!(ids, gguf.tokenize(text, Special::Add).unwrap(), "{text:?}");
    }
}

#[derive(Deserialize)]
struct Recorded {
    text: String,
    tokens: Vec<RecordedToken>,
    next: Vec<RecordedCandidate>,
    layers: usize,
    heads: usize,
    attention: PathBuf,
}

#[derive(Deserialize)]
struct RecordedToken {
    id: u32,
}

#[derive(Deserialize)]
struct RecordedCandidate {
    token: RecordedToken,
    logit: f32,
}

/// What the page paints before its engine has come is what the engine computes.
#[test]
fn the_recorded_picture_is_what_the_engine_computes() {
    let case = case();
    let folder = folder(&case);
    let recorded: Recorded =
        serde_json::from_slice(&std::fs::read(folder.join("recorded.json")).unwrap()).unwrap();
    let weights = std::fs::read(folder.join(&recorded.attention)).unwrap();
    let model = open(&folder.join(&case.gguf.file), &backends()[0]);
    let tokens: Vec<u32> = recorded.tokens.iter().map(|token| token.id).collect();
    assert_eq!(model.tokenize(&recorded.text, Special::Add).unwrap(), tokens);
    let probe = Probe::parse(&["logits", "pattern"], model.spec()).unwrap();
    let trace = block_on(model.trace(&tokens, &probe, &[], &Undisturbed)).unwrap();

    let each = recorded.heads * tokens.len() * tokens.len();
    assert_eq!(weights.len(), recorded.layers * each * 4);
    for (layer, weights) in weights.chunks(each * 4).enumerate() {
        let found = trace.tensor(&format!("blocks.{layer}.attn.hook_pattern")).unwrap();
        for (found, recorded) in found.data.iter().zip(weights.as_chunks::<4>().0) {
            assert!((found - f32::from_le_bytes(*recorded)).abs() <= 1e-3, "layer {layer}");
        }
    }
    let logits = trace.tensor("logits").unwrap();
    let last = &logits.data[(tokens.len() - 1) * model.spec().vocab..];
    for candidate in &recorded.next {
        let logit = last[candidate.token.id as usize];
        assert!((logit - candidate.logit).abs() <= 2e-2, "token {}", candidate.token.id);
    }
}

/// What the card promises of its heads.
#[test]
fn there_are_induction_and_previous_token_heads() {
    let case = case();
    let model = open(&folder(&case), &backends()[0]);
    let prompts = model.repeated_prompts(RepeatedTokens::default()).unwrap();
    let survey = block_on(model.survey_heads(&prompts, &Undisturbed)).unwrap();
    let (block, _, induction) = survey.ranked(HeadRole::Induction)[0];
    assert!(induction >= 0.4, "the best induction head has {induction}");
    let (before, _, previous) = survey.ranked(HeadRole::PreviousToken)[0];
    assert!(previous >= 0.8, "the best previous-token head has {previous}");
    // An induction head reads what a previous-token head wrote.
    assert!(before < block, "blocks {before} and {block}");
}
