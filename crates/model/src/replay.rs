//! Decoding by a recording: on a GPU, the launches of one token's pass are recorded once and run again for every
//! token after it, which only writes what is new: the token, and its place.

use burn::tensor::{Device, Int, Tensor, TensorData};
use glassbox_kernels::{
    device::{Kind, kind},
    ops::Turns,
    replay::{Replay, overwrite, overwrite_ids, record},
};

use crate::{Decoder, KvCache, ModelError, Observation, Pass, Probe, rotary::Rotary};

/// The pass of one token behind a cache, recorded.
///
/// It writes into the cache it was recorded with, and gives wrong numbers with any other.
#[derive(Debug)]
pub struct RecordedStep {
    replay: Replay,
    inputs: StepInputs,
    /// `[1, vocab]`
    logits: Tensor<2>,
    capacity: usize,
}

/// All that differs between the passes of two tokens.
#[derive(Debug)]
pub(crate) struct StepInputs {
    /// `[1]`
    token: Tensor<1, Int>,
    /// `[1]`: the row of the table of positions, where there is one.
    position: Option<Tensor<1, Int>>,
    /// One for each of the spec's variants.
    pub rotaries: Vec<Rotary>,
    /// Turns of no component: how many positions come before.
    pub place: Turns,
}

impl StepInputs {
    /// For any token behind what a cache holds.
    fn new(decoder: &Decoder, cache: &KvCache, device: &Device) -> Self {
        let (past, length) = (cache.len(), cache.expected().max(cache.len() + 1));
        let id = |value: i32| Tensor::from_data(TensorData::new(vec![value], [1]), device);
        let rotary = |spec| Rotary::new(spec, past, 1, length, device);
        Self {
            token: id(0),
            position: decoder.learned_positions().map(|(_, offset)| id((offset + past) as i32)),
            rotaries: decoder.spec.rotaries().iter().map(rotary).collect(),
            place: Turns::new(Vec::new(), 0, past, device),
        }
    }

    /// Writes those of `token` behind `past` others, in a sequence of `length`. Says whether it could.
    fn write(&self, decoder: &Decoder, token: u32, past: usize, length: usize) -> bool {
        let position = match (&self.position, decoder.learned_positions()) {
            (Some(row), Some((_, offset))) => overwrite_ids(row, vec![(offset + past) as i32]),
            _ => true,
        };
        let turns = self.rotaries.iter().zip(decoder.spec.rotaries()).all(|(rotary, spec)| {
            let angles = Rotary::angles(spec, past, 1, length);
            overwrite(rotary.turns().tensor(), Turns::values(angles, past))
        });
        let place = overwrite(self.place.tensor(), vec![past as f32]);
        overwrite_ids(&self.token, vec![token as i32]) && position && turns && place
    }
}

impl Decoder {
    /// Records the pass of one token behind what `cache` holds, without adding one to it.
    ///
    /// None where it cannot be done: on a CPU, and where a step of the pass takes its place from the host (a
    /// convolution, ALiBi).
    pub fn record_step(&self, cache: &mut KvCache) -> Option<RecordedStep> {
        let room = cache.len() < self.spec.context;
        if kind(&self.device) != Kind::Gpu || self.spec.convolution.is_some() || !room {
            return None;
        }
        cache.reserve(1, self.spec.context);
        let (inputs, capacity) = (StepInputs::new(self, cache, &self.device), cache.capacity());
        let (replay, logits) = record(&self.device, || self.step(&inputs, cache))?;
        Some(RecordedStep { replay, inputs, logits, capacity })
    }

    /// The pass of one token whose place is in tensors; none where that did not do.
    fn step(&self, inputs: &StepInputs, cache: &mut KvCache) -> Option<Tensor<2>> {
        let probe = Probe::default();
        let mut observation = Observation::new(&probe, &[], inputs.place.past());
        let pass = Pass::of_step(&self.spec, inputs, cache.capacity(), &self.device);
        let rows = self.embed.gather_named(&inputs.token)?;
        let positions = match (self.learned_positions(), &inputs.position) {
            (Some((table, _)), Some(row)) => Some(table.gather_named(row)?),
            _ => None,
        };
        let x = self.embedded(rows, positions, 1, &mut observation);
        let x = self.through_blocks(x, &pass, Some(cache), &mut observation);
        (!pass.is_tied()).then(|| self.unembed(x, &mut observation).squeeze_dim(0))
    }

    /// Runs `token` behind what the cache holds, by a recording that was made with this cache: logits `[1, vocab]`, as
    /// [`Decoder::forward`] gives them, in a tensor that the next run writes again. None where the cache has been given
    /// other memory since.
    ///
    /// # Errors
    /// As [`Decoder::check_tokens`], and where the device fails.
    pub fn replay_step(
        &self,
        recorded: &RecordedStep,
        token: u32,
        cache: &mut KvCache,
    ) -> Result<Option<Tensor<2>>, ModelError> {
        self.check_tokens(&[token], cache.len())?;
        let (past, length) = (cache.len(), cache.expected().max(cache.len() + 1));
        let fits = past < recorded.capacity && recorded.capacity == cache.capacity();
        if !fits || !recorded.inputs.write(self, token, past, length) {
            return Ok(None);
        }
        recorded.replay.run().map_err(ModelError::Kernel)?;
        cache.advance(1);
        Ok(Some(recorded.logits.clone()))
    }
}
