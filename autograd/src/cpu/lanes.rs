//! Sums of many values in a fixed order that vectorises: independent lanes, added up at the end. (One chain of `f32`
//! additions would also lose digits.)

use crate::real::Real;

/// Number of lanes: two of the longest vectors of `f32`, whatever the processor has.
const LANES: usize = 32;

/// Σ f(x).
#[inline(always)]
pub(super) fn sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    let (blocks, tail) = x.as_chunks::<LANES>();
    let mut lanes = [T::zero(); LANES];
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += f(block[i]);
        }
    }
    let mut rest = T::zero();
    for &x in tail {
        rest += f(x);
    }
    total(lanes) + rest
}

/// Σ a·b.
#[inline(always)]
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a_blocks, a_tail) = a.as_chunks::<LANES>();
    let (b_blocks, b_tail) = b.as_chunks::<LANES>();
    let mut lanes = [T::zero(); LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let mut rest = T::zero();
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        rest += a * b;
    }
    total(lanes) + rest
}

/// Σ f(a, b, c) and Σ g(a, b, c), in one pass.
#[inline(always)]
pub(super) fn two_sums<T: Real>(
    (a, b, c): (&[T], &[T], &[T]),
    f: impl Fn(T, T, T) -> T,
    g: impl Fn(T, T, T) -> T,
) -> (T, T) {
    let (a_blocks, a_tail) = a.as_chunks::<LANES>();
    let (b_blocks, b_tail) = b.as_chunks::<LANES>();
    let (c_blocks, c_tail) = c.as_chunks::<LANES>();
    let (mut first, mut second) = ([T::zero(); LANES], [T::zero(); LANES]);
    for ((a, b), c) in a_blocks.iter().zip(b_blocks).zip(c_blocks) {
        for i in 0..LANES {
            first[i] += f(a[i], b[i], c[i]);
            second[i] += g(a[i], b[i], c[i]);
        }
    }
    let (mut rest, mut other) = (T::zero(), T::zero());
    for ((&a, &b), &c) in a_tail.iter().zip(b_tail).zip(c_tail) {
        rest += f(a, b, c);
        other += g(a, b, c);
    }
    (total(first) + rest, total(second) + other)
}

/// Combines values with `f`, which must not mind the order, from `start`, which must change nothing: every lane starts there.
#[inline(always)]
pub(super) fn fold<T: Real>(x: &[T], start: T, f: impl Fn(T, T) -> T) -> T {
    let (blocks, tail) = x.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for block in blocks {
        for i in 0..LANES {
            lanes[i] = f(lanes[i], block[i]);
        }
    }
    let mut all = start;
    for &x in lanes.iter().chain(tail) {
        all = f(all, x);
    }
    all
}

/// The lanes added up, halves onto halves.
#[inline(always)]
fn total<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            let other = lanes[i + half];
            lanes[i] += other;
        }
        half /= 2;
    }
    lanes[0]
}
