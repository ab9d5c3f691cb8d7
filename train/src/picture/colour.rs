//! A colour map that reads without colour vision.

use std::f32::consts::PI;

use image::Rgb;

/// The colour of `t` in [0, 1]: from dark violet through red to light yellow.
///
/// Lightness rises in a straight line in OKLab (Björn Ottosson, 2020), so equal steps of `t` look equally
/// large, and the order survives a grey printer. Hue makes half a turn on the way, for those who see it.
pub fn heat_colour(t: f32) -> Rgb<u8> {
    Rgb(linear_rgb(ramp(t.clamp(0.0, 1.0))).map(encode))
}

/// The way through OKLab. Chroma is low at both ends because screens show no vivid black or white; it stays
/// within what they show everywhere, since clipping would bend hue and lightness.
fn ramp(t: f32) -> [f32; 3] {
    let lightness = 0.15 + 0.82 * t;
    let chroma = 0.05 + 0.14 * (PI * t).sin();
    let hue = (290.0 + 180.0 * t).to_radians();
    [lightness, chroma * hue.cos(), chroma * hue.sin()]
}

/// OKLab to linear light: to cone responses, their cubes, and a change of basis.
fn linear_rgb([lightness, a, b]: [f32; 3]) -> [f32; 3] {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
}

/// Linear light to a byte, by the sRGB transfer function.
fn encode(light: f32) -> u8 {
    let value = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (255.0 * value).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE 1976 lightness of an sRGB colour: 0 black, 100 white.
    fn lightness(Rgb(rgb): Rgb<u8>) -> f32 {
        let [r, g, b] = rgb.map(|byte| {
            let v = f32::from(byte) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        116.0 * (0.2126 * r + 0.7152 * g + 0.0722 * b).cbrt() - 16.0
    }

    #[test]
    fn lightness_rises_evenly() {
        let ramp: Vec<f32> = (0..=32).map(|i| lightness(heat_colour(i as f32 / 32.0))).collect();
        let steps: Vec<f32> = ramp.windows(2).map(|w| w[1] - w[0]).collect();
        let mean = steps.iter().sum::<f32>() / steps.len() as f32;
        assert!(ramp[32] - ramp[0] > 85.0, "from {} to {}", ramp[0], ramp[32]);
        for (i, step) in steps.iter().enumerate() {
            assert!((0.5 * mean..1.7 * mean).contains(step), "step {i} is {step}, the mean {mean}");
        }
    }

    #[test]
    fn no_colour_leaves_the_screens_range() {
        for i in 0..=256 {
            let light = linear_rgb(ramp(i as f32 / 256.0));
            assert!(light.iter().all(|v| (-1e-4..=1.0001).contains(v)), "{i} / 256: {light:?}");
        }
    }

    #[test]
    fn the_ends_are_dark_and_light_and_values_beyond_them_stay_there() {
        assert_eq!(heat_colour(-3.0), heat_colour(0.0));
        assert_eq!(heat_colour(7.0), heat_colour(1.0));
        assert!(lightness(heat_colour(0.0)) < 8.0 && lightness(heat_colour(1.0)) > 93.0);
    }
}
