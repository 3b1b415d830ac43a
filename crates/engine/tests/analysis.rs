//! Analyses against torch: `golden-analysis.safetensors`, made by `tests/fixtures/analysis.py`.

mod common;

use common::{Case, Golden, backends, cases, difference, open};
use futures_lite::future::block_on;
use glassbox_engine::{
    Model, SamplerSettings, Undisturbed,
    analysis::{BenchRows, Intervention, PartName, Run, Runs, SweepPlan, bench, lens_sites, safetensors},
};
use glassbox_model::{Action, Edit, Hook, Probe, Site};

/// The layer that the reference looks into and patches.
const LAYER: usize = 1;

struct Fixture {
    label: String,
    model: Model,
    tokens: Vec<u32>,
    golden: Golden,
    bytes: Vec<u8>,
}

impl Fixture {
    fn floats(&self, name: &str) -> Vec<f32> {
        self.golden.tensor(name).1
    }

    fn ids(&self, name: &str) -> Vec<u32> {
        let file = ::safetensors::SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap();
        assert_eq!(view.dtype(), ::safetensors::Dtype::I64);
        let (words, _) = view.data().as_chunks::<8>();
        words.iter().map(|bytes| u32::try_from(i64::from_le_bytes(*bytes)).unwrap()).collect()
    }

    fn close(&self, what: &str, found: &[f32], expected: &[f32], allowed: f32) {
        assert_eq!(found.len(), expected.len(), "{}: size of {what}", self.label);
        let most = difference(found, expected);
        assert!(most <= allowed, "{}: {what} departs by {most}, allowed are {allowed}", self.label);
    }

    /// The same computed another way: within 1e-6, relative where values are large, since a GPU's
    /// kernels for one row and for many add in different orders.
    fn equal(&self, what: &str, found: &[f32], expected: &[f32]) {
        let largest = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        self.close(what, found, expected, 1e-6 * largest);
    }

    fn run(&self, edits: &[Edit]) -> Run {
        block_on(Run::new(&self.model, &self.tokens, edits, None, &Undisturbed)).unwrap()
    }

    fn all_logits(&self, run: &Run) -> Vec<f32> {
        let probe = Probe::all_logits();
        block_on(run.capture(&self.model, &probe, 0..run.len(), &Undisturbed)).unwrap().remove(0).data
    }
}

