//! Random variations of a sample. Each draws from its own stream of words, named by the key and a site, so that the
//! same key gives the same variation whatever else is switched on, and in whichever thread it runs.

use autograd::random::{Key, site};
use ndarray::{Array2, Array3, Axis, Zip};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::depth::FARTHEST;
use crate::error::DataError;
use crate::sample::Sample;
use crate::transform;

/// What [`augment`] may do to a training sample. The default suits a detector that learns from real pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Probability of mirroring left to right, in [0, 1]. Up and down mean something in a photograph: no vertical.
    pub flip: f32,
    /// Largest share of the height, and of the width, that a random crop removes, in [0, 0.9]; F3Net's is 1/8.
    pub crop: f32,
    /// Probability of a turn about the centre, in [0, 1]; TriTransNet's is 0.2. Corners are filled by mirroring.
    pub rotate: f32,
    /// Largest angle of a turn, in degrees to either side, in [0, 45]; TriTransNet's is 15.
    pub max_angle: f32,
    /// Brightness, contrast and saturation are each multiplied by a factor from [1 - jitter, 1 + jitter]; in [0, 1].
    pub jitter: f32,
    /// Standard deviation of Gaussian noise on valid depth, in units of the picture's depth range; in [0, 1].
    pub depth_noise: f32,
    /// Up to this many elliptic holes in the depth, such as shiny surfaces leave, each at most 1/8 of a side long.
    pub depth_holes: u32,
}

impl Augment {
    /// No change at all.
    pub const NONE: Augment = Augment {
        flip: 0.0,
        crop: 0.0,
        rotate: 0.0,
        max_angle: 0.0,
        jitter: 0.0,
        depth_noise: 0.0,
        depth_holes: 0,
    };

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// Names the first setting that is not.
    pub fn check(&self) -> Result<(), DataError> {
        let ranges = [
            ("flip", self.flip, 1.0, "from 0 to 1"),
            ("crop", self.crop, 0.9, "from 0 to 0.9"),
            ("rotate", self.rotate, 1.0, "from 0 to 1"),
            ("max_angle", self.max_angle, 45.0, "from 0 to 45"),
            ("jitter", self.jitter, 1.0, "from 0 to 1"),
            ("depth_noise", self.depth_noise, 1.0, "from 0 to 1"),
        ];
        match ranges.into_iter().find(|&(_, value, highest, _)| !(0.0..=highest).contains(&value)) {
            Some((name, value, _, expected)) => Err(DataError::Setting { name, value, expected }),
            None => Ok(()),
        }
    }
}

impl Default for Augment {
    fn default() -> Self {
        Augment {
            flip: 0.5,
            crop: 0.125,
            rotate: 0.0,
            max_angle: 15.0,
            jitter: 0.2,
            depth_noise: 0.02,
            depth_holes: 3,
        }
    }
}

/// A random variation of the sample, the same for the same `key`: cropped, mirrored and turned as one, then
/// changed in colour and in depth each by itself. A crop makes it smaller: resize it afterwards.
///
/// # Panics
/// If a setting is out of its range; [`Augment::check`] tells beforehand.
pub fn augment(sample: &Sample, settings: &Augment, key: Key) -> Sample {
    if let Err(error) = settings.check() {
        panic!("{error}");
    }
    let mut changed = random_crop(sample, settings.crop, key);
    if key.rng(site("data.flip")).random::<f32>() < settings.flip {
        changed = transform::flip(&changed);
    }
    if let Some(degrees) = angle(settings, key) {
        changed = transform::rotate(&changed, degrees);
    }
    jitter(&mut changed.rgb, settings.jitter, key);
    add_noise(&mut changed.depth, settings.depth_noise, key);
    punch_holes(&mut changed.depth, settings.depth_holes, key);
    changed
}

/// One of the `sizes`, for all samples of the batch whose `key` it is.
///
/// # Panics
/// If there is no size.
pub fn pick_size(sizes: &[usize], key: Key) -> usize {
    sizes[key.rng(site("data.size")).random_range(0..sizes.len())]
}

