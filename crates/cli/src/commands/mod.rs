//! One module per command.

pub mod analyses;
pub mod architectures;
pub mod bench;
pub mod chat_template;
pub mod check;
pub mod evaluate;
pub mod generate;
pub mod heads;
pub mod tokenize;
pub mod trace;
