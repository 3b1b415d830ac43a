//! The decoder on burn tensors: architectures as tables, a KV cache, and a forward pass that can be
//! observed ([`Probe`]) and changed ([`Edit`]) at named sites.

pub mod architectures;
mod cache;
mod config;
mod decoder;
mod error;
mod layers;
mod low_rank;
mod parameters;
mod probe;
mod rotary;
mod site;
mod spec;
mod weights;

pub use architectures::identify;
pub use cache::KvCache;
pub use config::ConfigReader;
pub use decoder::Decoder;
pub use error::ModelError;
pub use parameters::WeightMap;
pub use probe::{Action, Captured, Edit, Observation, Probe};
pub use site::{Axis, Hook, Site};
pub use spec::{Activation, DecoderSpec, NormKind, Positions};
pub use weights::{Progress, check, load};
