//! Launches of a GPU that are recorded once and run again, so that a token costs no more of the host than its
//! inputs.
//!
//! Recording a launch (its kernel looked up, its sizes written, its buffers bound) takes many times what running it
//! again takes, and a browser does it in the same thread that waits for the result.

#[cfg(not(feature = "gpu"))]
use std::convert::Infallible;

use burn::tensor::{Device, Int, Tensor};

use crate::KernelError;
#[cfg(feature = "gpu")]
use crate::gpu::replay as gpu;

/// Launches as they were recorded, over the buffers they were recorded with.
#[derive(Debug)]
pub struct Replay {
    #[cfg(feature = "gpu")]
    recorded: gpu::Recorded,
    #[cfg(not(feature = "gpu"))]
    recorded: Infallible,
}

/// Records what `run` launches on a device, and returns it with what `run` gave while it was recorded: tensors that
/// every [`Replay::run`] writes again.
///
/// `run` is called twice: first it does its work, so that kernels are compiled and memory is there, then it is
/// recorded. It may neither read nor write, and gives none where what it does is not to be recorded. None too on the
/// CPU, and where the device cannot record.
///
/// Keep the tensors that `run` takes from outside, and let nothing else write them, as long as the recording is to
/// give the right numbers.
pub fn record<T>(device: &Device, run: impl FnMut() -> Option<T>) -> Option<(Replay, T)> {
    #[cfg(feature = "gpu")]
    {
        let (recorded, out) = gpu::record(device, run)?;
        Some((Replay { recorded }, out))
    }
    #[cfg(not(feature = "gpu"))]
    {
        let _ = (device, run);
        None
    }
}

impl Replay {
    /// Launches all of it again.
    ///
    /// # Errors
    /// Where the device refuses, as one that was lost does.
    pub fn run(&self) -> Result<(), KernelError> {
        #[cfg(feature = "gpu")]
        return self.recorded.run();
        #[cfg(not(feature = "gpu"))]
        match self.recorded {}
    }
}

/// Writes other numbers into a tensor on a GPU, where it is: what a recorded pass reads. Says whether it could.
///
/// # Panics
/// If there are not as many numbers as the tensor has.
pub fn overwrite(tensor: &Tensor<1>, values: Vec<f32>) -> bool {
    assert_eq!(tensor.dims(), [values.len()], "a tensor keeps its length");
    #[cfg(feature = "gpu")]
    return gpu::overwrite(tensor, values);
    #[cfg(not(feature = "gpu"))]
    false
}

/// As [`overwrite`], for token ids and other whole numbers.
///
/// # Panics
/// If there are not as many numbers as the tensor has.
pub fn overwrite_ids(tensor: &Tensor<1, Int>, values: Vec<i32>) -> bool {
    assert_eq!(tensor.dims(), [values.len()], "a tensor keeps its length");
    #[cfg(feature = "gpu")]
    return gpu::overwrite_ids(tensor, values);
    #[cfg(not(feature = "gpu"))]
    false
}
