//! Elementwise functions and arithmetic with broadcasting.

use crate::device::{Binary, Saved, Unary};
use crate::plain::Mask;
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use std::ops::{Add, Div, Mul, Neg, Sub};

impl<T: Real> Var<T> {
    /// y = f(x); dx = f'(x)·dy.
    #[track_caller]
    fn unary_op(&self, name: &'static str, kind: Unary) -> Var<T> {
        let y = self.value().unary(kind);
        let saved = match kind.saved() {
            Saved::Input => Some(self.value().clone()),
            Saved::Output => Some(y.clone()),
            Saved::Nothing => None,
        };
        record(name, y, &[self], move |dy, sink| sink.add(0, || dy.unary_backward(kind, saved.as_ref())))
    }

    /// −x. PyTorch equivalent: `torch.neg`.
    #[track_caller]
    pub fn neg(&self) -> Var<T> {
        self.unary_op("neg", Unary::Neg)
    }

    /// eˣ. PyTorch equivalent: `torch.exp`.
    #[track_caller]
    pub fn exp(&self) -> Var<T> {
        self.unary_op("exp", Unary::Exp)
    }

    /// ln x. PyTorch equivalent: `torch.log`.
    #[track_caller]
    pub fn log(&self) -> Var<T> {
        self.unary_op("log", Unary::Log)
    }

    /// √x. PyTorch equivalent: `torch.sqrt`.
    #[track_caller]
    pub fn sqrt(&self) -> Var<T> {
        self.unary_op("sqrt", Unary::Sqrt)
    }

    /// |x|, with gradient 0 at 0. PyTorch equivalent: `torch.abs`.
    #[track_caller]
    pub fn abs(&self) -> Var<T> {
        self.unary_op("abs", Unary::Abs)
    }

    /// tanh x. PyTorch equivalent: `torch.tanh`.
    #[track_caller]
    pub fn tanh(&self) -> Var<T> {
        self.unary_op("tanh", Unary::Tanh)
    }

    /// 1/(1 + e⁻ˣ). PyTorch equivalent: `torch.sigmoid`.
    #[track_caller]
    pub fn sigmoid(&self) -> Var<T> {
        self.unary_op("sigmoid", Unary::Sigmoid)
    }

    /// max(x, 0). PyTorch equivalent: `F.relu`.
    #[track_caller]
    pub fn relu(&self) -> Var<T> {
        self.unary_op("relu", Unary::Relu)
    }

    /// x where positive, slope·x elsewhere. PyTorch equivalent: `F.leaky_relu(x, slope)`.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Var<T> {
        self.unary_op("leaky_relu", Unary::LeakyRelu(slope))
    }

    /// x·Φ(x), exact. PyTorch equivalent: `F.gelu(x, approximate='none')`.
    #[track_caller]
    pub fn gelu(&self) -> Var<T> {
        self.unary_op("gelu", Unary::Gelu)
    }

    /// ln(1 + eˣ). PyTorch equivalent: `F.softplus`.
    #[track_caller]
    pub fn softplus(&self) -> Var<T> {
        self.unary_op("softplus", Unary::Softplus)
    }

    /// xᵖ. PyTorch equivalent: `torch.pow(x, p)`.
    #[track_caller]
    pub fn pow(&self, p: f64) -> Var<T> {
        self.unary_op("pow", Unary::Pow(p))
    }

    /// x limited to [low, high]; on the limits and outside, the gradient is 0. PyTorch equivalent: `torch.clamp`.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Var<T> {
        self.unary_op("clamp", Unary::Clamp(low, high))
    }

    /// x + c. PyTorch equivalent: `x + c`.
    #[track_caller]
    pub fn add_scalar(&self, c: f64) -> Var<T> {
        self.unary_op("add_scalar", Unary::AddScalar(c))
    }

    /// c·x. PyTorch equivalent: `x * c`.
    #[track_caller]
    pub fn mul_scalar(&self, c: f64) -> Var<T> {
        self.unary_op("mul_scalar", Unary::MulScalar(c))
    }

    /// a + b with broadcasting. PyTorch equivalent: `torch.add`.
    #[track_caller]
    pub fn add(&self, other: &Var<T>) -> Var<T> {
        let y = self.value().binary(Binary::Add, other.value());
        record("add", y, &[self, other], |dy, sink| {
            sink.add(0, || dy.clone());
            sink.add(1, || dy.clone());
        })
    }

    /// a − b with broadcasting. PyTorch equivalent: `torch.sub`.
    #[track_caller]
    pub fn sub(&self, other: &Var<T>) -> Var<T> {
        let y = self.value().binary(Binary::Sub, other.value());
        record("sub", y, &[self, other], |dy, sink| {
            sink.add(0, || dy.clone());
            sink.add(1, || dy.unary(Unary::Neg));
        })
    }

    // ANCHOR: mul
    /// a·b with broadcasting; da = dy·b, db = dy·a. PyTorch equivalent: `torch.mul`.
    #[track_caller]
    pub fn mul(&self, other: &Var<T>) -> Var<T> {
        let (a, b) = (self.value().clone(), other.value().clone());
        record("mul", a.mul(&b), &[self, other], move |dy, sink| {
            sink.add(0, || dy.mul(&b));
            sink.add(1, || dy.mul(&a));
        })
    }
    // ANCHOR_END: mul

    /// y = a/b with broadcasting; da = dy/b, db = −dy·y/b. PyTorch equivalent: `torch.div`.
    #[track_caller]
    pub fn div(&self, other: &Var<T>) -> Var<T> {
        let b = other.value().clone();
        let y = self.value().div(&b);
        let saved = y.clone();
        record("div", y, &[self, other], move |dy, sink| {
            sink.add(0, || dy.div(&b));
            sink.add(1, || dy.mul(&saved).div(&b).unary(Unary::Neg));
        })
    }

    /// a where the condition holds, else b; all three broadcast. PyTorch equivalent: `torch.where`.
    #[track_caller]
    pub fn where_(condition: &Mask, a: &Var<T>, b: &Var<T>) -> Var<T> {
        let op = "where";
        let shape = crate::tensor::shape::broadcast_or_panic(op, a.shape(), b.shape());
        let shape = crate::tensor::shape::broadcast_or_panic(op, &shape, condition.shape());
        let condition = condition.expand(&shape);
        let y = Tensor::select(&condition, &a.value().expand(&shape), &b.value().expand(&shape));
        record("where", y, &[a, b], move |dy, sink| {
            let zero = dy.full_like(dy.shape(), 0.0);
            sink.add(0, || Tensor::select(&condition, dy, &zero));
            sink.add(1, || Tensor::select(&condition, &zero, dy));
        })
    }
}

impl<T: Real> Neg for &Var<T> {
    type Output = Var<T>;
    #[track_caller]
    fn neg(self) -> Var<T> {
        self.neg()
    }
}

impl<T: Real> Add for &Var<T> {
    type Output = Var<T>;
    #[track_caller]
    fn add(self, other: &Var<T>) -> Var<T> {
        self.add(other)
    }
}

impl<T: Real> Sub for &Var<T> {
    type Output = Var<T>;
    #[track_caller]
    fn sub(self, other: &Var<T>) -> Var<T> {
        self.sub(other)
    }
}

impl<T: Real> Mul for &Var<T> {
    type Output = Var<T>;
    #[track_caller]
    fn mul(self, other: &Var<T>) -> Var<T> {
        self.mul(other)
    }
}

impl<T: Real> Div for &Var<T> {
    type Output = Var<T>;
    #[track_caller]
    fn div(self, other: &Var<T>) -> Var<T> {
        self.div(other)
    }
}
