//! The model card, in the hub's format.

use std::{collections::BTreeMap, fmt::Write};

use glassbox_engine::{Evaluation, analysis::RepeatedTokens};
use sha2::{Digest, Sha256};

use crate::{Recipe, publish::LICENCE};

/// What was measured on the published files.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Parameters, the tied head counted once.
    pub parameters: u64,
    /// Optimiser steps done.
    pub steps: u64,
    /// Stories learnt from, and held out.
    pub stories: (usize, usize),
    /// Tokens of the stories learnt from.
    pub epoch_tokens: u64,
    /// `model.safetensors` on the held-out stories.
    pub held_out: Evaluation,
    /// `model.gguf` on the held-out stories.
    pub quantised: Evaluation,
    /// `model.safetensors` on as many stories that it learnt from.
    pub training: Evaluation,
    /// What induction heads were measured on.
    pub repeated: RepeatedTokens,
    /// The best of them: block, head, score.
    pub induction: Vec<(usize, usize, f32)>,
    /// Held-out stories that previous-token heads were measured on, beside those tokens.
    pub stories_for_heads: usize,
    /// The best of them on random tokens: block, head, score there, score on stories.
    pub previous_token: Vec<(usize, usize, f32, f32)>,
    /// Quoted texts.
    pub samples: Vec<Sample>,
    /// Size and SHA-256 of every file but the card.
    pub files: BTreeMap<String, (usize, String)>,
}

/// A text that the model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What it was to continue.
    pub prompt: String,
    /// Seed of the sampler; none for greedy text.
    pub seed: Option<u64>,
    /// Prompt and continuation.
    pub text: String,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The card's text.
pub fn write(recipe: &Recipe, figures: &Figures) -> String {
    [
        front_matter(recipe, figures),
        summary(recipe, figures),
        measured(figures),
        heads(figures),
        texts(figures),
        data(figures),
        training(recipe, figures),
        LIMITS.to_owned(),
        use_it(recipe),
        files(figures),
    ]
    .join("\n")
}

fn front_matter(recipe: &Recipe, figures: &Figures) -> String {
    format!(
        "---
model_name: {name}
license: {LICENCE}
language:
- en
library_name: transformers
pipeline_tag: text-generation
datasets:
- roneneldan/TinyStories
tags:
- llama
- gguf
- interpretability
- induction-heads
model-index:
- name: {name}
  results:
  - task:
      type: text-generation
    dataset:
      name: TinyStories sample, {held_out} held-out stories
      type: roneneldan/TinyStories
    metrics:
    - type: bits_per_byte
      value: {bits:.4}
---
",
        name = recipe.name,
        held_out = figures.stories.1,
        bits = figures.held_out.bits_per_byte(),
    )
}

fn summary(recipe: &Recipe, figures: &Figures) -> String {
    let shape = &recipe.shape;
    format!(
        "# {name}

A language model of {millions:.2} million parameters that writes simple children's stories in English. It is small so
that it can be looked into: it loads in a web page at once, every weight, its data, its recipe and the program
that trained it are open, and one command makes it anew. It is the model that Glassbox opens with.

Architecture: Llama (RMSNorm before attention and MLP, rotary positions, grouped-query attention, SwiGLU, tied
head). {layers} blocks, width {hidden}, {heads} query heads and {kv} key and value heads of size {head_dim}, MLP width
{inner}, context {context}, vocabulary {vocab} (byte-level BPE).
",
        name = recipe.name,
        millions = figures.parameters as f64 / 1e6,
        layers = shape.num_hidden_layers,
        hidden = shape.hidden_size,
        heads = shape.num_attention_heads,
        kv = shape.num_key_value_heads,
        head_dim = shape.head_dim,
        inner = shape.intermediate_size,
        context = shape.max_position_embeddings,
        vocab = shape.vocab_size,
    )
}

