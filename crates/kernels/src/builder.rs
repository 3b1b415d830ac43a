//! From the bytes of a file to a matrix in its final place, chunk by chunk.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::{DType, dequant};

use crate::cpu::Storage;
use crate::device::{self, Kind};
use crate::error::KernelError;
#[cfg(feature = "gpu")]
use crate::gpu::GpuMatrix;
use crate::matrix::{Form, Matrix};
use crate::plan::{Coverage, Plan};

/// Streams a tensor's bytes into its final place; no weight is held twice.
///
/// The final place is the matrix's own memory on the CPU, and a buffer of the device on a GPU.
/// Chunks may come in any order; a row that is written again is replaced.
///
/// ```
/// use burn::tensor::Device;
/// use glassbox_formats::{DType, dequant};
/// use glassbox_kernels::MatrixBuilder;
///
/// let mut builder = MatrixBuilder::new(&Device::flex(), DType::F32, 2, 1)?;
/// builder.write_rows(0, &[0, 0, 128, 63, 0, 0, 0, 64])?; // 1.0, 2.0
/// let matrix = builder.finish()?;
/// assert_eq!((matrix.out_features(), matrix.in_features()), (2, 1));
/// # Ok::<(), glassbox_kernels::KernelError>(())
/// ```
pub struct MatrixBuilder {
    plan: Plan,
    coverage: Coverage,
    device: Device,
    target: Target,
}

/// Where the bytes go.
enum Target {
    /// The CPU kernels' memory.
    Cpu(Storage),
    /// Buffers of a GPU.
    #[cfg(feature = "gpu")]
    Gpu(GpuMatrix),
    /// Host memory, widened to `f32`, for a tensor that burn's own operations use.
    Plain(Vec<f32>),
}

impl MatrixBuilder {
    /// Allocates room for a matrix `[out_features, in_features]` of the file type `dtype`.
    ///
    /// # Errors
    /// [`KernelError::Shape`] where a dimension is zero or rows are not whole blocks,
    /// [`KernelError::TooLarge`] and [`KernelError::OutOfMemory`] where it does not fit,
    /// [`KernelError::UnsupportedType`] where no kernel takes the type.
    pub fn new(
        device: &Device,
        dtype: DType,
        out_features: usize,
        in_features: usize,
    ) -> Result<Self, KernelError> {
        let plan = Plan::new(dtype, out_features, in_features)?;
        let (target, step) = match device::kind(device) {
            Kind::Cpu => (Target::Cpu(Storage::new(&plan)?), 1),
            #[cfg(feature = "gpu")]
            Kind::Gpu => (Target::Gpu(GpuMatrix::new(device, &plan)?), GpuMatrix::rows_per_write()),
            _ => (Target::Plain(Storage::widened(&plan)?), 1),
        };
        Ok(Self { coverage: Coverage::new(out_features, step), device: device.clone(), plan, target })
    }

    /// What the first row of every chunk must be a multiple of; at most 64.
    ///
    /// A chunk may hold any multiple of this many rows. The chunk with the last row of the matrix
    /// ends there.
    pub fn rows_per_write(&self) -> usize {
        self.coverage.step()
    }

    /// Takes whole rows, in the file's layout, starting with row `first_row`.
    ///
    /// # Errors
    /// [`KernelError::ChunkLength`] where `bytes` is not a whole number of rows,
    /// [`KernelError::RowRange`] where the rows lie outside the matrix or do not start and end on
    /// a multiple of [`Self::rows_per_write`], [`KernelError::Device`] where the upload fails.
    pub fn write_rows(&mut self, first_row: usize, bytes: &[u8]) -> Result<(), KernelError> {
        let rows = self.coverage.check(self.plan.row_bytes, first_row, bytes.len())?;
        match &mut self.target {
            Target::Cpu(storage) => storage.write(&self.plan, first_row, bytes),
            #[cfg(feature = "gpu")]
            Target::Gpu(matrix) => matrix.write(&self.plan, first_row, bytes)?,
            Target::Plain(data) => {
                let out = &mut data[first_row * self.plan.in_features..];
                let out = &mut out[..rows * self.plan.in_features];
                let dtype = self.plan.dtype;
                dequant::to_f32(dtype, bytes, out).map_err(|_| KernelError::UnsupportedType { dtype })?;
            }
        }
        self.coverage.note(first_row, rows);
        Ok(())
    }

    /// The finished matrix.
    ///
    /// # Errors
    /// [`KernelError::RowsMissing`] unless every row has been written.
    pub fn finish(self) -> Result<Matrix, KernelError> {
        self.coverage.complete()?;
        let shape = [self.plan.out_features, self.plan.in_features];
        let dense = |data: Vec<f32>| {
            Matrix::from_tensor(Tensor::from_data(TensorData::new(data, shape), &self.device))
        };
        Ok(match self.target {
            Target::Cpu(Storage::F32(data)) | Target::Plain(data) => dense(data),
            Target::Cpu(storage) => Matrix::new(&self.plan, Form::Cpu(Arc::new(storage))),
            #[cfg(feature = "gpu")]
            Target::Gpu(matrix) => Matrix::new(&self.plan, Form::Gpu(Arc::new(matrix))),
        })
    }
}
