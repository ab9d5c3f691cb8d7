//! The one depth convention, and the ways files deviate from it.
//!
//! Inside, depth is a float in [0, 1]: **1 is nearest, 0 is missing**. It is scaled per picture, because a salient
//! object is near relative to its scene, not in millimetres. Metric distances are inverted first: 1/z is what a
//! stereo camera measures, and it gives the foreground the resolution instead of the far wall.

use std::fmt;
use std::str::FromStr;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::image_io::Grey;

/// Where the farthest valid pixel of a picture lands. It stays clear of 0, so that a far wall is not mistaken for
/// missing depth, and clear enough (8 of 255 levels) to survive eight bits and the ripples of a JPEG.
pub const FARTHEST: f32 = 8.0 / 255.0;

/// What the numbers in a depth file mean. Only their order and ratio count, since every picture is rescaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DepthFormat {
    /// Larger is nearer; 0 is missing. The loader's own files, and most public sets. Sets that store no missing
    /// pixels put their far background at 0: it then counts as missing, which is next to farthest.
    NearBright,
    /// Larger is farther: the exact negative of `NearBright`, as the inversion step of the public tools has it.
    /// So 0 is the nearest, and full scale (255 or 65535) is missing. A file of distances whose *holes* are 0
    /// is `Mm`, whatever its unit.
    FarBright,
    /// Distance along the optical axis, in millimetres or any other unit; 0, negative or not finite is missing.
    Mm,
    /// Stereo disparity in any unit, which is proportional to 1/distance; 0, negative or not finite is missing.
    Disparity,
}

impl DepthFormat {
    /// Every format, in the order messages list them.
    pub const ALL: [DepthFormat; 4] =
        [DepthFormat::NearBright, DepthFormat::FarBright, DepthFormat::Mm, DepthFormat::Disparity];

    /// The name used in configs and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            DepthFormat::NearBright => "near-bright",
            DepthFormat::FarBright => "far-bright",
            DepthFormat::Mm => "mm",
            DepthFormat::Disparity => "disparity",
        }
    }

    /// The format of the same numbers with near and far exchanged.
    pub fn reversed(self) -> DepthFormat {
        match self {
            DepthFormat::NearBright => DepthFormat::FarBright,
            DepthFormat::FarBright => DepthFormat::NearBright,
            DepthFormat::Mm => DepthFormat::Disparity,
            DepthFormat::Disparity => DepthFormat::Mm,
        }
    }

    /// A number that grows as the surface comes nearer, or `None` where nothing was measured.
    fn nearness(self, stored: f32, full_scale: f32) -> Option<f32> {
        let measured = match self {
            DepthFormat::FarBright => 0.0 <= stored && stored < full_scale,
            _ => stored > 0.0,
        };
        let nearness = match self {
            DepthFormat::NearBright | DepthFormat::Disparity => stored,
            DepthFormat::FarBright => -stored,
            DepthFormat::Mm => 1.0 / stored,
        };
        (measured && nearness.is_finite() && stored.is_finite()).then_some(nearness)
    }
}

impl fmt::Display for DepthFormat {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A depth format nobody knows.
#[derive(Debug, Error, PartialEq)]
#[error("unknown depth format `{0}`: expected near-bright, far-bright, mm or disparity")]
pub struct UnknownDepthFormat(String);

impl FromStr for DepthFormat {
    type Err = UnknownDepthFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        DepthFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownDepthFormat(name.to_owned()))
    }
}

/// Stored values `[H, W]` as depth in the convention, `[H, W]`: the nearest valid pixel becomes 1, the farthest
/// [`FARTHEST`], those between linear in nearness (in 1/z for distances), missing ones 0. A map without contrast is
/// all near. Nothing is clipped as an outlier: one false near pixel darkens the rest of its picture.
pub fn to_convention(stored: &Grey, format: DepthFormat) -> Array2<f32> {
    let nearness = stored.values.mapv(|v| format.nearness(v, stored.full_scale));
    let (far, near) = range(nearness.iter().flatten().copied());
    let scale = |n: f32| if near > far { (n - far) / (near - far) } else { 1.0 };
    nearness.mapv(|n| n.map_or(0.0, |n| (FARTHEST + (1.0 - FARTHEST) * scale(n)).min(1.0)))
}

