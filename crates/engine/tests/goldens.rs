//! Every model of `tests/fixtures` against HF transformers, on every backend.

mod common;

use std::{cell::RefCell, path::Path};

use common::{
    Case, Golden, backends, cases, difference, open,
    report::{self, Comparison, Failure},
};
use futures_lite::future::block_on;
use glassbox_engine::{
    Model, OpenDevice, SamplerSettings, Trace, Undisturbed,
    device::{self, Precision},
};
use glassbox_model::{Action, Edit, Hook, Probe, Site, architectures::ARCHITECTURES};
use glassbox_text::Special;

/// Residual stream and head outputs: sums of many terms, compared relative to their size.
const RELATIVE: f32 = 1e-4;

fn trace(model: &Model, tokens: &[u32], names: &[String], edits: &[Edit]) -> Trace {
    let probe = Probe::parse(names, model.spec()).unwrap();
    block_on(model.trace(tokens, &probe, edits, &Undisturbed)).unwrap()
}

fn greedy(model: &Model, tokens: &[u32], n: usize) -> Vec<u32> {
    block_on(async {
        let settings = SamplerSettings::greedy();
        let mut generation = model.generate(tokens, n, settings, &[], &Undisturbed).await.unwrap();
        while generation.step(&Undisturbed).await.unwrap().is_some() {}
        generation.new_tokens().to_vec()
    })
}

/// Everything a golden file holds, compared with one trace, in the order of the forward pass.
fn compare(case: &Case, model: &Model, golden: &Golden) -> (Vec<Comparison>, Vec<String>) {
    let names = golden.names();
    let trace = trace(model, &case.prompt.ids_with_special, &names, &[]);
    let mut problems: Vec<String> = names
        .iter()
        .filter(|name| trace.tensor(name).is_none())
        .map(|name| format!("{name} was not captured"))
        .collect();
    let mut comparisons = Vec::new();
    for found in &trace.tensors {
        let (shape, expected) = golden.tensor(&found.name);
        let size = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        let pattern = found.name.ends_with("hook_pattern");
        let allowed = match found.name.as_str() {
            "logits" => case.tolerance.logits,
            _ if pattern => case.tolerance.pattern,
            _ => RELATIVE * size,
        };
        if found.shape != shape {
            problems.push(format!("{} has shape {:?} instead of {shape:?}", found.name, found.shape));
            continue;
        }
        let departure = difference(&found.data, &expected);
        let worst = (0..expected.len()).max_by(|a, b| {
            (found.data[*a] - expected[*a]).abs().total_cmp(&(found.data[*b] - expected[*b]).abs())
        });
        let at = worst.map_or(String::new(), |at| format!("{at}: {} for {}", found.data[at], expected[at]));
        comparisons.push(Comparison { name: found.name.clone(), departure, allowed, at });
        if pattern {
            let sums = found.data.chunks(shape[2]).map(|row| row.iter().sum::<f32>());
            problems.extend(
                sums.filter(|sum| (sum - 1.0).abs() > 1e-3)
                    .map(|sum| format!("a row of {} sums to {sum}", found.name)),
            );
        }
    }
    (comparisons, problems)
}

/// Compares one form of a case with its golden and its greedy tokens.
fn check(
    label: &str,
    case: &Case,
    path: &Path,
    device: &OpenDevice,
    golden: &Path,
    ids: &[u32],
) -> Option<Failure> {
    let model = open(path, device);
    let (comparisons, mut others) = compare(case, &model, &Golden::read(golden));
    if path.is_dir() && model.summary.parameters != case.parameters {
        others.push(format!("{} parameters instead of {}", model.summary.parameters, case.parameters));
    }
    let found = greedy(&model, &case.prompt.ids_with_special, ids.len());
    if found != ids {
        others.push(format!("greedy tokens {found:?} instead of {ids:?}"));
    }
    let fails = !others.is_empty() || comparisons.iter().any(Comparison::fails);
    fails.then(|| Failure { label: label.to_owned(), comparisons, others })
}

fn on_all_backends(run: impl Fn(&OpenDevice, &Path, &Case, &str)) {
    for device in backends() {
        for (folder, case) in cases() {
            let label = format!("{} on {}", case.name, device.name);
            run(&device, &folder, &case, &label);
        }
    }
}

#[test]
fn hub_models_equal_transformers() {
    let failures = RefCell::new(Vec::new());
    on_all_backends(|device, folder, case, label| {
        let golden = folder.join(&case.golden);
        failures.borrow_mut().extend(check(label, case, folder, device, &golden, &case.greedy.ids));
    });
    report::finish("hub_models_equal_transformers", &failures.into_inner());
}

