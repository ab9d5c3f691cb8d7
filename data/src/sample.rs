//! What every source of RGB-D data yields: one picture with its depth and its truth.

use ndarray::{Array2, Array3};

/// One RGB-D picture with the mask of its salient object, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// File stem or scene name; predictions are written under it.
    pub name: String,
    /// Colour in [0, 1], `[3, H, W]`.
    pub rgb: Array3<f32>,
    /// Depth in [0, 1], near = 1, 0 = missing, `[H, W]`.
    pub depth: Array2<f32>,
    /// Truth: 1 on the salient object, 0 elsewhere, `[H, W]`.
    pub mask: Array2<f32>,
}
