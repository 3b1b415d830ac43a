//! Decoding: one token after the other behind a cache, by a recording where a GPU makes one.

use burn::tensor::Tensor;
use glassbox_model::{Edit, KvCache, Observation, Probe, RecordedStep};

use crate::{
    EngineError, Model,
    collect::{finite, read},
};

/// Passes that go before a recording: it costs about two of them.
const BEFORE_RECORDING: usize = 2;

/// A cache, and how tokens are run behind it.
#[derive(Debug)]
pub(crate) struct Decoding {
    pub cache: KvCache,
    recorded: Option<RecordedStep>,
    /// Passes since the cache was given new memory.
    passes: usize,
    /// Whether a recording was tried, and none came of it.
    refused: bool,
    /// Tokens that were run by a recording.
    pub replayed: usize,
}

impl Decoding {
    /// Nothing else may write into the cache from here on.
    pub(crate) fn new(cache: KvCache) -> Self {
        Self { cache, recorded: None, passes: 0, refused: false, replayed: 0 }
    }

    /// Runs one more token and returns the logits `[vocab]` after it.
    pub(crate) async fn step(
        &mut self,
        model: &Model,
        token: u32,
        edits: &[Edit],
    ) -> Result<Vec<f32>, EngineError> {
        let logits = match self.replay(model, token, edits)? {
            Some(logits) => logits,
            None => self.run(model, token, edits)?,
        };
        let values = read(vec![logits]).await?.pop().unwrap_or_default();
        finite(&values)?;
        Ok(values)
    }

    /// By the recording, if there is one or can be.
    fn replay(
        &mut self,
        model: &Model,
        token: u32,
        edits: &[Edit],
    ) -> Result<Option<Tensor<2>>, EngineError> {
        if self.recorded.is_none() && edits.is_empty() && !self.refused && self.passes >= BEFORE_RECORDING {
            self.recorded = model.decoder.record_step(&mut self.cache);
            self.refused = self.recorded.is_none();
        }
        let Some(recorded) = &self.recorded else { return Ok(None) };
        let logits = model.decoder.replay_step(recorded, token, &mut self.cache)?;
        match logits {
            Some(_) => self.replayed += 1,
            // The cache is full: it will be given other memory.
            None => (self.recorded, self.passes) = (None, 0),
        }
        Ok(logits)
    }

    /// By a pass of its own.
    fn run(&mut self, model: &Model, token: u32, edits: &[Edit]) -> Result<Tensor<2>, EngineError> {
        self.passes += 1;
        let probe = Probe::default();
        let mut observation = Observation::new(&probe, edits, self.cache.len());
        Ok(model.decoder.forward(&[token], &mut self.cache, &mut observation)?)
    }
}
