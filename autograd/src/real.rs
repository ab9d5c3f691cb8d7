//! The one type parameter of the engine: the scalar.

use crate::cpu::gemm::Kernels;
use crate::cpu::vecmath;
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
    /// eˣ; in `f32` without branches and calls, so that loops over it vectorise, with an error of one unit in the last
    /// place at most.
    fn vexp(self) -> Self;
    /// tanh x, as `vexp`.
    fn vtanh(self) -> Self;
    /// ln(1 + x) for x in [0, 1], as `vexp`.
    fn vln_1p(self) -> Self;
    /// (Φ(x), φ(x)), distribution function and density of the normal distribution, as `vexp`.
    fn vnormal(self) -> (Self, Self);
}

impl Real for f32 {
    const DTYPE: Dtype = Dtype::F32;
    fn of(x: f64) -> f32 {
        x as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn vexp(self) -> f32 {
        vecmath::exp(self)
    }
    #[inline(always)]
    fn vtanh(self) -> f32 {
        vecmath::tanh(self)
    }
    #[inline(always)]
    fn vln_1p(self) -> f32 {
        vecmath::ln_1p_unit(self)
    }
    #[inline(always)]
    fn vnormal(self) -> (f32, f32) {
        vecmath::normal(self)
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
    #[inline(always)]
    fn vexp(self) -> f64 {
        self.exp()
    }
    #[inline(always)]
    fn vtanh(self) -> f64 {
        self.tanh()
    }
    #[inline(always)]
    fn vln_1p(self) -> f64 {
        self.ln_1p()
    }
    #[inline(always)]
    fn vnormal(self) -> (f64, f64) {
        const FRAC_1_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
        let cdf = 0.5 * (1.0 + libm::erf(self * std::f64::consts::FRAC_1_SQRT_2));
        (cdf, FRAC_1_SQRT_TAU * (-0.5 * self * self).exp())
    }
}
