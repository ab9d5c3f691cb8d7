//! MutualFormer blocks one after the other.
//!
//! ```text
//! h1 = block1([x_r; x_d], x_rd)    h2 = block2([x_r; x_d], h1)    …
//! ```

use crate::layers::stage;
use autograd::{Ctx, Real, Scope, Var};
use cda::{BlockConfig, ConfigError, MutualFormerBlock};

/// The tokens that blocks get to see.
pub struct TokenLevel<T: Real = f32> {
    /// [x_r; x_d], `[B, N, 2C]`.
    pub x: Var<T>,
    /// Token grid: rows and columns, N = rows·cols.
    pub grid: [usize; 2],
}

/// Blocks that all read the same pair and pass the fused stream on.
#[derive(Clone, Debug)]
pub struct Blocks(Vec<MutualFormerBlock>);

impl Blocks {
    /// `count` blocks, at least one, named `0`, `1`, ….
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    #[track_caller]
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        count: usize,
        config: BlockConfig,
    ) -> Result<Blocks, ConfigError> {
        assert!(count > 0, "Blocks: at least one block is needed");
        let blocks = (0..count).map(|i| MutualFormerBlock::new(&mut scope.sub(i), config));
        Ok(Blocks(blocks.collect::<Result<_, _>>()?))
    }

    /// x = [x_r; x_d] `[B, N, 2C]` and x_rd as a map `[B, C, h, w]`, N = h·w, to tokens `[B, N, C]`.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, x_rd: &Var<T>, checkpointing: bool) -> Var<T> {
        let tokens = [x_rd.size(0), x_rd.size(1), x_rd.size(2) * x_rd.size(3)];
        let mut h = x_rd.with_shape(&tokens).transpose(1, 2); // [B, N, C]
        for block in &self.0 {
            let block = block.clone();
            h = stage(ctx, checkpointing, &[x, &h], move |ctx, inputs| {
                block.forward(ctx, &inputs[0], &inputs[1])
            });
        }
        h
    }

    /// The blocks in their order, at least one.
    pub fn all(&self) -> &[MutualFormerBlock] {
        &self.0
    }
}
