//! Three numbers that move together (points in metres, directions, colours), rotated frames, and rays.
//!
//! Axes of a scene: x to the right, y up, z away from the camera.

use std::ops::{Add, Mul, Neg, Sub};

/// A point, a direction or a colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vec3 {
    /// Right, or red.
    pub x: f32,
    /// Up, or green.
    pub y: f32,
    /// Away, or blue.
    pub z: f32,
}

/// Short constructor: scene code is full of literal vectors.
pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// All three numbers the same.
    pub const fn splat(value: f32) -> Self {
        vec3(value, value, value)
    }

    /// The numbers in order, for code that walks over axes or colour channels.
    pub const fn array(self) -> [f32; 3] {
        [self.x, self.y, self.z]
    }

    /// The inverse of [`Vec3::array`].
    pub const fn from_array([x, y, z]: [f32; 3]) -> Self {
        vec3(x, y, z)
    }

    /// Scalar product.
    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// Euclidean length.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length 1.
    pub fn unit(self) -> Self {
        self * (1.0 / self.length())
    }

    /// Product of each number with its partner: scaling by axes, or light falling on a colour.
    pub fn times(self, other: Self) -> Self {
        vec3(self.x * other.x, self.y * other.y, self.z * other.z)
    }

    /// Quotient of each number with its partner.
    pub fn over(self, other: Self) -> Self {
        vec3(self.x / other.x, self.y / other.y, self.z / other.z)
    }

    /// `self` at `share` 0, `other` at `share` 1.
    pub fn mix(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        vec3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        vec3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        vec3(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// Three perpendicular unit vectors: a rotated frame.
#[derive(Clone, Copy, Debug)]
pub struct Basis {
    /// The frame's own "right", in outer coordinates.
    pub x: Vec3,
    /// The frame's own "up".
    pub y: Vec3,
    /// The frame's own "away".
    pub z: Vec3,
}

impl Basis {
    /// No rotation.
    pub const UPRIGHT: Self = Self { x: vec3(1.0, 0.0, 0.0), y: vec3(0.0, 1.0, 0.0), z: vec3(0.0, 0.0, 1.0) };

    /// Turned about the vertical by `yaw`, then looking down by `pitch` (radians).
    pub fn look(yaw: f32, pitch: f32) -> Self {
        let (sin_yaw, cos_yaw) = yaw.sin_cos();
        let (sin, cos) = pitch.sin_cos();
        Self {
            x: vec3(cos_yaw, 0.0, -sin_yaw),
            y: vec3(sin_yaw * sin, cos, cos_yaw * sin),
            z: vec3(sin_yaw * cos, -sin, cos_yaw * cos),
        }
    }

    /// From outer to own coordinates.
    pub fn inward(&self, v: Vec3) -> Vec3 {
        vec3(self.x.dot(v), self.y.dot(v), self.z.dot(v))
    }

    /// From own to outer coordinates.
    pub fn outward(&self, v: Vec3) -> Vec3 {
        self.x * v.x + self.y * v.y + self.z * v.z
    }
}

/// A half line; `along` need not have length 1, so a parameter `t` keeps its meaning in scaled frames.
#[derive(Clone, Copy, Debug)]
pub struct Ray {
    /// Starting point.
    pub from: Vec3,
    /// Direction.
    pub along: Vec3,
}

impl Ray {
    /// The point at parameter `t`.
    pub fn at(&self, t: f32) -> Vec3 {
        self.from + self.along * t
    }

    /// Whether the ray meets a ball. Most rays miss most things, and this test is all that a miss costs; it has no
    /// root and no quotient because both sides are multiplied by the squared length of `along`.
    pub fn meets_ball(&self, centre: Vec3, radius: f32) -> bool {
        let to_centre = centre - self.from;
        let along = to_centre.dot(self.along);
        let outside = to_centre.dot(to_centre) - radius * radius;
        outside <= 0.0 || along > 0.0 && outside * self.along.dot(self.along) <= along * along
    }
}
