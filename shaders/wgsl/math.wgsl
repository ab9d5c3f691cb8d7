// Functions that WGSL lacks, or whose built-in forms lose digits.
// Included by other shaders; nothing to run by itself.

// p(x) = c0 + c1·x + … + c4·x⁴
fn polynomial(x: f32, c0: f32, c1: f32, c2: f32, c3: f32, c4: f32) -> f32 {
    return c0 + x * (c1 + x * (c2 + x * (c3 + x * c4)));
}

fn is_nan(x: f32) -> bool {
    // Compilers may take x != x for false; they cannot argue with bits.
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// 1/(1 + e⁻ˣ)
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-x));
}

// An odd polynomial for |x| < 0.625, where 1 − 2/(e²ˣ + 1) would lose its digits.
fn tanh_of(x: f32) -> f32 {
    if is_nan(x) {
        return x; // min and sign may turn it into a number
    }
    let t = abs(x);
    let square = x * x;
    if t < 0.625 {
        let q = polynomial(square, -0.3333328, 0.13331442, -0.05373971, 0.020639075, -0.005704973);
        return x + x * square * q;
    }
    return sign(x) * (1.0 - 2.0 / (exp(2.0 * min(t, 20.0)) + 1.0));
}

// ln(1 + z) for z in [0, 1]: 2·artanh(s) with s = z/(2 + z).
fn ln_1p_unit(z: f32) -> f32 {
    let s = z / (2.0 + z);
    let square = s * s;
    let q = polynomial(square, 0.33333337, 0.19999439, 0.14308442, 0.10713824, 0.12150488);
    return z - s * (z - (square + square) * q);
}

// ln(1 + eˣ), without overflow
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + ln_1p_unit(exp(-abs(x)));
}

// Density φ(x) of the normal distribution.
fn normal_density(x: f32) -> f32 {
    return 0.3989423 * exp(-0.5 * x * x);
}

// Distribution function Φ(x). With t = |x|, Φ(−t) = e^(−t²/2)·S(t), and (t + 4)·S(t) is a polynomial in (t − 4)/(t + 4).
fn normal_cdf(x: f32) -> f32 {
    let t = min(abs(x), 20.0);
    let u = (t - 4.0) / (t + 4.0);
    let low = polynomial(u, 0.75528514, -0.60789657, 0.3871369, -0.18652335, 0.06040396);
    let high = polynomial(u, -0.007525829, -0.0035135165, 0.001570641, 0.00018138997, -0.00013102173);
    let u2 = u * u;
    let tail = exp(-0.5 * x * x) * (low + u2 * u2 * u * high) / (t + 4.0);
    return select(tail, 1.0 - tail, x > 0.0);
}

// xᵖ. Small whole powers are products, which keep the sign and every digit.
fn power(x: f32, p: f32) -> f32 {
    let whole = p == floor(p);
    if whole && abs(p) <= 16.0 {
        var product = 1.0;
        for (var i = 0.0; i < abs(p); i += 1.0) {
            product *= x;
        }
        return select(product, 1.0 / product, p < 0.0);
    }
    if p == 0.5 {
        return sqrt(x);
    }
    let size = exp2(p * log2(abs(x)));
    if x >= 0.0 {
        return size;
    }
    if whole {
        let half = 0.5 * p;
        return select(-size, size, half == floor(half));
    }
    return sqrt(x); // NaN: a root of a negative number
}
