//! What a file name of RGBN300 or RGBNT100 tells.

use std::ops::RangeInclusive;

use thiserror::Error;

/// Identities, as the public sets number them.
pub const IDS: RangeInclusive<u32> = 1..=600;
/// Cameras, as the public sets number them.
pub const CAMS: RangeInclusive<u32> = 1..=8;

/// Identity and camera of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Identity, one of [`IDS`].
    pub id: u32,
    /// Camera, one of [`CAMS`].
    pub cam: u32,
}

/// Why a file name tells no [`Label`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// The pattern does not occur in it.
    #[error("its name should hold identity and camera as in 0001_c003_005.jpg: digits, _c, digits")]
    NoNumbers,
    /// The digits before `_c` are no identity.
    #[error("identity {found} is not a number from {} to {}", IDS.start(), IDS.end())]
    Id {
        /// The digits.
        found: String,
    },
    /// The digits after `_c` are no camera.
    #[error("camera {found} is not a number from {} to {}", CAMS.start(), CAMS.end())]
    Cam {
        /// The digits.
        found: String,
    },
}

impl Label {
    /// Reads a file name: where `([-\d]+)_c([-\d]+)` first matches, in it or in a part of it, the first group is the
    /// identity and the second one the camera, as in HAMNet's reader.
    ///
    /// # Errors
    /// If there is no match, or a number is not in [`IDS`] or [`CAMS`].
    pub fn of_name(name: &str) -> Result<Label, LabelError> {
        let (id, cam) = groups(name).ok_or(LabelError::NoNumbers)?;
        let number = |digits: &str, range: RangeInclusive<u32>| {
            digits.parse().ok().filter(|number| range.contains(number))
        };
        Ok(Label {
            id: number(id, IDS).ok_or_else(|| LabelError::Id { found: id.into() })?,
            cam: number(cam, CAMS).ok_or_else(|| LabelError::Cam { found: cam.into() })?,
        })
    }
}

/// Both groups of the pattern.
fn groups(name: &str) -> Option<(&str, &str)> {
    let in_group = |c: char| c == '-' || c.is_ascii_digit();
    name.match_indices("_c").find_map(|(at, separator)| {
        let (before, after) = (&name[..at], &name[at + separator.len()..]);
        let first = &before[before.trim_end_matches(in_group).len()..];
        let second = &after[..after.len() - after.trim_start_matches(in_group).len()];
        (!first.is_empty() && !second.is_empty()).then_some((first, second))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_identity_and_camera() {
        // What Python's re.compile(r"([-\d]+)_c([-\d]+)").search finds in these.
        for (name, id, cam) in [
            ("0001_c003_005", 1, 3),
            ("600_c8", 600, 8),
            ("veh12_c2x9", 12, 2),
            ("a_c4_0017_c5s1_000151", 17, 5),
            ("0033_cc_0044_c1", 44, 1),
            ("ü7_c1ü", 7, 1),
        ] {
            assert_eq!(Label::of_name(name), Ok(Label { id, cam }), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused_in_words() {
        let told = |name: &str| Label::of_name(name).unwrap_err().to_string();
        for name in ["", "_c", "0001", "0001c3", "0001_d3", "0001_c", "x_c3", "0001 _c3"] {
            assert_eq!(Label::of_name(name), Err(LabelError::NoNumbers), "{name}");
        }
        assert_eq!(told("0000_c1_1"), "identity 0000 is not a number from 1 to 600");
        assert_eq!(told("-1_c1_1"), "identity -1 is not a number from 1 to 600");
        assert_eq!(told("601_c1_1"), "identity 601 is not a number from 1 to 600");
        assert_eq!(told("1_c9_1"), "camera 9 is not a number from 1 to 8");
        assert_eq!(told("99999999999_c1"), "identity 99999999999 is not a number from 1 to 600");
    }
}
