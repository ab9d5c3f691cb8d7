//! The figures that stand about in the rooms. Each is about one unit tall and has random proportions.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::{FRAC_1_SQRT_2 as DIAGONAL, TAU};

use super::figure::{Figure, Part};
use crate::raycast::shape::Shape::{self, Ball, Block, Frustum};
use crate::raycast::vec3::{Basis, Vec3, vec3};

const CYLINDER: Shape = Frustum { top: 1.0 };
const CONE: Shape = Frustum { top: 0.0 };

/// Every builder, equally likely.
const BUILDERS: [fn(&mut ChaCha8Rng) -> Figure; 15] = [
    ball, pebble, crate_box, drum, cone, cup, bottle, lamp, stool, chair, animal, snowman, mushroom, plant,
    house,
];

/// A random figure, about one unit tall.
pub fn any(rng: &mut ChaCha8Rng) -> Figure {
    BUILDERS[rng.random_range(0..BUILDERS.len())](rng)
}

/// An upright part of round cross-section, from height `low` to `high`.
fn upright(shape: Shape, radius: f32, low: f32, high: f32) -> Part {
    Part::new(shape, vec3(0.0, (low + high) / 2.0, 0.0), vec3(radius, (high - low) / 2.0, radius))
}

fn ball(_: &mut ChaCha8Rng) -> Figure {
    Figure::new(vec![Part::new(Ball, vec3(0.0, 0.5, 0.0), Vec3::splat(0.5))])
}

fn pebble(rng: &mut ChaCha8Rng) -> Figure {
    let height = rng.random_range(0.3..0.5);
    let half = vec3(rng.random_range(0.5..0.8), height, rng.random_range(0.4..0.7));
    Figure::new(vec![Part::new(Ball, vec3(0.0, height, 0.0), half)])
}

fn crate_box(rng: &mut ChaCha8Rng) -> Figure {
    let half = vec3(rng.random_range(0.3..0.6), rng.random_range(0.3..0.5), rng.random_range(0.3..0.6));
    let lid = vec3(half.x * 1.08, 0.05, half.z * 1.08);
    Figure::new(vec![
        Part::new(Block, vec3(0.0, half.y, 0.0), half),
        Part::new(Block, vec3(0.0, 2.0 * half.y, 0.0), lid).accent(),
    ])
}

fn drum(rng: &mut ChaCha8Rng) -> Figure {
    let radius = rng.random_range(0.28..0.5);
    let mut parts = vec![upright(CYLINDER, radius, 0.0, 1.0)];
    parts.extend([0.0, 0.92].map(|low| upright(CYLINDER, radius * 1.06, low, low + 0.08).accent()));
    Figure::new(parts)
}

fn cone(rng: &mut ChaCha8Rng) -> Figure {
    let radius = rng.random_range(0.3..0.5);
    Figure::new(vec![
        Part::new(Block, vec3(0.0, 0.04, 0.0), vec3(radius * 1.2, 0.04, radius * 1.2)).accent(),
        upright(CONE, radius, 0.08, 1.0),
    ])
}

fn cup(rng: &mut ChaCha8Rng) -> Figure {
    let top = rng.random_range(1.1..1.5);
    let radius = rng.random_range(0.28..0.38);
    let out = radius * (1.0 + top) / 2.0;
    // Three bars make an angular handle.
    let bar = |height| Part::new(Block, vec3(out + 0.1, height, 0.0), vec3(0.16, 0.045, 0.06)).accent();
    let grip = Part::new(Block, vec3(out + 0.25, 0.5, 0.0), vec3(0.045, 0.245, 0.06)).accent();
    Figure::new(vec![upright(Frustum { top }, radius, 0.0, 1.0), bar(0.3), bar(0.7), grip])
}

fn bottle(rng: &mut ChaCha8Rng) -> Figure {
    let radius = rng.random_range(0.2..0.32);
    let shoulder = rng.random_range(0.5..0.65);
    Figure::new(vec![
        upright(CYLINDER, radius, 0.0, shoulder),
        upright(Frustum { top: 0.35 }, radius, shoulder, shoulder + 0.15),
        upright(CYLINDER, radius * 0.35, shoulder + 0.15, 0.95),
        upright(CYLINDER, radius * 0.45, 0.92, 1.0).accent(),
    ])
}

fn lamp(rng: &mut ChaCha8Rng) -> Figure {
    let shade = rng.random_range(0.3..0.45);
    Figure::new(vec![
        upright(Frustum { top: 0.5 }, 0.25, 0.0, 0.12).accent(),
        upright(CYLINDER, 0.05, 0.1, 0.65).accent(),
        upright(Frustum { top: 0.55 }, shade, 0.52, 1.0),
    ])
}

