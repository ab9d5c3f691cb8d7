//! Cross-Diffusion Attention and the MutualFormer block.
