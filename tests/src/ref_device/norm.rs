//! Softmax and normalisations from their definitions.

use autograd::device::ChannelNorm;

/// Softmax of rows, or its logarithm.
pub(super) fn softmax(x: &[f64], n: usize, log: bool) -> Vec<f64> {
    let row = |row: &[f64]| -> Vec<f64> {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + row.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
        row.iter().map(|x| if log { x - log_sum } else { (x - log_sum).exp() }).collect()
    };
    x.chunks(n).flat_map(row).collect()
}

/// dx[i] = Σⱼ dy[j]·∂y[j]/∂x[i]: with p = softmax, ∂pⱼ/∂xᵢ = pⱼ(δᵢⱼ − pᵢ) and ∂ln pⱼ/∂xᵢ = δᵢⱼ − pᵢ.
pub(super) fn softmax_backward(y: &[f64], dy: &[f64], n: usize, log: bool) -> Vec<f64> {
    let row = |(y, dy): (&[f64], &[f64])| -> Vec<f64> {
        let p = |i: usize| if log { y[i].exp() } else { y[i] };
        let delta = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
        let slope = |i: usize, j: usize| if log { delta(i, j) - p(i) } else { p(j) * (delta(i, j) - p(i)) };
        (0..y.len()).map(|i| (0..y.len()).map(|j| dy[j] * slope(i, j)).sum()).collect()
    };
    y.chunks(n).zip(dy.chunks(n)).flat_map(row).collect()
}

/// Mean and biased variance.
fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
}

/// dx of x̂ = (x − μ)/σ over one set: (dx̂ − mean(dx̂) − x̂·mean(x̂·dx̂))/σ.
fn normalize_backward(xhat: &[f64], rstd: f64, dxhat: &[f64]) -> Vec<f64> {
    let n = xhat.len() as f64;
    let mean = dxhat.iter().sum::<f64>() / n;
    let slope = xhat.iter().zip(dxhat).map(|(x, d)| x * d).sum::<f64>() / n;
    xhat.iter().zip(dxhat).map(|(x, d)| rstd * (d - mean - x * slope)).collect()
}

/// Rows of `n`: (x̂·w + b, μ, 1/σ).
pub(super) fn normalize_rows(
    x: &[f64],
    n: usize,
    eps: f64,
    affine: Option<(&[f64], &[f64])>,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut y, mut means, mut rstds) = (Vec::new(), Vec::new(), Vec::new());
    for row in x.chunks(n) {
        let (mean, var) = moments(row);
        let rstd = 1.0 / (var + eps).sqrt();
        for (i, x) in row.iter().enumerate() {
            let (w, b) = affine.map_or((1.0, 0.0), |(w, b)| (w[i], b[i]));
            y.push((x - mean) * rstd * w + b);
        }
        means.push(mean);
        rstds.push(rstd);
    }
    (y, means, rstds)
}

/// dx of `normalize_rows`, and dw and db.
pub(super) fn normalize_rows_backward(
    x: &[f64],
    (mean, rstd): (&[f64], &[f64]),
    w: Option<&[f64]>,
    dy: &[f64],
    n: usize,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut dx, mut dw, mut db) = (Vec::new(), vec![0.0; n], vec![0.0; n]);
    for (r, (x, dy)) in x.chunks(n).zip(dy.chunks(n)).enumerate() {
        let xhat: Vec<f64> = x.iter().map(|x| (x - mean[r]) * rstd[r]).collect();
        let dxhat: Vec<f64> = (0..n).map(|i| dy[i] * w.map_or(1.0, |w| w[i])).collect();
        dx.extend(normalize_backward(&xhat, rstd[r], &dxhat));
        for i in 0..n {
            dw[i] += dy[i] * xhat[i];
            db[i] += dy[i];
        }
    }
    (dx, dw, db)
}

/// Channels of `[batch, channels, inner]`: (mean, biased variance).
pub(super) fn channel_moments(x: &[f64], size: (usize, usize, usize)) -> (Vec<f64>, Vec<f64>) {
    (0..size.1).map(|c| moments(&channel(x, size, c))).unzip()
}

/// (x − mean)/√(var + eps)·w + b per channel, and ReLU.
pub(super) fn normalize_channels(
    g: ChannelNorm,
    x: &[f64],
    (mean, var): (&[f64], &[f64]),
    (w, b): (&[f64], &[f64]),
) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for c in 0..g.size.1 {
        for at in places(g.size, c) {
            let value = (x[at] - mean[c]) / (var[c] + g.eps).sqrt() * w[c] + b[c];
            y[at] = if g.relu { value.max(0.0) } else { value };
        }
    }
    y
}

/// (dx, dw, db) of `normalize_channels`.
pub(super) fn normalize_channels_backward(
    g: ChannelNorm,
    x: &[f64],
    (mean, var): (&[f64], &[f64]),
    w: &[f64],
    y: Option<&[f64]>,
    dy: &[f64],
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], Vec::new(), Vec::new());
    let passes = |at: usize| !g.relu || y.expect("behind a ReLU y is given")[at] > 0.0;
    for c in 0..g.size.1 {
        let rstd = 1.0 / (var[c] + g.eps).sqrt();
        let xhat: Vec<f64> = channel(x, g.size, c).iter().map(|x| (x - mean[c]) * rstd).collect();
        let dy: Vec<f64> = places(g.size, c).map(|at| if passes(at) { dy[at] } else { 0.0 }).collect();
        let dxhat: Vec<f64> = dy.iter().map(|dy| dy * w[c]).collect();
        let values = if g.own_statistics {
            normalize_backward(&xhat, rstd, &dxhat)
        } else {
            dxhat.iter().map(|d| d * rstd).collect()
        };
        places(g.size, c).zip(values).for_each(|(at, value)| dx[at] = value);
        dw.push(xhat.iter().zip(&dy).map(|(x, dy)| x * dy).sum());
        db.push(dy.iter().sum());
    }
    (dx, dw, db)
}

/// Where channel `c` stands in `[batch, channels, inner]`.
fn places((batch, channels, inner): (usize, usize, usize), c: usize) -> impl Iterator<Item = usize> {
    (0..batch).flat_map(move |b| (0..inner).map(move |i| (b * channels + c) * inner + i))
}

fn channel(x: &[f64], size: (usize, usize, usize), c: usize) -> Vec<f64> {
    places(size, c).map(|at| x[at]).collect()
}
