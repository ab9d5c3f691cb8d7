//! Procedural vehicles for re-identification in two spectra, colour (RGB) and near infrared (NIR).
//!
//! An identity is a body (sedan, hatchback, off-roader, van, pickup, bus or truck with dimensions, windows and
//! wheels of its own) whose materials have a colour and, drawn independently of it, a reflectance in the near
//! infrared; stickers may be visible in one spectrum and not in the other. Identities come in pairs, 1 and 2, 3 and
//! 4, and so on. Of every three pairs one are RGB twins (same shape, same colours and stickers; the NIR differs),
//! one are NIR twins (same shape, same NIR; the colours differ) and one are simply two vehicles. So neither
//! spectrum suffices: alone it cannot tell the twins of a third of the identities.
//!
//! Eight cameras see them, each with its own viewpoint, light, colour cast, noise, blur and surroundings. Every
//! third records at night: colours are dark and noisy there, while a lamp on the camera lights the near infrared.
//! Each shot varies pose, crop and exposure, and some have a post in the way.
//!
//! What these pictures are not: evidence about real near infrared, real vehicles or real cameras. Materials are
//! random numbers, not measured reflectances; they show whether a method makes use of two sources that complement
//! each other.
//!
//! A picture depends on seed, identity, camera and number only. A ray caster with closed-form intersections draws
//! it.

mod body;
mod coat;
mod export;
mod film;
mod form;
mod hull;
mod identity;
mod place;
mod series;
mod shot;

pub use crate::reid::{CAMS, IDS};
pub use export::{Layout, write_layout};
pub use identity::{Role, twin};
pub use place::at_night;
pub use series::Series;

use autograd::random::{Key, site};
use ndarray::Array3;
use std::ops::RangeInclusive;

use identity::Identity;
use place::Place;
use shot::Shot;

/// Heights of the pictures the generator draws; they are twice as wide.
pub const HEIGHTS: RangeInclusive<usize> = 16..=512;

/// A vehicle in both spectra, values in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Colours, `[3, H, W]`.
    pub rgb: Array3<f32>,
    /// Near infrared, `[1, H, W]`.
    pub nir: Array3<f32>,
}

/// Draws picture number `seq` that camera `cam` took of identity `id`, `height` x `2 height` pixels.
///
/// # Panics
/// If `id`, `cam` or `height` are not in [`IDS`], [`CAMS`] and [`HEIGHTS`].
pub fn render(seed: u64, id: u32, cam: u32, seq: u32, height: usize) -> Picture {
    assert!(IDS.contains(&id), "identities are {IDS:?}, not {id}");
    assert!(CAMS.contains(&cam), "cameras are {CAMS:?}, not {cam}");
    assert!(HEIGHTS.contains(&height), "a picture has {HEIGHTS:?} rows, not {height}");
    photograph(&Identity::new(seed, id), &Place::new(seed, cam), key(seed, id, cam, seq), height)
}

/// A shot of a vehicle; all its accidents come from the key.
fn photograph(identity: &Identity, place: &Place, key: Key, height: usize) -> Picture {
    let shot = Shot::aim(place, &identity.body, &mut key.rng(site("vehicle.shot")));
    let [mut rgb, mut nir] = shot.expose(identity, place, height);
    film::develop(&mut rgb, &place.spectra[0], &mut key.rng(site("vehicle.rgb")));
    film::develop(&mut nir, &place.spectra[1], &mut key.rng(site("vehicle.nir")));
    Picture { rgb, nir }
}

/// Names a shot: epochs 0 and 1 belong to identities and cameras.
fn key(seed: u64, id: u32, cam: u32, seq: u32) -> Key {
    Key { seed, epoch: 2, step: (u64::from(id) << 36) | (u64::from(cam) << 32) | u64::from(seq) }
}

#[cfg(test)]
mod tests;
