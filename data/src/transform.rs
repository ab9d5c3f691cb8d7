//! What changes the geometry of a sample, always on colour, depth and truth alike; and the normalisation of colour.

use ndarray::{Array, Array2, Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension, s};

use crate::error::DataError;
use crate::sample::Sample;

/// Mean of ImageNet's colours in [0, 1], by channel (red, green, blue).
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of ImageNet's colours in [0, 1], by channel (red, green, blue).
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Colours `[3, H, W]` in [0, 1] as a network trained on ImageNet expects them: (rgb - mean) / std by channel,
/// `[3, H, W]`, within [-2.12, 2.65].
///
/// # Panics
/// If there are not three channels.
pub fn normalise(rgb: ArrayView3<f32>) -> Array3<f32> {
    assert_eq!(rgb.dim().0, 3, "normalise expects [3, H, W], found {:?}", rgb.shape());
    let mut normalised = rgb.to_owned();
    for (c, mut plane) in normalised.outer_iter_mut().enumerate() {
        plane.mapv_inplace(|v| (v - IMAGENET_MEAN[c]) / IMAGENET_STD[c]);
    }
    normalised
}

/// The sample at `height` x `width`: colour bilinear, depth bilinear among valid pixels ([`resize_depth`]), truth
/// bilinear and cut at one half, so that it stays 0 or 1.
///
/// # Panics
/// If a side is zero, before or after.
pub fn resize(sample: &Sample, height: usize, width: usize) -> Sample {
    resample(sample, |plane| resize_plane(plane, height, width))
}

/// The sample turned counter-clockwise about its centre, at its own size. The corners that come in from outside hold
/// the picture mirrored at its border, in colour, depth and truth alike, so what is labelled there is seen there.
/// Interpolated as in [`resize`].
pub fn rotate(sample: &Sample, degrees: f32) -> Sample {
    resample(sample, |plane| rotate_plane(plane, degrees))
}

/// Every plane of the sample through `interpolate`, whose values are weighted means of the plane's.
fn resample(sample: &Sample, interpolate: impl Fn(ArrayView2<f32>) -> Array2<f32>) -> Sample {
    let planes: Vec<Array2<f32>> = sample.rgb.outer_iter().map(&interpolate).collect();
    let views: Vec<ArrayView2<f32>> = planes.iter().map(|plane| plane.view()).collect();
    Sample {
        name: sample.name.clone(),
        rgb: ndarray::stack(Axis(0), &views).expect("the planes of one picture have one size"), // [3, H, W]
        depth: among_valid(sample.depth.view(), &interpolate),
        mask: cut(&interpolate(sample.mask.view())),
    }
}

/// 1 from one half on, else 0.
fn cut(mask: &Array2<f32>) -> Array2<f32> {
    mask.mapv(|m| if m >= 0.5 { 1.0 } else { 0.0 })
}

/// The depth `[H, W]` of a colour picture, brought from the sensor's resolution to the picture's by [`resize_depth`].
/// `sample` names the picture in the error.
///
/// # Errors
/// If the sides have another ratio than the picture's, by more than the rounding of a resize ([`same_view`]).
pub fn depth_at(
    sample: &str,
    depth: Array2<f32>,
    (height, width): (usize, usize),
) -> Result<Array2<f32>, DataError> {
    same_view(sample, "depth", (height, width), depth.dim())?;
    let is_there = depth.dim() == (height, width);
    Ok(if is_there { depth } else { resize_depth(depth.view(), height, width) })
}

/// As [`depth_at`] for a mask: bilinear, cut at one half.
///
/// # Errors
/// As [`depth_at`].
pub fn mask_at(
    sample: &str,
    mask: Array2<f32>,
    (height, width): (usize, usize),
) -> Result<Array2<f32>, DataError> {
    same_view(sample, "mask", (height, width), mask.dim())?;
    let is_there = mask.dim() == (height, width);
    Ok(if is_there { mask } else { cut(&resize_plane(mask.view(), height, width)) })
}

/// Whether two pictures of sizes (H, W) can show the same view: their sides must have the same ratio, up to two pixels
/// of the smaller picture, which rounding may have taken. A picture and its depth turned by a quarter fail here.
///
/// # Errors
/// Names the sample, the `part` that is `found` at an odd size, and both sizes.
pub fn same_view(
    sample: &str,
    part: &'static str,
    expected: (usize, usize),
    found: (usize, usize),
) -> Result<(), DataError> {
    let (small, large) = if expected <= found { (expected, found) } else { (found, expected) };
    // What the width of the small picture should be by its height, and the other way round, times a side of the large.
    let difference = (small.0 * large.1).abs_diff(small.1 * large.0);
    if difference <= 2 * large.0.max(large.1) {
        return Ok(());
    }
    Err(DataError::OtherView { name: sample.to_owned(), part, expected, found })
}

/// Bilinear interpolation of `[H, W]` to `[height, width]`, pixel centres at half integers (PyTorch's
/// `align_corners=False`), border pixels repeated, no antialiasing.
///
/// # Panics
/// If a side is zero, before or after.
pub fn resize_plane(plane: ArrayView2<f32>, height: usize, width: usize) -> Array2<f32> {
    let rows = taps(plane.nrows(), height);
    let columns = taps(plane.ncols(), width);
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (row, column) = (rows[y], columns[x]);
        let along = |r: usize| column.mix(plane[[r, column.low]], plane[[r, column.high]]);
        row.mix(along(row.low), along(row.high))
    })
}

