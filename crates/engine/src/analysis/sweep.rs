//! Patch sweeps: activation patching at every layer and position (Meng et al., 2022; TransformerLens'
//! `patching` module).
//!
//! One cell puts what a site holds in the source run into the target run, and measures a logit, or the difference
//! of two. Nothing before the patched layer and position changes, so that only the rest is run: the blocks from the
//! layer on, over the positions from the patched one to the measured one, on the target's cache.

use std::ops::Range;

use glassbox_model::{Action, Edit, Hook, Observation, Probe, Site};

use super::{Run, run::pause};
use crate::{EngineError, Host, Model, collect::read};

/// What a sweep goes over and what it measures.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepPlan {
    /// Kind of site.
    pub hook: Hook,
    /// Head to patch alone, for kinds with heads.
    pub head: Option<usize>,
    /// Layers; all if none are named.
    pub layers: Option<Range<usize>>,
    /// Positions; all if none are named.
    pub positions: Option<Range<usize>>,
    /// The token whose logit is measured.
    pub token: u32,
    /// A token whose logit is subtracted.
    pub against: Option<u32>,
    /// Where it is measured; at the last position if none is named.
    pub measured_at: Option<usize>,
}

/// A sweep's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The layers.
    pub layers: Range<usize>,
    /// The positions.
    pub positions: Range<usize>,
    /// The metric in the source run.
    pub source: f32,
    /// The metric in the target run.
    pub target: f32,
    /// `[layers, positions]`, the metric with that cell patched.
    pub metric: Vec<f32>,
    /// `[layers, positions]`: 0 as in the target, 1 as in the source; none where both are equal, and in layers without
    /// such a site, where nothing can be patched.
    pub recovered: Vec<Option<f32>>,
}

impl Run {
    /// Patches this run, cell by cell, with what `source` holds. `each` hears every layer as it is done.
    pub async fn sweep(
        &self,
        model: &Model,
        source: &Run,
        plan: &SweepPlan,
        host: &dyn Host,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Sweep, EngineError> {
        if self.len() != source.len() {
            return Err(EngineError::Lengths { one: source.len(), other: self.len() });
        }
        let ids: Vec<u32> = [Some(plan.token), plan.against].into_iter().flatten().collect();
        model.check_ids(&ids)?;
        let measured = self.position(plan.measured_at)?;
        let layers = plan.layers.clone().unwrap_or(0..model.spec().layers);
        let patchable = |layer: usize| Site::block(layer, plan.hook).exists(model.spec());
        if let Some(first) = layers.clone().next().filter(|_| !layers.clone().any(patchable)) {
            Probe::parse(&[Site::block(first, plan.hook).to_string()], model.spec())?;
        }
        let positions = plan.positions.clone().unwrap_or(0..self.len());
        self.position(Some(positions.end.max(1) - 1))?;
        let metric =
            |logits: &[f32]| logits[ids[0] as usize] - ids.get(1).map_or(0.0, |id| logits[*id as usize]);
        let clean = metric(&source.logits(model, measured).await?);
        let target = metric(&self.logits(model, measured).await?);
        let mut all = Vec::with_capacity(layers.len() * positions.len());
        for layer in layers.clone() {
            let site = Site::block(layer, plan.hook);
            if !patchable(layer) {
                let row = vec![target; positions.len()];
                each(layer, &row);
                all.extend(row);
                continue;
            }
            let probe = Probe::parse(&[site.to_string()], model.spec())?;
            let values = source.capture(model, &probe, positions.clone(), host).await?.remove(0);
            let mut row = Vec::with_capacity(positions.len());
            for (index, position) in positions.clone().enumerate() {
                if position > measured {
                    row.push(target);
                    continue;
                }
                let width = values.data.len() / positions.len();
                let vector = &values.data[index * width..(index + 1) * width];
                let edit = patch(model, site, plan.head, position, vector);
                edit.check(model.spec())?;
                row.push(metric(&self.patched(model, edit, layer, position..measured + 1, host).await?));
                host.analysed(all.len() + row.len(), layers.len() * positions.len());
            }
            each(layer, &row);
            all.extend(row);
        }
        let span = clean - target;
        let recovered = all.iter().enumerate().map(|(cell, value)| {
            let layer = layers.start + cell / positions.len();
            (span != 0.0 && patchable(layer)).then(|| (value - target) / span)
        });
        let recovered = recovered.collect();
        Ok(Sweep { layers, positions, source: clean, target, metric: all, recovered })
    }

    /// Logits at the last of `positions` with one more edit, which touches `layer` and the first of them.
    async fn patched(
        &self,
        model: &Model,
        edit: Edit,
        layer: usize,
        positions: Range<usize>,
        host: &dyn Host,
    ) -> Result<Vec<f32>, EngineError> {
        let (decoder, layers) = (&model.decoder, model.spec().layers);
        let edits: Vec<Edit> = self.edits.iter().cloned().chain([edit]).collect();
        let probe = Probe::default();
        let mut observation = Observation::new(&probe, &edits, positions.start);
        let mut cache = self.cache();
        cache.truncate(positions.start);
        let pass = decoder.pass_behind(&mut cache, positions.len());
        let mut x = self.stream(layer, positions.clone());
        for block in layer..layers {
            x = decoder.run_block(block, x, &pass, Some(&mut cache), &mut observation);
        }
        pause(host).await?;
        let last = x.slice_dim(1, positions.len() - 1..positions.len());
        let mut observation = Observation::new(&probe, &edits, positions.end - 1);
        let logits = decoder.read_out(last, &mut observation).squeeze_dim(0);
        Ok(read(vec![logits]).await?.pop().unwrap_or_default())
    }
}

/// The edit of one cell; `vector` holds the site's values at that position.
fn patch(model: &Model, site: Site, head: Option<usize>, position: usize, vector: &[f32]) -> Edit {
    let spec = model.spec();
    let (shape, values) = match (site.hook.heads(spec), head) {
        (Some(heads), Some(head)) => {
            let size = vector.len() / heads.max(1);
            let own = vector.get(head * size..(head + 1) * size).unwrap_or_default();
            (vec![1, 1, size], own.to_vec())
        }
        (Some(heads), None) => (vec![1, heads, vector.len() / heads.max(1)], vector.to_vec()),
        (None, _) => (vec![1, vector.len()], vector.to_vec()),
    };
    let action = Action::Replace { shape, values };
    Edit { site, head, positions: Some(position..position + 1), keys: None, action }
}