#[test]
fn gguf_models_equal_their_goldens() {
    let mut seen = std::collections::BTreeSet::new();
    let failures = RefCell::new(Vec::new());
    for device in backends() {
        for (folder, case) in cases() {
            for gguf in &case.gguf {
                let label = format!("{}/{} on {}", case.name, gguf.file, device.name);
                let (path, golden) = (folder.join(&gguf.file), folder.join(&gguf.golden));
                failures.borrow_mut().extend(check(&label, &case, &path, &device, &golden, &gguf.greedy_ids));
                seen.insert(gguf.dtype.clone());
            }
        }
    }
    report::finish("gguf_models_equal_their_goldens", &failures.into_inner());
    assert!(seen.iter().map(String::as_str).eq(["BF16", "F16", "F32", "Q4_0", "Q8_0"]), "{seen:?}");
}

/// A GGUF file of floats holds the weights of the safetensors, so that both forms give the same logits, to 1e-4: for
/// every architecture that has a form of its own in llama.cpp.
#[test]
fn gguf_models_of_floats_equal_the_hubs_form() {
    let mut seen = std::collections::BTreeSet::new();
    for device in backends() {
        for (folder, case) in cases() {
            for gguf in case.gguf.iter().filter(|gguf| !gguf.dtype.starts_with('Q')) {
                let logits = |path: &Path| {
                    let model = open(path, &device);
                    let names = ["logits".to_owned()];
                    let mut found = trace(&model, &case.prompt.ids_with_special, &names, &[]);
                    (model.spec().architecture, found.tensors.remove(0).data)
                };
                let (hub, gguf) = (logits(&folder), logits(&folder.join(&gguf.file)));
                let most = difference(&hub.1, &gguf.1);
                assert!(most <= 1e-4, "{} on {}: {most}", case.name, device.name);
                seen.insert(hub.0);
            }
        }
    }
    let own = ARCHITECTURES.iter().filter(|known| known.gguf.is_some()).map(|known| known.name);
    let missing: Vec<&str> = own.filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no GGUF of floats: {missing:?}");
}

/// The Kullback-Leibler divergence of two next-token distributions given by their logits, in nats:
/// the mean over all positions.
fn divergence(expected: &[f32], found: &[f32], vocab: usize) -> f64 {
    let log_softmax = |logits: &[f32]| -> Vec<f64> {
        let most = logits.iter().fold(f32::NEG_INFINITY, |most, logit| most.max(*logit));
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
        logits.iter().map(|logit| f64::from(logit - most) - sum.ln()).collect()
    };
    let rows = expected.chunks_exact(vocab).zip(found.chunks_exact(vocab));
    let sum: f64 = rows
        .map(|(expected, found)| {
            let (p, q) = (log_softmax(expected), log_softmax(found));
            p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>()
        })
        .sum();
    sum / (expected.len() / vocab) as f64
}

/// The distribution is that of transformers with the widened weights to within 1e-4 nats with activations in
/// f32 and rounded to 16 bits, and to within 1e-3 where some are rounded to 8; and rounding does happen.
#[test]
fn rounded_activations_keep_the_distribution() {
    let mut count = 0;
    for (folder, case) in cases() {
        for gguf in &case.gguf {
            let golden = Golden::read(&folder.join(&gguf.golden));
            let (shape, expected) = golden.tensor("logits");
            let quantised = gguf.dtype.contains('Q');
            let logits = |precision| {
                let device = device::cpu().with_precision(precision);
                let model = open(&folder.join(&gguf.file), &device);
                let found = trace(&model, &case.prompt.ids_with_special, &["logits".to_owned()], &[]);
                assert!(model.precision() <= precision);
                assert_eq!(model.precision() != Precision::F32, quantised && precision != Precision::F32);
                found.tensor("logits").unwrap().data.clone()
            };
            let asked = [(Precision::F32, 1e-4), (Precision::Int16, 1e-4), (Precision::Int8, 1e-3)];
            let found = asked.map(|(precision, most)| (logits(precision), most));
            assert_eq!(found[0].0 != found[1].0, quantised, "{}/{}", case.name, gguf.file);
            for (found, most) in &found {
                let nats = divergence(&expected, found, shape[1]);
                assert!(nats <= *most, "{}/{}: {nats} nats", case.name, gguf.file);
            }
            count += usize::from(quantised);
        }
    }
    assert!(count >= 2, "only {count} quantised models");
}

