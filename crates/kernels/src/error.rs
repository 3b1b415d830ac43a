//! What can go wrong while a matrix is built, with a way out for each.

use glassbox_formats::DType;

/// Why a weight matrix could not be built.
///
/// Products with a finished [`Matrix`](crate::Matrix) do not fail: everything that depends on
/// the file is checked while the matrix is built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// No kernel multiplies weights of this type.
    #[error("there is no kernel for weights of type {dtype}")]
    UnsupportedType {
        /// The type asked for.
        dtype: DType,
    },
    /// A dimension is zero, or rows do not consist of whole quantisation blocks.
    #[error("a {dtype} matrix of {out_features} x {in_features} is not possible: {reason}")]
    Shape {
        /// Element type of the matrix.
        dtype: DType,
        /// Rows of the matrix.
        out_features: usize,
        /// Columns of the matrix.
        in_features: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The matrix cannot be addressed, or exceeds what the device can hold in one buffer.
    #[error(
        "a {dtype} matrix of {out_features} x {in_features} needs {needed} bytes; at most {limit} are possible here"
    )]
    TooLarge {
        /// Element type of the matrix.
        dtype: DType,
        /// Rows of the matrix.
        out_features: usize,
        /// Columns of the matrix.
        in_features: usize,
        /// Bytes needed: of all, or of what must lie in one buffer (saturated where the size overflows).
        needed: u64,
        /// The most bytes that can be had.
        limit: u64,
    },
    /// The allocator refused.
    #[error("out of memory: {bytes} bytes for a matrix could not be allocated")]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// A chunk lies outside the matrix or does not start or end on a permitted row.
    #[error(
        "rows {first_row}..{end_row} cannot be written to a matrix of {out_features} rows in steps of {step}"
    )]
    RowRange {
        /// First row of the chunk.
        first_row: usize,
        /// One past the last row of the chunk (saturated).
        end_row: usize,
        /// Rows of the matrix.
        out_features: usize,
        /// What first rows must be a multiple of.
        step: usize,
    },
    /// A chunk's length is not a whole number of rows.
    #[error("a chunk of {bytes} bytes is not a whole number of rows of {row_bytes} bytes")]
    ChunkLength {
        /// Bytes of the chunk.
        bytes: usize,
        /// Bytes of one row in the file.
        row_bytes: usize,
    },
    /// The builder was finished before every row had been written.
    #[error("{missing} of {out_features} rows were never written, row {first_missing} first")]
    RowsMissing {
        /// Rows of the matrix.
        out_features: usize,
        /// How many rows are missing.
        missing: usize,
        /// The first of them.
        first_missing: usize,
    },
    /// The device rejected an allocation or a write.
    #[error("the device failed: {message}")]
    Device {
        /// What the device said.
        message: String,
    },
}

impl KernelError {
    /// A stable identifier of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedType { .. } => "kernel.unsupported_type",
            Self::Shape { .. } => "kernel.shape",
            Self::TooLarge { .. } => "kernel.too_large",
            Self::OutOfMemory { .. } => "kernel.out_of_memory",
            Self::RowRange { .. } => "kernel.row_range",
            Self::ChunkLength { .. } => "kernel.chunk_length",
            Self::RowsMissing { .. } => "kernel.rows_missing",
            Self::Device { .. } => "kernel.device",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnsupportedType { .. } => {
                "Convert the weights to F32, F16, BF16, or a GGUF type such as Q8_0 or Q4_K."
            }
            Self::Shape { .. } => {
                "The file's tensor shapes do not fit its types; download or convert it again."
            }
            Self::TooLarge { .. } | Self::OutOfMemory { .. } => {
                "Use a smaller model or a smaller quantisation, or close other tabs."
            }
            Self::RowRange { .. } | Self::ChunkLength { .. } | Self::RowsMissing { .. } => {
                "The file may be truncated; if it is not, please report this as a fault."
            }
            Self::Device { .. } => "Reload the page, or run on the CPU instead.",
        }
    }
}
