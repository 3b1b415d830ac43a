//! How quick a device is, measured in a fraction of a second, so that the choice between CPU and GPU is
//! no guess.
//!
//! A decoded token costs one reading back, a few launches of kernels for every block, and a pass over
//! all weights. Each is timed by itself on a device, and added up for the model at hand: small models
//! are held back by launches, large ones by memory.

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::DType;
use glassbox_kernels::{
    Matrix, MatrixBuilder,
    replay::{Replay, record},
};
use glassbox_model::ModelError;
use web_time::Instant;

use crate::{EngineError, Host, OpenDevice, collect};

/// Kernels that decoding launches for a block: what Llama's shape takes on a GPU.
const LAUNCHES: f64 = 11.0;
/// Square matrices that one pass over "all weights" reads: together beyond a CPU's own cache.
const MATRICES: usize = 4;
/// Features of such a matrix.
const WIDE: usize = 2048;
/// Features of a matrix whose product is over at once, so that launching it is what takes time.
const NARROW: usize = 64;
/// Products in a row where launching is timed.
const CHAIN: usize = 128;
/// A measurement is the shortest of so many.
const ROUNDS: usize = 3;

/// What work costs on a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Milliseconds to start one kernel.
    pub launch_ms: f64,
    /// Milliseconds to read a result back.
    pub read_ms: f64,
    /// Bytes of weights that a product with one token passes over in a millisecond.
    pub bytes_per_ms: f64,
}

impl Speed {
    /// Times a device. Takes a few milliseconds on a CPU; on a GPU the first time its shaders are
    /// compiled as well.
    ///
    /// # Errors
    /// Where the device fails.
    pub async fn measure(device: &OpenDevice, host: &dyn Host) -> Result<Self, EngineError> {
        let narrow = [matrix(device, NARROW)?];
        let wide: Vec<Matrix> = (0..MATRICES).map(|_| matrix(device, WIDE)).collect::<Result<_, _>>()?;
        let single = Products::new(&narrow, 1, &device.device);
        let many = Products::new(&narrow, CHAIN, &device.device);
        let all = Products::new(&wide, MATRICES, &device.device);
        // The first of each compiles shaders.
        single.time().await?;
        all.time().await?;
        let (mut one, mut chain, mut pass) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            one = one.min(single.time().await?);
            chain = chain.min(many.time().await?);
            pass = pass.min(all.time().await?);
            host.pause().await;
        }
        // A clock in a browser may stand still for a tenth of a millisecond: nothing is free.
        let launch_ms = ((chain - one) / (CHAIN - 1) as f64).max(1e-5);
        let read_ms = (one - launch_ms).max(0.0);
        let bytes: u64 = wide.iter().map(Matrix::bytes).sum();
        let pass = (pass - read_ms - MATRICES as f64 * launch_ms).max(0.05);
        Ok(Self { launch_ms, read_ms, bytes_per_ms: bytes as f64 / pass })
    }

    /// Milliseconds that a token should take to decode: an estimate for weights of `bytes` in `layers`
    /// blocks.
    pub fn token_ms(&self, bytes: u64, layers: usize) -> f64 {
        self.read_ms + LAUNCHES * layers as f64 * self.launch_ms + bytes as f64 / self.bytes_per_ms
    }
}

/// A square matrix in Q8_0 that about keeps the length of what it is multiplied with, so that a long
/// chain of products neither overflows nor dies away.
fn matrix(device: &OpenDevice, features: usize) -> Result<Matrix, EngineError> {
    let scale = half_bits(1.0 / (features as f32).sqrt());
    let mut signs = 0x9e37_79b9_u32;
    let mut bytes = Vec::with_capacity(features * features / 32 * 34);
    for _ in 0..features * features / 32 {
        bytes.extend(scale.to_le_bytes());
        // xorshift32 (Marsaglia, 2003): any bits will do.
        signs ^= signs << 13;
        signs ^= signs >> 17;
        signs ^= signs << 5;
        bytes.extend((0..32).map(|bit| if signs >> bit & 1 == 1 { 1 } else { 0xff_u8 }));
    }
    let failed = |error| EngineError::Model(ModelError::Kernel(error));
    let mut builder = MatrixBuilder::new(&device.device, DType::Q8_0, features, features).map_err(failed)?;
    builder.write_rows(0, &bytes).map_err(failed)?;
    let matrix = builder.finish().map_err(failed)?;
    // A GPU takes no notice of it.
    Ok(matrix.with_precision(device.precision_for(u64::MAX)))
}