/// Four legs under a rectangle of half extents `x` and `z`.
fn legs(x: f32, z: f32, height: f32, thick: f32) -> impl Iterator<Item = Part> {
    [(-x, -z), (-x, z), (x, -z), (x, z)].into_iter().map(move |(x, z)| {
        Part::new(CYLINDER, vec3(x, height / 2.0, z), vec3(thick, height / 2.0, thick)).accent()
    })
}

fn stool(rng: &mut ChaCha8Rng) -> Figure {
    let (x, z) = (rng.random_range(0.4..0.65), rng.random_range(0.35..0.5));
    let mut parts = vec![Part::new(Block, vec3(0.0, 0.72, 0.0), vec3(x, 0.1, z))];
    parts.extend(legs(x * 0.8, z * 0.8, 0.65, 0.07));
    Figure::new(parts)
}

fn chair(rng: &mut ChaCha8Rng) -> Figure {
    let half = rng.random_range(0.3..0.4);
    let mut parts = vec![
        Part::new(Block, vec3(0.0, 0.45, 0.0), vec3(half, 0.07, half)),
        Part::new(Block, vec3(0.0, 0.75, half - 0.05), vec3(half, 0.25, 0.06)),
    ];
    parts.extend(legs(half * 0.85, half * 0.85, 0.4, 0.055));
    Figure::new(parts)
}

fn animal(rng: &mut ChaCha8Rng) -> Figure {
    let (long, thick) = (rng.random_range(0.45..0.6), rng.random_range(0.2..0.28));
    let head = vec3(long, 0.8, 0.0);
    let ear = |z| Part::new(CONE, head + vec3(-0.02, 0.2, z), vec3(0.06, 0.1, 0.06)).accent();
    let mut parts = vec![
        Part::new(Ball, vec3(0.0, 0.52, 0.0), vec3(long, thick, thick)),
        Part::new(Ball, head, Vec3::splat(0.19)),
        Part::new(Ball, head + vec3(0.15, -0.04, 0.0), vec3(0.13, 0.08, 0.08)).accent(),
        ear(-0.1),
        ear(0.1),
    ];
    parts.extend(legs(long * 0.6, thick * 0.55, 0.45, 0.065));
    Figure::new(parts)
}

fn snowman(rng: &mut ChaCha8Rng) -> Figure {
    let radius = rng.random_range(0.27..0.33);
    let ball = |height: f32, radius| Part::new(Ball, vec3(0.0, height, 0.0), Vec3::splat(radius));
    let head = 2.2 * radius;
    Figure::new(vec![
        ball(radius, radius),
        ball(head, radius * 0.7),
        ball(head + 0.95 * radius, radius * 0.45).accent(),
    ])
}

fn mushroom(rng: &mut ChaCha8Rng) -> Figure {
    let cap = rng.random_range(0.4..0.6);
    Figure::new(vec![
        upright(Frustum { top: 0.75 }, rng.random_range(0.14..0.24), 0.0, 0.65).accent(),
        Part::new(Ball, vec3(0.0, 0.72, 0.0), vec3(cap, 0.28, cap)),
    ])
}

/// A pot with leaves leaning out to all sides.
fn plant(rng: &mut ChaCha8Rng) -> Figure {
    let count = rng.random_range(5..9);
    let mut parts = vec![upright(Frustum { top: 1.35 }, 0.17, 0.0, 0.32).accent()];
    parts.extend((0..count).map(|leaf| {
        let yaw = TAU * leaf as f32 / count as f32;
        let axes = Basis::look(yaw, rng.random_range(-1.3..-0.5));
        let long = rng.random_range(0.28..0.4);
        // A leaf starts in the pot and reaches out along its own z axis.
        let centre = vec3(0.0, 0.32, 0.0) + axes.z * long;
        Part::new(Ball, centre, vec3(0.12, 0.05, long)).rotated(axes)
    }));
    Figure::new(parts)
}

/// A body and a roof; the roof is a block standing on its edge, sunk into the body.
fn house(rng: &mut ChaCha8Rng) -> Figure {
    let (wide, deep) = (rng.random_range(0.35..0.45), rng.random_range(0.35..0.6));
    let side = wide * 0.8;
    let axes =
        Basis { x: vec3(0.0, 0.0, 1.0), y: vec3(-DIAGONAL, DIAGONAL, 0.0), z: vec3(DIAGONAL, DIAGONAL, 0.0) };
    Figure::new(vec![
        Part::new(Block, vec3(0.0, 0.3, 0.0), vec3(wide, 0.3, deep)),
        Part::new(Block, vec3(0.0, 0.58, 0.0), vec3(deep * 1.05, side, side)).rotated(axes).accent(),
    ])
}
