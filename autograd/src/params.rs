//! Parameters: an ordered arena of named tensors. Modules are plain structs that hold ids into it.

use crate::random::{Key, site};
use crate::real::Real;
use crate::tensor::Tensor;
use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use std::sync::Arc;

/// Number of a parameter in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(usize);

impl ParamId {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What an entry of the arena is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Learned by the optimiser.
    Parameter,
    /// Part of the model's state, but not learned: running statistics.
    Buffer,
    /// A buffer that counts; PyTorch stores it as a 64-bit integer without axes.
    Counter,
}

#[derive(Clone, Debug)]
struct Info {
    name: String,
    kind: ParamKind,
}

/// All parameters and buffers of a model, in the order in which its modules created them, under the names PyTorch's
/// `state_dict` would give them.
///
/// Cloning is cheap: tensors are shared until one of the copies is written.
#[derive(Clone)]
pub struct Params<T: Real = f32> {
    values: Vec<Tensor<T>>,
    info: Arc<Vec<Info>>,
}

impl<T: Real> Default for Params<T> {
    fn default() -> Params<T> {
        Params { values: Vec::new(), info: Arc::default() }
    }
}

impl<T: Real> Params<T> {
    /// An empty arena.
    pub fn new() -> Params<T> {
        Params::default()
    }

    /// Builds a model: `build` gets the root [`Scope`] and returns the module. All initial values follow from `seed`
    /// and the parameters' names.
    pub fn build<M>(seed: u64, build: impl FnOnce(&mut Scope<T>) -> M) -> (Params<T>, M) {
        let mut params = Params::new();
        let model = build(&mut Scope { params: &mut params, prefix: String::new(), seed });
        (params, model)
    }

    /// Number of entries, buffers included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of learned scalars. PyTorch equivalent: `sum(p.numel() for p in model.parameters())`.
    pub fn num_learned(&self) -> usize {
        self.ids().filter(|&id| self.kind(id) == ParamKind::Parameter).map(|id| self.get(id).numel()).sum()
    }

    /// All ids in order.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<T> {
        (0..self.values.len()).map(ParamId)
    }

    /// The current value.
    pub fn get(&self, id: ParamId) -> &Tensor<T> {
        &self.values[id.0]
    }

    /// The name under which PyTorch's `state_dict` would list it.
    pub fn name(&self, id: ParamId) -> &str {
        &self.info[id.0].name
    }

    /// Parameter or buffer.
    pub fn kind(&self, id: ParamId) -> ParamKind {
        self.info[id.0].kind
    }

    /// The entry of that name.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        self.info.iter().position(|info| info.name == name).map(ParamId)
    }

    /// Replaces a value; panics if the shape differs.
    #[track_caller]
    pub fn set(&mut self, id: ParamId, value: Tensor<T>) {
        let shape = self.values[id.0].shape();
        assert!(
            value.shape() == shape,
            "set {}: shape {:?} instead of {shape:?}",
            self.name(id),
            value.shape()
        );
        self.values[id.0] = value;
    }

    /// Stores what [`Ctx::finish`](crate::Ctx::finish) returned, in its order: later values replace earlier ones.
    #[track_caller]
    pub fn apply(&mut self, updates: Vec<(ParamId, Tensor<T>)>) {
        for (id, value) in updates {
            self.set(id, value);
        }
    }

    /// The value for an update in place.
    pub(crate) fn get_mut(&mut self, id: ParamId) -> &mut Tensor<T> {
        &mut self.values[id.0]
    }

    /// The same model in the other scalar type (host tensors).
    pub fn cast<U: Real>(&self) -> Params<U> {
        Params { values: self.values.iter().map(Tensor::cast).collect(), info: self.info.clone() }
    }

    #[track_caller]
    fn insert(&mut self, name: String, kind: ParamKind, value: Tensor<T>) -> ParamId {
        assert!(self.find(&name).is_none(), "two parameters are named {name}");
        Arc::make_mut(&mut self.info).push(Info { name, kind });
        self.values.push(value);
        ParamId(self.values.len() - 1)
    }
}

impl Params<f32> {
    /// Moves every value to a device.
    ///
    /// # Errors
    /// A device without memory for them.
    pub fn to_device(
        &self,
        device: &crate::device::DeviceHandle,
    ) -> Result<Params, crate::device::DeviceError> {
        let values = self.values.iter().map(|value| value.to_device(device)).collect::<Result<_, _>>()?;
        Ok(Params { values, info: self.info.clone() })
    }
}

