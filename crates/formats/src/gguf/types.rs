//! ggml's tensor types: which number means what, and how much room each takes.

use crate::DType;

/// A ggml tensor type. Sizes are needed for all of them: a tensor's place follows from the sizes of
/// those before it.
pub(super) struct GgmlType {
    pub(super) name: &'static str,
    pub(super) block_elements: u64,
    pub(super) block_bytes: u64,
    /// How we read it; `None` where we do not.
    pub(super) dtype: Option<DType>,
}

impl GgmlType {
    /// Whether it stores weights (and not integers or doubles, which only buffers use).
    pub(super) fn is_weights(&self) -> bool {
        self.block_elements > 1 || self.dtype.is_some()
    }
}

/// The type numbered `id` in `ggml_type`; `None` for numbers never assigned or withdrawn.
pub(super) fn ggml_type(id: u32) -> Option<GgmlType> {
    let plain =
        |dtype: DType| (dtype.name(), dtype.block_elements() as u64, dtype.block_bytes() as u64, Some(dtype));
    let (name, block_elements, block_bytes, dtype) = match id {
        0 => plain(DType::F32),
        1 => plain(DType::F16),
        2 => plain(DType::Q4_0),
        3 => plain(DType::Q4_1),
        6 => plain(DType::Q5_0),
        7 => plain(DType::Q5_1),
        8 => plain(DType::Q8_0),
        9 => ("Q8_1", 32, 36, None), // never in files; two f16 and 32 bytes in ggml-common.h
        10 => plain(DType::Q2_K),
        11 => plain(DType::Q3_K),
        12 => plain(DType::Q4_K),
        13 => plain(DType::Q5_K),
        14 => plain(DType::Q6_K),
        15 => ("Q8_K", 256, 292, None),
        16 => ("IQ2_XXS", 256, 66, None),
        17 => ("IQ2_XS", 256, 74, None),
        18 => ("IQ3_XXS", 256, 98, None),
        19 => ("IQ1_S", 256, 50, None),
        20 => plain(DType::IQ4_NL),
        21 => ("IQ3_S", 256, 110, None),
        22 => ("IQ2_S", 256, 82, None),
        23 => plain(DType::IQ4_XS),
        24 => ("I8", 1, 1, None),
        25 => ("I16", 1, 2, None),
        26 => ("I32", 1, 4, None),
        27 => ("I64", 1, 8, None),
        28 => ("F64", 1, 8, None),
        29 => ("IQ1_M", 256, 56, None),
        30 => plain(DType::BF16),
        34 => ("TQ1_0", 256, 54, None),
        35 => ("TQ2_0", 256, 66, None),
        39 => ("MXFP4", 32, 17, None),
        40 => ("NVFP4", 64, 36, None),
        41 => ("Q1_0", 128, 18, None),
        _ => return None,
    };
    Some(GgmlType { name, block_elements, block_bytes, dtype })
}
