//! Value noise: random numbers on the integer lattice, smoothly interpolated between.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::vec3::{Vec3, vec3};

/// A smooth random field over space, values in [0, 1], period 256 along every axis.
#[derive(Clone, Debug)]
pub struct Noise {
    /// A shuffle of 0..=255; lattice points find their number by looking it up once per axis.
    table: [u8; 256],
}

impl Noise {
    /// A new field.
    pub fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut table = std::array::from_fn(|i| i as u8);
        table.shuffle(rng);
        Self { table }
    }

    /// The field at a point; features are about one unit wide.
    pub fn at(&self, p: Vec3) -> f32 {
        let (cell, share) = (vec3(p.x.floor(), p.y.floor(), p.z.floor()), |v: f32| v * v * (3.0 - 2.0 * v));
        let [fx, fy, fz] = (p - cell).array().map(share);
        let [x, y, z] = cell.array().map(|v| v as i32 as u8);
        let edge = |y: u8, z: u8| {
            let left = self.corner(x, y, z);
            left + fx * (self.corner(x.wrapping_add(1), y, z) - left)
        };
        let face = |z: u8| {
            let low = edge(y, z);
            low + fy * (edge(y.wrapping_add(1), z) - low)
        };
        let front = face(z);
        front + fz * (face(z.wrapping_add(1)) - front)
    }

    /// Three octaves: the field plus finer and weaker copies of itself, still in [0, 1].
    pub fn fractal(&self, p: Vec3) -> f32 {
        // The odd factors and shifts keep the copies' lattices from lining up.
        let second = self.at(p * 2.03 + Vec3::splat(17.3));
        let third = self.at(p * 4.11 + Vec3::splat(43.7));
        (4.0 * self.at(p) + 2.0 * second + third) / 7.0
    }

    /// A number in [0, 1] for each cell of the lattice, without interpolation.
    pub fn cell(&self, p: Vec3) -> f32 {
        let [x, y, z] = p.array().map(|v| v.floor() as i32 as u8);
        self.corner(x, y, z)
    }

    fn corner(&self, x: u8, y: u8, z: u8) -> f32 {
        let look = |i: u8| self.table[usize::from(i)];
        f32::from(look(look(look(x).wrapping_add(y)).wrapping_add(z))) / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::random::Key;

    #[test]
    fn smooth_between_lattice_points_and_bounded() {
        let noise = Noise::new(&mut Key::default().rng(1));
        let values: Vec<f32> = (0..2000).map(|i| noise.at(vec3(i as f32 * 0.01 - 9.0, -2.5, 7.25))).collect();
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(
            values.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.02),
            "slope is at most 1.5 per unit"
        );
        let spread = values.iter().fold(0.0f32, |high, v| high.max(*v))
            - values.iter().fold(1.0f32, |low, v| low.min(*v));
        assert!(spread > 0.3);
    }
}
