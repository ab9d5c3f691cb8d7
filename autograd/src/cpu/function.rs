//! Functions of one value: each next to its derivative.
//!
//! Types rather than closures, because every copy of a loop (see [`super::simd`]) must inline them, whatever their size.

use crate::real::Real;
use std::hint::select_unpredictable as choose; // both sides are computed: a branch would keep loops from vectorising

/// A differentiable function y = f(x) of one value.
pub(super) trait Function<T>: Copy + Send + Sync {
    /// y = f(x).
    fn value(self, x: T) -> T;
    /// dx = f'(x)·dy, given x or y, whichever `Unary::saved` names.
    fn backward(self, saved: T, dy: T) -> T;
}

/// eˣ; dx = y·dy.
#[derive(Clone, Copy)]
pub(super) struct Exp;

impl<T: Real> Function<T> for Exp {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x.vexp()
    }
    #[inline(always)]
    fn backward(self, y: T, dy: T) -> T {
        y * dy
    }
}

/// ln x; dx = dy/x.
#[derive(Clone, Copy)]
pub(super) struct Log;

impl<T: Real> Function<T> for Log {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x.ln()
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        dy / x
    }
}

/// √x; dx = dy/2y.
#[derive(Clone, Copy)]
pub(super) struct Sqrt;

impl<T: Real> Function<T> for Sqrt {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x.sqrt()
    }
    #[inline(always)]
    fn backward(self, y: T, dy: T) -> T {
        dy / (y + y)
    }
}

/// |x|; dx = ±dy, 0 at 0, NaN at NaN.
#[derive(Clone, Copy)]
pub(super) struct Abs;

impl<T: Real> Function<T> for Abs {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x.abs()
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        choose(x > T::zero(), dy, choose(x < T::zero(), -dy, x * T::zero()))
    }
}

/// tanh x; dx = (1 − y²)·dy.
#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl<T: Real> Function<T> for Tanh {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x.vtanh()
    }
    #[inline(always)]
    fn backward(self, y: T, dy: T) -> T {
        dy * (T::one() - y * y)
    }
}

/// 1/(1 + e⁻ˣ); dx = y(1 − y)·dy.
#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl<T: Real> Function<T> for Sigmoid {
    #[inline(always)]
    fn value(self, x: T) -> T {
        sigmoid(x)
    }
    #[inline(always)]
    fn backward(self, y: T, dy: T) -> T {
        dy * y * (T::one() - y)
    }
}

/// max(x, 0); dx = dy where y > 0. Written so that NaN goes through both ways.
#[derive(Clone, Copy)]
pub(super) struct Relu;

impl<T: Real> Function<T> for Relu {
    #[inline(always)]
    fn value(self, x: T) -> T {
        choose(x <= T::zero(), T::zero(), x)
    }
    #[inline(always)]
    fn backward(self, y: T, dy: T) -> T {
        choose(y <= T::zero(), T::zero(), dy)
    }
}

/// x where positive, else slope·x; dx likewise.
#[derive(Clone, Copy)]
pub(super) struct LeakyRelu<T>(pub T);

impl<T: Real> Function<T> for LeakyRelu<T> {
    #[inline(always)]
    fn value(self, x: T) -> T {
        choose(x > T::zero(), x, self.0 * x)
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        choose(x > T::zero(), dy, self.0 * dy)
    }
}

/// x·Φ(x); dx = (Φ(x) + x·φ(x))·dy.
#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl<T: Real> Function<T> for Gelu {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x * x.vnormal().0
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        let (cdf, density) = x.vnormal();
        dy * (cdf + x * density)
    }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|); dx = sigmoid(x)·dy.
#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl<T: Real> Function<T> for Softplus {
    #[inline(always)]
    fn value(self, x: T) -> T {
        let positive = choose(x <= T::zero(), T::zero(), x);
        positive + (-x.abs()).vexp().vln_1p()
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        dy * sigmoid(x)
    }
}

/// xᵖ; dx = p·xᵖ⁻¹·dy. Whole powers multiply, which is exact in the sign and several times faster than `powf`.
#[derive(Clone, Copy)]
pub(super) struct Pow(pub f64);

impl Pow {
    #[inline(always)]
    fn power<T: Real>(x: T, p: f64) -> T {
        if p.fract() == 0.0 && p.abs() <= 64.0 { x.powi(p as i32) } else { x.powf(T::of(p)) }
    }
}

impl<T: Real> Function<T> for Pow {
    #[inline(always)]
    fn value(self, x: T) -> T {
        Pow::power(x, self.0)
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        // 0·x⁻¹ would be NaN at x = 0.
        if self.0 == 0.0 { T::zero() } else { T::of(self.0) * Pow::power(x, self.0 - 1.0) * dy }
    }
}

/// x limited to [low, high]; dx = dy inside.
#[derive(Clone, Copy)]
pub(super) struct Clamp<T>(pub T, pub T);

impl<T: Real> Function<T> for Clamp<T> {
    #[inline(always)]
    fn value(self, x: T) -> T {
        let Clamp(low, high) = self;
        choose(x < low, low, choose(x > high, high, x))
    }
    #[inline(always)]
    fn backward(self, x: T, dy: T) -> T {
        let Clamp(low, high) = self;
        choose((x <= low) | (x >= high), T::zero(), dy)
    }
}

/// c·x; dx = c·dy.
#[derive(Clone, Copy)]
pub(super) struct Scale<T>(pub T);

impl<T: Real> Function<T> for Scale<T> {
    #[inline(always)]
    fn value(self, x: T) -> T {
        self.0 * x
    }
    #[inline(always)]
    fn backward(self, _: T, dy: T) -> T {
        self.0 * dy
    }
}

/// x + c; dx = dy.
#[derive(Clone, Copy)]
pub(super) struct Shift<T>(pub T);

impl<T: Real> Function<T> for Shift<T> {
    #[inline(always)]
    fn value(self, x: T) -> T {
        x + self.0
    }
    #[inline(always)]
    fn backward(self, _: T, dy: T) -> T {
        dy
    }
}

/// 1/(1 + e⁻ˣ) without overflow: the exponent is never positive.
#[inline(always)]
fn sigmoid<T: Real>(x: T) -> T {
    let e = (-x.abs()).vexp();
    choose(x >= T::zero(), T::one(), e) / (T::one() + e)
}
