//! Weights in 8-bit floating point, as safetensors files of the hub hold them.
//!
//! No kernel multiplies them: [`Checkpoint::read`](crate::Checkpoint::read) widens them as they are
//! read. Without a scale they become F16, which holds every value of both formats exactly; with one
//! they become F32, computed as transformers does (`Fp8Dequantize`): weight times scale, both in f32.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::dequant::{self, f16_to_f32};
use crate::dtype::UnsupportedTensor;
use crate::quantisation::Scaled;
use crate::source::read_exact;
use crate::{DType, FileSet, FormatError, TensorInfo};

/// An 8-bit float format (Micikevicius et al. 2022, "FP8 Formats for Deep Learning").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum F8 {
    /// 4 exponent bits, 3 mantissa bits, no infinities (torch's `float8_e4m3fn`).
    E4M3,
    /// 5 exponent bits, 2 mantissa bits: the upper half of an F16 (torch's `float8_e5m2`).
    E5M2,
}

impl F8 {
    /// The name in safetensors headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::E4M3 => "F8_E4M3",
            Self::E5M2 => "F8_E5M2",
        }
    }

    /// The format of this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::E4M3, Self::E5M2].into_iter().find(|format| format.name() == name)
    }

    /// The bits of the F16 of the same value. NaNs become quiet, with torch's payload.
    pub fn to_f16(self, byte: u8) -> u16 {
        match self {
            Self::E4M3 => e4m3_to_f16(byte),
            Self::E5M2 => {
                let bits = u16::from(byte) << 8;
                if bits & 0x7fff > 0x7c00 { bits | 0x0200 } else { bits }
            }
        }
    }

    /// The value as `f32`.
    pub fn to_f32(self, byte: u8) -> f32 {
        f16_to_f32(self.to_f16(byte))
    }
}

fn e4m3_to_f16(byte: u8) -> u16 {
    let sign = u16::from(byte & 0x80) << 8;
    let (exponent, mantissa) = (u16::from(byte >> 3 & 0x0f), u16::from(byte & 0x07));
    sign | match (exponent, mantissa) {
        (0, 0) => 0,
        // Subnormal: mantissa * 2^-9, a normal F16. Its leading one moves to the implicit place.
        (0, _) => {
            let shift = mantissa.leading_zeros() as u16 - 12;
            (9 - shift) << 10 | (mantissa << shift & 0x07) << 7
        }
        (0x0f, 0x07) => 0x7f80,
        _ => (exponent + 8) << 10 | mantissa << 7,
    }
}

/// How a tensor's bytes in the file become the bytes of its [`DType`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// They are the same.
    Plain,
    /// One byte an element, widened to F16.
    F8(F8),
    /// One byte an element, multiplied by its block's scale to F32.
    ScaledF8(F8, Box<Scale>),
}

/// The scales of an F8 matrix: a grid, each of whose cells belongs to a block of elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Scales in a row of the grid.
    pub columns: u64,
    /// Rows and columns of a block.
    pub block: [u64; 2],
    /// How the scales are stored: F32, F16 or BF16.
    pub dtype: DType,
    /// Index of their file in the checkpoint's [`FileSet`](crate::FileSet).
    pub file: usize,
    /// Their first byte, from the start of the file.
    pub offset: u64,
}

impl Scale {
    /// Fits scales to a matrix of shape `weight`, whose blocks have `block` elements where the
    /// configuration tells.
    ///
    /// One scale is for all elements; a list is for the rows; a grid divides rows and columns evenly,
    /// or has the configured blocks, the last of which may be cut.
    fn fit(weight: &[u64], scale: &TensorInfo, block: Option<[u64; 2]>) -> Option<Self> {
        let &[height, width] = weight else { return None };
        let grid = match scale.shape.as_slice() {
            [] | [1] => [1, 1],
            &[n] if n == height => [n, 1],
            &[rows, columns] => [rows, columns],
            _ => return None,
        };
        let side = |size: u64, count: u64, configured: Option<u64>| {
            let configured = configured.filter(|&block| block > 0 && size.div_ceil(block) == count);
            let even = (count > 0 && size.is_multiple_of(count)).then(|| (size / count).max(1));
            configured.or(even)
        };
        let rows = side(height, grid[0], block.map(|block| block[0]))?;
        let columns = side(width, grid[1], block.map(|block| block[1]))?;
        let (dtype, file, offset) = (scale.dtype, scale.file, scale.offset);
        Some(Self { columns: grid[1], block: [rows, columns], dtype, file, offset })
    }

    /// Whole rows of the grid.
    async fn read(&self, files: &FileSet, rows: Range<u64>) -> Result<Vec<f32>, FormatError> {
        let source = files.get(self.file).ok_or(FormatError::NoFiles)?;
        let row = self.columns * self.dtype.block_bytes() as u64;
        let len = ((rows.end - rows.start) * row) as usize;
        let bytes = read_exact(source, self.offset + rows.start * row, len).await?;
        let mut scales = vec![0.0; len / self.dtype.block_bytes()];
        dequant::to_f32(self.dtype, &bytes, &mut scales)?;
        Ok(scales)
    }
}

