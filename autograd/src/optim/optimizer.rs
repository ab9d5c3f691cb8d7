//! SGD, Adam and AdamW as one type.

use super::Group;
use crate::checkpoint::{CheckpointError, HostTensor, LoadReport, TensorFile};
use crate::device::{AdamStep, DeviceError, SgdStep};
use crate::{Grads, ParamId, ParamKind, Params, Real, Tensor};

/// An optimiser: an update rule, parameter groups, and what the rule remembers about each parameter.
///
/// A parameter's state appears with its first gradient, and Adam counts steps per parameter: one that joins late has
/// its own bias correction. Parameters without a gradient are left alone (no weight decay either), as in PyTorch with
/// `grad = None`.
#[derive(Clone)]
pub struct Optimizer<T: Real = f32> {
    rule: Rule,
    groups: Vec<Group>,
    /// By parameter number.
    states: Vec<Option<State<T>>>,
}

#[derive(Clone, Copy)]
enum Rule {
    Sgd { momentum: f64, nesterov: bool },
    Adam { betas: [f64; 2], eps: f64, decoupled: bool },
}

#[derive(Clone)]
enum State<T: Real> {
    Momentum(Tensor<T>),
    Moments { step: u64, exp_avg: Tensor<T>, exp_avg_sq: Tensor<T> },
}

impl<T: Real> Optimizer<T> {
    /// g += λw; m ← μm + g; w −= lr·m, or lr·(g + μm) with Nesterov's look-ahead.
    /// PyTorch equivalent: `SGD(momentum=μ, nesterov=…, weight_decay=λ)`.
    #[track_caller]
    pub fn sgd(momentum: f64, nesterov: bool, weight_decay: f64) -> Optimizer<T> {
        assert!(momentum > 0.0 || !nesterov, "SGD: Nesterov's look-ahead needs momentum");
        Optimizer::with_rule(Rule::Sgd { momentum, nesterov }, weight_decay)
    }

    /// g += λw; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w −= lr·m̂/(√v̂ + eps), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
    /// PyTorch equivalent: `Adam(betas=…, eps=…, weight_decay=λ)`.
    pub fn adam(betas: [f64; 2], eps: f64, weight_decay: f64) -> Optimizer<T> {
        Optimizer::with_rule(Rule::Adam { betas, eps, decoupled: false }, weight_decay)
    }

    /// As Adam, with w ← (1 − lr·λ)w in place of the penalty on the gradient.
    /// PyTorch equivalent: `AdamW(betas=…, eps=…, weight_decay=λ)`.
    pub fn adamw(betas: [f64; 2], eps: f64, weight_decay: f64) -> Optimizer<T> {
        Optimizer::with_rule(Rule::Adam { betas, eps, decoupled: true }, weight_decay)
    }

    fn with_rule(rule: Rule, weight_decay: f64) -> Optimizer<T> {
        Optimizer { rule, groups: vec![Group::new(["*"], 1.0, weight_decay)], states: Vec::new() }
    }

