//! `glassbox heads`: which heads are induction heads and previous-token heads.

use glassbox_engine::{
    Undisturbed,
    analysis::{HeadRole, HeadSurvey, RepeatedTokens},
};
use serde_json::{Value, json};

use super::evaluate::documents;
use crate::{args::Heads, error::CliError, files};

pub async fn run(args: Heads) -> Result<(), CliError> {
    let text = match &args.text {
        Some(path) => Some(
            std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.clone(), source })?,
        ),
        None => None,
    };
    let model = files::model(&args.model, args.backend).await?;
    let repeated = RepeatedTokens { length: args.length, prompts: args.prompts, seed: args.seed };
    let on_repeated = model.survey_heads(&model.repeated_prompts(repeated)?, &Undisturbed).await?;
    let on_text = match &text {
        Some(text) => {
            let texts = documents(text, &args.separator);
            let texts = &texts[..texts.len().min(args.prompts)];
            Some(model.survey_heads(&model.text_prompts(texts)?, &Undisturbed).await?)
        }
        None => None,
    };
    let for_positions = on_text.as_ref().unwrap_or(&on_repeated);
    let report = json!({
        "repeated": { "length": args.length, "prompts": args.prompts, "seed": args.seed },
        "previous_token_on": if on_text.is_some() { "text" } else { "repeated" },
        "induction": ranked(&on_repeated, HeadRole::Induction, args.top),
        "previous_token": ranked(for_positions, HeadRole::PreviousToken, args.top),
        "first_token": ranked(for_positions, HeadRole::FirstToken, args.top),
    });
    println!("{report:#}");
    Ok(())
}

fn ranked(survey: &HeadSurvey, role: HeadRole, top: usize) -> Vec<Value> {
    let head = |(layer, head, score)| json!({ "layer": layer, "head": head, "score": score });
    survey.ranked(role).into_iter().take(top).map(head).collect()
}
