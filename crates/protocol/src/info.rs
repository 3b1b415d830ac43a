//! What the worker's device, model and tokens are.

use serde::{Deserialize, Serialize};

/// Kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// WebGPU (natively Vulkan, Metal or DX12).
    Gpu,
    /// The SIMD CPU backend.
    Cpu,
}

/// The device in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// Its kind.
    pub kind: DeviceKind,
    /// Its name.
    pub name: String,
    /// Why this one, in one plain sentence.
    pub reason: String,
    /// Whether it is a software adapter.
    pub software: bool,
}

/// What work costs on a device: one reading back, a launch for every kernel, a pass over the weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Speed {
    /// Milliseconds to start one kernel.
    pub launch_ms: f64,
    /// Milliseconds to read a result back.
    pub read_ms: f64,
    /// Bytes of weights that a product with one token passes over in a millisecond.
    pub bytes_per_ms: f64,
}

/// How quick the CPU and the GPU of a machine are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Calibration {
    /// The SIMD CPU backend.
    pub cpu: Speed,
    /// The GPU.
    pub gpu: Speed,
}

/// How products with quantised weights take their activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// As they are.
    F32,
    /// Rounded to 16 bits, a scale for each 32.
    Int16,
    /// Rounded to 8 bits, a scale for each 32, as llama.cpp does.
    Int8,
}

/// A LoRA adapter that is attached to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AdapterInfo {
    /// Names it in requests; never used twice for one model.
    pub id: u32,
    /// Its name, from its folder or file.
    pub name: String,
    /// The model it was made for, as its maker calls it.
    pub base: Option<String>,
    /// Number of its parameters.
    pub parameters: f64,
    /// What its terms are multiplied by: 1 as trained, 0 off.
    pub scale: f32,
}

/// Part of a long piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LoadStage {
    /// Fetching the engine itself.
    Engine,
    /// Reading headers, configuration and tokenizer.
    Header,
    /// Streaming weights into place.
    Weights,
    /// Compiling shaders with a first run.
    Warmup,
    /// Comparing a device's answers with known ones, and timing it.
    Check,
    /// Running the prompt; counts tokens.
    Prefill,
    /// Analysing; counts pieces of work.
    Analysis,
}

/// What an opened model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Architecture, e.g. `llama`.
    pub architecture: String,
    /// Its name, from its card, metadata or files.
    pub name: String,
    /// `safetensors` or `GGUF v3`.
    pub format: String,
    /// Number of parameters.
    pub parameters: f64,
    /// Number of blocks.
    pub layers: u32,
    /// Query heads per block.
    pub heads: u32,
    /// Key and value heads per block.
    pub kv_heads: u32,
    /// Layers with a convolution in the place of attention: they have no heads.
    pub convolutions: Vec<u32>,
    /// Size of a head.
    pub head_dim: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Width of the MLP.
    pub intermediate: u32,
    /// Size of the vocabulary.
    pub vocab: u32,
    /// Longest sequence in tokens.
    pub context: u32,
    /// Bytes in the files by element type.
    #[cfg_attr(feature = "ts", ts(type = "Record<string, number>"))]
    pub dtypes: std::collections::BTreeMap<String, f64>,
    /// Bytes of the weights in the form they are held in.
    pub weight_bytes: f64,
    /// What kind of tokenizer, if the model came with one.
    pub tokenizer: Option<String>,
    /// Whether the model came with a chat template.
    pub chat_template: bool,
    /// How products take their activations; `f32` where no weights are quantised.
    pub precision: Precision,
    /// Threads that compute: 1 where others were not asked for, or cannot be had.
    pub threads: u32,
    /// LoRA adapters that are attached, in the order they were.
    pub adapters: Vec<AdapterInfo>,
    /// Licence as the model states it.
    pub licence: Option<String>,
    /// Files read.
    pub files: Vec<FileInfo>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: f64,
}

/// A token of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its text where its bytes are valid UTF-8, else empty.
    pub text: String,
    /// Its text with whitespace, control characters and split bytes made visible.
    pub display: String,
    /// Its raw bytes.
    pub bytes: Vec<u8>,
    /// Whether it is a special token.
    pub special: bool,
}

/// A token that may come next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Candidate {
    /// The token.
    pub token: Token,
    /// Its logit at this stage.
    pub logit: f32,
    /// Its probability at this stage.
    pub probability: f32,
    /// Its rank in the model's own distribution; 1 is the most probable.
    pub rank: u32,
}

/// A stage of the sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// The model's own distribution.
    Raw,
    /// After the repetition penalty.
    RepetitionPenalty,
    /// After the temperature.
    Temperature,
    /// After top-k.
    TopK,
    /// After top-p.
    TopP,
    /// After min-p.
    MinP,
}

/// The distribution after a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Stage {
    /// Which stage.
    pub name: StageName,
    /// How many tokens are left.
    pub kept: u32,
    /// Entropy in bits.
    pub entropy: f32,
    /// The most probable tokens.
    pub top: Vec<Candidate>,
}

/// Name and shape of a captured tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TensorMeta {
    /// Site name.
    pub name: String,
    /// Shape, outermost first.
    pub shape: Vec<u32>,
}

/// How long things took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// Milliseconds for the prompt.
    pub prefill_ms: f64,
    /// Milliseconds for all decoded tokens.
    pub decode_ms: f64,
    /// Tokens in the prompt.
    pub prompt_tokens: u32,
    /// Tokens decoded after the first.
    pub decoded_tokens: u32,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// As many tokens as asked for.
    Length,
    /// The model ended its text.
    Eos,
    /// The context is full.
    Context,
    /// Stopped by the caller.
    Aborted,
}

/// An error as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Failure {
    /// Stable name of the error.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}
