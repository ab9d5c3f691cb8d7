//! The context of one forward pass: parameters, tape, mode and random position, all explicit.

use crate::params::{ParamId, Params};
use crate::random::Key;
use crate::real::Real;
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;
use std::cell::{Cell, RefCell};

/// What a module's `forward` needs besides its input.
///
/// PyTorch equivalents: `model.train()`/`model.eval()`, `torch.no_grad()`, and the global random generator, which here is
/// a value: the same key gives the same dropout masks whatever other passes ran before. Within a pass random layers are
/// counted, so switching one off changes the masks of those after it.
pub struct Ctx<T: Real = f32> {
    params: Params<T>,
    tape: Option<Tape<T>>,
    training: bool,
    key: Key,
    /// Number of the next random site (dropout layer call) in this pass.
    site: Cell<u64>,
    /// The leaf of every parameter used so far.
    leaves: RefCell<Vec<Option<Var<T>>>>,
    /// Buffer values to store after the pass: running statistics.
    updates: RefCell<Vec<(ParamId, Tensor<T>)>>,
}

impl<T: Real> Ctx<T> {
    /// Training: gradients are recorded, dropout is on, batch norm uses and updates statistics of the batch.
    pub fn train(params: &Params<T>, key: Key) -> Ctx<T> {
        Ctx::new(params, Some(Tape::new()), true, key)
    }

    /// Inference: nothing is recorded, dropout is off, batch norm uses its running statistics.
    pub fn eval(params: &Params<T>) -> Ctx<T> {
        Ctx::new(params, None, false, Key::default())
    }

    /// Gradients as in training, layers as in inference: for gradient checks and for explaining a prediction.
    pub fn eval_with_grad(params: &Params<T>) -> Ctx<T> {
        Ctx::new(params, Some(Tape::new()), false, Key::default())
    }

    fn new(params: &Params<T>, tape: Option<Tape<T>>, training: bool, key: Key) -> Ctx<T> {
        let leaves = RefCell::new(vec![None; params.len()]);
        Ctx {
            params: params.clone(),
            tape,
            training,
            key,
            site: Cell::new(0),
            leaves,
            updates: RefCell::default(),
        }
    }

    /// The parameter as a variable; asking twice gives the same leaf, so that its gradients add up.
    pub fn param(&self, id: ParamId) -> Var<T> {
        let mut leaves = self.leaves.borrow_mut();
        let leaf = leaves[id.index()].get_or_insert_with(|| {
            let value = self.params.get(id).clone();
            match &self.tape {
                Some(tape) => tape.param(id, value),
                None => Var::constant(value),
            }
        });
        leaf.clone()
    }

    /// The value of a buffer, with the updates this pass has noted so far: a layer that is used twice in one pass
    /// updates its statistics twice.
    pub fn buffer(&self, id: ParamId) -> Tensor<T> {
        let updates = self.updates.borrow();
        let noted = updates.iter().rev().find(|(other, _)| *other == id);
        noted.map_or_else(|| self.params.get(id), |(_, value)| value).clone()
    }

    /// An input without a gradient, brought to where the parameters live if it comes from the host: pictures, targets.
    /// PyTorch equivalent: `value.to(next(model.parameters()).device)`.
    pub fn constant(&self, value: &Tensor<T>) -> Var<T> {
        let home = self.params.ids().next().filter(|_| value.device().is_none());
        Var::constant(home.map_or_else(|| value.clone(), |id| self.params.get(id).constant_like(value)))
    }

    /// An input whose gradient is wanted (a constant where nothing is recorded).
    #[track_caller]
    pub fn input(&self, value: Tensor<T>) -> Var<T> {
        match &self.tape {
            Some(tape) => tape.leaf(value),
            None => Var::constant(value),
        }
    }

    /// Whether layers behave as in training.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// The random position and a fresh site for one random layer.
    pub fn next_site(&self) -> (Key, u64) {
        let site = self.site.get();
        self.site.set(site + 1);
        (self.key, site)
    }

    /// Notes a buffer's value for after the pass.
    pub fn update_buffer(&self, id: ParamId, value: Tensor<T>) {
        self.updates.borrow_mut().push((id, value));
    }

    /// Ends the pass: the noted buffer values, to be stored with [`Params::apply`].
    pub fn finish(self) -> Vec<(ParamId, Tensor<T>)> {
        self.updates.into_inner()
    }

    /// Activation checkpointing: runs `f` without recording it and runs it again in the backward pass, so that only
    /// its inputs stay in memory. Random layers replay the same masks; buffer updates count once. `f` must be a function
    /// of its arguments: it must give the same result both times, and a variable it captured from outside would get no
    /// gradient, so everything it depends on belongs into `inputs`.
    /// PyTorch equivalent: `torch.utils.checkpoint.checkpoint(f, *inputs)`.
    pub fn checkpoint(
        &self,
        inputs: &[&Var<T>],
        f: impl Fn(&Ctx<T>, &[Var<T>]) -> Var<T> + 'static,
    ) -> Var<T> {
        if self.tape.is_none() {
            return f(self, &inputs.iter().map(|&x| x.clone()).collect::<Vec<_>>());
        }
        let first_site = self.site.get();
        let inner = |tape: Option<Tape<T>>| {
            let ctx = Ctx::new(&self.params, tape, self.training, self.key);
            ctx.site.set(first_site);
            ctx.updates.borrow_mut().clone_from(&self.updates.borrow());
            ctx
        };
        let plain = inner(None);
        let values: Vec<Tensor<T>> = inputs.iter().map(|x| x.value().clone()).collect();
        let y = f(&plain, &values.iter().cloned().map(Var::constant).collect::<Vec<_>>());
        self.site.set(plain.site.get());
        let used: Vec<ParamId> =
            self.params.ids().filter(|id| plain.leaves.borrow()[id.index()].is_some()).collect();

        let leaves: Vec<Var<T>> = used.iter().map(|&id| self.param(id)).collect();
        let all: Vec<&Var<T>> = inputs.iter().copied().chain(&leaves).collect();
        let replay = inner(Some(Tape::new()));
        self.updates.replace(plain.updates.into_inner());
        crate::tape::record("checkpoint", y.value().clone(), &all, move |dy, sink| {
            let again = |(i, value): (usize, Tensor<T>)| {
                if sink.needs(i) { replay.input(value) } else { Var::constant(value) }
            };
            let inputs: Vec<Var<T>> = values.into_iter().enumerate().map(again).collect();
            let y = f(&replay, &inputs);
            if !y.requires_grad() {
                return; // f detached its result
            }
            let grads = y.backward_with(dy.clone());
            for (i, input) in inputs.iter().enumerate() {
                if let Some(gradient) = grads.of(input) {
                    sink.add(i, || gradient.clone());
                }
            }
            for (i, &id) in used.iter().enumerate() {
                if let Some(gradient) = grads.param(id) {
                    sink.add(inputs.len() + i, || gradient.clone());
                }
            }
        })
    }
}
