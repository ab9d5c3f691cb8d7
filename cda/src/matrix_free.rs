//! The same Cross-Diffusion Attention without N×N matrices: the fast path.
//!
//! Only X·V is needed, never X, and products associate. Where [`crate::diffusion`] forms X⁽ᵗ⁺¹⁾ = α·S_a·X⁽ᵗ⁾·S_bᵀ + (1−α)·Y
//! and multiplies the last one by V, here V goes through the factors one after the other, from the right:
//!
//! ```text
//! w₀ = V,  w_k = S_bᵀ·w_{k−1}                         k = 1..T
//! x_T = w_T  (X⁽⁰⁾ = I)  or  Y·w_T  (X⁽⁰⁾ = Y)
//! x_k = α·S_a·x_{k+1} + (1−α)·Y·w_k                   k = T−1..0,   X⁽ᵀ⁾·V = x₀
//! ```
//!
//! O(T·N²·d) time instead of O(T·N³), O(T·N·d) memory instead of O(T·N²): P·w and Pᵀ·w are computed tile by tile, in the
//! forward pass and again in the backward pass ([`Var::scaled_dot_product_attention`], [`Var::transposed_attention`]). The
//! released configuration, one step from the identity, does all of it in one pass
//! ([`autograd::ops::cross_diffusion_attention`]).
//!
//! T → ∞ is cut off after K steps, K such that α^K is below the rounding error of the type ([`truncation`]). That costs
//! O(K·N·d) memory, so it pays while K·d < N; otherwise the plain path solves the equation by doubling.

use crate::config::{Affinity, CdaConfig, Norm, Preset, Start, Steps};
use crate::diffusion::{Mixed, Qkv};
use autograd::ops::{concat, cross_diffusion_attention as single_pass};
use autograd::real::Dtype;
use autograd::{Real, Var};

/// P_m·V_m without P_m: self-attention of one modality, `[B, H, N, d]`.
pub fn self_attention<T: Real>(x: &Qkv<T>) -> Var<T> {
    cross_attention(x, x)
}

/// softmax(Q_a·K_bᵀ/√d)·V_b without the map: cross-attention, `[B, H, N, d]`.
pub fn cross_attention<T: Real>(a: &Qkv<T>, b: &Qkv<T>) -> Var<T> {
    a.q.scaled_dot_product_attention(&b.k, &b.v, None)
}

/// Cross-Diffusion Attention of two modalities, Q, K, V `[B, H, N, d]` each, without matrices: O(N²d) time, O(Nd) memory. Dropout
/// would need X itself, so there is none here. Equal to [`crate::cross_diffusion_attention`] up to rounding.
///
/// # Panics
/// If the configuration is invalid, see [`CdaConfig::validate`], or shapes differ.
#[track_caller]
pub fn cross_diffusion_attention<T: Real>(r: &Qkv<T>, d: &Qkv<T>, config: &CdaConfig) -> Mixed<T> {
    if let Err(error) = config.validate() {
        panic!("{error}");
    }
    let released = CdaConfig { alpha: config.alpha, ..CdaConfig::default() };
    if *config == released && r.v.shape() == r.q.shape() && d.v.shape() == d.q.shape() {
        let [o_r, o_d, u_rd, u_dr] = single_pass([&r.q, &r.k, &r.v], [&d.q, &d.k, &d.v], config.alpha);
        return Mixed { o_r, o_d, u_rd, u_dr };
    }
    let (values_rd, values_dr) = match config.preset {
        Preset::Official => (&d.v, &r.v),
        Preset::Paper => (&r.v, &d.v),
    };
    let (p_r, p_d) = (Map::new(r, config.norm), Map::new(d, config.norm));
    Mixed {
        o_r: self_attention(r),
        o_d: self_attention(d),
        u_rd: diffuse((&p_r, &p_d), values_rd, config, |w| feedback(r, d, config.affinity, w)),
        u_dr: diffuse((&p_d, &p_r), values_dr, config, |w| feedback(d, r, config.affinity, w)),
    }
}

/// More steps than this are refused: each of them keeps N·d values, and 10,000 belong to α = 0.998.
const MOST_STEPS: usize = 10_000;

/// Number of steps after which what is left out of X⁽^∞⁾, a share α^K of it, is lost in rounding (10⁻¹⁵ in `f64`, 10⁻⁸ in `f32`).
pub fn truncation<T: Real>(alpha: f64) -> usize {
    let tolerance: f64 = match T::DTYPE {
        Dtype::F32 => 1e-8,
        Dtype::F64 => 1e-15,
    };
    if alpha == 0.0 { 1 } else { (tolerance.ln() / alpha.ln()).ceil() as usize }
}

