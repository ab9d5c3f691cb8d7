//! What a vehicle wears in one spectrum: a colour for each kind of surface, and decals.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::PI;

use crate::raycast::colour::hsv;
use crate::raycast::vec3::{Vec3, vec3};

/// Kinds of surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The main paint.
    Paint,
    /// The second paint: a lower half, a roof, a box.
    Second,
    /// Windows.
    Glass,
    /// Plastic, seams and wheel houses.
    Trim,
    /// Rubber.
    Tyre,
    /// The wheel's middle.
    Rim,
    /// Lamps at the front.
    HeadLamp,
    /// Lamps at the rear.
    TailLamp,
    /// The number plate; blank.
    Plate,
}

/// How many finishes there are.
const FINISHES: usize = Finish::Plate as usize + 1;

/// A side of the vehicle that decals stick to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Left and right alike: along, up.
    Side,
    /// Bonnet and roof: along, across.
    Top,
    /// Front and rear: across, up.
    End,
}

/// The form of a decal.
#[derive(Clone, Copy, Debug)]
enum Motif {
    Plain,
    Bars,
    Checks,
    Disc,
    Ring,
    Slash,
}

const MOTIFS: [Motif; 6] = [Motif::Plain, Motif::Bars, Motif::Checks, Motif::Disc, Motif::Ring, Motif::Slash];

/// Something stuck on the paint.
#[derive(Clone, Debug)]
struct Decal {
    face: Face,
    motif: Motif,
    /// Middle and half extent, in half lengths, half widths or heights of the vehicle.
    middle: [f32; 2],
    extent: [f32; 2],
    colour: Vec3,
}

impl Decal {
    /// A stripe along the side, a stripe over the bonnet and roof, or a patch.
    fn draw(colour: Vec3, rng: &mut ChaCha8Rng) -> Self {
        let mut from = |low: f32, high: f32| rng.random_range(low..high);
        let place = from(0.0, 1.0);
        let (face, middle, extent) = if place < 0.3 {
            (Face::Side, [0.0, from(0.28, 0.52)], [2.0, from(0.03, 0.07)])
        } else if place < 0.5 {
            (Face::Top, [0.0, from(-0.4, 0.4)], [2.0, from(0.1, 0.3)])
        } else if place < 0.85 {
            (Face::Side, [from(-0.6, 0.6), from(0.34, 0.52)], [from(0.12, 0.3), from(0.08, 0.16)])
        } else {
            (Face::End, [from(-0.5, 0.5), from(0.3, 0.5)], [from(0.2, 0.4), from(0.05, 0.1)])
        };
        let motif = if extent[0] > 1.0 { Motif::Plain } else { MOTIFS[rng.random_range(0..MOTIFS.len())] };
        Self { face, motif, middle, extent, colour }
    }

    /// Whether the decal covers a point of its face.
    fn covers(&self, at: [f32; 2]) -> bool {
        let [u, v] = [0, 1].map(|axis| (at[axis] - self.middle[axis]) / self.extent[axis]);
        if u.abs() > 1.0 || v.abs() > 1.0 {
            return false;
        }
        let radius = u * u + v * v;
        match self.motif {
            Motif::Plain => true,
            Motif::Bars => (u * 2.5 + 2.5) as i32 % 2 == 0,
            Motif::Checks => ((u * 2.0 + 2.0) as i32 + (v + 1.0) as i32) % 2 == 0,
            Motif::Disc => radius < 1.0,
            Motif::Ring => (0.3..1.0).contains(&radius),
            Motif::Slash => (u - v).abs() < 0.6,
        }
    }
}

/// A spectrum's view of a vehicle's materials. In NIR the colours are greys.
#[derive(Clone, Debug)]
pub struct Coat {
    colours: [Vec3; FINISHES],
    decals: Vec<Decal>,
}

impl Coat {
    /// Colours as the eye sees them.
    pub fn visible(rng: &mut ChaCha8Rng) -> Self {
        let paint = visible_paint(rng);
        let second = visible_paint(rng);
        let grey = |low: f32, high: f32, rng: &mut ChaCha8Rng| Vec3::splat(rng.random_range(low..high));
        let colours = [
            paint,
            second,
            vec3(0.07, 0.09, 0.11) * rng.random_range(0.6..1.5),
            grey(0.04, 0.16, rng),
            grey(0.04, 0.1, rng),
            grey(0.2, 0.85, rng),
            grey(0.75, 0.95, rng),
            hsv(0.0, 0.85, rng.random_range(0.45..0.75)),
            grey(0.75, 0.9, rng),
        ];
        let decals = (0..rng.random_range(0..4)).map(|_| Decal::draw(visible_paint(rng), rng)).collect();
        Self { colours, decals }
    }

    /// Reflectances in the near infrared, drawn without a look at the colours: a black paint may be bright here.
    pub fn infrared(rng: &mut ChaCha8Rng) -> Self {
        let grey = |low: f32, high: f32, rng: &mut ChaCha8Rng| Vec3::splat(rng.random_range(low..high));
        let colours = [
            grey(0.08, 0.9, rng),
            grey(0.08, 0.9, rng),
            grey(0.03, 0.35, rng),
            grey(0.05, 0.5, rng),
            grey(0.04, 0.4, rng),
            grey(0.15, 0.9, rng),
            grey(0.4, 0.9, rng),
            grey(0.3, 0.8, rng),
            grey(0.3, 0.9, rng),
        ];
        let count = rng.random_range(1..5);
        let decals = (0..count).map(|_| Decal::draw(grey(0.05, 0.95, rng), rng)).collect();
        Self { colours, decals }
    }

    /// The colour of a surface without light; `spot` is its place on a face that may carry decals.
    pub fn colour(&self, finish: Finish, spot: Option<(Face, [f32; 2])>) -> Vec3 {
        if let Some((face, at)) = spot {
            let on_top = |decal: &&Decal| decal.face == face && decal.covers(at);
            if let Some(decal) = self.decals.iter().rev().find(on_top) {
                return decal.colour;
            }
        }
        self.colours[finish as usize]
    }

    /// Distance between the main paints of two coats.
    pub fn contrast(&self, other: &Self) -> f32 {
        (self.colours[0] - other.colours[0]).length()
    }
}

/// Half of all vehicles are white, grey or black.
fn visible_paint(rng: &mut ChaCha8Rng) -> Vec3 {
    if rng.random_bool(0.45) {
        let grey = [0.06, 0.16, 0.35, 0.6, 0.88][rng.random_range(0..5)];
        hsv(rng.random_range(0.0..1.0), rng.random_range(0.0..0.12), grey)
    } else {
        let value = 0.5 + 0.4 * (rng.random_range(0.0..PI)).cos();
        hsv(rng.random_range(0.0..1.0), rng.random_range(0.55..0.95), value)
    }
}
