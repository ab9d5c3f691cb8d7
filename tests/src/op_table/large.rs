//! Inputs large enough for what small ones never reach: work split among threads, several tiles, partial sums.

use super::attention::all_of;
use super::{Row, distinct, normal, positive};
use autograd::Real;
use autograd::ops::ResizeMode;
use autograd::ops::conv::ConvOptions;
use autograd::ops::shape::concat;
use autograd::random::Key;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = products();
    rows.extend(attention());
    rows.extend(pictures());
    rows.extend(convolutions());
    rows.extend(reductions());
    rows.extend(others());
    rows
}

/// 2²¹ multiply-adds and more are shared out; none of the sizes is a multiple of a register tile.
fn products<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("large matmul", vec![normal(&[301, 203]), normal(&[203, 499])], |x| x[0].matmul(&x[1])),
        Row::new("large matmul, deep", vec![normal(&[67, 1001]), normal(&[1001, 71])], |x| {
            x[0].matmul(&x[1])
        }),
        Row::new("large matmul, tall", vec![normal(&[2111, 37]), normal(&[37, 45])], |x| x[0].matmul(&x[1])),
        Row::new("large matmul, wide", vec![normal(&[29, 77]), normal(&[77, 2111])], |x| x[0].matmul(&x[1])),
        Row::new("large matmul, Aᵀ", vec![normal(&[203, 301]), normal(&[203, 499])], |x| {
            x[0].matmul_with(true, &x[1], false, 0.7)
        }),
        Row::new("large matmul, Bᵀ", vec![normal(&[499, 301]), normal(&[211, 301])], |x| {
            x[0].matmul_t(&x[1])
        }),
        Row::new("large matmul, AᵀBᵀ", vec![normal(&[203, 301]), normal(&[499, 203])], |x| {
            x[0].matmul_with(true, &x[1], true, 0.7)
        }),
        Row::new("large matmul, fours", vec![normal(&[260, 132]), normal(&[132, 196])], |x| {
            x[0].matmul(&x[1])
        }),
        Row::new(
            "large baddbmm",
            vec![normal(&[3, 140, 92]), normal(&[3, 68, 140]), normal(&[3, 68, 92])],
            |x| x[0].baddbmm(0.4, (&x[1], true), (&x[2], false), -0.6),
        ),
        Row::new(
            "large baddbmm, odd",
            vec![normal(&[3, 141, 93]), normal(&[3, 67, 141]), normal(&[3, 93, 67])],
            |x| x[0].baddbmm(0.4, (&x[1], true), (&x[2], true), -0.6),
        ),
        Row::new("large linear_gelu", vec![normal(&[7, 99, 68]), normal(&[268, 68]), normal(&[268])], |x| {
            x[0].linear_gelu(&x[1], &x[2])
        }),
        Row::new("large batch", vec![normal(&[12, 91, 64]), normal(&[12, 64, 93])], |x| x[0].matmul(&x[1])),
        Row::new("large batch, few", vec![normal(&[3, 131, 127]), normal(&[3, 133, 127])], |x| {
            x[0].matmul_with(false, &x[1], true, 0.5)
        }),
        Row::new("large linear", vec![normal(&[7, 99, 257]), normal(&[301, 257]), normal(&[301])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new(
            "large linear, few rows",
            vec![normal(&[19, 401]), normal(&[603, 401]), normal(&[603])],
            |x| x[0].linear(&x[1], Some(&x[2])),
        ),
    ]
}