/// How a parameter starts. `fan_in` is the number of inputs one output sums over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Constant(f64),
    /// Uniform in [−bound, bound]. PyTorch's default for Linear and Conv uses bound 1/√fan_in.
    Uniform {
        /// Largest absolute value.
        bound: f64,
    },
    /// Normal of mean 0. `kaiming_normal_`: std = √(2/fan); `xavier_normal_`: √(2/(fan_in + fan_out)).
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Normal of mean 0, redrawn outside ±2. PyTorch equivalent: `trunc_normal_(std=std)`, whose limits are absolute.
    TruncNormal {
        /// Standard deviation before truncation.
        std: f64,
    },
}

impl Init {
    /// PyTorch equivalent: `kaiming_uniform_(a=√5)`, the default of `Linear` and `Conv2d`.
    pub fn default_uniform(fan_in: usize) -> Init {
        Init::Uniform { bound: 1.0 / (fan_in as f64).sqrt() }
    }

    /// PyTorch equivalent: `kaiming_normal_(nonlinearity='relu')`; `fan` is fan_in or fan_out.
    pub fn kaiming_normal(fan: usize) -> Init {
        Init::Normal { std: (2.0 / fan as f64).sqrt() }
    }

    /// PyTorch equivalent: `kaiming_uniform_(nonlinearity='relu')`.
    pub fn kaiming_uniform(fan: usize) -> Init {
        Init::Uniform { bound: (6.0 / fan as f64).sqrt() }
    }

    /// PyTorch equivalent: `xavier_uniform_`.
    pub fn xavier_uniform(fan_in: usize, fan_out: usize) -> Init {
        Init::Uniform { bound: (6.0 / (fan_in + fan_out) as f64).sqrt() }
    }

    /// PyTorch equivalent: `xavier_normal_`.
    pub fn xavier_normal(fan_in: usize, fan_out: usize) -> Init {
        Init::Normal { std: (2.0 / (fan_in + fan_out) as f64).sqrt() }
    }

    /// Values drawn in `f64`, so that `f32` and `f64` models start alike; the stream is named by the parameter.
    #[track_caller]
    fn draw<T: Real>(self, shape: &[usize], seed: u64, name: &str) -> Tensor<T> {
        let mut rng = Key { seed, epoch: 0, step: 0 }.rng(site(name));
        match self {
            Init::Constant(value) => Tensor::full(shape, T::of(value)),
            Init::Uniform { bound } => {
                let range = Uniform::new_inclusive(-bound, bound).expect("a bound is positive and finite");
                Tensor::from_fn(shape, |_| T::of(range.sample(&mut rng)))
            }
            Init::Normal { std } => Tensor::from_fn(shape, |_| T::of(std * standard_normal(&mut rng))),
            Init::TruncNormal { std } => {
                assert!(std.is_finite(), "{name}: a truncated normal of standard deviation {std}");
                let mut draw = || std * standard_normal(&mut rng);
                Tensor::from_fn(shape, |_| {
                    let mut x = draw();
                    while x.abs() > 2.0 {
                        x = draw();
                    }
                    T::of(x)
                })
            }
        }
    }
}

fn standard_normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A place in the tree of modules: what a module's constructor creates its parameters through.
pub struct Scope<'a, T: Real = f32> {
    params: &'a mut Params<T>,
    prefix: String,
    seed: u64,
}

impl<T: Real> Scope<'_, T> {
    /// The scope of a submodule: its parameters are named `name.…`.
    pub fn sub(&mut self, name: impl std::fmt::Display) -> Scope<'_, T> {
        let prefix = self.full_name(&name.to_string());
        Scope { params: self.params, prefix, seed: self.seed }
    }

    /// A learned parameter.
    #[track_caller]
    pub fn param(&mut self, name: &str, shape: &[usize], init: Init) -> ParamId {
        let name = self.full_name(name);
        let value = init.draw(shape, self.seed, &name);
        self.params.insert(name, ParamKind::Parameter, value)
    }

    /// State that is saved but not learned.
    #[track_caller]
    pub fn buffer(&mut self, name: &str, shape: &[usize], value: f64) -> ParamId {
        let name = self.full_name(name);
        self.params.insert(name, ParamKind::Buffer, Tensor::full(shape, T::of(value)))
    }

    /// A saved count, starting at 0.
    #[track_caller]
    pub fn counter(&mut self, name: &str) -> ParamId {
        let name = self.full_name(name);
        self.params.insert(name, ParamKind::Counter, Tensor::zeros(&[]))
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}
