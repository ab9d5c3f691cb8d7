//! Picking rows by number, and its transpose.

use crate::real::Real;

/// Rows of `[_, inner]` picked by number: `[rows.len(), inner]`.
pub(crate) fn gather<T: Real>(x: &[T], rows: &[usize], inner: usize) -> Vec<T> {
    let mut y = Vec::with_capacity(rows.len() * inner);
    rows.iter().for_each(|&row| y.extend_from_slice(&x[row * inner..(row + 1) * inner]));
    y
}

/// Adds row i of dy to row `rows[i]` of `[total, inner]` zeros; in order, so that the sums are reproducible.
pub(crate) fn scatter_add<T: Real>(dy: &[T], rows: &[usize], inner: usize, total: usize) -> Vec<T> {
    let mut dx = vec![T::zero(); total * inner];
    for (i, &row) in rows.iter().enumerate() {
        let target = dx[row * inner..(row + 1) * inner].iter_mut();
        target.zip(&dy[i * inner..]).for_each(|(dx, &dy)| *dx += dy);
    }
    dx
}
