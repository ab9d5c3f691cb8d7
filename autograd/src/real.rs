//! The one type parameter of the engine: the scalar.

use crate::cpu::gemm::Kernels;
use ndarray::LinalgScalar;
use num_traits::{Float, NumAssign};
use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

/// Scalar type of a tensor on disk, in messages and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit float, what networks train in.
    F32,
    /// 64-bit float, what gradients are checked in.
    F64,
}

/// A scalar the engine computes with: `f32` or `f64`.
///
/// `f64` exists so that gradients can be checked for real: in `f32` a finite difference has three good digits, in
/// `f64` it has nine.
pub trait Real:
    Float
    + NumAssign
    + LinalgScalar
    + Sum
    + Default
    + Debug
    + Display
    + LowerExp
    + Send
    + Sync
    + Kernels
    + 'static
{
    /// Which of the two it is.
    const DTYPE: Dtype;
    /// Nearest value to `x`.
    fn of(x: f64) -> Self;
    /// Exact widening to `f64`.
    fn f64(self) -> f64;
    /// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
    fn erf(self) -> Self;
}

impl Real for f32 {
    const DTYPE: Dtype = Dtype::F32;
    fn of(x: f64) -> f32 {
        x as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn erf(self) -> f32 {
        libm::erff(self)
    }
}

impl Real for f64 {
    const DTYPE: Dtype = Dtype::F64;
    fn of(x: f64) -> f64 {
        x
    }
    fn f64(self) -> f64 {
        self
    }
    fn erf(self) -> f64 {
        libm::erf(self)
    }
}
