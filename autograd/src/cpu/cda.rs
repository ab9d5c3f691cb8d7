//! One step of Cross-Diffusion Attention as released, in one pass over row tiles: no N×N matrix, and P_mᵀ·P_o is never
//! multiplied out.
//!
//! For each head, with m one modality and o the other, P_m = softmax(scale·Q_m·K_mᵀ) and O_m = P_m·V_m:
//!
//! ```text
//! X_m = α·P_mᵀ·P_o + (1−α)·(P_r + P_d)                                  [N, N], never formed
//! U_m = X_m·V_o = α·P_mᵀ·O_o + (1−α)·(P_m·V_o + O_o)                     [N, d]
//! ```
//!
//! Row i of P_r and P_d is all that is needed to finish row i of O_r, O_d and of the second part of U; its share in
//! P_mᵀ·O_o is an outer product that is scattered over all rows of U_m at once. With G_m = dU_m the gradients are
//!
//! ```text
//! D_m  = dO_m + α·P_o·G_o + (1−α)·G_o                   all that arrives at O_m: O_m is part of U_o, too
//! dP_m = D_m·V_mᵀ + α·O_o·G_mᵀ + (1−α)·G_m·V_oᵀ
//! dV_m = P_mᵀ·D_m + (1−α)·P_oᵀ·G_o
//! dS_m = P_m∘(dP_m − row sums of P_m∘dP_m),   dQ_m = scale·dS_m·K_m,   dK_m = scale·dS_mᵀ·Q_m
//! ```
//!
//! and again row i of both maps is all they need. Cost per head: 16·N²·d FLOP and 2·N² exponentials forward, 36·N²·d and
//! 2·N² backward; memory O(N·d).

use super::attention::{
    Map, add_collected, divide_by_sums, for_tiles, head, map_scratch, matrix_mut, matrix_of, parts, pieces,
    score_gradient,
};
use super::gemm::{Panels, Start, packed_len, packed_product, product, with_scratch};
use super::recycle::{Recycled, stale, zeros};
use crate::device::CdaSizes;
use crate::real::Real;
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

/// Q, K and V of one modality, `[heads, N, d]` each.
#[derive(Clone, Copy)]
pub(crate) struct QkvSlices<'a, T> {
    pub q: &'a [T],
    pub k: &'a [T],
    pub v: &'a [T],
}

/// What a modality comes out with, `[heads, N, d]`, and what the backward pass needs.
pub(crate) struct CdaOutput<T> {
    /// O_m
    pub o: Vec<T>,
    /// U_m: U_rd for r, U_dr for d
    pub u: Vec<T>,
    /// maximum and 1/Σ of the rows of P_m, `[heads, N, 2]`
    pub stats: Vec<T>,
}

/// One head of one modality.
#[derive(Clone, Copy)]
struct Head<'a, T> {
    q: ArrayView2<'a, T>,
    k: ArrayView2<'a, T>,
    v: ArrayView2<'a, T>,
}

fn head_of<'a, T: Real>(z: &CdaSizes, x: QkvSlices<'a, T>, h: usize) -> Head<'a, T> {
    let part = |values| head(values, z.heads, h, z.tokens);
    Head { q: part(x.q), k: part(x.k), v: part(x.v) }
}

