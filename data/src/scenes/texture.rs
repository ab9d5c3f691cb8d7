//! Colours and procedural textures of surfaces.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

use super::album::Album;
use crate::raycast::colour::hsv;
use crate::raycast::noise::Noise;
use crate::raycast::vec3::{Vec3, vec3};

/// Two or three related colours, RGB in [0, 1].
pub type Palette = [Vec3; 3];

/// How a texture arranges its colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pattern {
    /// Almost one colour, slowly varying.
    Smooth,
    /// Fine fractal grain, like stone or carpet.
    Grain,
    /// Irregular patches with sharp borders.
    Patches,
    /// Parallel bands, slightly wavy.
    Stripes,
    /// A chess board.
    Checks,
    /// Tiles with joints between them.
    Tiles,
    /// The photograph of this number in the album, laid on the surface.
    Photo(usize),
}

impl Pattern {
    /// Every procedural pattern.
    pub const ALL: [Self; 6] =
        [Self::Smooth, Self::Grain, Self::Patches, Self::Stripes, Self::Checks, Self::Tiles];

    /// The patterns without straight lines: a break in a line would betray a camouflaged object's outline.
    pub const IRREGULAR: [Self; 2] = [Self::Grain, Self::Patches];
}

/// What textures are made of: shared by all surfaces of a scene.
#[derive(Clone, Debug)]
pub struct Fabric {
    /// The random field behind the procedural patterns.
    pub noise: Noise,
    /// The photographs.
    pub album: Arc<Album>,
}

/// A solid texture: every point of space has a colour, so curved surfaces need no unwrapping.
#[derive(Clone, Copy, Debug)]
pub struct Texture {
    /// The arrangement.
    pub pattern: Pattern,
    /// Its colours.
    pub palette: Palette,
    /// Size of its features, metres; of a photograph, its longer side.
    pub grain: f32,
    /// Where in the endless texture this piece was cut, in features.
    pub offset: Vec3,
    /// Direction across the stripes, unit length.
    pub across: Vec3,
}

impl Texture {
    /// A random cut of a pattern in given colours.
    pub fn cut(pattern: Pattern, palette: Palette, grain: f32, rng: &mut ChaCha8Rng) -> Self {
        let offset = Vec3::from_array(std::array::from_fn(|_| rng.random_range(0.0..200.0)));
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::PI).sin_cos();
        // Mostly upright or lying stripes; the small third component keeps all faces of a box striped.
        let across = vec3(cos, sin, 0.35).unit();
        Self { pattern, palette, grain, offset, across }
    }

    /// A random cut of photograph `number`, `side` metres long.
    pub fn photo(album: &Album, number: usize, side: f32, rng: &mut ChaCha8Rng) -> Self {
        Self::cut(Pattern::Photo(number), album.palette(number), side, rng)
    }

    /// The colour at a point (metres) whose surface has the given unit normal.
    pub fn colour(&self, fabric: &Fabric, point: Vec3, normal: Vec3) -> Vec3 {
        let noise = &fabric.noise;
        let [first, second, third] = self.palette;
        let p = point * (1.0 / self.grain) + self.offset;
        match self.pattern {
            Pattern::Smooth => first.mix(second, 0.4 * noise.at(p * 0.4)),
            Pattern::Grain => {
                let value = (noise.fractal(p) - 0.5) * 2.4;
                if value < 0.0 { first.mix(second, -value) } else { first.mix(third, value) }
            }
            Pattern::Patches => match noise.fractal(p) {
                value if value < 0.43 => second,
                value if value > 0.57 => third,
                _ => first,
            },
            Pattern::Stripes => {
                let band = p.dot(self.across) + 0.6 * noise.at(p * 0.3);
                self.palette[band.rem_euclid(3.0) as usize]
            }
            Pattern::Checks => {
                let sum: f32 = p.array().iter().map(|v| v.floor()).sum();
                if sum.rem_euclid(2.0) < 0.5 { first } else { second }
            }
            Pattern::Tiles => tile(self.palette, noise, p, normal),
            Pattern::Photo(number) => {
                let [x, y] = laid_on(p, normal);
                fabric.album.colour(number, x, y)
            }
        }
    }

    /// The mean of the palette: what one would call the texture's colour.
    pub fn mean(&self) -> Vec3 {
        let [first, second, third] = self.palette;
        (first + second + third) * (1.0 / 3.0)
    }
}

/// The axis nearest a surface's normal.
fn flattest(normal: Vec3) -> usize {
    let normal = normal.array().map(f32::abs);
    (0..3).fold(0, |best, axis| if normal[axis] > normal[best] { axis } else { best })
}

/// Coordinates in the surface, right and up on walls, right and away on floors.
fn laid_on(p: Vec3, normal: Vec3) -> [f32; 2] {
    match flattest(normal) {
        0 => [p.z, p.y],
        1 => [p.x, p.z],
        _ => [p.x, p.y],
    }
}

/// Tiles lie in the surface, so the axis nearest its normal plays no part; the third colour fills the joints.
fn tile([first, second, joint]: Palette, noise: &Noise, p: Vec3, normal: Vec3) -> Vec3 {
    const JOINT: f32 = 0.06;
    let flattest = flattest(normal);
    let mut p = p.array();
    p[flattest] = 0.5;
    let in_joint = p.iter().any(|v| v - v.floor() < JOINT);
    if in_joint { joint } else { first.mix(second, noise.cell(Vec3::from_array(p))) }
}

/// A palette of shades around one colour: saturation and value drawn from ranges, lighter and darker by about
/// `contrast`.
pub fn shades(saturation: [f32; 2], value: [f32; 2], contrast: f32, rng: &mut ChaCha8Rng) -> Palette {
    let hue: f32 = rng.random_range(0.0..1.0);
    let saturation = rng.random_range(saturation[0]..saturation[1]);
    let value = rng.random_range(value[0]..value[1]);
    [0.0, -contrast, contrast].map(|step| {
        let hue = hue + rng.random_range(-0.05..0.05);
        hsv(hue, saturation, (value + step * rng.random_range(0.7..1.3)).clamp(0.05, 0.97))
    })
}
