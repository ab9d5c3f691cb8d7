//! Gradients held against central differences.
//!
//! A gradient rule is wrong in ways that training hides: a dropped factor, a missing sum over a broadcast axis, an
//! upstream gradient taken for 1. So the function under test is checked **mid-graph**: its inputs come out of other ops,
//! and its result goes into a dot product with random numbers c,
//!
//! ```text
//!   L(x) = Σ c·f(x),    dL/dxᵢ  ≟  (L(x + h·eᵢ) − L(x − h·eᵢ)) / 2h
//! ```
//!
//! in `f64`, where the right side has nine good digits. [`gradcheck`] compares every element of every input, which takes
//! two evaluations each; [`gradcheck_direction`] and [`gradcheck_params`] compare one number per random direction v,
//! Σ v·dL/dx, which is affordable for whole networks and still sees every element.

use crate::grads::Grads;
use crate::params::{ParamId, ParamKind, Params};
use crate::random::{Key, site};
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// Step and tolerances. A difference passes when it is at most `absolute + relative·max(|analytic|, |numeric|)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradcheckOptions {
    /// h: the error of a central difference grows with h², that of rounding with 1/h.
    pub step: f64,
    /// Tolerance in proportion to the gradient.
    pub relative: f64,
    /// Tolerance for gradients near 0.
    pub absolute: f64,
    /// Seed of the cotangent and of the directions.
    pub seed: u64,
}

impl Default for GradcheckOptions {
    fn default() -> GradcheckOptions {
        GradcheckOptions { step: 1e-5, relative: 1e-6, absolute: 1e-8, seed: 0 }
    }
}

impl GradcheckOptions {
    /// For whole networks: all parameters move at once, so a smaller step, which keeps nearly every ReLU on its side of
    /// 0; the sums are longer, so more room for rounding.
    pub fn for_networks() -> GradcheckOptions {
        GradcheckOptions { step: 1e-7, relative: 1e-6, absolute: 1e-7, seed: 0 }
    }

    fn key(&self) -> Key {
        Key { seed: self.seed, ..Key::default() }
    }

    /// How many times the tolerance the two numbers differ by; NaN counts as infinitely far.
    fn excess(&self, found: &Difference) -> f64 {
        let tolerance = self.absolute + self.relative * found.analytic.abs().max(found.numeric.abs());
        let excess = (found.analytic - found.numeric).abs() / tolerance;
        if excess.is_nan() { f64::INFINITY } else { excess }
    }
}

/// One derivative, computed twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// With respect to what.
    pub place: String,
    /// What the backward pass says.
    pub analytic: f64,
    /// What the central difference says.
    pub numeric: f64,
}

/// A check that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct GradcheckReport {
    /// Number of derivatives compared.
    pub checked: usize,
    /// The one that came closest to failing, or `None` if there was nothing to compare.
    pub worst: Option<Difference>,
    /// Largest difference in absolute terms.
    pub largest_absolute: f64,
    /// Largest difference in units of the tolerance: at most 1.
    pub largest_excess: f64,
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GradcheckError {
    /// Analytic and numeric derivatives differ.
    #[error(
        "gradient of {}: backward says {:e}, the central difference {:e}; {wrong} of {checked} derivatives differ",
        worst.place, worst.analytic, worst.numeric
    )]
    Differs {
        /// The worst of them.
        worst: Difference,
        /// How many differ.
        wrong: usize,
        /// How many were compared.
        checked: usize,
    },
    /// No path leads from the inputs to the result, so that there is no gradient to check.
    #[error("the result does not depend on any input; was one detached or made a constant?")]
    Constant,
}