/// O and U of both modalities, r first.
pub(crate) fn cda<T: Real>(z: CdaSizes, x: [QkvSlices<T>; 2]) -> [CdaOutput<T>; 2] {
    let CdaSizes { heads, tokens, dim, .. } = z;
    let parts = parts::<T>(heads, tokens, tokens);
    let mut out = [(); 2].map(|()| CdaOutput {
        o: stale(heads * tokens * dim),
        u: stale(heads * tokens * dim),
        stats: stale(heads * tokens * 2),
    });
    let [r, d] = out.each_mut().map(|out| {
        let o = pieces(&mut out.o, heads, tokens, &parts);
        let u = pieces(&mut out.u, heads, tokens, &parts);
        o.into_iter().zip(u).zip(pieces(&mut out.stats, heads, tokens, &parts))
    });
    let tasks: Vec<_> = r.zip(d).enumerate().collect();
    // Per task P_mᵀ·O_o of its rows, transposed: `[d, N]` for r and d.
    let collected: Vec<[Recycled<T>; 2]> = tasks
        .into_par_iter()
        .map(|(i, (((o_r, u_r), stats_r), ((o_d, u_d), stats_d)))| {
            let (h, part) = (i / parts.len(), &parts[i % parts.len()]);
            let x = x.map(|x| head_of(&z, x, h));
            forward_part(&z, x, part, [o_r, o_d], [u_r, u_d], [stats_r, stats_d])
        })
        .collect();
    for (m, out) in out.iter_mut().enumerate() {
        let sums: Vec<_> = collected.iter().map(|sums| matrix_of(sums[m].as_slice(), dim)).collect();
        add_collected(&mut out.u, heads, tokens, &sums);
    }
    out
}

/// Some rows of one head.
fn forward_part<T: Real>(
    z: &CdaSizes,
    x: [Head<T>; 2],
    part: &std::ops::Range<usize>,
    o: [&mut [T]; 2],
    u: [&mut [T]; 2],
    stats: [&mut [T]; 2],
) -> [Recycled<T>; 2] {
    let CdaSizes { tokens: n, dim, .. } = *z;
    let (alpha, rest) = (T::of(z.alpha), T::of(1.0 - z.alpha));
    let mut scattered = [(); 2].map(|()| Recycled::new(zeros(dim * n)));
    // [V_m | V_o]: P_m meets both.
    let values = [0, 1].map(|m| beside(&[x[m].v, x[1 - m].v]));
    with_scratch(2 * map_scratch::<T>(dim, n), |scratch| {
        let (scratch_r, scratch_d) = scratch.split_at_mut(map_scratch::<T>(dim, n));
        let map = |m: usize, scratch| Map::new(x[m].q, x[m].k, T::of(z.scale), scratch);
        let maps = [map(0, scratch_r), map(1, scratch_d)];
        let [o_r, o_d] = o;
        let [u_r, u_d] = u;
        let [stats_r, stats_d] = stats;
        for_tiles::<T>(part, n, |rows, local, tile_r| {
            with_scratch(tile_r.len(), |tile_d| {
                let size = rows.len();
                let span = 2 * local.start..2 * local.end;
                let stats = [&mut stats_r[span.clone()], &mut stats_d[span]];
                maps[0].exponentials(&rows, tile_r, stats[0]);
                maps[1].exponentials(&rows, tile_d, stats[1]);
                let tiles = [matrix_of(tile_r, size), matrix_of(tile_d, size)];
                // [O_m | P_m·V_o]
                let applied = [0, 1].map(|m| {
                    let mut y = Array2::zeros((size, 2 * dim));
                    product(T::one(), tiles[m], values[m].view(), Start::Zero, &mut y.view_mut());
                    divide_by_sums(y.view_mut(), stats[m]);
                    y
                });
                let span = local.start * dim..local.end * dim;
                for (m, (o, u)) in [(&mut *o_r, &mut *u_r), (&mut *o_d, &mut *u_d)].into_iter().enumerate() {
                    let (own, across) = applied[m].view().split_at(Axis(1), dim);
                    let other = applied[1 - m].slice(s![.., ..dim]); // O_o
                    matrix_mut(&mut o[span.clone()], size).assign(&own);
                    let mut u = matrix_mut(&mut u[span.clone()], size);
                    ndarray::Zip::from(&mut u)
                        .and(&across)
                        .and(&other)
                        .for_each(|u, &across, &other| *u = rest * (across + other));
                    let mut weighted = other.to_owned();
                    divide_by_sums(weighted.view_mut(), stats[m]);
                    let mut scattered = matrix_mut(scattered[m].as_mut_slice(), dim);
                    product(alpha, weighted.t(), tiles[m], Start::Old, &mut scattered);
                }
            });
        });
    });
    scattered
}

