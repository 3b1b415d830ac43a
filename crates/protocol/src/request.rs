//! What a page asks of the worker.
//!
//! On the wire an enum's variant is named inside (`{type: "open", …}`); the worker's loader moves the name outside before
//! serde sees it, which then needs less code and no copy of all that a request holds.

use serde::{Deserialize, Serialize};

use crate::{
    AttributionQuery, BenchQuery, Calibration, ChatMessage, CompareQuery, DeviceKind, ExportQuery, HeadQuery,
    HeadsQuery, LensQuery, NeuronsQuery, Precision, PromotedQuery, Run, ScoreQuery, SurprisalQuery,
    SweepQuery,
};

/// The threads that a page that does not ask for more gets.
fn one() -> u32 {
    1
}

/// A request from the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Request {
    /// Opens the device. Must come first.
    Start {
        /// What the caller asked for.
        device: DevicePreference,
        /// Whether a software adapter may be taken for a GPU.
        allow_software: bool,
        /// What the worker's loader found out about the adapter before it chose a module.
        chosen: ChosenDevice,
    },
    /// Times the CPU and the GPU; answered by `calibrated`. From then on models go where they should be quicker.
    Calibrate {
        /// What was measured on this machine before, where it was: then nothing is timed.
        known: Option<Calibration>,
    },
    /// Opens a model; the one before it is closed once the new one stands.
    Open {
        /// Where its bytes are.
        source: Source,
        /// What to run it on; without one, what the calibration says, else the device that was started with. The CPU is
        /// always there.
        #[serde(default)]
        device: Option<DeviceKind>,
        /// How products with quantised weights take their activations on the CPU; without one, by the model's size.
        #[serde(default)]
        precision: Option<Precision>,
        /// Threads to compute with on the CPU, where the browser lets workers share memory: each beyond the first holds its
        /// share of the weights once more.
        #[serde(default = "one")]
        threads: u32,
    },
    /// Attaches a LoRA adapter to the open model, behind those that are there; answered by `adapted`.
    Attach {
        /// Where its bytes are: `adapter_config.json` with `adapter_model.safetensors`, or a GGUF adapter.
        source: Source,
        /// What its terms are multiplied by: 1 as trained.
        scale: f32,
    },
    /// Scales an adapter's terms: 1 as trained, 0 off; answered by `adapted`.
    ScaleAdapter {
        /// Its id.
        adapter: u32,
        /// Any finite number.
        scale: f32,
    },
    /// Takes an adapter off; answered by `adapted`.
    Detach {
        /// Its id.
        adapter: u32,
    },
    /// Closes the model and frees its memory.
    Close,
    /// Stops the request with this id.
    Abort {
        /// Id of the request to stop.
        target: u32,
    },
    /// Splits a text into tokens.
    Tokenize {
        /// The text.
        text: String,
        /// Whether special tokens are recognised and added.
        special: bool,
    },
    /// Runs the model over an input and returns what was captured.
    Trace {
        /// What to run.
        input: Input,
        /// `logits`, kinds (`pattern`, `resid_post`, …) or full site names (`blocks.0.attn.hook_pattern`).
        capture: Vec<String>,
        /// What to change on the way.
        edits: Vec<Edit>,
    },
    /// Generates tokens one by one.
    Generate {
        /// What to continue.
        input: Input,
        /// At most so many new tokens.
        max_new_tokens: u32,
        /// How the next token is drawn.
        sampler: Sampler,
        /// What to change on the way.
        edits: Vec<Edit>,
        /// How many candidates each step reports.
        top_n: u32,
    },
    /// Applies the final norm and output head inside the model; answered by `lens_row`s and `lens_done`.
    Lens(LensQuery),
    /// What each part of the model contributes to a logit; answered by `attributed`.
    Attribute(AttributionQuery),
    /// Which tokens parts push up and down; answered by `promoted`.
    Promoted(PromotedQuery),
    /// Lengths of the residual stream and of what is added to it; answered by `arrays`.
    Norms {
        /// The run.
        run: Run,
    },
    /// One head at one query; answered by `head`.
    Head(HeadQuery),
    /// The most active neurons; answered by `neurons`.
    Neurons(NeuronsQuery),
    /// What all heads do on this prompt; answered by `heads`.
    Heads(HeadsQuery),
    /// The sampler over the full vocabulary; answered by `bench`.
    Bench(BenchQuery),
    /// Two runs of one prompt; answered by `compared`.
    Compare(CompareQuery),
    /// How each token of the prompt was expected; answered by `surprisals`.
    Surprisal(SurprisalQuery),
    /// Probabilities of continuations; answered by `scored`.
    Score(ScoreQuery),
    /// Activation patching cell by cell; answered by `sweep_row`s and `sweep_done`.
    Sweep(SweepQuery),
    /// A trace as a safetensors file; answered by `arrays` with one array of bytes, `file`.
    Export(ExportQuery),
    /// A fingerprint of the open model's files; answered by `fingerprint`.
    Fingerprint,
    /// A chat as the model's own template writes it; answered by `chat`.
    Chat {
        /// The messages so far.
        messages: Vec<ChatMessage>,
        /// Whether the beginning of an answer is added.
        add_generation_prompt: bool,
    },
}

