//! Reverse-mode automatic differentiation over `ndarray`, from scratch.
pub mod random;
