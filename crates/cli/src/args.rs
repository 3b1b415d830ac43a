//! The command line's arguments.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use glassbox_engine::SamplerSettings;

/// Runs open language models and shows what they compute.
#[derive(Debug, Parser)]
#[command(name = "glassbox", version, about)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a prompt and writes what the model computes to a safetensors file.
    Trace(Trace),
    /// Continues a prompt.
    Generate(Generate),
    /// Splits standard input into token ids, or joins ids to text.
    Tokenize(Tokenize),
    /// Makes messages a prompt with the model's chat template, or prints the template.
    ChatTemplate(ChatTemplate),
    /// Says what a model is, or what is wrong with it.
    Check(Check),
    /// Lists the architectures that are known, with what each is made of.
    Architectures(Architectures),
    /// Measures load, prefill and decode; prints JSON.
    Bench(Bench),
    /// Measures how well a model predicts a text, in bits per byte; prints JSON.
    Evaluate(Evaluate),
    /// Finds induction heads and previous-token heads; prints JSON.
    Heads(Heads),
    /// Applies the final norm and output head inside the model (logit lens); prints JSON.
    Lens(crate::analysis_args::Lens),
    /// What each head, MLP and embedding adds to a token's logit; prints JSON.
    Attribute(crate::analysis_args::Attribute),
    /// Patches a prompt cell by cell with another one's activations; prints JSON.
    Patch(crate::analysis_args::Patch),
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The SIMD CPU backend.
    Cpu,
    /// A GPU through wgpu; a software adapter too.
    Gpu,
}

/// What to run.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Prompt {
    /// Token ids, comma-separated.
    #[arg(long, value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
    /// Text for the model's tokenizer; special tokens are added as the model wants them.
    #[arg(long)]
    pub prompt: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Architectures {
    /// As the page `docs/architectures.md`.
    #[arg(long)]
    pub markdown: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Trace {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    #[command(flatten)]
    pub prompt: Prompt,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
    /// `all`, or any of `logits`, `pattern`, `resid`, other kinds (`z`, `mlp_out`…) and full site names.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    pub capture: Vec<String>,
    /// Heads to switch off, as LAYER.HEAD.
    #[arg(long, value_delimiter = ',')]
    pub ablate: Vec<String>,
    /// A LoRA adapter to attach: a folder with adapter_config.json, or a GGUF adapter; its scale (1 where
    /// none is given) after a colon. May be given again.
    #[arg(long, value_name = "PATH[:SCALE]")]
    pub adapter: Vec<String>,
    /// The safetensors file to write.
    #[arg(long)]
    pub out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct Generate {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    #[command(flatten)]
    pub prompt: Prompt,
    /// At most so many new tokens.
    #[arg(short, default_value_t = 64)]
    pub n: usize,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
    #[command(flatten)]
    pub sampler: SamplerArgs,
    /// Print the new ids, comma-separated, instead of text.
    #[arg(long)]
    pub ids: bool,
    /// A LoRA adapter to attach: a folder with adapter_config.json, or a GGUF adapter; its scale (1 where
    /// none is given) after a colon. May be given again.
    #[arg(long, value_name = "PATH[:SCALE]")]
    pub adapter: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct SamplerArgs {
    /// Always take the most probable token.
    #[arg(long)]
    pub greedy: bool,
    /// Divides the logits.
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f32,
    /// Keep the k most probable tokens; 0 keeps all.
    #[arg(long, default_value_t = 0)]
    pub top_k: usize,
    /// Keep the smallest set whose probabilities reach p.
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f32,
    /// Keep tokens at least this fraction as probable as the best.
    #[arg(long, default_value_t = 0.0)]
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens already there.
    #[arg(long, default_value_t = 1.0)]
    pub repetition_penalty: f32,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl From<SamplerArgs> for SamplerSettings {
    fn from(args: SamplerArgs) -> Self {
        Self {
            temperature: args.temperature,
            top_k: args.top_k,
            top_p: args.top_p,
            min_p: args.min_p,
            repetition_penalty: args.repetition_penalty,
            seed: args.seed,
            greedy: args.greedy,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub struct Tokenize {
    /// A model folder, a tokenizer.json or a .gguf file.
    pub model: PathBuf,
    /// Read ids and print text.
    #[arg(long)]
    pub decode: bool,
    /// Recognise special tokens and add those the model wants.
    #[arg(long)]
    pub special: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ChatTemplate {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    /// A JSON file with a list of messages (`role`, `content`, …); without it the template is printed.
    #[arg(long)]
    pub messages: Option<PathBuf>,
    /// A JSON file with a list of tools as JSON schemas.
    #[arg(long, requires = "messages")]
    pub tools: Option<PathBuf>,
    /// Which template, where the model has several.
    #[arg(long)]
    pub template: Option<String>,
    /// End after the last message, without what comes before an answer.
    #[arg(long)]
    pub no_generation_prompt: bool,
    /// A variable for the template, its value as JSON: `--set enable_thinking=false`.
    #[arg(long = "set", value_name = "NAME=JSON")]
    pub variables: Vec<String>,
    /// What the template takes for now, in seconds since 1970; the clock (UTC) otherwise.
    #[arg(long)]
    pub now: Option<i64>,
    /// Print token ids instead of text.
    #[arg(long)]
    pub ids: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Check {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct Bench {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    /// Tokens of prompt.
    #[arg(long, default_value_t = 64)]
    pub prompt_tokens: usize,
    /// Tokens to decode.
    #[arg(long, default_value_t = 32)]
    pub new_tokens: usize,
    /// Runs; the median is printed.
    #[arg(long, default_value_t = 5)]
    pub repeat: usize,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
    /// Compute with burn's own operations instead of this project's kernels, to compare.
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Evaluate {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    /// A text file.
    #[arg(long)]
    pub text: PathBuf,
    /// What stands between two documents, which are measured one by one; empty for one document.
    #[arg(long, default_value = "<|endoftext|>")]
    pub separator: String,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
}

#[derive(Debug, ClapArgs)]
pub struct Heads {
    /// A folder in the hub's layout, or a .gguf file.
    pub model: PathBuf,
    /// Random tokens before they repeat.
    #[arg(long, default_value_t = 50)]
    pub length: usize,
    /// Prompts of random tokens, and documents of the text at most.
    #[arg(long, default_value_t = 10)]
    pub prompts: usize,
    /// Seed of the random tokens.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A text file to find previous-token heads on; without it they are measured on the random tokens.
    #[arg(long)]
    pub text: Option<PathBuf>,
    /// What stands between two documents of the text.
    #[arg(long, default_value = "<|endoftext|>")]
    pub separator: String,
    /// So many heads of each kind, the best first.
    #[arg(long, default_value_t = 5)]
    pub top: usize,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,
}
