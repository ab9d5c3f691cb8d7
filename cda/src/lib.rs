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
