//! Attention and Cross-Diffusion Attention with the matrices that everybody else avoids.

use super::{Buffer, sized};
use autograd::device::{AttentionSizes, CdaSizes};

/// Rows of values.
#[derive(Clone)]
struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f64>,
}

impl Matrix {
    fn from_fn(rows: usize, cols: usize, f: impl Fn(usize, usize) -> f64) -> Matrix {
        let values = (0..rows * cols).map(|e| f(e / cols, e % cols)).collect();
        Matrix { rows, cols, values }
    }

    /// Matrix number `h` of `[heads, rows, cols]`.
    fn head(all: &[f64], h: usize, rows: usize, cols: usize) -> Matrix {
        let values = all[h * rows * cols..(h + 1) * rows * cols].to_vec();
        Matrix { rows, cols, values }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.cols + j]
    }

    fn t(&self) -> Matrix {
        Matrix::from_fn(self.cols, self.rows, |i, j| self.at(j, i))
    }

    fn times(&self, other: &Matrix) -> Matrix {
        assert_eq!(self.cols, other.rows, "matrices that do not fit are multiplied");
        let sum = |i, j| (0..self.cols).map(|l| self.at(i, l) * other.at(l, j)).sum();
        Matrix::from_fn(self.rows, other.cols, sum)
    }

    fn scaled(&self, factor: f64) -> Matrix {
        Matrix::from_fn(self.rows, self.cols, |i, j| factor * self.at(i, j))
    }

    fn plus(&self, other: &Matrix) -> Matrix {
        Matrix::from_fn(self.rows, self.cols, |i, j| self.at(i, j) + other.at(i, j))
    }
}

fn rounded(x: f64) -> f64 {
    f64::from(x as f32)
}

/// scale·Q·Kᵀ.
fn scores(q: &Matrix, k: &Matrix, scale: f64) -> Matrix {
    q.times(&k.t()).scaled(rounded(scale))
}

/// Of every row of scores the maximum and 1/Σ of the exponentials from there on.
fn statistics(scores: &Matrix) -> Vec<f64> {
    let row = |i: usize| {
        let row = || (0..scores.cols).map(|j| scores.at(i, j));
        let max = rounded(row().fold(f64::NEG_INFINITY, f64::max));
        [max, 1.0 / row().map(|s| (s - max).exp()).sum::<f64>()]
    };
    (0..scores.rows).flat_map(row).collect()
}

/// P from its scores and their statistics.
fn map(scores: &Matrix, stats: &[f64]) -> Matrix {
    let p = |i, j| (scores.at(i, j) - stats[2 * i]).exp() * stats[2 * i + 1];
    Matrix::from_fn(scores.rows, scores.cols, p)
}

/// dS = P∘(dP − Σ P∘dP), the sum over a row.
fn score_gradient(p: &Matrix, dp: &Matrix) -> Matrix {
    let sum = |i| (0..p.cols).map(|j| p.at(i, j) * dp.at(i, j)).sum::<f64>();
    Matrix::from_fn(p.rows, p.cols, |i, j| p.at(i, j) * (dp.at(i, j) - sum(i)))
}

fn x_rows(z: AttentionSizes) -> usize {
    if z.transposed { z.queries } else { z.keys }
}

/// Elements of y.
pub(super) fn y_len(z: AttentionSizes) -> usize {
    z.heads * (if z.transposed { z.keys } else { z.queries }) * z.value_dim
}

/// The values of q, k and x.
pub(super) fn operands(z: AttentionSizes, [q, k, x]: [&Buffer; 3]) -> [Vec<f64>; 3] {
    let x_len = z.heads * x_rows(z) * z.value_dim;
    [sized(q, z.heads * z.queries * z.dim), sized(k, z.heads * z.keys * z.dim), sized(x, x_len)]
}

/// P·x or Pᵀ·x, and the statistics.
pub(super) fn attention(z: AttentionSizes, q: &[f64], k: &[f64], x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut y, mut stats) = (Vec::new(), Vec::new());
    for h in 0..z.heads {
        let (q, k) = (Matrix::head(q, h, z.queries, z.dim), Matrix::head(k, h, z.keys, z.dim));
        let scores = scores(&q, &k, z.scale);
        let of_head = statistics(&scores);
        let p = map(&scores, &of_head);
        let x = Matrix::head(x, h, x_rows(z), z.value_dim);
        y.extend(if z.transposed { p.t().times(&x) } else { p.times(&x) }.values);
        stats.extend(of_head);
    }
    (y, stats)
}

