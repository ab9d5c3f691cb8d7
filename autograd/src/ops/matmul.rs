//! Matrix products.

use crate::device::{Epilogue, MatMul, Reduce, Unary};
use crate::real::Real;
use crate::tape::{Sink, Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::{broadcast, broadcast_or_panic, numel};

impl<T: Real> Tensor<T> {
    /// C = alpha·op(A)·op(B) for `[.., m, k]` and `[.., k, n]`, batch axes broadcast, `op` transposes the last two axes
    /// if asked. Cost 2·m·k·n FLOP per product.
    #[track_caller]
    pub fn matmul(&self, trans_a: bool, other: &Tensor<T>, trans_b: bool, alpha: f64) -> Tensor<T> {
        let Operands { p, a, b, shape } = operands("matmul", (self, trans_a), (other, trans_b), alpha);
        a.matmul_raw(p, &b, Epilogue::None, &shape)
    }

    /// beta·`self` + alpha·op(A)·op(B), where `self` broadcasts to the product's shape; each operand comes with whether
    /// its last two axes are transposed. PyTorch equivalent: `torch.baddbmm(input, a, b, beta=beta, alpha=alpha)`, and
    /// `torch.addmm` for matrices.
    #[track_caller]
    pub fn baddbmm(&self, beta: f64, a: (&Tensor<T>, bool), b: (&Tensor<T>, bool), alpha: f64) -> Tensor<T> {
        let Operands { p, a, b, shape } = operands("baddbmm", a, b, alpha);
        let fits = broadcast(self.shape(), &shape).is_some_and(|both| both == shape);
        assert!(fits, "baddbmm: the input {:?} does not broadcast to the product {shape:?}", self.shape());
        let input = if self.shape() == shape { self.clone() } else { self.expand(&shape) };
        a.matmul_raw(p, &b, Epilogue::Add(beta, &input), &shape)
    }
}

/// A product's sizes, its operands with as many matrices as `p` says, and the shape of its result.
struct Operands<T: Real> {
    p: MatMul,
    a: Tensor<T>,
    b: Tensor<T>,
    shape: Vec<usize>,
}

/// Checks the shapes of a product and broadcasts its batch axes.
#[track_caller]
fn operands<T: Real>(
    op: &str,
    (left, trans_a): (&Tensor<T>, bool),
    (right, trans_b): (&Tensor<T>, bool),
    alpha: f64,
) -> Operands<T> {
    let (a, b) = (left.shape(), right.shape());
    assert!(a.len() >= 2 && b.len() >= 2, "{op}: {a:?} and {b:?} must have two axes at least");
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
        "{op}: inner sizes {k} and {k2} differ ({a:?}{} times {b:?}{})",
        if trans_a { " transposed" } else { "" },
        if trans_b { " transposed" } else { "" }
    );
    let batch = broadcast_or_panic(op, batch_a, batch_b);
    let shape = [&batch[..], &[m, n]].concat();
    let count = numel(&batch);
    let whole = |x: &Tensor<T>, own: &[usize]| -> (Tensor<T>, bool) {
        match numel(own) {
            1 => (x.clone(), count == 1),
            size if size == count => (x.clone(), true),
            _ => (x.expand(&[&batch[..], &x.shape()[own.len()..]].concat()), true),
        }
    };
    let ((a, a_batched), (b, b_batched)) = (whole(left, batch_a), whole(right, batch_b));
    let p = MatMul { batch: count, m, k, n, a_batched, b_batched, trans_a, trans_b, alpha };
    Operands { p, a, b, shape }
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
    /// `[.., m, k]` times `[.., k, n]` (after transposing) to `[.., m, n]`; leading axes broadcast.
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
            add_product_gradients(sink, 0, dy, (&a, trans_a), (&b, trans_b), alpha);
        })
    }

    /// C = beta·`self` + alpha·op(A)·op(B), where `self` broadcasts to the product's shape; each operand comes with
    /// whether its last two axes are transposed. One kernel on devices: a step of the diffusion, X ← α·S·X + (1−α)·Y, is
    /// `y.baddbmm(1.0 - alpha, (&s, false), (&x, false), alpha)`. The gradient of `self` is beta·dC, the others are
    /// those of the product. PyTorch equivalent: `torch.baddbmm(input, a, b, beta=beta, alpha=alpha)`, and `torch.addmm`
    /// for matrices.
    /// `[.., m, k]` times `[.., k, n]` (after transposing) to `[.., m, n]`.
    #[track_caller]
    pub fn baddbmm(&self, beta: f64, a: (&Var<T>, bool), b: (&Var<T>, bool), alpha: f64) -> Var<T> {
        let ((left, trans_a), (right, trans_b)) = (a, b);
        let (a, b) = (left.value().clone(), right.value().clone());
        let y = self.value().baddbmm(beta, (&a, trans_a), (&b, trans_b), alpha);
        record("baddbmm", y, &[self, left, right], move |dy, sink| {
            sink.add(0, || if beta == 1.0 { dy.clone() } else { dy.scale(beta) });
            add_product_gradients(sink, 1, dy, (&a, trans_a), (&b, trans_b), alpha);
        })
    }

    /// y = x·Wᵀ + b over the last axis: x `[.., in]`, W `[out, in]`, b `[out]`, y `[.., out]`;
    /// dx = dy·W, dW = dyᵀ·x, db = Σ dy. PyTorch equivalent: `F.linear(x, weight, bias)`.
    #[track_caller]
    pub fn linear(&self, weight: &Var<T>, bias: Option<&Var<T>>) -> Var<T> {
        let layer = Layer::new("linear", self, weight, bias);
        let epilogue = bias.map_or(Epilogue::None, |bias| Epilogue::Bias(bias.value()));
        let y = layer.x.matmul_raw(layer.p, &layer.w, epilogue, &layer.y_shape());
        let inputs: Vec<&Var<T>> = [self, weight].into_iter().chain(bias).collect();
        record("linear", y, &inputs, move |dy, sink| layer.add_gradients(dy, sink))
    }

    /// gelu(x·Wᵀ + b) with the exact GELU: [`Var::linear`] and [`Var::gelu`] in one kernel on devices.
    ///
    /// Its gradient needs h = x·Wᵀ + b, which the kernel writes beside gelu(h). Keeping h takes no more memory than the
    /// two ops apart, and computing it again would be one more product in six.
    /// PyTorch equivalent: `F.gelu(F.linear(x, weight, bias))`.
    #[track_caller]
    pub fn linear_gelu(&self, weight: &Var<T>, bias: &Var<T>) -> Var<T> {
        let layer = Layer::new("linear_gelu", self, weight, Some(bias));
        let (y, h) = layer.x.matmul_gelu_raw(layer.p, &layer.w, bias.value(), &layer.y_shape());
        record("linear_gelu", y, &[self, weight, bias], move |dy, sink| {
            layer.add_gradients(&dy.unary_backward(Unary::Gelu, Some(&h)), sink);
        })
    }
}

