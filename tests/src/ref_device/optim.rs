//! Optimiser steps from their definitions.

use autograd::device::{AdamStep, SgdStep};

/// (weight, momentum buffer) after one step; the buffer starts as the first gradient.
pub(super) fn sgd(h: SgdStep, w: &[f64], dw: &[f64], m: Option<&[f64]>) -> (Vec<f64>, Vec<f64>) {
    let step = |i: usize| {
        let g = dw[i] + h.weight_decay * w[i];
        let momentum = m.map_or(g, |m| h.momentum * m[i] + g);
        let direction = match h {
            SgdStep { momentum: 0.0, .. } => g,
            SgdStep { nesterov: true, .. } => g + h.momentum * momentum,
            _ => momentum,
        };
        (w[i] - h.lr * direction, momentum)
    };
    (0..w.len()).map(step).unzip()
}

/// (weight, first moment, second moment) after one step.
pub(super) fn adam(
    h: AdamStep,
    w: &[f64],
    dw: &[f64],
    m: &[f64],
    v: &[f64],
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut state = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..w.len() {
        let (shrink, penalty) =
            if h.decoupled { (1.0 - h.lr * h.weight_decay, 0.0) } else { (1.0, h.weight_decay) };
        let g = dw[i] + penalty * w[i];
        let m = h.beta1 * m[i] + (1.0 - h.beta1) * g;
        let v = h.beta2 * v[i] + (1.0 - h.beta2) * g * g;
        let m_hat = m / (1.0 - h.beta1.powf(h.step as f64));
        let v_hat = v / (1.0 - h.beta2.powf(h.step as f64));
        state.0.push(w[i] * shrink - h.lr * m_hat / (v_hat.sqrt() + h.eps));
        state.1.push(m);
        state.2.push(v);
    }
    state
}
