//! Traces: one pass over a prompt with everything that was asked for captured.

use std::{collections::BTreeMap, ops::Range};

use burn::tensor::Tensor;
use glassbox_model::{Captured, Edit, KvCache, ModelError, Observation, Probe, Site, check_edits};
use web_time::Instant;

use crate::{
    EngineError, Host, Model,
    collect::{Collector, check_capture, finite},
};

/// Tokens per prefill chunk: short enough on the CPU to stop quickly, long enough on a GPU to fill it.
const CPU_CHUNK: usize = 64;
const GPU_CHUNK: usize = 256;

/// A captured tensor on the host, row-major f32.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// TransformerLens site name, or `logits`.
    pub name: String,
    /// Outermost first, without a batch axis.
    pub shape: Vec<usize>,
    /// Values.
    pub data: Vec<f32>,
}

/// What a pass over a prompt gave.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The prompt.
    pub tokens: Vec<u32>,
    /// Captured tensors in the order of the forward pass; `logits` `[position, vocab]` last if asked for.
    pub tensors: Vec<HostTensor>,
    /// Logits `[vocab]` of the token after the prompt.
    pub next: Vec<f32>,
    /// Milliseconds of the pass.
    pub prefill_ms: f64,
}

impl Trace {
    /// A tensor by its site name.
    pub fn tensor(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

impl Model {
    /// Tokens per prefill chunk.
    pub(crate) fn chunk(&self) -> usize {
        if self.gpu { GPU_CHUNK } else { CPU_CHUNK }
    }

    /// Runs the model over a prompt in chunks and captures what `probe` asks for, with `edits` applied.
    pub async fn trace(
        &self,
        tokens: &[u32],
        probe: &Probe,
        edits: &[Edit],
        host: &dyn Host,
    ) -> Result<Trace, EngineError> {
        let mut cache = KvCache::new(self.spec(), 1, self.decoder.device());
        let mut pass = Prefill::new(self, tokens, probe)?;
        let start = Instant::now();
        pass.run(&mut cache, edits, host).await?;
        Ok(pass.finish(start.elapsed().as_secs_f64() * 1e3))
    }

    /// Fills `cache` with a prompt and returns the logits `[vocab]` after it.
    pub(crate) async fn prefill(
        &self,
        tokens: &[u32],
        cache: &mut KvCache,
        edits: &[Edit],
        host: &dyn Host,
    ) -> Result<Vec<f32>, EngineError> {
        let probe = Probe::default();
        let mut pass = Prefill::new(self, tokens, &probe)?;
        pass.run(cache, edits, host).await?;
        Ok(pass.next)
    }
}

/// A prompt on its way through the model.
struct Prefill<'a> {
    model: &'a Model,
    tokens: &'a [u32],
    probe: &'a Probe,
    collector: Collector,
    logits: Vec<f32>,
    next: Vec<f32>,
}

impl<'a> Prefill<'a> {
    fn new(model: &'a Model, tokens: &'a [u32], probe: &'a Probe) -> Result<Self, EngineError> {
        model.decoder.check_tokens(tokens, 0)?;
        check_capture(model.spec(), probe, tokens.len())?;
        let collector = Collector::new(0..tokens.len());
        Ok(Self { model, tokens, probe, collector, logits: Vec::new(), next: Vec::new() })
    }

    async fn run(&mut self, cache: &mut KvCache, edits: &[Edit], host: &dyn Host) -> Result<(), EngineError> {
        check_edits(edits, self.model.spec(), self.tokens.len())?;
        cache.expect(cache.len() + self.tokens.len());
        let chunk = self.model.chunk();
        let mut done = 0;
        for tokens in self.tokens.chunks(chunk) {
            let mut observation = Observation::new(self.probe, edits, done);
            let logits = self.model.decoder.forward(tokens, cache, &mut observation)?;
            let captured = observation.captured;
            self.collect(logits, captured, done..done + tokens.len()).await?;
            done += tokens.len();
            host.prefilled(done, self.tokens.len());
            host.pause().await;
            if host.stopped() {
                return Err(ModelError::Aborted.into());
            }
        }
        finite(&self.next)
    }

    async fn collect(
        &mut self,
        logits: Tensor<2>,
        captured: BTreeMap<Site, Captured>,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        let vocab = logits.dims()[1];
        let logits = self.collector.collect(captured, range, vec![logits]).await?.pop().unwrap_or_default();
        self.next = logits[logits.len() - vocab..].to_vec();
        if self.probe.all_logits {
            self.logits.extend_from_slice(&logits);
        }
        Ok(())
    }

    fn finish(self, prefill_ms: f64) -> Trace {
        let mut tensors = self.collector.finish();
        if self.probe.all_logits {
            let shape = vec![self.tokens.len(), self.logits.len() / self.tokens.len()];
            tensors.push(HostTensor { name: "logits".to_owned(), shape, data: self.logits });
        }
        Trace { tokens: self.tokens.to_vec(), tensors, next: self.next, prefill_ms }
    }
}
