//! A figure is a handful of primitive parts that belong together: a lamp, a chair, an animal.

use crate::raycast::shape::Shape;
use crate::raycast::vec3::{Basis, Ray, Vec3, vec3};

/// One primitive of a figure, in the figure's own frame (metres, y up, standing on y = 0).
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The unit shape.
    pub shape: Shape,
    /// Where its centre is.
    pub centre: Vec3,
    /// Its half extents along its own axes.
    half: Vec3,
    /// One over `half`: rays are scaled far more often than parts are made.
    shrink: Vec3,
    /// Radius of a ball around the centre that holds the part.
    bound: f32,
    /// Its own axes.
    pub axes: Basis,
    /// Which of the figure's two textures it wears: 0 the main one, 1 the accent.
    pub skin: usize,
}

impl Part {
    /// An upright part in the main texture.
    pub fn new(shape: Shape, centre: Vec3, half: Vec3) -> Self {
        let shrink = Vec3::splat(1.0).over(half);
        let bound = match shape {
            Shape::Ball => half.x.max(half.y).max(half.z),
            Shape::Block => half.length(),
            Shape::Frustum { top } => (half.x.max(half.z) * top.max(1.0)).hypot(half.y),
        };
        Self { shape, centre, half, shrink, bound, axes: Basis::UPRIGHT, skin: 0 }
    }

    /// The part made larger by `factor`, seen from the figure's origin.
    fn scaled(&self, factor: f32) -> Self {
        Self {
            axes: self.axes,
            skin: self.skin,
            ..Self::new(self.shape, self.centre * factor, self.half * factor)
        }
    }

    /// The same part in the accent texture.
    pub fn accent(self) -> Self {
        Self { skin: 1, ..self }
    }

    /// The same part in a rotated frame.
    pub fn rotated(self, axes: Basis) -> Self {
        Self { axes, ..self }
    }

    /// Ray parameter and normal of the first hit, the normal in the unit shape's frame. The ray is carried into that
    /// frame, where its direction shrinks with the frame, so `t` needs no conversion.
    fn hit(&self, ray: &Ray) -> Option<(f32, Vec3)> {
        if !ray.meets_ball(self.centre, self.bound) {
            return None;
        }
        let from = self.axes.inward(ray.from - self.centre).times(self.shrink);
        let along = self.axes.inward(ray.along).times(self.shrink);
        self.shape.hit(&Ray { from, along })
    }

    /// A normal of the unit shape in the figure's frame, unit length.
    fn normal(&self, of_shape: Vec3) -> Vec3 {
        self.axes.outward(of_shape.times(self.shrink)).unit()
    }

    /// Half extents of the axis-aligned box around the part's own box.
    fn reach(&self) -> Vec3 {
        let flare = if let Shape::Frustum { top } = self.shape { top.max(1.0) } else { 1.0 };
        let half = self.half.times(vec3(flare, 1.0, flare));
        let [x, y, z] = [self.axes.x * half.x, self.axes.y * half.y, self.axes.z * half.z]
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
        let around = |part: &Part| (part.centre - middle).length() + part.bound;
        let bound = parts.iter().map(around).fold(0.0, f32::max);
        Self { parts, width, height, bound }
    }

    /// The figure made larger by `factor`.
    pub fn scaled(&self, factor: f32) -> Self {
        let parts = self.parts.iter().map(|part| part.scaled(factor)).collect();
        Self { parts, width: self.width * factor, height: self.height * factor, bound: self.bound * factor }
    }

    /// Centre, in the figure's frame, and radius of a ball that holds the figure. It is above the figure's origin,
    /// so turning about the vertical does not move it.
    pub fn ball(&self) -> (Vec3, f32) {
        (vec3(0.0, self.height / 2.0, 0.0), self.bound)
    }

    /// The nearest part on a ray in the figure's frame.
    pub fn hit(&self, ray: &Ray) -> Option<Touch> {
        let hits = self.parts.iter().filter_map(|part| part.hit(ray).map(|(t, normal)| (part, t, normal)));
        let (part, t, normal) = hits.min_by(|left, right| left.1.total_cmp(&right.1))?;
        Some(Touch { t, normal: part.normal(normal), skin: part.skin })
    }
}