/// Several heads are shared out head by head, a single one by its rows.
fn attention<T: Real>() -> Vec<Row<T>> {
    let heads: &[usize] = &[2, 4, 150, 33];
    let one_head: &[usize] = &[1, 1, 701, 17];
    let three = |q: &[usize], k: &[usize], x: &[usize]| vec![normal(q), normal(k), normal(x)];
    vec![
        Row::new("large attention", three(heads, heads, heads), |x| {
            x[0].scaled_dot_product_attention(&x[1], &x[2], None)
        }),
        Row::new("large attention, one head", three(one_head, one_head, one_head), |x| {
            x[0].scaled_dot_product_attention(&x[1], &x[2], None)
        }),
        Row::new("large attention, other lengths", three(&[1, 601, 16], &[1, 333, 16], &[1, 333, 9]), |x| {
            x[0].scaled_dot_product_attention(&x[1], &x[2], None)
        }),
        Row::new("large attention, many channels", three(&[70, 130], &[40, 130], &[40, 150]), |x| {
            x[0].scaled_dot_product_attention(&x[1], &x[2], None)
        }),
        Row::new("large transposed attention", three(heads, heads, heads), |x| {
            x[0].transposed_attention(&x[1], &x[2], None)
        }),
        Row::new("large transposed attention, one head", three(one_head, one_head, one_head), |x| {
            x[0].transposed_attention(&x[1], &x[2], None)
        }),
        Row::new("large cross-diffusion", vec![normal(heads); 6], |x| all_of(x, 0.6)),
        Row::new("large cross-diffusion, one head", vec![normal(one_head); 6], |x| all_of(x, 0.6)),
    ]
}

