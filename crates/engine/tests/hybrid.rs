//! Models whose blocks do not all have attention (LFM2): every analysis over all layers works, or says what is not there.

mod common;

use common::{Golden, backends, difference, fixtures, open};
use futures_lite::future::block_on;
use glassbox_engine::{
    EngineError, Model, Undisturbed,
    analysis::{HeadRole, PartName, Run, Runs, SweepPlan, lens_sites},
};
use glassbox_model::{Action, Edit, Hook, KvCache, Observation, Probe, Site};

/// The one block of the fixture that attends; the others have convolutions.
const ATTENDS: usize = 2;

struct Fixture {
    model: Model,
    tokens: Vec<u32>,
    golden: Golden,
}

fn on_all_backends(each: impl Fn(Fixture)) {
    let folder = fixtures().join("lfm2");
    for device in backends() {
        let golden = Golden::read(&folder.join("golden.safetensors"));
        let model = open(&folder, &device);
        let layers: Vec<usize> = (0..4).collect();
        let attending: Vec<usize> = layers
            .into_iter()
            .filter(|block| Site::block(*block, Hook::Pattern).exists(model.spec()))
            .collect();
        assert_eq!(attending, [ATTENDS]);
        each(Fixture { model, tokens: vec![269, 39, 68, 263, 260, 220, 81, 268, 25, 220, 266], golden });
    }
}

impl Fixture {
    fn run(&self, tokens: &[u32], edits: &[Edit], base: Option<&Run>) -> Run {
        block_on(Run::new(&self.model, tokens, edits, base, &Undisturbed)).unwrap()
    }

    fn logits(&self, run: &Run) -> Vec<f32> {
        let probe = Probe::all_logits();
        block_on(run.capture(&self.model, &probe, 0..run.len(), &Undisturbed)).unwrap().remove(0).data
    }

    fn last(&self, run: &Run) -> Vec<f32> {
        block_on(run.logits(&self.model, run.len() - 1)).unwrap().to_vec()
    }
}

fn scaled(site: Site, positions: Option<std::ops::Range<usize>>) -> Edit {
    Edit { site, head: None, positions, keys: None, action: Action::Scale(0.5) }
}

fn code<T>(result: Result<T, EngineError>) -> &'static str {
    result.err().map_or("none", |error| error.code())
}

#[test]
fn a_run_that_goes_on_equals_transformers() {
    on_all_backends(|fixture| {
        let expected = fixture.golden.tensor("logits").1;
        for kept in 1..fixture.tokens.len() {
            let base = fixture.run(&fixture.tokens[..kept], &[], None);
            let run = fixture.run(&fixture.tokens, &[], Some(&base));
            assert!(difference(&fixture.logits(&run), &expected) <= 1e-3, "on {kept} tokens");
        }
    });
}

#[test]
fn a_cache_that_went_back_goes_on_as_a_new_one() {
    on_all_backends(|fixture| {
        let (spec, device) = (fixture.model.spec(), fixture.model.decoder.device());
        let expected = fixture.golden.tensor("logits").1;
        let probe = Probe::all_logits();
        let forward = |tokens: &[u32], cache: &mut KvCache| {
            let mut observation = Observation::new(&probe, &[], cache.len());
            let rows = fixture.model.decoder.forward(tokens, cache, &mut observation).unwrap();
            block_on(rows.into_data_async()).unwrap().try_into_vec::<f32>().unwrap()
        };
        let mut cache = KvCache::new(spec, 1, device);
        // Other tokens first, so that what is left behind is not zero.
        forward(&[7; 60], &mut cache);
        for back in [0, 1, 4, 7] {
            cache.truncate(back);
            let rows = forward(&fixture.tokens[back..], &mut cache);
            let most = difference(&rows, &expected[back * spec.vocab..]);
            assert!(most <= 1e-3, "back to {back}: {most}");
            // What stood before stays, what came after is overwritten.
            forward(&[9; 3], &mut cache);
        }
        assert!(cache.bytes() > 0);
    });
}

