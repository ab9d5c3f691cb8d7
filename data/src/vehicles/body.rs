//! The solid vehicle: its parts, what a ray meets, and which finish is where.

use crate::raycast::shape::Shape;
use crate::raycast::vec3::{Ray, Vec3, vec3};

use super::coat::{Face, Finish};
use super::form::{Form, Kind};
use super::hull::Hull;

/// A part of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Everything below the windows.
    Lower,
    /// Windows and roof.
    Cabin,
    /// The box of a truck.
    Cargo,
    /// A wheel, by its axle.
    Wheel(usize),
    /// A mirror at the door.
    Mirror,
}

/// Where a ray meets the vehicle.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// Ray parameter.
    pub t: f32,
    /// Unit normal, bent a little as if the panels were curved.
    pub normal: Vec3,
    part: Part,
    /// Unit normal of the flat side that was met.
    flat: Vec3,
}

/// A vehicle built from its dimensions.
#[derive(Clone, Debug)]
pub struct Body {
    /// The dimensions.
    pub form: Form,
    hulls: Vec<(Part, Hull)>,
    /// Middle and radius of a ball around everything.
    ball: (Vec3, f32),
}

/// Half the width of a tyre, metres.
const TYRE: f32 = 0.11;

impl Body {
    /// Assembles the parts.
    pub fn new(form: Form) -> Self {
        let middle = vec3(0.0, form.height() / 2.0, 0.0);
        let corner = vec3(form.half[0], form.height(), form.half[1] + 0.2);
        let mut hulls = vec![(Part::Lower, lower(&form)), (Part::Cabin, cabin(&form))];
        if let Some([rear, front, bottom, top]) = form.cargo {
            let side = form.half[1] + 0.04;
            hulls.push((Part::Cargo, Hull::new(vec3(rear, bottom, -side), vec3(front, top, side), &[])));
        }
        Self { hulls, ball: (middle, (corner - middle).length()), form }
    }

    /// The first point on a ray.
    pub fn hit(&self, ray: &Ray) -> Option<Touch> {
        if !ray.meets_ball(self.ball.0, self.ball.1) {
            return None;
        }
        let hulls =
            self.hulls.iter().filter_map(|(part, hull)| hull.hit(ray).map(|(t, flat)| (t, flat, *part)));
        let wheels = (0..4).filter_map(|number| self.hit_wheel(ray, number));
        let mirrors = [-1.0, 1.0].into_iter().filter_map(|side| self.hit_mirror(ray, side));
        let (t, flat, part) =
            hulls.chain(wheels).chain(mirrors).min_by(|left, right| left.0.total_cmp(&right.0))?;
        let round = self.roundness(part, ray.at(t));
        Some(Touch { t, normal: (flat + round).unit(), part, flat })
    }

    /// An upright cylinder laid on its side: the unit shape's y axis is the axle.
    fn hit_wheel(&self, ray: &Ray, number: usize) -> Option<(f32, Vec3, Part)> {
        let (axle, side) = (number / 2, if number.is_multiple_of(2) { 1.0 } else { -1.0 });
        let radius = self.form.wheel;
        let middle = vec3(self.form.axles[axle], radius, side * (self.form.half[1] - TYRE + 0.03));
        if !ray.meets_ball(middle, radius + TYRE) {
            return None;
        }
        let turned = |v: Vec3| vec3(v.x / radius, v.z / TYRE, v.y / radius);
        let local = Ray { from: turned(ray.from - middle), along: turned(ray.along) };
        let (t, normal) = Shape::Frustum { top: 1.0 }.hit(&local)?;
        let normal = vec3(normal.x / radius, normal.z / radius, normal.y / TYRE).unit();
        Some((t, normal, Part::Wheel(axle)))
    }

    fn hit_mirror(&self, ray: &Ray, side: f32) -> Option<(f32, Vec3, Part)> {
        let size = vec3(0.08, 0.09, 0.13);
        let form = &self.form;
        let front = form.cabin[1].min(form.half[0] - 0.2) - 0.35 * (form.roof - form.belt).min(0.6);
        let middle = vec3(front, form.belt + 0.1, side * (form.half[1] + 0.05));
        if !ray.meets_ball(middle, size.z) {
            return None;
        }
        let local = Ray { from: (ray.from - middle).over(size), along: ray.along.over(size) };
        let (t, normal) = Shape::Ball.hit(&local)?;
        Some((t, normal.over(size).unit(), Part::Mirror))
    }

