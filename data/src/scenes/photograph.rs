//! Turns a stage into pixels: colour, mask and depth.

use ndarray::{Array2, Array3};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::compose::Stage;
use super::sensor::position;
use super::solid::Role;
use super::world::Hit;
use crate::raycast::vec3::{Vec3, vec3};

/// Standard deviation of the colour camera's noise.
const GRAIN: f32 = 0.012;
/// Half the width of the lamp, metres: it gives shadows their soft rim.
const LAMP: f32 = 0.12;

/// What the rays through the pixels' centres meet, `[H, W]`.
pub fn centres(stage: &Stage, size: usize) -> Array2<Hit> {
    Array2::from_shape_fn((size, size), |at| {
        stage.world.trace(&stage.camera.ray(position(at, size)), Role::Phantom)
    })
}

/// 1 where the ray through the pixel's centre meets a salient object, `[H, W]`.
pub fn mask(stage: &Stage, centres: &Array2<Hit>) -> Array2<f32> {
    centres.map(|hit| f32::from(stage.world.is(hit, Role::Salient)))
}

/// Colour `[3, H, W]` in [0, 1]. A pixel is the mean of the rays through its four corners and, with equal weight,
/// the ray through its centre. Neighbours share corners, so this smooth picture costs two rays a pixel.
pub fn colour(stage: &Stage, centres: &Array2<Hit>, rng: &mut ChaCha8Rng) -> Array3<f32> {
    let size = centres.nrows();
    let corners = Array2::from_shape_fn((size + 1, size + 1), |at| corner(stage, at, size));
    let normal = Normal::new(0.0f32, GRAIN).expect("a standard deviation is finite and not negative");
    let mut picture = Array3::zeros((3, size, size));
    for ((row, column), hit) in centres.indexed_iter() {
        let ray = stage.camera.ray(position((row, column), size));
        let centre = stage.world.shade(&ray, hit, Vec3::splat(0.0));
        let around =
            [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[down, right]| corners[[row + down, column + right]]);
        let rim = around.into_iter().fold(Vec3::splat(0.0), |sum, colour| sum + colour);
        for (channel, value) in (centre * 0.5 + rim * 0.125).array().into_iter().enumerate() {
            picture[[channel, row, column]] = (value + normal.sample(rng)).clamp(0.0, 1.0);
        }
    }
    picture
}

/// Colour seen through a corner of the pixel grid. Each corner is lit by one of the lamp's four corners, in turns,
/// so that every pixel sees all of them.
fn corner(stage: &Stage, (row, column): (usize, usize), size: usize) -> Vec3 {
    let [u, v] = [column, row].map(|index| 2.0 * index as f32 / size as f32 - 1.0);
    let ray = stage.camera.ray([u, -v]);
    let hit = stage.world.trace(&ray, Role::Phantom);
    let [x, z] = [column, row].map(|index| if index % 2 == 0 { -LAMP } else { LAMP });
    stage.world.shade(&ray, &hit, vec3(x, 0.0, z))
}

/// Depth in [0, 1] as the stage's sensor reports it, near 1, missing 0, `[H, W]`.
pub fn depth(stage: &Stage, size: usize, rng: &mut ChaCha8Rng) -> Array2<f32> {
    let sensor = &stage.sensor;
    let inverse = Array2::from_shape_fn((size, size), |at| {
        let ray = stage.camera.ray(sensor.bend(position(at, size)));
        let inverse = |invisible| 1.0 / stage.world.trace(&ray, invisible).t;
        let truth = inverse(Role::Phantom);
        if sensor.delusion == 0.0 {
            truth
        } else {
            truth + sensor.delusion * (inverse(Role::Salient) - truth)
        }
    });
    sensor.measure(&inverse, rng)
}
