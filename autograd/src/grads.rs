//! What a backward sweep returns: gradients as values, and what training does to them before a step.

use crate::device::{DeviceError, Reduce};
use crate::params::{ParamId, Params};
use crate::real::Real;
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// Gradients of one backward sweep.
///
/// PyTorch equivalent: the `.grad` fields, as a value of their own: nothing to zero, nothing to overwrite by accident.
pub struct Grads<T: Real = f32> {
    /// Where the leaves' lines are counted.
    tape: Tape<T>,
    leaves: Vec<Leaf<T>>,
}

/// The gradient of one leaf.
struct Leaf<T: Real> {
    /// Its line on the tape; `None` if the gradient came from another sweep (see [`Grads::accumulate`]).
    line: Option<usize>,
    /// Its id, if the leaf is a parameter.
    param: Option<ParamId>,
    gradient: Tensor<T>,
}

impl<T: Real> Grads<T> {
    /// From (line, gradient) of every leaf reached, last line first, and (id, line) of the parameters on the tape.
    pub(crate) fn new(
        tape: Tape<T>,
        leaves: Vec<(usize, Tensor<T>)>,
        params: &[(ParamId, usize)],
    ) -> Grads<T> {
        let leaf = |(line, gradient): (usize, Tensor<T>)| {
            let found = params.binary_search_by_key(&line, |&(_, place)| place).ok();
            Leaf { line: Some(line), param: found.map(|i| params[i].0), gradient }
        };
        Grads { tape, leaves: leaves.into_iter().rev().map(leaf).collect() }
    }

    /// Gradient of a leaf, or `None` if the result does not depend on it. Also `None` for a constant and for an
    /// intermediate value, whose gradient is gone once it has been passed on. Panics for a leaf of another tape.
    #[track_caller]
    pub fn of(&self, leaf: &Var<T>) -> Option<&Tensor<T>> {
        let line = Some(leaf.line_on(&self.tape)?);
        self.leaves.iter().find(|leaf| leaf.line == line).map(|leaf| &leaf.gradient)
    }

    /// Gradient of a parameter, or `None` if the result does not depend on it.
    pub fn param(&self, id: ParamId) -> Option<&Tensor<T>> {
        self.leaves.iter().find(|leaf| leaf.param == Some(id)).map(|leaf| &leaf.gradient)
    }

    /// Gradients of all parameters that have one, in the order of their first use.
    pub fn params(&self) -> impl Iterator<Item = (ParamId, &Tensor<T>)> {
        self.leaves.iter().filter_map(|leaf| Some((leaf.param?, &leaf.gradient)))
    }

    /// Forgets the gradients of some parameters: they count in no norm, and optimisers leave them as they are.
    /// PyTorch equivalent: `p.requires_grad_(False)` for them.
    pub fn discard(&mut self, params: &[ParamId]) {
        self.leaves.retain(|leaf| leaf.param.is_none_or(|id| !params.contains(&id)));
    }

    /// Adds the parameters' gradients of another sweep: several small batches make a large one. A parameter that only
    /// the other sweep has reached is taken over.
    /// PyTorch equivalent: a second `backward()` without `zero_grad()` in between.
    #[track_caller]
    pub fn accumulate(&mut self, other: &Grads<T>) {
        for (id, gradient) in other.params() {
            match self.leaves.iter_mut().find(|leaf| leaf.param == Some(id)) {
                Some(leaf) => leaf.gradient.accumulate(gradient),
                None => {
                    self.leaves.push(Leaf { line: None, param: Some(id), gradient: gradient.clone() });
                }
            }
        }
    }

    /// Multiplies every gradient by `factor`, those of inputs too: 1/k after accumulating k batches whose losses are means.
    pub fn scale(&mut self, factor: f64) {
        self.map(|gradient| gradient.scale(factor));
    }

    /// Limits the norm ‖g‖₂ over all parameters together: g ← g·max/(‖g‖ + 10⁻⁶) if that factor is below 1 (gradients
    /// of inputs are scaled alike). Returns the norm before, which is the value to log. If it is not finite, a gradient
    /// is not, or its square overflows (in `f32` from about 10¹⁹ on): then nothing is scaled; do not step.
    /// PyTorch equivalent: `clip_grad_norm_(parameters, max)`.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    pub fn clip_norm(&mut self, max: f64) -> Result<f64, DeviceError> {
        let norm = self.norm()?;
        self.limit_norm(norm, max);
        Ok(norm)
    }

    /// The second half of [`Grads::clip_norm`], for a norm that has been read already.
    pub fn limit_norm(&mut self, norm: f64, max: f64) {
        let factor = max / (norm + 1e-6);
        if norm.is_finite() && factor < 1.0 {
            self.scale(factor);
        }
    }

    /// ‖g‖₂ over all parameters together; 0 if there are none.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    pub fn norm(&self) -> Result<f64, DeviceError> {
        self.squared_norm().map_or(Ok(0.0), |square| Ok(square.item()?.f64().sqrt()))
    }

    /// ‖g‖₂² over all parameters together, without axes, where the gradients live: a training step reads it together with
    /// its loss. `None` without parameters. Summed in the parameters' own order: the order of use, which checkpointing
    /// changes, would show in the last bit.
    pub fn squared_norm(&self) -> Option<Tensor<T>> {
        let mut gradients: Vec<(ParamId, &Tensor<T>)> = self.params().collect();
        gradients.sort_by_key(|(id, _)| *id);
        let mut total: Option<Tensor<T>> = None;
        for (_, gradient) in gradients {
            let axes: Vec<usize> = (0..gradient.ndim()).collect();
            let squares = gradient.mul(gradient).reduce(Reduce::Sum, &axes).with_shape(&[]);
            match &mut total {
                Some(total) => total.accumulate(&squares),
                None => total = Some(squares),
            }
        }
        total
    }

    /// Limits every element to [−limit, limit]. PyTorch equivalent: `clip_grad_value_(parameters, limit)`.
    pub fn clip_value(&mut self, limit: f64) {
        self.map(|gradient| gradient.unary(crate::device::Unary::Clamp(-limit, limit)));
    }

    /// Name of the first parameter whose gradient holds NaN or infinity. Reads every gradient to the host.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    pub fn first_non_finite(&self, params: &Params<T>) -> Result<Option<String>, DeviceError> {
        for (id, gradient) in self.params() {
            if gradient.to_host()?.as_slice().iter().any(|x| !x.is_finite()) {
                return Ok(Some(params.name(id).to_owned()));
            }
        }
        Ok(None)
    }

    /// Replaces every gradient by a function of it.
    pub fn map(&mut self, f: impl Fn(&Tensor<T>) -> Tensor<T>) {
        self.leaves.iter_mut().for_each(|leaf| leaf.gradient = f(&leaf.gradient));
    }
}
