//! What every source of RGB-D data yields: one picture with its depth and its truth; and batches of it.

use ndarray::{Array2, Array3, Array4, Axis, s};

use crate::error::DataError;

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

/// Samples of one size, stacked.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The samples' names.
    pub names: Vec<String>,
    /// Their indices in the data set.
    pub indices: Vec<usize>,
    /// Colour in [0, 1], `[B, 3, H, W]`.
    pub rgb: Array4<f32>,
    /// Depth in [0, 1], near = 1, 0 = missing, `[B, 1, H, W]`.
    pub depth: Array4<f32>,
    /// Truth, 0 or 1, `[B, 1, H, W]`.
    pub mask: Array4<f32>,
}

impl Batch {
    /// Stacks samples of one size, of which there is at least one; `indices` are their numbers in the data set.
    ///
    /// # Errors
    /// Names the sample and the part whose size differs from the first sample's depth.
    pub fn stack(indices: &[usize], samples: &[Sample]) -> Result<Batch, DataError> {
        let (count, (height, width)) = (samples.len(), samples[0].depth.dim());
        let mut batch = Batch {
            names: samples.iter().map(|sample| sample.name.clone()).collect(),
            indices: indices.to_vec(),
            rgb: Array4::zeros((count, 3, height, width)),
            depth: Array4::zeros((count, 1, height, width)),
            mask: Array4::zeros((count, 1, height, width)),
        };
        for (b, Sample { name, rgb, depth, mask }) in samples.iter().enumerate() {
            let (_, rgb_height, rgb_width) = rgb.dim();
            let sizes = [("rgb", (rgb_height, rgb_width)), ("depth", depth.dim()), ("mask", mask.dim())];
            if let Some((part, found)) = sizes.into_iter().find(|&(_, size)| size != (height, width)) {
                return Err(DataError::SizeMismatch {
                    name: name.clone(),
                    part,
                    expected: (height, width),
                    found,
                });
            }
            batch.rgb.index_axis_mut(Axis(0), b).assign(rgb); // [3, H, W]
            batch.depth.slice_mut(s![b, 0, .., ..]).assign(depth); // [H, W]
            batch.mask.slice_mut(s![b, 0, .., ..]).assign(mask);
        }
        Ok(batch)
    }
}
