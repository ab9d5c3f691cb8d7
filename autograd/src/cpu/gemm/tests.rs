//! Products against three nested loops in `f64`, at the edges of register tiles and blocks.

use super::{Start, matmul, product};
use crate::device::{Epilogue, MatMul};
use crate::random::Key;
use crate::real::Real;
use crate::tensor::Tensor;
use ndarray::{Array2, ArrayView2, ShapeBuilder, s};

/// Where C stands before the product is added.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Zero,
    Old,
    Bias,
}

fn random<T: Real>(len: usize, site: u64) -> Vec<T> {
    Tensor::<T>::randn(&[len], Key::default(), site).as_slice().to_vec()
}

/// `rows × cols` in the middle of a larger matrix, stored by rows or by columns.
struct Stored<T> {
    values: Vec<T>,
    rows: usize,
    cols: usize,
    by_columns: bool,
}

/// Elements around the part.
const MARGIN: usize = 3;

impl<T: Real> Stored<T> {
    fn new(rows: usize, cols: usize, by_columns: bool, site: u64) -> Stored<T> {
        Stored { values: random((rows + MARGIN) * (cols + MARGIN), site), rows, cols, by_columns }
    }

    fn view(&self) -> ArrayView2<'_, T> {
        let whole = (self.rows + MARGIN, self.cols + MARGIN);
        let all = ArrayView2::from_shape(whole.set_f(self.by_columns), &self.values).expect("sizes agree");
        all.slice_move(s![1..1 + self.rows, 2..2 + self.cols])
    }
}

/// alpha·A·B + start, each element with the sum of its terms' sizes, which bounds its rounding error.
fn naive<T: Real>(alpha: f64, a: ArrayView2<T>, b: ArrayView2<T>, start: &Array2<f64>) -> Array2<(f64, f64)> {
    Array2::from_shape_fn(start.dim(), |(i, j)| {
        let terms = a.row(i).into_iter().zip(b.column(j)).map(|(a, b)| alpha * a.f64() * b.f64());
        terms.fold((start[(i, j)], start[(i, j)].abs()), |(sum, size), x| (sum + x, size + x.abs()))
    })
}

/// A product of one size, layout and start against [`naive`]; what lies around C must stay as it was.
fn check<T: Real>([m, n, k]: [usize; 3], by_columns: [bool; 3], before: Before, alpha: f64, tolerance: f64) {
    let what = format!("{m} x {n} x {k}, by columns {by_columns:?}, {before:?}");
    let (a, b) = (Stored::<T>::new(m, k, by_columns[0], 1), Stored::<T>::new(k, n, by_columns[1], 2));
    let (old, bias) = (Stored::<T>::new(m, n, by_columns[2], 3), random::<T>(n, 4));
    let start_values = Array2::from_shape_fn((m, n), |(i, j)| match before {
        Before::Zero => 0.0,
        Before::Old => old.view()[(i, j)].f64(),
        Before::Bias => bias[j].f64(),
    });
    let start = match before {
        Before::Zero => Start::Zero,
        Before::Old => Start::Old,
        Before::Bias => Start::Bias(&bias),
    };
    let whole = (m + MARGIN, n + MARGIN).set_f(by_columns[2]);
    let mut around = Array2::from_shape_vec(whole, old.values.clone()).expect("sizes agree");
    let untouched = around.clone();
    product(T::of(alpha), a.view(), b.view(), start, &mut around.slice_mut(s![1..1 + m, 2..2 + n]));
    let expected = naive(T::of(alpha).f64(), a.view(), b.view(), &start_values);
    for ((i, j), found) in around.indexed_iter() {
        if (1..1 + m).contains(&i) && (2..2 + n).contains(&j) {
            let (expected, size) = expected[(i - 1, j - 2)];
            let apart = (found.f64() - expected).abs();
            assert!(apart <= tolerance * size, "{what}: ({i}, {j}) is {found}, not {expected}");
        } else {
            assert!(*found == untouched[(i, j)], "{what}: ({i}, {j}), which is not C's, was written");
        }
    }
}

/// Rounding errors of sums of up to 400 terms, in units of the type's precision and of the terms' sizes.
fn tolerance<T: Real>() -> f64 {
    if size_of::<T>() == 8 { 2e-14 } else { 1e-5 }
}