fn pictures<T: Real>() -> Vec<Row<T>> {
    let batch: &[usize] = &[8, 16, 40, 40];
    vec![
        Row::new("large batch_norm", vec![normal(batch), normal(&[16]), normal(&[16])], |x| {
            x[0].batch_norm((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("large batch_norm_relu", vec![normal(batch), normal(&[16]), normal(&[16])], |x| {
            x[0].batch_norm_relu((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("large group_norm", vec![normal(batch)], |x| x[0].group_norm(4, (None, None), 1e-5)),
        Row::new("large max_pool2d", vec![normal(batch)], |x| x[0].max_pool2d([3, 3], [2, 2], [1, 1])),
        Row::new("large avg_pool2d", vec![normal(batch)], |x| x[0].avg_pool2d([3, 3], [1, 1], [1, 1])),
        Row::new("large interpolate", vec![normal(batch)], |x| {
            x[0].interpolate([75, 60], ResizeMode::Bilinear { align_corners: false })
        }),
        Row::new("large unfold", vec![normal(batch)], |x| x[0].unfold([3, 3], [2, 2], [1, 1], [1, 1])),
    ]
}

/// Tiles of output pixels are shared out; how many there are depends on the number of threads.
fn convolutions<T: Real>() -> Vec<Row<T>> {
    let options = |stride: usize, padding: usize, groups: usize| ConvOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        groups,
        ..ConvOptions::default()
    };
    let conv = |name: &'static str, x: &[usize], w: &[usize], options: ConvOptions| {
        Row::new(name, vec![normal(x), normal(w)], move |x| x[0].conv2d(&x[1], None, options))
    };
    let batch: &[usize] = &[8, 16, 40, 40];
    let odd: &[usize] = &[3, 17, 43, 37];
    vec![
        Row::new("large conv2d", vec![normal(batch), normal(&[24, 16, 3, 3]), normal(&[24])], move |x| {
            x[0].conv2d(&x[1], Some(&x[2]), options(1, 1, 1))
        }),
        conv("large conv2d, one odd picture", &[1, 17, 83, 77], &[13, 17, 3, 3], options(1, 1, 1)),
        conv("large conv2d, many pictures", &[33, 4, 9, 9], &[6, 4, 3, 3], options(1, 1, 1)),
        conv("large conv2d, stride 2", odd, &[21, 17, 3, 3], options(2, 1, 1)),
        conv("large conv2d, groups", batch, &[20, 8, 3, 3], options(2, 1, 2)),
        conv("large conv2d, one by one", batch, &[32, 16, 1, 1], options(1, 0, 1)),
        conv("large conv2d, one by one, odd", odd, &[39, 17, 1, 1], options(1, 0, 1)),
        conv("large conv2d, one by one, stride 2", odd, &[39, 17, 1, 1], options(2, 0, 1)),
        conv("large conv2d, seven by seven", &[2, 3, 75, 77], &[19, 3, 7, 7], options(2, 3, 1)),
        conv(
            "large conv2d, dilated, wide padding",
            odd,
            &[19, 17, 3, 2],
            ConvOptions { padding: [5, 3], dilation: [2, 3], stride: [1, 2], groups: 1 },
        ),
        Row::new(
            "large conv_transpose2d",
            vec![normal(&[2, 19, 21, 17]), normal(&[19, 23, 3, 3])],
            move |x| x[0].conv_transpose2d(&x[1], None, options(2, 1, 1), [1, 0]),
        ),
        conv("large conv2d, depthwise, five by five", odd, &[34, 1, 5, 5], options(1, 2, 17)),
        conv("large conv2d, depthwise", batch, &[16, 1, 3, 3], options(1, 1, 16)),
        conv("large conv2d, depthwise, stride 2", odd, &[17, 1, 3, 3], options(2, 1, 17)),
    ]
}

fn reductions<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("large sum", vec![normal(&[1000, 1003])], |x| x[0].sum_all()),
        Row::new("large sum of rows", vec![normal(&[2000, 501])], |x| x[0].sum(&[1], false)),
        Row::new("large sum of columns", vec![normal(&[5001, 200])], |x| x[0].sum(&[0], false)),
        Row::new("large sum of a middle axis", vec![normal(&[20, 1001, 50])], |x| x[0].sum(&[1], false)),
        Row::new("large mean of axes apart", vec![normal(&[60, 170, 100])], |x| x[0].mean(&[0, 2], false)),
        Row::new("large var", vec![normal(&[300, 3000])], |x| x[0].var(&[1], 1, false)),
        Row::new("large amax", vec![distinct(&[400, 700])], |x| x[0].amax(&[0], false)),
        Row::new("large softmax", vec![normal(&[2000, 301])], |x| x[0].softmax(-1)),
        Row::new("large softmax of a middle axis", vec![normal(&[30, 100, 101])], |x| x[0].softmax(1)),
        Row::new("large log_softmax", vec![normal(&[2000, 301])], |x| x[0].log_softmax(-1)),
        Row::new("large layer_norm", vec![normal(&[3000, 257]), normal(&[257]), normal(&[257])], |x| {
            x[0].layer_norm(257, (Some(&x[1]), Some(&x[2])), 1e-5)
        }),
    ]
}

fn others<T: Real>() -> Vec<Row<T>> {
    let key = Key { seed: 9, epoch: 2, step: 31 };
    vec![
        Row::new("large gelu", vec![normal(&[700_001])], |x| x[0].gelu()),
        Row::new("large pow", vec![positive(&[300_001])], |x| x[0].pow(1.7)),
        Row::new("large add, both repeat", vec![normal(&[64, 1, 300]), normal(&[50, 1])], |x| {
            x[0].add(&x[1])
        }),
        Row::new("large div, a column", vec![normal(&[900, 800]), positive(&[900, 1])], |x| x[0].div(&x[1])),
        Row::new("large mul, a row", vec![normal(&[900, 800]), normal(&[800])], |x| x[0].mul(&x[1])),
        Row::new("large permute", vec![normal(&[50, 40, 30, 20])], |x| x[0].permute(&[3, 1, 0, 2])),
        Row::new("large transpose", vec![normal(&[333, 2050])], |x| x[0].transpose(0, 1)),
        Row::new("large concat", vec![normal(&[3, 40, 500]), normal(&[3, 7, 500])], |x| {
            concat(&[&x[0], &x[1]], 1)
        }),
        Row::new("large split", vec![normal(&[500, 3, 64])], |x| {
            let parts = x[0].split(1, &[1, 2]);
            parts[1].mul(&parts[0])
        }),
        Row::new("large pad", vec![normal(&[20, 50, 60])], |x| x[0].pad(&[(0, 1), (2, 0), (1, 3)], 0.5)),
        Row::new("large dropout", vec![normal(&[700_001])], move |x| x[0].dropout(0.3, (key, 4))),
        Row::new("large drop_path", vec![normal(&[64, 5000])], move |x| x[0].drop_path(0.3, (key, 5))),
    ]
}
