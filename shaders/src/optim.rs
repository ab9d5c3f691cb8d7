//! Optimiser steps.

use crate::gpu::{Gpu, float, int};
use crate::memory::Block;
use crate::shader::{ADAM, SGD};
use autograd::device::{AdamStep, DeviceResult, SgdStep};

impl Gpu {
    pub(crate) fn sgd_step(
        &self,
        h: SgdStep,
        w: &Block,
        dw: &Block,
        m: Option<&Block>,
    ) -> DeviceResult<(Block, Block)> {
        let (w_new, m_new) = (self.allocate(w.len())?, self.allocate(w.len())?);
        let moving = h.momentum != 0.0;
        let params = [
            int(w.len()),
            float(h.lr),
            float(h.momentum),
            float(h.weight_decay),
            u32::from(h.nesterov && moving),
            u32::from(m.is_some() && moving),
        ];
        self.map(&SGD, &[], &[&w_new, &m_new], &[w, dw, m.unwrap_or(dw)], &params)?;
        Ok((w_new, m_new))
    }

    pub(crate) fn adam_step(
        &self,
        h: AdamStep,
        w: &Block,
        dw: &Block,
        m: &Block,
        v: &Block,
    ) -> DeviceResult<(Block, Block, Block)> {
        let [w_new, m_new, v_new] =
            [self.allocate(w.len())?, self.allocate(w.len())?, self.allocate(w.len())?];
        let step = i32::try_from(h.step).unwrap_or(i32::MAX);
        let (shrink, penalty) =
            if h.decoupled { (1.0 - h.lr * h.weight_decay, 0.0) } else { (1.0, h.weight_decay) };
        let numbers = [
            h.beta1,
            h.beta2,
            1.0 - h.beta1,
            1.0 - h.beta2,
            h.eps,
            h.lr / (1.0 - h.beta1.powi(step)),
            (1.0 - h.beta2.powi(step)).sqrt(),
            shrink,
            penalty,
        ];
        let params = [&[int(w.len())], numbers.map(float).as_slice()].concat();
        self.map(&ADAM, &[], &[&w_new, &m_new, &v_new], &[w, dw, m, v], &params)?;
        Ok((w_new, m_new, v_new))
    }
}
