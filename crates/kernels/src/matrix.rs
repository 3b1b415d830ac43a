//! A weight matrix in the form it is multiplied in.

use std::sync::Arc;

use burn::tensor::{DType as BurnDType, Int, Tensor, TensorData};
use glassbox_formats::DType;

use crate::cpu::{self, Storage, View};
use crate::device::{Kind, kind, on_cpu};
use crate::flex;
#[cfg(feature = "gpu")]
use crate::gpu::GpuMatrix;
use crate::ops::Gate;
use crate::plan::Plan;
use crate::team::{Shared, Team};

/// A weight matrix `[out_features, in_features]`; rows are output features.
///
/// Made by [`MatrixBuilder`](crate::MatrixBuilder) from a file's bytes, or by
/// [`Matrix::from_tensor`]. Clones share the weights.
#[derive(Clone)]
pub struct Matrix {
    out_features: usize,
    in_features: usize,
    dtype: DType,
    form: Form,
    precision: Precision,
    /// Whose rows others hold too.
    shared: Option<Arc<Shared>>,
}

/// How products with quantised weights take their activations on the CPU.
///
/// Weights are never changed: what differs is the arithmetic. On a GPU, and with weights that are
/// floats, activations are `f32` whatever is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// As they are, in `f32`: the product of the widened weights, to within its rounding.
    #[default]
    F32,
    /// Rounded to 16 bits with a scale for each 32: several times as fast, with an error of at most
    /// half a step of 1/32767 of the largest of the 32 (llama.cpp's step is 1/127).
    Int16,
    /// As `Int16`, but products with at least twice as many features out as in (an MLP's first
    /// projections, the head) round to 8 bits where the machine multiplies bytes faster: half of all
    /// the work of a pass for a quarter of the error that rounding all products so would make.
    Int8,
}

/// Where the weights are.
#[derive(Clone)]
pub(crate) enum Form {
    /// A tensor of `f32` on any device.
    Dense(Box<Tensor<2>>),
    /// The CPU kernels' memory.
    Cpu(Arc<Storage>),
    /// Buffers of a GPU.
    #[cfg(feature = "gpu")]
    Gpu(Arc<GpuMatrix>),
}

/// What becomes of a product before it is stored.
pub(crate) enum Epilogue<'a> {
    /// Nothing.
    None,
    /// `[tokens, out_features]` is added.
    Add(&'a Tensor<2>),
    /// The product is multiplied with the activation of `[tokens, out_features]`.
    Gate(Gate, &'a Tensor<2>),
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = match self.form {
            Form::Dense(_) => "dense",
            Form::Cpu(_) => "cpu",
            #[cfg(feature = "gpu")]
            Form::Gpu(_) => "gpu",
        };
        f.debug_struct("Matrix")
            .field("out_features", &self.out_features)
            .field("in_features", &self.in_features)
            .field("dtype", &self.dtype)
            .field("form", &form)
            .field("precision", &self.precision())
            .finish()
    }
}

impl Matrix {
    /// A dense matrix from a tensor `[out_features, in_features]` on any device, autodiff
    /// included: then products record their gradient. Other float types are widened to `f32`.
    pub fn from_tensor(weight: Tensor<2>) -> Self {
        let [out_features, in_features] = weight.dims();
        let weight = widened(weight);
        let form = Form::Dense(Box::new(weight));
        Self { out_features, in_features, dtype: DType::F32, form, precision: Precision::F32, shared: None }
    }

    /// A matrix of the planned shape, held in the given form.
    pub(crate) fn new(plan: &Plan, form: Form) -> Self {
        let Plan { dtype, out_features, in_features, .. } = *plan;
        Self { out_features, in_features, dtype, form, precision: Precision::F32, shared: None }
    }

    /// The same weights, shared, whose products take their activations as `precision` says.
    pub fn with_precision(&self, precision: Precision) -> Self {
        Self { precision, shared: None, ..self.clone() }
    }

