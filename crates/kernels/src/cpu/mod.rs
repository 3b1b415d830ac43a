//! Weights in the memory of the CPU, and products with them.
//!
//! Everything here works on plain slices: nothing knows burn.

mod integers;
mod product;
pub(crate) mod rounded;
mod rows;
pub(crate) mod steps;
mod unpack;

use std::ops::Range;

use bytemuck::{cast_slice, cast_slice_mut};
use product::{Gather, PANEL_BYTES, Product};
use rows::{Bf16, F16, F32, I8, Nibbles, Rows};

use crate::Precision;
use crate::error::KernelError;
use crate::plan::Plan;
use crate::simd::{BLOCK, Kernel, Portable, dispatch, f16_to_f32};
use glassbox_formats::{DType, dequant};

/// Weights as they stay in memory.
///
/// Quantised blocks are kept apart from their scales, and scales are widened to `f32`: that
/// costs 2 bytes a block (6 % of Q8_0, 11 % of Q4_0) and saves a conversion per block and use.
pub(crate) enum Storage {
    F32(Vec<f32>),
    F16 {
        data: Vec<u16>,
        /// Whether there are no infinities or NaNs: the fast widening does not know them.
        finite: bool,
    },
    Bf16(Vec<u16>),
    Q8 {
        quants: Vec<[u8; BLOCK]>,
        scales: Vec<f32>,
    },
    Q4 {
        quants: Vec<[u8; BLOCK / 2]>,
        scales: Vec<f32>,
    },
    /// A file's blocks as they are, for types without a kernel of their own.
    Blocks {
        dtype: DType,
        bytes: Vec<u8>,
    },
}

/// A zeroed allocation, or an error instead of an abort.
fn allocate<T: Copy>(zero: T, len: u64) -> Result<Vec<T>, KernelError> {
    let out_of_memory = |_| KernelError::OutOfMemory { bytes: len.saturating_mul(size_of::<T>() as u64) };
    let mut data = Vec::new();
    let len = usize::try_from(len).map_err(|_| out_of_memory(()))?;
    data.try_reserve_exact(len).map_err(|_| out_of_memory(()))?;
    data.resize(len, zero);
    Ok(data)
}

impl Storage {
    /// Zeroed storage for a matrix.
    pub(crate) fn new(plan: &Plan) -> Result<Self, KernelError> {
        let elements = plan.elements();
        let blocks = elements / BLOCK as u64;
        Ok(match plan.dtype {
            DType::F32 => Self::F32(allocate(0.0, elements)?),
            DType::F16 => Self::F16 { data: allocate(0, elements)?, finite: true },
            DType::BF16 => Self::Bf16(allocate(0, elements)?),
            DType::Q8_0 => Self::Q8 { quants: allocate([0; BLOCK], blocks)?, scales: allocate(0.0, blocks)? },
            DType::Q4_0 => {
                Self::Q4 { quants: allocate([0; BLOCK / 2], blocks)?, scales: allocate(0.0, blocks)? }
            }
            dtype if dtype.is_quantised() => {
                let bytes = plan.row_bytes as u64 * plan.out_features as u64;
                Self::Blocks { dtype, bytes: allocate(0, bytes)? }
            }
            dtype => return Err(KernelError::UnsupportedType { dtype }),
        })
    }

    /// Zeroed host memory for the weights as `f32`.
    pub(crate) fn widened(plan: &Plan) -> Result<Vec<f32>, KernelError> {
        allocate(0.0, plan.elements())
    }