/// On a GPU weights of 16 bits stay packed, and are widened in the kernel, whose sums are in f32: the distribution is that
/// of transformers with the weights widened to within 1e-3 nats.
#[test]
fn weights_of_16_bits_keep_the_distribution_on_a_gpu() {
    let [_, gpu] = backends();
    let (mut count, mut most) = (0, 0.0f64);
    for (folder, case) in cases() {
        let (shape, expected) = Golden::read(&folder.join(&case.golden)).tensor("logits");
        let ggufs = case.gguf.iter().map(|gguf| folder.join(&gguf.file));
        for path in [folder.clone()].into_iter().chain(ggufs) {
            let model = open(&path, &gpu);
            if !["F16", "BF16"].iter().any(|dtype| model.summary.dtypes.contains_key(*dtype)) {
                continue;
            }
            let found = trace(&model, &case.prompt.ids_with_special, &["logits".to_owned()], &[]);
            let nats = divergence(&expected, &found.tensor("logits").unwrap().data, shape[1]);
            assert!(nats <= 1e-3, "{}: {nats} nats", path.display());
            (count, most) = (count + 1, most.max(nats));
        }
    }
    println!("{count} models of 16 bits, at most {most:.1e} nats");
    assert!(count >= 70, "only {count} models of 16 bits");
}

/// Chunks of five tokens through the cache give what one pass gives, for every architecture.
#[test]
fn chunked_prefill_equals_transformers() {
    on_all_backends(|device, folder, case, label| {
        let model = open(folder, device);
        let golden = Golden::read(&folder.join(&case.golden));
        let (_, expected) = golden.tensor("logits");
        let tokens = &case.prompt.ids_with_special;
        let mut cache = glassbox_model::KvCache::new(model.spec(), 1, model.decoder.device());
        cache.expect(tokens.len());
        let probe = Probe::all_logits();
        let mut found = Vec::new();
        for chunk in tokens.chunks(5) {
            let mut observation = glassbox_model::Observation::new(&probe, &[], cache.len());
            let rows = model.decoder.forward(chunk, &mut cache, &mut observation).unwrap();
            let rows = block_on(rows.into_data_async()).unwrap().try_into_vec::<f32>().unwrap();
            found.extend(rows);
        }
        let most = difference(&found, &expected);
        assert!(most <= case.tolerance.logits, "{label}: {most}");
    });
}

#[test]
fn ablating_attention_equals_transformers() {
    let mut count = 0;
    for device in backends() {
        for (folder, case) in cases() {
            let golden = Golden::read(&folder.join(&case.golden));
            for ablation in &case.ablate {
                let model = open(&folder, &device);
                let edit = match ablation.head {
                    Some(head) => Edit::ablate_head(ablation.layer, head),
                    None => Edit {
                        site: Site::block(ablation.layer, Hook::AttnOut),
                        head: None,
                        positions: None,
                        keys: None,
                        action: Action::Scale(0.0),
                    },
                };
                let names = ["logits".to_owned()];
                let found = trace(&model, &case.prompt.ids_with_special, &names, &[edit]);
                let (_, expected) = golden.tensor(&ablation.logits);
                let most = difference(&found.tensor("logits").unwrap().data, &expected);
                assert!(most <= case.tolerance.logits, "{} on {}: {most}", case.name, device.name);
                count += 1;
            }
        }
    }
    assert!(count >= 8, "only {count} ablations");
}

/// Replacing values by what the model computes itself changes nothing; by zeros it equals ablation.
#[test]
fn replacing_values_equals_what_is_known() {
    let (folder, case) = cases().into_iter().find(|(_, case)| case.name == "llama-gqa").unwrap();
    let tokens = &case.prompt.ids_with_special;
    let names = ["logits", "z", "resid_mid", "ln_final"].map(str::to_owned);
    for device in backends() {
        let model = open(&folder, &device);
        let plain = trace(&model, tokens, &names, &[]);
        let logits =
            |edit: Edit| trace(&model, tokens, &names, &[edit]).tensor("logits").unwrap().data.clone();
        let replace = |site: &str, head, positions, shape: Vec<usize>, values| Edit {
            site: site.parse().unwrap(),
            head,
            positions,
            keys: None,
            action: Action::Replace { shape, values },
        };
        for site in ["blocks.1.hook_resid_mid", "ln_final.hook_normalized"] {
            let own = plain.tensor(site).unwrap();
            let (from, width) = (3, own.shape[1]);
            let values = own.data[from * width..5 * width].to_vec();
            let edit = replace(site, None, Some(from..5), vec![2, width], values);
            assert!(difference(&logits(edit), &plain.tensor("logits").unwrap().data) <= 1e-4, "{site}");
        }
        let head_dim = model.spec().head_dim;
        let zeros = replace("blocks.0.attn.hook_z", Some(3), None, vec![1, 1, head_dim], vec![0.0; head_dim]);
        let golden = Golden::read(&folder.join(&case.golden));
        let (_, expected) = golden.tensor("edits.ablate.l0h3.logits");
        assert!(difference(&logits(zeros), &expected) <= case.tolerance.logits);
    }
}