    /// What to add to a flat panel's normal: sheet metal bulges away from its middle.
    fn roundness(&self, part: Part, p: Vec3) -> Vec3 {
        let [length, width] = self.form.half;
        match part {
            Part::Lower | Part::Cabin => {
                let height = (p.y - 0.5 * self.form.belt) / self.form.belt;
                vec3(0.25 * p.x / length, 0.3 * height, 0.25 * p.z / width)
            }
            _ => Vec3::splat(0.0),
        }
    }

    /// What a point of the surface is made of.
    pub fn finish(&self, touch: &Touch, p: Vec3) -> Finish {
        match touch.part {
            Part::Lower => self.lower_finish(touch.flat, p),
            Part::Cabin => self.cabin_finish(touch.flat, p),
            Part::Cargo => Finish::Second,
            Part::Wheel(axle) => self.wheel_finish(axle, touch.flat, p),
            Part::Mirror => Finish::Paint,
        }
    }

    /// The spot of a face where a point lies, if decals stick there.
    pub fn spot(&self, touch: &Touch, p: Vec3, finish: Finish) -> Option<(Face, [f32; 2])> {
        if touch.part == Part::Mirror || !matches!(finish, Finish::Paint | Finish::Second) {
            return None;
        }
        let [length, width] = self.form.half;
        let (x, y, z) = (p.x / length, p.y / self.form.height(), p.z / width);
        let n = touch.flat.array().map(f32::abs);
        Some(match () {
            () if n[2] > n[0] && n[2] > n[1] => (Face::Side, [x, y]),
            () if n[1] > n[0] => (Face::Top, [x, z]),
            () => (Face::End, [z, y]),
        })
    }

    fn lower_finish(&self, n: Vec3, p: Vec3) -> Finish {
        let form = &self.form;
        let across = p.z.abs() / form.half[1];
        let sideways = n.z.abs() > 0.5;
        let in_arch = |axle: f32| {
            let [x, y] = [p.x - axle, p.y - form.wheel];
            x * x + y * y < (1.2 * form.wheel) * (1.2 * form.wheel)
        };
        if p.y < form.floor + 0.1 || sideways && form.axles.into_iter().any(in_arch) {
            return Finish::Trim;
        }
        if n.x.abs() > 0.5 && n.y < 0.8 {
            return self.end_finish(n.x > 0.0, across, p.y);
        }
        if form.kind == Kind::Pickup && n.y > 0.9 && p.x < form.cabin[0] - 0.05 && across < 0.88 {
            return Finish::Trim;
        }
        let seam = |x: &f32| (p.x - x).abs() < 0.013;
        let doors = [form.cabin[1] - 0.1, form.cabin[0] + 0.45 * (form.cabin[1] - form.cabin[0])];
        if sideways && form.kind != Kind::Bus && doors.iter().any(seam) {
            return Finish::Trim;
        }
        if p.y < form.tone { Finish::Second } else { Finish::Paint }
    }

    /// Lamps, grille and plate; `across` is 0 in the middle and 1 at the edge.
    fn end_finish(&self, front: bool, across: f32, y: f32) -> Finish {
        let form = &self.form;
        let top = if front { form.nose } else { form.belt };
        // 0 at the floor, 1 at the upper edge.
        let up = (y - form.floor) / (top - form.floor);
        if across > 0.6 && (0.55..0.88).contains(&up) {
            return if front { Finish::HeadLamp } else { Finish::TailLamp };
        }
        if across < 0.28 && (0.24..0.4).contains(&up) {
            return Finish::Plate;
        }
        if front && across < 0.55 && (0.5..0.8).contains(&up) || up < 0.18 {
            return Finish::Trim;
        }
        if y < form.tone { Finish::Second } else { Finish::Paint }
    }

