//! Trains the house model: the project's own decoder, differentiated by burn.

mod checkpoint;
mod corpus;
mod error;
mod evaluate;
mod gradient;
pub mod layout;
pub mod optimizer;
mod random;
mod recipe;
mod run;
pub mod tokenizer;
pub mod weights;

pub use corpus::{Corpus, SEPARATOR, Sequence, Sequences};
pub use error::TrainError;
pub use evaluate::bits_per_byte;
pub use gradient::{Pass, pass};
pub use recipe::{AdamW, Recipe, Schedule, Shape, Stage};
pub use run::{Event, Options, Trained, train};