/// As [`resize_plane`] for depth, where 0 means missing and must not bleed into its neighbours as if it were far:
/// each pixel is the mean of the *valid* pixels around it, by their bilinear weights. Where these weigh less than one
/// half the pixel is missing, so holes neither grow nor shrink.
///
/// # Panics
/// If a side is zero, before or after.
pub fn resize_depth(depth: ArrayView2<f32>, height: usize, width: usize) -> Array2<f32> {
    among_valid(depth, |plane| resize_plane(plane, height, width))
}

/// Depth through `interpolate`, each value the mean of the valid ones that it mixes; missing where they weigh less than
/// one half.
fn among_valid(depth: ArrayView2<f32>, interpolate: impl Fn(ArrayView2<f32>) -> Array2<f32>) -> Array2<f32> {
    let valid = depth.mapv(|d| if d > 0.0 { 1.0 } else { 0.0 });
    let weight = interpolate(valid.view());
    let mut sum = interpolate(depth); // missing pixels add nothing
    sum.zip_mut_with(&weight, |sum, &weight| {
        *sum = if weight >= 0.5 { (*sum / weight).min(1.0) } else { 0.0 }
    });
    sum
}

/// `[H, W]` turned counter-clockwise about its centre, bilinear, mirrored at its borders.
fn rotate_plane(plane: ArrayView2<f32>, degrees: f32) -> Array2<f32> {
    let (height, width) = plane.dim();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (middle_y, middle_x) = ((height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0);
    Array2::from_shape_fn((height, width), |(y, x)| {
        // Rows go down, so counter-clockwise to the eye takes each target pixel from further clockwise.
        let (dy, dx) = (y as f32 - middle_y, x as f32 - middle_x);
        let row = Tap::at(mirrored(middle_y + cos * dy + sin * dx, height), height);
        let column = Tap::at(mirrored(middle_x + cos * dx - sin * dy, width), width);
        let along = |r: usize| column.mix(plane[[r, column.low]], plane[[r, column.high]]);
        row.mix(along(row.low), along(row.high))
    })
}

/// A position along a side, pixel centres at whole numbers, thrown back at the borders -½ and side - ½.
fn mirrored(position: f32, side: usize) -> f32 {
    reflected(position + 0.5, side)
}

/// The same from the distance to the border at which the side begins.
pub(crate) fn reflected(distance: f32, side: usize) -> f32 {
    let side = side as f32;
    let there_and_back = distance.rem_euclid(2.0 * side);
    there_and_back.min(2.0 * side - there_and_back) - 0.5
}

/// The two neighbours of a target pixel along one axis: `(1 - share) * low + share * high`.
#[derive(Clone, Copy)]
pub(crate) struct Tap {
    pub low: usize,
    pub high: usize,
    pub share: f32,
}

impl Tap {
    /// For a position along a side, pixel centres at whole numbers; beyond the outermost centres it is clamped.
    pub fn at(position: f32, side: usize) -> Tap {
        let position = position.clamp(0.0, (side - 1) as f32);
        let low = position as usize;
        Tap { low, high: (low + 1).min(side - 1), share: position - low as f32 }
    }

    fn mix(self, low: f32, high: f32) -> f32 {
        low + self.share * (high - low)
    }
}

/// The centre of target pixel i lies at (i + ½) · from / to in the source, whose pixel j has its centre at j + ½.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    assert!(from > 0 && to > 0, "cannot resize a side of {from} pixels to {to}");
    let scale = from as f32 / to as f32;
    (0..to).map(|i| Tap::at((i as f32 + 0.5) * scale - 0.5, from)).collect()
}

/// The sample mirrored left to right.
pub fn flip(sample: &Sample) -> Sample {
    Sample {
        name: sample.name.clone(),
        rgb: contiguous(sample.rgb.slice(s![.., .., ..;-1])),
        depth: contiguous(sample.depth.slice(s![.., ..;-1])),
        mask: contiguous(sample.mask.slice(s![.., ..;-1])),
    }
}

/// The part of the sample from row `top` and column `left`, `height` x `width`.
///
/// # Panics
/// If that part reaches beyond the sample.
pub fn crop(sample: &Sample, top: usize, left: usize, height: usize, width: usize) -> Sample {
    let (bottom, right) = (top + height, left + width);
    Sample {
        name: sample.name.clone(),
        rgb: contiguous(sample.rgb.slice(s![.., top..bottom, left..right])),
        depth: contiguous(sample.depth.slice(s![top..bottom, left..right])),
        mask: contiguous(sample.mask.slice(s![top..bottom, left..right])),
    }
}

/// A copy in row-major order; `to_owned` would keep the negative stride of a mirrored view.
fn contiguous<D: Dimension>(view: ArrayView<f32, D>) -> Array<f32, D> {
    view.as_standard_layout().into_owned()
}

#[cfg(test)]
mod tests;