    fn cabin_finish(&self, n: Vec3, p: Vec3) -> Finish {
        let form = &self.form;
        let painted = if form.two_tone_roof { Finish::Second } else { Finish::Paint };
        let glazed = (form.belt + 0.05..form.roof - 0.1 - 0.12 * (form.roof - form.belt)).contains(&p.y);
        if !glazed {
            // The roof is above the windows; below them the cabin continues the body.
            return if p.y > form.belt + 0.05 { painted } else { Finish::Paint };
        }
        if n.z.abs() < 0.5 {
            let edge = form.half[1] - form.lean * (p.y - form.belt) - 0.14;
            let has_window = n.x > 0.0 || form.has_rear_window();
            return if has_window && p.z.abs() < edge { Finish::Glass } else { painted };
        }
        // Rear and front end of the side windows follow the slanted ends of the cabin.
        let up = (p.y - form.belt) / (form.roof - form.belt);
        let [rear, front] = [0, 1].map(|end| form.cabin[end] + (form.top[end] - form.cabin[end]) * up);
        if p.x < (rear + 0.14).max(form.glazed_from) || p.x > front - 0.12 {
            return painted;
        }
        if form.pillars.iter().any(|x| (p.x - x).abs() < 0.045) { Finish::Trim } else { Finish::Glass }
    }

    /// Spokes of light alloy between darker gaps.
    fn wheel_finish(&self, axle: usize, n: Vec3, p: Vec3) -> Finish {
        let form = &self.form;
        let [x, y] = [p.x - form.axles[axle], p.y - form.wheel];
        let radius = (x * x + y * y).sqrt() / form.wheel;
        if n.z.abs() < 0.5 || radius > form.rim {
            return Finish::Tyre;
        }
        let spoke = (y.atan2(x) * form.spokes).cos() > -0.2;
        if radius < 0.2 || radius > form.rim - 0.08 || spoke { Finish::Rim } else { Finish::Trim }
    }
}

/// The body below the windows: a box with slanted ends, a bonnet, shoulders and rounded corners.
fn lower(form: &Form) -> Hull {
    let [length, width] = form.half;
    let (nose, belt) = (form.nose, form.belt);
    let tip = vec3(length, 0.5 * nose, 0.0);
    let tail = vec3(-length, 0.5 * belt, 0.0);
    let mut cuts = vec![
        (vec3(1.0, 0.1, 0.0), tip),
        (vec3(-1.0, 0.1, 0.0), tail),
        (vec3(belt - nose + 0.02, length - form.cabin[1] + 0.02, 0.0), vec3(length, nose, 0.0)),
        (vec3(1.0, 0.8, 0.0), vec3(length - 0.06, nose, 0.0)),
        (vec3(-1.0, 0.8, 0.0), vec3(-length + 0.05, belt, 0.0)),
    ];
    for side in [-1.0, 1.0] {
        cuts.push((vec3(0.0, 0.9, side), vec3(0.0, belt - 0.05, side * width)));
        cuts.push((vec3(0.0, -0.3, side), vec3(0.0, 0.5 * belt, side * width)));
        cuts.push((vec3(0.55, 0.0, side), vec3(length - 0.25, 0.0, side * width)));
        cuts.push((vec3(-0.5, 0.0, side), vec3(-length + 0.2, 0.0, side * width)));
        cuts.push((vec3(1.0, 0.0, 0.7 * side), vec3(length, 0.0, side * 0.72 * width)));
    }
    Hull::new(vec3(-length, form.floor, -width), vec3(length, belt, width), &cuts)
}

/// Windows and roof: slanted on all four sides.
fn cabin(form: &Form) -> Hull {
    let width = form.half[1] - 0.02;
    let (belt, roof) = (form.belt - 0.04, form.roof);
    let rise = roof - belt;
    let [rear, front] = form.cabin;
    let windscreen = vec3(rise, front - form.top[1], 0.0).unit();
    let rear_wall = vec3(-rise, form.top[0] - rear, 0.0).unit();
    let mut cuts = vec![
        (windscreen, vec3(front, belt, 0.0)),
        (rear_wall, vec3(rear, belt, 0.0)),
        (windscreen + vec3(0.0, 1.0, 0.0), vec3(form.top[1], roof - 0.02, 0.0)),
        (rear_wall + vec3(0.0, 1.0, 0.0), vec3(form.top[0], roof - 0.02, 0.0)),
    ];
    for side in [-1.0, 1.0] {
        cuts.push((vec3(0.0, form.lean, side), vec3(0.0, belt, side * width)));
        let edge = side * (width - form.lean * rise - 0.06);
        cuts.push((vec3(0.0, 1.0, 0.9 * side), vec3(0.0, roof, edge)));
        cuts.push((windscreen + vec3(0.0, 0.0, side), vec3(front, belt, side * 0.86 * width)));
        cuts.push((rear_wall + vec3(0.0, 0.0, side), vec3(rear, belt, side * 0.9 * width)));
    }
    Hull::new(vec3(rear, belt, -width), vec3(front, roof, width), &cuts)
}