/// The device a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DevicePreference {
    /// A GPU where there is a real one, else the CPU.
    Auto,
    /// WebGPU, or an error.
    Gpu,
    /// The SIMD CPU backend.
    Cpu,
}

/// The loader's choice between the two worker modules, with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ChosenDevice {
    /// Which kind was chosen.
    pub kind: DeviceKind,
    /// The adapter's name as the browser tells it.
    pub name: String,
    /// Why, in one plain sentence.
    pub reason: String,
    /// Whether the adapter is a software one.
    pub software: bool,
}

/// Where a model's bytes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Files the reader picked or dropped: a hub folder's files or one `.gguf`.
    Files {
        /// Browser `File` objects; opaque to this crate.
        #[serde(default)]
        files: FileHandles,
    },
    /// Addresses the browser fetches with range requests.
    Urls {
        /// One address per file.
        urls: Vec<String>,
    },
}

/// Stands for browser `File` objects, which only the worker can read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FileHandles;

impl<'de> Deserialize<'de> for FileHandles {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[cfg(feature = "ts")]
impl ts_rs::TS for FileHandles {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;
    fn name(_: &ts_rs::Config) -> String {
        "File[]".to_owned()
    }
    fn inline(config: &ts_rs::Config) -> String {
        Self::name(config)
    }
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Text for the model's tokenizer.
    Text {
        /// The text.
        text: String,
        /// Whether special tokens are recognised and added.
        special: bool,
    },
    /// Token ids.
    Tokens {
        /// The ids.
        tokens: Vec<u32>,
    },
}

/// A causal edit at a named site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// TransformerLens hook name, e.g. `blocks.3.attn.hook_z`.
    pub site: String,
    /// One head, or all.
    pub head: Option<u32>,
    /// Half-open range of (query) positions, or all.
    pub positions: Option<[u32; 2]>,
    /// Half-open range of keys, at attention scores and patterns; or all.
    #[serde(default)]
    pub keys: Option<[u32; 2]>,
    /// What to do there.
    pub action: EditAction,
}

/// What an edit does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "snake_case")]
pub enum EditAction {
    /// Multiplies by a factor; 0 ablates.
    Scale {
        /// The factor.
        factor: f32,
    },
    /// Puts other values in place.
    Replace {
        /// Shape of the values, which must fit what is selected; at all positions, one position whose
        /// values are put in place of each.
        shape: Vec<u32>,
        /// The values, row-major.
        data: Vec<f32>,
    },
    /// Adds values times a strength: steering.
    Add {
        /// Shape of the values, as for `replace`.
        shape: Vec<u32>,
        /// The values, row-major.
        data: Vec<f32>,
        /// Multiplies them.
        strength: f32,
    },
    /// Masks attention scores (`hook_attn_scores`): nothing flows from the keys to the queries, and the rest of each
    /// row grows so that it sums to 1 (attention knockout, Geva et al., 2023). To cut without that, scale the pattern.
    Mask,
    /// Puts the values of another run in place, at the same site and head (activation patching).
    Patch {
        /// The run the values come from, without edits.
        source: Input,
        /// The first of its positions; the same positions as `positions` if none.
        from: Option<u32>,
    },
    /// Adds the difference between two other runs at the same site, at the last position of each, times a strength
    /// (contrastive activation addition, Rimsky et al., 2024).
    Steer {
        /// The run to steer towards.
        towards: Input,
        /// The run to steer away from; without one the first run's values alone are added.
        away: Option<Input>,
        /// Multiplies the difference.
        strength: f32,
    },
}

/// Settings of the sampler. Stages run in this order: repetition penalty, temperature, top-k, top-p, min-p.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Sampler {
    /// Divides the logits; 1 leaves them.
    pub temperature: f32,
    /// Keeps the k most probable tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps the smallest set whose probabilities sum to p; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least this fraction as probable as the best; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens already there; 1 leaves them.
    pub repetition_penalty: f32,
    /// Seed of the random numbers.
    pub seed: u32,
    /// Takes the most probable token instead of drawing.
    pub greedy: bool,
}
