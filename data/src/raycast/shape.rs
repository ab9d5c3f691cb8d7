//! Three unit shapes with closed-form ray intersections. Scaled along their axes they make spheres, ellipsoids,
//! boxes, cylinders, cones, cups and lamp shades.

use super::vec3::{Ray, Vec3, vec3};

/// Hits closer than this to the ray's start are the surface the ray left from.
const NEAREST: f32 = 1e-4;

/// A solid inside the cube [-1, 1]³, from which only a frustum wider at the top sticks out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// The unit sphere.
    Ball,
    /// The whole cube.
    Block,
    /// A round solid standing upright, radius 1 at the bottom: `top` 1 is a cylinder, 0 a cone.
    Frustum {
        /// Radius at the top.
        top: f32,
    },
}

impl Shape {
    /// The first point of the surface ahead on the ray: its parameter and its outward normal (not unit length).
    pub fn hit(self, ray: &Ray) -> Option<(f32, Vec3)> {
        match self {
            Self::Ball => hit_ball(ray),
            Self::Block => hit_block(ray),
            Self::Frustum { top } => hit_frustum(ray, top),
        }
    }
}

/// Smaller and larger root of a t² + 2 b t + c.
fn roots(a: f32, b: f32, c: f32) -> Option<[f32; 2]> {
    let discriminant = b * b - a * c;
    if discriminant < 0.0 || a == 0.0 {
        return None;
    }
    let root = discriminant.sqrt() * a.signum();
    Some([(-b - root) / a, (-b + root) / a])
}

fn hit_ball(ray: &Ray) -> Option<(f32, Vec3)> {
    let Ray { from, along } = *ray;
    let t =
        roots(along.dot(along), from.dot(along), from.dot(from) - 1.0)?.into_iter().find(|&t| t > NEAREST)?;
    Some((t, ray.at(t)))
}

/// Slabs: the ray is inside the cube while it is inside all three pairs of parallel planes.
fn hit_block(ray: &Ray) -> Option<(f32, Vec3)> {
    let (from, along) = (ray.from.array(), ray.along.array());
    let (mut enter, mut leave, mut axis) = (f32::NEG_INFINITY, f32::INFINITY, 0);
    for i in 0..3 {
        // Parallel to the planes these are infinite, with the signs that keep the comparisons right.
        let per_length = 1.0 / along[i];
        let (low, high) = ((-1.0 - from[i]) * per_length, (1.0 - from[i]) * per_length);
        if low.min(high) > enter {
            (enter, axis) = (low.min(high), i);
        }
        leave = leave.min(low.max(high));
    }
    if enter > leave || enter < NEAREST {
        return None;
    }
    let mut normal = [0.0; 3];
    normal[axis] = -along[axis].signum();
    Some((enter, Vec3::from_array(normal)))
}

/// The side is x² + z² = r(y)² with r(y) = middle + slope·y; the two lids are discs at y = ±1.
fn hit_frustum(ray: &Ray, top: f32) -> Option<(f32, Vec3)> {
    let Ray { from, along } = *ray;
    let (middle, slope) = ((top + 1.0) / 2.0, (top - 1.0) / 2.0);
    let start = middle + slope * from.y;
    let a = along.x * along.x + along.z * along.z - slope * slope * along.y * along.y;
    let b = from.x * along.x + from.z * along.z - slope * along.y * start;
    let c = from.x * from.x + from.z * from.z - start * start;

    let side = roots(a, b, c)
        .and_then(|pair| pair.into_iter().find(|&t| t > NEAREST && ray.at(t).y.abs() <= 1.0))
        .map(|t| {
            let p = ray.at(t);
            // At the tip of a cone all three would be 0, which is no direction.
            let radius = (middle + slope * p.y).max(1e-6);
            (t, vec3(p.x, -slope * radius, p.z))
        });
    let lid = |y: f32, radius: f32| {
        let t = (y - from.y) / along.y;
        let p = ray.at(t);
        (t > NEAREST && p.x * p.x + p.z * p.z <= radius * radius).then_some((t, vec3(0.0, y, 0.0)))
    };
    [side, lid(-1.0, 1.0), lid(1.0, top)]
        .into_iter()
        .flatten()
        .min_by(|left, right| left.0.total_cmp(&right.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN_Z: Vec3 = vec3(0.0, 0.0, 1.0);

    fn from(x: f32, y: f32, z: f32) -> Ray {
        Ray { from: vec3(x, y, z), along: DOWN_Z }
    }

    #[test]
    fn known_hits() {
        let (t, normal) = Shape::Ball.hit(&from(0.0, 0.6, -3.0)).unwrap();
        assert!((t - 2.2).abs() < 1e-5);
        assert!((normal - vec3(0.0, 0.6, -0.8)).length() < 1e-5);
        assert_eq!(Shape::Block.hit(&from(0.3, 0.6, -3.0)), Some((2.0, vec3(0.0, 0.0, -1.0))));
        let (t, normal) = Shape::Frustum { top: 0.0 }.hit(&from(0.0, 0.0, -3.0)).unwrap();
        assert!((t - 2.5).abs() < 1e-5, "half way up a cone the radius is one half");
        assert!(normal.y > 0.0 && normal.z < 0.0);
    }

    #[test]
    fn the_tip_of_a_cone_points_up() {
        let (t, normal) = Shape::Frustum { top: 0.0 }.hit(&from(0.0, 1.0, -3.0)).unwrap();
        assert_eq!((t, normal.unit()), (3.0, vec3(0.0, 1.0, 0.0)));
    }

    #[test]
    fn misses_and_surfaces_behind() {
        for shape in [Shape::Ball, Shape::Block, Shape::Frustum { top: 0.5 }] {
            assert_eq!(shape.hit(&from(1.2, 0.0, -3.0)), None);
            assert_eq!(shape.hit(&from(0.0, 0.0, 3.0)), None);
        }
        assert_eq!(Shape::Frustum { top: 0.5 }.hit(&from(0.8, 0.9, -3.0)), None, "it narrows upwards");
    }

    #[test]
    fn a_frustum_is_closed_by_its_lids() {
        let above = Ray { from: vec3(0.1, 4.0, 0.2), along: vec3(0.0, -1.0, 0.0) };
        assert_eq!(Shape::Frustum { top: 0.5 }.hit(&above), Some((3.0, vec3(0.0, 1.0, 0.0))));
        let (t, normal) = Shape::Frustum { top: 0.0 }.hit(&above).unwrap();
        assert!(t > 3.0 && normal.y > 0.0, "a cone has only its side there");
    }
}