    /// Takes whole rows in the file's form. The builder has checked the range.
    pub(crate) fn write(&mut self, plan: &Plan, first_row: usize, bytes: &[u8]) {
        let element = first_row * plan.in_features;
        let block = element / BLOCK;
        match self {
            Self::F32(data) => {
                let (values, _) = bytes.as_chunks();
                for (out, value) in data[element..].iter_mut().zip(values) {
                    *out = f32::from_le_bytes(*value);
                }
            }
            Self::F16 { data, finite } => {
                let (values, _) = bytes.as_chunks();
                for (out, value) in data[element..].iter_mut().zip(values) {
                    *out = u16::from_le_bytes(*value);
                    *finite &= *out & 0x7c00 != 0x7c00;
                }
            }
            Self::Bf16(data) => {
                let (values, _) = bytes.as_chunks();
                for (out, value) in data[element..].iter_mut().zip(values) {
                    *out = u16::from_le_bytes(*value);
                }
            }
            Self::Q8 { quants, scales } => {
                let (blocks, _) = bytes.as_chunks::<{ BLOCK + 2 }>();
                let places = quants[block..].iter_mut().zip(&mut scales[block..]);
                for ([d0, d1, rest @ ..], (quants, scale)) in blocks.iter().zip(places) {
                    *scale = f16_to_f32(u16::from_le_bytes([*d0, *d1]));
                    *quants = *rest;
                }
            }
            Self::Q4 { quants, scales } => {
                let (blocks, _) = bytes.as_chunks::<{ BLOCK / 2 + 2 }>();
                let places = quants[block..].iter_mut().zip(&mut scales[block..]);
                for ([d0, d1, rest @ ..], (quants, scale)) in blocks.iter().zip(places) {
                    *scale = f16_to_f32(u16::from_le_bytes([*d0, *d1]));
                    *quants = *rest;
                }
            }
            Self::Blocks { bytes: data, .. } => {
                data[first_row * plan.row_bytes..][..bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// What the products read.
    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Self::F32(data) => View::F32(data),
            Self::F16 { data, finite } => View::F16 { data, finite: *finite },
            Self::Bf16(data) => View::Bf16(data),
            Self::Q8 { quants, scales } => View::Q8 { quants, scales },
            Self::Q4 { quants, scales } => View::Q4 { quants, scales },
            Self::Blocks { dtype, bytes } => View::Blocks { dtype: *dtype, bytes },
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.view().parts().iter().map(|part| part.len() as u64).sum()
    }

    /// The memory itself, in the order of [`View::parts`].
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut [u8]> {
        match self {
            Self::F32(data) => vec![cast_slice_mut(data)],
            Self::F16 { data, .. } | Self::Bf16(data) => vec![cast_slice_mut(data)],
            Self::Q8 { quants, scales } => vec![quants.as_flattened_mut(), cast_slice_mut(scales)],
            Self::Q4 { quants, scales } => vec![quants.as_flattened_mut(), cast_slice_mut(scales)],
            Self::Blocks { bytes, .. } => vec![bytes],
        }
    }
}

/// Borrowed weights.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    F32(&'a [f32]),
    F16 { data: &'a [u16], finite: bool },
    Bf16(&'a [u16]),
    Q8 { quants: &'a [[u8; BLOCK]], scales: &'a [f32] },
    Q4 { quants: &'a [[u8; BLOCK / 2]], scales: &'a [f32] },
    Blocks { dtype: DType, bytes: &'a [u8] },
}

impl<'a> View<'a> {
    /// The memory itself.
    pub(crate) fn parts(self) -> Vec<&'a [u8]> {
        match self {
            Self::F32(data) => vec![cast_slice(data)],
            Self::F16 { data, .. } | Self::Bf16(data) => vec![cast_slice(data)],
            Self::Q8 { quants, scales } => vec![quants.as_flattened(), cast_slice(scales)],
            Self::Q4 { quants, scales } => vec![quants.as_flattened(), cast_slice(scales)],
            Self::Blocks { bytes, .. } => vec![bytes],
        }
    }

    /// Some rows of weights of the given shape.
    pub(crate) fn rows(self, rows: Range<usize>, [out_features, in_features]: [usize; 2]) -> Self {
        let elements = rows.start * in_features..rows.end * in_features;
        let blocks = elements.start / BLOCK..elements.end / BLOCK;
        match self {
            Self::F32(data) => Self::F32(&data[elements]),
            Self::F16 { data, finite } => Self::F16 { data: &data[elements], finite },
            Self::Bf16(data) => Self::Bf16(&data[elements]),
            Self::Q8 { quants, scales } => {
                Self::Q8 { quants: &quants[blocks.clone()], scales: &scales[blocks] }
            }
            Self::Q4 { quants, scales } => {
                Self::Q4 { quants: &quants[blocks.clone()], scales: &scales[blocks] }
            }
            Self::Blocks { dtype, bytes } => {
                let row_bytes = bytes.len() / out_features;
                Self::Blocks { dtype, bytes: &bytes[rows.start * row_bytes..rows.end * row_bytes] }
            }
        }
    }
}

/// Runs a kernel struct with the rows of whichever format a view has.
macro_rules! with_rows {
    ($view:expr, $count:expr, $in_features:expr, |$rows:ident| $kernel:expr, $blocks:expr) => {
        match $view {
            View::F32(data) => {
                let $rows = Rows::<F32>::new(data, &[], $count, $in_features);
                dispatch($kernel)
            }
            View::F16 { data, finite: true } => {
                let $rows = Rows::<F16>::new(data, &[], $count, $in_features);
                dispatch($kernel)
            }
            View::F16 { data, finite: false } => {
                let $rows = Rows::<F16>::new(data, &[], $count, $in_features);
                $kernel.run(Portable)
            }
            View::Bf16(data) => {
                let $rows = Rows::<Bf16>::new(data, &[], $count, $in_features);
                dispatch($kernel)
            }
            View::Q8 { quants, scales } => {
                let $rows = Rows::<I8>::new(quants, scales, $count, $in_features);
                dispatch($kernel)
            }
            View::Q4 { quants, scales } => {
                let $rows = Rows::<Nibbles>::new(quants, scales, $count, $in_features);
                dispatch($kernel)
            }
            View::Blocks { dtype, bytes } => $blocks(dtype, bytes),
        }
    };
}

/// `x @ W^T`: `x` is `[tokens, in_features]`, the result `[tokens, out_features]`. Activations are taken as `precision`
/// says, which is one that [`rounded::precision`] gave.
pub(crate) fn product(
    weights: View,
    shape @ [out_features, in_features]: [usize; 2],
    x: &[f32],
    precision: Precision,
) -> Vec<f32> {
    match precision {
        Precision::F32 => linear(weights, out_features, in_features, x),
        rounded => rounded::linear(weights, shape, x, rounded),
    }
}

/// [`product`] with activations as they are.
fn linear(weights: View, out_features: usize, in_features: usize, x: &[f32]) -> Vec<f32> {
    let tokens = x.len() / in_features;
    let mut out = vec![0.0; tokens * out_features];
    if tokens == 0 {
        return out;
    }
    with_rows!(
        weights,
        out_features,
        in_features,
        |rows| Product { weights: rows, x, in_features, out: &mut out },
        |dtype, bytes| linear_blocks(dtype, bytes, [out_features, in_features], x, &mut out)
    );
    out
}

/// Chosen rows as `f32`, `[rows.len(), in_features]`. Every row must be below `out_features`.
pub(crate) fn gather(weights: View, out_features: usize, in_features: usize, rows: &[u32]) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() * in_features];
    with_rows!(
        weights,
        out_features,
        in_features,
        |all| Gather { weights: all, rows, in_features, out: &mut out },
        |dtype, bytes: &[u8]| {
            let row_bytes = bytes.len() / out_features;
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(in_features)) {
                widen(dtype, &bytes[*row as usize * row_bytes..][..row_bytes], out);
            }
        }
    );
    out
}

/// A product with the blocks of any type: a few rows at a time are widened into a panel that stays
/// in the cache.
fn linear_blocks(
    dtype: DType,
    bytes: &[u8],
    [out_features, in_features]: [usize; 2],
    x: &[f32],
    out: &mut [f32],
) {
    let tokens = x.len() / in_features;
    let row_bytes = bytes.len() / out_features;
    let height = (PANEL_BYTES / size_of::<f32>() / in_features).clamp(1, out_features);
    let mut panel = vec![0.0; height * in_features];
    let mut part = vec![0.0; height * tokens];
    for first in (0..out_features).step_by(height) {
        let count = height.min(out_features - first);
        let panel = &mut panel[..count * in_features];
        widen(dtype, &bytes[first * row_bytes..][..count * row_bytes], panel);
        let part = &mut part[..count * tokens];
        let weights = Rows::<F32>::new(panel, &[], count, in_features);
        dispatch(Product { weights, x, in_features, out: part });
        for (token, part) in part.chunks_exact(count).enumerate() {
            out[token * out_features + first..][..count].copy_from_slice(part);
        }
    }
}

/// Whole blocks to `f32`.
fn widen(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    // The lengths fit by construction of the storage: every row is whole blocks.
    dequant::to_f32(dtype, bytes, out).expect("whole blocks");
}