/// Removes up to `share` of the height and of the width, split at random between the two ends.
fn random_crop(sample: &Sample, share: f32, key: Key) -> Sample {
    let mut rng = key.rng(site("data.crop"));
    let mut kept = |side: usize| {
        let removed = rng.random_range(0..=(share * side as f32) as usize);
        (rng.random_range(0..=removed), side - removed)
    };
    let (height, width) = sample.depth.dim();
    let ((top, height), (left, width)) = (kept(height), kept(width));
    transform::crop(sample, top, left, height, width)
}

/// The angle of the turn in degrees, if there is one.
fn angle(settings: &Augment, key: Key) -> Option<f32> {
    let mut rng = key.rng(site("data.rotate"));
    let turns = rng.random::<f32>() < settings.rotate;
    turns.then(|| rng.random_range(-settings.max_angle..=settings.max_angle))
}

/// Multiplies brightness, contrast (about the mean grey) and saturation (about each pixel's grey) of `[3, H, W]`
/// colours by random factors, clipping to [0, 1] after each.
fn jitter(rgb: &mut Array3<f32>, strength: f32, key: Key) {
    let mut rng = key.rng(site("data.jitter"));
    let [brightness, contrast, saturation] =
        std::array::from_fn(|_| rng.random_range(1.0 - strength..=1.0 + strength));
    brighten(rgb, brightness, contrast);
    let grey = grey(rgb);
    for mut plane in rgb.outer_iter_mut() {
        plane.zip_mut_with(&grey, |v, &grey| *v = blend(*v, grey, saturation));
    }
}

/// Multiplies brightness and contrast (about the mean grey) of `[3, H, W]` colours, clipping to [0, 1] after each.
pub(crate) fn brighten(rgb: &mut Array3<f32>, brightness: f32, contrast: f32) {
    rgb.mapv_inplace(|v| blend(v, 0.0, brightness));
    let mean = grey(rgb).mean().unwrap_or(0.0);
    rgb.mapv_inplace(|v| blend(v, mean, contrast));
}

/// `factor` = 1 keeps the value, 0 gives the reference, more than 1 moves away from it.
fn blend(value: f32, reference: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * reference).clamp(0.0, 1.0)
}

/// `[3, H, W]` -> `[H, W]`.
fn grey(rgb: &Array3<f32>) -> Array2<f32> {
    let plane = |c| rgb.index_axis(Axis(0), c);
    Zip::from(plane(0)).and(plane(1)).and(plane(2)).map_collect(|r, g, b| 0.299 * r + 0.587 * g + 0.114 * b)
}

/// Gaussian noise on valid depth, `[H, W]`. It never makes a valid pixel missing.
fn add_noise(depth: &mut Array2<f32>, deviation: f32, key: Key) {
    let mut rng = key.rng(site("data.depth_noise"));
    for d in depth.iter_mut().filter(|d| **d > 0.0) {
        let noise: f32 = rng.sample(StandardNormal);
        *d = (*d + deviation * noise).clamp(FARTHEST.min(*d), 1.0);
    }
}

