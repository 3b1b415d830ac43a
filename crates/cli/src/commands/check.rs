//! `glassbox check`: what a model is, without running it.

use crate::{args::Check, error::CliError, files};

pub async fn run(args: Check) -> Result<(), CliError> {
    let (_, summary, _) = glassbox_engine::inspect(files::open(&args.model)?).await?;
    let spec = &summary.spec;
    let dtypes: Vec<String> =
        summary.dtypes.iter().map(|(dtype, bytes)| format!("{dtype} ({bytes} bytes)")).collect();
    let heads = match spec.heads == spec.kv_heads {
        true => spec.heads.to_string(),
        false => format!("{} query, {} key and value", spec.heads, spec.kv_heads),
    };
    let rows = [
        ("name", summary.name.clone()),
        ("format", summary.format.clone()),
        ("architecture", spec.architecture.to_owned()),
        ("parameters", summary.parameters.to_string()),
        ("types", dtypes.join(", ")),
        ("layers", spec.layers.to_string()),
        ("heads", heads),
        ("head size", spec.head_dim.to_string()),
        ("hidden size", spec.hidden.to_string()),
        ("MLP size", spec.intermediate.to_string()),
        ("vocabulary", spec.vocab.to_string()),
        ("context", spec.context.to_string()),
        ("output head", if spec.tied_head { "tied to the embedding" } else { "of its own" }.to_owned()),
        ("tokenizer", summary.tokenizer.unwrap_or_else(|| "none: prompts are token ids".to_owned())),
        ("licence", summary.licence.unwrap_or_else(|| "not stated".to_owned())),
    ];
    for (name, value) in rows {
        println!("{name:<13} {value}");
    }
    Ok(())
}
