//! T → ∞. The oracle is the equation itself as one linear system: with vec(X) the columns of X below each other,
//! vec(S_a·X·S_bᵀ) = (S_b ⊗ S_a)·vec(X), so vec(X) = (1−α)·(I − α·S_b ⊗ S_a)⁻¹·vec(Y).

use crate::helpers::{
    assert_close, assert_gradients, cda_of, cross_affinities, distance, gradients, inputs_of, modalities,
    modalities_of, modality, random,
};
use autograd::{Tensor, Var};
use cda::fixed_point::fixed_point;
use cda::{CdaConfig, Preset, Start, Steps, affinity};

const ALPHAS: [f64; 5] = [0.0, 0.3, 0.6, 0.9, 0.99];
const N: usize = 5;

/// Row-stochastic P_a and P_b and an arbitrary Y, `[1, 1, N, N]` each.
fn problem() -> [Tensor<f64>; 3] {
    let shape = [1, 1, N, N];
    let stochastic = |name: &str| affinity(&modality(name, [1, 1, N, 3])).value().clone();
    [stochastic("a"), stochastic("b"), random("y", &shape)]
}

/// S of a P: its transpose in the official preset.
fn s_of(p: &Tensor<f64>, transposed: bool) -> Tensor<f64> {
    let p = p.with_shape(&[N, N]);
    if transposed { p.matmul(true, &identity(), false, 1.0) } else { p }
}

fn identity() -> Tensor<f64> {
    Tensor::from_fn(&[N, N], |e| if e / N == e % N { 1.0 } else { 0.0 })
}

/// The X of X = α·S_a·X·S_bᵀ + C, all `[N, N]`, by the linear system of N² unknowns.
fn solve_stein(s_a: &Tensor<f64>, s_b: &Tensor<f64>, c: &Tensor<f64>, alpha: f64) -> Tensor<f64> {
    let at = |m: &Tensor<f64>, row: usize, column: usize| m.as_slice()[row * N + column];
    let equation = |e: usize| {
        let (i, j) = (e % N, e / N); // unknown e is X[i][j]: columns below each other
        let coefficient = |f: usize| {
            let kronecker = at(s_b, j, f / N) * at(s_a, i, f % N);
            f64::from(u8::from(e == f)) - alpha * kronecker
        };
        (0..N * N).map(coefficient).chain([at(c, i, j)]).collect()
    };
    let vec_x = gaussian_elimination((0..N * N).map(equation).collect());
    Tensor::from_fn(&[N, N], |e| vec_x[e % N * N + e / N])
}

/// Solves a linear system given as rows [coefficients | right-hand side], with partial pivoting.
fn gaussian_elimination(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for column in 0..n {
        let largest = |&a: &usize, &b: &usize| rows[a][column].abs().total_cmp(&rows[b][column].abs());
        let pivot = (column..n).max_by(largest).expect("the range is not empty");
        rows.swap(column, pivot);
        let pivot = rows[column].clone();
        for row in rows.iter_mut().skip(column + 1) {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
        }
    }
    let mut x = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| rows[i][j] * x[j]).sum();
        x[i] = (rows[i][n] - known) / rows[i][i];
    }
    x
}

#[test]
fn it_is_the_closed_form() {
    let [p_a, p_b, y] = problem();
    for alpha in ALPHAS {
        for transposed in [true, false] {
            let [a, b, source] = [&p_a, &p_b, &y].map(|x| Var::constant(x.clone()));
            let ours = fixed_point(&a, &b, &source, alpha, transposed).value().with_shape(&[N, N]);
            let c = y.with_shape(&[N, N]).matmul(false, &identity(), false, 1.0 - alpha);
            let expected = solve_stein(&s_of(&p_a, transposed), &s_of(&p_b, transposed), &c, alpha);
            assert_close(&format!("alpha {alpha}, transposed {transposed}"), &ours, &expected, 1e-12);
        }
    }
}