#[test]
fn an_edited_run_on_a_kept_one_equals_the_whole_run() {
    on_all_backends(|fixture| {
        let base = fixture.run(&fixture.tokens, &[], None);
        for block in 0..4 {
            for hook in [Hook::ConvIn, Hook::ConvOut, Hook::AttnOut, Hook::MlpOut] {
                let site = Site::block(block, hook);
                if !site.exists(fixture.model.spec()) {
                    assert!(matches!(hook, Hook::ConvIn | Hook::ConvOut) && block == ATTENDS);
                    continue;
                }
                let edits = [scaled(site, Some(3..6))];
                let whole = fixture.logits(&fixture.run(&fixture.tokens, &edits, None));
                let kept = fixture.logits(&fixture.run(&fixture.tokens, &edits, Some(&base)));
                assert!(difference(&whole, &kept) <= 1e-4, "{site}");
                assert!(difference(&whole, &fixture.logits(&base)) > 1e-3, "{site} does nothing");
            }
        }
        // A convolution moves what goes in no further than it reaches.
        let edits = [scaled(Site::block(3, Hook::ConvIn), Some(3..4))];
        let edited = fixture.logits(&fixture.run(&fixture.tokens, &edits, None));
        let vocab = fixture.model.spec().vocab;
        let plain = fixture.logits(&base);
        for position in 0..fixture.tokens.len() {
            let row = position * vocab..(position + 1) * vocab;
            let differs = difference(&edited[row.clone()], &plain[row]) > 1e-5;
            assert_eq!(differs, (3..6).contains(&position), "position {position}");
        }
    });
}

#[test]
fn attributions_count_convolutions_as_parts() {
    on_all_backends(|fixture| {
        let run = fixture.run(&fixture.tokens, &[], None);
        let found = block_on(run.attribute(&fixture.model, None, 80, Some(239), &Undisturbed)).unwrap();
        let logits = fixture.golden.tensor("logits").1;
        let last = &logits[logits.len() - fixture.model.spec().vocab..];
        let sum: f32 = found.parts.iter().map(|part| part.contribution).sum();
        assert!((sum - (last[80] - last[239])).abs() <= 1e-3, "{sum}");
        for (block, count) in [(0, 1), (1, 1), (ATTENDS, 0), (3, 1)] {
            let name = PartName::Convolution { layer: block };
            let parts: Vec<_> = found.parts.iter().filter(|part| part.name == name).collect();
            assert_eq!(parts.len(), count, "block {block}");
            let (shape, written) = fixture.golden.tensor(&format!("blocks.{block}.hook_attn_out"));
            let row = &written[written.len() - shape[1]..];
            let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            assert!(parts.iter().all(|part| (part.norm - norm).abs() <= 1e-4 * norm), "block {block}");
        }
        let heads = found.parts.iter().filter(|part| matches!(part.name, PartName::Head { .. }));
        assert_eq!(heads.count(), fixture.model.spec().heads);
        // What an edit puts into a convolution's output is in its part.
        let edited = fixture.run(&fixture.tokens, &[scaled(Site::block(0, Hook::AttnOut), None)], None);
        let found = block_on(edited.attribute(&fixture.model, None, 80, None, &Undisturbed)).unwrap();
        let sum: f32 = found.parts.iter().map(|part| part.contribution).sum();
        assert!((sum - fixture.last(&edited)[80]).abs() <= 1e-3);
        assert!(found.parts.iter().all(|part| part.name != PartName::Edits));
    });
}

