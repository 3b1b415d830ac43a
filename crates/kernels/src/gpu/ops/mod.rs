//! The steps between products on a GPU, each in one launch.
//!
//! As the products, these kernels use no subgroup operations and at most eight storage buffers.

mod attend;
mod norm;
mod rotate;

pub(crate) use attend::attend;
pub(crate) use norm::norm;
pub(crate) use rotate::rotate_and_write;

use burn::tensor::{DType, Tensor};
use burn_cubecl::{Cube, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::prelude::*;

/// Threads of a cube that shares one row or one query.
const THREADS: usize = 64;

/// A plain contiguous f32 tensor on a GPU, if this is one.
fn primitive<const D: usize>(tensor: &Tensor<D>) -> Option<CubeTensor> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    super::primitive(tensor).map(into_contiguous)
}

/// An uninitialised tensor beside another.
fn beside<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let size = shape.iter().product::<usize>().max(1) * size_of::<f32>();
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.empty(size);
    CubeTensor::new_contiguous(client, device, shape.into(), handle, DType::F32)
}

fn tensor<const D: usize>(primitive: CubeTensor) -> Tensor<D> {
    Tensor::from_primitive::<Cube>(primitive)
}

/// A whole buffer of `len` numbers as an argument.
///
/// # Safety
/// The tensor must be contiguous and have `len` elements.
unsafe fn argument(tensor: &CubeTensor, len: usize) -> BufferArg {
    // SAFETY: the caller's.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), len) }
}
