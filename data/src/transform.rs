//! What changes the geometry of a sample, always on colour, depth and truth alike; and the normalisation of colour.

use ndarray::{Array, Array2, Array3, ArrayView, ArrayView2, ArrayView3, Dimension, s};

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
    let mut rgb = Array3::zeros((sample.rgb.dim().0, height, width));
    for (mut to, from) in rgb.outer_iter_mut().zip(sample.rgb.outer_iter()) {
        to.assign(&resize_plane(from, height, width));
    }
    let mask = resize_plane(sample.mask.view(), height, width);
    Sample {
        name: sample.name.clone(),
        rgb,
        depth: resize_depth(sample.depth.view(), height, width),
        mask: mask.mapv(|m| if m >= 0.5 { 1.0 } else { 0.0 }),
    }
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
    let valid = depth.mapv(|d| if d > 0.0 { 1.0 } else { 0.0 });
    let weight = resize_plane(valid.view(), height, width);
    let mut sum = resize_plane(depth, height, width); // missing pixels add nothing
    sum.zip_mut_with(&weight, |sum, &weight| {
        *sum = if weight >= 0.5 { (*sum / weight).min(1.0) } else { 0.0 }
    });
    sum
}

/// The two neighbours of a target pixel along one axis: `(1 - share) * low + share * high`.
#[derive(Clone, Copy)]
struct Tap {
    low: usize,
    high: usize,
    share: f32,
}

impl Tap {
    fn mix(self, low: f32, high: f32) -> f32 {
        low + self.share * (high - low)
    }
}

/// The centre of target pixel i lies at (i + ½) · from / to in the source, whose pixel j has its centre at j + ½.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    assert!(from > 0 && to > 0, "cannot resize a side of {from} pixels to {to}");
    let scale = from as f32 / to as f32;
    let tap = |i: usize| {
        let position = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, (from - 1) as f32);
        let low = position as usize;
        Tap { low, high: (low + 1).min(from - 1), share: position - low as f32 }
    };
    (0..to).map(tap).collect()
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
mod tests {
    use super::*;
    use ndarray::{Axis, Zip, array};
    use proptest::prelude::*;

    fn assert_close(found: &Array2<f32>, expected: &Array2<f32>) {
        assert_eq!(found.dim(), expected.dim());
        assert!(Zip::from(found).and(expected).all(|a, b| (a - b).abs() < 1e-6), "{found} is not {expected}");
    }

    #[test]
    fn values_between_pixels_match_a_hand_computation() {
        // 2 -> 4: centres at -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1).
        let plane = array![[0.0, 4.0], [8.0, 12.0]];
        let up = resize_plane(plane.view(), 4, 4);
        let column = [0.0, 2.0, 6.0, 8.0];
        let row = [0.0, 1.0, 3.0, 4.0];
        assert_close(&up, &Array2::from_shape_fn((4, 4), |(y, x)| column[y] + row[x]));
        // 5 -> 2 along a row: centres at 0.75 and 3.25.
        let line = array![[0.0, 10.0, 20.0, 30.0, 40.0]];
        assert_close(&resize_plane(line.view(), 1, 2), &array![[7.5, 32.5]]);
    }

    #[test]
    fn missing_depth_does_not_bleed() {
        let depth = array![[0.8, 0.0, 0.4]];
        // 3 -> 6: centres at 0, 0.25, 0.75, 1.25, 1.75, 2; validity there 1, 0.75, 0.25, 0.25, 0.75, 1.
        assert_close(&resize_depth(depth.view(), 1, 6), &array![[0.8, 0.8, 0.0, 0.0, 0.4, 0.4]]);
        // A pixel half-way between two valid ones is their mean, as always.
        assert_close(&resize_depth(array![[0.2, 0.6]].view(), 1, 1), &array![[0.4]]);
    }

    #[test]
    fn a_whole_sample_is_resized_and_its_mask_stays_binary() {
        let sample = Sample {
            name: "a".into(),
            rgb: Array3::from_shape_fn((3, 1, 2), |(c, _, x)| (c * 2 + x) as f32 / 10.0),
            depth: array![[0.5, 1.0]],
            mask: array![[0.0, 1.0]],
        };
        let large = resize(&sample, 2, 4);
        assert_eq!((large.name.as_str(), large.rgb.dim()), ("a", (3, 2, 4)));
        assert_close(
            &large.rgb.index_axis(Axis(0), 1).to_owned(),
            &array![[0.2, 0.225, 0.275, 0.3], [0.2, 0.225, 0.275, 0.3]],
        );
        assert_close(&large.depth, &array![[0.5, 0.625, 0.875, 1.0], [0.5, 0.625, 0.875, 1.0]]);
        assert_eq!(large.mask, array![[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]);
        assert_eq!(resize(&sample, 1, 2), sample);
    }

    #[test]
    fn flip_and_crop_by_hand() {
        let plane = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]];
        let sample = Sample {
            name: String::new(),
            rgb: plane.broadcast((3, 2, 3)).unwrap().to_owned(),
            depth: plane.clone(),
            mask: plane,
        };
        let mirrored = flip(&sample);
        assert_eq!(mirrored.depth, array![[0.3, 0.2, 0.1], [0.6, 0.5, 0.4]]);
        assert!(mirrored.rgb.is_standard_layout() && mirrored.depth.is_standard_layout());
        assert_eq!(flip(&mirrored), sample);
        let part = crop(&sample, 1, 1, 1, 2);
        assert_eq!(part.mask, array![[0.5, 0.6]]);
        assert_eq!(part.rgb, array![[[0.5, 0.6]], [[0.5, 0.6]], [[0.5, 0.6]]]);
    }

    #[test]
    fn normalised_colours() {
        let white = normalise(Array3::ones((3, 1, 1)).view());
        let expected = [(1.0 - 0.485) / 0.229, (1.0 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
        assert_eq!(white.into_raw_vec_and_offset().0, expected);
        let mean = normalise(Array3::from_shape_fn((3, 1, 1), |(c, _, _)| IMAGENET_MEAN[c]).view());
        assert_eq!(mean, Array3::<f32>::zeros((3, 1, 1)));
    }

    proptest! {
        #[test]
        fn resized_depth_stays_within_what_was_measured(
            (height, width, to_height, to_width) in (1usize..9, 1usize..9, 1usize..20, 1usize..20),
            values in proptest::collection::vec(prop_oneof![Just(0.0f32), 0.1f32..=1.0], 64),
        ) {
            let depth = Array2::from_shape_fn((height, width), |(y, x)| values[y * 8 + x]);
            let far = depth.iter().copied().filter(|&d| d > 0.0).fold(1.0, f32::min);
            let near = depth.iter().copied().fold(0.0, f32::max);
            let resized = resize_depth(depth.view(), to_height, to_width);
            prop_assert!(resized.iter().all(|&d| d == 0.0 || (far - 1e-6..=near + 1e-6).contains(&d)));
            let all_valid = depth.iter().all(|&d| d > 0.0);
            prop_assert!(!all_valid || resized.iter().all(|&d| d > 0.0));
        }
    }
}
