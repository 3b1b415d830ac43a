//! The logit lens (nostalgebraist, 2020): what the model would say if it stopped inside.
//!
//! The final norm and the output head are applied to the residual stream at a site, as TransformerLens does
//! in `ActivationCache.accumulated_resid` with `apply_ln` and `unembed`. Edits of the final norm's output
//! are left out: they belong to the last layer alone.

use std::ops::Range;

use burn::tensor::Tensor;
use glassbox_model::{Captured, Hook, Observation, Probe, Site};

use super::{
    Run,
    run::{chunks, logit_rows, pause},
    standing::{Row, largest},
};
use crate::{
    EngineError, Host, Model,
    collect::{finite, read},
};

/// One site at P positions, with K top tokens and N pinned ones.
#[derive(Debug, Clone, PartialEq)]
pub struct LensRow {
    /// The site.
    pub site: Site,
    /// Its layer.
    pub layer: usize,
    /// The positions.
    pub positions: Range<usize>,
    /// `[P, K]`, best first.
    pub ids: Vec<u32>,
    /// `[P, K]`
    pub logits: Vec<f32>,
    /// `[P, K]`
    pub probabilities: Vec<f32>,
    /// `[P]`, bits.
    pub entropy: Vec<f32>,
    /// `[P, N]`
    pub pinned_logits: Vec<f32>,
    /// `[P, N]`
    pub pinned_probabilities: Vec<f32>,
    /// `[P, N]`; 1 is the most probable.
    pub pinned_ranks: Vec<u32>,
}

/// The sites that kinds (`resid_post`) and full names stand for, in the order given.
///
/// # Errors
/// For names of other sites: only the residual stream can be read out.
pub fn lens_sites(model: &Model, names: &[String]) -> Result<Vec<Site>, EngineError> {
    let mut sites = Vec::new();
    for name in names {
        for site in Probe::parse(&[name], model.spec())?.sites() {
            match (site.block, site.hook) {
                (Some(_), Hook::ResidPre | Hook::ResidMid | Hook::ResidPost) => sites.push(site),
                _ => return Err(EngineError::NotResidual(site.to_string())),
            }
        }
    }
    Ok(sites)
}

impl Run {
    /// The lens at one site. Logits are worked on a few rows at a time, never all at once.
    pub async fn lens(
        &self,
        model: &Model,
        site: Site,
        positions: Range<usize>,
        top: usize,
        pinned: &[u32],
        host: &dyn Host,
    ) -> Result<LensRow, EngineError> {
        model.check_ids(pinned)?;
        self.position(Some(positions.end.max(1) - 1))?;
        let vocab = model.spec().vocab;
        let mut row = LensRow {
            site,
            layer: site.block.unwrap_or(0),
            positions: positions.clone(),
            ids: Vec::new(),
            logits: Vec::new(),
            probabilities: Vec::new(),
            entropy: Vec::new(),
            pinned_logits: Vec::new(),
            pinned_probabilities: Vec::new(),
            pinned_ranks: Vec::new(),
        };
        let x = self.residual(model, site, positions.clone())?;
        for chunk in chunks(0..positions.len(), logit_rows(vocab)) {
            let probe = Probe::default();
            let mut plain = Observation::new(&probe, &[], 0);
            let logits = model.decoder.read_out(x.clone().slice_dim(1, chunk), &mut plain);
            let values = read(vec![logits.squeeze_dim(0)]).await?.pop().unwrap_or_default();
            finite(&values)?;
            for logits in values.chunks_exact(vocab) {
                row.push(logits, top, pinned);
            }
            pause(host).await?;
        }
        Ok(row)
    }

    /// The residual stream at a site over a range of positions, `[1, position, hidden]`.
    fn residual(&self, model: &Model, site: Site, positions: Range<usize>) -> Result<Tensor<3>, EngineError> {
        let edited = |site: Site| self.edits.iter().any(|edit| edit.site == site);
        match (site.block, site.hook) {
            (Some(block), Hook::ResidPre) if !edited(site) => return Ok(self.stream(block, positions)),
            (Some(block), Hook::ResidPost) => return Ok(self.stream(block + 1, positions)),
            _ => {}
        }
        let probe = Probe::parse(&[site.to_string()], model.spec())?;
        let mut parts = Vec::new();
        for chunk in chunks(positions, model.chunk()) {
            if let Some(Captured::Rank3(x)) =
                self.capture_chunk(model, &probe, site.block, chunk)?.remove(&site)
            {
                parts.push(x);
            }
        }
        Ok(Tensor::cat(parts, 1))
    }
}

impl LensRow {
    fn push(&mut self, logits: &[f32], top: usize, pinned: &[u32]) {
        let row = Row::new(logits);
        for id in largest(logits, top) {
            self.ids.push(id);
            self.logits.push(logits[id as usize]);
            self.probabilities.push(row.probability(id));
        }
        self.entropy.push(row.entropy());
        for id in pinned {
            let standing = row.standing(*id);
            self.pinned_logits.push(standing.logit);
            self.pinned_probabilities.push(standing.probability);
            self.pinned_ranks.push(standing.rank);
        }
    }
}
