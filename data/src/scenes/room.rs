//! The room: a box seen from inside, and the flat pictures that hang or lie in it.

use super::solid::Solid;
use super::texture::{Fabric, Texture};
use crate::raycast::vec3::{Ray, Vec3, vec3};

/// The faces of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// y = 0.
    Floor,
    /// The top.
    Ceiling,
    /// The wall opposite the camera.
    BackWall,
    /// The walls left, right and behind.
    OtherWall,
}

/// A box from `low` to `high` (metres) with textured faces.
#[derive(Clone, Debug)]
pub struct Room {
    /// Corner left, at the floor, behind the camera.
    pub low: Vec3,
    /// Corner right, at the ceiling, far away.
    pub high: Vec3,
    /// Texture of the floor.
    pub floor: Texture,
    /// Texture of all walls.
    pub wall: Texture,
    /// Colour of the ceiling.
    pub ceiling: Vec3,
    /// Pictures on the back wall and the floor.
    pub posters: Vec<Poster>,
}

impl Room {
    /// Where a ray from inside leaves the room: its parameter, the face and the normal into the room.
    pub fn exit(&self, ray: &Ray) -> (f32, Face, Vec3) {
        let (from, along) = (ray.from.array(), ray.along.array());
        let (low, high) = (self.low.array(), self.high.array());
        let leave: [f32; 3] = std::array::from_fn(|axis| {
            let plane = if along[axis] > 0.0 { high[axis] } else { low[axis] };
            // A ray along a wall never meets it; 0/0 or −1/0 must not count as near.
            if along[axis] == 0.0 { f32::INFINITY } else { (plane - from[axis]) / along[axis] }
        });
        let axis = (1..3).fold(0, |best, axis| if leave[axis] < leave[best] { axis } else { best });
        let mut normal = [0.0; 3];
        normal[axis] = -along[axis].signum();
        let face = match (axis, along[axis] > 0.0) {
            (1, false) => Face::Floor,
            (1, true) => Face::Ceiling,
            (2, true) => Face::BackWall,
            _ => Face::OtherWall,
        };
        (leave[axis], face, Vec3::from_array(normal))
    }

    /// Colour of a face at a point, posters included, without light and shadow.
    pub fn colour(&self, fabric: &Fabric, face: Face, point: Vec3, normal: Vec3) -> Vec3 {
        let printed = || self.posters.iter().find_map(|poster| poster.colour(fabric, face, point));
        match face {
            Face::Floor => printed().unwrap_or_else(|| self.floor.colour(fabric, point, normal)),
            Face::BackWall => printed().unwrap_or_else(|| self.wall.colour(fabric, point, normal)),
            Face::OtherWall => self.wall.colour(fabric, point, normal),
            Face::Ceiling => self.ceiling,
        }
    }
}

/// A flat picture of a figure on the back wall or the floor: an object to the eye, nothing to a depth sensor.
#[derive(Clone, Debug)]
pub struct Poster {
    /// The face it is on; only the back wall and the floor carry posters.
    pub face: Face,
    /// Its middle, metres.
    pub centre: Vec3,
    /// Half width and half height, metres.
    pub half: [f32; 2],
    /// Colour around the figure; `None` leaves the surface itself visible, so that only the figure is printed.
    pub paper: Option<Vec3>,
    /// What it shows: a figure about one unit tall standing at the origin.
    pub figure: Solid,
}

impl Poster {
    /// The printed colour at a point of a face, if this poster covers it.
    fn colour(&self, fabric: &Fabric, face: Face, point: Vec3) -> Option<Vec3> {
        const FRAME: f32 = 0.94;
        let [u, v] = self.inside(face, point)?;
        if u.abs().max(v.abs()) > FRAME
            && let Some(paper) = self.paper
        {
            return Some(paper * 0.4);
        }
        self.photograph(fabric, u, v).or(self.paper)
    }

    /// Picture coordinates in [-1, 1], right and up.
    fn inside(&self, face: Face, point: Vec3) -> Option<[f32; 2]> {
        let from_centre = point - self.centre;
        let up = if face == Face::Floor { from_centre.z } else { from_centre.y };
        let [u, v] = [from_centre.x / self.half[0], up / self.half[1]];
        (face == self.face && u.abs() <= 1.0 && v.abs() <= 1.0).then_some([u, v])
    }

    /// The figure seen from far away and slightly above, shaded as a real object would be.
    fn photograph(&self, fabric: &Fabric, u: f32, v: f32) -> Option<Vec3> {
        // Half the height of the view: figures are about one unit tall.
        const VIEW: f32 = 0.71;
        let aspect = self.half[0] / self.half[1];
        let towards = vec3(0.0, -0.3, 1.0).unit();
        let ray = Ray { from: vec3(VIEW * aspect * u, 0.5 + VIEW * v, 0.0) - towards * 5.0, along: towards };
        let hit = self.figure.hit(&ray)?;
        let light = vec3(-0.5, 0.7, -0.5).unit();
        let brightness = 0.5 + 0.5 * hit.normal.dot(light).max(0.0);
        Some(self.figure.colour(fabric, ray.at(hit.t), &hit) * brightness)
    }
}
