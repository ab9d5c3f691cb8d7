//! Cross-Diffusion Attention as the equations state it, with N×N matrices: the plain path.
//!
//! ```text
//! P_m = softmax(Q_m·K_mᵀ/√d_h)                  m = r, d        [B, H, N, N]
//! S_m = P_mᵀ (official) or P_m (paper); P is first normalised if `norm` says so
//! Y   = P_r + P_d (intra), or the cross-attention maps (cross)
//! X_rd ← α·S_r·X_rd·S_dᵀ + (1−α)·Y_rd           T times, from X⁽⁰⁾ = I (identity) or Y (affinity)
//! X_dr ← α·S_d·X_dr·S_rᵀ + (1−α)·Y_dr
//! U_rd = X_rd·V_d, U_dr = X_dr·V_r (official)   U_rd = X_rd·V_r, U_dr = X_dr·V_d (paper)
//! ```
//!
//! Token i is the same place of the picture in both modalities; that is what makes P_r and P_d comparable. With
//! Y = P_r + P_d no query of one modality ever meets a key of the other. (With Y from cross-attention they do: that is
//! the post-optimisation of cross-attention.)
//!
//! Cost per head: T steps take O(T·N³) time, and O(T·N²) memory while recording, since every product keeps its inputs.
//! T → ∞ takes O(N³·log(1/(1−α))) time and O(N²) memory: its gradient needs the solution only.

use crate::config::{Affinity, CdaConfig, Norm, Preset, Start, Steps};
use crate::fixed_point::fixed_point;
use autograd::{Real, Var};

/// Queries, keys and values of one modality, `[B, H, N, d]` each.
#[derive(Clone)]
pub struct Qkv<T: Real = f32> {
    /// Queries Q.
    pub q: Var<T>,
    /// Keys K.
    pub k: Var<T>,
    /// Values V.
    pub v: Var<T>,
}

/// What both modalities come out with, `[B, H, N, d]` each: their own self-attention, and what the block's projections
/// `proj_r` and `proj_d` get beside it.
pub struct Mixed<T: Real = f32> {
    /// P_r·V_r: self-attention of modality r.
    pub o_r: Var<T>,
    /// P_d·V_d: self-attention of modality d.
    pub o_d: Var<T>,
    /// X_rd times the values the preset names (official: V_d): a row for each token of r, joins O_r in `proj_r`.
    pub u_rd: Var<T>,
    /// X_dr times the values the preset names (official: V_r): a row for each token of d, joins O_d in `proj_d`.
    pub u_dr: Var<T>,
}

/// The cross-affinities of both directions, `[B, H, N, N]`.
pub struct CrossAffinity<T: Real = f32> {
    /// X_rd.
    pub rd: Var<T>,
    /// X_dr.
    pub dr: Var<T>,
}

// ANCHOR: maps
/// P = softmax(Q·Kᵀ/√d_h), `[B, H, N, N]`: who attends to whom within one modality.
pub fn affinity<T: Real>(qkv: &Qkv<T>) -> Var<T> {
    qkv.q.attention_map(&qkv.k, None)
}

/// softmax(Q_r·K_dᵀ/√d_h), `[B, H, N, N]`: the cross-affinity of ordinary cross-attention, which compares features of two spaces.
pub fn cross_attention_map<T: Real>(queries: &Qkv<T>, keys: &Qkv<T>) -> Var<T> {
    queries.q.attention_map(&keys.k, None)
}
// ANCHOR_END: maps

/// Both cross-affinities by diffusion of P_r and P_d `[B, H, N, N]` through each other.
///
/// Panics if the configuration is invalid; see [`CdaConfig::validate`].
#[track_caller]
pub fn cross_diffusion<T: Real>(
    (p_r, p_d): (&Var<T>, &Var<T>),
    (r, d): (&Qkv<T>, &Qkv<T>),
    config: &CdaConfig,
) -> CrossAffinity<T> {
    if let Err(error) = config.validate() {
        panic!("{error}");
    }
    let (y_rd, y_dr) = match config.affinity {
        Affinity::Intra => {
            let sum = p_r.add(p_d);
            (sum.clone(), sum)
        }
        Affinity::Cross => (cross_attention_map(r, d), cross_attention_map(d, r)),
    };
    let (p_r, p_d) = (normalised(p_r, config.norm), normalised(p_d, config.norm));
    CrossAffinity { rd: diffuse(&p_r, &p_d, &y_rd, config), dr: diffuse(&p_d, &p_r, &y_dr, config) }
}

