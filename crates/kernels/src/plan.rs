//! The checked shape of a matrix and the account of which rows have been written.

use glassbox_formats::DType;

use crate::error::KernelError;

/// A shape that is known to be possible: every size below fits its type.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub dtype: DType,
    pub out_features: usize,
    pub in_features: usize,
    /// Bytes of one row in the file.
    pub row_bytes: usize,
}

impl Plan {
    /// Checks a shape.
    pub(crate) fn new(dtype: DType, out_features: usize, in_features: usize) -> Result<Self, KernelError> {
        let shape = |reason| KernelError::Shape { dtype, out_features, in_features, reason };
        if out_features == 0 || in_features == 0 {
            return Err(shape("a dimension is zero"));
        }
        // Rows are named by token ids, and passed to the GPU, as 32-bit numbers.
        if out_features.max(in_features) > i32::MAX as usize {
            return Err(shape("a dimension exceeds 2147483647"));
        }
        if !in_features.is_multiple_of(dtype.block_elements()) {
            return Err(shape("rows are not whole blocks"));
        }
        let blocks = in_features / dtype.block_elements();
        let row = blocks.checked_mul(dtype.block_bytes());
        let all = row.and_then(|row| row.checked_mul(out_features));
        let limit = isize::MAX as usize;
        match all {
            Some(bytes) if bytes <= limit => {
                Ok(Self { dtype, out_features, in_features, row_bytes: blocks * dtype.block_bytes() })
            }
            needed => Err(KernelError::TooLarge {
                dtype,
                out_features,
                in_features,
                needed: needed.map_or(u64::MAX, |bytes| bytes as u64),
                limit: limit as u64,
            }),
        }
    }

    /// Number of weights.
    pub(crate) fn elements(&self) -> u64 {
        self.out_features as u64 * self.in_features as u64
    }
}

/// Which rows have been written, in groups of `step`.
#[derive(Debug)]
pub(crate) struct Coverage {
    out_features: usize,
    step: usize,
    /// One bit for each group of `step` rows.
    written: Vec<u64>,
}

impl Coverage {
    /// Nothing written yet. `step` is at least 1.
    pub(crate) fn new(out_features: usize, step: usize) -> Self {
        let groups = out_features.div_ceil(step);
        Self { out_features, step, written: vec![0; groups.div_ceil(64)] }
    }

    /// What first rows must be a multiple of.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// Checks that a chunk may be written and returns its number of rows.
    pub(crate) fn check(
        &self,
        row_bytes: usize,
        first_row: usize,
        bytes: usize,
    ) -> Result<usize, KernelError> {
        if !bytes.is_multiple_of(row_bytes) {
            return Err(KernelError::ChunkLength { bytes, row_bytes });
        }
        let rows = bytes / row_bytes;
        let end = first_row.saturating_add(rows);
        let ends_on_step = end == self.out_features || rows.is_multiple_of(self.step);
        if end > self.out_features || !first_row.is_multiple_of(self.step) || !ends_on_step {
            return Err(KernelError::RowRange {
                first_row,
                end_row: end,
                out_features: self.out_features,
                step: self.step,
            });
        }
        Ok(rows)
    }

    /// Notes a checked chunk. Writing a row again replaces it.
    pub(crate) fn note(&mut self, first_row: usize, rows: usize) {
        for group in first_row / self.step..(first_row + rows).div_ceil(self.step) {
            self.written[group / 64] |= 1 << (group % 64);
        }
    }

    /// Fails unless every row has been written.
    pub(crate) fn complete(&self) -> Result<(), KernelError> {
        let groups = self.out_features.div_ceil(self.step);
        let absent = |group: &usize| self.written[group / 64] & (1 << (group % 64)) == 0;
        let mut missing = (0..groups).filter(absent).map(|group| {
            let first = group * self.step;
            (first, self.step.min(self.out_features - first))
        });
        let Some((first_missing, rows)) = missing.next() else {
            return Ok(());
        };
        Err(KernelError::RowsMissing {
            out_features: self.out_features,
            missing: missing.fold(rows, |sum, (_, rows)| sum + rows),
            first_missing,
        })
    }
}
