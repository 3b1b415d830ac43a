//! Products on several threads, each of which has memory of its own and in it a share of every large matrix's rows.
//!
//! WebAssembly's own threads would need a standard library that no stable compiler ships, and `wgpu` does not hold under
//! them. Workers that each run the same module and hold some of the rows need neither: activations go to them and rows of
//! the result come back, and whoever asked computes the rows that are left meanwhile. How they are reached is for a
//! [`Team`] to say.

use std::ops::Range;
use std::sync::Arc;

use glassbox_formats::DType;

use crate::Precision;
use crate::cpu::{self, Storage, View};
use crate::error::KernelError;
use crate::plan::Plan;

/// Weights from which a matrix is shared; each costs its helpers a message and an allocation.
const SHARED_WEIGHTS: usize = 1 << 14;
/// Multiplications from which a product is: handing it out and back takes as long as about so many.
const SHARED_WORK: usize = 1 << 18;
/// Rows of a share are a multiple of it, so that the kernels' panels are full.
const ROWS: usize = 16;

/// Threads that hold shares of matrices.
pub trait Team: Send + Sync {
    /// How many there are beside the one that asks.
    fn helpers(&self) -> usize;

    /// Values, of activations and of one helper's results, that go to and fro at a time.
    fn room(&self) -> usize;

    /// Gives a helper its share of a matrix: `parts` is what [`Share::parts`] of a share of that shape takes. Helpers get
    /// matrices in the order of their numbers, from 0 on.
    fn hand_over(&self, helper: usize, shape: &ShareShape, parts: &[&[u8]]);

    /// Lets all helpers multiply `x` `[tokens, in_features]` with their shares of a matrix, and returns at once.
    fn begin(&self, matrix: u32, x: &[f32]);

    /// Waits for what a helper makes of the product that was begun last: `[tokens, rows]`. False where it does not answer;
    /// it is not waited for again.
    fn end(&self, helper: usize, out: &mut [f32]) -> bool;
}

/// What a share is, in words that can be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareShape {
    /// The type of the weights.
    pub dtype: DType,
    /// Rows of the share.
    pub rows: usize,
    /// Columns of the matrix.
    pub in_features: usize,
    /// How activations are taken, which the shape of the whole matrix decides.
    pub precision: Precision,
    /// Whether half-precision weights are known to be finite.
    finite: bool,
}

impl ShareShape {
    /// The shape as numbers.
    pub fn words(&self) -> [u32; 5] {
        let dtype = DType::ALL.iter().position(|dtype| *dtype == self.dtype).unwrap_or(DType::ALL.len());
        let precision = [Precision::F32, Precision::Int16, Precision::Int8];
        let precision = precision.iter().position(|precision| *precision == self.precision).unwrap_or(0);
        [dtype as u32, self.rows as u32, self.in_features as u32, precision as u32, u32::from(self.finite)]
    }

    /// A shape from its numbers; none where they are no shape's.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let [dtype, rows, in_features, precision, finite] = *words else { return None };
        Some(Self {
            dtype: *DType::ALL.get(dtype as usize)?,
            rows: rows as usize,
            in_features: in_features as usize,
            precision: *[Precision::F32, Precision::Int16, Precision::Int8].get(precision as usize)?,
            finite: finite != 0,
        })
    }
}

/// A helper's rows of a matrix.
pub struct Share {
    shape: ShareShape,
    storage: Storage,
}

impl Share {
    /// Room for a share, whose parts are to be filled.
    ///
    /// # Errors
    /// As [`MatrixBuilder::new`](crate::MatrixBuilder::new).
    pub fn new(shape: ShareShape) -> Result<Self, KernelError> {
        let mut storage = Storage::new(&Plan::new(shape.dtype, shape.rows, shape.in_features)?)?;
        if let Storage::F16 { finite, .. } = &mut storage {
            *finite = shape.finite;
        }
        Ok(Self { shape, storage })
    }

    /// The memory of the weights: what lies together in a part, and how, is the same on all machines that run one build.
    pub fn parts(&mut self) -> Vec<&mut [u8]> {
        self.storage.parts_mut()
    }

    /// The share's rows of a product: from `x` `[tokens, in_features]` to `[tokens, rows]`.
    pub fn multiply(&self, x: &[f32]) -> Vec<f32> {
        let ShareShape { rows, in_features, precision, .. } = self.shape;
        cpu::product(self.storage.view(), [rows, in_features], x, precision)
    }
}

