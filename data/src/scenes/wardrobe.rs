//! Colours and textures for a whole scene: what the room wears, and what its objects wear to stand out or to hide.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::Arc;

use super::SceneKind;
use super::album::Album;
use super::texture::{Palette, Pattern, Texture, shades};
use crate::raycast::colour::hsv;
use crate::raycast::vec3::Vec3;

/// Two colours further apart than this (Euclidean, RGB in [0, 1]) are told apart at a glance.
const DISTINCT: f32 = 0.4;

/// The textures of a room and what may stand in it.
#[derive(Clone, Debug)]
pub struct Wardrobe {
    /// Texture of the floor.
    pub floor: Texture,
    /// Texture of the walls.
    pub wall: Texture,
    camouflage: bool,
    album: Arc<Album>,
}

impl Wardrobe {
    /// Textures for a new room. In camouflaged scenes floor and wall share one busy palette (or one photograph), so that
    /// an object wearing it vanishes before either.
    pub fn new(kind: SceneKind, album: &Arc<Album>, rng: &mut ChaCha8Rng) -> Self {
        let (photo, album) =
            (|metres, rng: &mut ChaCha8Rng| photograph(album, 0.6, metres, rng), album.clone());
        if kind == SceneKind::Camouflaged
            && let Some(floor) = photo(0.5..1.5, rng)
        {
            let wall = Texture::cut(floor.pattern, floor.palette, floor.grain, rng);
            return Self { floor, wall, camouflage: true, album };
        }
        if kind == SceneKind::Camouflaged {
            let contrast = rng.random_range(0.12..0.3);
            let palette = shades([0.05, 0.6], [0.35, 0.75], contrast, rng);
            let pattern = pick(&Pattern::IRREGULAR, rng);
            let grain = rng.random_range(0.12..0.35);
            let floor = Texture::cut(pattern, palette, grain, rng);
            let wall = Texture::cut(pattern, palette, grain, rng);
            return Self { floor, wall, camouflage: true, album };
        }
        let [floor, wall] = [0.02..0.12, 0.0..0.08].map(|contrast| {
            let contrast = rng.random_range(contrast);
            let palette = shades([0.03, 0.45], [0.35, 0.85], contrast, rng);
            let grain = rng.random_range(0.15..0.6);
            let plain = Texture::cut(pick(&Pattern::ALL, rng), palette, grain, rng);
            photo(1.0..4.0, rng).unwrap_or(plain)
        });
        Self { floor, wall, camouflage: false, album }
    }

    /// Main and accent texture of a salient object.
    pub fn salient(&self, rng: &mut ChaCha8Rng) -> [Texture; 2] {
        if self.camouflage {
            return [0, 1]
                .map(|_| Texture::cut(self.floor.pattern, self.floor.palette, self.floor.grain, rng));
        }
        [self.distinct(rng), self.distinct(rng)]
    }

    /// Main and accent texture of furniture: any colours, whether they show or not.
    pub fn distractor(&self, rng: &mut ChaCha8Rng) -> [Texture; 2] {
        [0, 1].map(|_| {
            let palette = colourful(rng);
            self.photo(rng).unwrap_or_else(|| dress(palette, rng))
        })
    }

    /// For an object, now and then: a photograph of a size that fits.
    fn photo(&self, rng: &mut ChaCha8Rng) -> Option<Texture> {
        photograph(&self.album, 0.4, 0.3..1.2, rng)
    }

    /// A texture whose colour is far from those of floor and wall.
    fn distinct(&self, rng: &mut ChaCha8Rng) -> Texture {
        loop {
            let texture = self.photo(rng).unwrap_or_else(|| dress(colourful(rng), rng));
            let far = |room: &Texture| (texture.mean() - room.mean()).length() > DISTINCT;
            if far(&self.floor) && far(&self.wall) {
                return texture;
            }
        }
    }
}

/// With some probability, a photograph of the album of a random size in metres; an empty album draws nothing from `rng`.
fn photograph(album: &Album, probability: f64, metres: Range<f32>, rng: &mut ChaCha8Rng) -> Option<Texture> {
    let number = album.pick(rng)?;
    let side = rng.random_range(metres);
    rng.random_bool(probability).then(|| Texture::photo(album, number, side, rng))
}

/// A texture for an object, with features that fit its size.
fn dress(palette: Palette, rng: &mut ChaCha8Rng) -> Texture {
    let grain = rng.random_range(0.06..0.25);
    Texture::cut(pick(&Pattern::ALL, rng), palette, grain, rng)
}

/// A palette for an object, mostly of one hue, sometimes with a stripe of something else.
fn colourful(rng: &mut ChaCha8Rng) -> Palette {
    let contrast = rng.random_range(0.0..0.2);
    let [first, second, third] = shades([0.1, 0.95], [0.15, 0.95], contrast, rng);
    let third = if rng.random_bool(0.3) { paint(rng) } else { third };
    [first, second, third]
}

/// Any single colour.
pub fn paint(rng: &mut ChaCha8Rng) -> Vec3 {
    hsv(rng.random_range(0.0..1.0), rng.random_range(0.0..0.9), rng.random_range(0.2..0.95))
}

fn pick(patterns: &[Pattern], rng: &mut ChaCha8Rng) -> Pattern {
    *patterns.choose(rng).expect("the lists of patterns are not empty")
}