    /// Puts groups before the default one; a parameter belongs to the first that contains it. The first step panics if
    /// one of their patterns fits no parameter.
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = Group>) -> Optimizer<T> {
        let default = self.groups.pop();
        self.groups.extend(groups);
        self.groups.extend(default);
        self
    }

    /// One update in place of every parameter that has a gradient. PyTorch equivalent: `optimizer.step()`, with the learning rate
    /// as an argument.
    #[track_caller]
    pub fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>, lr: f64) {
        if self.states.is_empty() {
            let unmatched = self.groups.iter().find_map(|group| group.unmatched(params));
            assert!(
                unmatched.is_none(),
                "optimizer: no parameter is named {}",
                unmatched.unwrap_or_default()
            );
        }
        self.states.resize(params.len(), None);
        for (id, gradient) in grads.params() {
            if params.kind(id) == ParamKind::Parameter {
                self.update(params, id, gradient, lr);
            }
        }
    }

    fn update(&mut self, params: &mut Params<T>, id: ParamId, gradient: &Tensor<T>, lr: f64) {
        let (lr, weight_decay) = self.group(params.name(id), lr);
        let weight = params.get_mut(id);
        let state = &mut self.states[id.index()];
        match self.rule {
            Rule::Sgd { momentum, nesterov } => {
                let h = SgdStep { lr, momentum, weight_decay, nesterov };
                let mut buffer = match state.take() {
                    Some(State::Momentum(buffer)) => Some(buffer),
                    _ => None,
                };
                weight.sgd_step(h, gradient, &mut buffer);
                *state = buffer.map(State::Momentum);
            }
            Rule::Adam { betas: [beta1, beta2], eps, decoupled } => {
                let (mut step, mut exp_avg, mut exp_avg_sq) = match state.take() {
                    Some(State::Moments { step, exp_avg, exp_avg_sq }) => (step, exp_avg, exp_avg_sq),
                    _ => {
                        let zeros = gradient.full_like(gradient.shape(), 0.0);
                        (0, zeros.clone(), zeros)
                    }
                };
                step += 1;
                let h = AdamStep { lr, beta1, beta2, eps, weight_decay, decoupled, step };
                weight.adam_step(h, gradient, &mut exp_avg, &mut exp_avg_sq);
                *state = Some(State::Moments { step, exp_avg, exp_avg_sq });
            }
        }
    }

    /// Learning rate and weight decay of a parameter.
    fn group(&self, name: &str, lr: f64) -> (f64, f64) {
        let group = self.groups.iter().find(|group| group.contains(name));
        let group = group.expect("the default group contains every name");
        (lr * group.lr_scale, group.weight_decay)
    }

    /// Appends the state for a checkpoint: `momentum_buffer.<name>`, or `step.<name>`, `exp_avg.<name>` and
    /// `exp_avg_sq.<name>`. Rule and groups are not part of it: they come from the configuration.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    pub fn export(&self, params: &Params<T>, file: &mut TensorFile) -> Result<(), DeviceError> {
        for (id, state) in params.ids().zip(&self.states) {
            let name = params.name(id);
            match state {
                None => {}
                Some(State::Momentum(buffer)) => {
                    file.push(format!("momentum_buffer.{name}"), HostTensor::of(buffer)?);
                }
                Some(State::Moments { step, exp_avg, exp_avg_sq }) => {
                    file.push(format!("step.{name}"), HostTensor::count(*step));
                    file.push(format!("exp_avg.{name}"), HostTensor::of(exp_avg)?);
                    file.push(format!("exp_avg_sq.{name}"), HostTensor::of(exp_avg_sq)?);
                }
            }
        }
        Ok(())
    }

    /// Takes the state back from a checkpoint; later steps give the same bits as without the interruption. State of
    /// another rule or another model is an error, and then nothing changes. A file without any state is that of an
    /// optimiser before its first step: it is not an error, and whatever was remembered is forgotten.
    pub fn import(&mut self, params: &Params<T>, file: &TensorFile) -> Result<(), CheckpointError> {
        let kinds: &[&str] = match self.rule {
            Rule::Sgd { .. } => &KINDS[..1],
            Rule::Adam { .. } => &KINDS[1..],
        };
        let mut report = LoadReport { unexpected: foreign(params, file, kinds), ..LoadReport::default() };
        let mut states = vec![None; params.len()];
        for id in params.ids() {
            let found: Vec<Option<&HostTensor>> =
                kinds.iter().map(|kind| file.get(&format!("{kind}.{}", params.name(id)))).collect();
            if found.iter().any(Option::is_some) {
                check(params, id, kinds, &found, &mut report);
                states[id.index()] = State::new(&found, params.get(id));
            }
        }
        if !report.is_exact() {
            return Err(file.mismatch(report));
        }
        self.states = states;
        Ok(())
    }
}

/// What is remembered about a parameter: SGD's one tensor, then Adam's count and two tensors.
const KINDS: [&str; 4] = ["momentum_buffer", "step", "exp_avg", "exp_avg_sq"];

impl<T: Real> State<T> {
    /// From the tensors of a file, to where the parameter `weight` lives; `None` if one is missing.
    fn new(found: &[Option<&HostTensor>], weight: &Tensor<T>) -> Option<State<T>> {
        let place = |tensor: &HostTensor| weight.constant_like(&tensor.to());
        match *found {
            [Some(buffer)] => Some(State::Momentum(place(buffer))),
            [Some(step), Some(exp_avg), Some(exp_avg_sq)] => Some(State::Moments {
                step: step.to::<f64>().as_slice().first().map_or(0, |&step| step as u64),
                exp_avg: place(exp_avg),
                exp_avg_sq: place(exp_avg_sq),
            }),
            _ => None,
        }
    }
}

/// Names in the file that are an optimiser's state, but of another rule or of no parameter.
fn foreign<T: Real>(params: &Params<T>, file: &TensorFile, kinds: &[&str]) -> Vec<String> {
    let is_state = |name: &str| KINDS.iter().any(|kind| split(name, kind).is_some());
    let is_param = |name: &str| params.find(name).is_some();
    // A model may have a module called `step`: its parameters are no state.
    let is_known =
        |name: &str| is_param(name) || kinds.iter().any(|kind| split(name, kind).is_some_and(is_param));
    let names = file.tensors.iter().map(|(name, _)| name);
    names.filter(|name| is_state(name) && !is_known(name)).cloned().collect()
}

/// The parameter's name in `<kind>.<name>`.
fn split<'a>(name: &'a str, kind: &str) -> Option<&'a str> {
    name.strip_prefix(kind)?.strip_prefix('.')
}

/// Notes missing and mis-shaped tensors of one parameter's state.
fn check<T: Real>(
    params: &Params<T>,
    id: ParamId,
    kinds: &[&str],
    found: &[Option<&HostTensor>],
    report: &mut LoadReport,
) {
    for (kind, found) in kinds.iter().zip(found) {
        let name = format!("{kind}.{}", params.name(id));
        let shape = if *kind == "step" { &[] } else { params.get(id).shape() };
        match found {
            None => report.missing.push(name),
            Some(found) if found.shape() != shape => {
                report.misshaped.push((name, shape.to_vec(), found.shape().to_vec()));
            }
            Some(_) => {}
        }
    }
}
