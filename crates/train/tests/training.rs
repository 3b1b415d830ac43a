//! A short training run from nothing: it learns, goes on exactly after an interruption, and gives files that open.

mod common;

use common::{bits, corpus, folder, recipe, run};
use futures_lite::future::block_on;
use glassbox_formats::{Card, dequant};
use glassbox_train::{Corpus, Event, Options, Recipe, TrainError, card, gguf, layout, publish, train};

/// Mean of the last losses.
fn end(losses: &[f64]) -> f64 {
    losses[losses.len() - 20..].iter().sum::<f64>() / 20.0
}

#[test]
fn the_loss_falls_and_the_files_open() {
    let work = folder("falls");
    let recipe = recipe(240);
    let options = Options { evaluate_every: 120, ..Options::new(work.clone()) };
    let (trained, events) = run(&recipe, &options);
    // An untrained model spreads its probability evenly over the vocabulary: ln 320 = 5.77.
    assert!((trained.losses[0] - 320.0_f64.ln()).abs() < 0.2, "first loss {}", trained.losses[0]);
    let fallen = trained.losses[0] - end(&trained.losses);
    assert!(fallen > 4.0, "the loss fell by {fallen} nats per token");
    let held_out: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Evaluated { bits_per_byte, .. } => Some(*bits_per_byte),
            _ => None,
        })
        .collect();
    assert!(held_out.len() == 2 && held_out[1] < held_out[0] && held_out[1] < 0.6, "{held_out:?}");

    let out = work.join("model");
    let figures = block_on(publish(&trained, &recipe, &out)).unwrap();
    // Half-precision weights and eight-bit ones predict almost as well as the weights they were made of.
    assert!((figures.held_out.bits_per_byte() - held_out[1]).abs() < 0.02, "{figures:?}");
    assert!((figures.quantised.bits_per_byte() - held_out[1]).abs() < 0.05, "{figures:?}");
    assert_eq!(figures.parameters as usize, bits(&trained).len());
    for (name, (size, hash)) in &figures.files {
        let bytes = std::fs::read(out.join(name)).unwrap();
        assert_eq!((bytes.len(), card::sha256(&bytes)), (*size, hash.clone()), "{name}");
    }
    let card = Card::from_readme(&std::fs::read_to_string(out.join("README.md")).unwrap());
    assert_eq!(card.name.as_deref(), Some("tiny-stories"));
    assert_eq!(
        (card.licence.as_deref(), card.datasets),
        (Some("apache-2.0"), vec!["roneneldan/TinyStories".to_owned()])
    );
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let recipe = recipe(16);
    let (whole, _) = run(&recipe, &Options::new(folder("whole")));
    let work = folder("interrupted");
    let first = Options { stop_at: Some(7), ..Options::new(work.clone()) };
    assert_eq!(run(&recipe, &first).0.step, 7);
    let (rest, events) = run(&recipe, &Options::new(work));
    assert!(matches!(events[0], Event::Started { step: 7, .. }));
    assert_eq!(rest.losses, whole.losses[7..]);
    assert!(bits(&rest) == bits(&whole), "the weights differ");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let recipe = recipe(4);
    let one = run(&recipe, &Options { threads: 1, ..Options::new(folder("one")) }).0;
    let three = run(&recipe, &Options { threads: 3, ..Options::new(folder("three")) }).0;
    assert_eq!(one.losses, three.losses);
    assert!(bits(&one) == bits(&three), "the weights differ");
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_and_more_steps_are_not() {
    let work = folder("other");
    let stopped = Options { stop_at: Some(3), ..Options::new(work.clone()) };
    run(&recipe(40), &stopped);
    let longer = Options { stop_at: Some(4), ..Options::new(work.clone()) };
    assert_eq!(run(&recipe(60), &longer).0.step, 4);
    let other = Recipe { seed: 8, ..recipe(60) };
    let refused = block_on(train(&corpus(), &other, &longer, &mut |_| ())).err().unwrap();
    assert_eq!(refused.code(), "checkpoint");
    std::fs::write(work.join("checkpoint.safetensors"), b"no checkpoint").unwrap();
    let damaged = block_on(train(&corpus(), &recipe(60), &longer, &mut |_| ())).err().unwrap();
    assert!(matches!(damaged, TrainError::Checkpoint { .. }), "{damaged}");
}

#[test]
fn wrong_recipes_and_texts_are_named() {
    let refused = |recipe: &Recipe, text: &str| {
        let options = Options::new(folder("wrong"));
        block_on(train(text, recipe, &options, &mut |_| ())).err().unwrap().code()
    };
    assert_eq!(refused(&recipe(8), "one story alone"), "corpus");
    let mut odd = recipe(8);
    odd.shape.num_key_value_heads = 3;
    assert_eq!(refused(&odd, &corpus()), "recipe");
    let mut long = recipe(8);
    long.stages[0].length = 256;
    assert_eq!(refused(&long, &corpus()), "recipe");
    Recipe::house().check().unwrap();
}

#[test]
fn held_out_stories_are_not_learnt_from() {
    let corpus = Corpus::new(&corpus(), &recipe(8)).unwrap();
    assert_eq!((corpus.training.len(), corpus.held_out.len()), (114, 6));
    assert!(corpus.held_out.iter().all(|story| !corpus.training.contains(story)));
}

#[test]
fn the_layout_has_the_decoders_order() {
    let recipe = recipe(8);
    let weights = glassbox_train::weights::of(&block_on(layout::blank(&recipe)).unwrap());
    let entries = layout::table(&recipe.shape);
    assert_eq!(weights.len(), entries.len());
    for (weight, entry) in weights.iter().zip(&entries) {
        assert_eq!((&weight.name, &weight.shape), (&entry.name, &entry.shape));
    }
}

#[test]
fn eight_bit_blocks_are_within_half_a_step() {
    let values: Vec<f32> = (0..64).map(|i| ((i * 37 % 101) as f32 - 50.0) / 17.0).collect();
    let mut back = vec![0.0; 64];
    dequant::to_f32(glassbox_formats::DType::Q8_0, &gguf::q8_0(&values), &mut back).unwrap();
    for (value, back) in values.iter().zip(back) {
        // Half a step of 50/17/127, and what the scale loses in half precision.
        assert!((value - back).abs() < 50.0 / 17.0 / 127.0 * 0.57, "{value} {back}");
    }
}