/// dq, dk and dx.
pub(super) fn attention_backward(
    z: AttentionSizes,
    [q, k, x]: [&[f64]; 3],
    stats: &[f64],
    dy: &[f64],
) -> [Vec<f64>; 3] {
    let mut gradients = [vec![], vec![], vec![]];
    for h in 0..z.heads {
        let (q, k) = (Matrix::head(q, h, z.queries, z.dim), Matrix::head(k, h, z.keys, z.dim));
        let x = Matrix::head(x, h, x_rows(z), z.value_dim);
        let dy = Matrix::head(dy, h, dy.len() / (z.heads * z.value_dim), z.value_dim);
        let p = map(&scores(&q, &k, z.scale), &stats[2 * h * z.queries..2 * (h + 1) * z.queries]);
        let (dp, dx) = if z.transposed {
            (x.times(&dy.t()), p.times(&dy))
        } else {
            (dy.times(&x.t()), p.t().times(&dy))
        };
        let ds = score_gradient(&p, &dp).scaled(rounded(z.scale));
        let of_head = [ds.times(&k), ds.t().times(&q), dx];
        gradients.iter_mut().zip(of_head).for_each(|(all, one)| all.extend(one.values));
    }
    gradients
}

/// One head's `[q, k, v]` of both modalities.
fn head_of(z: CdaSizes, inputs: &[[Vec<f64>; 3]; 2], h: usize) -> [[Matrix; 3]; 2] {
    let part = |x: &Vec<f64>| Matrix::head(x, h, z.tokens, z.dim);
    inputs.each_ref().map(|qkv| qkv.each_ref().map(part))
}

/// X_m = α·P_mᵀ·P_o + (1−α)·(P_m + P_o), with o the other modality.
fn cross_affinity(z: CdaSizes, p: &[Matrix; 2], m: usize) -> Matrix {
    let (alpha, rest) = (rounded(z.alpha), rounded(1.0 - z.alpha));
    p[m].t().times(&p[1 - m]).scaled(alpha).plus(&p[0].plus(&p[1]).scaled(rest))
}

/// O_r, O_d, U_rd, U_dr, and the statistics of P_r and P_d.
pub(super) fn cda(z: CdaSizes, inputs: &[[Vec<f64>; 3]; 2]) -> ([Vec<f64>; 4], [Vec<f64>; 2]) {
    let (mut results, mut stats) = ([vec![], vec![], vec![], vec![]], [vec![], vec![]]);
    for h in 0..z.heads {
        let x = head_of(z, inputs, h);
        let scores = [0, 1].map(|m| scores(&x[m][0], &x[m][1], z.scale));
        let of_head = scores.each_ref().map(statistics);
        let p = [0, 1].map(|m| map(&scores[m], &of_head[m]));
        for m in 0..2 {
            results[m].extend(p[m].times(&x[m][2]).values);
            results[2 + m].extend(cross_affinity(z, &p, m).times(&x[1 - m][2]).values);
            stats[m].extend(&of_head[m]);
        }
    }
    (results, stats)
}

/// dq, dk and dv of both modalities.
pub(super) fn cda_backward(
    z: CdaSizes,
    inputs: &[[Vec<f64>; 3]; 2],
    o: &[Vec<f64>; 2],
    stats: &[Vec<f64>; 2],
    dy: &[Vec<f64>; 4],
) -> [[Vec<f64>; 3]; 2] {
    let (alpha, rest) = (rounded(z.alpha), rounded(1.0 - z.alpha));
    let mut gradients = [(); 2].map(|()| [vec![], vec![], vec![]]);
    for h in 0..z.heads {
        let x = head_of(z, inputs, h);
        let part = |all: &[f64]| Matrix::head(all, h, z.tokens, z.dim);
        let stats = stats.each_ref().map(|all| &all[2 * h * z.tokens..2 * (h + 1) * z.tokens]);
        let p = [0, 1].map(|m| map(&scores(&x[m][0], &x[m][1], z.scale), stats[m]));
        for m in 0..2 {
            let expected = p[m].times(&x[m][2]).values;
            let close = part(&o[m]).values.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(close, "O of another modality or head");
        }
        // O_m = P_m·V_m and U_m = X_m·V_o, so that dX_m = dU_m·V_oᵀ.
        let (d_o, d_u) = ([part(&dy[0]), part(&dy[1])], [part(&dy[2]), part(&dy[3])]);
        let dx = [0, 1].map(|m| d_u[m].times(&x[1 - m][2].t()));
        for m in 0..2 {
            let own = d_o[m].times(&x[m][2].t());
            let transposed = p[1 - m].times(&dx[m].t()); // of P_mᵀ in X_m
            let direct = p[1 - m].times(&dx[1 - m]); // of P_m in X_o = α·P_oᵀ·P_m + …
            let sum = dx[0].plus(&dx[1]).scaled(rest);
            let dp = own.plus(&transposed.plus(&direct).scaled(alpha)).plus(&sum);
            let ds = score_gradient(&p[m], &dp).scaled(rounded(z.scale));
            let dv = p[m].t().times(&d_o[m]).plus(&cross_affinity(z, &p, 1 - m).t().times(&d_u[1 - m]));
            let of_head = [ds.times(&x[m][1]), ds.t().times(&x[m][0]), dv];
            gradients[m].iter_mut().zip(of_head).for_each(|(all, one)| all.extend(one.values));
        }
    }
    gradients
}
