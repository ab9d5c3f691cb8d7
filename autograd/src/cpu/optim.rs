//! Optimiser updates, one pass over the weight and its state.

use super::CHUNK;
use super::simd::{Kernel, widest};
use crate::device::{AdamStep, SgdStep};
use crate::real::Real;
use rayon::prelude::*;

/// g += λw; m ← μm + g (from m = 0); w −= lr·(g + μm if nesterov, m otherwise).
/// Returns the momentum buffer if this step created it.
pub(crate) fn sgd_step<T: Real>(
    h: SgdStep,
    w: &mut [T],
    dw: &[T],
    momentum: Option<&mut [T]>,
) -> Option<Vec<T>> {
    let (lr, mu, decay) = (T::of(h.lr), T::of(h.momentum), T::of(h.weight_decay));
    let parts = w.par_chunks_mut(CHUNK).zip(dw.par_chunks(CHUNK));
    if h.momentum == 0.0 {
        parts.for_each(|(w, dw)| widest(Plain { lr, decay, w, dw }));
        return None;
    }
    let mut fresh = None;
    let m = momentum.unwrap_or_else(|| fresh.insert(vec![T::zero(); dw.len()]).as_mut_slice());
    parts.zip(m.par_chunks_mut(CHUNK)).for_each(|((w, dw), m)| {
        widest(Momentum { lr, mu, decay, nesterov: h.nesterov, w, dw, m });
    });
    fresh
}

struct Plain<'a, T> {
    lr: T,
    decay: T,
    w: &'a mut [T],
    dw: &'a [T],
}

impl<T: Real> Kernel for Plain<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (w, &g) in self.w.iter_mut().zip(self.dw) {
            *w -= self.lr * (g + self.decay * *w);
        }
    }
}

struct Momentum<'a, T> {
    lr: T,
    mu: T,
    decay: T,
    nesterov: bool,
    w: &'a mut [T],
    dw: &'a [T],
    m: &'a mut [T],
}

impl<T: Real> Kernel for Momentum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for ((w, m), &g) in self.w.iter_mut().zip(self.m).zip(self.dw) {
            let g = g + self.decay * *w;
            *m = self.mu * *m + g;
            *w -= self.lr * if self.nesterov { g + self.mu * *m } else { *m };
        }
    }
}

/// m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w −= lr·m̂/(√v̂ + eps) with m̂, v̂ bias-corrected. Decoupled decay (AdamW)
/// first shrinks w by lr·λ; coupled decay (Adam) adds λw to g.
pub(crate) fn adam_step<T: Real>(h: AdamStep, w: &mut [T], dw: &[T], m: &mut [T], v: &mut [T]) {
    let step = i32::try_from(h.step).unwrap_or(i32::MAX);
    let factors = AdamFactors {
        beta: [T::of(h.beta1), T::of(h.beta2)],
        rest: [T::of(1.0 - h.beta1), T::of(1.0 - h.beta2)],
        eps: T::of(h.eps),
        step_size: T::of(h.lr / (1.0 - h.beta1.powi(step))),
        root: T::of((1.0 - h.beta2.powi(step)).sqrt()),
        shrink: T::of(if h.decoupled { 1.0 - h.lr * h.weight_decay } else { 1.0 }),
        penalty: T::of(if h.decoupled { 0.0 } else { h.weight_decay }),
    };
    let state = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
    let parts = w.par_chunks_mut(CHUNK).zip(dw.par_chunks(CHUNK)).zip(state);
    parts.for_each(|((w, dw), (m, v))| widest(Adam { factors, w, dw, m, v }));
}

/// The constants of one step.
#[derive(Clone, Copy)]
struct AdamFactors<T> {
    beta: [T; 2],
    /// 1 − β.
    rest: [T; 2],
    eps: T,
    /// lr/(1 − β₁ᵗ).
    step_size: T,
    /// √(1 − β₂ᵗ).
    root: T,
    /// 1 − lr·λ, decoupled.
    shrink: T,
    /// λ, coupled.
    penalty: T,
}

struct Adam<'a, T> {
    factors: AdamFactors<T>,
    w: &'a mut [T],
    dw: &'a [T],
    m: &'a mut [T],
    v: &'a mut [T],
}

impl<T: Real> Kernel for Adam<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let AdamFactors { beta, rest, eps, step_size, root, shrink, penalty } = self.factors;
        for (((w, m), v), &g) in self.w.iter_mut().zip(self.m).zip(self.v).zip(self.dw) {
            let g = g + penalty * *w;
            *m = beta[0] * *m + rest[0] * g;
            *v = beta[1] * *v + rest[1] * g * g;
            *w = *w * shrink - step_size * *m / (v.sqrt() / root + eps);
        }
    }
}
