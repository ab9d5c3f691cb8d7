//! Integers and conditions: plain data that never has a gradient.

use crate::tensor::shape;

/// Whole numbers with a shape: class labels, positions, the result of `argmax`.
///
/// PyTorch equivalent: a `torch.int64` tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indices {
    values: Vec<i64>,
    shape: Vec<usize>,
}

impl Indices {
    /// Indices of `shape` in row-major order. Panics if their number does not fit.
    #[track_caller]
    pub fn new(values: Vec<i64>, shape: &[usize]) -> Indices {
        assert!(
            values.len() == shape::numel(shape),
            "Indices: {} values do not fill shape {shape:?}",
            values.len()
        );
        Indices { values, shape: shape.to_vec() }
    }

    /// The values in row-major order.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values as positions on an axis of size `size`; panics naming one that lies outside.
    #[track_caller]
    pub(crate) fn positions(&self, op: &str, size: usize) -> Vec<usize> {
        for index in &self.values {
            assert!(
                (0..size as i64).contains(index),
                "{op}: index {index} is outside an axis of size {size}"
            );
        }
        self.values.iter().map(|&index| index as usize).collect()
    }
}

/// A condition per element.
///
/// PyTorch equivalent: a `torch.bool` tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    values: Vec<bool>,
    shape: Vec<usize>,
}

impl Mask {
    /// Conditions of `shape` in row-major order. Panics if their number does not fit.
    #[track_caller]
    pub fn new(values: Vec<bool>, shape: &[usize]) -> Mask {
        assert!(
            values.len() == shape::numel(shape),
            "Mask: {} values do not fill shape {shape:?}",
            values.len()
        );
        Mask { values, shape: shape.to_vec() }
    }

    /// The values in row-major order.
    pub fn values(&self) -> &[bool] {
        &self.values
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The condition repeated to a larger shape it broadcasts to.
    #[track_caller]
    pub(crate) fn expand(&self, to: &[usize]) -> Mask {
        if self.shape == to {
            return self.clone();
        }
        let strides = shape::broadcast_strides(&self.shape, to);
        let own = shape::contiguous_strides(to);
        let source = |e: usize| -> usize {
            let axis = |a: usize| (e / own[a] as usize % to[a]) * strides[a] as usize;
            (0..to.len()).map(axis).sum()
        };
        Mask { values: (0..shape::numel(to)).map(|e| self.values[source(e)]).collect(), shape: to.to_vec() }
    }
}