fn measured(figures: &Figures) -> String {
    let row = |name: &str, stories: &str, found: &glassbox_engine::Evaluation| {
        format!(
            "| `{name}` | {count} {stories} | {bits:.4} | {perplexity:.2} |\n",
            count = found.documents,
            bits = found.bits_per_byte(),
            perplexity = found.perplexity(),
        )
    };
    format!(
        "## Figures

| file | on | bits per byte | perplexity per token |
|---|---|---|---|
{}{}{}
Bits per byte: `-log2 p` of all tokens of a story behind `<|endoftext|>`, summed and divided by the stories' bytes
({bytes} bytes, {tokens} tokens held out). Stories longer than the context are read in windows that overlap by half.
Measured by `glassbox evaluate`.
",
        row("model.safetensors", "held-out stories", &figures.held_out),
        row("model.gguf", "held-out stories", &figures.quantised),
        row("model.safetensors", "stories it learnt from", &figures.training),
        bytes = figures.held_out.bytes,
        tokens = figures.held_out.tokens,
    )
}

fn heads(figures: &Figures) -> String {
    let list = |heads: &[(usize, usize, f32)]| {
        let rows = heads.iter().map(|(block, head, score)| format!("| {block} | {head} | {score:.3} |"));
        rows.collect::<Vec<_>>().join("\n")
    };
    let previous = figures
        .previous_token
        .iter()
        .map(|(block, head, random, stories)| format!("| {block} | {head} | {random:.3} | {stories:.3} |"));
    format!(
        "## Heads worth looking at

Blocks and heads count from 0.

**Induction heads** continue a repetition: they look at the token that followed the earlier occurrence of the
current one (Olsson et al., 2022). The score is the mean attention on it, over {prompts} prompts of {length} random tokens
that repeat once, for the queries of the repetition (seed {seed}).

| block | head | induction score |
|---|---|---|
{induction}

**Previous-token heads** look one token back. The score is the mean attention on that token: on the same random
tokens, and over the first {stories} held-out stories.

| block | head | previous-token score on random tokens | on stories |
|---|---|---|---|
{previous}

`glassbox heads FOLDER --text STORIES` computes these scores.
",
        prompts = figures.repeated.prompts,
        length = figures.repeated.length,
        seed = figures.repeated.seed,
        induction = list(&figures.induction),
        stories = figures.stories_for_heads,
        previous = previous.collect::<Vec<_>>().join("\n"),
    )
}

fn texts(figures: &Figures) -> String {
    let quote = |sample: &Sample| {
        let how = match sample.seed {
            None => "Greedy".to_owned(),
            Some(seed) => format!("Drawn with temperature 0.7, top-p 0.95 and seed {seed}"),
        };
        let text = sample.text.lines().map(|line| format!("> {line}").trim_end().to_owned());
        format!("{how}, from \"{}\":\n\n{}\n", sample.prompt, text.collect::<Vec<_>>().join("\n>\n"))
    };
    let quotes: Vec<String> = figures.samples.iter().map(quote).collect();
    format!(
        "## What it writes\n\nWritten by `glassbox generate` with `model.safetensors`, with the first seeds there are.\n\n{}",
        quotes.join("\n")
    )
}

fn data(figures: &Figures) -> String {
    let (training, held_out) = figures.stories;
    format!(
        "## Data

A sample of {all} stories (3.36 MB) of TinyStories (Ronen Eldan and Yuanzhi Li, 2023, arXiv:2305.07759), licence
CDLA-Sharing-1.0. The stories were written by GPT-3.5 and GPT-4. The sample came lower-cased; capital letters were
restored by rule, so a few are wrong. Stories with characters outside ASCII, or shorter than 150 or longer than
4,000 characters, were dropped. {held_out} stories (5 %), chosen by the seed, were held out; the tokenizer and the model
saw the other {training} alone.

The weights are not the data: they are licensed under Apache-2.0. CDLA-Sharing-1.0 puts no terms on results of
computing with the data. The text itself is not distributed with this model.
",
        all = training + held_out,
    )
}

