//! What turns gradients into better parameters: the optimiser, its learning-rate schedule, and averaged weights.

mod ema;
mod group;
mod optimizer;
mod schedule;

pub use ema::Ema;
pub use group::Group;
pub use optimizer::Optimizer;
pub use schedule::Schedule;