/// A matrix of which helpers hold shares too.
pub(crate) struct Shared {
    team: Arc<dyn Team>,
    matrix: u32,
    shape: [usize; 2],
    precision: Precision,
    /// Rows of the one that asks.
    own: Range<usize>,
    /// Rows of each helper.
    theirs: Vec<Range<usize>>,
}

impl Shared {
    /// Hands out shares of a matrix, the `matrix`th of this team; none where it is too small for that, or too wide to be
    /// sent.
    pub(crate) fn new(
        team: &Arc<dyn Team>,
        matrix: u32,
        weights: View,
        shape @ [rows, in_features]: [usize; 2],
        precision: Precision,
    ) -> Option<Self> {
        let helpers = team.helpers();
        let each = (rows / (helpers + 1)).next_multiple_of(ROWS);
        if rows * in_features < SHARED_WEIGHTS
            || each * helpers >= rows
            || team.room() < in_features.max(each)
        {
            return None;
        }
        let own = 0..rows - each * helpers;
        let theirs: Vec<_> =
            (0..helpers).map(|h| own.end + h * each).map(|first| first..first + each).collect();
        for (helper, rows) in theirs.iter().enumerate() {
            let share = weights.rows(rows.clone(), shape);
            team.hand_over(helper, &share.shape(rows.len(), in_features, precision), &share.parts());
        }
        Some(Self { team: team.clone(), matrix, shape, precision, own, theirs })
    }

    /// Who holds shares beside the one that asks.
    pub(crate) fn helpers(&self) -> usize {
        self.theirs.len()
    }

    /// Whether handing out a product of so many tokens is worth it.
    pub(crate) fn pays(&self, tokens: usize) -> bool {
        self.shape[0] * self.shape[1] * tokens >= SHARED_WORK
    }

    /// `x @ W^T`, from `[tokens, in_features]` to `[tokens, out_features]`.
    pub(crate) fn product(&self, weights: View, x: &[f32]) -> Vec<f32> {
        let [rows, in_features] = self.shape;
        let mut out = vec![0.0; x.len() / in_features * rows];
        let each = self.theirs.iter().map(Range::len).max().unwrap_or(0);
        let tokens = (self.team.room() / in_features.max(each)).max(1);
        for (x, out) in x.chunks(tokens * in_features).zip(out.chunks_mut(tokens * rows)) {
            self.some(weights, x, out);
        }
        out
    }

    /// A product that fits into the team's room.
    fn some(&self, weights: View, x: &[f32], out: &mut [f32]) {
        let compute = |rows: &Range<usize>| {
            let shape = [rows.len(), self.shape[1]];
            cpu::product(weights.rows(rows.clone(), self.shape), shape, x, self.precision)
        };
        self.team.begin(self.matrix, x);
        self.place(out, &self.own, &compute(&self.own));
        let tokens = x.len() / self.shape[1];
        for (helper, rows) in self.theirs.iter().enumerate() {
            let mut part = vec![0.0; tokens * rows.len()];
            if !self.team.end(helper, &mut part) {
                part = compute(rows);
            }
            self.place(out, rows, &part);
        }
    }

    /// Puts rows of a product, `[tokens, rows.len()]`, where they belong.
    fn place(&self, out: &mut [f32], rows: &Range<usize>, part: &[f32]) {
        for (out, part) in out.chunks_exact_mut(self.shape[0]).zip(part.chunks_exact(rows.len())) {
            out[rows.clone()].copy_from_slice(part);
        }
    }
}

impl View<'_> {
    /// The shape of a share that consists of these weights.
    fn shape(&self, rows: usize, in_features: usize, precision: Precision) -> ShareShape {
        let dtype = match self {
            Self::F32(_) => DType::F32,
            Self::F16 { .. } => DType::F16,
            Self::Bf16(_) => DType::BF16,
            Self::Q8 { .. } => DType::Q8_0,
            Self::Q4 { .. } => DType::Q4_0,
            Self::Blocks { dtype, .. } => *dtype,
        };
        let finite = matches!(self, Self::F16 { finite: true, .. });
        ShareShape { dtype, rows, in_features, precision, finite }
    }
}
