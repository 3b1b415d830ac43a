//! The engine: opens a device and a model, runs prompts, captures traces, generates tokens.

mod adapters;
pub mod analysis;
mod calibration;
mod chat;
mod collect;
mod decoding;
pub mod device;
mod error;
mod evaluate;
mod generate;
mod host;
mod model;
mod sampler;
mod trace;

pub use adapters::Attached;
pub use calibration::{Calibration, Speed};
pub use chat::Chat;
pub use collect::CAPTURE_LIMIT;
pub use device::OpenDevice;
pub use error::EngineError;
pub use evaluate::{Evaluation, surprisals};
pub use generate::{Finish, Generation, GenerationTiming, Step};
pub use glassbox_kernels::team;
pub use host::{Host, Undisturbed};
pub use model::{Inspected, Model, Summary, inspect, read_tokenizer};
pub use sampler::{Candidate, Distribution, Draw, Sampler, SamplerSettings, StageKind};
pub use trace::{HostTensor, Trace};
