//! Functions of one value, arithmetic with broadcasting, and choosing by a condition.

use super::{Input, Row, normal, off_kinks, positive, values};
use autograd::{Mask, Real, Var};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = unary();
    rows.extend(extremes());
    rows.extend(powers());
    rows.extend(kinks());
    rows.extend(arithmetic());
    rows.extend(conditions());
    rows
}

fn unary<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("neg", vec![normal(&[2, 3])], |x| x[0].neg()),
        Row::new("neg: without axes", vec![normal(&[])], |x| -&x[0]),
        Row::new("exp", vec![normal(&[2, 3])], |x| x[0].exp()),
        Row::new("exp: without axes", vec![normal(&[])], |x| x[0].exp()),
        Row::new("log", vec![positive(&[7])], |x| x[0].log()),
        Row::new("log: axes of size 1", vec![positive(&[1, 3, 1])], |x| x[0].log()),
        Row::new("sqrt", vec![positive(&[2, 3])], |x| x[0].sqrt()),
        Row::new("sqrt: one element", vec![positive(&[1])], |x| x[0].sqrt()),
        Row::new("abs", vec![off_kinks(&[2, 5])], |x| x[0].abs()),
        Row::new("abs: three axes", vec![off_kinks(&[3, 1, 2])], |x| x[0].abs()),
        Row::new("tanh", vec![normal(&[2, 3])], |x| x[0].tanh()),
        Row::new("tanh: without axes", vec![normal(&[])], |x| x[0].tanh()),
        Row::new("sigmoid", vec![normal(&[2, 3])], |x| x[0].sigmoid()),
        Row::new("sigmoid: odd size", vec![normal(&[11])], |x| x[0].sigmoid()),
        Row::new("relu", vec![off_kinks(&[2, 5])], |x| x[0].relu()),
        Row::new("relu: four axes", vec![off_kinks(&[1, 2, 3, 1])], |x| x[0].relu()),
        Row::new("leaky_relu", vec![off_kinks(&[2, 5])], |x| x[0].leaky_relu(0.2)),
        Row::new("leaky_relu: negative slope", vec![off_kinks(&[7])], |x| x[0].leaky_relu(-0.5)),
        Row::new("gelu", vec![normal(&[2, 5])], |x| x[0].gelu()),
        Row::new("gelu: odd size", vec![normal(&[13])], |x| x[0].gelu()),
        Row::new("softplus", vec![normal(&[2, 5])], |x| x[0].softplus()),
        Row::new("softplus: without axes", vec![normal(&[])], |x| x[0].softplus()),
        Row::new("clamp", vec![off_kinks(&[3, 5])], |x| x[0].clamp(-1.0, 1.0)),
        Row::new("clamp: below only", vec![off_kinks(&[3, 5])], |x| x[0].clamp(0.0, f64::INFINITY)),
        Row::new("add_scalar", vec![normal(&[2, 3])], |x| x[0].add_scalar(-1.5)),
        Row::new("add_scalar: zero", vec![normal(&[3])], |x| x[0].add_scalar(0.0)),
        Row::new("mul_scalar", vec![normal(&[2, 3])], |x| x[0].mul_scalar(-2.5)),
        Row::new("mul_scalar: one", vec![normal(&[3])], |x| x[0].mul_scalar(1.0)),
        Row::new("mul_scalar: zero", vec![normal(&[3])], |x| x[0].mul_scalar(0.0)),
    ]
}

/// Far out, where a careless formula overflows.
fn extremes<T: Real>() -> Vec<Row<T>> {
    let far = || vec![values(&[-200.0, -30.0, 0.5, 30.0, 200.0], &[5])];
    vec![
        Row::new("tanh: far out", far(), |x| x[0].tanh()),
        Row::new("sigmoid: far out", far(), |x| x[0].sigmoid()),
        Row::new("gelu: far out", far(), |x| x[0].gelu()),
        Row::new("softplus: far out", far(), |x| x[0].softplus()),
    ]
}

fn powers<T: Real>() -> Vec<Row<T>> {
    let with_zero = || vec![values(&[0.0, -1.5, 2.0, 0.5, -0.3], &[5])];
    vec![
        Row::new("pow: square", vec![normal(&[2, 3])], |x| x[0].pow(2.0)),
        Row::new("pow: cube of zero and negative values", with_zero(), |x| x[0].pow(3.0)),
        Row::new("pow: square of zero and negative values", with_zero(), |x| x[0].pow(2.0)),
        Row::new("pow: first power of zero and negative values", with_zero(), |x| x[0].pow(1.0)),
        Row::new("pow: zeroth power of zero and negative values", with_zero(), |x| x[0].pow(0.0)),
        Row::new("pow: inverse of negative values", vec![off_kinks(&[5])], |x| x[0].pow(-1.0)),
        Row::new("pow: inverse square", vec![off_kinks(&[2, 2])], |x| x[0].pow(-2.0)),
        Row::new("pow: root", vec![positive(&[5])], |x| x[0].pow(0.5)),
        Row::new("pow: fractional", vec![positive(&[2, 3])], |x| x[0].pow(2.7)),
        Row::new("pow: negative fractional", vec![positive(&[2, 3])], |x| x[0].pow(-1.5)),
    ]
}

