//! What the ray casters of [`crate::scenes`] and [`crate::vehicles`] share: vectors and rays, unit shapes with
//! closed-form intersections, value noise, colours.

pub mod colour;
pub mod noise;
pub mod shape;
pub mod vec3;
