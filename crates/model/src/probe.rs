//! Looking at and changing a forward pass: what to capture ([`Probe`]) and what to edit ([`Edit`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use burn::tensor::{Tensor, TensorData, s};

use crate::{Axis, DecoderSpec, Hook, ModelError, Site};

/// The sites to capture in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    sites: BTreeSet<Site>,
    /// Whether the logits of every position are wanted, not only the last one's.
    pub all_logits: bool,
}

impl Probe {
    /// Reads names: `logits`, kinds such as `pattern` (all blocks), or full site names.
    pub fn parse<S: AsRef<str>>(names: &[S], spec: &DecoderSpec) -> Result<Self, ModelError> {
        let mut probe = Self::default();
        for name in names {
            match name.as_ref() {
                "logits" => probe.all_logits = true,
                name => match Hook::from_kind(name) {
                    Some(hook) => probe.add(hook, spec),
                    None => {
                        let site: Site = name.parse()?;
                        check_site(site, spec)?;
                        probe.sites.insert(site);
                    }
                },
            }
        }
        Ok(probe)
    }

    /// Captures nothing but the logits of every position.
    pub fn all_logits() -> Self {
        Self { all_logits: true, ..Self::default() }
    }

    /// Adds a kind of site wherever the model has it: in all blocks, or in some, or in none.
    pub fn add(&mut self, hook: Hook, spec: &DecoderSpec) {
        let sites: Vec<Site> = match hook.is_global() {
            true => vec![Site::global(hook)],
            false => (0..spec.layers).map(|block| Site::block(block, hook)).collect(),
        };
        self.sites.extend(sites.into_iter().filter(|site| site.exists(spec)));
    }

    /// The sites to capture.
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.sites.iter().copied()
    }

    /// Whether a site is to be captured.
    pub fn wants(&self, site: Site) -> bool {
        self.sites.contains(&site)
    }
}

/// What an edit does to the values it selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Multiplies by a factor; 0 ablates.
    Scale(f32),
    /// Puts other values in place.
    Replace {
        /// Shape of the selection (axes of [`Hook::axes`]); an edit at all positions has one position,
        /// which is put in place of each.
        shape: Vec<usize>,
        /// The values, row-major.
        values: Vec<f32>,
    },
}

/// A causal edit: what a site's tensor becomes before the pass goes on with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Where.
    pub site: Site,
    /// One head, or all.
    pub head: Option<usize>,
    /// Half-open range of absolute (query) positions, or all.
    pub positions: Option<Range<usize>>,
    /// What.
    pub action: Action,
}

impl Edit {
    /// Switches a head off: its weighted sum of values becomes zero at every position.
    pub fn ablate_head(block: usize, head: usize) -> Self {
        let site = Site::block(block, Hook::Z);
        Self { site, head: Some(head), positions: None, action: Action::Scale(0.0) }
    }

    /// Checks the edit against a model, so that the pass itself cannot fail.
    pub fn check(&self, spec: &DecoderSpec) -> Result<(), ModelError> {
        check_site(self.site, spec)?;
        let problem = |problem: String| ModelError::Edit { site: self.site.to_string(), problem };
        if let Some(head) = self.head {
            let heads =
                self.site.hook.heads(spec).ok_or_else(|| problem("the site has no heads".to_owned()))?;
            if head >= heads {
                return Err(problem(format!("head {head} of {heads}")));
            }
        }
        if let Some(range) = self.positions.as_ref().filter(|range| range.is_empty()) {
            return Err(problem(format!("positions {} to {} are empty", range.start, range.end)));
        }
        if let Action::Replace { shape, values } = &self.action {
            let expected = self.replacement_shape(spec).map_err(problem)?;
            if *shape != expected {
                return Err(problem(format!("values of shape {shape:?} where {expected:?} are selected")));
            }
            if expected.iter().product::<usize>() != values.len() {
                return Err(problem(format!("{} values for the shape {shape:?}", values.len())));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(problem("values that are not finite numbers".to_owned()));
            }
        }
        Ok(())
    }

    /// Shape that replacement values must have, axes as in [`Hook::axes`].
    fn replacement_shape(&self, spec: &DecoderSpec) -> Result<Vec<usize>, String> {
        let hook = self.site.hook;
        hook.axes()
            .iter()
            .map(|axis| match axis {
                Axis::Position => Ok(self.positions.as_ref().map_or(1, Range::len)),
                Axis::Head => Ok(self.head.map_or(hook.heads(spec).unwrap_or(1), |_| 1)),
                Axis::Feature => Ok(hook.features(spec)),
                Axis::Key => Err("values along the key axis cannot be replaced; scale them instead".into()),
            })
            .collect()
    }
}

