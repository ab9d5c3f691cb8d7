//! The tape: everything reverse-mode differentiation needs, in one file.
//!
//! A [`Var`] is a value that remembers. Every op computes its value and, if one of its inputs is on a tape, writes one
//! line there: its name, where its inputs stand, and a function that turns the gradient of its output into gradients of
//! its inputs. That list of lines (a *Wengert list*) is already in the right order: an op's inputs always stand above
//! it. So differentiation is one walk from the bottom to the top:
//!
//! ```text
//!   forward                        backward (from the bottom up)
//!   0  leaf x                      dx  arrives here, from line 2
//!   1  leaf w                      dw  arrives here, from line 2
//!   2  mul   x, w   -> y           dx += dy·w,  dw += dy·x
//!   3  sum   y      -> loss        dy += dloss·1;  start with dloss = 1
//! ```
//!
//! Nothing is zeroed beforehand and nothing is left over: gradients of intermediate values live from the line that
//! first contributes to them until their own line has passed them on, and what a line saved is freed with it.

use crate::device::View;
use crate::grads::Grads;
use crate::params::ParamId;
use crate::real::Real;
use crate::tensor::Tensor;
use crate::tensor::shape::broadcast;
use std::cell::RefCell;
use std::rc::Rc;

/// A list of recorded operations. Cloning it gives another name to the same list.
#[derive(Clone)]
pub struct Tape<T: Real = f32>(Rc<RefCell<Lines<T>>>);

struct Lines<T: Real> {
    nodes: Vec<Node<T>>,
    params: Vec<(ParamId, usize)>,
    swept: bool,
}

struct Node<T: Real> {
    name: &'static str,
    shape: Vec<usize>,
    inputs: Vec<Option<usize>>,
    /// `None` for leaves.
    backward: Option<Backward<T>>,
}

type Backward<T> = Box<dyn FnOnce(&Tensor<T>, &mut Sink<T>)>;

/// A value with a memory: a [`Tensor`] and, unless it is a constant, its line on a tape.
///
/// PyTorch equivalent: a `torch.Tensor` that may require a gradient.
#[derive(Clone)]
pub struct Var<T: Real = f32> {
    value: Tensor<T>,
    node: Option<(Tape<T>, usize)>,
}

impl<T: Real> Default for Tape<T> {
    fn default() -> Tape<T> {
        Tape(Rc::new(RefCell::new(Lines { nodes: Vec::new(), params: Vec::new(), swept: false })))
    }
}

impl<T: Real> Tape<T> {
    /// An empty tape.
    pub fn new() -> Tape<T> {
        Tape::default()
    }

    /// Puts a value on the tape whose gradient is wanted. PyTorch equivalent: `x.requires_grad_()`.
    #[track_caller]
    pub fn leaf(&self, value: Tensor<T>) -> Var<T> {
        self.push(value, Node { name: "leaf", shape: Vec::new(), inputs: Vec::new(), backward: None })
    }

    /// As [`Tape::leaf`], for a parameter: its gradient is found by its id.
    #[track_caller]
    pub(crate) fn param(&self, id: ParamId, value: Tensor<T>) -> Var<T> {
        let var = self.leaf(value);
        let place = var.node.as_ref().expect("a leaf is on its tape").1;
        self.0.borrow_mut().params.push((id, place));
        var
    }

    /// Names of the recorded operations, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.borrow().nodes.iter().map(|node| node.name).collect()
    }

    #[track_caller]
    fn push(&self, value: Tensor<T>, node: Node<T>) -> Var<T> {
        let mut lines = self.0.borrow_mut();
        assert!(!lines.swept, "{}: this tape has been used by backward(); record on a new one", node.name);
        let place = lines.nodes.len();
        lines.nodes.push(Node { shape: value.shape().to_vec(), ..node });
        Var { value, node: Some((self.clone(), place)) }
    }
}

/// Records one operation: the way every op, built in or user-defined, enters the tape.
///
/// `value` is the result computed from `inputs`. `backward` gets the gradient of the result, dy, and hands the sink the
/// gradient of every input. If no input is on a tape nothing is recorded, and what the closure captured is dropped.
#[track_caller]
pub fn record<T: Real>(
    name: &'static str,
    value: Tensor<T>,
    inputs: &[&Var<T>],
    backward: impl FnOnce(&Tensor<T>, &mut Sink<T>) + 'static,
) -> Var<T> {
    let Some((tape, _)) = inputs.iter().find_map(|input| input.node.as_ref()) else {
        return Var::constant(value);
    };
    for (other, _) in inputs.iter().filter_map(|input| input.node.as_ref()) {
        assert!(Rc::ptr_eq(&tape.0, &other.0), "{name}: the inputs are on different tapes");
    }
    let inputs = inputs.iter().map(|input| Some(input.node.as_ref()?.1)).collect();
    tape.push(value, Node { name, shape: Vec::new(), inputs, backward: Some(Box::new(backward)) })
}

