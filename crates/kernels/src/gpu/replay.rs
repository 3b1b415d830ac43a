//! Recording and replaying by CubeCL's graphs: on wgpu, a list of dispatches with all that they bind.

use burn::tensor::{Bytes, DType, Device, Int, Tensor};
use burn_cubecl::{Cube, tensor::CubeTensor};
use cubecl::client::{Client, Graph};

use super::primitive;
use crate::KernelError;

/// See [`crate::replay::Replay`].
#[derive(Debug)]
pub(crate) struct Recorded {
    graph: Graph,
}

/// See [`crate::replay::record`].
pub(crate) fn record<T>(device: &Device, mut run: impl FnMut() -> Option<T>) -> Option<(Recorded, T)> {
    let client = primitive(&Tensor::<1>::empty([1], device))?.client;
    client.graph_prepare().ok()?;
    let Some(first) = run() else {
        abandon(&client);
        return None;
    };
    // Its memory is what the recorded run takes.
    drop(first);
    if client.start_capture().is_err() {
        abandon(&client);
        return None;
    }
    let out = run();
    let graph = client.stop_capture().ok()?;
    Some((Recorded { graph }, out?))
}

/// Gives up a recording that has not begun: stopping it reports just that.
fn abandon(client: &Client) {
    let _ = client.stop_capture();
}

impl Recorded {
    /// See [`crate::replay::Replay::run`].
    pub(crate) fn run(&self) -> Result<(), KernelError> {
        // SAFETY: a graph keeps every page of memory that its launches were given, so that none is freed or given to
        // others; and all work of a device goes through one stream.
        unsafe { self.graph.replay() }.map_err(|error| KernelError::Device { message: error.to_string() })
    }
}

/// See [`crate::replay::overwrite`].
pub(crate) fn overwrite(tensor: &Tensor<1>, values: Vec<f32>) -> bool {
    match primitive(tensor) {
        Some(tensor) if tensor.dtype == DType::F32 => write(&tensor, Bytes::from_elems(values)),
        _ => false,
    }
}

/// See [`crate::replay::overwrite_ids`].
pub(crate) fn overwrite_ids(tensor: &Tensor<1, Int>, values: Vec<i32>) -> bool {
    match tensor.clone().try_into_primitive::<Cube>() {
        Ok(tensor) if tensor.dtype == DType::I32 => write(&tensor, Bytes::from_elems(values)),
        _ => false,
    }
}

fn write(tensor: &CubeTensor, bytes: Bytes) -> bool {
    tensor.client.write(&tensor.handle, bytes);
    true
}
