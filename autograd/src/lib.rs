//! Reverse-mode automatic differentiation over `ndarray`, from scratch.
//!
//! # A tour
//!
//! 1. [`tape`] first: what a [`Var`] is, how an op is recorded, and the backward sweep, in one file.
//! 2. [`ops`]: every op is one function with its formula, its forward and its backward pass. They are methods of [`Var`]
//!    under PyTorch's names.
//! 3. [`tensor`]: values without memory, and the primitives that ops are made of. `tensor/dispatch.rs` is the only place
//!    that asks where a tensor lives: in host memory (kernels in `cpu/`) or on a [`device`].
//! 4. [`params`] and [`ctx`]: parameters by name, and the explicit context of one forward pass (tape or none, training or
//!    inference, random position).
//! 5. [`nn`], [`optim`], [`checkpoint`]: layers, optimisers, files that PyTorch reads.
//! 6. [`gradcheck()`]: how all of it is known to be right, and how to check an op of your own.
//!
//! ```
//! use autograd::{Tape, Tensor};
//!
//! let tape = Tape::<f64>::new();
//! let x = tape.leaf(Tensor::from_vec(vec![1.0, 2.0, 3.0], &[3]));
//! let y = x.mul(&x).sum_all(); // y = Σ x²
//! let grads = y.backward();
//! assert_eq!(grads.of(&x).unwrap().as_slice(), [2.0, 4.0, 6.0]); // dy/dx = 2x
//! ```
//!
//! Whoever knows PyTorch starts with [`for_pytorch_users`]: a table of names, the differences in meaning, a training loop.
//!
//! Shape mistakes panic at the caller's line with the shapes in words; files, devices and user input return `Result`.

pub mod checkpoint;
pub(crate) mod cpu;
pub mod ctx;
pub mod device;
pub mod for_pytorch_users;
pub mod gradcheck;
pub mod grads;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod params;
pub mod plain;
pub mod random;
pub mod real;
pub mod tape;
pub mod tensor;

pub use checkpoint::{HostTensor, TensorFile};
pub use cpu::simd::vector_instructions;
pub use ctx::Ctx;
pub use gradcheck::{GradcheckOptions, gradcheck, gradcheck_direction, gradcheck_params};
pub use grads::Grads;
pub use optim::{Ema, Group, Optimizer, Schedule};
pub use params::{Init, ParamId, ParamKind, Params, Scope};
pub use plain::{Indices, Mask};
pub use real::{Dtype, Real};
pub use tape::{Sink, Tape, Var, record};
pub use tensor::Tensor;
