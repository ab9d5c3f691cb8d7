//! One table of every differentiable op on small, awkward inputs: broadcasting, axes of size 1, odd sizes, every option.
//!
//! The same rows serve every test that is about ops: gradients against central differences (in `f64`), a device
//! against the host (in `f32`), one thread against eight. A new op needs rows here, and nothing else; a test fails
//! until it has some.

mod attention;
mod conv;
mod elementwise;
mod input;
mod large;
mod linear;
mod loss;
mod norm;
mod pool;
mod random;
mod reduce;
mod shape;

pub use input::{Input, distinct, normal, off_kinks, positive, share, values};

use autograd::random::{Key, site};
use autograd::{Real, Tape, Tensor, Var};

/// One line of the table.
pub struct Row<T: Real> {
    /// The op's name as in `autograd::ops`, and after a colon what is special about this row.
    pub name: &'static str,
    /// Shapes of the inputs and how their values are drawn.
    pub inputs: Vec<Input>,
    /// Whether central differences say what the gradient is: not at kinks and ties, where the op has to choose.
    pub smooth: bool,
    f: Box<Function<T>>,
}

type Function<T> = dyn Fn(&[Var<T>]) -> Var<T>;

impl<T: Real> Row<T> {
    /// A row whose gradient central differences can check.
    pub fn new(name: &'static str, inputs: Vec<Input>, f: impl Fn(&[Var<T>]) -> Var<T> + 'static) -> Row<T> {
        Row { name, inputs, smooth: true, f: Box::new(f) }
    }

    /// A row at a kink: checked between devices, not against central differences.
    pub fn at_kink(
        name: &'static str,
        inputs: Vec<Input>,
        f: impl Fn(&[Var<T>]) -> Var<T> + 'static,
    ) -> Row<T> {
        Row { smooth: false, ..Row::new(name, inputs, f) }
    }

    /// The function: inputs to result.
    pub fn apply(&self, inputs: &[Var<T>]) -> Var<T> {
        (self.f)(inputs)
    }

    /// The inputs' values: the same in every run, for both types up to rounding.
    pub fn draw(&self) -> Vec<Tensor<T>> {
        self.inputs.iter().enumerate().map(|(i, input)| input.draw(self.name, i)).collect()
    }

    /// Forward and backward, with inputs and cotangent brought by `place` to where the row is to run.
    pub fn run(&self, place: impl Fn(&Tensor<T>) -> Tensor<T>) -> Outcome<T> {
        let tape = Tape::new();
        let leaves: Vec<Var<T>> = self.draw().iter().map(|x| tape.leaf(place(x))).collect();
        let y = self.apply(&leaves);
        let names = tape.names();
        // Epoch 1: the inputs are drawn from epoch 0, and a cotangent equal to an input would hide terms.
        let cotangent = Tensor::randn(y.shape(), Key { epoch: 1, ..Key::default() }, site(self.name));
        let grads = y.backward_with(place(&cotangent));
        let gradient = |leaf: &Var<T>| {
            let found = grads.of(leaf).cloned();
            found.unwrap_or_else(|| {
                panic!("{}: an input of shape {:?} got no gradient", self.name, leaf.shape())
            })
        };
        Outcome { value: y.value().clone(), gradients: leaves.iter().map(gradient).collect(), names }
    }

    /// The op's name without the remark.
    pub fn op(&self) -> &'static str {
        self.name.split(':').next().expect("split yields at least one piece")
    }
}

/// What running a row yields.
pub struct Outcome<T: Real> {
    /// The result.
    pub value: Tensor<T>,
    /// One gradient per input.
    pub gradients: Vec<Tensor<T>>,
    /// Names recorded on the tape.
    pub names: Vec<&'static str>,
}

/// The whole table.
pub fn rows<T: Real>() -> Vec<Row<T>> {
    let families = [
        elementwise::rows(),
        linear::rows(),
        attention::rows(),
        reduce::rows(),
        shape::rows(),
        norm::rows(),
        conv::rows(),
        pool::rows(),
        loss::rows(),
        random::rows(),
    ];
    families.into_iter().flatten().collect()
}

/// Rows of a second kind: inputs that take the parallel and tiled paths. Too large for central differences.
pub fn large_rows<T: Real>() -> Vec<Row<T>> {
    large::rows()
}
