//! Losses with every option.

use super::{Row, normal, off_kinks, positive, share, values};
use autograd::ops::Reduction;
use autograd::ops::loss::CrossEntropy;
use autograd::{Indices, Real};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = classification();
    rows.extend(regression());
    rows.extend(binary());
    rows
}

fn classification<T: Real>() -> Vec<Row<T>> {
    let labels = || Indices::new(vec![2, 0, 2, 1], &[4]);
    let map = || Indices::new(vec![2, 0, 1, 1, 0, 2, 2, 2], &[2, 2, 2]);
    let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    let ignoring = CrossEntropy { ignore_index: Some(0), ..CrossEntropy::default() };
    let both = CrossEntropy { label_smoothing: 0.2, ignore_index: Some(-100) };
    let with_ignored = || Indices::new(vec![2, -100, 0, -100], &[4]);
    vec![
        Row::new("cross_entropy", vec![normal(&[4, 3])], move |x| {
            x[0].cross_entropy(&labels(), CrossEntropy::default())
        }),
        Row::new("cross_entropy: smoothed", vec![normal(&[4, 3])], move |x| {
            x[0].cross_entropy(&labels(), smooth)
        }),
        Row::new("cross_entropy: a class ignored", vec![normal(&[4, 3])], move |x| {
            x[0].cross_entropy(&labels(), ignoring)
        }),
        Row::new("cross_entropy: smoothed, a label ignored", vec![normal(&[4, 3])], move |x| {
            x[0].cross_entropy(&with_ignored(), both)
        }),
        Row::new("cross_entropy: per pixel", vec![normal(&[2, 3, 2, 2])], move |x| {
            x[0].cross_entropy(&map(), smooth)
        }),
        Row::new(
            "cross_entropy: large logits",
            vec![values(&[500.0, -500.0, 0.0, 90.0, 91.0, 89.0], &[2, 3])],
            |x| x[0].cross_entropy(&Indices::new(vec![1, 0], &[2]), CrossEntropy::default()),
        ),
        Row::new("nll_loss", vec![normal(&[4, 3])], move |x| {
            x[0].nll_loss(&labels(), CrossEntropy::default())
        }),
        Row::new("nll_loss: per pixel, a class ignored", vec![normal(&[2, 3, 2, 2])], move |x| {
            x[0].nll_loss(&map(), ignoring)
        }),
        Row::new("nll_loss: smoothed", vec![normal(&[4, 3])], move |x| x[0].nll_loss(&labels(), smooth)),
    ]
}

fn regression<T: Real>() -> Vec<Row<T>> {
    let pair = || vec![off_kinks(&[2, 5]), values(&[0.0; 5], &[5])];
    vec![
        Row::new("mse_loss", vec![normal(&[2, 5]), normal(&[2, 5])], |x| {
            x[0].mse_loss(&x[1], Reduction::Mean)
        }),
        Row::new("mse_loss: sum, repeated target", vec![normal(&[2, 5]), normal(&[5])], |x| {
            x[0].mse_loss(&x[1], Reduction::Sum)
        }),
        Row::new("mse_loss: per element", vec![normal(&[2, 3]), normal(&[2, 3])], |x| {
            x[0].mse_loss(&x[1], Reduction::None)
        }),
        Row::new("l1_loss", pair(), |x| x[0].l1_loss(&x[1], Reduction::Mean)),
        Row::new("l1_loss: sum", pair(), |x| x[0].l1_loss(&x[1], Reduction::Sum)),
        Row::new("l1_loss: per element", pair(), |x| x[0].l1_loss(&x[1], Reduction::None)),
        Row::new("smooth_l1_loss", pair(), |x| x[0].smooth_l1_loss(&x[1], 1.0, Reduction::Mean)),
        Row::new("smooth_l1_loss: narrow, sum", pair(), |x| x[0].smooth_l1_loss(&x[1], 0.2, Reduction::Sum)),
        Row::new("smooth_l1_loss: wide, per element", pair(), |x| {
            x[0].smooth_l1_loss(&x[1], 2.5, Reduction::None)
        }),
        Row::new("smooth_l1_loss: of no width", pair(), |x| x[0].smooth_l1_loss(&x[1], 0.0, Reduction::Mean)),
    ]
}

fn binary<T: Real>() -> Vec<Row<T>> {
    let pair = || vec![normal(&[2, 3]), share(&[2, 3])];
    let weights = || vec![normal(&[2, 3]), share(&[2, 3]), positive(&[2, 1]), positive(&[3])];
    vec![
        Row::new("bce_with_logits", pair(), |x| x[0].bce_with_logits(&x[1], None, None, Reduction::Mean)),
        Row::new("bce_with_logits: sum", pair(), |x| x[0].bce_with_logits(&x[1], None, None, Reduction::Sum)),
        Row::new("bce_with_logits: weights", weights(), |x| {
            x[0].bce_with_logits(&x[1], Some(&x[2]), Some(&x[3]), Reduction::None)
        }),
        Row::new(
            "bce_with_logits: weight only",
            vec![normal(&[2, 3]), share(&[2, 3]), positive(&[2, 3])],
            |x| x[0].bce_with_logits(&x[1], Some(&x[2]), None, Reduction::Mean),
        ),
        Row::new(
            "bce_with_logits: positive weight only",
            vec![normal(&[2, 3]), share(&[2, 3]), positive(&[3])],
            |x| x[0].bce_with_logits(&x[1], None, Some(&x[2]), Reduction::Mean),
        ),
        Row::new(
            "bce_with_logits: large logits",
            vec![values(&[-300.0, 300.0, 40.0], &[3]), share(&[3])],
            |x| x[0].bce_with_logits(&x[1], None, None, Reduction::None),
        ),
    ]
}
