//! Trains the house model: the project's own decoder, differentiated by burn.

pub mod card;
mod checkpoint;
mod corpus;
mod dropout;
mod error;
mod evaluate;
pub mod gguf;
mod gradient;
pub mod layout;
pub mod optimizer;
mod publish;
mod random;
mod recipe;
mod run;
pub mod tokenizer;
pub mod weights;

pub use corpus::{Corpus, SEPARATOR, Sequence, Sequences};
pub use dropout::Dropout;
pub use error::TrainError;
pub use evaluate::bits_per_byte;
pub use gradient::{Batch, Pass, pass};
pub use publish::{LICENCE, publish};
pub use recipe::{AdamW, DropoutFrom, Recipe, Repeated, Schedule, Shape, Stage};
pub use run::{Event, Options, Trained, train};
