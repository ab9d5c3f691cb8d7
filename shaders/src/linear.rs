//! Matrix products: the versions of the kernel, and which product takes which.
//!
//! | version | workgroup computes | for |
//! |---|---|---|
//! | [`Gemm::Naive`] | 256 elements | sides or sums shorter than 8 |
//! | [`Gemm::Tiled`] | 64 × 64 | rows of any length |
//! | [`Gemm::Vec4`] | 32 × 32, 64 × 64, 128 × 128 | matrices whose contiguous axes are multiples of four |
//!
//! Large tiles fetch less, small ones keep more of the device busy. So a product takes the largest tile of fours of which it
//! fills at least half along both sides, and of which there are [`BUSY`], pieces counted: a gradient of weights is a small
//! matrix of very long sums, which are cut into pieces, a product each, whose results are added in a fixed order
//! afterwards, so that bits repeat. If no tile is that busy, the smallest one has to do, or 64 × 64 value by value; but with
//! sums shorter than 8, or a side shorter than 8 (16 without fours), the naive version.

use crate::VulkanDevice;
use crate::gpu::{Dispatch, Gpu, block, float, int};
use crate::memory::Block;
use crate::shader::{MATMUL_NAIVE, MATMUL_TILED, MATMUL_VEC4, Shader};
use autograd::device::{Buffer, DeviceResult, Epilogue, MatMul, Reduce};
use std::fmt;
use std::sync::Arc;

/// Workgroups that keep a device busy: a large one has about a hundred processors, and each takes several.
pub(crate) const BUSY: usize = 256;

/// Terms of a piece of a long sum, at least.
pub(crate) const PIECE: usize = 256;

/// The most pieces of a sum: each costs a copy of C.
const MOST_PIECES: usize = 64;

/// A version of the matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gemm {
    /// One invocation an element.
    Naive,
    /// Tiles of 64 × 64, values fetched one by one.
    Tiled,
    /// Tiles of 32 × 32 (size 0), 64 × 64 (1) or 128 × 128 (2), values fetched by fours.
    Vec4 {
        /// 0, 1 or 2.
        size: u32,
    },
}

impl Gemm {
    /// From teaching to fast.
    pub const ALL: [Gemm; 5] =
        [Gemm::Naive, Gemm::Tiled, Gemm::Vec4 { size: 0 }, Gemm::Vec4 { size: 1 }, Gemm::Vec4 { size: 2 }];

    /// Whether this version computes such products: fours need contiguous axes that are multiples of four.
    pub fn takes(self, p: &MatMul) -> bool {
        let a_axis = if p.trans_a { p.m } else { p.k };
        let b_axis = if p.trans_b { p.k } else { p.n };
        !matches!(self, Gemm::Vec4 { .. }) || (a_axis.is_multiple_of(4) && b_axis.is_multiple_of(4))
    }

    /// Workgroups for one product.
    fn groups(self, m: usize, n: usize) -> usize {
        match self {
            Gemm::Naive => (m * n).div_ceil(256),
            _ => m.div_ceil(self.tile()) * n.div_ceil(self.tile()),
        }
    }

    /// Rows and columns of a tile; the naive version has none.
    fn tile(self) -> usize {
        match self {
            Gemm::Naive => 1,
            Gemm::Tiled => 64,
            Gemm::Vec4 { size } => 32 << size,
        }
    }

    /// Its shader and the one with GELU, and the constant both start with, if any.
    fn shaders(self) -> ([&'static Shader; 2], Vec<u32>) {
        match self {
            Gemm::Naive => (MATMUL_NAIVE.each_ref(), vec![]),
            Gemm::Tiled => (MATMUL_TILED.each_ref(), vec![]),
            Gemm::Vec4 { size } => (MATMUL_VEC4.each_ref(), vec![size]),
        }
    }
}

impl fmt::Display for Gemm {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Gemm::Naive => f.pad("naive"),
            Gemm::Tiled => f.pad("tiled 64"),
            Gemm::Vec4 { .. } => f.pad(&format!("vec4 {}", self.tile())),
        }
    }
}

