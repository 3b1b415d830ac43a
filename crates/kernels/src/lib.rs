//! glassbox kernels
