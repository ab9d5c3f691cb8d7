//! IEEE half precision: 1 sign, 5 exponent and 10 fraction bits, against 1, 8 and 23 of an `f32`.

/// The largest finite half.
pub(super) const LARGEST: f32 = 65504.0;

/// The same number as an `f32`. The exponent is moved by the difference of the biases, 127 − 15, which a product with 2¹¹²
/// does for normal and subnormal numbers alike; infinities and NaN keep theirs.
pub(super) fn widen(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half >> 15) << 31, u32::from(half & 0x7fff) << 13);
    let infinite = half & 0x7c00 == 0x7c00;
    let magnitude =
        if infinite { rest | 0x7f80_0000 } else { (f32::from_bits(rest) * 2f32.powi(112)).to_bits() };
    f32::from_bits(sign | magnitude)
}

/// The nearest half, of two equally near ones that with an even last bit; infinity for what rounds above [`LARGEST`].
/// NaN stays NaN. PyTorch equivalent: `x.half()`.
pub(super) fn narrow(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16) as u16 & 0x8000;
    let bits = x.abs().to_bits();
    let magnitude = if x.is_nan() {
        // The upper bits of what the NaN carries; one bit is set for sure, or it would be an infinity.
        0x7e00 | (bits >> 13) as u16 & 0x03ff
    } else if x.abs() < 2f32.powi(-14) {
        // Subnormal halves are the multiples of 2⁻²⁴. Rounding up to 2¹⁰ of them gives the first normal one.
        (x.abs() * 2f32.powi(24)).round_ties_even() as u16
    } else {
        // Just under half a unit is added, and the rest if the last bit is odd; a carry goes on into the exponent.
        let rounded = bits + 0x0fff + (bits >> 13 & 1);
        ((rounded >> 13) - ((127 - 15) << 10)).min(0x7c00) as u16
    };
    sign | magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for half in 0..=u16::MAX {
            let wide = widen(half);
            if wide.is_nan() {
                assert_eq!(narrow(wide), half | 0x0200, "{half:#06x}: quiet, and otherwise the same");
            } else {
                assert_eq!(narrow(wide), half, "{half:#06x}");
            }
        }
    }

    /// Between every two neighbours: the middle goes to the even one, and the next numbers beside it to the nearer one.
    #[test]
    fn what_lies_between_goes_to_the_nearest_and_ties_to_even() {
        for low in 0..0x7bff_u16 {
            let middle = (widen(low) + widen(low + 1)) / 2.0; // exact: an f32 has 13 bits to spare
            let even = low + (low & 1);
            for (x, expected) in [(middle.next_down(), low), (middle, even), (middle.next_up(), low + 1)] {
                assert_eq!(narrow(x), expected, "{x:e}");
                assert_eq!(narrow(-x), expected | 0x8000, "-{x:e}");
            }
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!(widen(0x7bff), LARGEST);
        assert_eq!(narrow(65520_f32.next_down()), 0x7bff, "the last that rounds to the largest");
        for x in [65520.0, 1e6, f32::MAX, f32::INFINITY] {
            assert_eq!((narrow(x), narrow(-x)), (0x7c00, 0xfc00), "{x:e}");
        }
        for x in [0.0, f32::from_bits(1), f32::MIN_POSITIVE, 2f32.powi(-25)] {
            assert_eq!((narrow(x), narrow(-x)), (0, 0x8000), "{x:e}");
        }
        assert_eq!(narrow(2f32.powi(-25).next_up()), 1);
    }
}