/// Checks the gradient of `f` with respect to every element of every input.
///
/// `f` must be deterministic, and differentiable at `inputs`: keep them away from kinks. What is left between the two
/// sides should be around 1e-9; the default tolerance of 1e-6 fails for anything but rounding.
///
/// ```
/// use autograd::gradcheck::{GradcheckOptions, gradcheck};
/// use autograd::{Tensor, Var, record};
///
/// let x = Tensor::from_vec(vec![0.3, -1.2, 2.0], &[3]);
/// let report = gradcheck(|x| x[0].tanh().mul(&x[0]), &[x.clone()], GradcheckOptions::default()).unwrap();
/// assert_eq!(report.checked, 3);
///
/// // A square whose gradient forgets the factor 2:
/// let square = |x: &[Var<f64>]| {
///     let saved = x[0].value().clone();
///     record("square", saved.mul(&saved), &[&x[0]], move |dy, sink| sink.add(0, || saved.mul(dy)))
/// };
/// let error = gradcheck(square, &[x], GradcheckOptions::default()).unwrap_err();
/// assert!(error.to_string().starts_with("gradient of input 0"));
/// ```
pub fn gradcheck(
    f: impl Fn(&[Var<f64>]) -> Var<f64>,
    inputs: &[Tensor<f64>],
    options: GradcheckOptions,
) -> Result<GradcheckReport, GradcheckError> {
    let loss = against_cotangent(f, inputs, options);
    let gradients = gradients(&loss, inputs)?;
    let evaluate = |values: &[Tensor<f64>]| value_of(&loss(&constants(values)));
    let mut found = Vec::new();
    for (i, (x, gradient)) in inputs.iter().zip(&gradients).enumerate() {
        for (e, &analytic) in gradient.as_slice().iter().enumerate() {
            let at = x.as_slice()[e];
            let (above, below) = (at + options.step, at - options.step);
            let moved = |to: f64| evaluate(&with_element(inputs, i, e, to));
            let numeric = (moved(above) - moved(below)) / (above - below);
            let place =
                format!("input {i}, element {:?} of shape {:?}", coordinates(e, x.shape()), x.shape());
            found.push(Difference { place, analytic, numeric });
        }
    }
    judge(found, options)
}

/// Checks the derivative of `f` along `directions` random directions in the space of all inputs.
///
/// An error names the input whose own share of the direction is furthest off.
pub fn gradcheck_direction(
    f: impl Fn(&[Var<f64>]) -> Var<f64>,
    inputs: &[Tensor<f64>],
    directions: usize,
    options: GradcheckOptions,
) -> Result<GradcheckReport, GradcheckError> {
    let loss = against_cotangent(f, inputs, options);
    let gradients = gradients(&loss, inputs)?;
    let evaluate = |values: &[Tensor<f64>]| value_of(&loss(&constants(values)));
    let name = |i: usize| format!("input {i}");
    along_directions(&evaluate, inputs, &gradients, &name, directions, options)
}

/// Checks the derivative of a network's loss along `directions` random directions in the space of all its learned
/// parameters. `loss` builds its own [`Ctx`](crate::Ctx), with gradients and the same random key in every call:
///
/// ```
/// use autograd::gradcheck::{GradcheckOptions, gradcheck_params};
/// use autograd::{Ctx, Init, Params, Tensor, Var};
///
/// let (params, weight) = Params::<f64>::build(1, |scope| scope.param("weight", &[2, 3], Init::Normal { std: 1.0 }));
/// let x = Var::constant(Tensor::from_vec(vec![0.5, -1.0, 2.0], &[1, 3]));
/// let loss = |params: &Params<f64>| {
///     let ctx = Ctx::eval_with_grad(params);
///     x.linear(&ctx.param(weight), None).tanh().sum_all()
/// };
/// gradcheck_params(loss, &params, 3, GradcheckOptions::for_networks()).unwrap();
/// ```
///
/// # Errors
/// A direction in which the two derivatives differ, with both.
pub fn gradcheck_params(
    loss: impl Fn(&Params<f64>) -> Var<f64>,
    params: &Params<f64>,
    directions: usize,
    options: GradcheckOptions,
) -> Result<GradcheckReport, GradcheckError> {
    let learned: Vec<ParamId> = params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter).collect();
    let values: Vec<Tensor<f64>> = learned.iter().map(|&id| params.get(id).clone()).collect();
    let grads = sweep(&loss(params))?;
    let gradient =
        |&id: &ParamId| grads.param(id).cloned().unwrap_or_else(|| Tensor::zeros(params.get(id).shape()));
    let gradients: Vec<Tensor<f64>> = learned.iter().map(gradient).collect();
    let evaluate = |values: &[Tensor<f64>]| {
        let mut moved = params.clone();
        learned.iter().zip(values).for_each(|(&id, value)| moved.set(id, value.clone()));
        value_of(&loss(&moved))
    };
    let name = |i: usize| params.name(learned[i]).to_owned();
    along_directions(&evaluate, &values, &gradients, &name, directions, options)
}

// ANCHOR: cotangent
/// L(x) = Σ c·f(x) with random c, which tells the elements of f(x) apart.
fn against_cotangent(
    f: impl Fn(&[Var<f64>]) -> Var<f64>,
    inputs: &[Tensor<f64>],
    options: GradcheckOptions,
) -> impl Fn(&[Var<f64>]) -> Var<f64> {
    let y = f(&constants(inputs));
    let cotangent = Var::constant(Tensor::randn(y.shape(), options.key(), site("gradcheck.cotangent")));
    move |x| f(x).mul(&cotangent).sum_all()
}
// ANCHOR_END: cotangent