/// The bits of a positive normal number in half precision, cut off.
fn half_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    ((bits >> 13 & 0x3ff) | ((bits >> 23) - 112) << 10) as u16
}

/// Products one after the other, ready to be timed; on a GPU they are recorded, as those of decoding are.
struct Products<'a> {
    matrices: &'a [Matrix],
    count: usize,
    x: Tensor<2>,
    recorded: Option<(Replay, Tensor<2>)>,
}

impl<'a> Products<'a> {
    fn new(matrices: &'a [Matrix], count: usize, device: &Device) -> Self {
        let features = matrices[0].in_features();
        let ones = TensorData::new(vec![1.0_f32; features], [1, features]);
        let x = Tensor::from_data(ones, device);
        let recorded = record(device, || Some(last(matrices, count, &x)));
        Self { matrices, count, x, recorded }
    }

    /// Milliseconds for all of them, and reading the last back.
    async fn time(&self) -> Result<f64, EngineError> {
        let start = Instant::now();
        let product = match &self.recorded {
            Some((replay, product)) => {
                replay.run().map_err(ModelError::Kernel)?;
                product.clone()
            }
            None => last(self.matrices, self.count, &self.x),
        };
        let values = collect::read(vec![product]).await?;
        collect::finite(&values[0])?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}

/// The last of `count` products, each with what the one before gave.
fn last(matrices: &[Matrix], count: usize, x: &Tensor<2>) -> Tensor<2> {
    matrices.iter().cycle().take(count).fold(x.clone(), |x, matrix| matrix.linear(x))
}

/// How quick the CPU and the GPU of a machine are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// The SIMD CPU backend.
    pub cpu: Speed,
    /// The GPU.
    pub gpu: Speed,
}

impl Calibration {
    /// Times both.
    ///
    /// # Errors
    /// Where a device fails.
    pub async fn measure(cpu: &OpenDevice, gpu: &OpenDevice, host: &dyn Host) -> Result<Self, EngineError> {
        Ok(Self { cpu: Speed::measure(cpu, host).await?, gpu: Speed::measure(gpu, host).await? })
    }

    /// Whether the GPU should be the quicker one for weights of `bytes` in `layers` blocks.
    pub fn prefers_gpu(&self, bytes: u64, layers: usize) -> bool {
        self.gpu.token_ms(bytes, layers) <= self.cpu.token_ms(bytes, layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_models_prefer_the_cpu_and_large_ones_the_gpu() {
        let cpu = Speed { launch_ms: 0.0005, read_ms: 0.0, bytes_per_ms: 12e6 };
        let gpu = Speed { launch_ms: 0.01, read_ms: 1.0, bytes_per_ms: 200e6 };
        let both = Calibration { cpu, gpu };
        assert!(!both.prefers_gpu(3_000_000, 6), "3 MB: 0.3 ms against 1.7 ms");
        assert!(both.prefers_gpu(1_000_000_000, 24), "1 GB: 83 ms against 8.6 ms");
    }

    #[test]
    fn half_precision_is_that_of_the_reference() {
        for features in [NARROW, WIDE] {
            let value = 1.0 / (features as f32).sqrt();
            let read = glassbox_formats::dequant::to_f32;
            let mut out = [0.0];
            read(DType::F16, &half_bits(value).to_le_bytes(), &mut out).unwrap();
            assert!((out[0] / value - 1.0).abs() < 1e-3, "{value}: {}", out[0]);
        }
    }
}
