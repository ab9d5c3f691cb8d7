//! A figure placed in the room and dressed in textures.

use super::figure::{Figure, Touch};
use super::texture::{Fabric, Texture};
use crate::raycast::vec3::{Basis, Ray, Vec3};

/// What a solid is to the one who judges the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The object to be found.
    Salient,
    /// Furniture.
    Distractor,
    /// Not there; a broken depth sensor reports it all the same.
    Phantom,
}

/// One object of a scene.
#[derive(Clone, Debug)]
pub struct Solid {
    /// Its form.
    pub figure: Figure,
    /// Main and accent texture.
    pub skins: [Texture; 2],
    /// The point of the floor it stands on.
    pub place: Vec3,
    /// Which way it faces.
    pub axes: Basis,
    /// Its part in the scene.
    pub role: Role,
}

impl Solid {
    /// The first point on a ray, with its normal in room coordinates.
    pub fn hit(&self, ray: &Ray) -> Option<Touch> {
        let (centre, radius) = self.figure.ball();
        if !ray.meets_ball(self.place + centre, radius) {
            return None;
        }
        let from = self.axes.inward(ray.from - self.place);
        let along = self.axes.inward(ray.along);
        let touch = self.figure.hit(&Ray { from, along })?;
        Some(Touch { normal: self.axes.outward(touch.normal), ..touch })
    }

    /// Colour at a point of the surface, without light and shadow. The texture belongs to the object and turns
    /// with it.
    pub fn colour(&self, fabric: &Fabric, point: Vec3, touch: &Touch) -> Vec3 {
        let local = self.axes.inward(point - self.place);
        self.skins[touch.skin].colour(fabric, local, self.axes.inward(touch.normal))
    }

    /// Radius of the circle on the floor that the solid keeps to itself, metres.
    pub fn footprint(&self) -> f32 {
        self.figure.width / 2.0
    }
}
