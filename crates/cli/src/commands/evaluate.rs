//! `glassbox evaluate`: how well a model predicts a text.

use glassbox_engine::Undisturbed;
use serde_json::json;

use crate::{args::Evaluate, error::CliError, files};

pub async fn run(args: Evaluate) -> Result<(), CliError> {
    let text = std::fs::read_to_string(&args.text)
        .map_err(|source| CliError::Read { path: args.text.clone(), source })?;
    let documents = documents(&text, &args.separator);
    let model = files::model(&args.model, args.backend).await?;
    let found = model.evaluate(&documents, &Undisturbed).await?;
    let report = json!({
        "documents": found.documents,
        "tokens": found.tokens,
        "bytes": found.bytes,
        "bits_per_byte": found.bits_per_byte(),
        "perplexity": found.perplexity(),
    });
    println!("{report:#}");
    Ok(())
}

/// The documents of a text, without the white space around them.
pub fn documents<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let parts: Vec<&str> = match separator {
        "" => vec![text],
        separator => text.split(separator).collect(),
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn documents_are_cut_at_the_separator() {
        assert_eq!(documents("a\n<|e|>\nb c\n<|e|>\n\n<|e|>", "<|e|>"), ["a", "b c"]);
        assert_eq!(documents(" a <|e|> b", ""), ["a <|e|> b"]);
    }
}
