//! The decoder on burn tensors: architectures as tables, a KV cache, and a forward pass that can be
//! observed ([`Probe`]) and changed ([`Edit`]) at named sites.

mod alibi;
pub mod architectures;
mod attention;
mod block;
mod cache;
mod config;
mod convolution;
mod decoder;
mod description;
mod error;
mod layers;
mod low_rank;
mod mlp;
mod names;
mod parameters;
mod probe;
mod replay;
mod rotary;
mod site;
mod spec;
mod steps;
mod weights;

pub use alibi::AlibiSpec;
pub use architectures::identify;
pub use attention::Pass;
pub use cache::KvCache;
pub use config::{ConfigReader, RopeDefaults, SizeKeys};
pub use convolution::ConvolutionSpec;
pub use decoder::Decoder;
pub use description::{Description, describe, markdown};
pub use error::ModelError;
pub use parameters::WeightMap;
pub use probe::{Action, Captured, Edit, Noise, Observation, Probe, check_edits};
pub use replay::RecordedStep;
pub use rotary::{Pairing, RotarySpec, Scaling};
pub use site::{Axis, Hook, Site};
pub use spec::{
    Activation, AttentionSpec, BlockSpec, DecoderSpec, ExpertsSpec, Mixer, MlpSpec, NormKind, NormSpec,
    Placement, Positions, QkNorm, Sizes, Wiring, inverse_root,
};
pub use weights::{Progress, Rows, Source, check, load};