fn check_site(site: Site, spec: &DecoderSpec) -> Result<(), ModelError> {
    match site.exists(spec) {
        true => Ok(()),
        false => Err(ModelError::AbsentSite { site: site.to_string(), architecture: spec.architecture }),
    }
}

/// One pass's observer: applies edits, keeps what is captured.
///
/// Without a probe and edits it does nothing, so that a plain pass pays nothing.
#[derive(Debug)]
pub struct Observation<'a> {
    probe: &'a Probe,
    edits: &'a [Edit],
    /// Absolute position of the pass's first token.
    offset: usize,
    /// What was captured, leading batch axis included.
    pub captured: BTreeMap<Site, Captured>,
}

/// A captured tensor, still on its device, with its batch axis.
#[derive(Debug, Clone)]
pub enum Captured {
    /// `[batch, position, feature]`
    Rank3(Tensor<3>),
    /// `[batch, …]` of the three-axis sites
    Rank4(Tensor<4>),
}

impl<'a> Observation<'a> {
    /// An observer of a pass whose first token stands at the absolute position `offset`.
    pub fn new(probe: &'a Probe, edits: &'a [Edit], offset: usize) -> Self {
        Self { probe, edits, offset, captured: BTreeMap::new() }
    }

    /// Whether every position's logits are wanted.
    pub fn all_logits(&self) -> bool {
        self.probe.all_logits
    }

    /// Whether anything is to be done at a site.
    pub fn touches(&self, site: Site) -> bool {
        self.probe.wants(site) || self.edits.iter().any(|edit| edit.site == site)
    }

    /// Passes a `[batch, position, feature]` tensor through: edits first, then capture.
    pub fn at3(&mut self, site: Site, tensor: Tensor<3>) -> Tensor<3> {
        let tensor = self.edited(site, tensor);
        if self.probe.wants(site) {
            self.captured.insert(site, Captured::Rank3(tensor.clone()));
        }
        tensor
    }

    /// Passes a tensor with a head axis through: edits first, then capture.
    pub fn at4(&mut self, site: Site, tensor: Tensor<4>) -> Tensor<4> {
        let tensor = self.edited(site, tensor);
        if self.probe.wants(site) {
            self.captured.insert(site, Captured::Rank4(tensor.clone()));
        }
        tensor
    }

    fn edited<const D: usize>(&self, site: Site, tensor: Tensor<D>) -> Tensor<D> {
        self.edits
            .iter()
            .filter(|edit| edit.site == site)
            .fold(tensor, |tensor, edit| self.apply(edit, tensor))
    }

    fn apply<const D: usize>(&self, edit: &Edit, tensor: Tensor<D>) -> Tensor<D> {
        let mut ranges: [Range<usize>; D] = tensor.dims().map(|size| 0..size);
        let hook = edit.site.hook;
        if let (Some(head), Some(axis)) = (edit.head, hook.axis(Axis::Head)) {
            ranges[axis + 1] = head..head + 1;
        }
        // The part of the wanted positions that this pass covers, relative to its first token.
        let mut wanted = 0..0;
        if let (Some(positions), Some(axis)) = (&edit.positions, hook.axis(Axis::Position)) {
            let covered = self.offset..self.offset + ranges[axis + 1].end;
            let start = positions.start.max(covered.start);
            let end = positions.end.min(covered.end);
            if start >= end {
                return tensor;
            }
            ranges[axis + 1] = start - self.offset..end - self.offset;
            wanted = start - positions.start..end - positions.start;
        }
        let values = match &edit.action {
            Action::Scale(factor) => tensor.clone().slice(ranges.clone()).mul_scalar(*factor),
            Action::Replace { shape, values } => {
                let mut full = [1; D];
                full[1..].copy_from_slice(shape);
                let values = TensorData::new(values.clone(), full);
                let values = Tensor::<D>::from_data(values, &tensor.device());
                match (hook.axis(Axis::Position), &edit.positions) {
                    (Some(axis), Some(_)) => values.slice_dim(axis + 1, s![wanted]),
                    (Some(axis), None) => values.repeat_dim(axis + 1, ranges[axis + 1].len()),
                    (None, _) => values,
                }
            }
        };
        tensor.slice_assign(ranges, values)
    }
}
