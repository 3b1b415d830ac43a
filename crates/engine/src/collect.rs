//! Reading captured tensors back, and putting the chunks of a pass together.

use std::{collections::BTreeMap, ops::Range};

use burn::tensor::{Tensor, TensorData, Transaction};
use glassbox_model::{Axis, Captured, DecoderSpec, ModelError, Probe, Site};

use crate::{EngineError, HostTensor};

/// The most a trace may capture, in bytes: a wasm module has 4 GiB for everything.
pub const CAPTURE_LIMIT: u64 = 1 << 30;

/// Captured tensors of a range of positions, chunk by chunk.
pub(crate) struct Collector {
    range: Range<usize>,
    tensors: BTreeMap<Site, HostTensor>,
}

impl Collector {
    /// Nothing yet of the positions in `range`.
    pub fn new(range: Range<usize>) -> Self {
        Self { range, tensors: BTreeMap::new() }
    }

    /// The tensors in the order of the forward pass.
    pub fn finish(self) -> Vec<HostTensor> {
        self.tensors.into_values().collect()
    }

    /// Reads a chunk's tensors back in one go, puts the captured ones in their place and returns the others.
    pub async fn collect(
        &mut self,
        captured: BTreeMap<Site, Captured>,
        chunk: Range<usize>,
        others: Vec<Tensor<2>>,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let sites: Vec<(Site, Vec<usize>)> =
            captured.iter().map(|(site, tensor)| (*site, dims(tensor)[1..].to_vec())).collect();
        let mut values = read(captured.into_values().map(flatten).chain(others).collect()).await?;
        let others = values.split_off(sites.len());
        for ((site, shape), values) in sites.into_iter().zip(values) {
            self.place(site, &shape, values, &chunk);
        }
        Ok(others)
    }

    /// Copies a chunk's values into the tensor of the whole range; what no chunk fills stays 0 (keys a
    /// query cannot see).
    fn place(&mut self, site: Site, shape: &[usize], values: Vec<f32>, chunk: &Range<usize>) {
        let total = self.range.len();
        let full: Vec<usize> = site
            .hook
            .axes()
            .iter()
            .zip(shape)
            .map(|(axis, size)| match axis {
                Axis::Position => total,
                Axis::Key => self.range.end,
                _ => *size,
            })
            .collect();
        if *chunk == self.range {
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
        let offset = chunk.start - self.range.start;
        for o in 0..outer {
            for p in 0..chunk.len() {
                let from = (o * chunk.len() + p) * inner;
                let to = (o * total + offset + p) * full_inner;
                tensor.data[to..to + inner].copy_from_slice(&values[from..from + inner]);
            }
        }
    }
}

/// Refuses a capture that memory does not allow.
pub(crate) fn check_capture(spec: &DecoderSpec, probe: &Probe, count: usize) -> Result<(), EngineError> {
    let needed = capture_bytes(spec, probe, count);
    match needed > CAPTURE_LIMIT {
        true => Err(EngineError::CaptureTooLarge { needed, limit: CAPTURE_LIMIT }),
        false => Ok(()),
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
pub(crate) async fn read(tensors: Vec<Tensor<2>>) -> Result<Vec<Vec<f32>>, EngineError> {
    let lost = |error: &dyn std::fmt::Display| EngineError::Model(ModelError::Device(error.to_string()));
    let transaction = tensors.into_iter().fold(Transaction::default(), |t, tensor| t.register(tensor));
    let data: Vec<TensorData> = transaction.execute_async().await.map_err(|e| lost(&e.to_string()))?;
    data.into_iter().map(|d| d.try_into_vec::<f32>().map_err(|e| lost(&e.to_string()))).collect()
}

/// Wrong weights and wrong drivers show here first.
pub(crate) fn finite(values: &[f32]) -> Result<(), EngineError> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(EngineError::NotFinite),
    }
}
