//! `glassbox trace`: a pass over a prompt, written as safetensors.

use std::borrow::Cow;

use glassbox_engine::{HostTensor, Model, Undisturbed};
use glassbox_model::{DecoderSpec, Edit, Probe};
use safetensors::{Dtype, View};

use crate::{args::Trace, error::CliError, files};

/// What `all` stands for.
const ALL: [&str; 4] = ["logits", "pattern", "resid_post", "embed"];

pub async fn run(args: Trace) -> Result<(), CliError> {
    let model = files::model_with(&args.model, args.backend, &args.adapter).await?;
    let tokens = files::tokens(&model, &args.prompt)?;
    let probe = probe(&args.capture, model.spec())?;
    let edits = ablations(&model, &args.ablate)?;
    let trace = model.trace(&tokens, &probe, &edits, &Undisturbed).await?;

    let ids: Vec<i64> = tokens.iter().map(|id| i64::from(*id)).collect();
    let mut views = vec![("tokens".to_owned(), Values::Ids(ids, [tokens.len()]))];
    views.extend(trace.tensors.into_iter().map(|tensor| (tensor.name.clone(), Values::Floats(tensor))));
    safetensors::serialize_to_file(views, None, &args.out)
        .map_err(|error| CliError::Write { path: args.out, reason: error.to_string() })
}

fn probe(capture: &[String], spec: &DecoderSpec) -> Result<Probe, CliError> {
    let names: Vec<&str> = capture
        .iter()
        .flat_map(|name| match name.as_str() {
            "all" => ALL.to_vec(),
            "resid" => vec!["resid_post", "embed"],
            name => vec![name],
        })
        .collect();
    Ok(Probe::parse(&names, spec).map_err(glassbox_engine::EngineError::Model)?)
}

/// Edits that switch heads off, named as LAYER.HEAD.
pub(super) fn ablations(model: &Model, heads: &[String]) -> Result<Vec<Edit>, CliError> {
    heads
        .iter()
        .map(|text| {
            let (layer, head) = text
                .split_once('.')
                .and_then(|(layer, head)| Some((layer.parse().ok()?, head.parse().ok()?)))
                .ok_or_else(|| CliError::Usage(format!("\"{text}\" is not LAYER.HEAD")))?;
            let edit = Edit::ablate_head(layer, head);
            edit.check(model.spec()).map_err(glassbox_engine::EngineError::Model)?;
            Ok(edit)
        })
        .collect()
}

/// A tensor to write.
enum Values {
    Ids(Vec<i64>, [usize; 1]),
    Floats(HostTensor),
}

impl View for Values {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Ids(..) => Dtype::I64,
            Self::Floats(_) => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Ids(_, shape) => shape,
            Self::Floats(tensor) => &tensor.shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Ids(ids, _) => ids.iter().flat_map(|id| id.to_le_bytes()).collect(),
            Self::Floats(tensor) => tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Ids(ids, _) => 8 * ids.len(),
            Self::Floats(tensor) => 4 * tensor.data.len(),
        }
    }
}
