//! Matrix products and convolutions as sums over all their terms.

use autograd::device::{Conv2dGeometry, Epilogue, MatMul};

/// C[b][i][j] = alpha·Σ A[b][i][l]·B[b][l][j], plus bias[j] or beta·D[b][i][j].
pub(super) fn matmul(p: MatMul, a: &[f64], b: &[f64], epilogue: Epilogue<Vec<f64>>) -> Vec<f64> {
    let MatMul { batch, m, k, n, .. } = p;
    let a_at = |item: usize, i: usize, l: usize| {
        let first = if p.a_batched { item * m * k } else { 0 };
        a[first + if p.trans_a { l * m + i } else { i * k + l }]
    };
    let b_at = |item: usize, l: usize, j: usize| {
        let first = if p.b_batched { item * k * n } else { 0 };
        b[first + if p.trans_b { j * k + l } else { l * n + j }]
    };
    let (alpha, mut c) = (f64::from(p.alpha as f32), Vec::with_capacity(batch * m * n));
    for item in 0..batch {
        for (i, j) in grid(m, n) {
            let sum: f64 = (0..k).map(|l| a_at(item, i, l) * b_at(item, l, j)).sum();
            let added = match &epilogue {
                Epilogue::None => 0.0,
                Epilogue::Bias(bias) => bias[j],
                Epilogue::Add(beta, d) => f64::from(*beta as f32) * d[(item * m + i) * n + j],
            };
            c.push(alpha * sum + added);
        }
    }
    c
}

/// y += x·w over all terms.
pub(super) fn conv2d(g: &Conv2dGeometry, x: &[f64], w: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; y_len(g)];
    for_each_term(g, |at| y[at.y] += x[at.x] * w[at.w]);
    y
}

/// dx += dy·w over all terms.
pub(super) fn conv2d_dx(g: &Conv2dGeometry, dy: &[f64], w: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; x_len(g)];
    for_each_term(g, |at| dx[at.x] += dy[at.y] * w[at.w]);
    dx
}

/// dw += x·dy over all terms.
pub(super) fn conv2d_dw(g: &Conv2dGeometry, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dw = vec![0.0; w_len(g)];
    for_each_term(g, |at| dw[at.w] += x[at.x] * dy[at.y]);
    dw
}

/// Elements of the input.
pub(super) fn x_len(g: &Conv2dGeometry) -> usize {
    g.batch * g.in_channels * g.input[0] * g.input[1]
}

/// Elements of the weights.
pub(super) fn w_len(g: &Conv2dGeometry) -> usize {
    g.out_channels * g.in_channels / g.groups * g.kernel[0] * g.kernel[1]
}

/// Elements of the output.
pub(super) fn y_len(g: &Conv2dGeometry) -> usize {
    g.batch * g.out_channels * g.output()[0] * g.output()[1]
}

/// One product of the convolution: where its factors and its sum stand.
struct Term {
    x: usize,
    w: usize,
    y: usize,
}

/// Seven nested loops: picture, output channel, output row and column, input channel of the group, kernel row and
/// column. Terms whose input lies in the padding are left out, for they are 0.
fn for_each_term(g: &Conv2dGeometry, mut visit: impl FnMut(Term)) {
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output());
    let (ins, outs) = (g.in_channels / g.groups, g.out_channels / g.groups);
    for b in 0..g.batch {
        for o in 0..g.out_channels {
            for (oy, ox) in grid(oh, ow) {
                for i in 0..ins {
                    let channel = o / outs * ins + i;
                    for (ky, kx) in grid(kh, kw) {
                        let row = (oy * g.stride[0] + ky * g.dilation[0]).checked_sub(g.padding[0]);
                        let col = (ox * g.stride[1] + kx * g.dilation[1]).checked_sub(g.padding[1]);
                        let (Some(row), Some(col)) = (row, col) else { continue };
                        if row < h && col < w {
                            visit(Term {
                                x: ((b * g.in_channels + channel) * h + row) * w + col,
                                w: ((o * ins + i) * kh + ky) * kw + kx,
                                y: ((b * g.out_channels + o) * oh + oy) * ow + ox,
                            });
                        }
                    }
                }
            }
        }
    }
}

/// All pairs, row by row.
fn grid(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..cols).map(move |col| (row, col)))
}
