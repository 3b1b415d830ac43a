//! What an interrupted run needs to go on: weights, moments, the step and the recipe, in one file.

use std::{collections::HashMap, fs, path::Path};

use burn::tensor::Tensor;
use burn_optim::{AdamWState, AdaptiveMomentumState};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    Recipe, TrainError,
    optimizer::Optimizer,
    weights::{self, Weight},
};

/// Writes the state after `step` steps; the file appears whole or not at all.
///
/// # Errors
/// [`TrainError::File`] where it cannot be written.
pub fn save(
    path: &Path,
    recipe: &Recipe,
    step: u64,
    weights: &[Weight],
    optimizer: &Optimizer,
) -> Result<(), TrainError> {
    let file = |cause| TrainError::File { path: path.to_owned(), cause };
    let bytes = |tensor: &Tensor<1>| -> Vec<u8> {
        weights::values(tensor.clone()).iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let mut parts = Vec::new();
    for (weight, state) in weights.iter().zip(&optimizer.states) {
        parts.push((format!("weight.{}", weight.name), bytes(&weight.values)));
        if let Some(state) = state {
            parts.push((format!("moment_1.{}", weight.name), bytes(&state.momentum.moment_1)));
            parts.push((format!("moment_2.{}", weight.name), bytes(&state.momentum.moment_2)));
        }
    }
    let views = parts
        .iter()
        .map(|(name, bytes)| Ok((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let recipe = serde_json::to_string(recipe).map_err(|error| file(error.into()))?;
    let metadata = HashMap::from([("step".to_owned(), step.to_string()), ("recipe".to_owned(), recipe)]);
    let all = views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|error| file(std::io::Error::other(error)))?;
    let partial = path.with_extension("partial");
    fs::write(&partial, all).and_then(|()| fs::rename(&partial, path)).map_err(file)
}

/// Reads a state back into `weights` and `optimizer` and returns its step; `None` where there is no file.
///
/// # Errors
/// [`TrainError::Checkpoint`] where the file is damaged or belongs to another recipe. Another number of
/// steps is taken as long as what was done so far does not depend on it.
pub fn load(
    path: &Path,
    recipe: &Recipe,
    weights: &mut [Weight],
    optimizer: &mut Optimizer,
) -> Result<Option<u64>, TrainError> {
    let wrong = |problem: String| TrainError::Checkpoint { path: path.to_owned(), problem };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(TrainError::File { path: path.to_owned(), cause }),
    };
    let damaged = |error: safetensors::SafeTensorError| wrong(error.to_string());
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let step = metadata.get("step").and_then(|step| step.parse::<u64>().ok());
    let step = step.ok_or_else(|| wrong("it does not say its step".to_owned()))?;
    let of: Option<Recipe> = metadata.get("recipe").and_then(|text| serde_json::from_str(text).ok());
    let of = of.ok_or_else(|| wrong("it does not hold a recipe".to_owned()))?;
    let same_so_far = step <= of.fixed_until() && step <= recipe.fixed_until();
    if of != *recipe && !(same_so_far && Recipe { steps: recipe.steps, ..of } == *recipe) {
        return Err(wrong("it was made by another recipe".to_owned()));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let read = |name: String, size: usize| -> Result<Option<Tensor<1>>, TrainError> {
        let Ok(view) = tensors.tensor(&name) else { return Ok(None) };
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match view.dtype() == Dtype::F32 && values.len() == size {
            true => Ok(Some(weights::tensor(values))),
            false => Err(wrong(format!("{name} has another type or size"))),
        }
    };
    let time = usize::try_from(step).map_err(|_| wrong("its step is too large".to_owned()))?;
    for (weight, state) in weights.iter_mut().zip(&mut optimizer.states) {
        let (name, size) = (&weight.name, weight.shape.iter().product());
        let values = read(format!("weight.{name}"), size)?;
        weight.values = values.ok_or_else(|| wrong(format!("it lacks {name}")))?;
        let moments = (read(format!("moment_1.{name}"), size)?, read(format!("moment_2.{name}"), size)?);
        *state = match moments {
            (Some(moment_1), Some(moment_2)) => {
                let momentum = AdaptiveMomentumState { time, moment_1, moment_2, max_moment_2: None };
                Some(AdamWState { momentum })
            }
            _ if step == 0 => None,
            _ => return Err(wrong(format!("it lacks the moments of {name}"))),
        };
    }
    Ok(Some(step))
}
