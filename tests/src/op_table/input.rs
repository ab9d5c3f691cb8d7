//! How the inputs of a row are drawn.

use autograd::random::{Key, site};
use autograd::{Real, Tensor};

/// The shape of one input and the rule for its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Normal,
    Positive,
    OffKinks,
    Distinct,
    Share,
    Values(Vec<f64>),
}

/// Normal values: for functions that are smooth everywhere.
pub fn normal(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::Normal }
}

/// Values in [0.3, 2]: for logarithms, roots and denominators.
pub fn positive(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::Positive }
}

/// Values of both signs, inside and outside [−1, 1], at least 0.1 away from −1, 0 and 1.
pub fn off_kinks(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::OffKinks }
}

/// Values at least 0.1 apart in random order: for maxima, which must not change hands under a small step.
pub fn distinct(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::Distinct }
}

/// Values in [0.1, 0.9]: probabilities and soft targets.
pub fn share(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::Share }
}

/// These values.
pub fn values(values: &[f64], shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), rule: Rule::Values(values.to_vec()) }
}

impl Input {
    /// The values of input `i` of the row called `row`.
    pub fn draw<T: Real>(&self, row: &str, i: usize) -> Tensor<T> {
        let key = Key { step: i as u64, ..Key::default() };
        let normal = Tensor::<f64>::randn(&self.shape, key, site(row));
        let map = |f: fn(f64) -> f64| normal.as_slice().iter().map(|&x| f(x)).collect();
        let drawn: Vec<f64> = match &self.rule {
            Rule::Normal => map(|x| x),
            Rule::Positive => map(|x| 0.3 + 1.7 * uniform(x)),
            Rule::OffKinks => map(off_kink),
            Rule::Distinct => spread(normal.as_slice()),
            Rule::Share => map(|x| 0.1 + 0.8 * uniform(x)),
            Rule::Values(values) => values.clone(),
        };
        Tensor::from_vec(drawn.into_iter().map(T::of).collect(), &self.shape)
    }
}

/// Normal to uniform in (0, 1): the distribution function.
fn uniform(x: f64) -> f64 {
    x.vnormal().0
}

/// Normal to ±[0.3, 0.9] and ±[1.1, 1.9], with equal chances.
fn off_kink(x: f64) -> f64 {
    let u = 2.0 * uniform(x.abs()) - 1.0;
    let size = if u < 0.5 { 0.3 + 1.2 * u } else { 1.1 + 1.6 * (u - 0.5) };
    size.copysign(x)
}

/// Ranks instead of values, 0.1 apart, with 0 between two of them.
fn spread(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let mut spread = vec![0.0; x.len()];
    for (rank, &at) in order.iter().enumerate() {
        spread[at] = 0.1 * (rank as f64 - (x.len() / 2) as f64 + 0.5);
    }
    spread
}
