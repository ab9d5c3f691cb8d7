//! Optimiser updates, one pass over the weight and its state.

use super::CHUNK;
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
    if h.momentum == 0.0 {
        w.iter_mut().zip(dw).for_each(|(w, &g)| *w -= lr * (g + decay * *w));
        return None;
    }
    let mut fresh = None;
    let m = momentum.unwrap_or_else(|| fresh.insert(vec![T::zero(); w.len()]).as_mut_slice());
    w.par_chunks_mut(CHUNK).zip(m.par_chunks_mut(CHUNK)).zip(dw.par_chunks(CHUNK)).for_each(
        |((w, m), dw)| {
            for ((w, m), &g) in w.iter_mut().zip(m).zip(dw) {
                let g = g + decay * *w;
                *m = mu * *m + g;
                *w -= lr * if h.nesterov { g + mu * *m } else { *m };
            }
        },
    );
    fresh
}

/// m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w −= lr·m̂/(√v̂ + eps) with m̂, v̂ bias-corrected. Decoupled decay (AdamW)
/// first shrinks w by lr·λ; coupled decay (Adam) adds λw to g.
pub(crate) fn adam_step<T: Real>(h: AdamStep, w: &mut [T], dw: &[T], m: &mut [T], v: &mut [T]) {
    let (beta1, beta2, eps) = (T::of(h.beta1), T::of(h.beta2), T::of(h.eps));
    let (rest1, rest2) = (T::of(1.0 - h.beta1), T::of(1.0 - h.beta2));
    let step = i32::try_from(h.step).unwrap_or(i32::MAX);
    let step_size = T::of(h.lr / (1.0 - h.beta1.powi(step)));
    let root2 = T::of((1.0 - h.beta2.powi(step)).sqrt());
    let shrink = T::of(if h.decoupled { 1.0 - h.lr * h.weight_decay } else { 1.0 });
    let penalty = T::of(if h.decoupled { 0.0 } else { h.weight_decay });
    let state = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK)).zip(dw.par_chunks(CHUNK));
    w.par_chunks_mut(CHUNK).zip(state).for_each(|(w, ((m, v), dw))| {
        for (w, ((m, v), &g)) in w.iter_mut().zip(m.iter_mut().zip(v).zip(dw)) {
            let g = g + penalty * *w;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *w = *w * shrink - step_size * *m / (v.sqrt() / root2 + eps);
        }
    });
}
