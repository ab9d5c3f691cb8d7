//! Squared distances between points on the unit sphere.

use autograd::Tensor;
use rayon::prelude::*;

/// Below this, 2 − 2·a·b is mostly rounding error (1e-15 or so) and the distance is computed from differences.
const NEAR: f64 = 1e-6;

/// ‖a − b‖² for every row a of `block` `[M, D]` and every row b of `others`, N in all: `[M, N]`, row by row.
///
/// Equal rows have equal distances to the last bit, and the distance 0 to each other, wherever they stand: an element
/// of a matrix product is one sum in one order.
pub(super) fn squared_distances(block: &Tensor<f64>, others: &[Tensor<f64>]) -> Vec<f64> {
    let dim = block.shape()[1];
    let n = others.iter().map(|other| other.shape()[0]).sum();
    let mut distances = vec![0.0; block.shape()[0] * n];
    let mut first = 0;
    for other in others {
        let width = other.shape()[0];
        let products = block.matmul(false, other, true, 1.0); // a·b, [M, width]
        let rows = distances.par_chunks_mut(n).zip(products.as_slice().par_chunks(width));
        rows.zip(block.as_slice().par_chunks(dim)).for_each(|((row, products), a)| {
            let places = row[first..first + width].iter_mut().zip(products);
            for ((distance, product), b) in places.zip(other.as_slice().chunks(dim)) {
                *distance = 2.0 - 2.0 * product;
                if *distance < NEAR {
                    *distance = squared_distance(a, b);
                }
            }
        });
        first += width;
    }
    distances
}

/// ‖a − b‖² from the differences.
pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums: a single one would wait for each addition.
    let mut sums = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += (a[i] - b[i]) * (a[i] - b[i]));
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    sums.into_iter().chain(rest).sum()
}
