//! Shape algebra: pure functions on lists of sizes, no data.

/// Number of elements of a shape; the empty shape is a scalar and has one.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Row-major strides, in elements.
pub fn contiguous_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// The shape two operands broadcast to (NumPy's rule: align at the right, sizes equal or 1), or `None`.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let ndim = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        let missing = ndim - shape.len();
        if axis < missing { 1 } else { shape[axis - missing] }
    };
    (0..ndim)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// As [`broadcast`], with a panic in words at the caller's line.
#[track_caller]
pub fn broadcast_or_panic(op: &str, a: &[usize], b: &[usize]) -> Vec<usize> {
    // Not a closure of `unwrap_or_else`: panics inside closures do not report the caller's line.
    match broadcast(a, b) {
        Some(shape) => shape,
        None => panic!(
            "{op}: shapes {a:?} and {b:?} do not broadcast (aligned at the right, sizes must be equal or 1)"
        ),
    }
}

/// Strides that read a tensor of `shape` as if it had the larger shape `to`: 0 along broadcast axes.
pub fn broadcast_strides(shape: &[usize], to: &[usize]) -> Vec<isize> {
    let missing = to.len() - shape.len();
    let own = contiguous_strides(shape);
    (0..to.len())
        .map(|axis| if axis < missing || shape[axis - missing] == 1 { 0 } else { own[axis - missing] })
        .collect()
}

/// Axis counted from the front; negative ones count from the back, as in PyTorch.
#[track_caller]
pub fn axis_index(op: &str, axis: isize, ndim: usize) -> usize {
    let index = if axis < 0 { axis + ndim as isize } else { axis };
    assert!(
        (0..ndim as isize).contains(&index),
        "{op}: axis {axis} does not exist in a tensor of {ndim} axes"
    );
    index as usize
}

/// Sorted, distinct axes counted from the front.
#[track_caller]
pub fn axis_indices(op: &str, axes: &[isize], ndim: usize) -> Vec<usize> {
    let mut found = Vec::with_capacity(axes.len());
    for &axis in axes {
        found.push(axis_index(op, axis, ndim));
    }
    found.sort_unstable();
    let before = found.len();
    found.dedup();
    assert!(found.len() == before, "{op}: an axis appears twice in {axes:?}");
    found
}

/// The shape with the given axes reduced to size 1.
pub fn keep_axes(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size }).collect()
}

/// The shape with the given axes removed.
pub fn drop_axes(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &size)| size).collect()
}

/// A shape seen as three axes around `axes`, which must be neighbours: `[outer, length, inner]`.
pub fn around(shape: &[usize], axes: std::ops::Range<usize>) -> (usize, usize, usize) {
    (numel(&shape[..axes.start]), numel(&shape[axes.clone()]), numel(&shape[axes.end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some(vec![2, 3, 4]));
        assert_eq!(broadcast(&[], &[5]), Some(vec![5]));
        assert_eq!(broadcast(&[2, 3], &[2]), None);
        assert_eq!(broadcast_strides(&[3, 1], &[2, 3, 4]), vec![0, 1, 0]);
    }

    #[test]
    fn strides_and_axes() {
        assert_eq!(contiguous_strides(&[2, 3, 4]), vec![12, 4, 1]);
        assert_eq!(axis_indices("sum", &[-1, 0], 3), vec![0, 2]);
        assert_eq!(around(&[2, 3, 4, 5], 1..3), (2, 12, 5));
    }
}