/// The version of a product and the number of pieces of its sums, by the rule at the head of this file. Only a single
/// product without epilogue is cut.
pub(crate) fn plan(p: &MatMul, may_cut: bool) -> (Gemm, usize) {
    let most = if may_cut && p.batch == 1 { (p.k / PIECE).clamp(1, MOST_PIECES) } else { 1 };
    let groups = |version: Gemm| p.batch * version.groups(p.m, p.n);
    let (narrow, shallow) = (p.m.min(p.n), p.k < 8);
    let half_full = |version: &Gemm| narrow >= version.tile() / 2 && version.takes(p);
    let busy = |version: &Gemm| groups(*version) * most >= BUSY;
    let tiles = [Gemm::Vec4 { size: 2 }, Gemm::Vec4 { size: 1 }, Gemm::Vec4 { size: 0 }];
    let version = match tiles.into_iter().filter(half_full).find(busy) {
        Some(version) if !shallow => version,
        _ if shallow || narrow < 8 => Gemm::Naive,
        _ if Gemm::Vec4 { size: 0 }.takes(p) => Gemm::Vec4 { size: 0 },
        _ if narrow >= 16 => Gemm::Tiled,
        _ => Gemm::Naive,
    };
    (version, most.min(BUSY.div_ceil(groups(version).max(1))))
}

impl Gpu {
    pub(crate) fn matmul(
        &self,
        p: MatMul,
        a: &Block,
        b: &Block,
        epilogue: Epilogue<&Block>,
    ) -> DeviceResult<Block> {
        let (version, pieces) = plan(&p, matches!(epilogue, Epilogue::None));
        if pieces > 1 {
            return self.matmul_in_pieces(version, pieces, p, a, b);
        }
        self.matmul_by(version, p, a, b, epilogue)
    }

    /// The product by one version.
    pub(crate) fn matmul_by(
        &self,
        version: Gemm,
        p: MatMul,
        a: &Block,
        b: &Block,
        epilogue: Epilogue<&Block>,
    ) -> DeviceResult<Block> {
        let c = self.allocate(p.batch * p.m * p.n)?;
        let (code, added, beta) = match epilogue {
            Epilogue::None => (0, a, 0.0), // something has to be bound
            Epilogue::Bias(bias) => (1, bias, 0.0),
            Epilogue::Add(beta, d) => (2, d, beta),
        };
        let ([shader, _], constants) = version.shaders();
        let values = [constants, vec![code]].concat();
        let params = params(p, strides(&p), 0, beta);
        let groups = p.batch * version.groups(p.m, p.n);
        let (outputs, inputs) = (&[&c], &[a, b, added]);
        self.dispatch(Dispatch { shader, values: &values, outputs, inputs, params: &params, groups })?;
        Ok(c)
    }

    /// A single product whose sums over k are cut into pieces that are added afterwards.
    pub(crate) fn matmul_in_pieces(
        &self,
        version: Gemm,
        pieces: usize,
        p: MatMul,
        a: &Block,
        b: &Block,
    ) -> DeviceResult<Block> {
        let length = p.k.div_ceil(pieces).next_multiple_of(4); // so that fours stay whole
        let pieces = p.k.div_ceil(length);
        let parts = self.allocate(pieces * p.m * p.n)?;
        let mut strides = strides(&p);
        strides.a_batch = length * strides.a_col;
        strides.b_batch = length * strides.b_row;
        let params = params(MatMul { batch: pieces, k: length, ..p }, strides, p.k, 0.0);
        let ([shader, _], constants) = version.shaders();
        let values = [constants, vec![0]].concat();
        let groups = pieces * version.groups(p.m, p.n);
        let (outputs, inputs) = (&[&parts], &[a, b, a]);
        self.dispatch(Dispatch { shader, values: &values, outputs, inputs, params: &params, groups })?;
        self.reduce(Reduce::Sum, &parts, (1, pieces, p.m * p.n))
    }

