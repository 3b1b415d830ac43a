//! Edits that take their values from other runs: activation patching and steering.

use std::ops::Range;

use glassbox_model::{Action, Axis, Edit, ModelError, Probe, Site};

use super::{Run, Runs};
use crate::{EngineError, Host, HostTensor, Model};

/// An edit, or what becomes one once other prompts have been run.
#[derive(Debug, Clone, PartialEq)]
pub enum Intervention {
    /// An edit with its values.
    Edit(Edit),
    /// Values of another run at the same site (Vig et al., 2020; Meng et al., 2022).
    Patch {
        /// Where.
        site: Site,
        /// One head, or all.
        head: Option<usize>,
        /// The positions to change.
        positions: Range<usize>,
        /// The prompt the values come from.
        source: Vec<u32>,
        /// The first of its positions.
        from: usize,
    },
    /// The difference of two runs at the same site, at the last position of each, times a strength
    /// (contrastive activation addition, Rimsky et al., 2024).
    Steer {
        /// Where.
        site: Site,
        /// One head, or all.
        head: Option<usize>,
        /// The positions to change, or all.
        positions: Option<Range<usize>>,
        /// The prompt to steer towards.
        towards: Vec<u32>,
        /// The prompt to steer away from.
        away: Option<Vec<u32>>,
        /// Multiplies the difference.
        strength: f32,
    },
}

impl Runs {
    /// Makes interventions edits, running the prompts their values come from.
    pub async fn resolve(
        &self,
        model: &Model,
        interventions: &[Intervention],
        host: &dyn Host,
    ) -> Result<Vec<Edit>, EngineError> {
        let mut edits = Vec::with_capacity(interventions.len());
        for intervention in interventions {
            edits.push(self.edit(model, intervention, host).await?);
        }
        Ok(edits)
    }

    async fn edit(
        &self,
        model: &Model,
        intervention: &Intervention,
        host: &dyn Host,
    ) -> Result<Edit, EngineError> {
        match intervention {
            Intervention::Edit(edit) => Ok(edit.clone()),
            Intervention::Patch { site, head, positions, source, from } => {
                let run = self.get(model, source, &[], host).await?;
                let range = *from..from.saturating_add(positions.len());
                if range.is_empty() || range.end > run.len() {
                    return Err(EngineError::Position { position: range.end.max(1) - 1, count: run.len() });
                }
                let (shape, values) = vectors(model, &run, *site, *head, range, host).await?;
                let action = Action::Replace { shape, values };
                Ok(Edit { site: *site, head: *head, positions: Some(positions.clone()), keys: None, action })
            }
            Intervention::Steer { site, head, positions, towards, away, strength } => {
                let (shape, mut values) = self.last(model, towards, *site, *head, host).await?;
                if let Some(away) = away {
                    let (_, other) = self.last(model, away, *site, *head, host).await?;
                    values.iter_mut().zip(other).for_each(|(value, other)| *value -= other);
                }
                values.iter_mut().for_each(|value| *value *= strength);
                // One position's values for as many as are named.
                let count = positions.as_ref().map_or(1, Range::len);
                let axis = site.hook.axis(Axis::Position).unwrap_or(0);
                let mut repeated = shape;
                repeated[axis] = count;
                let values = values.repeat(count);
                let action = Action::Add { shape: repeated, values };
                Ok(Edit { site: *site, head: *head, positions: positions.clone(), keys: None, action })
            }
        }
    }

    /// What a site holds at the last position of a prompt.
    async fn last(
        &self,
        model: &Model,
        tokens: &[u32],
        site: Site,
        head: Option<usize>,
        host: &dyn Host,
    ) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
        let run = self.get(model, tokens, &[], host).await?;
        vectors(model, &run, site, head, run.len() - 1..run.len(), host).await
    }
}

/// What a site, or one of its heads, holds at a range of positions: shape and values.
async fn vectors(
    model: &Model,
    run: &Run,
    site: Site,
    head: Option<usize>,
    positions: Range<usize>,
    host: &dyn Host,
) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
    if site.hook.axis(Axis::Key).is_some() {
        let problem = "attention between other tokens cannot be put in place; patch q, k, v or z".to_owned();
        return Err(ModelError::Edit { site: site.to_string(), problem }.into());
    }
    let probe = Probe::parse(&[site.to_string()], model.spec())?;
    let tensor = run.capture(model, &probe, positions, host).await?.remove(0);
    Ok(match head {
        Some(head) if tensor.shape.len() == 3 => of_head(&tensor, head, site)?,
        _ => (tensor.shape, tensor.data),
    })
}

/// One head of a `[position, head, head_dim]` tensor.
fn of_head(tensor: &HostTensor, head: usize, site: Site) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
    let [count, heads, size] = tensor.shape[..] else {
        return Ok((tensor.shape.clone(), tensor.data.clone()));
    };
    if head >= heads {
        return Err(
            ModelError::Edit { site: site.to_string(), problem: format!("head {head} of {heads}") }.into()
        );
    }
    let values = tensor.data.chunks_exact(heads * size).flat_map(|row| &row[head * size..(head + 1) * size]);
    Ok((vec![count, 1, size], values.copied().collect()))
}
