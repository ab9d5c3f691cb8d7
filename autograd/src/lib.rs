//! Reverse-mode automatic differentiation over `ndarray`, from scratch.
pub(crate) mod cpu;
pub mod ctx;
pub mod device;
pub mod gradcheck;
pub mod ops;
pub mod params;
pub mod plain;
pub mod random;
pub mod real;
pub mod tape;
pub mod tensor;
pub use ctx::Ctx;
pub use gradcheck::{GradcheckOptions, gradcheck, gradcheck_direction, gradcheck_params};
pub use params::{Init, ParamId, ParamKind, Params, Scope};
pub use plain::{Indices, Mask};
pub use real::{Dtype, Real};
pub use tape::{Grads, Sink, Tape, Var, record};
pub use tensor::Tensor;
