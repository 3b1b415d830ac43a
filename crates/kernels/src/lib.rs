//! Weight matrices in their final place, and products with them.
//!
//! burn multiplies dense tensors. Open weights come in half precision and in blocks of small
//! integers; this crate keeps them so, on the CPU and on a GPU, and multiplies them straight
//! from that form. Every kernel is written against one plain reference, the widened weights.
//!
//! A [`Matrix`] is built by streaming a file's bytes through a [`MatrixBuilder`]: no weight is
//! ever held twice. On the CPU the kernels are SIMD (`simd128` in WebAssembly, AVX2 on x86-64
//! where the machine has it); on a GPU they are CubeCL kernels without subgroup operations, so
//! that they run in every WebGPU browser. Activations and sums are `f32`; on the CPU [`Precision`]
//! lets products with quantised weights round their activations to 16 bits, for speed.

mod builder;
mod cpu;
pub mod device;
mod error;
mod flex;
#[cfg(feature = "gpu")]
mod gpu;
mod matrix;
pub mod ops;
mod plan;
pub mod replay;
mod simd;
pub mod team;

pub use builder::MatrixBuilder;
pub use error::KernelError;
pub use matrix::{Matrix, Precision};
