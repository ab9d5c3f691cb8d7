//! Sums, means, variances, extremes and softmax.

use super::{Row, distinct, normal, values};
use autograd::Real;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = sums();
    rows.extend(variances());
    rows.extend(extremes());
    rows.extend(softmax());
    rows
}

fn sums<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("sum: first axis", vec![normal(&[3, 4])], |x| x[0].sum(&[0], false)),
        Row::new("sum: last axis, kept", vec![normal(&[3, 4])], |x| x[0].sum(&[-1], true)),
        Row::new("sum: middle axis", vec![normal(&[2, 3, 4])], |x| x[0].sum(&[1], false)),
        Row::new("sum: neighbouring axes", vec![normal(&[2, 3, 4])], |x| x[0].sum(&[1, 2], false)),
        Row::new("sum: axes apart, kept", vec![normal(&[2, 3, 4, 2])], |x| x[0].sum(&[-1, 1], true)),
        Row::new("sum: axes apart", vec![normal(&[2, 3, 4])], |x| x[0].sum(&[0, 2], false)),
        Row::new("sum: axis of size 1", vec![normal(&[2, 1, 3])], |x| x[0].sum(&[1], false)),
        Row::new("sum: no axes", vec![normal(&[2, 3])], |x| x[0].sum(&[], false)),
        Row::new("sum_all", vec![normal(&[2, 3, 2])], |x| x[0].sum_all()),
        Row::new("sum_all: without axes", vec![normal(&[])], |x| x[0].sum_all()),
        Row::new("mean: last axis", vec![normal(&[3, 5])], |x| x[0].mean(&[-1], false)),
        Row::new("mean: axes apart, kept", vec![normal(&[2, 3, 4])], |x| x[0].mean(&[0, -1], true)),
        Row::new("mean: middle axis", vec![normal(&[2, 3, 2])], |x| x[0].mean(&[1], false)),
        Row::new("mean_all", vec![normal(&[3, 5])], |x| x[0].mean_all()),
        Row::new("mean_all: one element", vec![normal(&[1, 1])], |x| x[0].mean_all()),
    ]
}

fn variances<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("var", vec![normal(&[3, 4])], |x| x[0].var(&[-1], 1, false)),
        Row::new("var: biased, kept", vec![normal(&[3, 4])], |x| x[0].var(&[0], 0, true)),
        Row::new("var: axes apart", vec![normal(&[2, 3, 4])], |x| x[0].var(&[0, -1], 1, false)),
        Row::new("var: axes apart, biased, kept", vec![normal(&[2, 3, 2])], |x| x[0].var(&[2, 0], 0, true)),
    ]
}

fn extremes<T: Real>() -> Vec<Row<T>> {
    let ties = || vec![values(&[1.0, 3.0, 3.0, -2.0, -2.0, 0.0], &[2, 3])];
    vec![
        Row::new("amax: last axis", vec![distinct(&[3, 5])], |x| x[0].amax(&[-1], false)),
        Row::new("amax: first axis, kept", vec![distinct(&[4, 3])], |x| x[0].amax(&[0], true)),
        Row::new("amax: axes apart", vec![distinct(&[2, 3, 4])], |x| x[0].amax(&[0, 2], false)),
        Row::new("amax: everything", vec![distinct(&[2, 3, 2])], |x| x[0].amax(&[0, 1, 2], false)),
        Row::at_kink("amax: equal values", ties(), |x| x[0].amax(&[1], false)),
        Row::new("amin: last axis", vec![distinct(&[3, 5])], |x| x[0].amin(&[-1], false)),
        Row::new("amin: middle axis, kept", vec![distinct(&[2, 3, 4])], |x| x[0].amin(&[1], true)),
        Row::new("amin: axes apart", vec![distinct(&[2, 3, 4])], |x| x[0].amin(&[0, 2], false)),
        Row::at_kink("amin: equal values", ties(), |x| x[0].amin(&[1], false)),
    ]
}

fn softmax<T: Real>() -> Vec<Row<T>> {
    let far = || vec![values(&[1000.0, 999.0, 0.0, -1000.0, -1001.5, -1002.0], &[2, 3])];
    vec![
        Row::new("softmax", vec![normal(&[3, 5])], |x| x[0].softmax(-1)),
        Row::new("softmax: middle axis", vec![normal(&[2, 4, 3])], |x| x[0].softmax(1)),
        Row::new("softmax: first axis", vec![normal(&[4, 3])], |x| x[0].softmax(0)),
        Row::new("softmax: axis of size 1", vec![normal(&[3, 1])], |x| x[0].softmax(1)),
        Row::new("softmax: far out", far(), |x| x[0].softmax(1)),
        Row::new("log_softmax", vec![normal(&[3, 5])], |x| x[0].log_softmax(-1)),
        Row::new("log_softmax: middle axis", vec![normal(&[2, 4, 3])], |x| x[0].log_softmax(-2)),
        Row::new("log_softmax: one axis", vec![normal(&[7])], |x| x[0].log_softmax(0)),
        Row::new("log_softmax: far out", far(), |x| x[0].log_softmax(1)),
        Row::new("logsumexp", vec![normal(&[3, 5])], |x| x[0].logsumexp(-1, false)),
        Row::new("logsumexp: middle axis, kept", vec![normal(&[2, 4, 3])], |x| x[0].logsumexp(1, true)),
        Row::new("logsumexp: first axis", vec![normal(&[4, 3])], |x| x[0].logsumexp(0, false)),
        Row::new("logsumexp: far out", far(), |x| x[0].logsumexp(1, false)),
    ]
}
