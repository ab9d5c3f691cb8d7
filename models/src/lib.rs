//! Networks built from the MutualFormer block.
