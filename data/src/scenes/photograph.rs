//! Turns a stage into pixels: colour, mask and depth.

use ndarray::{Array2, Array3};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::compose::Stage;
use super::sensor::position;
use super::solid::Role;
use super::vec3::{Vec3, vec3};

/// Standard deviation of the colour camera's noise.
const GRAIN: f32 = 0.012;
/// Radius of the lamp, metres: it gives shadows their soft rim.
const LAMP: f32 = 0.12;

/// Colour `[3, H, W]` in [0, 1]. Four rays a pixel, each lit by its own corner of the lamp, soften edges and
/// shadows.
pub fn colour(stage: &Stage, size: usize, rng: &mut ChaCha8Rng) -> Array3<f32> {
    const CORNERS: [[f32; 2]; 4] = [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]];
    let normal = Normal::new(0.0f32, GRAIN).expect("a standard deviation is finite and not negative");
    let mut picture = Array3::zeros((3, size, size));
    let pixel = 2.0 / size as f32;
    for row in 0..size {
        for column in 0..size {
            let [u, v] = position((row, column), size);
            let sum = CORNERS.iter().fold(Vec3::splat(0.0), |sum, [right, up]| {
                let ray = stage.camera.ray([u + 0.5 * pixel * right, v + 0.5 * pixel * up]);
                let hit = stage.world.trace(&ray, Role::Phantom);
                // Opposite order, so that the lamp's corners do not follow the pixel's.
                sum + stage.world.shade(&ray, &hit, vec3(-up * 2.0 * LAMP, 0.0, right * 2.0 * LAMP))
            });
            for (channel, value) in (sum * 0.25).array().into_iter().enumerate() {
                picture[[channel, row, column]] = (value + normal.sample(rng)).clamp(0.0, 1.0);
            }
        }
    }
    picture
}

/// 1 where the ray through the pixel's centre meets a salient object, `[H, W]`.
pub fn mask(stage: &Stage, size: usize) -> Array2<f32> {
    Array2::from_shape_fn((size, size), |at| {
        let hit = stage.world.trace(&stage.camera.ray(position(at, size)), Role::Phantom);
        f32::from(stage.world.is(&hit, Role::Salient))
    })
}

/// Depth in [0, 1] as the stage's sensor reports it, near 1, missing 0, `[H, W]`.
pub fn depth(stage: &Stage, size: usize, rng: &mut ChaCha8Rng) -> Array2<f32> {
    let sensor = &stage.sensor;
    let inverse = Array2::from_shape_fn((size, size), |at| {
        let ray = stage.camera.ray(sensor.bend(position(at, size)));
        let truth = 1.0 / stage.world.trace(&ray, Role::Phantom).t;
        let belief = 1.0 / stage.world.trace(&ray, Role::Salient).t;
        truth + sensor.delusion * (belief - truth)
    });
    sensor.measure(&inverse, rng)
}