/// Matrices of as many rows side by side, row by row (`ndarray::concatenate` would lay them out column by column).
fn beside<T: Real>(parts: &[ArrayView2<T>]) -> Array2<T> {
    let mut all = Array2::zeros((parts[0].nrows(), parts.iter().map(|part| part.ncols()).sum()));
    let mut first = 0;
    for part in parts {
        all.slice_mut(s![.., first..first + part.ncols()]).assign(part);
        first += part.ncols();
    }
    all
}

/// Gradients of Q, K and V of one modality, `[heads, N, d]` each.
pub(crate) struct QkvGradients<T> {
    pub q: Vec<T>,
    pub k: Vec<T>,
    pub v: Vec<T>,
}

/// What [`cda`] gave for a modality and what arrived for it: O, the rows' stats, dO and dU.
#[derive(Clone, Copy)]
pub(crate) struct CdaSaved<'a, T> {
    pub o: &'a [T],
    pub stats: &'a [T],
    pub d_o: &'a [T],
    pub d_u: &'a [T],
}

/// Gradients for both modalities, r first.
pub(crate) fn cda_backward<T: Real>(
    z: CdaSizes,
    x: [QkvSlices<T>; 2],
    saved: [CdaSaved<T>; 2],
) -> [QkvGradients<T>; 2] {
    let CdaSizes { heads, tokens, dim, .. } = z;
    let parts = parts::<T>(heads, tokens, tokens);
    let mut dq = [(); 2].map(|()| stale(heads * tokens * dim));
    let [r, d] = dq.each_mut().map(|dq| pieces(dq, heads, tokens, &parts));
    let tasks: Vec<_> = r.into_iter().zip(d).enumerate().collect();
    // Per task and modality what the rows of P_m give to all tokens, transposed: dK_m, dV_m, dV_o, `[3d, N]`.
    let collected: Vec<[Recycled<T>; 2]> = tasks
        .into_par_iter()
        .map(|(i, (dq_r, dq_d))| {
            let (h, part) = (i / parts.len(), &parts[i % parts.len()]);
            let x = x.map(|x| head_of(&z, x, h));
            let saved = saved.map(|saved| SavedHead {
                o: head(saved.o, heads, h, tokens),
                d_o: head(saved.d_o, heads, h, tokens),
                d_u: head(saved.d_u, heads, h, tokens),
                stats: &saved.stats[2 * h * tokens..2 * (h + 1) * tokens],
            });
            backward_part(&z, x, saved, part, [dq_r, dq_d])
        })
        .collect();
    let gather = |sum: &mut [T], m: usize, block: usize| {
        let rows = s![block * dim..(block + 1) * dim, ..];
        let sums = collected.iter().map(|sums| matrix_of(sums[m].as_slice(), 3 * dim));
        let blocks: Vec<_> = sums.map(|sums| sums.slice_move(rows)).collect();
        add_collected(sum, heads, tokens, &blocks);
    };
    let [q_r, q_d] = dq;
    [(0, q_r), (1, q_d)].map(|(m, q)| {
        let (mut k, mut v) = (zeros(heads * tokens * dim), zeros(heads * tokens * dim));
        gather(&mut k, m, 0);
        gather(&mut v, m, 1);
        gather(&mut v, 1 - m, 2);
        QkvGradients { q, k, v }
    })
}

/// [`CdaSaved`] of one head.
#[derive(Clone, Copy)]
struct SavedHead<'a, T> {
    o: ArrayView2<'a, T>,
    d_o: ArrayView2<'a, T>,
    d_u: ArrayView2<'a, T>,
    stats: &'a [T],
}