#[test]
fn heads_are_scored_where_there_are_some() {
    on_all_backends(|fixture| {
        let (spec, run) = (fixture.model.spec(), fixture.run(&fixture.tokens, &[], None));
        let report = block_on(run.heads(&fixture.model, 8, true, &Undisturbed)).unwrap();
        let survey =
            block_on(fixture.model.survey_heads(std::slice::from_ref(&fixture.tokens), &Undisturbed))
                .unwrap();
        assert_eq!(report.scores, survey.scores);
        for (index, scores) in report.scores.iter().enumerate() {
            assert_eq!(scores[0].is_some(), index / spec.heads == ATTENDS, "{index}");
        }
        assert_eq!(survey.ranked(HeadRole::PreviousToken).len(), spec.heads);
        for row in report.rollout.unwrap().chunks(run.len()) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() <= 1e-4);
        }
        let detail = |layer| block_on(run.head_detail(&fixture.model, layer, 1, None, &Undisturbed));
        assert!(detail(ATTENDS).is_ok());
        assert_eq!((code(detail(0)), code(detail(9))), ("absent_site", "no_such_part"));
        assert!(block_on(run.neurons(&fixture.model, 0, None, 3, 2, &Undisturbed)).is_ok());
        let norms = block_on(run.norms(&fixture.model, &Undisturbed)).unwrap();
        assert!(norms.iter().all(|tensor| tensor.data.len() == spec.layers * run.len()));
        for site in lens_sites(&fixture.model, &["resid_mid".to_owned()]).unwrap() {
            assert!(block_on(run.lens(&fixture.model, site, 0..run.len(), 3, &[], &Undisturbed)).is_ok());
        }
    });
}

#[test]
fn sweeps_equal_patched_runs_and_leave_out_what_is_not_there() {
    on_all_backends(|fixture| {
        let target = fixture.run(&fixture.tokens, &[], None);
        let mut tokens = fixture.tokens.clone();
        tokens[4] = 100;
        let source = fixture.run(&tokens, &[], None);
        let plan = |hook, layers| SweepPlan {
            hook,
            head: None,
            layers,
            positions: Some(3..7),
            token: 80,
            against: None,
            measured_at: None,
        };
        let sweep = |plan: &SweepPlan| {
            block_on(target.sweep(&fixture.model, &source, plan, &Undisturbed, &mut |_, _| {}))
        };
        for hook in [Hook::ResidPre, Hook::AttnOut, Hook::Z] {
            let found = sweep(&plan(hook, None)).unwrap();
            for (cell, metric) in found.metric.iter().enumerate() {
                let (layer, position) = (cell / 4, 3 + cell % 4);
                let site = Site::block(layer, hook);
                if !site.exists(fixture.model.spec()) {
                    assert_eq!((*metric, found.recovered[cell]), (found.target, None), "{site}");
                    continue;
                }
                let probe = Probe::parse(&[site.to_string()], fixture.model.spec()).unwrap();
                let range = position..position + 1;
                let values = block_on(source.capture(&fixture.model, &probe, range.clone(), &Undisturbed));
                let values = values.unwrap().remove(0);
                let action = Action::Replace { shape: values.shape, values: values.data };
                let edit = Edit { site, head: None, positions: Some(range), keys: None, action };
                let patched = fixture.last(&fixture.run(&fixture.tokens, &[edit], None))[80];
                assert!((patched - metric).abs() <= 1e-3, "{site} at {position}");
                assert!(found.recovered[cell].is_some());
            }
        }
        assert_eq!(code(sweep(&plan(Hook::Z, Some(0..2)))), "absent_site");
    });
}

#[test]
fn what_a_convolution_lacks_is_named() {
    on_all_backends(|fixture| {
        let runs = Runs::new();
        let get = |edit: Edit| {
            block_on(runs.get(&fixture.model, &fixture.tokens, &[edit], &Undisturbed)).map(|_| ())
        };
        assert_eq!(code(get(Edit::ablate_head(0, 1))), "absent_site");
        assert_eq!(code(get(Edit::ablate_head(ATTENDS, 1))), "none");
        assert_eq!(code(get(scaled(Site::block(ATTENDS, Hook::ConvIn), None))), "absent_site");
        // A kind stands for the blocks that have it.
        let probe = Probe::parse(&["pattern", "conv_in", "attn_out"], fixture.model.spec()).unwrap();
        let trace = block_on(fixture.model.trace(&fixture.tokens, &probe, &[], &Undisturbed)).unwrap();
        let names: Vec<&str> = trace.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names.iter().filter(|name| name.ends_with("hook_attn_out")).count(), 4);
        assert_eq!(names.iter().filter(|name| name.ends_with("conv.hook_in")).count(), 3);
        assert_eq!(names.iter().filter(|name| name.ends_with("hook_pattern")).count(), 1);
    });
}
