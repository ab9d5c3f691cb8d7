//! One value in, one value out; copies and reductions.

use autograd::Real;
use autograd::device::{Binary, Reduce, Unary, View};
use autograd::random::Key;
use rand_chacha::rand_core::Rng;
use std::f64::consts::PI;

/// A parameter of a function, rounded to the type of the tensors.
fn rounded(c: f64) -> f64 {
    f64::from(c as f32)
}

/// f(x).
pub(super) fn unary(kind: Unary, x: f64) -> f64 {
    match kind {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Relu => x.max(0.0),
        Unary::LeakyRelu(slope) => {
            if x > 0.0 {
                x
            } else {
                rounded(slope) * x
            }
        }
        Unary::Gelu => x * normal_cdf(x),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Pow(p) => x.powf(rounded(p)),
        Unary::Clamp(low, high) => x.clamp(rounded(low), rounded(high)),
        Unary::AddScalar(c) => x + rounded(c),
        Unary::MulScalar(c) => x * rounded(c),
    }
}

/// f'(x), given y = f(x) or x, whichever `kind.saved()` names.
pub(super) fn slope(kind: Unary, saved: f64) -> f64 {
    let (x, y) = (saved, saved);
    let choose = |condition: bool, a: f64, b: f64| if condition { a } else { b };
    match kind {
        Unary::Neg => -1.0,
        Unary::Exp => y,
        Unary::Log => 1.0 / x,
        Unary::Sqrt => 0.5 / y,
        Unary::Abs => choose(x == 0.0, 0.0, x.signum()),
        Unary::Tanh => 1.0 - y * y,
        Unary::Sigmoid => y * (1.0 - y),
        Unary::Relu => choose(y <= 0.0, 0.0, 1.0),
        Unary::LeakyRelu(slope) => choose(x > 0.0, 1.0, rounded(slope)),
        Unary::Gelu => normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
        Unary::Softplus => sigmoid(x),
        Unary::Pow(p) => choose(p == 0.0, 0.0, rounded(p) * x.powf(rounded(p) - 1.0)),
        Unary::Clamp(low, high) => choose(x <= rounded(low) || x >= rounded(high), 0.0, 1.0),
        Unary::AddScalar(_) => 1.0,
        Unary::MulScalar(c) => rounded(c),
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn normal_cdf(x: f64) -> f64 {
    x.vnormal().0
}

/// f(a, b) over `shape`.
pub(super) fn binary(
    kind: Binary,
    shape: &[usize],
    a: (&[f64], &[isize]),
    b: (&[f64], &[isize]),
) -> Vec<f64> {
    let at = |(values, strides): (&[f64], &[isize]), index: &[usize]| values[position(0, strides, index)];
    let f = |index: Vec<usize>| {
        let (a, b) = (at(a, &index), at(b, &index));
        match kind {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Equal => f64::from(u8::from(a == b)),
        }
    };
    indices(shape).map(f).collect()
}

/// Copies or adds element by element; asserts that no place is written twice.
pub(super) fn strided_copy(
    shape: &[usize],
    (src, from): (&[f64], &View),
    (mut dst, to): (Vec<f64>, &View),
    accumulate: bool,
) -> Vec<f64> {
    let mut written = vec![false; dst.len()];
    for index in indices(shape) {
        let value = src[position(from.offset, &from.strides, &index)];
        let place = position(to.offset, &to.strides, &index);
        assert!(
            !std::mem::replace(&mut written[place], true),
            "strided copy: place {place} is written twice"
        );
        dst[place] = if accumulate { dst[place] + value } else { value };
    }
    dst
}

/// Every index of a shape in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let index = |mut element: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = element % shape[axis];
            element /= shape[axis];
        }
        index
    };
    (0..shape.iter().product()).map(index)
}

fn position(offset: usize, strides: &[isize], index: &[usize]) -> usize {
    let steps: isize = strides.iter().zip(index).map(|(stride, &i)| stride * i as isize).sum();
    usize::try_from(offset as isize + steps).expect("a walk stays inside its buffer")
}

/// `[outer, len, inner]` to `[outer, inner]`.
pub(super) fn reduce(kind: Reduce, x: &[f64], (outer, len, inner): (usize, usize, usize)) -> Vec<f64> {
    let mut y = Vec::new();
    for o in 0..outer {
        for i in 0..inner {
            let line = (0..len).map(|l| x[(o * len + l) * inner + i]);
            y.push(match kind {
                Reduce::Sum => line.sum(),
                Reduce::Max => line.fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }),
                Reduce::Min => line.fold(f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }),
            });
        }
    }
    y
}

/// 1/keep where the stream's next word is below floor(keep·2³²), else 0.
pub(super) fn dropout_mask(len: usize, key: Key, site: u64, keep: f64) -> Vec<f64> {
    let mut rng = key.rng(site);
    let threshold = (keep * 2f64.powi(32)).floor();
    (0..len).map(|_| if f64::from(rng.next_u32()) < threshold { 1.0 / keep } else { 0.0 }).collect()
}
