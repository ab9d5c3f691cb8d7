//! Procedural RGB-D scenes: textured rooms with solid objects, of which one or two are salient.
//!
//! The three kinds of scene are made so that neither modality suffices. In a plain scene both tell the object; in a
//! camouflaged one it wears the colours of the room and only depth tells; in a flat one the depth sensor is broken
//! (it overlooks the object and believes in another one elsewhere) and only colour tells. Coloured furniture and
//! posters, which are objects to the eye but flat to the sensor, make colour alone misleading everywhere.
//!
//! A scene depends on its seed and index only. A ray caster with closed-form intersections draws it.

mod album;
mod catalogue;
mod compose;
mod export;
mod figure;
mod photograph;
mod room;
mod sensor;
mod solid;
mod texture;
mod wardrobe;
mod world;

pub use album::Album;
pub use export::{ExportError, write_layout};

use crate::Sample;
use autograd::random::{Key, site};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Picture sizes (height and width in pixels) the generator draws.
pub const SIZES: RangeInclusive<usize> = 32..=512;

/// What it takes to find the salient object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SceneKind {
    /// Colour and depth both show it.
    Plain,
    /// It wears the colours of the room; depth shows it.
    Camouflaged,
    /// Depth is broken; colour shows it.
    Flat,
}

impl SceneKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Camouflaged, Self::Flat];

    /// The kind of a scene: about half are plain, a quarter camouflaged, a quarter flat.
    fn of(key: Key) -> Self {
        match key.rng(site("scene.kind")).random_range(0..4) {
            0 => Self::Camouflaged,
            1 => Self::Flat,
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for SceneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Camouflaged => "camouflaged",
            Self::Flat => "flat",
        })
    }
}

/// A drawn scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Colour, depth and mask, named like `plain_000012`.
    pub sample: Sample,
    /// Its kind.
    pub kind: SceneKind,
}

/// Draws scene number `index` of the endless series `seed`, `size` pixels square.
///
/// # Panics
/// If `size` is not one of [`SIZES`].
pub fn render(seed: u64, index: u64, size: usize) -> Scene {
    render_with_photos(&Arc::default(), seed, index, size)
}

/// Like [`render`]; many surfaces wear a photograph of the album, if it holds any.
///
/// # Panics
/// As [`render`].
pub fn render_with_photos(album: &Arc<Album>, seed: u64, index: u64, size: usize) -> Scene {
    render_in(album, SceneKind::of(key(seed, index)), seed, index, size)
}

/// Like [`render`], of a given kind.
///
/// # Panics
/// If `size` is not one of [`SIZES`].
pub fn render_kind(kind: SceneKind, seed: u64, index: u64, size: usize) -> Scene {
    render_in(&Arc::default(), kind, seed, index, size)
}

fn render_in(album: &Arc<Album>, kind: SceneKind, seed: u64, index: u64, size: usize) -> Scene {
    assert!(SIZES.contains(&size), "a scene has {SIZES:?} pixels a side, not {size}");
    let key = key(seed, index);
    // What there is comes from one stream and the pixels' noise from others: every size shows the same scene.
    let stage = compose::compose(kind, album, &mut key.rng(site("scene.compose")));
    let centres = photograph::centres(&stage, size);
    let sample = Sample {
        name: format!("{kind}_{index:06}"),
        rgb: photograph::colour(&stage, &centres, &mut key.rng(site("scene.colour"))),
        depth: photograph::depth(&stage, size, &mut key.rng(site("scene.depth"))),
        mask: photograph::mask(&stage, &centres),
    };
    Scene { sample, kind }
}

/// Scenes have no epochs; the index takes the place of the step.
fn key(seed: u64, index: u64) -> Key {
    Key { seed, epoch: 0, step: index }
}

#[cfg(test)]
mod tests;
