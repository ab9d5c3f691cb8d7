//! T → ∞: the fixed point of the diffusion and its implicit gradient.
//!
//! X = α·S_a·X·S_bᵀ + (1−α)·Y is a Stein equation. For 0 ≤ α < 1 the right-hand side is a contraction: X ↦ S_a·X·S_bᵀ
//! does not enlarge the largest entry (S = P, rows sum to 1), the sum of absolute entries (S = Pᵀ, columns sum to 1) or
//! the Frobenius norm (degree-normalised P). So there is exactly one solution, whatever X⁽⁰⁾ was. It is not found by
//! iterating but by *doubling*: with A = √α·S_a and B = √α·S_bᵀ,
//!
//! ```text
//! X = Σⱼ Aʲ·(1−α)Y·Bʲ
//! X ← X + A·X·B,  A ← A²,  B ← B²    doubles the number of summed terms
//! ```
//!
//! so k rounds, 4k − 2 products, leave a share of α^(2ᵏ): seven rounds at α = 0.6 for less than the rounding of `f64`.
//!
//! The gradient does not run through those rounds. If dX is the gradient of X, then Z = dX + α·S_aᵀ·Z·S_b is the same
//! equation with transposed matrices, and
//!
//! ```text
//! dY = (1−α)·Z      dS_a = α·Z·S_b·Xᵀ      dS_b = α·Zᵀ·S_a·X
//! ```
//!
//! The code below needs dP: where S = Pᵀ that is dSᵀ, so dP_a = (Z·Mᵀ)ᵀ = M·Zᵀ with M = α·X·S_bᵀ.

use autograd::{Real, Tensor, Var, record};

/// Rounds of doubling after which the neglected terms, a share α^(2ᵏ) of X, are below the rounding of `f64`.
fn rounds(alpha: f64) -> usize {
    let mut rest = alpha;
    let mut rounds = 0;
    while rest > 1e-17 {
        rest *= rest;
        rounds += 1;
    }
    rounds
}

// ANCHOR: solve
/// Solves X = A·X·B + C for `[.., N, N]`, where `rounds` doublings are known to suffice.
fn solve_stein<T: Real>(mut a: Tensor<T>, mut b: Tensor<T>, c: Tensor<T>, rounds: usize) -> Tensor<T> {
    let mut x = c;
    for round in 0..rounds {
        x = x.baddbmm(1.0, (&a.matmul(false, &x, false, 1.0), false), (&b, false), 1.0);
        if round + 1 < rounds {
            a = a.matmul(false, &a, false, 1.0);
            b = b.matmul(false, &b, false, 1.0);
        }
    }
    x
}
// ANCHOR_END: solve

/// √α·P, transposed if asked.
fn factor<T: Real>(p: &Tensor<T>, transposed: bool, alpha: f64) -> Tensor<T> {
    let p = p.scale(alpha.sqrt());
    if transposed { p.transpose(-2, -1) } else { p }
}

/// The solution of X = α·S_a·X·S_bᵀ + (1−α)·Y for `[B, H, N, N]`, S = Pᵀ if `transposed`, else P.
#[track_caller]
pub fn fixed_point<T: Real>(p_a: &Var<T>, p_b: &Var<T>, y: &Var<T>, alpha: f64, transposed: bool) -> Var<T> {
    assert!((0.0..1.0).contains(&alpha), "fixed_point: alpha = {alpha} must lie in [0, 1)");
    let (a, b) = (p_a.value().clone(), p_b.value().clone());
    // ANCHOR: fixed_point
    let rounds = rounds(alpha);
    let source = y.value().scale(1.0 - alpha);
    let x = solve_stein(factor(&a, transposed, alpha), factor(&b, !transposed, alpha), source, rounds);
    let saved = x.clone();
    record("cda_fixed_point", x, &[p_a, p_b, y], move |dx, sink| {
        let x = saved;
        let z =
            solve_stein(factor(&a, !transposed, alpha), factor(&b, transposed, alpha), dx.clone(), rounds);
        sink.add(0, || {
            let x_sbt = x.matmul(false, &b, !transposed, alpha); // α·X·S_bᵀ
            if transposed { x_sbt.matmul(false, &z, true, 1.0) } else { z.matmul(false, &x_sbt, true, 1.0) }
        });
        sink.add(1, || {
            let sa_x = a.matmul(transposed, &x, false, alpha); // α·S_a·X
            if transposed { sa_x.matmul(true, &z, false, 1.0) } else { z.matmul(true, &sa_x, false, 1.0) }
        });
        sink.add(2, || z.scale(1.0 - alpha));
    })
    // ANCHOR_END: fixed_point
}
