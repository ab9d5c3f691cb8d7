//! Moving elements and picking them by position.

use super::{Row, normal};
use autograd::ops::concat;
use autograd::{Indices, Real};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = rearranging();
    rows.extend(cutting());
    rows.extend(unfolding());
    rows.extend(picking());
    rows
}

fn rearranging<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("reshape", vec![normal(&[2, 6])], |x| x[0].reshape(&[3, 4])),
        Row::new("reshape: inferred size", vec![normal(&[2, 3, 4])], |x| x[0].reshape(&[2, -1])),
        Row::new("reshape: to no axes", vec![normal(&[1, 1])], |x| x[0].reshape(&[])),
        Row::new("with_shape", vec![normal(&[2, 6])], |x| x[0].with_shape(&[4, 1, 3])),
        Row::new("with_shape: from no axes", vec![normal(&[])], |x| x[0].with_shape(&[1])),
        Row::new("permute", vec![normal(&[2, 3, 4])], |x| x[0].permute(&[2, 0, 1])),
        Row::new("permute: four axes", vec![normal(&[2, 3, 1, 4])], |x| x[0].permute(&[3, 1, 0, 2])),
        Row::new("permute: in place", vec![normal(&[2, 3])], |x| x[0].permute(&[0, 1])),
        Row::new("transpose", vec![normal(&[3, 4])], |x| x[0].transpose(0, 1)),
        Row::new("transpose: counted from the back", vec![normal(&[2, 3, 4])], |x| x[0].transpose(-1, -2)),
        Row::new("transpose: first and last", vec![normal(&[2, 3, 4])], |x| x[0].transpose(0, -1)),
        Row::new("expand", vec![normal(&[3, 1])], |x| x[0].expand(&[3, 4])),
        Row::new("expand: new axes", vec![normal(&[1, 3])], |x| x[0].expand(&[2, 4, 3])),
        Row::new("expand: from no axes", vec![normal(&[])], |x| x[0].expand(&[2, 3])),
        Row::new("flip", vec![normal(&[2, 5])], |x| x[0].flip(-1)),
        Row::new("flip: middle axis", vec![normal(&[2, 3, 2])], |x| x[0].flip(1)),
        Row::new("flip: axis of size 1", vec![normal(&[2, 1])], |x| x[0].flip(1)),
    ]
}

fn cutting<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("slice", vec![normal(&[5, 3])], |x| x[0].slice(0, 1..4)),
        Row::new("slice: last axis", vec![normal(&[2, 3, 5])], |x| x[0].slice(-1, 2..5)),
        Row::new("slice: one element", vec![normal(&[4, 2])], |x| x[0].slice(0, 3..4)),
        Row::new("slice: overlapping pieces", vec![normal(&[5])], |x| {
            x[0].slice(0, 0..3).mul(&x[0].slice(0, 2..5))
        }),
        Row::new("split", vec![normal(&[2, 6])], |x| {
            let parts = x[0].split(1, &[1, 3, 2]);
            concat(&[&parts[2], &parts[0], &parts[1]], 1)
        }),
        Row::new("split: a piece unused", vec![normal(&[4, 2])], |x| x[0].split(0, &[1, 3])[1].tanh()),
        Row::new("concat", vec![normal(&[2, 3]), normal(&[2, 1]), normal(&[2, 2])], |x| {
            concat(&[&x[0], &x[1], &x[2]], -1)
        }),
        Row::new("concat: first axis", vec![normal(&[2, 3]), normal(&[1, 3])], |x| {
            concat(&[&x[0], &x[1]], 0)
        }),
        Row::new("concat: middle axis", vec![normal(&[2, 3, 2]), normal(&[2, 1, 2])], |x| {
            concat(&[&x[0], &x[1]], 1)
        }),
        Row::new("concat: twice the same", vec![normal(&[2, 2])], |x| concat(&[&x[0], &x[0]], 1)),
        Row::new("concat: one part", vec![normal(&[2, 2])], |x| concat(&[&x[0]], 0)),
        Row::new("pad", vec![normal(&[2, 3])], |x| x[0].pad(&[(1, 2), (0, 1)], 0.5)),
        Row::new("pad: nothing", vec![normal(&[2, 3])], |x| x[0].pad(&[(0, 0), (0, 0)], 0.0)),
        Row::new("pad: pictures", vec![normal(&[1, 2, 3, 2])], |x| {
            x[0].pad(&[(0, 0), (0, 0), (1, 1), (2, 0)], 0.0)
        }),
    ]
}

fn unfolding<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("unfold", vec![normal(&[2, 2, 4, 5])], |x| x[0].unfold([2, 2], [1, 1], [0, 0], [1, 1])),
        Row::new("unfold: windows apart", vec![normal(&[1, 2, 4, 6])], |x| {
            x[0].unfold([2, 3], [2, 3], [0, 0], [1, 1])
        }),
        Row::new("unfold: padded, dilated, overlapping", vec![normal(&[1, 2, 5, 4])], |x| {
            x[0].unfold([3, 2], [1, 2], [2, 1], [2, 1])
        }),
        Row::new("unfold: pixels left over", vec![normal(&[1, 1, 5, 6])], |x| {
            x[0].unfold([2, 2], [2, 3], [0, 1], [1, 2])
        }),
    ]
}

fn picking<T: Real>() -> Vec<Row<T>> {
    let repeated = || Indices::new(vec![2, 0, 2, 2], &[4]);
    vec![
        Row::new("index_select: repeated", vec![normal(&[3, 4])], move |x| x[0].index_select(0, &repeated())),
        Row::new("index_select: last axis", vec![normal(&[2, 3])], move |x| {
            x[0].index_select(-1, &repeated())
        }),
        Row::new("index_select: middle axis", vec![normal(&[2, 3, 2])], move |x| {
            x[0].index_select(1, &repeated())
        }),
        Row::new("gather", vec![normal(&[2, 3])], |x| {
            x[0].gather(1, &Indices::new(vec![0, 2, 2, 1, 1, 1, 0, 2], &[2, 4]))
        }),
        Row::new("gather: first axis", vec![normal(&[3, 2])], |x| {
            x[0].gather(0, &Indices::new(vec![2, 0, 2, 1], &[2, 2]))
        }),
        Row::new("gather: middle axis", vec![normal(&[2, 3, 2])], |x| {
            x[0].gather(-2, &Indices::new(vec![0, 2, 1, 1], &[2, 1, 2]))
        }),
        Row::new("embedding: repeated", vec![normal(&[4, 3])], |x| {
            x[0].embedding(&Indices::new(vec![3, 0, 3, 1, 3, 0], &[2, 3]))
        }),
        Row::new("embedding: one row", vec![normal(&[4, 1])], |x| {
            x[0].embedding(&Indices::new(vec![2], &[]))
        }),
    ]
}
