//! Resizing feature maps.

use crate::device::{ResizeGeometry, Tap};
use crate::real::Real;
use crate::tape::{Var, record};

/// How values between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeMode {
    /// The pixel at ⌊i·in/out⌋.
    Nearest,
    /// Linear in both directions, without antialiasing.
    Bilinear {
        /// Whether the corner pixels' centres coincide (PyTorch's `align_corners`); otherwise the pictures' edges do.
        align_corners: bool,
    },
}

impl<T: Real> Var<T> {
    /// `[B, C, H, W]` at another size; the gradient goes back with the same weights.
    /// PyTorch equivalent: `F.interpolate(x, size, mode, align_corners)`.
    #[track_caller]
    pub fn interpolate(&self, size: [usize; 2], mode: ResizeMode) -> Var<T> {
        let shape = self.shape().to_vec();
        assert!(shape.len() == 4, "interpolate: input {shape:?} must be [B, C, H, W]");
        assert!(
            shape[2] * shape[3] > 0 && size[0] * size[1] > 0,
            "interpolate: neither the pictures of {shape:?} nor the size {size:?} may be empty"
        );
        let out = [shape[0], shape[1], size[0], size[1]];
        let g = ResizeGeometry {
            planes: shape[0] * shape[1],
            input: [shape[2], shape[3]],
            rows: taps(shape[2], size[0], mode),
            cols: taps(shape[3], size[1], mode),
        };
        record("interpolate", self.value().resize2d_raw(&g, &out), &[self], move |dy, sink| {
            sink.add(0, || dy.resize2d_backward(&g, &shape));
        })
    }

    /// Bilinear without aligned corners, the common case.
    /// `[B, C, H, W]` to `[B, C, size[0], size[1]]`. PyTorch equivalent: `F.interpolate(x, size, mode="bilinear")`.
    #[track_caller]
    pub fn resize(&self, size: [usize; 2]) -> Var<T> {
        self.interpolate(size, ResizeMode::Bilinear { align_corners: false })
    }
}

/// Where each of `to` output positions reads among `from` input positions.
fn taps(from: usize, to: usize, mode: ResizeMode) -> Vec<Tap> {
    let tap = |i: usize| match mode {
        ResizeMode::Nearest => Tap { low: i * from / to, high: i * from / to, weight: 0.0 },
        ResizeMode::Bilinear { align_corners } => {
            let source = if align_corners {
                if to > 1 { i as f64 * (from - 1) as f64 / (to - 1) as f64 } else { 0.0 }
            } else {
                ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0)
            };
            let low = (source.floor() as usize).min(from - 1);
            Tap { low, high: (low + 1).min(from - 1), weight: source - low as f64 }
        }
    };
    (0..to).map(tap).collect()
}
