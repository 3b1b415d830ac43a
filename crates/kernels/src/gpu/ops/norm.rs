//! RMSNorm and layer norm: one cube per row.

use burn::tensor::Tensor;
use cubecl::prelude::*;

use super::{THREADS, argument, beside, primitive, tensor};
use crate::ops::NormSpec;

/// See [`crate::ops::norm`].
pub(crate) fn norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: Option<&Tensor<1>>,
    spec: NormSpec,
) -> Option<Tensor<2>> {
    let [rows, width] = x.dims();
    let x = primitive(x)?;
    let weight = primitive(weight)?;
    let shift = match bias {
        Some(bias) => primitive(bias)?,
        // Bound all the same, never read.
        None => weight.clone(),
    };
    let out = beside(&x, [rows, width]);
    if rows > 0 {
        // SAFETY: the lengths are those of contiguous tensors; a cube stays inside its row.
        unsafe {
            normalise::launch_unchecked(
                &x.client,
                CubeCount::Static(rows as u32, 1, 1),
                CubeDim::new_1d(THREADS as u32),
                argument(&x, rows * width),
                argument(&weight, width),
                argument(&shift, width),
                argument(&out, rows * width),
                width as u32,
                spec.eps,
                spec.centred,
                bias.is_some(),
            )
        }
    }
    Some(tensor(out))
}

#[cube(launch_unchecked)]
fn normalise(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
    width: u32,
    eps: f32,
    #[comptime] centred: bool,
    #[comptime] shifted: bool,
) {
    let width = width as usize;
    let start = CUBE_POS_X as usize * width;
    let lane = UNIT_POS_X as usize;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(THREADS));
    let count = f32::cast_from(width as u32);

    let mut mean = 0.0f32.runtime();
    if comptime!(centred) {
        let mut sum = 0.0f32.runtime();
        for i in range_stepped(lane, width, comptime!(THREADS)) {
            sum += x[start + i];
        }
        shared[lane] = sum;
        sync_cube();
        for i in 0..comptime!(THREADS) {
            mean += shared[i];
        }
        mean /= count;
        sync_cube();
    }
    let mut squares = 0.0f32.runtime();
    for i in range_stepped(lane, width, comptime!(THREADS)) {
        let value = x[start + i] - mean;
        squares += value * value;
    }
    shared[lane] = squares;
    sync_cube();
    let mut variance = 0.0f32.runtime();
    for i in 0..comptime!(THREADS) {
        variance += shared[i];
    }
    let deviation = (variance / count + eps).sqrt();
    for i in range_stepped(lane, width, comptime!(THREADS)) {
        let mut value = (x[start + i] - mean) / deviation * weight[i];
        if comptime!(shifted) {
            value += bias[i];
        }
        out[start + i] = value;
    }
}
