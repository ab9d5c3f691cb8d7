//! One value in, one value out.

use super::{CHUNK, for_chunks};
use crate::device::{Binary, Unary};
use crate::random::Key;
use crate::real::Real;
use rand_chacha::rand_core::Rng;

/// y = f(x).
pub(crate) fn unary<T: Real>(kind: Unary, x: &[T]) -> Vec<T> {
    let zero = T::zero();
    match kind {
        Unary::Neg => map(x, |x| -x),
        Unary::Exp => map(x, T::exp),
        Unary::Log => map(x, T::ln),
        Unary::Sqrt => map(x, T::sqrt),
        Unary::Abs => map(x, T::abs),
        Unary::Tanh => map(x, T::tanh),
        Unary::Sigmoid => map(x, sigmoid),
        // `if` rather than `max`, so that NaN goes through instead of turning into 0.
        Unary::Relu => map(x, |x| if x <= zero { zero } else { x }),
        Unary::LeakyRelu(slope) => {
            let slope = T::of(slope);
            map(x, move |x| if x > zero { x } else { slope * x })
        }
        Unary::Gelu => map(x, |x| x * x.vnormal().0),
        Unary::Softplus => map(x, |x| {
            let positive = if x <= zero { zero } else { x };
            positive + (-x.abs()).exp().ln_1p()
        }),
        Unary::Pow(p) => power(x, p),
        Unary::Clamp(low, high) => {
            let (low, high) = (T::of(low), T::of(high));
            map(x, move |x| {
                if x < low {
                    low
                } else if x > high {
                    high
                } else {
                    x
                }
            })
        }
        Unary::AddScalar(c) => {
            let c = T::of(c);
            map(x, move |x| x + c)
        }
        Unary::MulScalar(c) => {
            let c = T::of(c);
            map(x, move |x| x * c)
        }
    }
}

/// dx = f'(x)·dy, given x and y = f(x).
pub(crate) fn unary_backward<T: Real>(kind: Unary, x: &[T], y: &[T], dy: &[T]) -> Vec<T> {
    let (zero, one) = (T::zero(), T::one());
    match kind {
        Unary::Neg => map(dy, |dy| -dy),
        Unary::Exp => map2(y, dy, |y, dy| y * dy),
        Unary::Log => map2(x, dy, |x, dy| dy / x),
        Unary::Sqrt => map2(y, dy, |y, dy| dy / (y + y)),
        Unary::Abs => map2(x, dy, |x, dy| {
            if x > zero {
                dy
            } else if x < zero {
                -dy
            } else {
                x * zero
            }
        }),
        Unary::Tanh => map2(y, dy, |y, dy| dy * (one - y * y)),
        Unary::Sigmoid => map2(y, dy, |y, dy| dy * y * (one - y)),
        // As in the forward pass, NaN is not hidden: dy goes through.
        Unary::Relu => map2(x, dy, |x, dy| if x <= zero { zero } else { dy }),
        Unary::LeakyRelu(slope) => {
            let slope = T::of(slope);
            map2(x, dy, move |x, dy| if x > zero { dy } else { slope * dy })
        }
        Unary::Gelu => map2(x, dy, |x, dy| {
            let (cdf, density) = x.vnormal();
            dy * (cdf + x * density)
        }),
        Unary::Softplus => map2(x, dy, |x, dy| dy * sigmoid(x)),
        // 0·x⁻¹ would be NaN at x = 0.
        Unary::Pow(0.0) => vec![zero; dy.len()],
        Unary::Pow(p) => {
            let (p, slope) = (T::of(p), power(x, p - 1.0));
            map2(&slope, dy, move |slope, dy| p * slope * dy)
        }
        Unary::Clamp(low, high) => {
            let (low, high) = (T::of(low), T::of(high));
            map2(x, dy, move |x, dy| if x <= low || x >= high { zero } else { dy })
        }
        Unary::AddScalar(_) => dy.to_vec(),
        Unary::MulScalar(c) => {
            let c = T::of(c);
            map(dy, move |dy| dy * c)
        }
    }
}

/// xᵖ; whole powers multiply, which is exact in the sign and several times faster than `powf`.
fn power<T: Real>(x: &[T], p: f64) -> Vec<T> {
    if p.fract() == 0.0 && p.abs() <= 64.0 {
        map(x, |x| x.powi(p as i32))
    } else {
        let p = T::of(p);
        map(x, move |x| x.powf(p))
    }
}

