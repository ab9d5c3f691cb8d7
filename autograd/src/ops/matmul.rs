//! Matrix products.

use crate::device::{MatMul, Reduce};
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::{broadcast_or_panic, numel};

impl<T: Real> Tensor<T> {
    /// C = alpha·op(A)·op(B) for `[.., m, k]` and `[.., k, n]`, batch axes broadcast, `op` transposes the last two axes
    /// if asked. Cost 2·m·k·n FLOP per product.
    #[track_caller]
    pub fn matmul(&self, trans_a: bool, other: &Tensor<T>, trans_b: bool, alpha: f64) -> Tensor<T> {
        let (a, b) = (self.shape(), other.shape());
        assert!(a.len() >= 2 && b.len() >= 2, "matmul: {a:?} and {b:?} must have two axes at least");
        let (batch_a, [mut m, mut k]) = split(a);
        let (batch_b, [mut k2, mut n]) = split(b);
        if trans_a {
            (m, k) = (k, m);
        }
        if trans_b {
            (k2, n) = (n, k2);
        }
        assert!(
            k == k2,
            "matmul: inner sizes {k} and {k2} differ ({a:?}{} times {b:?}{})",
            if trans_a { " transposed" } else { "" },
            if trans_b { " transposed" } else { "" }
        );
        let batch = broadcast_or_panic("matmul", batch_a, batch_b);
        let shape = [&batch[..], &[m, n]].concat();
        let count = numel(&batch);
        let whole = |x: &Tensor<T>, own: &[usize]| -> (Tensor<T>, bool) {
            match numel(own) {
                1 => (x.clone(), count == 1),
                size if size == count => (x.clone(), true),
                _ => (x.expand(&[&batch[..], &x.shape()[own.len()..]].concat()), true),
            }
        };
        let ((a, a_batched), (b, b_batched)) = (whole(self, batch_a), whole(other, batch_b));
        let p = MatMul { batch: count, m, k, n, a_batched, b_batched, trans_a, trans_b, alpha };
        a.matmul_raw(p, &b, None, &shape)
    }
}

fn split(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, last) = shape.split_at(shape.len() - 2);
    (batch, [last[0], last[1]])
}

impl<T: Real> Var<T> {
    /// A·B for `[.., m, k]` and `[.., k, n]`; batch axes broadcast. PyTorch equivalent: `a @ b`.
    #[track_caller]
    pub fn matmul(&self, other: &Var<T>) -> Var<T> {
        self.matmul_with(false, other, false, 1.0)
    }

    /// A·Bᵀ for `[.., m, k]` and `[.., n, k]`, without forming Bᵀ. PyTorch equivalent: `a @ b.transpose(-2, -1)`.
    #[track_caller]
    pub fn matmul_t(&self, other: &Var<T>) -> Var<T> {
        self.matmul_with(false, other, true, 1.0)
    }

    /// C = alpha·op(A)·op(B). With C = A·B the gradients are dA = dC·Bᵀ and dB = Aᵀ·dC; a transposed operand's gradient
    /// is the transpose of that, again written as a product with flags.
    #[track_caller]
    pub fn matmul_with(&self, trans_a: bool, other: &Var<T>, trans_b: bool, alpha: f64) -> Var<T> {
        if other.shape().len() == 2 && self.shape().len() > 2 && !trans_a {
            // One matrix for the whole batch: a single tall product, whose dB is a single product too.
            let (lead, k) = self.shape().split_at(self.shape().len() - 1);
            let flat = self.with_shape(&[numel(lead), k[0]]).matmul_with(false, other, trans_b, alpha);
            let shape: Vec<usize> = lead.iter().copied().chain([flat.size(-1)]).collect();
            return flat.with_shape(&shape);
        }
        let (a, b) = (self.value().clone(), other.value().clone());
        record("matmul", a.matmul(trans_a, &b, trans_b, alpha), &[self, other], move |dy, sink| {
            sink.add(0, || match trans_a {
                false => dy.matmul(false, &b, !trans_b, alpha),
                true => b.matmul(trans_b, dy, true, alpha),
            });
            sink.add(1, || match trans_b {
                false => a.matmul(!trans_a, dy, false, alpha),
                true => dy.matmul(true, &a, trans_a, alpha),
            });
        })
    }

    /// y = x·Wᵀ + b over the last axis: x `[.., in]`, W `[out, in]`, b `[out]`, y `[.., out]`;
    /// dx = dy·W, dW = dyᵀ·x, db = Σ dy. PyTorch equivalent: `F.linear(x, weight, bias)`.
    #[track_caller]
    pub fn linear(&self, weight: &Var<T>, bias: Option<&Var<T>>) -> Var<T> {
        let (x_shape, w) = (self.shape().to_vec(), weight.value().clone());
        assert!(
            w.ndim() == 2 && x_shape.last() == Some(&w.shape()[1]),
            "linear: input {x_shape:?} does not end in the {:?} of the weight's second axis",
            w.shape()
        );
        let (out, inner) = (w.shape()[0], w.shape()[1]);
        if let Some(bias) = bias {
            assert!(
                bias.shape() == [out],
                "linear: the bias has shape {:?}, but there are {out} outputs",
                bias.shape()
            );
        }
        let rows = numel(&x_shape[..x_shape.len() - 1]);
        let x = self.value().with_shape(&[rows, inner]);
        let p = MatMul {
            batch: 1,
            m: rows,
            k: inner,
            n: out,
            a_batched: true,
            b_batched: true,
            trans_a: false,
            trans_b: true,
            alpha: 1.0,
        };
        let y_shape = [&x_shape[..x_shape.len() - 1], &[out]].concat();
        let y = x.matmul_raw(p, &w, bias.map(Var::value), &y_shape);
        let inputs: Vec<&Var<T>> = [self, weight].into_iter().chain(bias).collect();
        let has_bias = bias.is_some();
        record("linear", y, &inputs, move |dy, sink| {
            let dy = dy.with_shape(&[rows, out]);
            sink.add(0, || dy.matmul(false, &w, false, 1.0).with_shape(&x_shape));
            sink.add(1, || dy.matmul(true, &x, false, 1.0));
            if has_bias {
                sink.add(2, || dy.reduce(Reduce::Sum, &[0]).with_shape(&[out]));
            }
        })
    }
}
