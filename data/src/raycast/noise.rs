//! Value noise: random numbers on the integer lattice, smoothly interpolated between.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::vec3::Vec3;

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
        let [(x, fx), (y, fy), (z, fz)] =
            p.array().map(split).map(|(cell, f)| (cell, f * f * (3.0 - 2.0 * f)));
        // Interpolate along z on four edges, then along y on two faces, then along x.
        let edge = |row: u8| {
            let front = f32::from(self.look(row, z));
            front + fz * (f32::from(self.look(row, z.wrapping_add(1))) - front)
        };
        let face = |column: u8| {
            let low = edge(self.look(column, y));
            low + fy * (edge(self.look(column, y.wrapping_add(1))) - low)
        };
        let left = face(self.look(0, x));
        (left + fx * (face(self.look(0, x.wrapping_add(1))) - left)) * UNIT
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
        let found = p.array().into_iter().fold(0, |found, v| self.look(found, split(v).0));
        f32::from(found) * UNIT
    }

    /// One step of the look-up: what was found so far, moved on by the next coordinate.
    fn look(&self, found: u8, coordinate: u8) -> u8 {
        self.table[usize::from(found.wrapping_add(coordinate))]
    }
}

/// Carries the table's bytes to [0, 1].
const UNIT: f32 = 1.0 / 255.0;

/// The lattice cell of a coordinate, modulo 256, and the place in it, in [0, 1].
fn split(v: f32) -> (u8, f32) {
    // Cutting off the fraction is several times faster than `floor`; only negative numbers notice the difference.
    let cut = v as i32;
    let place = v - cut as f32;
    if place < 0.0 { ((cut as u8).wrapping_sub(1), place + 1.0) } else { (cut as u8, place) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raycast::vec3::vec3;
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
