//! Operations with several results.

use crate::real::Real;
use crate::tape::{Sink, Var, record};
use crate::tensor::Tensor;
use std::cell::RefCell;
use std::rc::Rc;

/// As [`record`] for an operation with several results: `backward` gets the gradients of all of them, in order, zeros for
/// a result that nothing came of.
///
/// On the tape the operation is one line without a value, and each result a line below it. Walking upwards, every result
/// leaves its gradient in a common box; the operation's own line comes last and finds them all there.
#[track_caller]
pub fn record_many<T: Real, const N: usize>(
    name: &'static str,
    values: [Tensor<T>; N],
    inputs: &[&Var<T>],
    backward: impl FnOnce([Tensor<T>; N], &mut Sink<T>) + 'static,
) -> [Var<T>; N] {
    // Its value and gradient mean nothing; passing it up makes the walk visit the operation's line.
    let token = values[0].full_like(&[], 0.0);
    let shapes = values.each_ref().map(|value| value.shape().to_vec());
    let arrived: Rc<RefCell<[Option<Tensor<T>>; N]>> = Rc::new(RefCell::new([const { None }; N]));
    let collect = arrived.clone();
    let operation = record(name, token.clone(), inputs, move |_, sink| {
        let mut arrived = collect.borrow_mut();
        let dy = |i: usize| arrived[i].take().unwrap_or_else(|| token.full_like(&shapes[i], 0.0));
        backward(std::array::from_fn(dy), sink);
    });
    let mut i = 0;
    values.map(|value| {
        let (arrived, own, token) = (arrived.clone(), i, operation.value().clone());
        i += 1;
        record("result", value, &[&operation], move |dy, sink| {
            arrived.borrow_mut()[own] = Some(dy.clone());
            sink.add(0, || token);
        })
    })
}
