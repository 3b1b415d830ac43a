//! What the kernels need to know about a device. Nothing here waits for one: initialising an
//! adapter, which is asynchronous on the web, belongs to the engine.

use burn::tensor::{Device, Tensor};
use burn_flex::{Flex, FlexTensor};

/// Which kernels run on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The kernels for the CPU (burn's Flex backend).
    Cpu,
    /// The CubeCL kernels (burn's wgpu backend; only with the feature `gpu`).
    Gpu,
    /// burn's own operations: training, where the gradient must be recorded, and builds with the feature `plain`.
    Plain,
}

/// The kernels that run on a device.
pub fn kind(device: &Device) -> Kind {
    if cfg!(feature = "plain") || device.is_autodiff() {
        Kind::Plain
    } else if *device == Device::flex() {
        Kind::Cpu
    } else if cfg!(feature = "gpu") {
        Kind::Gpu
    } else {
        Kind::Plain
    }
}

/// Whether an adapter's name is that of a program that stands in for a GPU. The page's loader has the
/// same list (`web/src/worker/choose.ts`), since it chooses before this module is there.
pub fn is_software(name: &str) -> bool {
    let name = name.to_lowercase();
    ["llvmpipe", "lavapipe", "swiftshader", "software", "basic render"]
        .iter()
        .any(|known| name.contains(known))
}

/// Sends on its way what was asked of a tensor's GPU so far, without waiting for it; does nothing elsewhere.
///
/// A decoded token is one submission. A long prompt would be one too, and a GPU that is at work for
/// seconds without an end is taken away by the driver.
pub fn submit<const D: usize>(tensor: &Tensor<D>) {
    #[cfg(feature = "gpu")]
    crate::gpu::submit(tensor);
    #[cfg(not(feature = "gpu"))]
    let _ = tensor;
}

/// The tensor as the CPU backend holds it, if it is there and not recorded by autodiff.
pub(crate) fn on_cpu<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    (kind(&tensor.device()) == Kind::Cpu).then(|| tensor.clone().try_into_primitive::<Flex>().ok()).flatten()
}

/// The values of a tensor that the CPU already holds, row-major; none on a GPU, where reading waits, and
/// where autodiff records.
pub fn host_values(tensor: &Tensor<2>) -> Option<Vec<f32>> {
    let tensor = on_cpu(tensor)?;
    let tensor = if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() };
    tensor.as_slice().map(<[f32]>::to_vec)
}
