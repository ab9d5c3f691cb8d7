//! Picking elements by integer positions.

use crate::plain::Indices;
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::shape::{around, axis_index, contiguous_strides, numel};

impl<T: Real> Var<T> {
    /// Whole slices of an axis: `y[.., j, ..] = x[.., index[j], ..]` for a one-dimensional index; the gradient adds each
    /// slice back to where it came from. PyTorch equivalent: `torch.index_select(x, axis, index)`.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Indices) -> Var<T> {
        assert!(
            index.shape().len() == 1,
            "index_select: the index has shape {:?}, not one axis",
            index.shape()
        );
        let from = self.shape().to_vec();
        let axis = axis_index("index_select", axis, from.len());
        let (outer, len, inner) = around(&from, axis..axis + 1);
        let positions = index.positions("index_select", len);
        let rows: Vec<usize> = (0..outer).flat_map(|o| positions.iter().map(move |p| o * len + p)).collect();
        let mut shape = from.clone();
        shape[axis] = positions.len();
        record("index_select", self.value().gather_rows(&rows, inner, &shape), &[self], move |dy, sink| {
            sink.add(0, || dy.scatter_add_rows(&rows, inner, &from));
        })
    }

    /// One element per position: `y[i][j] = x[index[i][j]][j]` for axis 0, and so on; x and the index agree in all
    /// other axes. PyTorch equivalent: `torch.gather(x, axis, index)`.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Indices) -> Var<T> {
        let from = self.shape().to_vec();
        let axis = axis_index("gather", axis, from.len());
        let agrees = index.shape().len() == from.len()
            && (0..from.len()).all(|a| a == axis || index.shape()[a] == from[a]);
        assert!(agrees, "gather: index {:?} and values {from:?} differ outside axis {axis}", index.shape());
        let positions = index.positions("gather", from[axis]);
        let (own, strides) = (contiguous_strides(index.shape()), contiguous_strides(&from));
        let source = |(e, &position): (usize, &usize)| -> usize {
            let coordinate =
                |a: usize| if a == axis { position } else { e / own[a] as usize % index.shape()[a] };
            (0..from.len()).map(|a| coordinate(a) * strides[a] as usize).sum()
        };
        let rows: Vec<usize> = positions.iter().enumerate().map(source).collect();
        record("gather", self.value().gather_rows(&rows, 1, index.shape()), &[self], move |dy, sink| {
            sink.add(0, || dy.scatter_add_rows(&rows, 1, &from));
        })
    }

    /// Rows of a table `[n, d]` (`self`) by number: index of any shape to `[.., d]`.
    /// PyTorch equivalent: `F.embedding(index, table)`.
    #[track_caller]
    pub fn embedding(&self, index: &Indices) -> Var<T> {
        assert!(self.shape().len() == 2, "embedding: the table has shape {:?}, not [n, d]", self.shape());
        let flat = Indices::new(index.values().to_vec(), &[numel(index.shape())]);
        self.index_select(0, &flat).with_shape(&[index.shape(), &self.shape()[1..]].concat())
    }
}
