//! Random variations of a picture in several spectra, after HAMNet's recipe, and what makes a picture fit for a network.
//!
//! The order is that of the recipe: resize, mirror, pad and crop back, normalise, erase. Each draws from its own stream
//! of words, as in [`crate::augment`]; and so does each spectrum.

use autograd::random::{Key, site};
use ndarray::{Array3, Axis, s, stack};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Normalised, ReidSample};
use crate::augment::brighten;
use crate::error::DataError;
use crate::transform::{IMAGENET_MEAN, normalise, resize_plane};

/// What [`augment`] may do to a training sample. The default is HAMNet's recipe as its code ships.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReidAugment {
    /// Probability of mirroring left to right, in [0, 1].
    pub flip: f32,
    /// Pixels of black around the resized picture, out of which one of the same size is cut at random: it is moved by
    /// up to this many to each side, whatever its size; at most 100.
    pub pad: usize,
    /// Probability of overwriting a rectangle, in [0, 1]. It covers 2 to 40 % of the picture, its height is 0.3 to 3.33
    /// times its width.
    pub erase: f32,
    /// What the rectangle is filled with.
    pub erase_fill: EraseFill,
    /// Brightness and contrast are each multiplied by a factor from [1 - jitter, 1 + jitter]; in [0, 1].
    pub jitter: f32,
    /// Whether all spectra of a sample are mirrored and moved alike, so that their pixels keep showing the same spot.
    /// Rectangles and brightness are drawn for each by itself even so: what one spectrum lost, another may have kept.
    pub together: bool,
}

/// What an erased rectangle is filled with, after normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EraseFill {
    /// ImageNet's mean as it is, .485, .456, .406: a colour above the mean, since it is written where values are
    /// normalised already. As HAMNet's code does.
    PixelMean,
    /// 0, which is the mean colour.
    Zero,
}

/// Share of the picture that a rectangle covers.
const ERASED_AREA: [f32; 2] = [0.02, 0.4];
/// Its height in units of its width; one that does not fit in the picture is drawn again.
const ERASED_ASPECT: [f32; 2] = [0.3, 1.0 / 0.3];
/// How often a rectangle is drawn until one fits in the picture.
const ERASE_TRIES: usize = 100;

impl ReidAugment {
    /// No change at all.
    pub const NONE: ReidAugment = ReidAugment {
        flip: 0.0,
        pad: 0,
        erase: 0.0,
        erase_fill: EraseFill::Zero,
        jitter: 0.0,
        together: false,
    };

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// Names the first setting that is not.
    pub fn check(&self) -> Result<(), DataError> {
        let ranges = [
            ("flip", self.flip, 1.0, "from 0 to 1"),
            ("pad", self.pad as f32, 100.0, "from 0 to 100"),
            ("erase", self.erase, 1.0, "from 0 to 1"),
            ("jitter", self.jitter, 1.0, "from 0 to 1"),
        ];
        match ranges.into_iter().find(|&(_, value, highest, _)| !(0.0..=highest).contains(&value)) {
            Some((name, value, _, expected)) => Err(DataError::Setting { name, value, expected }),
            None => Ok(()),
        }
    }
}

impl Default for ReidAugment {
    fn default() -> Self {
        ReidAugment {
            flip: 0.5,
            pad: 10,
            erase: 0.5,
            erase_fill: EraseFill::PixelMean,
            jitter: 0.0,
            together: false,
        }
    }
}

/// A random variation of the sample at `[height, width]`, normalised; the same for the same `key`.
///
/// # Panics
/// If a setting is out of its range ([`ReidAugment::check`] tells beforehand), or a side is zero.
pub fn augment(sample: &ReidSample, settings: &ReidAugment, size: [usize; 2], key: Key) -> Normalised {
    if let Err(error) = settings.check() {
        panic!("{error}");
    }
    with_pictures(sample, |spectrum, picture| vary(picture, spectrum, settings, size, key))
}

/// The sample at `[height, width]`, normalised and otherwise unchanged, as it is evaluated.
///
/// # Panics
/// If a side is zero.
pub fn unchanged(sample: &ReidSample, size: [usize; 2]) -> Normalised {
    with_pictures(sample, |_, picture| normalise(resize(picture, size).view()))
}

