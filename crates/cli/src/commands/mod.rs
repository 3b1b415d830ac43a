//! One module per command.

pub mod bench;
pub mod chat_template;
pub mod check;
pub mod generate;
pub mod tokenize;
pub mod trace;