/// Exactly at a kink or on a limit, where the gradient is a convention that every device must share.
fn kinks<T: Real>() -> Vec<Row<T>> {
    let at = || vec![values(&[-1.0, 0.0, 1.0, 0.5], &[4])];
    vec![
        Row::at_kink("abs: at 0", at(), |x| x[0].abs()),
        Row::at_kink("relu: at 0", at(), |x| x[0].relu()),
        Row::at_kink("leaky_relu: at 0", at(), |x| x[0].leaky_relu(0.2)),
        Row::at_kink("clamp: on the limits", at(), |x| x[0].clamp(-1.0, 1.0)),
    ]
}

/// Pairs of shapes that broadcast in different ways.
fn arithmetic<T: Real>() -> Vec<Row<T>> {
    let same = || vec![normal(&[2, 3]), normal(&[2, 3])];
    let outer = || vec![normal(&[3, 1, 2]), normal(&[4, 1])];
    let fewer_axes = || vec![normal(&[5]), normal(&[2, 3, 5])];
    let scalar = || vec![normal(&[2, 3]), normal(&[])];
    let ones = || vec![normal(&[1, 1]), normal(&[1, 3, 1])];
    let over = |a: &[usize], b: &[usize]| -> Vec<Input> { vec![normal(a), off_kinks(b)] };
    vec![
        Row::new("add", same(), |x| x[0].add(&x[1])),
        Row::new("add: both repeat", outer(), |x| &x[0] + &x[1]),
        Row::new("add: fewer axes", fewer_axes(), |x| x[0].add(&x[1])),
        Row::new("add: scalar", scalar(), |x| x[0].add(&x[1])),
        Row::new("add: axes of size 1", ones(), |x| x[0].add(&x[1])),
        Row::new("add: to itself", vec![normal(&[3])], |x| x[0].add(&x[0])),
        Row::new("sub", same(), |x| x[0].sub(&x[1])),
        Row::new("sub: both repeat", outer(), |x| &x[0] - &x[1]),
        Row::new("sub: fewer axes", fewer_axes(), |x| x[0].sub(&x[1])),
        Row::new("sub: scalar", scalar(), |x| x[1].sub(&x[0])),
        Row::new("mul", same(), |x| x[0].mul(&x[1])),
        Row::new("mul: both repeat", outer(), |x| &x[0] * &x[1]),
        Row::new("mul: fewer axes", fewer_axes(), |x| x[0].mul(&x[1])),
        Row::new("mul: scalar", scalar(), |x| x[0].mul(&x[1])),
        Row::new("mul: axes of size 1", ones(), |x| x[0].mul(&x[1])),
        Row::new("mul: by itself", vec![normal(&[3])], |x| x[0].mul(&x[0])),
        Row::new("div", over(&[2, 3], &[2, 3]), |x| x[0].div(&x[1])),
        Row::new("div: both repeat", over(&[3, 1, 2], &[4, 1]), |x| &x[0] / &x[1]),
        Row::new("div: numerator repeats", over(&[5], &[2, 3, 5]), |x| x[0].div(&x[1])),
        Row::new("div: by a scalar", over(&[2, 3], &[]), |x| x[0].div(&x[1])),
    ]
}

fn conditions<T: Real>() -> Vec<Row<T>> {
    let mask = |shape: &[usize]| {
        let len = shape.iter().product();
        Mask::new((0..len).map(|i: usize| i.is_multiple_of(3) || i == 4).collect(), shape)
    };
    let choose = move |shape: &'static [usize]| move |x: &[Var<T>]| Var::where_(&mask(shape), &x[0], &x[1]);
    vec![
        Row::new("where_", vec![normal(&[2, 3]), normal(&[2, 3])], choose(&[2, 3])),
        Row::new("where_: the condition repeats", vec![normal(&[2, 3]), normal(&[2, 3])], choose(&[3])),
        Row::new("where_: the values repeat", vec![normal(&[3, 1]), normal(&[])], choose(&[2, 3, 4])),
        Row::new("where_: all repeat", vec![normal(&[2, 1, 1]), normal(&[4])], choose(&[3, 1])),
    ]
}
