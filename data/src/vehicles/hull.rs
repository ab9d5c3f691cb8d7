//! Convex bodies bounded by planes: what car bodies are made of here.

use crate::raycast::vec3::{Ray, Vec3, vec3};

/// Hits closer than this to the ray's start are the surface the ray left from.
const NEAREST: f32 = 1e-3;

/// The intersection of half spaces.
#[derive(Clone, Debug)]
pub struct Hull {
    /// Outward unit normals and the planes' distances from the origin along them.
    planes: Vec<(Vec3, f32)>,
    /// Middle and radius of a ball around the hull.
    ball: (Vec3, f32),
}

impl Hull {
    /// The part of the box between two corners that lies behind all further planes, each given by a normal of any
    /// length and one of its points.
    pub fn new(low: Vec3, high: Vec3, cuts: &[(Vec3, Vec3)]) -> Self {
        let sides = [0, 1, 2].map(|axis| {
            let mut normal = [0.0; 3];
            normal[axis] = 1.0;
            Vec3::from_array(normal)
        });
        let planes = sides.into_iter().flat_map(|normal| [(normal, high), (-normal, low)]);
        let planes = planes.chain(cuts.iter().map(|&(normal, point)| (normal.unit(), point)));
        Self {
            planes: planes.map(|(normal, point)| (normal, normal.dot(point))).collect(),
            ball: (low.mix(high, 0.5), (high - low).length() / 2.0),
        }
    }

    /// The first point of the surface ahead on the ray: its parameter and unit normal. The ray is inside the hull
    /// after it has entered the last half space and before it leaves the first.
    pub fn hit(&self, ray: &Ray) -> Option<(f32, Vec3)> {
        if !ray.meets_ball(self.ball.0, self.ball.1) {
            return None;
        }
        let (mut enter, mut leave, mut side) = (f32::NEG_INFINITY, f32::INFINITY, vec3(0.0, 1.0, 0.0));
        for &(normal, distance) in &self.planes {
            let speed = normal.dot(ray.along);
            let t = (distance - normal.dot(ray.from)) / speed;
            if speed < 0.0 {
                if t > enter {
                    (enter, side) = (t, normal);
                }
            } else {
                leave = leave.min(t);
            }
            if enter > leave {
                return None;
            }
        }
        (enter > NEAREST).then_some((enter, side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_with_a_slanted_corner() {
        let corner = vec3(1.0, 0.0, 0.0);
        let hull = Hull::new(Vec3::splat(-1.0), Vec3::splat(1.0), &[(vec3(1.0, 1.0, 0.0), corner)]);
        let down = |x: f32| hull.hit(&Ray { from: vec3(x, 5.0, 0.2), along: vec3(0.0, -1.0, 0.0) });
        assert_eq!(down(-0.5), Some((4.0, vec3(0.0, 1.0, 0.0))), "the lid");
        let (t, normal) = down(0.5).expect("the slanted side is there");
        assert!((t - 4.5).abs() < 1e-5 && (normal.x - normal.y).abs() < 1e-6);
        assert_eq!(down(1.5), None);
        let away = Ray { from: vec3(0.0, 5.0, 0.0), along: vec3(0.0, 1.0, 0.0) };
        assert_eq!(hull.hit(&away), None, "behind the start");
    }
}
