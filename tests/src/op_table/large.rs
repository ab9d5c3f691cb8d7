//! Inputs large enough for what small ones never reach: work split among threads, several tiles, partial sums.

use super::{Row, distinct, normal, positive};
use autograd::Real;
use autograd::ops::ResizeMode;
use autograd::ops::conv::ConvOptions;
use autograd::ops::shape::concat;
use autograd::random::Key;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = products();
    rows.extend(pictures());
    rows.extend(reductions());
    rows.extend(others());
    rows
}

fn products<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("large matmul", vec![normal(&[300, 200]), normal(&[200, 500])], |x| x[0].matmul(&x[1])),
        Row::new("large matmul_t", vec![normal(&[500, 300]), normal(&[210, 300])], |x| x[0].matmul_t(&x[1])),
        Row::new("large batch", vec![normal(&[12, 90, 64]), normal(&[12, 64, 90])], |x| x[0].matmul(&x[1])),
        Row::new("large linear", vec![normal(&[7, 99, 256]), normal(&[300, 256]), normal(&[300])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new(
            "large attention",
            vec![normal(&[2, 4, 150, 32]), normal(&[2, 4, 150, 32]), normal(&[2, 4, 150, 32])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], None),
        ),
    ]
}

fn pictures<T: Real>() -> Vec<Row<T>> {
    let same = ConvOptions { padding: [1, 1], ..ConvOptions::default() };
    let halving = ConvOptions { stride: [2, 2], groups: 2, ..same };
    let depthwise = ConvOptions { groups: 16, ..same };
    let batch = [8, 16, 40, 40];
    vec![
        Row::new("large conv2d", vec![normal(&batch), normal(&[24, 16, 3, 3]), normal(&[24])], move |x| {
            x[0].conv2d(&x[1], Some(&x[2]), same)
        }),
        Row::new(
            "large conv2d, many pictures",
            vec![normal(&[33, 4, 9, 9]), normal(&[6, 4, 3, 3])],
            move |x| x[0].conv2d(&x[1], None, same),
        ),
        Row::new("large conv2d, groups", vec![normal(&batch), normal(&[20, 8, 3, 3])], move |x| {
            x[0].conv2d(&x[1], None, halving)
        }),
        Row::new("large conv2d, one by one", vec![normal(&batch), normal(&[32, 16, 1, 1])], |x| {
            x[0].conv2d(&x[1], None, ConvOptions::default())
        }),
        Row::new("large conv2d, depthwise", vec![normal(&batch), normal(&[16, 1, 3, 3])], move |x| {
            x[0].conv2d(&x[1], None, depthwise)
        }),
        Row::new("large batch_norm", vec![normal(&batch), normal(&[16]), normal(&[16])], |x| {
            x[0].batch_norm((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("large batch_norm_relu", vec![normal(&batch), normal(&[16]), normal(&[16])], |x| {
            x[0].batch_norm_relu((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("large group_norm", vec![normal(&batch)], |x| x[0].group_norm(4, (None, None), 1e-5)),
        Row::new("large max_pool2d", vec![normal(&batch)], |x| x[0].max_pool2d([3, 3], [2, 2], [1, 1])),
        Row::new("large avg_pool2d", vec![normal(&batch)], |x| x[0].avg_pool2d([3, 3], [1, 1], [1, 1])),
        Row::new("large interpolate", vec![normal(&batch)], |x| {
            x[0].interpolate([75, 60], ResizeMode::Bilinear { align_corners: false })
        }),
        Row::new("large unfold", vec![normal(&batch)], |x| x[0].unfold([3, 3], [2, 2], [1, 1], [1, 1])),
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
