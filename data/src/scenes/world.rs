//! Everything a ray can meet, and how what it met looks.

use super::figure::Touch;
use super::room::{Face, Room};
use super::solid::{Role, Solid};
use super::texture::Fabric;
use crate::raycast::vec3::{Basis, Ray, Vec3, vec3};

/// A pinhole camera.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// Where it is, metres.
    pub place: Vec3,
    /// Which way it looks (its z axis).
    pub axes: Basis,
    /// Tangent of half the angle of view.
    pub lens: f32,
}

impl Camera {
    /// The ray through picture coordinates in [-1, 1], right and up. One unit of `t` is one metre along the
    /// viewing axis, so `1 / t` of a hit is inverse depth in 1/m.
    pub fn ray(&self, [u, v]: [f32; 2]) -> Ray {
        Ray { from: self.place, along: self.axes.outward(vec3(u * self.lens, v * self.lens, 1.0)) }
    }
}

/// One lamp and the light that comes from everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Light {
    /// Middle of the lamp.
    pub lamp: Vec3,
    /// Light from everywhere, as a factor on colours.
    pub ambient: f32,
    /// Light of the lamp on a surface facing it.
    pub direct: f32,
    /// Share of the lamp's light that a shadow takes away.
    pub shadow: f32,
    /// Colour of all light.
    pub tint: Vec3,
}

/// What a ray met.
#[derive(Clone, Copy, Debug)]
pub enum Surface {
    /// A face of the room.
    Room(Face),
    /// The solid with this number.
    Solid(usize, Touch),
}

/// A ray's end.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Ray parameter.
    pub t: f32,
    /// Unit normal towards the ray's side.
    pub normal: Vec3,
    /// What is there.
    pub surface: Surface,
}

/// A room with its furniture and light.
#[derive(Clone, Debug)]
pub struct World {
    /// The walls around.
    pub room: Room,
    /// The objects.
    pub solids: Vec<Solid>,
    /// The light.
    pub light: Light,
    /// What all textures are made of.
    pub fabric: Fabric,
}

impl World {
    /// The first thing on a ray, for an eye to which solids of one role are invisible.
    pub fn trace(&self, ray: &Ray, invisible: Role) -> Hit {
        let (t, face, normal) = self.room.exit(ray);
        let mut nearest = Hit { t, normal, surface: Surface::Room(face) };
        for (number, solid) in self.solids.iter().enumerate().filter(|(_, solid)| solid.role != invisible) {
            if let Some(touch) = solid.hit(ray)
                && touch.t < nearest.t
            {
                nearest = Hit { t: touch.t, normal: touch.normal, surface: Surface::Solid(number, touch) };
            }
        }
        nearest
    }

    /// Whether the hit lies on a solid of this role.
    pub fn is(&self, hit: &Hit, role: Role) -> bool {
        matches!(hit.surface, Surface::Solid(number, _) if self.solids[number].role == role)
    }

    /// Colour of a hit under the light. The lamp has some size: `aside` (metres) is the point of it that counts.
    pub fn shade(&self, ray: &Ray, hit: &Hit, aside: Vec3) -> Vec3 {
        let point = ray.at(hit.t);
        let colour = match hit.surface {
            Surface::Room(face) => self.room.colour(&self.fabric, face, point, hit.normal),
            Surface::Solid(number, touch) => self.solids[number].colour(&self.fabric, point, &touch),
        };
        // Surfaces facing up receive more of the light from everywhere than those facing down.
        let ambient = self.light.ambient * (0.85 + 0.15 * hit.normal.y);
        let brightness = ambient + self.light.direct * self.lamp_light(point, hit.normal, aside);
        colour.times(self.light.tint) * brightness
    }

    /// Lambert's cosine, weakened where something stands between the point and the lamp.
    fn lamp_light(&self, point: Vec3, normal: Vec3, aside: Vec3) -> f32 {
        const LIFT: f32 = 2e-3;
        let from = point + normal * LIFT;
        let to_lamp = self.light.lamp + aside - from;
        let cosine = normal.dot(to_lamp.unit());
        if cosine <= 0.0 {
            return 0.0;
        }
        // The ray's parameter is 1 at the lamp.
        let ray = Ray { from, along: to_lamp };
        let seen = |solid: &&Solid| solid.role != Role::Phantom;
        let blocked =
            self.solids.iter().filter(seen).any(|solid| solid.hit(&ray).is_some_and(|touch| touch.t < 1.0));
        if blocked { cosine * (1.0 - self.light.shadow) } else { cosine }
    }
}
