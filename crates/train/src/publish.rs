//! The trained model's files: written, opened again as any model is, measured, and described in its card.

use std::{collections::BTreeMap, fs, path::Path};

use glassbox_engine::{
    Model, SamplerSettings, Undisturbed,
    analysis::{HeadRole, HeadSurvey, RepeatedTokens},
    device,
};
use glassbox_formats::{FileSet, MemorySource};
use glassbox_text::Special;
use safetensors::Dtype;
use serde_json::Value;

use crate::{
    Recipe, SEPARATOR, TrainError, Trained,
    card::{self, Figures, Sample},
    gguf,
    layout::{self, Entry},
    weights,
};

/// Licence of the weights, as the hub spells it.
pub const LICENCE: &str = "apache-2.0";

/// Held-out stories on which previous-token heads are measured.
const STORIES_FOR_HEADS: usize = 10;
/// New tokens of a quoted text.
const QUOTED_TOKENS: usize = 160;

/// A file's name and bytes.
type File = (String, Vec<u8>);

/// Writes the model's files and its card into `out` and returns what was measured on them.
///
/// # Errors
/// Where a file cannot be written, or the engine does not open what was written.
pub async fn publish(trained: &Trained, recipe: &Recipe, out: &Path) -> Result<Figures, TrainError> {
    let entries = layout::table(&recipe.shape);
    let files = files(trained, recipe, &entries)?;
    let figures = measure(trained, recipe, &files).await?;
    let card = card::write(recipe, &figures);
    fs::create_dir_all(out).map_err(|cause| TrainError::File { path: out.to_owned(), cause })?;
    for (name, bytes) in files.iter().chain([&("README.md".to_owned(), card.into_bytes())]) {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|cause| TrainError::File { path, cause })?;
    }
    Ok(figures)
}

/// All files but the card.
fn files(trained: &Trained, recipe: &Recipe, entries: &[Entry]) -> Result<Vec<File>, TrainError> {
    let problem = |error: &dyn std::fmt::Display| TrainError::Tokenizer(error.to_string());
    let tokenizer = trained.tokenizer.to_string(true).map_err(|error| problem(&error))?;
    let separator = trained.tokenizer.token_to_id(SEPARATOR).unwrap_or_default();
    // Both files hold the same weights: the GGUF's are quantised from the rounded ones.
    let values: Vec<Vec<f32>> = trained
        .weights
        .iter()
        .map(|weight| weights::values(weight.values.clone()))
        .map(|values| values.into_iter().map(|value| half::f16::from_f32(value).to_f32()).collect())
        .collect();
    let parsed: Value = serde_json::from_str(&tokenizer).map_err(|error| problem(&error))?;
    let json = |value: &Value| format!("{value:#}\n").into_bytes();
    Ok([
        ("config.json", json(&layout::config(recipe, separator))),
        ("generation_config.json", json(&layout::generation_config(separator))),
        ("model.gguf", gguf::write(recipe, LICENCE, entries, &values, &parsed)?),
        ("model.safetensors", layout::safetensors(entries, Dtype::F16, &values)?),
        ("tokenizer.json", tokenizer.into_bytes()),
        ("tokenizer_config.json", json(&layout::tokenizer_config(recipe))),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into())
}

async fn open(recipe: &Recipe, files: &[File], wanted: impl Fn(&str) -> bool) -> Result<Model, TrainError> {
    let mut set = FileSet::new();
    for (name, bytes) in files.iter().filter(|(name, _)| wanted(name)) {
        set.push(MemorySource::new(format!("{}/{name}", recipe.name), bytes.clone()));
    }
    Ok(Model::open(set, &device::cpu(), &Undisturbed).await?)
}

async fn measure(trained: &Trained, recipe: &Recipe, files: &[File]) -> Result<Figures, TrainError> {
    let hub = open(recipe, files, |name| name != "model.gguf").await?;
    let quantised = open(recipe, files, |name| name == "model.gguf").await?;
    let held_out: Vec<&str> = trained.corpus.held_out.iter().map(String::as_str).collect();
    let training: Vec<&str> =
        trained.corpus.training.iter().take(held_out.len()).map(String::as_str).collect();
    let repeated = RepeatedTokens::default();
    let on_repeated = hub.survey_heads(&hub.repeated_prompts(repeated)?, &Undisturbed).await?;
    let stories = &held_out[..held_out.len().min(STORIES_FOR_HEADS)];
    let on_stories = hub.survey_heads(&hub.text_prompts(stories)?, &Undisturbed).await?;
    let best = |survey: &HeadSurvey, role| survey.ranked(role).into_iter().take(5).collect::<Vec<_>>();
    let in_stories = on_stories.ranked(HeadRole::PreviousToken);
    let previous_token =
        best(&on_repeated, HeadRole::PreviousToken).into_iter().map(|(block, head, score)| {
            let found = in_stories.iter().find(|(b, h, _)| (*b, *h) == (block, head));
            (block, head, score, found.map_or(0.0, |(_, _, score)| *score))
        });
    let previous_token = previous_token.collect();
    let hashes = files.iter().map(|(name, bytes)| (name.clone(), (bytes.len(), card::sha256(bytes))));
    Ok(Figures {
        parameters: hub.summary.parameters,
        steps: trained.step,
        stories: (trained.corpus.training.len(), held_out.len()),
        epoch_tokens: trained.epoch_tokens,
        held_out: hub.evaluate(&held_out, &Undisturbed).await?,
        quantised: quantised.evaluate(&held_out, &Undisturbed).await?,
        training: hub.evaluate(&training, &Undisturbed).await?,
        repeated,
        induction: best(&on_repeated, HeadRole::Induction),
        stories_for_heads: stories.len(),
        previous_token,
        samples: samples(&hub).await?,
        files: hashes.collect::<BTreeMap<_, _>>(),
    })
}

/// The quoted texts: greedy ones, then drawn ones with their seeds.
async fn samples(model: &Model) -> Result<Vec<Sample>, TrainError> {
    let drawn = |seed| SamplerSettings { temperature: 0.7, top_p: 0.95, seed, ..SamplerSettings::default() };
    let wanted = [
        ("Once upon a time", SamplerSettings::greedy()),
        ("Once upon a time", drawn(1)),
        ("Once upon a time", drawn(2)),
        ("Lily and Tom went to the park", drawn(3)),
    ];
    let mut samples = Vec::new();
    for (prompt, settings) in wanted {
        let tokens = model.tokenize(prompt, Special::Add)?;
        let mut generation =
            model.generate(&tokens, QUOTED_TOKENS, settings.clone(), &[], &Undisturbed).await?;
        let mut text = prompt.to_owned();
        while let Some(step) = generation.step(&Undisturbed).await? {
            text.push_str(&step.text);
        }
        let seed = (!settings.greedy).then_some(settings.seed);
        samples.push(Sample { prompt: prompt.to_owned(), seed, text });
    }
    Ok(samples)
}
