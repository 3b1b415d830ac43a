//! LoRA adapters against PEFT, on every backend: as trained, half as strong, off, and taken away again.

mod common;

use std::path::{Path, PathBuf};

use common::{Golden, backends, difference, files, fixtures, open};
use futures_lite::future::block_on;
use glassbox_engine::{Model, SamplerSettings, Undisturbed};
use glassbox_formats::{Adapter, FileSet, MemorySource};
use glassbox_model::Probe;
use serde::Deserialize;

/// A `case.toml` of kind `adapter`.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    base: String,
    tolerance: f32,
    gguf: Option<String>,
    prompt: Prompt,
    greedy: Greedy,
}

#[derive(Debug, Deserialize)]
struct Prompt {
    ids_with_special: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Greedy {
    ids: Vec<u32>,
}

fn cases() -> Vec<(PathBuf, Case)> {
    let case = |name: &str| {
        let folder = fixtures().join(name);
        let text = std::fs::read_to_string(folder.join("case.toml")).unwrap();
        (folder, toml::from_str(&text).unwrap())
    };
    vec![case("adapter-llama"), case("adapter-gpt2")]
}

fn adapter(path: &Path) -> Adapter {
    block_on(Adapter::open(files(path))).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn attach(model: &mut Model, adapter: &Adapter, scale: f32) -> usize {
    block_on(model.attach(adapter, scale)).unwrap_or_else(|error| panic!("{}: {error}", adapter.name))
}

fn logits(model: &Model, tokens: &[u32]) -> Vec<f32> {
    let probe = Probe::parse(&["logits".to_owned()], model.spec()).unwrap();
    let trace = block_on(model.trace(tokens, &probe, &[], &Undisturbed)).unwrap();
    trace.tensor("logits").unwrap().data.clone()
}

fn greedy(model: &Model, tokens: &[u32], n: usize) -> Vec<u32> {
    block_on(async {
        let settings = SamplerSettings::greedy();
        let mut generation = model.generate(tokens, n, settings, &[], &Undisturbed).await.unwrap();
        while generation.step(&Undisturbed).await.unwrap().is_some() {}
        generation.new_tokens().to_vec()
    })
}

#[test]
fn adapters_equal_peft() {
    for device in backends() {
        for (folder, case) in cases() {
            let label = format!("{} on {}", case.name, device.name);
            let golden = Golden::read(&folder.join("golden.safetensors"));
            let (full, half) = (golden.tensor("logits").1, golden.tensor("half.logits").1);
            let tokens = &case.prompt.ids_with_special;
            let near = |model: &Model, expected: &[f32], what: &str| {
                let most = difference(&logits(model, tokens), expected);
                assert!(most <= case.tolerance, "{label}, {what}: {most}");
            };
            let mut model = open(&fixtures().join(&case.base), &device);
            let base = logits(&model, tokens);
            assert!(
                difference(&base, &full) > 0.5,
                "{label}: the adapter changes too little to prove anything"
            );

            let adapter = adapter(&folder);
            let id = attach(&mut model, &adapter, 1.0);
            near(&model, &full, "as trained");
            assert_eq!(greedy(&model, tokens, case.greedy.ids.len()), case.greedy.ids, "{label}");
            assert!(model.set_scale(id, 0.5).unwrap());
            near(&model, &half, "half as strong");
            assert!(model.set_scale(id, 0.0).unwrap());
            assert_eq!(logits(&model, tokens), base, "{label}: off is the base, bit by bit");

            // Terms add up: half and half are the whole.
            model.set_scale(id, 0.5).unwrap();
            let second = attach(&mut model, &adapter, 0.5);
            near(&model, &full, "twice half");
            assert_eq!(model.adapters().iter().map(|a| a.id).collect::<Vec<_>>(), [id, second]);
            assert!(model.detach(id) && !model.detach(id));
            near(&model, &half, "one of two halves");
            assert!(model.detach(second));
            assert_eq!(logits(&model, tokens), base, "{label}: taken away");
        }
    }
}

/// The hub's adapter on a GGUF, a GGUF adapter on both: names and row orders of both worlds meet.
#[test]
fn adapters_and_models_of_either_format_fit() {
    let (folder, case) = cases().remove(0);
    let gguf = folder.join(case.gguf.as_ref().expect("a GGUF adapter"));
    let expected = Golden::read(&folder.join("golden.safetensors")).tensor("logits").1;
    let base = fixtures().join(&case.base);
    for model in [base.clone(), base.join("model-f32.gguf")] {
        for adapter_path in [&folder, &gguf] {
            let mut model = open(&model, &backends()[0]);
            attach(&mut model, &adapter(adapter_path), 1.0);
            let most = difference(&logits(&model, &case.prompt.ids_with_special), &expected);
            assert!(most <= case.tolerance, "{}: {most}", adapter_path.display());
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let (folder, case) = cases().remove(0);
    let tokens = &case.prompt.ids_with_special;
    let mut model = open(&fixtures().join(&case.base), &backends()[0]);
    let before = logits(&model, tokens);
    let refused = |model: &mut Model, adapter: &Adapter, scale: f32| {
        let error = block_on(model.attach(adapter, scale)).unwrap_err();
        assert!(!error.hint().is_empty());
        assert_eq!(error.code(), "adapter_mismatch", "{error}");
        error.to_string()
    };
    // Another architecture's, of other names.
    let other = adapter(&cases().remove(1).0);
    assert!(refused(&mut model, &other, 1.0).contains("transformer.h."));
    let own = adapter(&folder);
    refused(&mut model, &own, f32::NAN);
    // One layer more than the model has.
    let rename = |from: &str, to: &str| {
        let mut set = FileSet::new();
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            let mut bytes = std::fs::read(folder.join(name)).unwrap();
            while let Some(at) = bytes.windows(from.len()).position(|window| window == from.as_bytes()) {
                bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            }
            set.push(MemorySource::new(name, bytes));
        }
        block_on(Adapter::open(set)).unwrap()
    };
    assert!(refused(&mut model, &rename("layers.1.", "layers.2."), 1.0).contains("layers.2."));
    let unknown = rename("layers.0.self_attn.o_proj", "layers.0.self_attn.x_proj");
    assert!(refused(&mut model, &unknown, 1.0).contains("x_proj"));
    // The same names in other sizes.
    let mut odd = open(&fixtures().join("llama-mqa-odd"), &backends()[0]);
    assert!(refused(&mut odd, &own, 1.0).contains("the projection"));
    assert!(model.adapters().is_empty());
    assert_eq!(logits(&model, tokens), before);
    let id = attach(&mut model, &own, 1.0);
    assert_eq!(model.set_scale(id, f32::INFINITY).unwrap_err().code(), "adapter_mismatch");
    assert!(!model.set_scale(id + 1, 2.0).unwrap());
}
