//! Opening a device: the SIMD CPU backend or a GPU through wgpu.

use burn::tensor::Device;
pub use glassbox_kernels::Precision;

use crate::EngineError;

/// Launches that wgpu may put into one submission: more than any small model's decoded token has, so that a
/// token is one submission. Prompts are submitted block by block.
#[cfg(feature = "gpu")]
const LAUNCHES: usize = 1024;

/// Parameters from which activations may be rounded to bytes.
const ROUNDED_TO_BYTES: u64 = 64_000_000;

/// An open device.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// Where tensors live.
    pub device: Device,
    /// Whether it is a GPU.
    pub gpu: bool,
    /// Its name as the driver tells it.
    pub name: String,
    /// Whether it is a software adapter.
    pub software: bool,
    /// How the models it opens take their activations, where that was asked for; else it depends on the
    /// model ([`Self::precision_for`]). Nothing on a GPU.
    pub precision: Option<Precision>,
}

impl OpenDevice {
    /// The same device, whose models take their activations as asked for.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision: Some(precision), ..self }
    }

    /// The same device, whose models multiply with activations in f32.
    pub fn exact(self) -> Self {
        self.with_precision(Precision::F32)
    }

    /// How a model of so many parameters takes its activations where weights are quantised: to 8 bits where
    /// that is faster and does little harm, but small models, which are quick anyway, to 16, so that a text
    /// that goes on and one that is read anew come to the same numbers.
    pub fn precision_for(&self, parameters: u64) -> Precision {
        match self.precision {
            Some(precision) => precision,
            None if self.gpu => Precision::F32,
            None if parameters < ROUNDED_TO_BYTES => Precision::Int16,
            None => Precision::Int8,
        }
    }

    /// The same device, whose models compute with burn's own operations alone: what this project's kernels
    /// are measured against. The operations are those of training, of which nothing is recorded.
    #[cfg(not(target_family = "wasm"))]
    pub fn plain(self) -> Self {
        Self { device: self.device.autodiff(), precision: Some(Precision::F32), ..self }
    }

    /// Bytes reserved on a GPU; none on the CPU.
    pub fn reserved_bytes(&self) -> Option<u64> {
        self.device.memory_pool_usage().map(|usage| usage.bytes_reserved)
    }
}

/// The SIMD CPU backend: always there.
pub fn cpu() -> OpenDevice {
    OpenDevice { device: Device::flex(), gpu: false, name: cpu_name(), software: false, precision: None }
}

fn cpu_name() -> String {
    let target = std::env::consts::ARCH;
    let simd = if cfg!(target_feature = "simd128") { "wasm SIMD128" } else { target };
    format!("CPU ({simd})")
}

/// The GPU.
///
/// # Errors
/// If there is no adapter or it cannot be opened.
#[cfg(feature = "gpu")]
pub async fn gpu() -> Result<OpenDevice, EngineError> {
    let (device, setup) = Device::wgpu_options()
        .tasks_max(LAUNCHES)
        .init_with_setup_async()
        .await
        .map_err(|error| EngineError::NoGpu(error.to_string()))?;
    let info = setup.adapter.get_info();
    // Some software adapters do not say what they are, but all have telling names.
    let software = info.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu
        || glassbox_kernels::device::is_software(&format!("{} {}", info.name, info.driver));
    let name = if info.name.is_empty() { "GPU (WebGPU)".to_owned() } else { info.name };
    Ok(OpenDevice { device, gpu: true, name, software, precision: None })
}

/// The GPU.
///
/// # Errors
/// Always: this build has no GPU backend.
#[cfg(not(feature = "gpu"))]
pub async fn gpu() -> Result<OpenDevice, EngineError> {
    Err(EngineError::GpuNotBuilt)
}