fn fixtures(each: impl Fn(Fixture)) {
    let mut count = 0;
    for device in backends() {
        for (folder, case) in cases() {
            let path = folder.join("golden-analysis.safetensors");
            if !path.is_file() {
                continue;
            }
            let Case { name, prompt, .. } = case;
            each(Fixture {
                label: format!("{name} on {}", device.name),
                model: open(&folder, &device),
                tokens: prompt.ids_with_special,
                golden: Golden::read(&path),
                bytes: std::fs::read(&path).unwrap(),
            });
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} fixtures");
}

#[test]
fn lens_equals_transformers() {
    fixtures(|f| {
        let run = f.run(&[]);
        let (count, vocab) = (f.tokens.len(), f.model.spec().vocab);
        let all: Vec<u32> = (0..vocab as u32).collect();
        for kind in ["resid_pre", "resid_mid", "resid_post"] {
            let expected = f.floats(&format!("lens.{kind}"));
            for site in lens_sites(&f.model, &[kind.to_owned()]).unwrap() {
                let row = block_on(run.lens(&f.model, site, 0..count, 3, &all, &Undisturbed)).unwrap();
                let expected = &expected[row.layer * count * vocab..][..count * vocab];
                f.close(&site.to_string(), &row.pinned_logits, expected, 1e-3);
                for (position, logits) in expected.chunks_exact(vocab).enumerate() {
                    let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                    let found = &row.pinned_probabilities[position * vocab..][..vocab];
                    let softmax: Vec<f32> =
                        logits.iter().map(|l| (f64::from(*l).exp() / sum) as f32).collect();
                    f.close("probabilities", found, &softmax, 1e-4);
                    let best = row.ids[3 * position] as usize;
                    assert_eq!(row.pinned_ranks[position * vocab + best], 1);
                    assert!(logits.iter().all(|logit| *logit <= logits[best] + 1e-3), "{}", f.label);
                }
            }
        }
        let wrong = lens_sites(&f.model, &["blocks.0.hook_mlp_out".to_owned()]);
        assert_eq!(wrong.unwrap_err().code(), "not_residual");
    });
}

#[test]
fn attribution_equals_hooks_and_sums_to_the_logit() {
    fixtures(|f| {
        let pair = f.ids("pair");
        let run = f.run(&[]);
        let found = block_on(run.attribute(&f.model, None, pair[0], Some(pair[1]), &Undisturbed)).unwrap();
        let contributions: Vec<f32> = found.parts.iter().map(|part| part.contribution).collect();
        f.close("contributions", &contributions, &f.floats("attribution.parts"), 1e-4);
        let norms = f.floats("attribution.norms");
        let lengths: Vec<f32> = found.parts.iter().map(|part| part.norm).take(norms.len()).collect();
        f.close("lengths", &lengths, &norms, 1e-4);
        f.close("scale", &[found.scale], &f.floats("attribution.scale"), 1e-4);
        let logits = block_on(run.logits(&f.model, run.len() - 1)).unwrap();
        let logit = logits[pair[0] as usize] - logits[pair[1] as usize];
        let sum: f32 = contributions.iter().sum();
        assert!((sum - logit).abs() < 1e-4, "{}: parts sum to {sum}, the logit is {logit}", f.label);
        assert!((found.logit - logit).abs() < 1e-4);

        // Where an edit writes to the stream itself, that is a part of its own, and the sum still holds.
        let width = f.model.spec().hidden;
        let values: Vec<f32> = (0..width).map(|i| (i as f32).sin()).collect();
        let edit = Edit {
            site: Site::block(LAYER, Hook::ResidPre),
            head: None,
            positions: None,
            keys: None,
            action: Action::Add { shape: vec![1, width], values },
        };
        let edited = f.run(&[edit]);
        let found = block_on(edited.attribute(&f.model, None, pair[0], None, &Undisturbed)).unwrap();
        assert!(found.parts.iter().any(|part| part.name == PartName::Edits));
        let sum: f32 = found.parts.iter().map(|part| part.contribution).sum();
        let logits = block_on(edited.logits(&f.model, edited.len() - 1)).unwrap();
        assert!((sum - logits[pair[0] as usize]).abs() < 1e-4, "{}", f.label);
    });
}

#[test]
fn parts_and_neurons_push_what_transformers_says() {
    fixtures(|f| {
        let run = f.run(&[]);
        let order = |expected: &[f32]| {
            let mut ids: Vec<u32> = (0..expected.len() as u32).collect();
            ids.sort_by(|a, b| expected[*b as usize].total_cmp(&expected[*a as usize]));
            ids
        };
        let head = PartName::Head { layer: LAYER, head: 1 };
        let found = block_on(run.promoted(&f.model, None, &[head], 4, &Undisturbed)).unwrap();
        let expected = f.floats("promoted.head");
        let ids = order(&expected);
        for (effect, id) in found[0].promoted.iter().zip(&ids) {
            assert!((effect.logit - expected[*id as usize]).abs() < 1e-4, "{}", f.label);
        }
        for (effect, id) in found[0].suppressed.iter().zip(ids.iter().rev()) {
            assert!((effect.logit - expected[*id as usize]).abs() < 1e-4, "{}", f.label);
        }
        let neurons = block_on(run.neurons(&f.model, LAYER, None, 3, 4, &Undisturbed)).unwrap();
        assert_eq!(neurons[0].index as u32, f.ids("neuron.index")[0], "{}", f.label);
        f.close("activation", &[neurons[0].activation], &f.floats("neuron.activation"), 1e-4);
        let expected = f.floats("neuron.effects");
        for (effect, id) in neurons[0].effect.promoted.iter().zip(order(&expected)) {
            assert!((effect.logit - expected[id as usize]).abs() < 1e-4, "{}", f.label);
        }
        for tensor in block_on(run.norms(&f.model, &Undisturbed)).unwrap() {
            f.close(&tensor.name, &tensor.data, &f.floats(&format!("norms.{}", tensor.name)), 1e-3);
        }
    });
}

/// The edits of the reference, by the names of their goldens.
fn edits(f: &Fixture) -> Vec<(&'static str, Vec<Intervention>)> {
    let off = |hook| Edit {
        site: Site::block(0, hook),
        head: None,
        positions: None,
        keys: None,
        action: Action::Scale(0.0),
    };
    let edge = |hook, action| Edit {
        site: Site::block(LAYER, hook),
        head: Some(2),
        positions: Some(6..7),
        keys: Some(3..4),
        action,
    };
    let plain = |edits: Vec<Edit>| edits.into_iter().map(Intervention::Edit).collect();
    let steer = Intervention::Steer {
        site: Site::block(LAYER, Hook::ResidPre),
        head: None,
        positions: None,
        towards: f.ids("source"),
        away: Some(f.tokens[..f.tokens.len() - 1].to_vec()),
        strength: 3.0,
    };
    vec![
        ("mlp", plain(vec![off(Hook::MlpOut)])),
        ("attention", plain(vec![off(Hook::AttnOut)])),
        ("layer", plain(vec![off(Hook::AttnOut), off(Hook::MlpOut)])),
        ("edge", plain(vec![edge(Hook::AttnScores, Action::Mask)])),
        ("edge_raw", plain(vec![edge(Hook::Pattern, Action::Scale(0.0))])),
        ("steer", vec![steer]),
    ]
}

#[test]
fn edits_equal_hooks() {
    fixtures(|f| {
        let runs = Runs::new();
        for (name, interventions) in edits(&f) {
            let edits = block_on(runs.resolve(&f.model, &interventions, &Undisturbed)).unwrap();
            let logits = f.all_logits(&f.run(&edits));
            f.close(name, &logits, &f.floats(&format!("edited.{name}")), 1e-3);
        }
        let (_, layer) = edits(&f).remove(2);
        let layer = block_on(runs.resolve(&f.model, &layer, &Undisturbed)).unwrap();
        let (clean, edited) = (f.run(&[]), f.run(&layer));
        let found = block_on(clean.compare(&f.model, &edited, None, true, 5, &Undisturbed)).unwrap();
        f.close("divergence", &found.divergences, &f.floats("divergence"), 1e-3);
        assert_eq!(found.divergence, found.divergences[found.position]);
    });
}

/// A run that starts on another one's stream is the run itself.
#[test]
fn runs_on_kept_ones_equal_full_runs() {
    fixtures(|f| {
        let runs = Runs::new();
        block_on(runs.get(&f.model, &f.tokens, &[], &Undisturbed)).unwrap();
        for (name, interventions) in edits(&f) {
            let edits = block_on(runs.resolve(&f.model, &interventions, &Undisturbed)).unwrap();
            let kept = block_on(runs.get(&f.model, &f.tokens, &edits, &Undisturbed)).unwrap();
            let (kept, full) = (f.all_logits(&kept), f.all_logits(&f.run(&edits)));
            f.equal(name, &kept, &full);
        }
        // A prompt that goes on, and one that is shorter.
        let longer: Vec<u32> = f.tokens.iter().copied().chain([17, 42, 17]).collect();
        for tokens in [longer.as_slice(), &f.tokens[..5]] {
            let kept = block_on(runs.get(&f.model, tokens, &[], &Undisturbed)).unwrap();
            let full = block_on(Run::new(&f.model, tokens, &[], None, &Undisturbed)).unwrap();
            f.close("prefix", &f.all_logits(&kept), &f.all_logits(&full), 1e-4);
        }
        // What is captured from a kept run is what a trace of its own captures.
        let names = ["pattern", "z", "resid_mid", "embed", "ln_final", "logits"].map(str::to_owned);
        let names = names.into_iter().filter(|name| {
            Hook::from_kind(name)
                .is_none_or(|hook| hook.is_global() || Site::block(0, hook).exists(f.model.spec()))
        });
        let probe = Probe::parse(&names.collect::<Vec<_>>(), f.model.spec()).unwrap();
        let trace = block_on(f.model.trace(&f.tokens, &probe, &[], &Undisturbed)).unwrap();
        let (_, found) = block_on(runs.trace(&f.model, &f.tokens, &[], &probe, &Undisturbed)).unwrap();
        assert_eq!(found.len(), trace.tensors.len());
        for (a, b) in found.iter().zip(&trace.tensors) {
            assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
            f.equal(&a.name, &a.data, &b.data);
        }
    });
}

#[test]
fn sweeps_equal_hooks() {
    fixtures(|f| {
        let (source, pair) = (f.ids("source"), f.ids("pair"));
        let target = f.run(&[]);
        let source = block_on(Run::new(&f.model, &source, &[], None, &Undisturbed)).unwrap();
        let ends = f.floats("sweep.ends");
        for hook in [Hook::ResidPre, Hook::AttnOut, Hook::MlpOut] {
            let plan = SweepPlan {
                hook,
                head: None,
                layers: None,
                positions: None,
                token: pair[0],
                against: Some(pair[1]),
                measured_at: None,
            };
            let mut rows = 0;
            let mut each = |_: usize, row: &[f32]| rows += row.len();
            let sweep = block_on(target.sweep(&f.model, &source, &plan, &Undisturbed, &mut each)).unwrap();
            f.close("ends", &[sweep.source, sweep.target], &ends, 1e-3);
            f.close(hook.kind(), &sweep.metric, &f.floats(&format!("sweep.{}", hook.kind())), 1e-3);
            assert_eq!(rows, sweep.metric.len());
            // Patching the whole stream before block 0 position by position: the last cell changes nothing or all.
            let cell = sweep.metric.len() - 1;
            let expected = (sweep.metric[cell] - sweep.target) / (sweep.source - sweep.target);
            assert_eq!(sweep.recovered[cell], Some(expected));
        }
        let shorter = block_on(Run::new(&f.model, &f.tokens[..4], &[], None, &Undisturbed)).unwrap();
        let plan = SweepPlan {
            hook: Hook::ResidPre,
            head: None,
            layers: None,
            positions: None,
            token: 0,
            against: None,
            measured_at: None,
        };
        let wrong = block_on(target.sweep(&f.model, &shorter, &plan, &Undisturbed, &mut |_, _| {}));
        assert_eq!(wrong.unwrap_err().code(), "different_lengths");
    });
}

#[test]
fn expectations_and_continuations_equal_transformers() {
    fixtures(|f| {
        let run = f.run(&[]);
        let found = block_on(run.expectations(&f.model, 3, &Undisturbed)).unwrap();
        assert!(found[0].standing.is_none() && found.len() == f.tokens.len());
        let list = |get: &dyn Fn(usize) -> f32| (1..found.len()).map(get).collect::<Vec<_>>();
        let surprisal = list(&|i| found[i].surprisal.unwrap());
        f.close("surprisal", &surprisal, &f.floats("surprisal"), 1e-3);
        f.close("entropy", &list(&|i| found[i].entropy.unwrap()), &f.floats("entropy"), 1e-3);
        let ranks: Vec<u32> = found[1..].iter().map(|e| e.standing.unwrap().rank).collect();
        assert_eq!(ranks, f.ids("rank"), "{}", f.label);

        // The rest of the prompt as a continuation of its beginning has the same surprisals.
        let (start, rest) = f.tokens.split_at(4);
        let start = block_on(Run::new(&f.model, start, &[], None, &Undisturbed)).unwrap();
        let scored = block_on(start.score(&f.model, &[rest.to_vec()], &Undisturbed)).unwrap();
        let bits: Vec<f32> = scored[0].logprobs.iter().map(|p| -p / std::f32::consts::LN_2).collect();
        f.close("continuation", &bits, &f.floats("surprisal")[3..], 1e-3);
        assert!((scored[0].total - scored[0].logprobs.iter().sum::<f32>()).abs() < 1e-3);
    });
}

#[test]
fn heads_equal_plain_loops() {
    fixtures(|f| {
        let tokens = f.ids("repeated");
        let run = block_on(Run::new(&f.model, &tokens, &[], None, &Undisturbed)).unwrap();
        let report = block_on(run.heads(&f.model, 8, true, &Undisturbed)).unwrap();
        let scores: Vec<f32> = report.scores.iter().flatten().map(|score| score.unwrap()).collect();
        f.close("scores", &scores, &f.floats("heads"), 1e-4);
        f.close("rollout", &report.rollout.unwrap(), &f.floats("rollout"), 1e-4);
        let (side, pictures) = report.thumbnails.unwrap();
        assert_eq!((side, pictures.len()), (8, 64 * report.scores.len()));

        // One head at one query: what its numbers say is what the pass computed.
        let query = 5;
        let detail = block_on(run.head_detail(&f.model, LAYER, 2, Some(query), &Undisturbed)).unwrap();
        let of = |name: &str| detail.arrays.iter().find(|array| array.name == name).unwrap().data.as_slice();
        let (scores, pattern, v) = (of("scores"), of("pattern"), of("v"));
        for (dot, score) in of("dots").iter().zip(scores).take(query + 1) {
            assert!((dot * detail.scale - score).abs() < 1e-4, "{}", f.label);
        }
        assert!(pattern[query + 1..].iter().all(|weight| *weight == 0.0));
        let size = f.model.spec().head_dim;
        let mixed: Vec<f32> = (0..size)
            .map(|i| pattern.iter().enumerate().map(|(key, w)| w * v[key * size + i]).sum())
            .collect();
        f.close("mix of values", &mixed, of("z"), 1e-5);
    });
}

#[test]
fn the_bench_draws_what_generation_draws() {
    fixtures(|f| {
        let run = f.run(&[]);
        let settings =
            SamplerSettings { temperature: 1.3, top_k: 40, top_p: 0.9, seed: 11, ..Default::default() };
        let logits = block_on(run.logits(&f.model, run.len() - 1)).unwrap();
        let rows = BenchRows { count: 5, ..Default::default() };
        let bench = |draws| bench(&f.model, &logits, &f.tokens, &settings, &rows, &[3], draws).unwrap();
        let once = bench(1);
        let mut generation = block_on(f.model.generate_from(&run, 1, settings.clone())).unwrap();
        let step = block_on(generation.step(&Undisturbed)).unwrap().unwrap();
        assert_eq!(once.drawn[0].id, step.draw.id, "{}", f.label);

        let many = bench(1000);
        assert_eq!(many.drawn.iter().map(|row| row.drawn.unwrap()).sum::<u32>(), 1000);
        assert_eq!(many.total, f.model.spec().vocab);
        assert_eq!(many.rows.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        for (before, stage) in many.stages.iter().zip(&many.stages[1..]) {
            assert_eq!(before.kept - stage.cut, stage.kept);
            assert!(stage.cut_mass >= 0.0 && stage.cut_mass < 1.0);
        }
        for row in &many.drawn {
            assert!(row.cut_at.is_none(), "a token that was cut off was drawn");
        }
        // What is left after the last stage was cut from all of it before.
        let last = many.stages.last().unwrap();
        let kept = many.stages[0].kept - many.stages.iter().map(|stage| stage.cut).sum::<usize>();
        assert_eq!(last.kept, kept);
    });
}

#[test]
fn exported_files_are_safetensors() {
    fixtures(|f| {
        let probe = Probe::parse(&["pattern"], f.model.spec()).unwrap();
        let (run, tensors) =
            block_on(Runs::new().trace(&f.model, &f.tokens, &[], &probe, &Undisturbed)).unwrap();
        let metadata = glassbox_engine::analysis::metadata(&f.model, &run, None);
        let bytes = safetensors(&run.tokens, &tensors, &metadata).unwrap();
        let file = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let pattern = file.tensor("blocks.1.attn.hook_pattern").unwrap();
        let values: Vec<f32> =
            pattern.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let own = tensors.iter().find(|tensor| tensor.name == "blocks.1.attn.hook_pattern").unwrap();
        assert_eq!((pattern.shape(), &values), (own.shape.as_slice(), &own.data));
        let (_, header) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["architecture"], f.model.spec().architecture);
    });
}

#[test]
fn masks_must_leave_something_to_look_at() {
    fixtures(|f| {
        let mask = |positions, keys| Edit {
            site: Site::block(0, Hook::AttnScores),
            head: Some(0),
            positions: Some(positions),
            keys: Some(keys),
            action: Action::Mask,
        };
        let refused = |edits: &[Edit]| {
            block_on(Run::new(&f.model, &f.tokens, edits, None, &Undisturbed)).err().map(|e| e.code())
        };
        assert_eq!(refused(&[mask(3..4, 0..4)]), Some("bad_edit"));
        assert_eq!(refused(&[mask(3..4, 0..2), mask(2..5, 2..4)]), Some("bad_edit"));
        assert_eq!(refused(&[mask(3..4, 0..3)]), None);
    });
}