/// Where a backward function puts the gradients of its inputs.
pub struct Sink<'a, T: Real> {
    op: &'static str,
    grads: &'a mut [Option<Tensor<T>>],
    above: &'a [Node<T>],
    inputs: &'a [Option<usize>],
}

impl<T: Real> Sink<'_, T> {
    /// Whether input `i` wants a gradient at all.
    pub fn needs(&self, i: usize) -> bool {
        self.inputs[i].is_some()
    }

    /// Adds a gradient for input `i`. The function runs only if that input is on the tape; the first contribution is
    /// moved in, later ones are added in place, and axes that the op broadcast are summed away. Panics unless the
    /// gradient has the input's shape or one to which that broadcasts.
    pub fn add(&mut self, i: usize, gradient: impl FnOnce() -> Tensor<T>) {
        let Some(place) = self.inputs[i] else { return };
        let (gradient, shape) = (gradient(), &self.above[place].shape);
        assert!(
            broadcast(shape, gradient.shape()).is_some_and(|both| both == gradient.shape()),
            "{}: the gradient of input {i} has shape {:?}, the input {shape:?}",
            self.op,
            gradient.shape()
        );
        let gradient = gradient.sum_to(shape);
        match &mut self.grads[place] {
            Some(sum) => sum.accumulate(&gradient),
            empty => *empty = Some(gradient),
        }
    }

    /// As [`Sink::add`] for the elements of input `i` walked by `window`, which has the gradient's shape; the others get
    /// nothing. Several slices of one tensor so add up in one gradient, each touching its own part of it only.
    pub fn add_to_window(&mut self, i: usize, window: &View, gradient: impl FnOnce() -> Tensor<T>) {
        let Some(place) = self.inputs[i] else { return };
        let (sum, shape) = (self.grads[place].take(), &self.above[place].shape);
        self.grads[place] = Some(gradient().place(sum, shape, window, true));
    }
}

impl<T: Real> Var<T> {
    /// A value without memory. PyTorch equivalent: a tensor with `requires_grad=False`.
    pub fn constant(value: Tensor<T>) -> Var<T> {
        Var { value, node: None }
    }

    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// Size of an axis; negative axes count from the back.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.value.size(axis)
    }

    /// The same value without memory: no gradient flows through it. PyTorch equivalent: `Tensor.detach`.
    pub fn detach(&self) -> Var<T> {
        Var::constant(self.value.clone())
    }

    /// Whether a gradient can flow to this value. PyTorch equivalent: `Tensor.requires_grad`.
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// Gradients of this value, which must have one element, with respect to every leaf and parameter on its tape.
    /// PyTorch equivalent: `Tensor.backward`, with the gradients returned instead of stored.
    #[track_caller]
    pub fn backward(&self) -> Grads<T> {
        assert!(
            self.value.numel() == 1,
            "backward: the value has shape {:?}, not one element; reduce it or use backward_with",
            self.shape()
        );
        self.backward_with(self.value.full_like(self.shape(), 1.0))
    }

    /// As [`Var::backward`] for a value of any shape, given the gradient `dy` of something with respect to it.
    /// PyTorch equivalent: `Tensor.backward(gradient)`.
    #[track_caller]
    pub fn backward_with(&self, dy: Tensor<T>) -> Grads<T> {
        assert!(
            dy.shape() == self.shape(),
            "backward: dy has shape {:?}, the value {:?}",
            dy.shape(),
            self.shape()
        );
        let (tape, last) =
            self.node.as_ref().expect("backward: the value is a constant; none of its inputs was on a tape");
        let mut lines = tape.0.borrow_mut();
        assert!(!lines.swept, "backward: this tape has been used already; record the computation again");
        lines.swept = true;
        let (mut nodes, params) = (std::mem::take(&mut lines.nodes), std::mem::take(&mut lines.params));
        drop(lines);

        // ANCHOR: sweep
        let mut grads: Vec<Option<Tensor<T>>> = vec![None; nodes.len()];
        let mut leaves = Vec::new();
        grads[*last] = Some(dy);
        while let Some(node) = nodes.pop() {
            let Some(dy) = grads.pop().flatten() else { continue };
            match node.backward {
                None => leaves.push((nodes.len(), dy)),
                Some(backward) => {
                    let (op, inputs) = (node.name, &node.inputs);
                    backward(&dy, &mut Sink { op, grads: &mut grads, above: &nodes, inputs });
                }
            }
        }
        // ANCHOR_END: sweep
        Grads::new(tape.clone(), leaves, &params)
    }

    /// Line of this value on `tape`; `None` for a constant. Panics for a value of another tape.
    #[track_caller]
    pub(crate) fn line_on(&self, tape: &Tape<T>) -> Option<usize> {
        let (own, line) = self.node.as_ref()?;
        assert!(Rc::ptr_eq(&own.0, &tape.0), "the value is on another tape than these gradients");
        Some(*line)
    }
}
