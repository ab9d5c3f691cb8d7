//! What must hold of Cross-Diffusion Attention whatever the numbers are: one file per identity, all in `f64` on small
//! random inputs.

mod cross_branch;
mod dropout;
mod errors;
mod fixed_point;
mod fusion;
mod golden;
mod helpers;
mod parameters;
mod row_sums;
mod switches;
mod symmetry;
