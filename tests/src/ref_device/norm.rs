//! Softmax and normalisations from their definitions.

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

/// Rows of `n`: (x̂, 1/σ).
pub(super) fn normalize_rows(x: &[f64], n: usize, eps: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut xhat, mut rstds) = (Vec::new(), Vec::new());
    for row in x.chunks(n) {
        let (mean, var) = moments(row);
        let rstd = 1.0 / (var + eps).sqrt();
        xhat.extend(row.iter().map(|x| (x - mean) * rstd));
        rstds.push(rstd);
    }
    (xhat, rstds)
}

/// dx of `normalize_rows`.
pub(super) fn normalize_rows_backward(xhat: &[f64], rstd: &[f64], dxhat: &[f64], n: usize) -> Vec<f64> {
    let rows = xhat.chunks(n).zip(dxhat.chunks(n)).zip(rstd);
    rows.flat_map(|((xhat, dxhat), &rstd)| normalize_backward(xhat, rstd, dxhat)).collect()
}

/// Channels of `[batch, channels, inner]`: (x̂, mean, biased variance).
pub(super) fn normalize_channels(
    x: &[f64],
    size: (usize, usize, usize),
    eps: f64,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut xhat = vec![0.0; x.len()];
    let (mut means, mut vars) = (Vec::new(), Vec::new());
    for c in 0..size.1 {
        let (mean, var) = moments(&channel(x, size, c));
        places(size, c).for_each(|at| xhat[at] = (x[at] - mean) / (var + eps).sqrt());
        means.push(mean);
        vars.push(var);
    }
    (xhat, means, vars)
}

/// dx of `normalize_channels`.
pub(super) fn normalize_channels_backward(
    xhat: &[f64],
    var: &[f64],
    dxhat: &[f64],
    size: (usize, usize, usize),
    eps: f64,
) -> Vec<f64> {
    let mut dx = vec![0.0; xhat.len()];
    for (c, var) in var.iter().enumerate() {
        let rstd = 1.0 / (var + eps).sqrt();
        let values = normalize_backward(&channel(xhat, size, c), rstd, &channel(dxhat, size, c));
        places(size, c).zip(values).for_each(|(at, value)| dx[at] = value);
    }
    dx
}

/// Where channel `c` stands in `[batch, channels, inner]`.
fn places((batch, channels, inner): (usize, usize, usize), c: usize) -> impl Iterator<Item = usize> {
    (0..batch).flat_map(move |b| (0..inner).map(move |i| (b * channels + c) * inner + i))
}

fn channel(x: &[f64], size: (usize, usize, usize), c: usize) -> Vec<f64> {
    places(size, c).map(|at| x[at]).collect()
}
