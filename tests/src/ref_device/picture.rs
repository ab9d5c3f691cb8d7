//! Pooling and resizing of pictures, pixel by pixel.

use autograd::device::{Pool, PoolGeometry, ResizeGeometry, Tap};

/// Largest value or mean of every window.
pub(super) fn pool(g: &PoolGeometry, x: &[f64]) -> Vec<f64> {
    let value = |window: Vec<usize>| match g.kind {
        Pool::Max => x[first_max(x, &window)],
        Pool::Avg => window.iter().map(|&at| x[at]).sum::<f64>() / divisor(g, &window),
    };
    windows(g).map(value).collect()
}

/// dy to the first maximum of its window, or in equal shares to all pixels.
pub(super) fn pool_backward(g: &PoolGeometry, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; x.len()];
    for (window, dy) in windows(g).zip(dy) {
        match g.kind {
            Pool::Max => dx[first_max(x, &window)] += dy,
            Pool::Avg => window.iter().for_each(|&at| dx[at] += dy / divisor(g, &window)),
        }
    }
    dx
}

/// The pixels of every output's window, in the order of the outputs.
fn windows(g: &PoolGeometry) -> impl Iterator<Item = Vec<usize>> {
    let [h, w] = g.input;
    let window = move |plane: usize, (top, bottom): (usize, usize), (left, right): (usize, usize)| {
        (top..bottom).flat_map(move |y| (left..right).map(move |x| (plane * h + y) * w + x)).collect()
    };
    (0..g.planes).flat_map(move |plane| {
        g.rows.iter().flat_map(move |&rows| g.cols.iter().map(move |&cols| window(plane, rows, cols)))
    })
}

fn first_max(x: &[f64], window: &[usize]) -> usize {
    window
        .iter()
        .copied()
        .reduce(|best, at| if x[at] > x[best] { at } else { best })
        .expect("a window has pixels")
}

fn divisor(g: &PoolGeometry, window: &[usize]) -> f64 {
    g.divisor.unwrap_or(window.len()) as f64
}

/// y += weight·x over all terms.
pub(super) fn resize(g: &ResizeGeometry, x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; g.planes * g.rows.len() * g.cols.len()];
    for_each_term(g, |from, to, weight| y[to] += weight * x[from]);
    y
}

/// dx += weight·dy over all terms.
pub(super) fn resize_backward(g: &ResizeGeometry, dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; g.planes * g.input[0] * g.input[1]];
    for_each_term(g, |from, to, weight| dx[from] += weight * dy[to]);
    dx
}

/// The four sources of every output pixel: `visit(from, to, weight)`.
fn for_each_term(g: &ResizeGeometry, mut visit: impl FnMut(usize, usize, f64)) {
    let [h, w] = g.input;
    let mut to = 0;
    for plane in 0..g.planes {
        for row in &g.rows {
            for col in &g.cols {
                for (y, row_weight) in sources(row) {
                    for (x, col_weight) in sources(col) {
                        visit((plane * h + y) * w + x, to, row_weight * col_weight);
                    }
                }
                to += 1;
            }
        }
    }
}

fn sources(tap: &Tap) -> [(usize, f64); 2] {
    [(tap.low, 1.0 - tap.weight), (tap.high, tap.weight)]
}
