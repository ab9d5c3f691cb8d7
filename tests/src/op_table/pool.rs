//! Pooling and resizing.

use super::{Row, distinct, normal, values};
use autograd::Real;
use autograd::ops::ResizeMode;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = pooling();
    rows.extend(adaptive());
    rows.extend(resizing());
    rows
}

fn pooling<T: Real>() -> Vec<Row<T>> {
    let ties = || vec![values(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0], &[1, 1, 3, 3])];
    vec![
        Row::new("max_pool2d", vec![distinct(&[2, 2, 4, 4])], |x| x[0].max_pool2d([2, 2], [2, 2], [0, 0])),
        Row::new("max_pool2d: padded, overlapping", vec![distinct(&[1, 2, 5, 6])], |x| {
            x[0].max_pool2d([3, 3], [2, 2], [1, 1])
        }),
        Row::new("max_pool2d: uneven", vec![distinct(&[2, 1, 5, 7])], |x| {
            x[0].max_pool2d([2, 3], [1, 2], [1, 0])
        }),
        Row::at_kink("max_pool2d: equal values", ties(), |x| x[0].max_pool2d([2, 2], [1, 1], [0, 0])),
        Row::new("avg_pool2d", vec![normal(&[2, 2, 4, 4])], |x| x[0].avg_pool2d([2, 2], [2, 2], [0, 0])),
        Row::new("avg_pool2d: padded, overlapping", vec![normal(&[1, 2, 5, 6])], |x| {
            x[0].avg_pool2d([3, 3], [2, 2], [1, 1])
        }),
        Row::new("avg_pool2d: uneven", vec![normal(&[2, 1, 5, 7])], |x| {
            x[0].avg_pool2d([2, 3], [3, 1], [1, 0])
        }),
    ]
}

fn adaptive<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("adaptive_avg_pool2d", vec![normal(&[2, 2, 4, 6])], |x| x[0].adaptive_avg_pool2d([2, 3])),
        Row::new("adaptive_avg_pool2d: everything", vec![normal(&[2, 3, 3, 4])], |x| {
            x[0].adaptive_avg_pool2d([1, 1])
        }),
        Row::new("adaptive_avg_pool2d: windows overlap", vec![normal(&[1, 2, 5, 7])], |x| {
            x[0].adaptive_avg_pool2d([3, 4])
        }),
        Row::new("adaptive_avg_pool2d: larger", vec![normal(&[1, 2, 2, 3])], |x| {
            x[0].adaptive_avg_pool2d([3, 5])
        }),
        Row::new("adaptive_max_pool2d", vec![distinct(&[2, 2, 4, 6])], |x| x[0].adaptive_max_pool2d([2, 3])),
        Row::new("adaptive_max_pool2d: windows overlap", vec![distinct(&[1, 2, 5, 7])], |x| {
            x[0].adaptive_max_pool2d([3, 4])
        }),
        Row::new("adaptive_max_pool2d: everything", vec![distinct(&[2, 3, 3, 4])], |x| {
            x[0].adaptive_max_pool2d([1, 1])
        }),
    ]
}

fn resizing<T: Real>() -> Vec<Row<T>> {
    const EDGES: ResizeMode = ResizeMode::Bilinear { align_corners: false };
    const CORNERS: ResizeMode = ResizeMode::Bilinear { align_corners: true };
    let picture = || vec![normal(&[2, 2, 3, 4])];
    vec![
        Row::new("interpolate: nearest, up", picture(), |x| x[0].interpolate([7, 8], ResizeMode::Nearest)),
        Row::new("interpolate: nearest, down", picture(), |x| x[0].interpolate([2, 3], ResizeMode::Nearest)),
        Row::new("interpolate: bilinear, up", picture(), |x| x[0].interpolate([6, 9], EDGES)),
        Row::new("interpolate: bilinear, down", picture(), |x| x[0].interpolate([2, 3], EDGES)),
        Row::new("interpolate: up and down", picture(), |x| x[0].interpolate([5, 2], EDGES)),
        Row::new("interpolate: corners, up", picture(), |x| x[0].interpolate([6, 9], CORNERS)),
        Row::new("interpolate: corners, down", picture(), |x| x[0].interpolate([2, 3], CORNERS)),
        Row::new("interpolate: corners, one pixel", picture(), |x| x[0].interpolate([1, 1], CORNERS)),
        Row::new("interpolate: from one pixel", vec![normal(&[2, 1, 1, 1])], |x| {
            x[0].interpolate([3, 2], CORNERS)
        }),
        Row::new("interpolate: same size", picture(), |x| x[0].interpolate([3, 4], EDGES)),
        Row::new("resize", picture(), |x| x[0].resize([6, 8])),
        Row::new("resize: down by more than two", vec![normal(&[1, 1, 7, 8])], |x| x[0].resize([2, 3])),
    ]
}
