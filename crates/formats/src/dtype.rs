//! Element types of stored tensors, and what one tensor's header says.

use std::fmt;

use crate::f8::{self, Encoding, F8, Scale};
use crate::source::read_exact;
use crate::{FileSet, FormatError};

/// How a tensor's elements are stored. Block types hold 32 or 256 consecutive elements of a row;
/// the layouts are those of `ggml-common.h` in llama.cpp, spelled out in [`dequant`](crate::dequant).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(non_camel_case_types, reason = "the names every tool and file uses")]
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
    /// As `Q4_0`, with an f16 minimum after the scale. `x = scale * q + minimum`.
    Q4_1,
    /// As `Q4_0` with a fifth bit: 32 high bits stand between scale and nibbles. `x = scale * (q - 16)`.
    Q5_0,
    /// As `Q5_0`, with an f16 minimum after the scale. `x = scale * q + minimum`.
    Q5_1,
    /// Blocks of 256: 16 groups with 4-bit scale and minimum, 2 bits an element.
    Q2_K,
    /// Blocks of 256: 16 groups with a 6-bit signed scale, 3 bits an element.
    Q3_K,
    /// Blocks of 256: 8 groups with 6-bit scale and minimum, 4 bits an element.
    Q4_K,
    /// Blocks of 256: 8 groups with 6-bit scale and minimum, 5 bits an element.
    Q5_K,
    /// Blocks of 256: 16 groups with an 8-bit signed scale, 6 bits an element.
    Q6_K,
    /// As `Q4_0`, but a nibble is an index into a table of 16 values that are not evenly spaced.
    IQ4_NL,
    /// Blocks of 256: 8 groups with a 6-bit signed scale, elements as in `IQ4_NL`.
    IQ4_XS,
}

impl DType {
    /// Every type that can be read.
    pub const ALL: [Self; 15] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::IQ4_NL,
        Self::IQ4_XS,
    ];

    /// Elements in a block; 1 for plain types.
    pub const fn block_elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::IQ4_NL => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::IQ4_XS => 256,
        }
    }

    /// Bytes of a block; of one element for plain types.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 | Self::IQ4_NL => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::IQ4_XS => 136,
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
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q2_K => "Q2_K",
            Self::Q3_K => "Q3_K",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
            Self::IQ4_NL => "IQ4_NL",
            Self::IQ4_XS => "IQ4_XS",
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
    /// The type of the elements as they are read.
    pub dtype: DType,
    /// How they are stored, where that is not the same.
    pub encoding: Encoding,
    /// Index of the file in the checkpoint's [`FileSet`](crate::FileSet).
    pub file: usize,
    /// First byte of the data, from the start of the file.
    pub offset: u64,
    /// Length of the data in bytes, as it is read.
    pub bytes: u64,
}

impl TensorInfo {
    /// A tensor stored in 8-bit floats: read as F16, until it gets a scale. `None` where its size as
    /// F32 would not fit in 64 bits.
    pub(crate) fn f8(
        name: String,
        shape: Vec<u64>,
        format: F8,
        file: usize,
        place: [u64; 2],
    ) -> Option<Self> {
        let [offset, stored] = place;
        stored.checked_mul(4)?;
        let encoding = Encoding::F8(format);
        Some(Self { name, shape, dtype: DType::F16, encoding, file, offset, bytes: stored * 2 })
    }

    /// Gives an F8 tensor its scale: it is read as F32 from now on.
    pub(crate) fn set_scale(&mut self, scale: Scale) {
        if let Encoding::F8(format) = self.encoding {
            (self.dtype, self.bytes) = (DType::F32, self.stored_bytes() * 4);
            self.encoding = Encoding::ScaledF8(format, Box::new(scale));
        }
    }

    /// Bytes `[offset, offset + len)` of the data in its type.
    pub(crate) async fn read(
        &self,
        files: &FileSet,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, FormatError> {
        let end = offset.checked_add(len as u64).filter(|&end| end <= self.bytes);
        let start = self.offset.checked_add(offset);
        let (Some(_), Some(start), Some(file)) = (end, start, files.get(self.file)) else {
            return Err(FormatError::OutOfTensor {
                tensor: self.name.clone(),
                offset,
                len: len as u64,
                bytes: self.bytes,
            });
        };
        match self.encoding {
            Encoding::Plain => Ok(read_exact(file, start, len).await?),
            _ => f8::read(files, self, offset, len).await,
        }
    }

    /// Length of the data in the file in bytes, without scales.
    pub fn stored_bytes(&self) -> u64 {
        match self.encoding {
            Encoding::Plain => self.bytes,
            Encoding::F8(_) => self.bytes / 2,
            Encoding::ScaledF8(..) => self.bytes / 4,
        }
    }

    /// The name of the type in the file: `F16`, `Q4_K`, `F8_E4M3`…
    pub fn stored_type(&self) -> &'static str {
        match &self.encoding {
            Encoding::Plain => self.dtype.name(),
            Encoding::F8(format) | Encoding::ScaledF8(format, _) => format.name(),
        }
    }

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
