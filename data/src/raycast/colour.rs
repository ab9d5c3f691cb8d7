//! Colours from numbers people think in.

use super::vec3::{Vec3, vec3};

/// A colour from hue (turns), saturation and value, the last two in [0, 1].
pub fn hsv(hue: f32, saturation: f32, value: f32) -> Vec3 {
    let channel = |shift: f32| {
        let ramp = (((hue + shift).rem_euclid(1.0) * 6.0 - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation * (1.0 - ramp))
    };
    vec3(channel(0.0), channel(2.0 / 3.0), channel(1.0 / 3.0))
}