/// dL/dx for every input, as the backward pass computes it.
fn gradients(
    loss: impl Fn(&[Var<f64>]) -> Var<f64>,
    inputs: &[Tensor<f64>],
) -> Result<Vec<Tensor<f64>>, GradcheckError> {
    let tape = Tape::new();
    let leaves: Vec<Var<f64>> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let grads = sweep(&loss(&leaves.iter().map(mid_graph).collect::<Vec<_>>()))?;
    let gradient = |leaf: &Var<f64>| grads.of(leaf).cloned().unwrap_or_else(|| Tensor::zeros(leaf.shape()));
    Ok(leaves.iter().map(gradient).collect())
}

// ANCHOR: mid_graph
/// x as the sum of its halves: the same bits, but no longer a leaf, so that what an op returns must survive an
/// accumulation and two more ops.
fn mid_graph(x: &Var<f64>) -> Var<f64> {
    let half = x.mul_scalar(0.5);
    half.add(&half)
}
// ANCHOR_END: mid_graph

fn sweep(loss: &Var<f64>) -> Result<Grads<f64>, GradcheckError> {
    if loss.requires_grad() { Ok(loss.backward()) } else { Err(GradcheckError::Constant) }
}

/// Compares Σ v·gradient with the slope of `evaluate` along v, for several random v.
fn along_directions(
    evaluate: &dyn Fn(&[Tensor<f64>]) -> f64,
    values: &[Tensor<f64>],
    gradients: &[Tensor<f64>],
    name: &dyn Fn(usize) -> String,
    directions: usize,
    options: GradcheckOptions,
) -> Result<GradcheckReport, GradcheckError> {
    let compare = |v: &[Tensor<f64>]| {
        let moved =
            |h: f64| -> Vec<Tensor<f64>> { values.iter().zip(v).map(|(x, v)| x.add(&v.scale(h))).collect() };
        let numeric =
            (evaluate(&moved(options.step)) - evaluate(&moved(-options.step))) / (2.0 * options.step);
        let analytic = gradients.iter().zip(v).map(|(g, v)| dot(g, v)).sum();
        (analytic, numeric)
    };
    let mut found = Vec::new();
    for d in 0..directions {
        let v = direction(values, d, options);
        let (analytic, numeric) = compare(&v);
        let mut difference = Difference { place: format!("direction {d}"), analytic, numeric };
        if options.excess(&difference) > 1.0 {
            difference.place += &format!(", mostly {}", suspect(&compare, &v, name));
        }
        found.push(difference);
    }
    judge(found, options)
}

/// A direction to the derivative along it, analytic and numeric.
type Compare<'a> = dyn Fn(&[Tensor<f64>]) -> (f64, f64) + 'a;

/// The input whose own share of a direction is furthest off.
fn suspect(compare: &Compare, v: &[Tensor<f64>], name: &dyn Fn(usize) -> String) -> String {
    let error = |i: usize| {
        let alone = |(j, v): (usize, &Tensor<f64>)| if j == i { v.clone() } else { Tensor::zeros(v.shape()) };
        let (analytic, numeric) = compare(&v.iter().enumerate().map(alone).collect::<Vec<_>>());
        let error = (analytic - numeric).abs();
        if error.is_nan() { f64::INFINITY } else { error }
    };
    let errors = (0..v.len()).map(|i| (i, error(i)));
    errors.max_by(|a, b| a.1.total_cmp(&b.1)).map_or_else(String::new, |(i, _)| name(i))
}

fn direction(values: &[Tensor<f64>], d: usize, options: GradcheckOptions) -> Vec<Tensor<f64>> {
    let draw = |(i, x): (usize, &Tensor<f64>)| {
        let key = Key { epoch: d as u64, step: i as u64, ..options.key() };
        Tensor::randn(x.shape(), key, site("gradcheck.direction"))
    };
    values.iter().enumerate().map(draw).collect()
}