/// A modality's P, normalised or not, as something that can be applied.
struct Map<'a, T: Real> {
    qkv: &'a Qkv<T>,
    /// D_col^−½ `[B, H, N, 1]`; rows of a softmax need no normalisation.
    columns: Option<Var<T>>,
}

impl<'a, T: Real> Map<'a, T> {
    fn new(qkv: &'a Qkv<T>, norm: Norm) -> Map<'a, T> {
        let columns = (norm == Norm::Degree).then(|| {
            let sums = qkv.q.transposed_attention(&qkv.k, &ones_column(&qkv.v), None); // Pᵀ·1
            Var::constant(sums.value().full_like(&[1], 1.0)).div(&sums.sqrt())
        });
        Map { qkv, columns }
    }

    /// P·w or, transposed, Pᵀ·w for w `[B, H, N, e]`.
    fn apply(&self, transposed: bool, w: &Var<T>) -> Var<T> {
        let Qkv { q, k, .. } = self.qkv;
        let scaled = |w: &Var<T>| self.columns.as_ref().map_or_else(|| w.clone(), |columns| w.mul(columns));
        if transposed {
            scaled(&q.transposed_attention(k, w, None))
        } else {
            q.scaled_dot_product_attention(k, &scaled(w), None)
        }
    }
}

/// Y·w.
fn feedback<T: Real>(a: &Qkv<T>, b: &Qkv<T>, affinity: Affinity, w: &Var<T>) -> Var<T> {
    match affinity {
        Affinity::Intra => {
            a.q.scaled_dot_product_attention(&a.k, w, None)
                .add(&b.q.scaled_dot_product_attention(&b.k, w, None))
        }
        Affinity::Cross => a.q.scaled_dot_product_attention(&b.k, w, None),
    }
}

/// X⁽ᵀ⁾·V, `[B, H, N, d]`. Official: S = Pᵀ, so S_bᵀ is P_b as it stands; in the paper's reading it is the other way round.
fn diffuse<T: Real>(
    (p_a, p_b): (&Map<T>, &Map<T>),
    values: &Var<T>,
    config: &CdaConfig,
    y: impl Fn(&Var<T>) -> Var<T>,
) -> Var<T> {
    let steps = match config.steps {
        Steps::Finite(steps) => steps,
        Steps::Infinite => truncation::<T>(config.alpha),
    };
    assert!(
        steps <= MOST_STEPS,
        "alpha = {} takes {steps} steps without matrices: use the plain path",
        config.alpha
    );
    // A further column of ones comes out as the row sums of X.
    let values =
        if config.renormalise_rows { concat(&[values, &ones_column(values)], -1) } else { values.clone() };
    let transposed = config.transposed();
    // ANCHOR: diffuse
    let mut w = vec![values];
    for k in 0..steps {
        w.push(p_b.apply(!transposed, &w[k]));
    }
    let last = &w[steps];
    let mut x = match config.init {
        Start::Identity => last.clone(),
        Start::Affinity => y(last),
    };
    let fed_back = y_of_all(&w[..steps], y);
    for source in fed_back.iter().rev() {
        x = p_a.apply(transposed, &x).mul_scalar(config.alpha).add(&source.mul_scalar(1.0 - config.alpha));
    }
    // ANCHOR_END: diffuse
    if !config.renormalise_rows {
        return x;
    }
    let d = x.size(-1) - 1;
    x.slice(-1, 0..d).div(&x.slice(-1, d..d + 1))
}

/// Y·w for every w, in one application to all of them side by side.
fn y_of_all<T: Real>(w: &[Var<T>], y: impl Fn(&Var<T>) -> Var<T>) -> Vec<Var<T>> {
    let width = w[0].size(-1);
    let all = y(&concat(&w.iter().collect::<Vec<_>>(), -1));
    (0..w.len()).map(|k| all.slice(-1, k * width..(k + 1) * width)).collect()
}

/// Ones `[B, H, N, 1]` beside x `[B, H, N, d]`.
fn ones_column<T: Real>(x: &Var<T>) -> Var<T> {
    let [lead @ .., _] = x.shape() else { panic!("values have axes") };
    Var::constant(x.value().full_like(&[lead, &[1]].concat(), 1.0))
}
