//! From light to values: the lens blurs, the sensor adds noise and knows no more than white.

use ndarray::{Array3, ArrayViewMut1, Axis};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::place::Spectrum;

/// Develops `[C, H, W]` in place; afterwards all values are in [0, 1].
pub fn develop(picture: &mut Array3<f32>, spectrum: &Spectrum, rng: &mut ChaCha8Rng) {
    // Blur has a width in the scene: smaller pictures show less of it.
    let share = spectrum.blur * (picture.dim().1 as f32 / 128.0).min(1.0);
    for axis in [Axis(1), Axis(2)] {
        picture.lanes_mut(axis).into_iter().for_each(|lane| blur(lane, share));
    }
    let normal =
        Normal::new(0.0f32, spectrum.noise).expect("a standard deviation is finite and not negative");
    picture.iter_mut().for_each(|value| *value = (*value + normal.sample(rng)).clamp(0.0, 1.0));
}

/// Each value gives a share of itself to both neighbours; the ends keep what would leave.
fn blur(mut lane: ArrayViewMut1<f32>, share: f32) {
    let mut before = lane[0];
    for i in 0..lane.len() {
        let (here, after) = (lane[i], lane[(i + 1).min(lane.len() - 1)]);
        lane[i] = here + share * (before - 2.0 * here + after);
        before = here;
    }
}
