//! One value in, one value out.

use super::function::*;
use super::recycle::stale;
use super::simd::{Kernel, widest};
use super::{CHUNK, for_chunks};
use crate::device::{Binary, Unary};
use crate::random::Key;
use crate::real::Real;
use rand_chacha::rand_core::Rng;

/// y = f(x).
pub(crate) fn unary<T: Real>(kind: Unary, x: &[T]) -> Vec<T> {
    match kind {
        Unary::Neg => map(x, Scale(-T::one())),
        Unary::Exp => map(x, Exp),
        Unary::Log => map(x, Log),
        Unary::Sqrt => map(x, Sqrt),
        Unary::Abs => map(x, Abs),
        Unary::Tanh => map(x, Tanh),
        Unary::Sigmoid => map(x, Sigmoid),
        Unary::Relu => map(x, Relu),
        Unary::LeakyRelu(slope) => map(x, LeakyRelu(T::of(slope))),
        Unary::Gelu => map(x, Gelu),
        Unary::Softplus => map(x, Softplus),
        Unary::Pow(p) => map(x, Pow(p)),
        Unary::Clamp(low, high) => map(x, Clamp(T::of(low), T::of(high))),
        Unary::AddScalar(c) => map(x, Shift(T::of(c))),
        Unary::MulScalar(c) => map(x, Scale(T::of(c))),
    }
}

/// dx = f'(x)·dy, given x or y = f(x), whichever `kind.saved()` names (where it names nothing, anything of dy's length).
pub(crate) fn unary_backward<T: Real>(kind: Unary, saved: &[T], dy: &[T]) -> Vec<T> {
    match kind {
        Unary::Neg => map_backward(saved, dy, Scale(-T::one())),
        Unary::Exp => map_backward(saved, dy, Exp),
        Unary::Log => map_backward(saved, dy, Log),
        Unary::Sqrt => map_backward(saved, dy, Sqrt),
        Unary::Abs => map_backward(saved, dy, Abs),
        Unary::Tanh => map_backward(saved, dy, Tanh),
        Unary::Sigmoid => map_backward(saved, dy, Sigmoid),
        Unary::Relu => map_backward(saved, dy, Relu),
        Unary::LeakyRelu(slope) => map_backward(saved, dy, LeakyRelu(T::of(slope))),
        Unary::Gelu => map_backward(saved, dy, Gelu),
        Unary::Softplus => map_backward(saved, dy, Softplus),
        Unary::Pow(p) => map_backward(saved, dy, Pow(p)),
        Unary::Clamp(low, high) => map_backward(saved, dy, Clamp(T::of(low), T::of(high))),
        Unary::AddScalar(c) => map_backward(saved, dy, Shift(T::of(c))),
        Unary::MulScalar(c) => map_backward(saved, dy, Scale(T::of(c))),
    }
}

/// y = f(x).
fn map<T: Real, F: Function<T>>(x: &[T], f: F) -> Vec<T> {
    let mut y = stale(x.len());
    for_chunks(&mut y, CHUNK, |first, y| widest(Map { y, x: &x[first..], f }));
    y
}

struct Map<'a, T, F> {
    y: &'a mut [T],
    x: &'a [T],
    f: F,
}

impl<T: Real, F: Function<T>> Kernel for Map<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = self.f.value(x);
        }
    }
}

/// dx = f'(x)·dy.
fn map_backward<T: Real, F: Function<T>>(saved: &[T], dy: &[T], f: F) -> Vec<T> {
    assert!(saved.len() == dy.len(), "backward: {} values saved for {} gradients", saved.len(), dy.len());
    let mut dx = stale(dy.len());
    for_chunks(&mut dx, CHUNK, |first, dx| {
        widest(MapBackward { dx, saved: &saved[first..], dy: &dy[first..], f });
    });
    dx
}

struct MapBackward<'a, T, F> {
    dx: &'a mut [T],
    saved: &'a [T],
    dy: &'a [T],
    f: F,
}

impl<T: Real, F: Function<T>> Kernel for MapBackward<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for ((dx, &saved), &dy) in self.dx.iter_mut().zip(self.saved).zip(self.dy) {
            *dx = self.f.backward(saved, dy);
        }
    }
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
    let total: usize = shape.iter().product();
    let mut y = stale(total);
    if total == 0 {
        return y;
    }
    let walks = super::strided::coalesce(shape, &[sa, sb]);
    let (n, sa, sb) = walks.inner();
    // A long row is cut, a task takes several short ones.
    let (rows, piece) = if n > CHUNK { (1, CHUNK) } else { (super::rows_per_chunk(n), n) };
    for_chunks(&mut y, rows * n, |first, chunk| {
        for (i, y) in chunk.chunks_mut(n).enumerate() {
            let at = walks.offsets(first / n + i);
            for_chunks(y, piece, |first, y| {
                let (a, b) = (&a[at[0] + first * sa as usize..], &b[at[1] + first * sb as usize..]);
                widest(Row { y, a, sa, b, sb, f });
            });
        }
    });
    y
}

/// One row of a broadcast operation; the strides of the innermost axis are 0 or 1.
struct Row<'a, T, F> {
    y: &'a mut [T],
    a: &'a [T],
    sa: isize,
    b: &'a [T],
    sb: isize,
    f: F,
}

impl<T: Real, F: Fn(T, T) -> T> Kernel for Row<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Row { y, a, sa, b, sb, f } = self;
        match (sa, sb) {
            (1, 1) => {
                for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                    *y = f(a, b);
                }
            }
            (1, _) => {
                let b = b[0];
                for (y, &a) in y.iter_mut().zip(a) {
                    *y = f(a, b);
                }
            }
            (_, 1) => {
                let a = a[0];
                for (y, &b) in y.iter_mut().zip(b) {
                    *y = f(a, b);
                }
            }
            _ => y.fill(f(a[0], b[0])),
        }
    }
}

/// sum += x.
pub(crate) fn accumulate<T: Real>(sum: &mut [T], x: &[T]) {
    for_chunks(sum, CHUNK, |first, sum| widest(Accumulate { sum, x: &x[first..] }));
}

struct Accumulate<'a, T> {
    sum: &'a mut [T],
    x: &'a [T],
}

impl<T: Real> Kernel for Accumulate<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (sum, &x) in self.sum.iter_mut().zip(self.x) {
            *sum += x;
        }
    }
}

/// a where the condition holds, else b.
pub(crate) fn select<T: Real>(condition: &[bool], a: &[T], b: &[T]) -> Vec<T> {
    condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c { a } else { b }).collect()
}

/// Dropout mask: 1/keep where word e of the stream lies below floor(keep·2³²), else 0.
pub(crate) fn dropout_mask<T: Real>(len: usize, key: Key, site: u64, keep: f64) -> Vec<T> {
    let threshold = (keep * 4_294_967_296.0).floor() as u64;
    let scale = T::of(1.0 / keep);
    let mut mask = stale(len);
    for_chunks(&mut mask, CHUNK, |first, chunk| {
        let mut rng = key.rng(site);
        rng.set_word_pos(first as u128);
        chunk
            .iter_mut()
            .for_each(|m| *m = if u64::from(rng.next_u32()) < threshold { scale } else { T::zero() });
    });
    mask
}