#[test]
fn tokenizers_equal_transformers() {
    let device = glassbox_engine::device::cpu();
    for (folder, case) in cases() {
        let ggufs = case.gguf.iter().map(|gguf| folder.join(&gguf.file));
        for path in [folder.clone()].into_iter().chain(ggufs) {
            let model = open(&path, &device);
            let label = path.display();
            assert_eq!(model.tokenize(&case.prompt.text, Special::None).unwrap(), case.prompt.ids, "{label}");
            let special = model.tokenize(&case.prompt.text, Special::Add).unwrap();
            assert_eq!(special, case.prompt.ids_with_special, "{label}");
        }
    }
}

#[test]
fn chunks_and_cache_equal_one_full_pass() {
    for device in backends() {
        let (folder, case) = cases().into_iter().find(|(_, case)| case.name == "llama-gqa").unwrap();
        let model = open(&folder, &device);
        // The whole context in one chunk where it fits, against token by token through the cache.
        let tokens: Vec<u32> = (0..48).map(|i| (i * 37 + 11) % model.spec().vocab as u32).collect();
        let names = ["logits", "pattern"].map(str::to_owned);
        let full = trace(&model, &tokens, &names, &[]);
        let logits = &full.tensor("logits").unwrap().data;
        let vocab = model.spec().vocab;
        block_on(async {
            let mut cache = glassbox_model::KvCache::new(model.spec(), 1, model.decoder.device());
            let probe = Probe::default();
            for (position, token) in tokens.iter().enumerate() {
                let mut observation = glassbox_model::Observation::new(&probe, &[], position);
                let row = model.decoder.forward(&[*token], &mut cache, &mut observation).unwrap();
                let row = row.into_data_async().await.unwrap().try_into_vec::<f32>().unwrap();
                let most = difference(&row, &logits[position * vocab..(position + 1) * vocab]);
                assert!(most <= 1e-3, "{} on {}: position {position}: {most}", case.name, device.name);
            }
        });
    }
}

#[test]
fn long_prompts_are_traced_in_chunks() {
    // gpt2's context of 64 is one CPU chunk; a chunked pass needs a longer context, which the case below has.
    let Some((folder, case)) = cases().into_iter().find(|(_, case)| case.name == "llama-tied") else {
        panic!("no case llama-tied");
    };
    for device in backends() {
        let model = open(&folder, &device);
        let count = model.spec().context.min(150);
        let tokens: Vec<u32> = (0..count as u32).map(|i| (i * 53 + 7) % model.spec().vocab as u32).collect();
        let names = ["logits", "pattern", "resid_post"].map(str::to_owned);
        let all = trace(&model, &tokens, &names, &[]);
        let half = trace(&model, &tokens[..count / 2], &names, &[]);
        // What stands before a position does not depend on what comes after it.
        for name in ["logits", "blocks.0.hook_resid_post"] {
            let (all, half) = (&all.tensor(name).unwrap().data, &half.tensor(name).unwrap().data);
            let most = difference(&all[..half.len()], half);
            assert!(most <= 1e-3, "{} on {}: {name}: {most}", case.name, device.name);
        }
        let pattern = all.tensor("blocks.1.attn.hook_pattern").unwrap();
        assert_eq!(pattern.shape, [model.spec().heads, count, count]);
        for (index, row) in pattern.data.chunks(count).enumerate() {
            let query = index % count;
            let sum: f32 = row.iter().sum();
            assert!((sum - 1.0).abs() <= 1e-3, "row {index} sums to {sum}");
            assert!(row[query + 1..].iter().all(|weight| *weight == 0.0), "row {index} looks ahead");
        }
    }
}

#[test]
fn weights_of_stories260k_run_without_a_tokenizer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models/stories260K");
    if !folder.is_dir() {
        return;
    }
    let mut continuations = Vec::new();
    for device in backends() {
        let model = open(&folder, &device);
        assert!(model.tokenizer.is_none());
        let names = ["logits", "pattern"].map(str::to_owned);
        let trace = trace(&model, &[1, 403, 407, 261, 378], &names, &[]);
        assert!(trace.next.iter().all(|logit| logit.is_finite()));
        continuations.push(greedy(&model, &[1], 32));
    }
    assert_eq!(continuations[0], continuations[1]);
    assert_eq!(continuations[0].len(), 32);
}