/// The sample with another picture in every spectrum.
fn with_pictures(sample: &ReidSample, change: impl Fn(usize, &Array3<f32>) -> Array3<f32>) -> Normalised {
    let pictures = sample.pictures.iter().enumerate().map(|(spectrum, picture)| change(spectrum, picture));
    Normalised(ReidSample { pictures: pictures.collect(), name: sample.name.clone(), ..*sample })
}

/// One spectrum `[3, H, W]` in [0, 1], varied and normalised, `[3, height, width]`.
fn vary(
    picture: &Array3<f32>,
    spectrum: usize,
    settings: &ReidAugment,
    size: [usize; 2],
    key: Key,
) -> Array3<f32> {
    let placed = if settings.together { 0 } else { spectrum };
    let rng = |what: &str, spectrum: usize| key.rng(site(&format!("reid.{what}.{spectrum}")));
    let mut picture = resize(picture, size);
    if settings.jitter > 0.0 {
        jitter(&mut picture, settings.jitter, &mut rng("jitter", spectrum));
    }
    if rng("flip", placed).random::<f32>() < settings.flip {
        picture.invert_axis(Axis(2));
    }
    let picture = pad_and_crop(&picture, settings.pad, &mut rng("crop", placed));
    let mut picture = normalise(picture.view());
    erase(&mut picture, settings, &mut rng("erase", spectrum));
    picture
}

/// `[3, H, W]` at another size, bilinear as in [`crate::transform::resize_plane`].
fn resize(picture: &Array3<f32>, [height, width]: [usize; 2]) -> Array3<f32> {
    if picture.dim() == (3, height, width) {
        return picture.clone(); // what interpolation would give, sooner
    }
    let planes: Vec<_> = picture.outer_iter().map(|plane| resize_plane(plane, height, width)).collect();
    let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
    stack(Axis(0), &views).expect("the planes of one picture have one size")
}

/// Multiplies brightness and contrast by random factors.
fn jitter(picture: &mut Array3<f32>, strength: f32, rng: &mut impl RngExt) {
    let [brightness, contrast] = std::array::from_fn(|_| rng.random_range(1.0 - strength..=1.0 + strength));
    brighten(picture, brightness, contrast);
}

/// As many pixels as `[3, H, W]` has, cut at random out of it and `pad` black pixels all around.
fn pad_and_crop(picture: &Array3<f32>, pad: usize, rng: &mut impl RngExt) -> Array3<f32> {
    let (channels, height, width) = picture.dim();
    let mut padded = Array3::zeros((channels, height + 2 * pad, width + 2 * pad));
    padded.slice_mut(s![.., pad..pad + height, pad..pad + width]).assign(picture);
    let [top, left] = std::array::from_fn(|_| rng.random_range(0..=2 * pad));
    padded.slice(s![.., top..top + height, left..left + width]).to_owned()
}

/// Overwrites a rectangle of the normalised `[3, H, W]`, or none.
fn erase(picture: &mut Array3<f32>, settings: &ReidAugment, rng: &mut impl RngExt) {
    if rng.random::<f32>() >= settings.erase {
        return;
    }
    let (_, height, width) = picture.dim();
    let [least, most] = ERASED_AREA;
    let [flat, high] = ERASED_ASPECT;
    for _ in 0..ERASE_TRIES {
        let area = rng.random_range(least..=most) * (height * width) as f32;
        let aspect = rng.random_range(flat..=high);
        let rows = (area * aspect).sqrt().round() as usize;
        let columns = (area / aspect).sqrt().round() as usize;
        if rows < height && columns < width {
            let top = rng.random_range(0..=height - rows);
            let left = rng.random_range(0..=width - columns);
            for (mut plane, mean) in picture.outer_iter_mut().zip(IMAGENET_MEAN) {
                let fill = match settings.erase_fill {
                    EraseFill::PixelMean => mean,
                    EraseFill::Zero => 0.0,
                };
                plane.slice_mut(s![top..top + rows, left..left + columns]).fill(fill);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests;