/// X⁽ᵀ⁾ of X ← α·S_a·X·S_bᵀ + (1−α)·Y, `[B, H, N, N]`.
fn diffuse<T: Real>(p_a: &Var<T>, p_b: &Var<T>, y: &Var<T>, config: &CdaConfig) -> Var<T> {
    let x = match config.steps {
        Steps::Infinite => fixed_point(p_a, p_b, y, config.alpha, config.transposed()),
        Steps::Finite(steps) => {
            let mut x = match config.init {
                Start::Identity => None,
                Start::Affinity => Some(y.clone()),
            };
            for _ in 0..steps {
                x = Some(step(p_a, x.as_ref(), p_b, y, config));
            }
            x.expect("a valid configuration has at least one step")
        }
    };
    if config.renormalise_rows { x.div(&x.sum(&[-1], true)) } else { x }
}

// ANCHOR: step
/// α·S_a·X·S_bᵀ + (1−α)·Y, with X = I where there is none; the sum is part of the last product. Transposes are flags of
/// the products, not copies: official has S = Pᵀ, so S_a is P_a transposed and S_bᵀ is P_b as it stands; in the paper's
/// reading it is the other way round.
fn step<T: Real>(p_a: &Var<T>, x: Option<&Var<T>>, p_b: &Var<T>, y: &Var<T>, config: &CdaConfig) -> Var<T> {
    let (alpha, transposed) = (config.alpha, config.transposed());
    match x {
        None => y.baddbmm(1.0 - alpha, (p_a, transposed), (p_b, !transposed), alpha),
        Some(x) => {
            let s_x = p_a.matmul_with(transposed, x, false, alpha); // α·S_a·X
            y.baddbmm(1.0 - alpha, (&s_x, false), (p_b, !transposed), 1.0)
        }
    }
}
// ANCHOR_END: step

/// S `[B, H, N, N]` of one modality from its P, to look at: P, normalised if `norm` says so, transposed for the official
/// preset. The diffusion itself never forms it.
pub fn diffusion_matrix<T: Real>(p: &Var<T>, config: &CdaConfig) -> Var<T> {
    let p = normalised(p, config.norm);
    if config.transposed() { p.transpose(-2, -1) } else { p }
}

/// D_row^−½·P·D_col^−½ for P from a softmax: its rows sum to 1, so only the column sums are left to divide by.
fn normalised<T: Real>(p: &Var<T>, norm: Norm) -> Var<T> {
    match norm {
        Norm::None => p.clone(),
        Norm::Degree => p.div(&p.sum(&[-2], true).sqrt()),
    }
}

/// Cross-Diffusion Attention of two modalities, Q, K, V `[B, H, N, d]` each, with N×N matrices: O(N³) time, O(N²) memory. `drop` is
/// applied to the two cross-affinities (the released code's `attn_drop`; pass [`Var::clone`] for none). Source: `MutualFormer.py`
/// and Fig. 3, as `config` reads them.
///
/// # Panics
/// If the configuration is invalid, see [`CdaConfig::validate`], or shapes differ.
#[track_caller]
pub fn cross_diffusion_attention<T: Real>(
    r: &Qkv<T>,
    d: &Qkv<T>,
    config: &CdaConfig,
    drop: impl Fn(&Var<T>) -> Var<T>,
) -> Mixed<T> {
    let (p_r, p_d) = (affinity(r), affinity(d));
    let x = cross_diffusion((&p_r, &p_d), (r, d), config);
    let (values_rd, values_dr) = match config.preset {
        Preset::Official => (&d.v, &r.v),
        Preset::Paper => (&r.v, &d.v),
    };
    Mixed {
        o_r: p_r.matmul(&r.v),
        o_d: p_d.matmul(&d.v),
        u_rd: drop(&x.rd).matmul(values_rd),
        u_dr: drop(&x.dr).matmul(values_dr),
    }
}
