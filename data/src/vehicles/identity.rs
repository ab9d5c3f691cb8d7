//! Who is who: every number names one vehicle, and a third of the pairs share a look in either spectrum.

use autograd::random::{Key, site};
use rand_chacha::ChaCha8Rng;
use std::fmt;

use super::body::Body;
use super::coat::Coat;
use super::form::Form;

/// Which spectrum tells an identity from its neighbour: of 1 and 2, 3 and 4, 5 and 6, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Same shape and same colours as its twin; the near infrared differs.
    RgbTwin,
    /// Same shape and same near infrared as its twin; the colours differ.
    NirTwin,
    /// A vehicle of its own in shape, colours and near infrared.
    Distinct,
}

impl Role {
    /// The role of identity `id` (from 1 on): pairs take the three roles in turns, so each has a third of them.
    pub fn of(id: u32) -> Self {
        match pair(id) % 3 {
            0 => Self::RgbTwin,
            1 => Self::NirTwin,
            _ => Self::Distinct,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RgbTwin => "rgb-twin",
            Self::NirTwin => "nir-twin",
            Self::Distinct => "distinct",
        })
    }
}

/// The identity that looks like `id` in one spectrum, if there is one.
pub fn twin(id: u32) -> Option<u32> {
    (Role::of(id) != Role::Distinct).then(|| neighbour(id))
}

fn pair(id: u32) -> u32 {
    (id - 1) / 2
}

/// The other one of a pair.
fn neighbour(id: u32) -> u32 {
    ((id - 1) ^ 1) + 1
}

/// How far the main paints of twins lie apart in the spectrum that tells them.
const APART: f32 = 0.5;

/// A vehicle: its body, and what it wears in RGB and NIR.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The solid.
    pub body: Body,
    /// RGB and NIR.
    pub coats: [Coat; 2],
}

impl Identity {
    /// Identity `id` of the series `seed`.
    pub fn new(seed: u64, id: u32) -> Self {
        let role = Role::of(id);
        let shared = pair(id) * 2 + 1;
        let owner = |is_shared: bool| if is_shared { shared } else { id };
        let form = Form::draw(&mut key(seed, owner(role != Role::Distinct)).rng(site("vehicle.form")));
        let coats = [
            coat(seed, owner(role == Role::RgbTwin), "vehicle.visible", Coat::visible),
            coat(seed, owner(role == Role::NirTwin), "vehicle.infrared", Coat::infrared),
        ];
        Self { body: Body::new(form), coats }
    }
}

/// What identity `id` wears in one spectrum. The first of a pair takes what comes; the second draws again until its
/// paint differs from the first's.
fn coat(seed: u64, id: u32, name: &str, draw: fn(&mut ChaCha8Rng) -> Coat) -> Coat {
    let first = draw(&mut key(seed, pair(id) * 2 + 1).rng(site(name)));
    if id % 2 == 1 {
        return first;
    }
    let mut rng = key(seed, id).rng(site(name));
    loop {
        let second = draw(&mut rng);
        if second.contrast(&first) > APART {
            return second;
        }
    }
}

/// Identities have no epochs; the number takes the place of the step.
fn key(seed: u64, id: u32) -> Key {
    Key { seed, epoch: 0, step: id.into() }
}
