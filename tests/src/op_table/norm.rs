//! Normalisations.

use super::{Row, normal};
use autograd::ops::norm::Affine;
use autograd::{Real, Tensor, Var};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = over_rows();
    rows.extend(over_channels());
    rows.extend(with_statistics());
    rows.extend(to_length_one());
    rows
}

fn over_rows<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("layer_norm", vec![normal(&[3, 5]), normal(&[5]), normal(&[5])], |x| {
            x[0].layer_norm(5, (Some(&x[1]), Some(&x[2])), 1e-5)
        }),
        Row::new("layer_norm: plain", vec![normal(&[2, 3, 4])], |x| x[0].layer_norm(4, (None, None), 1e-5)),
        Row::new("layer_norm: weight only", vec![normal(&[2, 4]), normal(&[4])], |x| {
            x[0].layer_norm(4, (Some(&x[1]), None), 0.1)
        }),
        Row::new("layer_norm: bias only", vec![normal(&[2, 4]), normal(&[4])], |x| {
            x[0].layer_norm(4, (None, Some(&x[1])), 1e-5)
        }),
        Row::new("layer_norm: two axes", vec![normal(&[2, 3, 4]), normal(&[3, 4]), normal(&[3, 4])], |x| {
            x[0].layer_norm(12, (Some(&x[1]), Some(&x[2])), 1e-5)
        }),
        Row::new("layer_norm: axis of size 1", vec![normal(&[2, 3, 1]), normal(&[3, 1])], |x| {
            x[0].layer_norm(3, (Some(&x[1]), None), 1e-5)
        }),
        Row::new("group_norm", vec![normal(&[2, 4, 3, 2]), normal(&[4]), normal(&[4])], |x| {
            x[0].group_norm(2, (Some(&x[1]), Some(&x[2])), 1e-5)
        }),
        Row::new("group_norm: one group", vec![normal(&[2, 3, 4]), normal(&[3])], |x| {
            x[0].group_norm(1, (None, Some(&x[1])), 1e-5)
        }),
        Row::new("group_norm: a group per channel, plain", vec![normal(&[2, 3, 5])], |x| {
            x[0].group_norm(3, (None, None), 1e-2)
        }),
        Row::new("group_norm: no positions", vec![normal(&[3, 6]), normal(&[6])], |x| {
            x[0].group_norm(2, (Some(&x[1]), None), 1e-5)
        }),
    ]
}

fn over_channels<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("batch_norm", vec![normal(&[2, 3, 2, 3]), normal(&[3]), normal(&[3])], |x| {
            x[0].batch_norm((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("batch_norm: no positions", vec![normal(&[5, 3]), normal(&[3]), normal(&[3])], |x| {
            x[0].batch_norm((Some(&x[1]), Some(&x[2])), 1e-3).0
        }),
        Row::new("batch_norm: plain", vec![normal(&[3, 2, 4])], |x| x[0].batch_norm((None, None), 1e-5).0),
        Row::new("batch_norm: one picture, bias only", vec![normal(&[1, 2, 3, 3]), normal(&[2])], |x| {
            x[0].batch_norm((None, Some(&x[1])), 1e-5).0
        }),
        Row::new("batch_norm_relu", vec![normal(&[2, 3, 2, 3]), normal(&[3]), normal(&[3])], |x| {
            x[0].batch_norm_relu((Some(&x[1]), Some(&x[2])), 1e-5).0
        }),
        Row::new("batch_norm_relu: plain", vec![normal(&[4, 3])], |x| {
            x[0].batch_norm_relu((None, None), 0.1).0
        }),
    ]
}

fn with_statistics<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("batch_norm_eval", vec![normal(&[2, 3, 2, 2]), normal(&[3]), normal(&[3])], |x| {
            with_running(&x[0], (Some(&x[1]), Some(&x[2])), false)
        }),
        Row::new("batch_norm_eval: plain", vec![normal(&[4, 3])], |x| {
            with_running(&x[0], (None, None), false)
        }),
        Row::new("batch_norm_eval: weight only", vec![normal(&[2, 3, 4]), normal(&[3])], |x| {
            with_running(&x[0], (Some(&x[1]), None), false)
        }),
        Row::new("batch_norm_eval_relu", vec![normal(&[2, 3, 2, 2]), normal(&[3]), normal(&[3])], |x| {
            with_running(&x[0], (Some(&x[1]), Some(&x[2])), true)
        }),
    ]
}

/// Batch norm of three channels with fixed running statistics, brought to where `x` lives.
fn with_running<T: Real>(x: &Var<T>, affine: Affine<T>, relu: bool) -> Var<T> {
    let constant =
        |values: [f64; 3]| x.value().constant_like(&Tensor::from_vec(values.map(T::of).to_vec(), &[3]));
    let norm = if relu { Var::batch_norm_eval_relu } else { Var::batch_norm_eval };
    norm(x, &constant([0.3, -0.2, 1.0]), &constant([0.5, 1.5, 2.0]), affine, 1e-5)
}

fn to_length_one<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("normalize", vec![normal(&[3, 4])], |x| x[0].normalize(-1, 1e-12)),
        Row::new("normalize: channels", vec![normal(&[2, 3, 2, 2])], |x| x[0].normalize(1, 1e-12)),
        Row::new("normalize: shorter than eps", vec![normal(&[2, 3])], |x| x[0].normalize(1, 100.0)),
    ]
}
