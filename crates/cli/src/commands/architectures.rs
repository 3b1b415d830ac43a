//! `glassbox architectures`: the family tree.

use glassbox_engine::EngineError;

use crate::{args::Architectures, error::CliError};

pub fn run(args: &Architectures) -> Result<(), CliError> {
    if args.markdown {
        print!("{}", glassbox_model::markdown().map_err(EngineError::Model)?);
        return Ok(());
    }
    for row in glassbox_model::describe().map_err(EngineError::Model)? {
        println!("{} ({})", row.name, row.models);
        let gguf = row.gguf.map_or("none of its own".to_owned(), str::to_owned);
        let lines = [
            ("norm", row.norm),
            ("positions", row.positions),
            ("attention", row.attention),
            ("MLP", row.mlp),
            ("GGUF", gguf),
        ];
        for (name, value) in lines {
            println!("  {name:<10} {value}");
        }
    }
    Ok(())
}