/// Sets up to `most` ellipses of the depth `[H, W]` to missing.
fn punch_holes(depth: &mut Array2<f32>, most: u32, key: Key) {
    let mut rng = key.rng(site("data.depth_holes"));
    let (height, width) = depth.dim();
    for _ in 0..rng.random_range(0..=most) {
        // Centre and half axes in pixels, pixel centres at half integers.
        let [y, half_height] = [1.0, 1.0 / 16.0].map(|share| rng.random::<f32>() * share * height as f32);
        let [x, half_width] = [1.0, 1.0 / 16.0].map(|share| rng.random::<f32>() * share * width as f32);
        for ((row, column), d) in depth.indexed_iter_mut() {
            let (dy, dx) = (row as f32 + 0.5 - y, column as f32 + 0.5 - x);
            if (dy / half_height).powi(2) + (dx / half_width).powi(2) <= 1.0 {
                *d = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(height: usize, width: usize) -> Sample {
        Sample {
            name: "a".into(),
            rgb: Array3::from_shape_fn((3, height, width), |(c, y, x)| {
                ((c + 2 * y + 3 * x) % 11) as f32 / 10.0
            }),
            depth: Array2::from_shape_fn(
                (height, width),
                |(y, x)| if x == 0 { 0.0 } else { 0.3 + 0.01 * y as f32 },
            ),
            mask: Array2::from_shape_fn((height, width), |(y, _)| (y % 2) as f32),
        }
    }

    fn key(step: u64) -> Key {
        Key { seed: 5, epoch: 2, step }
    }

    /// How many of 400 keys satisfy `test`.
    fn count(test: impl Fn(Key) -> bool) -> usize {
        (0..400).filter(|&step| test(key(step))).count()
    }

    #[test]
    fn the_key_decides() {
        let (sample, settings) = (sample(24, 32), Augment::default());
        assert_eq!(augment(&sample, &settings, key(1)), augment(&sample, &settings, key(1)));
        assert_ne!(augment(&sample, &settings, key(1)), augment(&sample, &settings, key(2)));
        assert_eq!(augment(&sample, &Augment::NONE, key(1)), sample);
        // One switch does not disturb what another draws.
        let noise = Augment { depth_noise: 0.1, ..Augment::NONE };
        let both = Augment { jitter: 0.5, ..noise };
        assert_eq!(augment(&sample, &noise, key(3)).depth, augment(&sample, &both, key(3)).depth);
    }

    #[test]
    fn flips_come_with_their_probability() {
        let sample = sample(2, 5);
        let flipped = |settings: Augment| count(|key| augment(&sample, &settings, key) != sample);
        assert_eq!(flipped(Augment { flip: 1.0, ..Augment::NONE }), 400);
        let some = flipped(Augment { flip: 0.25, ..Augment::NONE });
        assert!((70..=130).contains(&some), "{some} of 400 at probability 1/4");
    }

    #[test]
    fn turns_come_with_their_probability_and_range() {
        let settings = Augment { rotate: 0.2, max_angle: 15.0, ..Augment::NONE };
        let angles: Vec<f32> = (0..2000).filter_map(|step| angle(&settings, key(step))).collect();
        assert!((330..470).contains(&angles.len()), "{} of 2000 at probability 1/5", angles.len());
        assert!(angles.iter().all(|a| a.abs() <= 15.0));
        let right = angles.iter().filter(|a| **a < 0.0).count() as f32 / angles.len() as f32;
        assert!((0.4..0.6).contains(&right), "{right} of them clockwise");
        assert!(angles.iter().any(|a| a.abs() > 14.0));

        let sample = sample(24, 32);
        let turned = augment(&sample, &Augment { rotate: 1.0, ..settings }, key(1));
        let degrees = angle(&Augment { rotate: 1.0, ..settings }, key(1)).unwrap();
        assert_eq!(turned, transform::rotate(&sample, degrees));
        // The other variations draw what they draw without it.
        let crop = Augment { flip: 0.5, crop: 0.2, ..Augment::NONE };
        for step in 0..20 {
            let both = augment(&sample, &Augment { rotate: 1.0, max_angle: 0.0, ..crop }, key(step));
            assert_eq!(both, augment(&sample, &crop, key(step)));
        }
    }

    #[test]
    fn every_size_is_picked_as_often() {
        let picked = |size: usize| count(|key| pick_size(&[64, 96, 128], key) == size);
        assert!([64, 96, 128].map(picked).iter().all(|n| (100..170).contains(n))); // expected: 133, deviation 9
    }

    #[test]
    fn colours_change_and_stay_colours() {
        let original = sample(16, 16);
        let strong = Augment { jitter: 1.0, ..Augment::NONE };
        for step in 0..50 {
            let changed = augment(&original, &strong, key(step));
            assert_ne!(changed.rgb, original.rgb);
            assert!(changed.rgb.iter().all(|v| (0.0..=1.0).contains(v)));
            assert_eq!((changed.depth, changed.mask), (original.depth.clone(), original.mask.clone()));
        }
        assert_eq!(blend(0.75, 0.25, 0.0), 0.25);
        assert_eq!(blend(0.75, 0.25, 1.0), 0.75);
        assert_eq!(blend(0.5, 0.25, 1.5), 0.625);
        assert_eq!(blend(0.75, 0.25, 4.0), 1.0);
    }

    #[test]
    fn depth_noise_has_its_deviation_and_keeps_what_is_missing() {
        let mut depth = Array2::from_elem((64, 64), 0.5);
        depth.row_mut(0).fill(0.0);
        add_noise(&mut depth, 0.05, key(0));
        assert!(depth.row(0).iter().all(|&d| d == 0.0));
        let noise: Vec<f32> = depth.iter().filter(|&&d| d > 0.0).map(|d| d - 0.5).collect();
        assert_eq!(noise.len(), 63 * 64);
        let deviation = (noise.iter().map(|e| e * e).sum::<f32>() / noise.len() as f32).sqrt();
        assert!((deviation - 0.05).abs() < 0.003, "{deviation}"); // five standard errors of 4032 draws
        let mut extreme = Array2::from_elem((32, 32), 0.1);
        add_noise(&mut extreme, 1.0, key(0));
        assert!(extreme.iter().all(|d| (FARTHEST..=1.0).contains(d)));
    }

    #[test]
    fn holes_are_few_and_small() {
        let full = Array2::from_elem((64, 96), 0.5);
        let missing = |key: Key| {
            let mut depth = full.clone();
            punch_holes(&mut depth, 2, key);
            depth.iter().filter(|&&d| d == 0.0).count()
        };
        // Two ellipses with half axes of 4 and 6 pixels cover at most 2 * pi * 24 pixels, give or take their rims.
        assert!((0..400).all(|step| missing(key(step)) < 180));
        let without = count(|key| missing(key) == 0);
        assert!((133..260).contains(&without), "{without} of 400 without a hole"); // a third, and those of tiny holes
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert!(Augment::default().check().is_ok());
        for (settings, name) in [
            (Augment { flip: 1.5, ..Augment::NONE }, "flip"),
            (Augment { crop: 1.0, ..Augment::NONE }, "crop"),
            (Augment { rotate: -0.1, ..Augment::NONE }, "rotate"),
            (Augment { max_angle: 46.0, ..Augment::NONE }, "max_angle"),
            (Augment { jitter: f32::NAN, ..Augment::NONE }, "jitter"),
            (Augment { depth_noise: -0.1, ..Augment::NONE }, "depth_noise"),
        ] {
            assert!(settings.check().unwrap_err().to_string().starts_with(name));
        }
    }

    proptest! {
        /// Every plane carries the pixel's position, so the planes agree exactly if they were moved alike.
        #[test]
        fn crop_and_flip_move_the_triple_alike(
            (height, width, step) in (1usize..40, 1usize..40, any::<u64>()),
        ) {
            let place = Array2::from_shape_fn((height, width), |(y, x)| (y * 64 + x) as f32);
            let sample = Sample {
                name: String::new(),
                rgb: place.broadcast((3, height, width)).unwrap().mapv(|v| v / 4096.0),
                depth: place.clone() / 4096.0,
                mask: place / 4096.0,
            };
            let settings = Augment { flip: 0.5, crop: 0.125, ..Augment::NONE };
            let moved = augment(&sample, &settings, key(step));
            let (new_height, new_width) = moved.mask.dim();
            prop_assert!(new_height <= height && new_height >= height - height / 8);
            prop_assert!(new_width <= width && new_width >= width - width / 8);
            for plane in moved.rgb.outer_iter().chain([moved.depth.view()]) {
                prop_assert_eq!(plane, moved.mask.view());
            }
            // What is left is one connected piece: neighbours below differ by one row, beside by one column.
            let code = moved.mask.mapv(|v| (v * 4096.0).round() as i32);
            let direction = if new_width > 1 { code[[0, 1]] - code[[0, 0]] } else { 1 };
            prop_assert!(direction.abs() == 1);
            for ((y, x), &v) in code.indexed_iter() {
                prop_assert_eq!(v, code[[0, 0]] + 64 * y as i32 + direction * x as i32);
            }
        }
    }
}
