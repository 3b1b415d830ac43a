//! Where a weight lies in a file, and which of the file's rows are its own.

/// Where a projection lies in a file and how.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Name without `.weight`. `{i}` stands for the block's index, `{e}` for the expert's.
    pub name: &'static str,
    /// Which rows of a fused tensor, or all.
    pub rows: Option<Rows>,
    /// Whether the file holds `[in, out]` (GPT-2's Conv1D).
    pub transposed: bool,
    /// Whether rows of each head are interleaved pairs (llama.cpp's order for Llama's Q and K) of heads of this size.
    pub interleaved: Option<usize>,
    /// Whether the file holds all experts in one tensor, the expert as outermost axis.
    pub stacked: bool,
}

/// Rows of a fused tensor: runs of `run` rows, the first at `start`, each `stride` after the one before.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// First row.
    pub start: usize,
    /// Rows that stand together.
    pub run: usize,
    /// From one run's first row to the next one's.
    pub stride: usize,
    /// All rows of the fused tensor.
    pub total: usize,
}

impl Source {
    /// A plain projection `[out, in]`.
    pub const fn plain(name: &'static str) -> Self {
        Self { name, rows: None, transposed: false, interleaved: None, stacked: false }
    }

    /// A projection stored as `[in, out]`.
    pub const fn conv1d(name: &'static str) -> Self {
        Self { transposed: true, ..Self::plain(name) }
    }

    /// Output rows `start..start + count` of the `total` rows of a fused projection.
    pub const fn part(self, start: usize, count: usize, total: usize) -> Self {
        self.strided(start, count, total, total)
    }

    /// Runs of `run` output rows, `stride` apart, of the `total` rows of a fused projection.
    pub const fn strided(self, start: usize, run: usize, stride: usize, total: usize) -> Self {
        Self { rows: Some(Rows { start, run, stride, total }), ..self }
    }

    /// Rows in llama.cpp's order of rotary pairs.
    pub const fn interleaved(self, head_dim: usize) -> Self {
        Self { interleaved: Some(head_dim), ..self }
    }

    /// All experts in one tensor.
    pub const fn stacked(self) -> Self {
        Self { stacked: true, ..self }
    }

    /// Rows of the file's tensor (of one expert), where `own` are this projection's.
    pub(super) fn file_rows(&self, own: usize) -> usize {
        self.rows.map_or(own, |rows| rows.total)
    }

    /// The file's row that is this projection's row `row`.
    pub(super) fn file_row(&self, row: usize) -> usize {
        let row = self.interleaved.map_or(row, |head_dim| interleaved_row(row, head_dim));
        self.rows.map_or(row, |rows| rows.start + row / rows.run.max(1) * rows.stride + row % rows.run.max(1))
    }

    /// Whether this projection's `out` rows stand together in the file.
    pub(super) fn is_contiguous(&self, out: usize) -> bool {
        !self.transposed && self.rows.is_none_or(|rows| rows.run >= out)
    }
}

/// The file row of our row: llama.cpp stores rotary pairs `(i, i + half)` of a head side by side.
fn interleaved_row(row: usize, head_dim: usize) -> usize {
    let (head, inside, half) = (row / head_dim, row % head_dim, head_dim / 2);
    head * head_dim + (inside % half) * 2 + inside / half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(source: Source, count: usize) -> Vec<usize> {
        (0..count).map(|row| source.file_row(row)).collect()
    }

    #[test]
    fn interleaved_rows_are_a_permutation_that_pairs_halves() {
        let source = Source::plain("q").interleaved(6);
        assert_eq!(rows(source, 12), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
    }

    #[test]
    fn fused_rows_are_found() {
        // Two heads of size 2, each with its query, key and value.
        let key = Source::plain("qkv").strided(2, 2, 6, 12);
        assert_eq!(rows(key, 4), [2, 3, 8, 9]);
        assert!(!key.is_contiguous(4));
        let part = Source::plain("qkv").part(4, 4, 12);
        assert_eq!(rows(part, 4), [4, 5, 6, 7]);
        assert!(part.is_contiguous(4));
    }
}
