//! Element types of stored tensors, and what one tensor's header says.

use std::fmt;

use crate::FormatError;

/// How a tensor's elements are stored. Block types hold 32 consecutive elements of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single: 8 exponent bits, 7 mantissa bits.
    BF16,
    /// Blocks of 32: an f16 scale, then 32 signed bytes. `x = scale * q`.
    Q8_0,
    /// Blocks of 32: an f16 scale, then 16 bytes; byte `i` holds element `i` in its low nibble and
    /// `i + 16` in its high one. `x = scale * (q - 8)`.
    Q4_0,
}

impl DType {
    /// Every type that can be read.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::BF16, Self::Q8_0, Self::Q4_0];

    /// Elements in a block; 1 for plain types.
    pub const fn block_elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 => 32,
        }
    }

    /// Bytes of a block; of one element for plain types.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
        }
    }

    /// Whether elements are stored in blocks with a scale.
    pub const fn is_quantised(self) -> bool {
        self.block_elements() > 1
    }

    /// Bytes that `elements` take.
    ///
    /// # Errors
    /// [`FormatError::BlockLength`] where `elements` is not a whole number of blocks, or the size
    /// does not fit in 64 bits.
    pub fn bytes_for(self, elements: u64) -> Result<u64, FormatError> {
        block_bytes_for(elements, self.block_elements() as u64, self.block_bytes() as u64).ok_or(
            FormatError::BlockLength {
                dtype: self,
                what: "elements",
                count: elements,
                expected: self.block_elements() as u64,
            },
        )
    }

    /// The type's name: `F32`, `Q8_0`…
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Bytes of `elements` in blocks; `None` where they do not fill whole blocks or do not fit.
pub(crate) fn block_bytes_for(elements: u64, block_elements: u64, block_bytes: u64) -> Option<u64> {
    if elements.is_multiple_of(block_elements) {
        (elements / block_elements).checked_mul(block_bytes)
    } else {
        None
    }
}

/// Product of a shape's dimensions. `None` where it does not fit in 64 bits, even if another
/// dimension is zero: no later product of some of the dimensions can then overflow.
pub(crate) fn element_count(shape: &[u64]) -> Option<u64> {
    let nonzero = shape.iter().filter(|&&n| n > 0).try_fold(1u64, |product, &n| product.checked_mul(n))?;
    Some(if shape.contains(&0) { 0 } else { nonzero })
}

/// What a checkpoint's header says about one tensor. All of it was checked against the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the file.
    pub name: String,
    /// Dimensions, outermost first (GGUF lists them innermost first; they are reversed here).
    pub shape: Vec<u64>,
    /// How the elements are stored.
    pub dtype: DType,
    /// Index of the file in the checkpoint's [`FileSet`](crate::FileSet).
    pub file: usize,
    /// First byte of the data, from the start of the file.
    pub offset: u64,
    /// Length of the data in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Number of elements: the product of the shape.
    pub fn elements(&self) -> u64 {
        // The reader has checked the product.
        self.shape.iter().product()
    }
}

/// A tensor whose type the engine cannot compute with. It is no fault as long as nobody asks for
/// it: checkpoints carry integer buffers (masks, position ids) that a decoder does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedTensor {
    /// Name in the file.
    pub name: String,
    /// The file's name for the type: `I64`, `F8_E4M3`…
    pub dtype: String,
    /// Index of the file in the checkpoint's [`FileSet`](crate::FileSet).
    pub file: usize,
    /// Length of the data in bytes.
    pub bytes: u64,
}
