//! What the worker tells the page.

use serde::{Deserialize, Serialize};

use crate::{
    AdapterInfo, ArrayMeta, BenchRow, BenchStage, Calibration, Candidate, Change, Continuation, DeviceInfo,
    Expectation, Failure, FinishReason, HeadLabel, LoadStage, ModelInfo, Neuron, Part, Promotion, Stage,
    TensorMeta, Timing, Token,
};

/// An event from the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The device is open.
    Started {
        /// Which device and why.
        device: DeviceInfo,
        /// Version of the engine.
        version: String,
        /// [`crate::VERSION`] of the worker.
        protocol: u32,
    },
    /// Something long goes on.
    Progress {
        /// What is being done.
        stage: LoadStage,
        /// Bytes (for prefill, tokens; for analyses, pieces of work) done.
        done_bytes: f64,
        /// Of how many.
        total_bytes: f64,
    },
    /// The CPU and the GPU have been timed.
    Calibrated {
        /// To be kept, and given to the next start on this machine.
        calibration: Calibration,
    },
    /// A model is open.
    Opened {
        /// What it is.
        model: ModelInfo,
        /// What it runs on, and why.
        device: DeviceInfo,
    },
    /// The adapters of the open model have changed.
    Adapted {
        /// All that are attached, in the order they were.
        adapters: Vec<AdapterInfo>,
    },
    /// The model is closed.
    Closed,
    /// The tokens of a text.
    Tokens {
        /// In order.
        tokens: Vec<Token>,
    },
    /// A trace; the tensors' data travel as buffers in the same order.
    Traced {
        /// The input's tokens.
        tokens: Vec<Token>,
        /// Name and shape of each captured tensor.
        tensors: Vec<TensorMeta>,
        /// The most probable next tokens, raw.
        next: Vec<Candidate>,
        /// How long it took.
        timing: Timing,
    },
    /// A generated token.
    Step {
        /// 0 for the first new token.
        index: u32,
        /// The token drawn.
        token: Token,
        /// Text that is complete with it; may be empty while a character is split.
        text: String,
        /// The most probable tokens before any stage of the sampler.
        raw: Vec<Candidate>,
        /// The most probable tokens after the last stage: what was drawn from.
        r#final: Vec<Candidate>,
        /// The distribution after each stage.
        stages: Vec<Stage>,
        /// How long it has taken so far.
        timing: Timing,
    },
    /// Generation has ended.
    Finished {
        /// Why.
        reason: FinishReason,
        /// All new ids.
        tokens: Vec<u32>,
        /// How long it took.
        timing: Timing,
    },
    /// A row of the logit lens: one site at all positions asked for (P of them, K top tokens, N pinned ones).
    /// Arrays: `ids` u32 `[P, K]`, `logits` `[P, K]`, `probabilities` `[P, K]`, `entropy` `[P]` in bits, `pinned_logits` `[P, N]`,
    /// `pinned_probabilities` `[P, N]`, `pinned_ranks` u32 `[P, N]`.
    LensRow {
        /// Full site name.
        site: String,
        /// Its layer.
        layer: u32,
        /// Half-open range of positions.
        positions: [u32; 2],
        /// Each token that `ids` names, once.
        tokens: Vec<Token>,
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// All rows of the logit lens have been told.
    LensDone {
        /// The input's tokens.
        tokens: Vec<Token>,
        /// The pinned tokens.
        pinned: Vec<Token>,
    },
    /// A direct logit attribution.
    Attributed {
        /// The position explained.
        position: u32,
        /// The token.
        token: Token,
        /// The token whose logit is subtracted.
        against: Option<Token>,
        /// What each part adds, in the order of the forward pass; their contributions sum to `logit`.
        parts: Vec<Part>,
        /// The logit (or difference) that the model computed, before any soft cap.
        logit: f32,
        /// What the residual stream is divided by in the final norm, held fixed.
        scale: f32,
        /// What to know about the numbers for this architecture, in plain words; none where nothing.
        note: Option<String>,
    },
    /// What parts push up and down.
    Promoted {
        /// As asked for.
        parts: Vec<Promotion>,
    },
    /// One head at one query (T keys, Dh head size, D hidden size). Arrays: `q` `[Dh]` and `k` `[T, Dh]` as projected,
    /// `rot_q` and `rot_k` after the rotary embedding where there is one, `v` `[T, Dh]`, `dots` `[T]` (q · k),
    /// `scores` `[T]` (after scale, soft cap and mask; masked keys hold -1e30), `pattern` `[T]`, `z` `[Dh]` (sum of pattern
    /// times v), `out` `[D]` (what the head writes), and `rotary_angles` `[dims / 2]` (radians per position).
    Head {
        /// Layer.
        layer: u32,
        /// Query head.
        head: u32,
        /// The key and value head it shares.
        kv_head: u32,
        /// Position of the query.
        query: u32,
        /// What `dots` are multiplied with.
        scale: f32,
        /// How many keys back the head may look, the query included; none for all.
        window: Option<u32>,
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// The most active neurons, by the size of their activation.
    Neurons {
        /// Layer.
        layer: u32,
        /// Position.
        position: u32,
        /// Width of the MLP.
        width: u32,
        /// The neurons.
        neurons: Vec<Neuron>,
    },
    /// What all heads do on this prompt (L layers, H heads, T tokens). Arrays: `previous_token`, `first_token`,
    /// `induction`, `duplicate_token` `[L, H]`, NaN where the prompt does not ask for it (no token repeats, or too few
    /// tokens); `thumbnails` `[L, H, S, S]` (largest weight under each pixel) and `rollout` `[T, T]` where asked for.
    Heads {
        /// Heads whose score reaches the threshold, strongest first.
        labels: Vec<HeadLabel>,
        /// The thresholds of the four roles, in the order of the arrays.
        thresholds: [f32; 4],
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// The sampler over the full vocabulary.
    Bench {
        /// The position whose next token is drawn.
        position: u32,
        /// Every active stage, the model's own distribution first.
        stages: Vec<BenchStage>,
        /// The rows asked for.
        rows: Vec<BenchRow>,
        /// How many rows there are in all (that contain the text searched for).
        total: u32,
        /// The pinned tokens.
        pinned: Vec<BenchRow>,
        /// Every token drawn with its count, most often drawn first.
        drawn: Vec<BenchRow>,
    },
    /// Two runs compared. Array: `divergence` `[T]` (or `[1]`), KL(before || after) in bits; `top_changed` `[T]` u32, 1 where
    /// the most probable token changed.
    Compared {
        /// The position compared token by token.
        position: u32,
        /// KL(before || after) there, in bits.
        divergence: f32,
        /// Entropy before and after, in bits.
        entropy: [f32; 2],
        /// The most changed tokens, by the size of the change in probability.
        changes: Vec<Change>,
        /// The most probable tokens of either run, by their probability before.
        top: Vec<Change>,
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// How each token was expected.
    Surprisals {
        /// The input's tokens.
        tokens: Vec<Token>,
        /// One for each.
        expectations: Vec<Expectation>,
    },
    /// Continuations with their probabilities.
    Scored {
        /// In the order asked for.
        continuations: Vec<Continuation>,
    },
    /// A row of a patch sweep: array `metric` `[positions]`, the logit (difference) with each position patched.
    SweepRow {
        /// Layer.
        layer: u32,
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// The whole sweep. Arrays: `metric` [layers, positions], the logit (difference) with that cell patched, and
    /// `recovered` [layers, positions], (metric - target) / (source - target); NaN where source equals target.
    SweepDone {
        /// First layer and first position of the arrays.
        origin: [u32; 2],
        /// The metric in the source run.
        source: f32,
        /// The metric in the target run.
        target: f32,
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// Arrays alone. Of `norms`: `resid_pre`, `attn_out`, `resid_mid` (where attention and MLP run one after the other),
    /// `mlp_out`, `resid_post`, each [layers, positions].
    /// Of `export`: `file`, bytes.
    Arrays {
        /// The buffers.
        arrays: Vec<ArrayMeta>,
    },
    /// A fingerprint of the model's files: SHA-256 over their names, sizes and sampled ranges, not over all bytes.
    Fingerprint {
        /// 64 hexadecimal digits.
        fingerprint: String,
        /// How it was made, in one sentence.
        method: String,
    },
    /// A chat as the model's template writes it.
    Chat {
        /// The text.
        text: String,
        /// Its tokens.
        tokens: Vec<Token>,
    },
    /// Memory in use, told from time to time.
    Memory {
        /// Size of the worker's wasm memory.
        wasm_bytes: f64,
        /// Bytes of the weights in the form they are held in.
        weight_bytes: f64,
        /// Bytes of weights that helpers hold once more, where several threads compute.
        helper_bytes: f64,
        /// Bytes reserved on the GPU, where there is one.
        device_bytes: Option<f64>,
    },
    /// The request has failed; the worker goes on.
    Failed {
        /// What went wrong and what to do.
        error: Failure,
    },
}
