//! Layers: plain structs of parameter ids, built through a [`Scope`](crate::Scope), applied in a [`Ctx`](crate::Ctx).
//!
//! A layer owns no numbers. `new` creates its parameters under PyTorch's names and with PyTorch's initial
//! distributions; `forward` looks them up in the context and calls ops. A network is a struct of layers written the
//! same way, so its parameters are named after its fields:
//!
//! ```
//! use autograd::nn::{Dropout, Linear};
//! use autograd::{Ctx, Params, Real, Scope, Tensor, Var};
//!
//! #[derive(Clone)]
//! struct Classifier {
//!     hidden: Linear,
//!     drop: Dropout,
//!     head: Linear,
//! }
//!
//! impl Classifier {
//!     fn new<T: Real>(scope: &mut Scope<T>) -> Classifier {
//!         Classifier {
//!             hidden: Linear::new(&mut scope.sub("hidden"), 8, 16, true),
//!             drop: Dropout::new(0.1),
//!             head: Linear::new(&mut scope.sub("head"), 16, 3, true),
//!         }
//!     }
//!
//!     fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
//!         let h = self.hidden.forward(ctx, x).relu(); // [B, 16]
//!         self.head.forward(ctx, &self.drop.forward(ctx, &h)) // [B, 3]
//!     }
//! }
//!
//! let (params, model) = Params::<f32>::build(1, Classifier::new);
//! assert!(params.find("head.weight").is_some());
//! let ctx = Ctx::eval(&params);
//! let y = model.forward(&ctx, &ctx.input(Tensor::zeros(&[2, 8])));
//! assert_eq!(y.shape(), [2, 3]);
//! ```

mod attention;
mod batch_norm;
mod conv;
mod dropout;
mod embedding;
mod linear;
mod mlp;
mod norm;

pub use attention::MultiheadAttention;
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d};
pub use conv::{Conv2d, ConvTranspose2d};
pub use dropout::{DropPath, Dropout};
pub use embedding::Embedding;
pub use linear::Linear;
pub use mlp::Mlp;
pub use norm::{GroupNorm, LayerNorm};