// ANCHOR: gradients
/// Adds the gradients of C = alpha·op(A)·op(B), whose operands are inputs `first` and `first + 1`.
fn add_product_gradients<T: Real>(
    sink: &mut Sink<T>,
    first: usize,
    dy: &Tensor<T>,
    (a, trans_a): (&Tensor<T>, bool),
    (b, trans_b): (&Tensor<T>, bool),
    alpha: f64,
) {
    sink.add(first, || match trans_a {
        false => dy.matmul(false, b, !trans_b, alpha),
        true => b.matmul(trans_b, dy, true, alpha),
    });
    sink.add(first + 1, || match trans_b {
        false => a.matmul(!trans_a, dy, false, alpha),
        true => dy.matmul(true, a, trans_a, alpha),
    });
}
// ANCHOR_END: gradients

/// y = x·Wᵀ + b as one product over all rows of x.
struct Layer<T: Real> {
    p: MatMul,
    /// `[rows, in]`.
    x: Tensor<T>,
    /// `[out, in]`.
    w: Tensor<T>,
    /// `[.., in]`.
    x_shape: Vec<usize>,
    has_bias: bool,
}

impl<T: Real> Layer<T> {
    #[track_caller]
    fn new(op: &str, x: &Var<T>, weight: &Var<T>, bias: Option<&Var<T>>) -> Layer<T> {
        let (x_shape, w) = (x.shape().to_vec(), weight.value().clone());
        assert!(
            w.ndim() == 2 && x_shape.last() == Some(&w.shape()[1]),
            "{op}: input {x_shape:?} does not end in the {:?} of the weight's second axis",
            w.shape()
        );
        let (out, inner) = (w.shape()[0], w.shape()[1]);
        if let Some(bias) = bias {
            assert!(
                bias.shape() == [out],
                "{op}: the bias has shape {:?}, but there are {out} outputs",
                bias.shape()
            );
        }
        let rows = numel(&x_shape[..x_shape.len() - 1]);
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
        Layer { p, x: x.value().with_shape(&[rows, inner]), w, x_shape, has_bias: bias.is_some() }
    }

    fn y_shape(&self) -> Vec<usize> {
        [&self.x_shape[..self.x_shape.len() - 1], &[self.p.n]].concat()
    }

    /// dx, dW and db, given dy `[.., out]`.
    fn add_gradients(&self, dy: &Tensor<T>, sink: &mut Sink<T>) {
        let dy = dy.with_shape(&[self.p.m, self.p.n]);
        sink.add(0, || dy.matmul(false, &self.w, false, 1.0).with_shape(&self.x_shape));
        sink.add(1, || dy.matmul(true, &self.x, false, 1.0));
        if self.has_bias {
            sink.add(2, || dy.reduce(Reduce::Sum, &[0]).with_shape(&[self.p.n]));
        }
    }
}
