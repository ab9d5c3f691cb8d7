//! Every differentiable operation. One op is one function: its formula, its forward pass, its backward pass.
//!
//! Ops are methods of [`Var`](crate::Var) under PyTorch's names, so that a network reads as in PyTorch:
//! `q.matmul_t(&k).mul_scalar(scale).softmax(-1)`. Each computes its value with the primitives of
//! [`Tensor`](crate::Tensor) and calls [`record`](crate::record) with the function that maps the gradient of its output,
//! dy, to gradients of its inputs. The derivatives of functions of one value stand in `cpu/elementwise.rs`, beside the
//! functions themselves.
//!
//! Shapes: functions of one value keep theirs; arithmetic of two broadcasts as in PyTorch, and the gradient of what was
//! repeated is summed; reductions drop the axes they name, or keep them with size 1. Shape mistakes panic at the caller's
//! line with the shapes in words.

pub mod attention;
pub mod cda;
pub mod conv;
pub mod dropout;
pub mod elementwise;
pub mod index;
pub mod loss;
pub mod many;
pub mod matmul;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod resize;
pub mod shape;
pub mod softmax;

pub use cda::cross_diffusion_attention;
pub use conv::ConvOptions;
pub use loss::{CrossEntropy, Reduction};
pub use many::record_many;
pub use resize::ResizeMode;
pub use shape::concat;
