//! Attention without matrices: softmax rows are computed tile by tile in shared memory, in the forward pass and again
//! in the backward pass. Memory O((N + M)·(d + e)) for a head, whatever N·M is.

use crate::gpu::{Dispatch, Gpu, float, int};
use crate::memory::Block;
use crate::shader::{ATTENTION, ATTENTION_APPLY, ATTENTION_SIMPLE};
use autograd::device::{AttentionSizes, Binary, DeviceResult, Reduce};

/// Rows and channels of a result that a workgroup computes.
const TILE: usize = 64;

/// P = softmax(scale·Q·Kᵀ) `[heads, N, M]`, as something that can be applied: Q `[heads, N, d]`, K `[heads, M, d]` and its
/// rows' statistics `[heads, N, 2]`.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    pub heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub dim: usize,
    pub scale: f64,
    pub q: &'a Block,
    pub k: &'a Block,
    pub stats: &'a Block,
}

/// The gradient of P's scores, dS = P∘(A·Bᵀ − D), by its factors: A `[heads, N, depth]`, B `[heads, M, depth]` and the row
/// sums D `[heads, N]` of P∘(A·Bᵀ).
#[derive(Clone, Copy)]
pub(crate) struct ScoreGradient<'a> {
    pub a: &'a Block,
    pub b: &'a Block,
    pub depth: usize,
    pub dots: &'a Block,
}

impl Gpu {
    /// (y, statistics); see [`autograd::device::Device::attention`].
    pub(crate) fn attention(
        &self,
        z: AttentionSizes,
        q: &Block,
        k: &Block,
        x: &Block,
    ) -> DeviceResult<(Block, Block)> {
        if z.transposed {
            // Every row of Pᵀ needs the statistics of all queries, so these come first.
            let stats = self.attention_statistics(z, q, k)?;
            let y = self.apply(&map(z, q, k, &stats), true, None, x, z.value_dim)?;
            return Ok((y, stats));
        }
        // A tile whose rows are less than a quarter full wastes more than the fetches it saves.
        self.attention_by(z.queries >= TILE / 4, z, q, k, x)
    }

    /// P·x and the statistics, by the tiled shader or the simple one.
    pub(crate) fn attention_by(
        &self,
        tiled: bool,
        z: AttentionSizes,
        q: &Block,
        k: &Block,
        x: &Block,
    ) -> DeviceResult<(Block, Block)> {
        let y = self.allocate(z.heads * z.queries * z.value_dim)?;
        let stats = self.allocate(z.heads * z.queries * 2)?;
        let (outputs, inputs, params) = (&[&y, &stats], &[q, k, x], &params(z));
        let (shader, values, groups): (_, &[u32], _) = if tiled {
            (&ATTENTION, &[1], z.heads * z.queries.div_ceil(TILE) * z.value_dim.div_ceil(TILE))
        } else {
            (&ATTENTION_SIMPLE, &[], (z.heads * z.queries).div_ceil(256))
        };
        self.dispatch(Dispatch { shader, values, outputs, inputs, params, groups })?;
        Ok((y, stats))
    }

    fn attention_statistics(&self, z: AttentionSizes, q: &Block, k: &Block) -> DeviceResult<Block> {
        let (stats, nothing) = (self.allocate(z.heads * z.queries * 2)?, self.allocate(0)?);
        self.dispatch(Dispatch {
            shader: &ATTENTION,
            values: &[0],
            outputs: &[&nothing, &stats],
            inputs: &[q, k, q],
            params: &params(z),
            groups: z.heads * z.queries.div_ceil(TILE),
        })?;
        Ok(stats)
    }

    /// W·x for W = P, or scale·dS if there is a gradient, or the transpose of either. x has a row of `channels` for each
    /// key, transposed for each query; the result the other way round.
    pub(crate) fn apply(
        &self,
        map: &Map,
        transposed: bool,
        gradient: Option<ScoreGradient>,
        x: &Block,
        channels: usize,
    ) -> DeviceResult<Block> {
        let Map { heads, dim, q, k, stats, .. } = *map;
        let without = ScoreGradient { a: q, b: k, depth: dim, dots: stats }; // not read
        let ScoreGradient { a, b, depth, dots } = gradient.unwrap_or(without);
        let (rows, cols, left, right, a, b) = if transposed {
            (map.keys, map.queries, k, q, b, a)
        } else {
            (map.queries, map.keys, q, k, a, b)
        };
        let y = self.allocate(heads * rows * channels)?;
        let sizes = [heads, rows, cols, dim, depth, channels].map(int);
        self.dispatch(Dispatch {
            shader: &ATTENTION_APPLY,
            values: &[u32::from(transposed), u32::from(gradient.is_some())],
            outputs: &[&y],
            inputs: &[left, right, stats, x, a, b, dots],
            params: &[sizes.as_slice(), &[float(map.scale)]].concat(),
            groups: heads * rows.div_ceil(TILE) * channels.div_ceil(TILE),
        })?;
        Ok(y)
    }

    /// Σ over channels of a∘b, a number for each row of `channels`.
    pub(crate) fn row_dots(&self, a: &Block, b: &Block, channels: usize) -> DeviceResult<Block> {
        let product = self.binary(Binary::Mul, &[a.len()], (a, &[1]), (b, &[1]))?;
        self.reduce(Reduce::Sum, &product, (a.len() / channels, channels, 1))
    }

    /// (dq, dk, dx); see [`autograd::device::Device::attention_backward`].
    ///
    /// With y = P·x the gradient of P is dP = dy·xᵀ, with y = Pᵀ·x it is x·dyᵀ: A·Bᵀ, A with a row for each query. The row
    /// sums of P∘dP need no matrix either, for Σ_j P_ij·(a_i·b_j) = a_i·(P·B)_i, and P·B is y, or dx when transposed.
    pub(crate) fn attention_backward(
        &self,
        z: AttentionSizes,
        [q, k, x]: [&Block; 3],
        y: &Block,
        stats: &Block,
        dy: &Block,
    ) -> DeviceResult<[Block; 3]> {
        let map = map(z, q, k, stats);
        let dx = self.apply(&map, !z.transposed, None, dy, z.value_dim)?;
        let (a, b, applied) = if z.transposed { (x, dy, &dx) } else { (dy, x, y) };
        let dots = self.row_dots(a, applied, z.value_dim)?;
        let gradient = Some(ScoreGradient { a, b, depth: z.value_dim, dots: &dots });
        let dq = self.apply(&map, false, gradient, k, z.dim)?;
        let dk = self.apply(&map, true, gradient, q, z.dim)?;
        Ok([dq, dk, dx])
    }
}

fn map<'a>(z: AttentionSizes, q: &'a Block, k: &'a Block, stats: &'a Block) -> Map<'a> {
    let AttentionSizes { heads, queries, keys, dim, scale, .. } = z;
    Map { heads, queries, keys, dim, scale, q, k, stats }
}

/// The `Params` of the forward shaders.
fn params(z: AttentionSizes) -> [u32; 6] {
    let [heads, queries, keys, dim, channels] = [z.heads, z.queries, z.keys, z.dim, z.value_dim].map(int);
    [heads, queries, keys, dim, channels, float(z.scale)]
}
