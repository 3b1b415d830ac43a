//! `glassbox lens`, `attribute` and `patch`: the numbers of the page's views, as JSON.

use glassbox_engine::{
    EngineError, Model, Undisturbed,
    analysis::{LensRow, Part, PartName, Run, SweepPlan, largest, lens_sites},
};
use glassbox_model::{Hook, ModelError};
use serde_json::{Value, json};

use super::trace::ablations;
use crate::{
    analysis_args::{Attribute, Lens, Patch, RunArgs},
    error::CliError,
    files,
};

/// Opens the model and runs the prompt.
async fn start(args: &RunArgs) -> Result<(Model, Run), CliError> {
    let model = files::model(&args.model, args.backend).await?;
    let tokens = files::tokens(&model, &args.prompt)?;
    let edits = ablations(&model, &args.ablate)?;
    let run = Run::new(&model, &tokens, &edits, None, &Undisturbed).await?;
    Ok((model, run))
}

fn shown(model: &Model, id: u32) -> Value {
    json!({ "id": id, "text": model.shown(id) })
}

/// `glassbox lens`.
pub async fn lens(args: Lens) -> Result<(), CliError> {
    let (model, run) = start(&args.run).await?;
    let mut rows = Vec::new();
    for site in lens_sites(&model, &args.sites)? {
        let row = run.lens(&model, site, 0..run.len(), args.top, &args.pin, &Undisturbed).await?;
        rows.push(lens_row(&model, &row, &args.pin));
    }
    let tokens: Vec<Value> = run.tokens.iter().map(|id| shown(&model, *id)).collect();
    println!("{:#}", json!({ "tokens": tokens, "rows": rows }));
    Ok(())
}

fn lens_row(model: &Model, row: &LensRow, pinned: &[u32]) -> Value {
    let count = row.positions.len();
    let (top, pins) = (row.ids.len() / count.max(1), pinned.len());
    let cell = |position: usize| {
        let best = position * top..(position + 1) * top;
        let best: Vec<Value> = best
            .map(|at| {
                json!({
                    "token": shown(model, row.ids[at]),
                    "logit": row.logits[at],
                    "probability": row.probabilities[at],
                })
            })
            .collect();
        let pinned: Vec<Value> = (position * pins..(position + 1) * pins)
            .zip(pinned)
            .map(|(at, id)| {
                json!({
                    "id": id,
                    "logit": row.pinned_logits[at],
                    "probability": row.pinned_probabilities[at],
                    "rank": row.pinned_ranks[at],
                })
            })
            .collect();
        json!({ "top": best, "entropy": row.entropy[position], "pinned": pinned })
    };
    let cells: Vec<Value> = (0..count).map(cell).collect();
    json!({ "site": row.site.to_string(), "layer": row.layer, "cells": cells })
}

/// `glassbox attribute`.
pub async fn attribute(args: Attribute) -> Result<(), CliError> {
    let (model, run) = start(&args.run).await?;
    let position = run.position(args.position)?;
    let token = match args.token {
        Some(token) => token,
        None => largest(&run.logits(&model, position).await?, 1)[0],
    };
    let found = run.attribute(&model, Some(position), token, args.against, &Undisturbed).await?;
    let report = json!({
        "position": found.position,
        "token": shown(&model, token),
        "against": args.against.map(|id| shown(&model, id)),
        "logit": found.logit,
        "scale": found.scale,
        "note": found.note,
        "parts": found.parts.iter().map(part).collect::<Vec<_>>(),
    });
    println!("{report:#}");
    Ok(())
}

fn part(part: &Part) -> Value {
    let (kind, layer, head) = match part.name {
        PartName::Embed => ("embed", None, None),
        PartName::PosEmbed => ("pos_embed", None, None),
        PartName::Head { layer, head } => ("head", Some(layer), Some(head)),
        PartName::Convolution { layer } => ("convolution", Some(layer), None),
        PartName::AttnBias { layer } => ("attn_bias", Some(layer), None),
        PartName::Mlp { layer } => ("mlp", Some(layer), None),
        PartName::Edits => ("edits", None, None),
        PartName::NormBias => ("norm_bias", None, None),
        PartName::HeadBias => ("head_bias", None, None),
    };
    json!({
        "kind": kind, "layer": layer, "head": head,
        "contribution": part.contribution, "norm": part.norm,
    })
}

/// `glassbox patch`.
pub async fn patch(args: Patch) -> Result<(), CliError> {
    let (model, target) = start(&args.run).await?;
    let source = Run::new(&model, &args.source, &[], None, &Undisturbed).await?;
    let unknown = || EngineError::Model(ModelError::UnknownSite { site: args.kind.clone() });
    let plan = SweepPlan {
        hook: Hook::from_kind(&args.kind).filter(|hook| !hook.is_global()).ok_or_else(unknown)?,
        head: args.head,
        layers: None,
        positions: None,
        token: args.token,
        against: args.against,
        measured_at: None,
    };
    let sweep = target.sweep(&model, &source, &plan, &Undisturbed, &mut |_, _| {}).await?;
    let width = sweep.positions.len();
    let report = json!({
        "kind": args.kind,
        "source": sweep.source,
        "target": sweep.target,
        "metric": sweep.metric.chunks(width).collect::<Vec<_>>(),
        "recovered": sweep.recovered.chunks(width).collect::<Vec<_>>(),
    });
    println!("{report:#}");
    Ok(())
}