/// Bytes `[offset, offset + len)` of an F8 tensor as it is widened. The range was checked.
///
/// # Errors
/// [`FormatError::Source`] where the weights or their scales cannot be read.
pub(crate) async fn read(
    files: &FileSet,
    tensor: &TensorInfo,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, FormatError> {
    let unit = tensor.dtype.block_bytes() as u64;
    let (first, last) = (offset / unit, (offset + len as u64).div_ceil(unit));
    let source = files.get(tensor.file).ok_or(FormatError::NoFiles)?;
    let bytes = read_exact(source, tensor.offset + first, (last - first) as usize).await?;
    let mut wide = match &tensor.encoding {
        Encoding::Plain => bytes,
        Encoding::F8(format) => bytes.iter().flat_map(|&byte| format.to_f16(byte).to_le_bytes()).collect(),
        Encoding::ScaledF8(format, scale) => {
            let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
            let rows = first / columns..last.div_ceil(columns);
            let grid = rows.start / scale.block[0]..rows.end.div_ceil(scale.block[0]);
            let scales = scale.read(files, grid.clone()).await?;
            multiply(*format, scale, columns, first, &bytes, |row, column| {
                let cell = (row - grid.start) * scale.columns + column;
                scales.get(cell as usize).copied().unwrap_or(f32::NAN)
            })
        }
    };
    wide.drain(..(offset - first * unit) as usize);
    wide.truncate(len);
    Ok(wide)
}

/// Widens the elements of a matrix from number `first` on to F32, run by run of one scale.
fn multiply(
    format: F8,
    scale: &Scale,
    columns: u64,
    first: u64,
    bytes: &[u8],
    cell: impl Fn(u64, u64) -> f32,
) -> Vec<u8> {
    let values: Vec<f32> = (0..=u8::MAX).map(|byte| format.to_f32(byte)).collect();
    let mut out = Vec::with_capacity(bytes.len() * 4);
    let (mut element, mut rest) = (first, bytes);
    while !rest.is_empty() {
        let (row, column) = (element / columns, element % columns);
        let end = (column / scale.block[1] + 1).saturating_mul(scale.block[1]).min(columns);
        let (run, later) = rest.split_at((end - column).min(rest.len() as u64) as usize);
        let factor = cell(row / scale.block[0], column / scale.block[1]);
        out.extend(run.iter().flat_map(|&byte| (values[usize::from(byte)] * factor).to_le_bytes()));
        element += run.len() as u64;
        rest = later;
    }
    out
}

/// Gives F8 weights their scales, and takes these out of `tensors`: they are no weights. The scales
/// of activations go too; activations are not rounded here.
///
/// `scaled`: whether the configuration says that F8 weights have scales, and of what blocks.
///
/// # Errors
/// [`FormatError::Scale`] where a scale is missing or does not fit.
pub(crate) fn pair_scales(
    tensors: &mut BTreeMap<String, TensorInfo>,
    unsupported: &BTreeMap<String, UnsupportedTensor>,
    scaled: Option<Scaled>,
) -> Result<(), FormatError> {
    let is_f8 = |tensor: &&TensorInfo| matches!(tensor.encoding, Encoding::F8(_));
    let weights: Vec<String> = tensors.values().filter(is_f8).map(|tensor| tensor.name.clone()).collect();
    for name in weights {
        let fault = |message: String| FormatError::Scale { tensor: name.clone(), message };
        let names = ["_scale_inv", "_scale"].map(|end| format!("{name}{end}"));
        let scale = names.iter().find_map(|name| tensors.remove(name));
        if let Some(other) = names.iter().find_map(|name| unsupported.get(name)) {
            return Err(fault(format!("it is stored as {}", other.dtype)));
        }
        let Some(scale) = scale else {
            if scaled.is_some() {
                return Err(fault("it is missing, and config.json says that there is one".to_owned()));
            }
            continue;
        };
        if scale.encoding != Encoding::Plain {
            return Err(fault(format!("it is stored as {}", scale.stored_type())));
        }
        for end in ["input_scale", "activation_scale"] {
            tensors.remove(&format!("{}{end}", name.strip_suffix("weight").unwrap_or(&name)));
        }
        let Some(weight) = tensors.get_mut(&name) else { continue };
        let fitted =
            Scale::fit(&weight.shape, &scale, scaled.and_then(|scaled| scaled.block)).ok_or_else(|| {
                fault(format!("its shape {:?} does not fit the weight's, {:?}", scale.shape, weight.shape))
            })?;
        weight.set_scale(fitted);
    }
    Ok(())
}