    pub(crate) fn matmul_gelu(
        &self,
        p: MatMul,
        a: &Block,
        b: &Block,
        bias: &Block,
    ) -> DeviceResult<(Block, Block)> {
        self.matmul_gelu_by(plan(&p, false).0, p, a, b, bias)
    }

    /// The product, its bias and GELU by one version.
    pub(crate) fn matmul_gelu_by(
        &self,
        version: Gemm,
        p: MatMul,
        a: &Block,
        b: &Block,
        bias: &Block,
    ) -> DeviceResult<(Block, Block)> {
        let (y, h) = (self.allocate(p.batch * p.m * p.n)?, self.allocate(p.batch * p.m * p.n)?);
        let ([_, shader], values) = version.shaders();
        let params = params(p, strides(&p), 0, 0.0);
        let groups = p.batch * version.groups(p.m, p.n);
        let (outputs, inputs) = (&[&y, &h], &[a, b, bias]);
        self.dispatch(Dispatch { shader, values: &values, outputs, inputs, params: &params, groups })?;
        Ok((y, h))
    }
}

impl VulkanDevice {
    /// [`Device::matmul`](autograd::device::Device::matmul) by one version, for comparisons and measurements.
    ///
    /// # Errors
    /// Where [`Gemm::takes`] says no; buffers too small for the sizes; a failure of the device.
    pub fn matmul_by(
        &self,
        version: Gemm,
        p: MatMul,
        a: &Buffer,
        b: &Buffer,
        epilogue: Epilogue<&Buffer>,
    ) -> DeviceResult {
        if !version.takes(&p) {
            return Err(format!("{version} needs contiguous axes that are multiples of four: {p:?}"));
        }
        let epilogue = epilogue.map(block);
        let added = match epilogue {
            Epilogue::None => (0, 0),
            Epilogue::Bias(bias) => (bias.len(), p.n),
            Epilogue::Add(_, d) => (d.len(), p.batch * p.m * p.n),
        };
        let items = |batched: bool| if batched { p.batch } else { 1 };
        let a_size = (block(a).len(), items(p.a_batched) * p.m * p.k);
        let b_size = (block(b).len(), items(p.b_batched) * p.k * p.n);
        if let Some((has, needs)) = [a_size, b_size, added].into_iter().find(|(has, needs)| has < needs) {
            return Err(format!("a buffer of {has} elements where {p:?} needs {needs}"));
        }
        let c = self.gpu.matmul_by(version, p, block(a), block(b), epilogue)?;
        Ok(Arc::new(c))
    }
}

/// How the operands of a product are walked, in elements.
struct Strides {
    a_batch: usize,
    a_row: usize,
    a_col: usize,
    b_batch: usize,
    b_row: usize,
    b_col: usize,
}

fn strides(p: &MatMul) -> Strides {
    let [a_row, a_col] = if p.trans_a { [1, p.m] } else { [p.k, 1] };
    let [b_row, b_col] = if p.trans_b { [1, p.k] } else { [p.n, 1] };
    let a_batch = if p.a_batched { p.m * p.k } else { 0 };
    let b_batch = if p.b_batched { p.k * p.n } else { 0 };
    Strides { a_batch, a_row, a_col, b_batch, b_row, b_col }
}

/// The `Params` of `matmul_sizes.wgsl`; `whole` is the length of a sum in pieces, or 0.
fn params(p: MatMul, s: Strides, whole: usize, beta: f64) -> [u32; 13] {
    let Strides { a_batch, a_row, a_col, b_batch, b_row, b_col } = s;
    let [batch, m, k, n] = [p.batch, p.m, p.k, p.n].map(int);
    let [a_batch, a_row, a_col, b_batch, b_row, b_col, whole] =
        [a_batch, a_row, a_col, b_batch, b_row, b_col, whole].map(int);
    let (alpha, beta) = (float(p.alpha), float(beta));
    [batch, m, k, n, a_batch, a_row, a_col, b_batch, b_row, b_col, whole, alpha, beta]
}