/// 1/(1 + e⁻ˣ) without overflow: the exponent is never positive.
fn sigmoid<T: Real>(x: T) -> T {
    let e = (-x.abs()).exp();
    let small = e / (T::one() + e);
    if x >= T::zero() { T::one() / (T::one() + e) } else { small }
}

/// y = f(a, b) over `shape`, operands walked by strides (0 along broadcast axes).
pub(crate) fn binary<T: Real>(
    kind: Binary,
    shape: &[usize],
    a: (&[T], &[isize]),
    b: (&[T], &[isize]),
) -> Vec<T> {
    match kind {
        Binary::Add => broadcast(shape, a, b, |a, b| a + b),
        Binary::Sub => broadcast(shape, a, b, |a, b| a - b),
        Binary::Mul => broadcast(shape, a, b, |a, b| a * b),
        Binary::Div => broadcast(shape, a, b, |a, b| a / b),
        Binary::Equal => broadcast(shape, a, b, |a, b| if a == b { T::one() } else { T::zero() }),
    }
}

fn broadcast<T: Real>(
    shape: &[usize],
    (a, sa): (&[T], &[isize]),
    (b, sb): (&[T], &[isize]),
    f: impl Fn(T, T) -> T + Sync + Send + Copy,
) -> Vec<T> {
    let walks = super::strided::coalesce(shape, &[sa, sb]);
    let (n, sa, sb) = walks.inner();
    let total: usize = shape.iter().product();
    let mut y = vec![T::zero(); total];
    if total == 0 {
        return y;
    }
    let rows = super::rows_per_chunk(n);
    for_chunks(&mut y, rows * n, |first, chunk| {
        for (i, y) in chunk.chunks_mut(n).enumerate() {
            let at = walks.offsets(first / n + i);
            row(y, &a[at[0]..], sa, &b[at[1]..], sb, f);
        }
    });
    y
}

/// One row of a broadcast operation; the strides of the innermost axis are 0 or 1 (anything else is walked plainly).
fn row<T: Real>(y: &mut [T], a: &[T], sa: isize, b: &[T], sb: isize, f: impl Fn(T, T) -> T) {
    match (sa, sb) {
        (1, 1) => y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = f(a, b)),
        (1, 0) => y.iter_mut().zip(a).for_each(|(y, &a)| *y = f(a, b[0])),
        (0, 1) => y.iter_mut().zip(b).for_each(|(y, &b)| *y = f(a[0], b)),
        _ => y.iter_mut().enumerate().for_each(|(i, y)| *y = f(a[i * sa as usize], b[i * sb as usize])),
    }
}

/// sum += x.
pub(crate) fn accumulate<T: Real>(sum: &mut [T], x: &[T]) {
    for_chunks(sum, CHUNK, |first, chunk| {
        chunk.iter_mut().zip(&x[first..]).for_each(|(sum, &x)| *sum += x);
    });
}

/// a where the condition holds, else b.
pub(crate) fn select<T: Real>(condition: &[bool], a: &[T], b: &[T]) -> Vec<T> {
    condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c { a } else { b }).collect()
}

/// Dropout mask: 1/keep where word e of the stream lies below floor(keep·2³²), else 0.
pub(crate) fn dropout_mask<T: Real>(len: usize, key: Key, site: u64, keep: f64) -> Vec<T> {
    let threshold = (keep * 4_294_967_296.0).floor() as u64;
    let scale = T::of(1.0 / keep);
    let mut mask = vec![T::zero(); len];
    for_chunks(&mut mask, CHUNK, |first, chunk| {
        let mut rng = key.rng(site);
        rng.set_word_pos(first as u128);
        chunk
            .iter_mut()
            .for_each(|m| *m = if u64::from(rng.next_u32()) < threshold { scale } else { T::zero() });
    });
    mask
}

fn map<T: Real>(x: &[T], f: impl Fn(T) -> T + Sync + Send) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    for_chunks(&mut y, CHUNK, |first, chunk| {
        chunk.iter_mut().zip(&x[first..]).for_each(|(y, &x)| *y = f(x));
    });
    y
}

fn map2<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync + Send) -> Vec<T> {
    let mut y = vec![T::zero(); a.len()];
    for_chunks(&mut y, CHUNK, |first, chunk| {
        chunk.iter_mut().zip(a[first..].iter().zip(&b[first..])).for_each(|(y, (&a, &b))| *y = f(a, b));
    });
    y
}