fn every_size_and_layout<T: Real>() {
    let sides = [0, 1, 2, 13, 14, 15, 16, 17, 31, 32, 33];
    let mut turn = 0;
    for m in sides {
        for n in sides {
            for k in [0, 1, 2, 33, 385] {
                for layout in 0..4 {
                    let before = [Before::Zero, Before::Old, Before::Bias][turn % 3];
                    let alpha = [1.0, -0.7][turn % 2];
                    turn += 1;
                    let by_columns = [layout & 1 == 1, layout & 2 == 2];
                    // A bias is for rows of C that are contiguous.
                    for c in [false, true] {
                        if !(c && before == Before::Bias) {
                            check::<T>(
                                [m, n, k],
                                [by_columns[0], by_columns[1], c],
                                before,
                                alpha,
                                tolerance::<T>(),
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_size_and_layout_in_f64() {
    every_size_and_layout::<f64>();
}

#[test]
fn every_size_and_layout_in_f32() {
    every_size_and_layout::<f32>();
}

/// More rows, columns and depth than a block has, and strides at which A is copied (4096 bytes less the margin).
#[test]
fn several_blocks() {
    for size in [[171, 7, 20], [65, 259, 3], [337, 270, 390], [70, 100, 1021], [1021, 40, 30]] {
        for layout in 0..4 {
            let by_columns = [layout & 1 == 1, layout & 2 == 2, false];
            for before in [Before::Zero, Before::Old, Before::Bias] {
                check::<f32>(size, by_columns, before, 1.3, tolerance::<f32>());
                check::<f64>(size, by_columns, before, 1.3, tolerance::<f64>());
            }
        }
    }
}

/// The whole driver, shared out among threads and batches.
#[test]
fn batches_and_shares() {
    let sizes = [
        (1, 131, 129, 133),
        (1, 19, 257, 515),
        (1, 3001, 33, 31),
        (9, 61, 47, 45),
        (2, 5, 0, 7),
        (3, 0, 4, 2),
    ];
    for (batch, m, k, n) in sizes {
        for flags in 0..16 {
            let on = |bit: usize| flags >> bit & 1 == 1;
            let (trans_a, trans_b, a_batched, b_batched) =
                (on(0), on(1), on(2) || batch == 1, on(3) || batch == 1);
            let p = MatMul { batch, m, k, n, trans_a, trans_b, a_batched, b_batched, alpha: -0.6 };
            let copies = |batched: bool| if batched { batch } else { 1 };
            let a = random::<f64>(copies(a_batched) * m * k, 1);
            let b = random::<f64>(copies(b_batched) * k * n, 2);
            let (bias, d) = (random::<f64>(n, 3), random::<f64>(batch * m * n, 4));
            let epilogue = match (on(0), on(1)) {
                (false, false) => Epilogue::None,
                (true, _) => Epilogue::Bias(&bias[..]),
                (false, true) => Epilogue::Add(0.3, &d[..]),
            };
            let c = matmul(p, &a, &b, epilogue);
            assert_eq!(c.len(), batch * m * n);
            for (i, c) in c.chunks((m * n).max(1)).enumerate() {
                let part = |x: &[f64], batched: bool, len: usize| {
                    x[if batched { i * len } else { 0 }..][..len].to_vec()
                };
                let (a, b) = (part(&a, a_batched, m * k), part(&b, b_batched, k * n));
                let a = ArrayView2::from_shape((m, k).set_f(trans_a), &a).expect("sizes agree");
                let b = ArrayView2::from_shape((k, n).set_f(trans_b), &b).expect("sizes agree");
                let start = Array2::from_shape_fn((m, n), |(row, j)| match epilogue {
                    Epilogue::None => 0.0,
                    Epilogue::Bias(bias) => bias[j],
                    Epilogue::Add(beta, d) => beta * d[(i * m + row) * n + j],
                });
                for (found, (expected, size)) in c.iter().zip(naive(-0.6, a, b, &start)) {
                    assert!((found - expected).abs() <= 2e-14 * size, "{p:?}: {found}, not {expected}");
                }
            }
        }
    }
}
