//! Looking at and changing a forward pass: what to capture ([`Probe`]) and what to edit ([`Edit`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
};

use burn::tensor::{Tensor, TensorData, s};
use glassbox_formats::order::gather;

use crate::{Axis, DecoderSpec, Hook, ModelError, Site, attention::MASKED};

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

    /// The part of the probe at sites that `wanted` names; logits are not in it.
    pub fn part(&self, wanted: impl Fn(Site) -> bool) -> Self {
        Self { sites: gather(self.sites().filter(|site| wanted(*site))), all_logits: false }
    }

    /// Whether nothing is captured.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty() && !self.all_logits
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
    /// Adds other values: steering (Turner et al., 2023).
    Add {
        /// Shape of the selection, as for `Replace`.
        shape: Vec<usize>,
        /// The values, row-major.
        values: Vec<f32>,
    },
    /// Masks attention scores, so that nothing flows along these edges and the rest of each row's weights
    /// grow to sum to 1 (attention knockout, Geva et al., 2023).
    Mask,
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
    /// Half-open range of keys at sites that have them, or all.
    pub keys: Option<Range<usize>>,
    /// What.
    pub action: Action,
}

/// `blocks.3.attn.hook_z, head 2, positions 0..5: times 0`.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.site)?;
        if let Some(head) = self.head {
            write!(f, ", head {head}")?;
        }
        for (what, range) in [("positions", &self.positions), ("keys", &self.keys)] {
            if let Some(Range { start, end }) = range {
                write!(f, ", {what} {start}..{end}")?;
            }
        }
        match &self.action {
            Action::Scale(factor) => write!(f, ": times {factor}"),
            Action::Replace { values, .. } => write!(f, ": replaced by {} values", values.len()),
            Action::Add { values, .. } => write!(f, ": {} values added", values.len()),
            Action::Mask => write!(f, ": masked"),
        }
    }
}

impl Edit {
    /// Switches a head off: its weighted sum of values becomes zero at every position.
    pub fn ablate_head(block: usize, head: usize) -> Self {
        let site = Site::block(block, Hook::Z);
        Self { site, head: Some(head), positions: None, keys: None, action: Action::Scale(0.0) }
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
        for (name, range) in [("positions", &self.positions), ("keys", &self.keys)] {
            if let Some(range) = range.as_ref().filter(|range| range.is_empty()) {
                return Err(problem(format!("{name} {} to {} are empty", range.start, range.end)));
            }
        }
        if self.keys.is_some() && self.site.hook.axis(Axis::Key).is_none() {
            return Err(problem("the site has no keys".to_owned()));
        }
        if self.action == Action::Mask && self.site.hook != Hook::AttnScores {
            return Err(problem("only attention scores (attn.hook_attn_scores) can be masked".to_owned()));
        }
        if let Action::Replace { shape, values } | Action::Add { shape, values } = &self.action {
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
                Axis::Key => {
                    self.keys.as_ref().map(Range::len).ok_or_else(|| "name the keys to replace".into())
                }
            })
            .collect()
    }
}

/// Checks edits of a run over `count` tokens: each alone, and that masks together leave every query a key.
pub fn check_edits(edits: &[Edit], spec: &DecoderSpec, count: usize) -> Result<(), ModelError> {
    edits.iter().try_for_each(|edit| edit.check(spec))?;
    let masks: Vec<&Edit> = edits.iter().filter(|edit| edit.action == Action::Mask).collect();
    for mask in &masks {
        let beside = |other: &&&Edit| {
            other.site == mask.site
                && (other.head.is_none() || mask.head.is_none() || other.head == mask.head)
        };
        let all: Vec<&&Edit> = masks.iter().filter(beside).collect();
        let queries = mask.positions.clone().unwrap_or(0..count);
        for query in queries.start..queries.end.min(count) {
            let masked = |key: usize| {
                all.iter().any(|edit| {
                    edit.positions.as_ref().is_none_or(|range| range.contains(&query))
                        && edit.keys.as_ref().is_none_or(|range| range.contains(&key))
                })
            };
            if (0..=query).all(masked) {
                let problem = format!("it leaves position {query} nothing to attend to");
                return Err(ModelError::Edit { site: mask.site.to_string(), problem });
            }
        }
    }
    Ok(())
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
    noise: Option<&'a mut (dyn Noise + 'static)>,
}

/// What training does to activations: dropout.
pub trait Noise: std::fmt::Debug {
    /// The tensor `[batch, position, feature]` that goes on from a site in the place of `tensor`.
    fn apply(&mut self, site: Site, tensor: Tensor<3>) -> Tensor<3>;
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
        Self { probe, edits, offset, captured: BTreeMap::new(), noise: None }
    }

    /// The same observer with noise on the sites with the axes `[batch, position, feature]`.
    pub fn with_noise(self, noise: Option<&'a mut (dyn Noise + 'static)>) -> Self {
        Self { noise, ..self }
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
        let tensor = match &mut self.noise {
            Some(noise) => noise.apply(site, tensor),
            None => tensor,
        };
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
        // Of the values given, those that this pass covers: along positions and keys it may be a part.
        let mut wanted: [Option<Range<usize>>; D] = std::array::from_fn(|_| None);
        let hook = edit.site.hook;
        if let (Some(head), Some(axis)) = (edit.head, hook.axis(Axis::Head)) {
            ranges[axis + 1] = head..head + 1;
        }
        let selections = [(Axis::Position, &edit.positions, self.offset), (Axis::Key, &edit.keys, 0)];
        for (axis, selected, offset) in selections {
            let (Some(selected), Some(axis)) = (selected, hook.axis(axis)) else { continue };
            let start = selected.start.max(offset);
            let end = selected.end.min(offset + ranges[axis + 1].end);
            if start >= end {
                return tensor;
            }
            ranges[axis + 1] = start - offset..end - offset;
            wanted[axis + 1] = Some(start - selected.start..end - selected.start);
        }
        let values = match &edit.action {
            Action::Scale(factor) => tensor.clone().slice(ranges.clone()).mul_scalar(*factor),
            Action::Replace { shape, values } => {
                selected_values(hook, shape, values, &ranges, wanted, &tensor)
            }
            Action::Add { shape, values } => {
                let values = selected_values(hook, shape, values, &ranges, wanted, &tensor);
                tensor.clone().slice(ranges.clone()) + values
            }
            Action::Mask => Tensor::full(ranges.clone().map(|range| range.len()), MASKED, &tensor.device()),
        };
        tensor.slice_assign(ranges, values)
    }
}

/// An edit's values for the part of its selection that a pass covers.
fn selected_values<const D: usize>(
    hook: Hook,
    shape: &[usize],
    values: &[f32],
    ranges: &[Range<usize>; D],
    wanted: [Option<Range<usize>>; D],
    tensor: &Tensor<D>,
) -> Tensor<D> {
    let mut full = [1; D];
    full[1..].copy_from_slice(shape);
    let values = TensorData::new(values.to_vec(), full);
    let mut values = Tensor::<D>::from_data(values, &tensor.device());
    let positions = hook.axis(Axis::Position).map(|axis| axis + 1);
    for (axis, wanted) in wanted.into_iter().enumerate() {
        values = match wanted {
            Some(wanted) => values.slice_dim(axis, s![wanted]),
            // One position's values are for all.
            None if Some(axis) == positions => values.repeat_dim(axis, ranges[axis].len()),
            None => values,
        };
    }
    values
}
