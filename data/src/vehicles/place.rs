//! A camera's place: where it looks from, what stands around, what light there is.

use autograd::random::{Key, site};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::raycast::colour::hsv;
use crate::raycast::noise::Noise;
use crate::raycast::vec3::{Ray, Vec3, vec3};

/// A colour in RGB and a grey in NIR.
type Twofold = [Vec3; 2];

/// How one spectrum is lit and recorded.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// Light of the lamp on a surface facing it.
    pub direct: Vec3,
    /// Light from everywhere.
    pub ambient: Vec3,
    /// Whether the lamp sits on the camera; otherwise it is the sun or a street lamp.
    pub on_camera: bool,
    /// Standard deviation of the sensor's noise.
    pub noise: f32,
    /// Share of a pixel's light that each of its neighbours receives, at 128 rows.
    pub blur: f32,
}

/// What stands behind the road.
#[derive(Clone, Copy, Debug)]
enum Backdrop {
    Hedge,
    Wall,
    Windows,
}

/// One camera with its surroundings.
#[derive(Clone, Debug)]
pub struct Place {
    /// Direction from the vehicle to the camera: 0 sees its front, a quarter turn its side (radians).
    pub azimuth: f32,
    /// How steeply the camera looks down.
    pub pitch: f32,
    /// Metres between the camera and the middle of the vehicle.
    pub distance: f32,
    /// Direction of the sun or street lamp as seen from the camera: azimuth and elevation.
    pub sun: [f32; 2],
    /// RGB and NIR.
    pub spectra: [Spectrum; 2],
    field: Noise,
    road: Twofold,
    verge: Twofold,
    line: Twofold,
    wall: [Twofold; 2],
    sky: Twofold,
    backdrop: Backdrop,
    /// Where the road ends on both sides, and where its line runs.
    kerbs: [f32; 2],
    line_at: f32,
}

/// Azimuths of the eight cameras in degrees: from the front and from behind, from the left and from the right.
const AZIMUTHS: [f32; 8] = [38.0, -52.0, 68.0, 128.0, -35.0, -118.0, 50.0, -75.0];

/// Metres between the vehicle and what stands behind the road.
const FAR: f32 = 30.0;

/// Whether camera `cam` (from 1 on) records at night: every third does.
pub fn at_night(cam: u32) -> bool {
    cam.is_multiple_of(3)
}

impl Place {
    /// Camera `cam`, 1 to 8, of the series `seed`.
    pub fn new(seed: u64, cam: u32) -> Self {
        let rng = &mut Key { seed, epoch: 1, step: cam.into() }.rng(site("vehicle.place"));
        let spectra = if at_night(cam) { night(rng) } else { day(rng) };
        let bright = if at_night(cam) { 0.03 } else { rng.random_range(0.6..0.9) };
        let road = rng.random_range(0.18..0.42);
        let grass =
            hsv(rng.random_range(0.2..0.35), rng.random_range(0.2..0.6), rng.random_range(0.25..0.45));
        let walls = [(); 2].map(|()| {
            let value = rng.random_range(0.25..0.65);
            [
                hsv(rng.random_range(0.0..1.0), rng.random_range(0.05..0.35), value),
                Vec3::splat(rng.random_range(0.15..0.7)),
            ]
        });
        let hedge = [0.7, 1.3].map(|share| [grass * share, Vec3::splat(0.55 * share)]);
        let backdrop = [Backdrop::Hedge, Backdrop::Wall, Backdrop::Windows][rng.random_range(0..3)];
        Self {
            azimuth: (AZIMUTHS[(cam - 1) as usize % 8] + rng.random_range(-8.0..8.0)).to_radians(),
            pitch: rng.random_range(0.16..0.34),
            distance: rng.random_range(13.0..22.0),
            sun: [rng.random_range(-1.2..1.2), rng.random_range(0.5..1.1)],
            spectra,
            field: Noise::new(rng),
            road: [vec3(1.0, 0.99, 0.97) * road, Vec3::splat(rng.random_range(0.12..0.4))],
            verge: [grass, Vec3::splat(rng.random_range(0.45..0.75))],
            line: [Vec3::splat(0.8), Vec3::splat(rng.random_range(0.4..0.8))],
            wall: if matches!(backdrop, Backdrop::Hedge) { hedge } else { walls },
            sky: [vec3(0.9, 0.97, 1.05) * bright, Vec3::splat(0.4 * bright)],
            backdrop,
            kerbs: [-rng.random_range(2.2..6.0), rng.random_range(2.2..6.0)],
            line_at: if rng.random_bool(0.5) { 1.75 } else { -1.75 },
        }
    }