    /// The same weights, of whose rows each helper of a team gets a share, so that products take all of them; as it is
    /// where it is not on the CPU, or too small. `next` numbers the team's matrices.
    pub fn with_team(&self, team: &Arc<dyn Team>, next: &mut u32) -> Self {
        let shared = self.with_view(|weights| {
            let shape = [self.out_features, self.in_features];
            let precision = cpu::rounded::precision(weights, shape, self.precision);
            Shared::new(team, *next, weights, shape, precision)
        });
        let shared = shared.flatten().map(Arc::new);
        *next += u32::from(shared.is_some());
        Self { shared, ..self.clone() }
    }

    /// Threads that compute products.
    pub fn threads(&self) -> usize {
        1 + self.shared.as_ref().map_or(0, |shared| shared.helpers())
    }

    /// Does something with the weights where CPU kernels can read them.
    fn with_view<T>(&self, read: impl FnOnce(View) -> T) -> Option<T> {
        match &self.form {
            Form::Dense(weight) => Some(read(View::F32(on_cpu(weight.as_ref())?.as_slice()?))),
            Form::Cpu(storage) => Some(read(storage.view())),
            #[cfg(feature = "gpu")]
            Form::Gpu(_) => None,
        }
    }

    /// How products take their activations: what was asked for where there is a choice, else
    /// the next finer.
    pub fn precision(&self) -> Precision {
        match &self.form {
            Form::Cpu(storage) => {
                let shape = [self.out_features, self.in_features];
                cpu::rounded::precision(storage.view(), shape, self.precision)
            }
            _ => Precision::F32,
        }
    }

    /// Rows: features of the result.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Columns: features of the activations.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// The type of the weights as stored in the file.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Bytes the weights take where they are (scales, and padding on a GPU, included).
    pub fn bytes(&self) -> u64 {
        match &self.form {
            Form::Dense(_) => self.out_features as u64 * self.in_features as u64 * 4,
            Form::Cpu(storage) => storage.bytes(),
            #[cfg(feature = "gpu")]
            Form::Gpu(matrix) => matrix.bytes(),
        }
    }

    /// The dense weight `[out_features, in_features]`, where the matrix is held as a tensor of
    /// `f32`; `None` for weights kept in another form.
    pub fn tensor(&self) -> Option<Tensor<2>> {
        match &self.form {
            Form::Dense(weight) => Some(weight.as_ref().clone()),
            _ => None,
        }
    }

    /// `x @ W^T`: from `x` `[tokens, in_features]` to `[tokens, out_features]`, in `f32`.
    ///
    /// Where `x` is recorded by autodiff, so is the product: through the weights as they are,
    /// which are constants unless they came by [`Matrix::from_tensor`].
    ///
    /// # Panics
    /// If `x` is not on the device of the weights or has other columns than they have.
    pub fn linear(&self, x: Tensor<2>) -> Tensor<2> {
        let [_, in_features] = x.dims();
        assert_eq!(in_features, self.in_features, "the activations do not fit the weights");
        let x = widened(x);
        let fast = match &self.form {
            #[cfg(feature = "gpu")]
            Form::Gpu(matrix) => matrix.linear(&x, Epilogue::None),
            _ => self.linear_cpu(&x, Epilogue::None),
        };
        fast.unwrap_or_else(|| {
            let weight = self.dequantise();
            x.matmul(weight.transpose())
        })
    }

    /// The product with what `epilogue` makes of it, in one step; `None` where there is no kernel for
    /// that. `x` is `[tokens, in_features]`.
    pub(crate) fn linear_with(&self, x: &Tensor<2>, epilogue: Epilogue<'_>) -> Option<Tensor<2>> {
        match &self.form {
            #[cfg(feature = "gpu")]
            Form::Gpu(matrix) => matrix.linear(x, epilogue),
            _ => self.linear_cpu(x, epilogue),
        }
    }