/// The stored values that count as measurements.
pub(crate) fn valid_values(stored: &Grey, format: DepthFormat) -> impl Iterator<Item = f32> + '_ {
    stored.values.iter().copied().filter(move |&v| format.nearness(v, stored.full_scale).is_some())
}

/// (smallest, largest); (infinity, -infinity) of nothing.
pub(crate) fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_io::to_u8;
    use ndarray::array;
    use proptest::prelude::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    fn convert(values: Array2<f32>, full_scale: f32, format: DepthFormat) -> Array2<f32> {
        to_convention(&Grey { values, full_scale }, format)
    }

    #[test]
    fn names_agree_everywhere() {
        for format in DepthFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            let config: StrDeserializer<ValueError> = format.name().into_deserializer();
            assert_eq!(DepthFormat::deserialize(config).unwrap(), format);
        }
        let error = "bright".parse::<DepthFormat>().unwrap_err().to_string();
        assert!(DepthFormat::ALL.iter().all(|format| error.contains(format.name())));
    }

    #[test]
    fn the_reversed_format_exchanges_near_and_far() {
        for format in DepthFormat::ALL {
            assert_eq!(format.reversed().reversed(), format);
            let near_end = |format| convert(array![[10.0, 20.0]], 255.0, format)[[0, 0]] == 1.0;
            assert_ne!(near_end(format), near_end(format.reversed()));
        }
    }

    #[test]
    fn near_is_one_far_is_the_floor_and_missing_is_zero() {
        let middle = (FARTHEST + 1.0) / 2.0;
        let expected = array![[0.0, FARTHEST, middle, 1.0]];
        let close = |found: Array2<f32>| (found - &expected).iter().all(|e| e.abs() < 1e-6);
        assert!(close(convert(array![[0.0, 100.0, 150.0, 200.0]], 255.0, DepthFormat::NearBright)));
        assert!(close(convert(array![[255.0, 100.0, 50.0, 0.0]], 255.0, DepthFormat::FarBright)));
        assert!(close(convert(
            array![[f32::INFINITY, 10.0, 20.0, 30.0]],
            f32::INFINITY,
            DepthFormat::Disparity
        )));
        // 1/z of 1 m, 4/3 m and 2 m: 1, 3/4 and 1/2, evenly spaced.
        assert!(close(convert(array![[0.0, 2000.0, 4000.0 / 3.0, 1000.0]], 65535.0, DepthFormat::Mm)));
    }

    #[test]
    fn whatever_is_no_measurement_is_missing() {
        let odd = array![[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 0.0, 2.0]];
        for format in [DepthFormat::Mm, DepthFormat::Disparity, DepthFormat::NearBright] {
            assert_eq!(convert(odd.clone(), f32::INFINITY, format), array![[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]);
        }
        // The smallest floats have no finite inverse; they must not poison the rest.
        assert_eq!(
            convert(array![[1e-40, 2.0, 4.0]], f32::INFINITY, DepthFormat::Mm),
            array![[0.0, 1.0, FARTHEST]]
        );
    }

    #[test]
    fn constant_and_empty_maps_stay_finite() {
        for format in DepthFormat::ALL {
            assert_eq!(convert(Array2::from_elem((2, 2), 7.0), 255.0, format), Array2::<f32>::ones((2, 2)));
        }
        assert_eq!(convert(Array2::zeros((2, 2)), 255.0, DepthFormat::Mm), Array2::<f32>::zeros((2, 2)));
    }

    proptest! {
        #[test]
        fn our_own_files_read_back_as_written(stored in proptest::collection::vec(0u16..=65535, 2..40)) {
            let values = Array2::from_shape_vec((1, stored.len()), stored).unwrap().mapv(f32::from);
            let depth = convert(values, 65535.0, DepthFormat::Mm);
            prop_assert!(depth.iter().all(|&d| d == 0.0 || (FARTHEST..=1.0).contains(&d)));
            let file = depth.mapv(to_u8);
            let again = convert(file.mapv(f32::from), 255.0, DepthFormat::NearBright).mapv(to_u8);
            prop_assert_eq!(again, file);
        }
    }
}
