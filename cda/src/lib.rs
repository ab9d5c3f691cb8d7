//! Cross-Diffusion Attention and the MutualFormer block, in the paper's symbols.
//!
//! Cross-attention compares features of two modalities, Q_r·K_dᵀ, although the two live in different spaces: nothing
//! makes a colour feature and a depth feature comparable. Cross-Diffusion Attention does not do that. Each modality
//! compares its own tokens with each other, which gives two *affinities* P_r and P_d. Token i is the same place of the
//! picture in both, so the affinities do live in one space, and CDA diffuses each through the other.
//!
//! Read in this order: [`diffusion`] (the equations, with N×N matrices), [`fixed_point`] (infinitely many steps and
//! their implicit gradient), [`matrix_free`] (the same without matrices) and [`mod@path`] (which of the two runs),
//! [`fusion`] (CDA, cross-attention and others behind one interface), [`attention`] and [`block`] (the released module).
//! Where the released code and the paper differ there is a switch: in [`config`] for the diffusion, in [`BlockConfig`] for
//! the block around it.
//!
//! Three functions are called `cross_diffusion_attention`: the one in [`diffusion`] is how it is defined, the one in
//! [`matrix_free`] is how it is computed for any configuration, and [`autograd::ops::cross_diffusion_attention`] is the
//! kernel that the latter takes for the released one.
//!
//! The whole crate in one example: the released attention, with its matrices and without, gives the same.
//!
//! ```
//! use autograd::random::{Key, site};
//! use autograd::{Tensor, Var};
//! use cda::{CdaConfig, Qkv, cross_diffusion_attention, matrix_free};
//!
//! // Two modalities of one picture: one head, six tokens, four channels, [B, H, N, d] = [1, 1, 6, 4].
//! let draw = |name| Var::constant(Tensor::<f64>::randn(&[1, 1, 6, 4], Key::default(), site(name)));
//! let rgb = Qkv { q: draw("q_r"), k: draw("k_r"), v: draw("v_r") };
//! let depth = Qkv { q: draw("q_d"), k: draw("k_d"), v: draw("v_d") };
//!
//! let config = CdaConfig::default(); // as released: one step, α = 0.6
//! let plain = cross_diffusion_attention(&rgb, &depth, &config, Var::clone); // forms X_rd [1, 1, 6, 6]
//! let fast = matrix_free::cross_diffusion_attention(&rgb, &depth, &config);
//! let pairs = plain.u_rd.value().as_slice().iter().zip(fast.u_rd.value().as_slice());
//! assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));
//! ```

pub mod attention;
pub mod block;
pub mod config;
pub mod diffusion;
pub mod fixed_point;
pub mod fusion;
pub mod matrix_free;
pub mod path;

pub use attention::{AttentionConfig, CrossBranch, MultiAttention};
pub use block::{BlockConfig, MutualFormerBlock, pair_tokens};
pub use config::{Affinity, CdaConfig, ConfigError, Norm, Preset, Start, Steps};
pub use diffusion::{
    CrossAffinity, Mixed, Qkv, affinity, cross_attention_map, cross_diffusion, cross_diffusion_attention,
    diffusion_matrix,
};
pub use fusion::{Fusion, FusionKind};
pub use path::Path;