/// Turns the comparisons into a report, or into an error about the worst.
fn judge(found: Vec<Difference>, options: GradcheckOptions) -> Result<GradcheckReport, GradcheckError> {
    let checked = found.len();
    let wrong = found.iter().filter(|difference| options.excess(difference) > 1.0).count();
    let largest_absolute = found.iter().map(|d| (d.analytic - d.numeric).abs()).fold(0.0, f64::max);
    let worst = found.into_iter().max_by(|a, b| options.excess(a).total_cmp(&options.excess(b)));
    match worst {
        Some(worst) if wrong > 0 => Err(GradcheckError::Differs { worst, wrong, checked }),
        worst => {
            let largest_excess = worst.as_ref().map_or(0.0, |worst| options.excess(worst));
            Ok(GradcheckReport { checked, worst, largest_absolute, largest_excess })
        }
    }
}

fn constants(values: &[Tensor<f64>]) -> Vec<Var<f64>> {
    values.iter().cloned().map(Var::constant).collect()
}

fn with_element(inputs: &[Tensor<f64>], i: usize, e: usize, to: f64) -> Vec<Tensor<f64>> {
    let mut moved = inputs.to_vec();
    let mut values = inputs[i].as_slice().to_vec();
    values[e] = to;
    moved[i] = Tensor::from_vec(values, inputs[i].shape());
    moved
}

fn coordinates(element: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = element;
    let mut at: Vec<usize> = Vec::with_capacity(shape.len());
    for &size in shape.iter().rev() {
        at.push(rest % size);
        rest /= size;
    }
    at.reverse();
    at
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum()
}

/// The value of a loss; the checks run in host memory, where reading cannot fail.
fn value_of(loss: &Var<f64>) -> f64 {
    assert!(loss.value().numel() == 1, "gradcheck: the loss has shape {:?}, not one element", loss.shape());
    loss.value().as_slice()[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::record;

    fn numbers(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::randn(shape, Key { seed, ..Key::default() }, 0)
    }

    /// y = a·b whose gradient with respect to b is 1 + `error` times too large.
    fn product(error: f64) -> impl Fn(&[Var<f64>]) -> Var<f64> {
        move |x| {
            let (a, b) = (x[0].value().clone(), x[1].value().clone());
            record("product", a.mul(&b), &[&x[0], &x[1]], move |dy, sink| {
                sink.add(0, || dy.mul(&b));
                sink.add(1, || dy.mul(&a).scale(1.0 + error));
            })
        }
    }

    #[test]
    fn names_the_input_the_element_and_both_numbers() {
        let inputs = [numbers(&[2, 3], 1), numbers(&[1, 3], 2)];
        assert_eq!(gradcheck(product(0.0), &inputs, GradcheckOptions::default()).unwrap().checked, 9);
        let error = gradcheck(product(1e-5), &inputs, GradcheckOptions::default()).unwrap_err();
        let GradcheckError::Differs { worst, wrong, checked } = &error else { panic!("{error}") };
        assert_eq!((*wrong, *checked), (3, 9));
        assert!(worst.place.starts_with("input 1, element [0, "), "{}", worst.place);
        assert!((worst.analytic / worst.numeric - 1.0 - 1e-5).abs() < 1e-8);
        assert!(error.to_string().contains("3 of 9"), "{error}");
    }

    #[test]
    fn an_upstream_gradient_taken_for_one_is_found() {
        let forgets_dy = |x: &[Var<f64>]| {
            let y = x[0].value().scale(3.0);
            record("triple", y, &[&x[0]], |dy, sink| sink.add(0, || Tensor::full(dy.shape(), 3.0)))
        };
        assert!(gradcheck(forgets_dy, &[numbers(&[2], 3)], GradcheckOptions::default()).is_err());
    }

    #[test]
    fn nan_and_constant_results_are_errors() {
        let nan = |x: &[Var<f64>]| x[0].mul_scalar(f64::NAN);
        assert!(gradcheck(nan, &[numbers(&[2], 4)], GradcheckOptions::default()).is_err());
        let constant = |x: &[Var<f64>]| x[0].detach();
        let error = gradcheck(constant, &[numbers(&[2], 4)], GradcheckOptions::default()).unwrap_err();
        assert_eq!(error, GradcheckError::Constant);
    }

    #[test]
    fn directions_see_every_element_and_name_the_input() {
        let inputs = [numbers(&[5, 4], 5), numbers(&[5, 4], 6)];
        let options = GradcheckOptions::default();
        assert_eq!(gradcheck_direction(product(0.0), &inputs, 4, options).unwrap().checked, 4);
        let error = gradcheck_direction(product(1e-4), &inputs, 4, options).unwrap_err();
        assert!(error.to_string().contains("mostly input 1"), "{error}");
    }
}
