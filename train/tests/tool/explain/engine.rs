//! What the page should show, by the engine's plain path.

use autograd::{Real, Tensor, Var};
use cda::{
    CdaConfig, Fusion, FusionKind, Preset, Qkv, Steps, affinity, cross_attention_map, cross_diffusion,
    diffusion_matrix,
};
use serde_json::Value;
use train::explain::Explained;

/// What is chosen on the page.
#[derive(Clone, Copy)]
pub struct Choice {
    pub block: usize,
    /// `None`: the mean of all.
    pub head: Option<usize>,
    pub token: usize,
    /// r → d, else d → r.
    pub rd: bool,
    pub cda: CdaConfig,
}

/// Compares a state of the page with the engine, in `T`.
pub fn compare<T: Real>(seen: &Value, explained: &Explained, choice: Choice, tolerance: f64) {
    let view = &explained.blocks[choice.block];
    let (r, d) = (as_type::<T>(&view.r), as_type::<T>(&view.d));
    let Choice { rd, cda, .. } = choice;
    let (p_r, p_d) = (affinity(&r), affinity(&d));
    let x_after = |steps: Steps| {
        let x = cross_diffusion((&p_r, &p_d), (&r, &d), &CdaConfig { steps, ..cda });
        if rd { x.rd } else { x.dr }
    };
    let ca = if rd { cross_attention_map(&r, &d) } else { cross_attention_map(&d, &r) };
    let maps = [
        ("s_r", diffusion_matrix(&p_r, &cda)),
        ("s_d", diffusion_matrix(&p_d, &cda)),
        ("p_r", p_r.clone()),
        ("p_d", p_d.clone()),
        ("ca", ca),
        ("x", x_after(cda.steps)),
    ];
    for (name, map) in &maps {
        assert_close(&seen["maps"][name], &row(map, choice), tolerance, name);
    }
    let frames = seen["frames"].as_array().unwrap();
    let last = match cda.steps {
        Steps::Finite(steps) => steps,
        Steps::Infinite => 6, // 0 to 5, then the fixed point
    };
    assert_eq!(frames.len(), last + 1);
    for (t, frame) in frames.iter().enumerate().skip(1) {
        let steps =
            if cda.steps == Steps::Infinite && t == last { Steps::Infinite } else { Steps::Finite(t) };
        assert_close(frame, &row(&x_after(steps), choice), tolerance, &format!("step {t}"));
    }
    // CDA at these settings, and cross-attention.
    for (name, kind) in [("CDA", FusionKind::Cda), ("CA", FusionKind::Ca)] {
        let from = contributions(explained, choice, Fusion { kind, cda });
        for (side, expected) in from.iter().enumerate() {
            assert_close(&seen["contributions"][name][side], expected, 10.0 * tolerance, name);
        }
    }
}

/// The two vectors of the token's output that come from V_r and from V_d.
fn contributions(explained: &Explained, choice: Choice, fusion: Fusion) -> [Vec<f64>; 2] {
    let view = &explained.blocks[choice.block];
    let mixed = fusion.mix(&as_type::<f64>(&view.r), &as_type::<f64>(&view.d), Var::clone);
    let paper = fusion.kind == FusionKind::Cda && fusion.cda.preset == Preset::Paper;
    let (rd_weights, dr_weights) = if paper { (0, 1) } else { (1, 0) };
    let terms = [(mixed.o_r, 0), (mixed.u_rd, rd_weights), (mixed.o_d, 1), (mixed.u_dr, dr_weights)];
    let c = view.cross.bias.size(0);
    let mut from = [vec![0.0; c], vec![0.0; c]];
    for ((term, side), weight) in terms.iter().zip(&view.cross.weights) {
        let (heads, n, d) = (term.size(1), term.size(2), term.size(3));
        let (term, weight) = (term.value().as_slice(), weight.value().as_slice());
        for h in (0..heads).filter(|&h| choice.head.is_none_or(|chosen| chosen == h)) {
            for j in 0..d {
                let value = term[(h * n + choice.token) * d + j];
                from[*side].iter_mut().enumerate().for_each(|(row, sum)| {
                    *sum += f64::from(weight[row * c + h * d + j]) * value;
                });
            }
        }
    }
    from
}

/// The token's row of a map `[1, H, N, N]`.
fn row<T: Real>(map: &Var<T>, choice: Choice) -> Vec<f64> {
    let (heads, n) = (map.size(1), map.size(2));
    let chosen: Vec<usize> = choice.head.map_or_else(|| (0..heads).collect(), |head| vec![head]);
    let map: Tensor<f64> = map.value().cast();
    let value = |h: usize, j: usize| map.as_slice()[(h * n + choice.token) * n + j];
    (0..n).map(|j| chosen.iter().map(|&h| value(h, j)).sum::<f64>() / chosen.len() as f64).collect()
}

fn as_type<T: Real>(qkv: &Qkv) -> Qkv<T> {
    let cast = |x: &Var| Var::constant(x.value().cast());
    Qkv { q: cast(&qkv.q), k: cast(&qkv.k), v: cast(&qkv.v) }
}

/// Equal to a share of the largest value.
fn assert_close(seen: &Value, expected: &[f64], tolerance: f64, what: &str) {
    let seen: Vec<f64> = seen.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(seen.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let worst = seen.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(largest > 0.0 && worst <= tolerance * largest, "{what}: off by {worst:e} of {largest:e}");
}
