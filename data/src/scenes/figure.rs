//! A figure is a handful of primitive parts that belong together: a lamp, a chair, an animal.

use super::shape::Shape;
use super::vec3::{Basis, Ray, Vec3, vec3};

/// One primitive of a figure, in the figure's own frame (metres, y up, standing on y = 0).
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The unit shape.
    pub shape: Shape,
    /// Where its centre is.
    pub centre: Vec3,
    /// Its half extents along its own axes.
    pub half: Vec3,
    /// Its own axes.
    pub axes: Basis,
    /// Which of the figure's two textures it wears: 0 the main one, 1 the accent.
    pub skin: usize,
}

impl Part {
    /// An upright part in the main texture.
    pub fn new(shape: Shape, centre: Vec3, half: Vec3) -> Self {
        Self { shape, centre, half, axes: Basis::UPRIGHT, skin: 0 }
    }

    /// The same part in the accent texture.
    pub fn accent(self) -> Self {
        Self { skin: 1, ..self }
    }

    /// The same part in a rotated frame.
    pub fn rotated(self, axes: Basis) -> Self {
        Self { axes, ..self }
    }

    /// Ray parameter and unit normal of the first hit. The ray is carried into the unit shape's frame, where its
    /// direction shrinks with the frame, so `t` needs no conversion.
    fn hit(&self, ray: &Ray) -> Option<(f32, Vec3)> {
        let from = self.axes.inward(ray.from - self.centre).over(self.half);
        let along = self.axes.inward(ray.along).over(self.half);
        let (t, normal) = self.shape.hit(&Ray { from, along })?;
        Some((t, self.axes.outward(normal.over(self.half)).unit()))
    }

    /// Half extents of the axis-aligned box around the part's own box.
    fn reach(&self) -> Vec3 {
        let [x, y, z] = [self.axes.x * self.half.x, self.axes.y * self.half.y, self.axes.z * self.half.z]
            .map(|edge| vec3(edge.x.abs(), edge.y.abs(), edge.z.abs()));
        x + y + z
    }
}

/// A point of a figure met by a ray.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// Ray parameter.
    pub t: f32,
    /// Outward unit normal.
    pub normal: Vec3,
    /// Texture number of the part.
    pub skin: usize,
}

/// Parts that move and are looked for together.
#[derive(Clone, Debug)]
pub struct Figure {
    parts: Vec<Part>,
    /// Largest extent sideways, whichever way the figure is turned about the vertical (metres).
    pub width: f32,
    /// Height above the floor, metres.
    pub height: f32,
    /// Radius of a sphere around (0, height/2, 0) that holds every part.
    bound: f32,
}

impl Figure {
    /// Gathers parts and measures them.
    pub fn new(parts: Vec<Part>) -> Self {
        let height = parts.iter().map(|part| part.centre.y + part.reach().y).fold(0.0, f32::max);
        let sideways = |part: &Part| {
            let (centre, reach) = (part.centre, part.reach());
            (centre.x.abs() + reach.x).max(centre.z.abs() + reach.z)
        };
        let width = 2.0 * parts.iter().map(sideways).fold(0.0, f32::max);
        let middle = vec3(0.0, height / 2.0, 0.0);
        let around = |part: &Part| {
            let own = match part.shape {
                Shape::Ball => part.half.x.max(part.half.y).max(part.half.z),
                Shape::Block | Shape::Frustum { .. } => part.half.length(),
            };
            (part.centre - middle).length() + own
        };
        let bound = parts.iter().map(around).fold(0.0, f32::max);
        Self { parts, width, height, bound }
    }

    /// The figure made larger by `factor`.
    pub fn scaled(&self, factor: f32) -> Self {
        let parts = self
            .parts
            .iter()
            .map(|part| Part { centre: part.centre * factor, half: part.half * factor, ..*part })
            .collect();
        Self { parts, width: self.width * factor, height: self.height * factor, bound: self.bound * factor }
    }

    /// The nearest part on a ray in the figure's frame.
    pub fn hit(&self, ray: &Ray) -> Option<Touch> {
        if !self.may_hit(ray) {
            return None;
        }
        let touches = self
            .parts
            .iter()
            .filter_map(|part| part.hit(ray).map(|(t, normal)| Touch { t, normal, skin: part.skin }));
        touches.min_by(|left, right| left.t.total_cmp(&right.t))
    }

    /// Whether the ray passes through the bounding sphere; most rays miss most figures, and this is all they cost.
    fn may_hit(&self, ray: &Ray) -> bool {
        let to_middle = vec3(0.0, self.height / 2.0, 0.0) - ray.from;
        let along = to_middle.dot(ray.along);
        let length2 = ray.along.dot(ray.along);
        let distance2 = to_middle.dot(to_middle) - along * along / length2;
        distance2 <= self.bound * self.bound && (along > 0.0 || to_middle.length() < self.bound)
    }
}