fn training(recipe: &Recipe, figures: &Figures) -> String {
    let tokens = figures.steps * recipe.batch_tokens as u64;
    let adamw = &recipe.adamw;
    let stages: Vec<String> = recipe
        .stages
        .iter()
        .map(|stage| format!("{} tokens from {} % of the steps", stage.length, stage.from_percent))
        .collect();
    let repeated: Vec<String> = recipe
        .repeated
        .iter()
        .map(|r| {
            format!(
                "from step {} every {}th (periods of {} to {})",
                r.from_step, r.every, r.shortest, r.longest
            )
        })
        .collect();
    let dropout: Vec<String> = recipe
        .dropout
        .iter()
        .map(|d| format!("{:.3} from step {}", f64::from(d.per_256) / 256.0, d.from_step))
        .collect();
    format!(
        "## Recipe

- {steps} steps of {batch} tokens: {millions:.1} million tokens, {epochs:.1} times the {epoch} tokens of the stories.
- Sequences: {stages}; windows of the stories in an order shuffled anew each time, each window behind `<|endoftext|>`.
- AdamW: beta {beta_1} and {beta_2}, weight decay {decay} (matrices), gradients clipped to norm {clip}.
- Learning rate: {warmup} steps of warm-up to {peak}, constant up to {from} % of the steps, then a cosine down to 0.
- Dropout on what the embedding and each sublayer add to the residual stream: {dropout}. It was set while the run
  was watched: lowered where held-out and learnt stories were predicted alike, raised when they parted.
- Repeated random tokens among the sequences, so that induction heads form; only what a repetition foretells counts
  in the loss: {repeated}. Long periods alone made none, short ones did.
- Seed {seed}. The training is f32 on the CPU, by burn's automatic differentiation of the decoder that also runs the
  model. The same corpus, recipe and kind of processor give the same weights, on any number of threads; an
  interrupted run goes on exactly.

      cargo xtask train-house-model --corpus tinystories-sample.txt
",
        steps = figures.steps,
        batch = recipe.batch_tokens,
        millions = tokens as f64 / 1e6,
        epochs = tokens as f64 / figures.epoch_tokens as f64,
        epoch = figures.epoch_tokens,
        stages = stages.join(", "),
        beta_1 = adamw.beta_1,
        beta_2 = adamw.beta_2,
        decay = adamw.weight_decay,
        clip = adamw.clip,
        warmup = recipe.schedule.warmup,
        peak = recipe.schedule.peak,
        from = recipe.schedule.decay_from_percent,
        dropout = dropout.join(", "),
        repeated = repeated.join("; "),
        seed = recipe.seed,
    )
}

const LIMITS: &str = "## Limits

It knows nothing but short stories: no facts, no instructions, no dialogue with a reader, no language but English.
Names, objects and who did what change within a story. It repeats itself, above all in greedy text. Stories of its
kind carry the stereotypes of their source. The held-out stories were looked at during the run to set its dropout,
so that the figure on them is slightly favourable. Use it to study how a transformer works, not for anything that
depends on what it says.
";

fn use_it(recipe: &Recipe) -> String {
    format!(
        "## Use

With HF transformers, unchanged (`LlamaForCausalLM`):

    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(\"web/models/{name}\")
    model = AutoModelForCausalLM.from_pretrained(\"web/models/{name}\")

`model.gguf` (Q8_0, its vocabulary inside) is what the page loads; llama.cpp opens it too. The tokenizer puts
`<|endoftext|>` before every text, as in the training.
",
        name = recipe.name,
    )
}

fn files(figures: &Figures) -> String {
    let rows = figures.files.iter().map(|(name, (bytes, hash))| format!("| `{name}` | {bytes} | `{hash}` |"));
    format!(
        "## Files

| file | bytes | SHA-256 |
|---|---|---|
{}
",
        rows.collect::<Vec<_>>().join("\n")
    )
}
