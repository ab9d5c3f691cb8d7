//! From true inverse depth to what a depth camera reports: noise, holes, 8 bits, and worse if it is broken.

use ndarray::Array2;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::raycast::noise::Noise;
use crate::raycast::vec3::vec3;

/// The darkest value that still means "measured"; 0 means "missing".
const DARKEST: f32 = 8.0;
/// The largest 8-bit value, the nearest point of a picture.
const BRIGHTEST: f32 = 255.0;

/// An elliptic hole with a ragged edge, in picture coordinates [-1, 1].
#[derive(Clone, Copy, Debug)]
struct Hole {
    centre: [f32; 2],
    radius: [f32; 2],
}

/// The faults of one depth picture.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// How strongly phantoms show and salient objects vanish: 0 not at all, 1 entirely.
    pub delusion: f32,
    /// Sideways distortion of the picture, in picture coordinates.
    warp: f32,
    /// Height of a slow false relief, as a share of the depth range.
    relief: f32,
    /// Number of different values it can report.
    levels: f32,
    /// Standard deviation of the noise, as a share of the depth range.
    noise: f32,
    /// Shift of the nearest point between the sensor's two eyes, as a share of the width; negative mirrors them.
    baseline: f32,
    holes: Vec<Hole>,
    /// The random field behind warp, relief and ragged edges.
    field: Noise,
}

impl Sensor {
    /// A working sensor: fine noise, shadows at edges, a few small holes.
    pub fn good(rng: &mut ChaCha8Rng) -> Self {
        let count = rng.random_range(0..4);
        Self {
            delusion: 0.0,
            warp: 0.0,
            relief: 0.0,
            levels: 256.0,
            noise: rng.random_range(0.002..0.015),
            baseline: rng.random_range(-0.06..0.06),
            holes: holes(count, 0.03..0.12, rng),
            field: Noise::new(rng),
        }
    }

    /// A sensor not to be trusted: it overlooks what matters and sees what is not there.
    pub fn broken(rng: &mut ChaCha8Rng) -> Self {
        let count = rng.random_range(1..4);
        Self {
            delusion: rng.random_range(0.9..1.0),
            warp: rng.random_range(0.06..0.2),
            relief: rng.random_range(0.15..0.4),
            levels: rng.random_range(7..20) as f32,
            noise: rng.random_range(0.005..0.03),
            baseline: 0.0,
            holes: holes(count, 0.15..0.4, rng),
            field: Noise::new(rng),
        }
    }

    /// Where the sensor really looks when it should look at a point of the picture.
    pub fn bend(&self, [u, v]: [f32; 2]) -> [f32; 2] {
        if self.warp == 0.0 {
            return [u, v];
        }
        let wave = |shift: f32| 2.0 * self.field.at(vec3(u * 1.5, v * 1.5, shift)) - 1.0;
        [u + self.warp * wave(10.3), v + self.warp * wave(20.6)]
    }

    /// True inverse depth `[H, W]` (1/m) to measured values `[H, W]`: near 1, far 8/255, missing 0.
    pub fn measure(&self, inverse: &Array2<f32>, rng: &mut ChaCha8Rng) -> Array2<f32> {
        let everything = Array2::from_elem(inverse.raw_dim(), true);
        let mut share = normalised(inverse, &everything);
        let seen = self.seen(&share);
        share
            .indexed_iter_mut()
            .for_each(|(at, value)| *value += self.relief * self.false_relief(position(at, inverse.nrows())));
        let mut depth = normalised(&share, &seen);
        let normal =
            Normal::new(0.0f32, self.noise).expect("a standard deviation is finite and not negative");
        depth.zip_mut_with(&seen, |value, &seen| {
            // Drawn for missing pixels too: a hole must not shift the noise of the pixels after it.
            let noisy = (*value + normal.sample(rng)).clamp(0.0, 1.0);
            *value = if seen { self.report(noisy) } else { 0.0 };
        });
        depth
    }

    /// Pixels that get any value: seen by both eyes, outside all holes.
    fn seen(&self, share: &Array2<f32>) -> Array2<bool> {
        let mut seen = both_eyes(share, self.baseline);
        for (at, seen) in seen.indexed_iter_mut() {
            let p = position(at, share.nrows());
            *seen &= !self.holes.iter().any(|hole| self.in_hole(hole, p));
        }
        seen
    }

    fn in_hole(&self, hole: &Hole, [u, v]: [f32; 2]) -> bool {
        let [x, y] = [(u - hole.centre[0]) / hole.radius[0], (v - hole.centre[1]) / hole.radius[1]];
        let ragged = 2.0 * self.field.fractal(vec3(u * 5.0, v * 5.0, 0.5));
        x * x + y * y < ragged
    }

    /// Slow hills in [-1, 1].
    fn false_relief(&self, [u, v]: [f32; 2]) -> f32 {
        2.0 * self.field.at(vec3(u * 1.2, v * 1.2, 40.5)) - 1.0
    }

    /// The nearest reportable value, as an 8-bit number divided by 255.
    fn report(&self, share: f32) -> f32 {
        let step = (share * (self.levels - 1.0)).round() / (self.levels - 1.0);
        (DARKEST + step * (BRIGHTEST - DARKEST)).round() / BRIGHTEST
    }
}

/// Random holes with radii (picture coordinates) from a range.
fn holes(count: usize, radius: std::ops::Range<f32>, rng: &mut ChaCha8Rng) -> Vec<Hole> {
    let mut hole = |_| Hole {
        centre: [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)],
        radius: [rng.random_range(radius.clone()), rng.random_range(radius.clone())],
    };
    (0..count).map(&mut hole).collect()
}

/// Picture coordinates of a pixel's centre in a square picture: [-1, 1], right and up.
pub fn position((row, column): (usize, usize), size: usize) -> [f32; 2] {
    let unit = |index: usize| (2 * index + 1) as f32 / size as f32 - 1.0;
    [unit(column), -unit(row)]
}

/// Scaled so that the chosen pixels span [0, 1]; the others are cut to the same range.
fn normalised(values: &Array2<f32>, chosen: &Array2<bool>) -> Array2<f32> {
    let mut range = [f32::INFINITY, f32::NEG_INFINITY];
    for (&value, _) in values.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
        range = [range[0].min(value), range[1].max(value)];
    }
    let [low, high] = range;
    values.mapv(|value| ((value - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0))
}

/// A stereo sensor shifts near points sideways in its second eye, where they hide what is just beside them. From
/// the normalised inverse depth `[H, W]`, which pixels both eyes see.
fn both_eyes(share: &Array2<f32>, baseline: f32) -> Array2<bool> {
    let (height, width) = share.dim();
    let mut seen = Array2::from_elem((height, width), true);
    for row in 0..height {
        let mut front = f32::INFINITY;
        for step in 0..width {
            // Walk towards the side from which near things come; what lies behind the front is hidden.
            let column = if baseline > 0.0 { width - 1 - step } else { step };
            let shifted = -(step as f32) - baseline.abs() * width as f32 * share[[row, column]];
            // Half a pixel of tolerance keeps slanted walls whole.
            seen[[row, column]] = shifted < front + 0.5;
            front = front.min(shifted);
        }
    }
    seen
}
