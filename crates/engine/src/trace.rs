//! Traces: one pass over a prompt with everything that was asked for captured.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData, Transaction};
use glassbox_model::{Axis, Captured, DecoderSpec, Edit, KvCache, ModelError, Observation, Probe, Site};
use web_time::Instant;

use crate::{EngineError, Host, Model};

/// The most a trace may capture, in bytes: a wasm module has 4 GiB for everything.
pub const CAPTURE_LIMIT: u64 = 1 << 30;

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

    /// Runs one more token and returns the logits `[vocab]` after it.
    pub(crate) async fn decode(
        &self,
        token: u32,
        cache: &mut KvCache,
        edits: &[Edit],
    ) -> Result<Vec<f32>, EngineError> {
        let probe = Probe::default();
        let mut observation = Observation::new(&probe, edits, cache.len());
        let logits = self.decoder.forward(&[token], cache, &mut observation)?;
        let values = read(vec![logits]).await?.pop().unwrap_or_default();
        finite(&values)?;
        Ok(values)
    }
}

/// A prompt on its way through the model.
struct Prefill<'a> {
    model: &'a Model,
    tokens: &'a [u32],
    probe: &'a Probe,
    tensors: BTreeMap<Site, HostTensor>,
    logits: Vec<f32>,
    next: Vec<f32>,
}

impl<'a> Prefill<'a> {
    fn new(model: &'a Model, tokens: &'a [u32], probe: &'a Probe) -> Result<Self, EngineError> {
        model.decoder.check_tokens(tokens, 0)?;
        let needed = capture_bytes(model.spec(), probe, tokens.len());
        if needed > CAPTURE_LIMIT {
            return Err(EngineError::CaptureTooLarge { needed, limit: CAPTURE_LIMIT });
        }
        Ok(Self { model, tokens, probe, tensors: BTreeMap::new(), logits: Vec::new(), next: Vec::new() })
    }

    async fn run(&mut self, cache: &mut KvCache, edits: &[Edit], host: &dyn Host) -> Result<(), EngineError> {
        for edit in edits {
            edit.check(self.model.spec())?;
        }
        let chunk = if self.model.gpu { GPU_CHUNK } else { CPU_CHUNK };
        let mut done = 0;
        for tokens in self.tokens.chunks(chunk) {
            let mut observation = Observation::new(self.probe, edits, done);
            let logits = self.model.decoder.forward(tokens, cache, &mut observation)?;
            let captured = observation.captured;
            self.collect(logits, captured, done, tokens.len()).await?;
            done += tokens.len();
            host.prefilled(done, self.tokens.len());
            host.pause().await;
            if host.stopped() {
                return Err(ModelError::Aborted.into());
            }
        }
        finite(&self.next)
    }

    /// Reads a chunk's tensors back in one go and puts them in their place.
    async fn collect(
        &mut self,
        logits: Tensor<2>,
        captured: BTreeMap<Site, Captured>,
        offset: usize,
        count: usize,
    ) -> Result<(), EngineError> {
        let sites: Vec<(Site, Vec<usize>)> =
            captured.iter().map(|(site, tensor)| (*site, dims(tensor)[1..].to_vec())).collect();
        let vocab = logits.dims()[1];
        let flat = captured.into_values().map(flatten).chain([logits]).collect();
        let mut values = read(flat).await?;
        let logits = values.pop().unwrap_or_default();
        self.next = logits[logits.len() - vocab..].to_vec();
        if self.probe.all_logits {
            self.logits.extend_from_slice(&logits);
        }
        for ((site, shape), values) in sites.into_iter().zip(values) {
            self.place(site, &shape, values, offset, count);
        }
        Ok(())
    }

    /// Copies a chunk's values into the tensor of the whole prompt; what no chunk fills stays 0
    /// (keys a query cannot see).
    fn place(&mut self, site: Site, shape: &[usize], values: Vec<f32>, offset: usize, count: usize) {
        let total = self.tokens.len();
        let axes = site.hook.axes();
        let full: Vec<usize> = axes
            .iter()
            .zip(shape)
            .map(|(axis, size)| if matches!(axis, Axis::Position | Axis::Key) { total } else { *size })
            .collect();
        if offset == 0 && count == total {
            self.tensors.insert(site, HostTensor { name: site.to_string(), shape: full, data: values });
            return;
        }
        let tensor = self.tensors.entry(site).or_insert_with(|| HostTensor {
            name: site.to_string(),
            data: vec![0.0; full.iter().product()],
            shape: full.clone(),
        });
        // [outer, position, inner]: whatever stands before and after the position axis.
        let axis = site.hook.axis(Axis::Position).unwrap_or(0);
        let outer: usize = shape[..axis].iter().product();
        let (inner, full_inner): (usize, usize) =
            (shape[axis + 1..].iter().product(), full[axis + 1..].iter().product());
        for o in 0..outer {
            for p in 0..count {
                let from = (o * count + p) * inner;
                let to = (o * total + offset + p) * full_inner;
                tensor.data[to..to + inner].copy_from_slice(&values[from..from + inner]);
            }
        }
    }

    fn finish(self, prefill_ms: f64) -> Trace {
        let mut tensors: Vec<HostTensor> = self.tensors.into_values().collect();
        if self.probe.all_logits {
            let shape = vec![self.tokens.len(), self.logits.len() / self.tokens.len()];
            tensors.push(HostTensor { name: "logits".to_owned(), shape, data: self.logits });
        }
        Trace { tokens: self.tokens.to_vec(), tensors, next: self.next, prefill_ms }
    }
}

/// Bytes that capturing `probe` over `count` tokens takes on the host.
fn capture_bytes(spec: &DecoderSpec, probe: &Probe, count: usize) -> u64 {
    let count = count as u64;
    let sites: u64 = probe
        .sites()
        .map(|site| {
            site.hook
                .axes()
                .iter()
                .map(|axis| match axis {
                    Axis::Position | Axis::Key => count,
                    Axis::Head => site.hook.heads(spec).unwrap_or(1) as u64,
                    Axis::Feature => site.hook.features(spec) as u64,
                })
                .product::<u64>()
        })
        .sum();
    let logits = if probe.all_logits { count * spec.vocab as u64 } else { 0 };
    4 * (sites + logits)
}

fn dims(captured: &Captured) -> Vec<usize> {
    match captured {
        Captured::Rank3(tensor) => tensor.dims().to_vec(),
        Captured::Rank4(tensor) => tensor.dims().to_vec(),
    }
}

fn flatten(captured: Captured) -> Tensor<2> {
    match captured {
        Captured::Rank3(tensor) => tensor.flatten::<2>(0, 1),
        Captured::Rank4(tensor) => tensor.flatten::<2>(0, 2),
    }
}

/// Reads tensors back in one submission.
async fn read(tensors: Vec<Tensor<2>>) -> Result<Vec<Vec<f32>>, EngineError> {
    let lost = |error: &dyn std::fmt::Display| EngineError::Model(ModelError::Device(error.to_string()));
    let transaction = tensors.into_iter().fold(Transaction::default(), |t, tensor| t.register(tensor));
    let data: Vec<TensorData> = transaction.execute_async().await.map_err(|e| lost(&format!("{e:?}")))?;
    data.into_iter().map(|d| d.try_into_vec::<f32>().map_err(|e| lost(&format!("{e:?}")))).collect()
}

/// Wrong weights and wrong drivers show here first.
fn finite(values: &[f32]) -> Result<(), EngineError> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(EngineError::NotFinite),
    }
}