    /// The product by the CPU kernels; `None` where weights or activations are not plain CPU tensors.
    fn linear_cpu(&self, x: &Tensor<2>, epilogue: Epilogue) -> Option<Tensor<2>> {
        let [tokens, _] = x.dims();
        let (x, other) = match &epilogue {
            Epilogue::None => (flex::plain(x)?, None),
            Epilogue::Add(other) | Epilogue::Gate(_, other) => (flex::plain(x)?, Some(flex::plain(other)?)),
        };
        let other: Option<&[f32]> = match &other {
            Some(other) => Some(other.as_slice()?),
            None => None,
        };
        let x = x.as_slice()?;
        let mut out = self.with_view(|weights| self.product(weights, x))?;
        match (epilogue, other) {
            (Epilogue::Add(_), Some(other)) => {
                for (out, other) in out.iter_mut().zip(other) {
                    *out += other;
                }
            }
            (Epilogue::Gate(kind, _), Some(pre)) => cpu::steps::gate(kind, pre, &mut out),
            _ => {}
        }
        Some(flex::tensor(out, [tokens, self.out_features]))
    }

    /// `x @ W^T` alone, here or with a team.
    fn product(&self, weights: View, x: &[f32]) -> Vec<f32> {
        let shape = [self.out_features, self.in_features];
        match &self.shared {
            Some(shared) if shared.pays(x.len() / self.in_features) => shared.product(weights, x),
            _ => cpu::product(weights, shape, x, cpu::rounded::precision(weights, shape, self.precision)),
        }
    }

    /// Rows of the matrix as `f32`, `[rows.len(), in_features]`: an embedding lookup.
    ///
    /// # Panics
    /// If a row is not below [`Self::out_features`]; token ids are checked where they come in.
    pub fn gather(&self, rows: &[u32]) -> Tensor<2> {
        if let Some(row) = rows.iter().find(|row| **row as usize >= self.out_features) {
            panic!("row {row} of a matrix of {} rows", self.out_features);
        }
        match &self.form {
            Form::Dense(weight) => match on_cpu(weight).as_ref().and_then(|w| w.as_slice()) {
                Some(data) => self.gather_cpu(View::F32(data), rows),
                None => {
                    let ids: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
                    let data = TensorData::new(ids, [rows.len()]);
                    let rows = Tensor::<1, Int>::from_data(data, &weight.device());
                    weight.as_ref().clone().select(0, rows)
                }
            },
            Form::Cpu(storage) => self.gather_cpu(storage.view(), rows),
            #[cfg(feature = "gpu")]
            Form::Gpu(matrix) => matrix.gather(rows),
        }
    }

    /// As [`Self::gather`], for rows that a tensor `[row]` on the device of the weights names, as a pass does that is
    /// recorded; none on the CPU. What is not below [`Self::out_features`] gives rows of any numbers.
    pub fn gather_named(&self, rows: &Tensor<1, Int>) -> Option<Tensor<2>> {
        match &self.form {
            Form::Dense(weight) if kind(&weight.device()) != Kind::Cpu => {
                Some(weight.as_ref().clone().select(0, rows.clone()))
            }
            #[cfg(feature = "gpu")]
            Form::Gpu(matrix) => matrix.gather_named(rows),
            _ => None,
        }
    }

    fn gather_cpu(&self, weights: View, rows: &[u32]) -> Tensor<2> {
        let out = cpu::gather(weights, self.out_features, self.in_features, rows);
        flex::tensor(out, [rows.len(), self.in_features])
    }

    /// All weights as `f32`, `[out_features, in_features]`: for analyses and tests. A new tensor,
    /// as large as the model in full precision, unless the matrix is dense already.
    pub fn dequantise(&self) -> Tensor<2> {
        match &self.form {
            Form::Dense(weight) => weight.as_ref().clone(),
            _ => {
                let rows: Vec<u32> = (0..self.out_features as u32).collect();
                self.gather(&rows)
            }
        }
    }
}

/// The tensor in `f32`.
fn widened(tensor: Tensor<2>) -> Tensor<2> {
    match tensor.dtype() {
        BurnDType::F32 => tensor,
        _ => tensor.cast(BurnDType::F32),
    }
}