/// αᵀ is what is left of X⁽⁰⁾ after T steps: 2·10⁻¹⁸ for T = 80 at α = 0.6, and 6·10⁻³ for T = 10.
#[test]
fn many_steps_converge_to_it_from_any_start() {
    let (r, d) = modalities([2, 2, 6, 3]);
    for preset in [Preset::Official, Preset::Paper] {
        for init in [Start::Identity, Start::Affinity] {
            let config = CdaConfig { init, ..CdaConfig::preset(preset) };
            let after = |steps: Steps| {
                let x = cross_affinities(&r, &d, &CdaConfig { steps, ..config });
                [x.rd.value().clone(), x.dr.value().clone()]
            };
            let [limit, near, far] = [Steps::Infinite, Steps::Finite(80), Steps::Finite(3)].map(after);
            for direction in 0..2 {
                assert_close(&format!("{config:?}"), &near[direction], &limit[direction], 1e-13);
                assert!(distance(&far[direction], &limit[direction]) > 1e-4, "three steps are not many");
            }
        }
    }
}

/// Z = dX + α·S_aᵀ·Z·S_b;  dY = (1−α)·Z,  dS_a = α·Z·S_b·Xᵀ,  dS_b = α·Zᵀ·S_a·X.
#[test]
fn its_gradient_is_the_adjoint_equation() {
    let problem = problem();
    for alpha in ALPHAS {
        for transposed in [true, false] {
            let (x, ours) = gradients(&problem, |p| fixed_point(&p[0], &p[1], &p[2], alpha, transposed));
            let (x, dx) = (x.with_shape(&[N, N]), random("w", x.shape()).with_shape(&[N, N]));
            let [s_a, s_b] = [&problem[0], &problem[1]].map(|p| s_of(p, transposed));
            let [s_a_t, s_b_t] = [&s_a, &s_b].map(|s| s_of(s, true));
            let z = solve_stein(&s_a_t, &s_b_t, &dx, alpha);
            let ds_a = z.matmul(false, &s_b, false, alpha).matmul(false, &x, true, 1.0);
            let ds_b = z.matmul(true, &s_a, false, alpha).matmul(false, &x, false, 1.0);
            let expected = [
                s_of(&ds_a, transposed), // dP from dS
                s_of(&ds_b, transposed),
                z.matmul(false, &identity(), false, 1.0 - alpha),
            ];
            for (name, (ours, expected)) in ["P_a", "P_b", "Y"].iter().zip(ours.iter().zip(&expected)) {
                let what = format!("d{name}, alpha {alpha}, transposed {transposed}");
                // The condition of the system grows as 1/(1−α).
                assert_close(&what, &ours.with_shape(&[N, N]), expected, 1e-12 / (1.0 - alpha));
            }
        }
    }
}

#[test]
fn its_gradient_is_that_of_central_differences() {
    for alpha in [0.0, 0.6, 0.9] {
        for transposed in [true, false] {
            assert_gradients(&format!("alpha {alpha}, transposed {transposed}"), &problem(), |p| {
                fixed_point(&p[0], &p[1], &p[2], alpha, transposed)
            });
        }
    }
}

#[test]
fn its_gradient_is_that_of_eighty_unrolled_steps() {
    let alpha = 0.6;
    for transposed in [true, false] {
        let step = |p: &[Var<f64>], x: &Var<f64>| {
            let spread = p[0].matmul_with(transposed, x, false, alpha); // α·S_a·X
            spread.matmul_with(false, &p[1], !transposed, 1.0).add(&p[2].mul_scalar(1.0 - alpha))
        };
        let unrolled = |p: &[Var<f64>]| (0..80).fold(p[2].clone(), |x, _| step(p, &x));
        let (_, expected) = gradients(&problem(), unrolled);
        let (_, ours) = gradients(&problem(), |p| fixed_point(&p[0], &p[1], &p[2], alpha, transposed));
        for (ours, expected) in ours.iter().zip(&expected) {
            assert_close(&format!("transposed {transposed}"), ours, expected, 1e-12);
        }
    }
}

/// The same through the whole of CDA, down to queries, keys and values.
#[test]
fn gradients_of_cda_converge_as_its_values_do() {
    let (r, d) = modalities([1, 2, 4, 3]);
    let inputs = inputs_of(&r, &d);
    for preset in [Preset::Official, Preset::Paper] {
        let of = |steps: Steps| {
            let config = CdaConfig { steps, ..CdaConfig::preset(preset) };
            gradients(&inputs, |x| {
                let (r, d) = modalities_of(x);
                cda_of(&r, &d, &config)
            })
        };
        let (value, limit) = of(Steps::Infinite);
        let (near_value, near) = of(Steps::Finite(80));
        assert_close("values", &near_value, &value, 1e-12);
        for (near, limit) in near.iter().zip(&limit) {
            assert_close(&format!("{preset:?}"), near, limit, 1e-12);
        }
    }
}
