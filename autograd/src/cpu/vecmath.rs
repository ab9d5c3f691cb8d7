//! Transcendental functions of `f32` without branches and without calls, so that a loop over them vectorises.
//!
//! Every function reduces its argument to a short interval and takes a minimax polynomial there; its coefficients were
//! fitted for relative error in the result. Multiplication and addition stay apart (no `mul_add`): then the copies that
//! [`super::simd`] makes for different processors give the same bits. The largest errors, measured in the tests below in
//! units in the last place of the result: exp 1.0, tanh 1.3, ln_1p 1.2 (on [0, 1]).

/// p(x) = c₀ + c₁x + c₂x² + …
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[N - 1];
    for i in (0..N - 1).rev() {
        y = y * x + c[i];
    }
    y
}

/// eˣ. With n the integer next to x/ln 2 and r = x − n·ln 2: eˣ = 2ⁿ·eʳ, |r| ≤ 0.35.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // ln 2 in two pieces: n times the first, which has nine binary digits, is exact.
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    // Beside 1.5·2²³ a float has no digits left for fractions: adding it rounds, and leaves n in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Limits beyond which the result is 0 or infinite anyway. NaN passes both comparisons by.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let q = polynomial(r, [0.499_999_94, 0.166_665_15, 0.041_668_456, 0.008_369_42, 0.001_381_314_6]);
    let power = 1.0 + (r + r * r * q);
    // 2ⁿ in two factors: n reaches from −150 to 128, farther than one exponent does.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    power * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 2ⁿ for n in −126..=127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// tanh x: an odd polynomial for |x| < 0.625, where 1 − 2/(e²ˣ + 1) would lose its digits.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let (t, square) = (x.abs(), x * x);
    let large = 1.0 - 2.0 / (exp(t + t) + 1.0);
    let q = polynomial(square, [-0.333_332_8, 0.133_314_42, -0.053_739_71, 0.020_639_075, -0.005_704_973]);
    let small = t + t * square * q;
    (if t < 0.625 { small } else { large }).copysign(x)
}

/// ln(1 + z) for z in [0, 1]: 2·artanh(s) = 2s + 2s³·q(s²) with s = z/(2 + z). As 2s = z − s·z, the largest term is z.
#[inline(always)]
pub(crate) fn ln_1p_unit(z: f32) -> f32 {
    let s = z / (2.0 + z);
    let square = s * s;
    let q = polynomial(square, [0.333_333_37, 0.199_994_39, 0.143_084_42, 0.107_138_24, 0.121_504_88]);
    z - s * (z - (square + square) * q)
}

/// (Φ(x), φ(x)): distribution function and density of the normal distribution, from one exponential.
///
/// With t = |x|, Φ(−t) = e^(−t²/2)·S(t), and (t + 4)·S(t) is a polynomial in u = (t − 4)/(t + 4). Absolute errors:
/// 1.9·10⁻⁷ in Φ, 5·10⁻⁸ in φ.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;
    let e = exp(-0.5 * x * x);
    let t = x.abs();
    // Beyond 20 e is 0; the limit keeps u from being ∞/∞.
    let t = if t > 20.0 { 20.0 } else { t };
    let inverse = 1.0 / (t + 4.0);
    let u = (t - 4.0) * inverse;
    let s = inverse * polynomial(u, MILLS);
    let tail = e * s;
    (if x > 0.0 { 1.0 - tail } else { tail }, FRAC_1_SQRT_TAU * e)
}

/// (t + 4)·S(t) by powers of u, for t from 0 to 14 and beyond.
const MILLS: [f32; 10] = [
    0.755_285_14,
    -0.607_896_57,
    0.387_136_9,
    -0.186_523_35,
    0.060_403_96,
    -0.007_525_829,
    -0.003_513_516_6,
    0.001_570_641,
    0.000_181_389_97,
    -0.000_131_021_73,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Kernel, widest};

    /// Every 499th float there is: all exponents, both signs; NaN left out.
    fn floats() -> impl Iterator<Item = f32> {
        (0..u32::MAX).step_by(499).map(f32::from_bits).filter(|x| !x.is_nan())
    }

    /// Largest distance between `f` and the exact function `g` over `floats`, in units of the last place of `g`, where
    /// the exact value is a number of `f32` (subnormal ones included).
    fn ulps(floats: impl Iterator<Item = f32>, f: impl Fn(f32) -> f32, g: impl Fn(f64) -> f64) -> f64 {
        let error = |x: f32| {
            let (y, exact) = (f(x), g(f64::from(x)));
            if exact.abs() > f64::from(f32::MAX) {
                assert!(y == exact as f32 || y.is_finite(), "{x:e}: {y:e} in place of {exact:e}");
                return 0.0;
            }
            let exponent = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor();
            (f64::from(y) - exact).abs() / 2f64.powf(exponent - 23.0)
        };
        floats.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn errors_are_as_stated() {
        let exp_error = ulps(floats(), exp, f64::exp);
        let tanh_error = ulps(floats(), tanh, f64::tanh);
        let ln_1p_error = ulps(floats().filter(|z| (0.0..=1.0).contains(z)), ln_1p_unit, f64::ln_1p);
        let errors = [exp_error, tanh_error, ln_1p_error];
        assert!(exp_error < 1.0 && tanh_error < 1.3 && ln_1p_error < 1.2, "{errors:?}");
    }

    #[test]
    fn normal_distribution() {
        for x in floats() {
            let (cdf, density) = normal(x);
            let wide = f64::from(x);
            let exact = 0.5 * libm::erfc(-wide * std::f64::consts::FRAC_1_SQRT_2);
            assert!((f64::from(cdf) - exact).abs() < 1.9e-7, "{x:e}: {cdf:e} in place of {exact:e}");
            let exact = (-0.5 * wide * wide).exp() / std::f64::consts::TAU.sqrt();
            assert!((f64::from(density) - exact).abs() < 5e-8, "{x:e}: {density:e} in place of {exact:e}");
        }
    }

    #[test]
    fn limits() {
        let inf = f32::INFINITY;
        assert_eq!([0.0, -0.0, inf, -inf, 88.8, -104.0].map(exp), [1.0, 1.0, inf, 0.0, inf, 0.0]);
        assert_eq!(exp(-103.0), f32::from_bits(1)); // the smallest number there is
        assert_eq!([inf, -inf, 20.0].map(tanh), [1.0, -1.0, 1.0]);
        assert_eq!([0.0f32, -0.0].map(tanh).map(f32::to_bits), [0.0f32, -0.0].map(f32::to_bits));
        assert_eq!([inf, -inf, 0.0].map(|x| normal(x).0), [1.0, 0.0, 0.5]);
        assert!(
            [exp, tanh, ln_1p_unit, |x| normal(x).0, |x| normal(x).1].iter().all(|f| f(f32::NAN).is_nan())
        );
    }

    struct All<'a>(&'a [f32]);

    impl Kernel for All<'_> {
        type Output = Vec<[u32; 4]>;
        #[inline(always)]
        fn run(self) -> Vec<[u32; 4]> {
            self.0.iter().map(|&x| [exp(x), tanh(x), normal(x).0, normal(x).1].map(f32::to_bits)).collect()
        }
    }

    #[test]
    fn every_copy_gives_the_same_bits() {
        let x: Vec<f32> = floats().step_by(17).collect();
        assert!(All(&x).run() == widest(All(&x)));
    }
}