    /// The end of a ray that missed the vehicle: its point, its normal and colours. The sky glows by itself and has no
    /// normal.
    pub fn behind(&self, ray: &Ray) -> (Vec3, Option<Vec3>, Twofold) {
        if ray.along.y < 0.0 {
            let point = ray.at(-ray.from.y / ray.along.y);
            if point.x * point.x + point.z * point.z < FAR * FAR {
                return (point, Some(vec3(0.0, 1.0, 0.0)), self.ground(point));
            }
        }
        // A round wall; the camera stands inside, so the larger root is ahead.
        let Ray { from, along } = *ray;
        let a = along.x * along.x + along.z * along.z;
        let b = from.x * along.x + from.z * along.z;
        let c = from.x * from.x + from.z * from.z - FAR * FAR;
        let point = ray.at((-b + (b * b - a * c).max(0.0).sqrt()) / a);
        let inward = vec3(-point.x, 0.0, -point.z) * (1.0 / FAR);
        let ragged = matches!(self.backdrop, Backdrop::Hedge);
        let top = if ragged { 1.5 + 3.0 * self.field.fractal(point * 0.4) } else { 9.0 };
        if point.y > top { (point, None, self.sky) } else { (point, Some(inward), self.standing(point)) }
    }

    fn ground(&self, p: Vec3) -> Twofold {
        let on_road = (self.kerbs[0]..self.kerbs[1]).contains(&p.z);
        let dash = (p.x * 0.3).rem_euclid(1.0) < 0.6;
        let base = match () {
            () if on_road && (p.z - self.line_at).abs() < 0.07 && dash => self.line,
            () if on_road => self.road,
            () => self.verge,
        };
        let grain = 0.82 + 0.36 * self.field.fractal(p * if on_road { 1.3 } else { 4.0 });
        base.map(|colour| colour * grain)
    }

    fn standing(&self, p: Vec3) -> Twofold {
        let along = p.x.atan2(p.z) * FAR;
        let second = match self.backdrop {
            Backdrop::Hedge => self.field.fractal(p * 1.2) > 0.5,
            Backdrop::Wall => p.y < 0.9 || (along * 0.25).rem_euclid(1.0) < 0.06,
            Backdrop::Windows => {
                p.y > 1.0 && (along * 0.3).rem_euclid(1.0) < 0.5 && (p.y * 0.33).rem_euclid(1.0) > 0.4
            }
        };
        self.wall[usize::from(second)]
    }
}

/// Sun and sky, with a cast of the camera's own. Nearly all light in the near infrared is the sun's: the sky is dark.
fn day(rng: &mut ChaCha8Rng) -> [Spectrum; 2] {
    let cast = vec3(rng.random_range(0.86..1.14), 1.0, rng.random_range(0.86..1.14));
    let gain = rng.random_range(0.8..1.15);
    let sun = rng.random_range(0.35..0.8);
    let infrared = rng.random_range(0.8..1.1);
    [
        Spectrum {
            direct: vec3(1.05, 1.0, 0.9).times(cast) * (gain * sun),
            ambient: vec3(0.92, 1.0, 1.12).times(cast) * (gain * (1.0 - 0.65 * sun)),
            on_camera: false,
            noise: rng.random_range(0.008..0.02),
            blur: rng.random_range(0.05..0.2),
        },
        Spectrum {
            direct: Vec3::splat(0.75 * infrared),
            ambient: Vec3::splat(0.4 * infrared),
            on_camera: false,
            noise: rng.random_range(0.012..0.03),
            blur: rng.random_range(0.08..0.24),
        },
    ]
}

/// A weak street lamp for the colours; the camera brings its own lamp for the near infrared.
fn night(rng: &mut ChaCha8Rng) -> [Spectrum; 2] {
    let lamp = rng.random_range(0.22..0.32);
    let infrared = rng.random_range(0.85..1.05);
    [
        Spectrum {
            direct: vec3(1.25, 1.0, 0.6) * lamp,
            ambient: vec3(0.8, 0.9, 1.2) * 0.08,
            on_camera: false,
            noise: rng.random_range(0.03..0.05),
            blur: rng.random_range(0.1..0.24),
        },
        Spectrum {
            direct: Vec3::splat(infrared),
            ambient: Vec3::splat(0.15),
            on_camera: true,
            noise: rng.random_range(0.015..0.035),
            blur: rng.random_range(0.08..0.24),
        },
    ]
}