/// Some rows of one head: writes their dQ, returns what they give to all tokens.
fn backward_part<T: Real>(
    z: &CdaSizes,
    x: [Head<T>; 2],
    saved: [SavedHead<T>; 2],
    part: &std::ops::Range<usize>,
    [dq_r, dq_d]: [&mut [T]; 2],
) -> [Recycled<T>; 2] {
    let CdaSizes { tokens: n, dim, .. } = *z;
    let (one, alpha, rest, scale) = (T::one(), T::of(z.alpha), T::of(1.0 - z.alpha), T::of(z.scale));
    let mut collected = [(); 2].map(|()| Recycled::new(zeros(3 * dim * n)));
    // [V_m | V_o | G_m]: what dP_m is a product with.
    let right = [0, 1].map(|m| beside(&[x[m].v, x[1 - m].v, saved[m].d_u]));
    let (map_len, right_len) = (map_scratch::<T>(dim, n), packed_len::<T>(3 * dim, n));
    with_scratch(2 * (map_len + right_len), |scratch| {
        let (for_maps, for_right) = scratch.split_at_mut(2 * map_len);
        let (map_r, map_d) = for_maps.split_at_mut(map_len);
        let (right_r, right_d) = for_right.split_at_mut(right_len);
        let map = |m: usize, scratch| Map::new(x[m].q, x[m].k, scale, scratch);
        let maps = [map(0, map_r), map(1, map_d)];
        let right = [Panels::pack(right[0].t(), right_r), Panels::pack(right[1].t(), right_d)];
        for_tiles::<T>(part, n, |rows, local, p_r| {
            with_scratch(2 * p_r.len(), |scratch| {
                let size = rows.len();
                let (p_d, dp) = scratch.split_at_mut(p_r.len());
                let of_stats = |m: usize| &saved[m].stats[2 * rows.start..2 * rows.end];
                maps[0].probabilities(&rows, of_stats(0), p_r);
                maps[1].probabilities(&rows, of_stats(1), p_d);
                let p = [matrix_of(p_r, size), matrix_of(p_d, size)];
                let of_rows =
                    |x: ArrayView2<T>, factor: T| x.slice(s![rows.clone(), ..]).mapv(|x| factor * x);
                // D_m = dO_m + α·P_o·G_o + (1−α)·G_o
                let d_o = [0, 1].map(|m| {
                    let g = saved[1 - m].d_u;
                    let mut d_o = of_rows(saved[m].d_o, one);
                    d_o.scaled_add(rest, &g.slice(s![rows.clone(), ..]));
                    product(alpha, p[1 - m], g, Start::Old, &mut d_o.view_mut());
                    d_o
                });
                for (m, dq) in [&mut *dq_r, &mut *dq_d].into_iter().enumerate() {
                    let (spread, g) = (of_rows(saved[1 - m].o, alpha), of_rows(saved[m].d_u, rest));
                    // dP_m = [D_m | (1−α)·G_m | α·O_o]·[V_m | V_o | G_m]ᵀ
                    let left = beside(&[d_o[m].view(), g.view(), spread.view()]);
                    packed_product(one, left.view(), &right[m], Start::Zero, &mut matrix_mut(dp, size));
                    score_gradient(p[m].to_slice().expect("contiguous"), dp, n);
                    let ds = matrix_of(dp, size);
                    let mut dq = matrix_mut(&mut dq[local.start * dim..local.end * dim], size);
                    product(scale, ds, x[m].k, Start::Zero, &mut dq);
                    let collected = matrix_mut(collected[m].as_mut_slice(), 3 * dim);
                    let (mut dk, mut dv) = collected.split_at(Axis(0), dim);
                    product(scale, x[m].q.slice(s![rows.clone(), ..]).t(), ds, Start::Old, &mut dk);
                    let to_values = left.slice(s![.., ..2 * dim]); // [D_m | (1−α)·G_m]
                    product(one, to_values.t(), p[m], Start::Old, &mut dv);
                }
            });
        });
    });
    collected
}
