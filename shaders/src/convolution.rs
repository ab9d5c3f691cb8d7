//! Convolutions: the versions of the kernels, and which convolution takes which.
//!
//! One group is a matrix product whose operands are looked up in the pictures: [`Conv::Tiled`], where the product has
//! rows and columns for a quarter of a tile along each side. A kernel of one pixel on every pixel is a product as it stands,
//! for `linear` (its gradient of the weights, a sum over pictures too, is not). A group for each input channel is [`Conv::Depthwise`]; what is left is computed by the definition.

use crate::gpu::{Dispatch, Gpu, int};
use crate::linear::{BUSY, PIECE};
use crate::memory::Block;
use crate::shader::{
    CONV2D, CONV2D_DEPTHWISE, CONV2D_DW, CONV2D_DW_DEPTHWISE, CONV2D_DW_TILED, CONV2D_DX,
    CONV2D_DX_DEPTHWISE, CONV2D_DX_TILED, CONV2D_TILED, Shader,
};
use autograd::device::{Conv2dGeometry, DeviceResult, Epilogue, MatMul, Reduce};

/// Rows and columns of the product that a workgroup of the tiled version computes.
const TILE: usize = 64;
/// Pixels that a workgroup of the depthwise version computes.
const PATCH: usize = 64;

/// A version of a convolution and of its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conv {
    /// One invocation an element: any convolution.
    Plain,
    /// A product in tiles: one group.
    Tiled,
    /// As many groups as input channels.
    Depthwise,
}

/// The version for a convolution that is a product of `rows × cols`.
fn version(g: &Conv2dGeometry, rows: usize, cols: usize) -> Conv {
    if g.groups == 1 && rows.min(cols) >= TILE / 4 {
        Conv::Tiled
    } else if g.groups == g.in_channels {
        Conv::Depthwise
    } else {
        Conv::Plain
    }
}

/// Tiles of a product.
fn tiles(rows: usize, cols: usize) -> usize {
    rows.div_ceil(TILE) * cols.div_ceil(TILE)
}

impl Gpu {
    pub(crate) fn conv2d(&self, g: &Conv2dGeometry, x: &Block, w: &Block) -> DeviceResult<Block> {
        if is_product(g) {
            // y [out, pixels] = W·x for every picture
            let (m, k) = (g.out_channels, g.in_channels);
            return self.matmul(picture_product(g, m, k, false), w, x, Epilogue::None);
        }
        self.conv2d_by(version(g, g.out_channels, pixels(g, g.output())), g, x, w)
    }

    pub(crate) fn conv2d_by(
        &self,
        version: Conv,
        g: &Conv2dGeometry,
        x: &Block,
        w: &Block,
    ) -> DeviceResult<Block> {
        let columns = pixels(g, g.output());
        let y = self.allocate(g.out_channels * columns)?;
        let (shader, groups) = match version {
            Conv::Plain => (&CONV2D, y.len().div_ceil(256)),
            Conv::Tiled => (&CONV2D_TILED, tiles(g.out_channels, columns)),
            Conv::Depthwise => (&CONV2D_DEPTHWISE, patches(g, g.out_channels, g.output())),
        };
        self.convolve(shader, groups, &y, [x, w], g, 0)?;
        Ok(y)
    }

    pub(crate) fn conv2d_dx(&self, g: &Conv2dGeometry, dy: &Block, w: &Block) -> DeviceResult<Block> {
        if is_product(g) {
            // dx [in, pixels] = Wᵀ·dy for every picture
            let (m, k) = (g.in_channels, g.out_channels);
            return self.matmul(picture_product(g, m, k, true), w, dy, Epilogue::None);
        }
        self.conv2d_dx_by(version(g, g.in_channels, pixels(g, g.input)), g, dy, w)
    }

    pub(crate) fn conv2d_dx_by(
        &self,
        version: Conv,
        g: &Conv2dGeometry,
        dy: &Block,
        w: &Block,
    ) -> DeviceResult<Block> {
        let columns = pixels(g, g.input);
        let dx = self.allocate(g.in_channels * columns)?;
        let (shader, groups) = match version {
            Conv::Plain => (&CONV2D_DX, dx.len().div_ceil(256)),
            Conv::Tiled => (&CONV2D_DX_TILED, tiles(g.in_channels, columns)),
            Conv::Depthwise => (&CONV2D_DX_DEPTHWISE, patches(g, g.in_channels, g.input)),
        };
        self.convolve(shader, groups, &dx, [dy, w], g, 0)?;
        Ok(dx)
    }

    pub(crate) fn conv2d_dw(&self, g: &Conv2dGeometry, x: &Block, dy: &Block) -> DeviceResult<Block> {
        self.conv2d_dw_by(version(g, g.out_channels, taps(g)), g, x, dy)
    }

    pub(crate) fn conv2d_dw_by(
        &self,
        version: Conv,
        g: &Conv2dGeometry,
        x: &Block,
        dy: &Block,
    ) -> DeviceResult<Block> {
        let weights = g.out_channels * taps(g);
        let (shader, groups) = match version {
            Conv::Plain => {
                let dw = self.allocate(weights)?;
                self.convolve(&CONV2D_DW, weights, &dw, [x, dy], g, 0)?;
                return Ok(dw);
            }
            Conv::Tiled => (&CONV2D_DW_TILED, tiles(g.out_channels, taps(g))),
            Conv::Depthwise => (&CONV2D_DW_DEPTHWISE, g.out_channels * g.kernel[0] * g.kernel[1].div_ceil(4)),
        };
        // Few weights and long sums: cut into pieces, and added in a fixed order, so that bits repeat.
        let terms = pixels(g, g.output());
        let pieces = (terms / PIECE).min(BUSY.div_ceil(groups)).max(1);
        let piece = terms.div_ceil(pieces).max(1);
        let pieces = terms.div_ceil(piece);
        let parts = self.allocate(pieces * weights)?;
        self.convolve(shader, pieces * groups, &parts, [x, dy], g, piece)?;
        if pieces == 1 { Ok(parts) } else { self.reduce(Reduce::Sum, &parts, (1, pieces, weights)) }
    }

    fn convolve(
        &self,
        shader: &Shader,
        groups: usize,
        output: &Block,
        inputs: [&Block; 2],
        g: &Conv2dGeometry,
        piece: usize,
    ) -> Result<(), String> {
        let (outputs, inputs, params) = (&[output], &inputs, &sizes(g, piece));
        self.dispatch(Dispatch { shader, values: &[], outputs, inputs, params, groups })
    }
}

/// Pixels of all pictures of one channel.
fn pixels(g: &Conv2dGeometry, [h, w]: [usize; 2]) -> usize {
    g.batch * h * w
}

/// Weights of one output channel.
fn taps(g: &Conv2dGeometry) -> usize {
    g.in_channels / g.groups * g.kernel[0] * g.kernel[1]
}

/// Workgroups of the depthwise version.
fn patches(g: &Conv2dGeometry, channels: usize, [h, w]: [usize; 2]) -> usize {
    g.batch * channels * (h * w).div_ceil(PATCH)
}

/// Whether the convolution is a matrix product of the weights and each picture.
fn is_product(g: &Conv2dGeometry) -> bool {
    g.groups == 1 && g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0]
}

/// Weights, the same for all, times the pixels of each picture, `[k, pixels]`.
fn picture_product(g: &Conv2dGeometry, m: usize, k: usize, trans_a: bool) -> MatMul {
    MatMul {
        batch: g.batch,
        m,
        k,
        n: g.input[0] * g.input[1],
        a_batched: false,
        b_batched: true,
        trans_a,
        trans_b: false,
        alpha: 1.0,
    }
}

/// The `Params` of `geometry.wgsl`.
fn sizes(g: &Conv2dGeometry, piece: usize) -> [u32; 17] {
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output());
    let ([stride_y, stride_x], [pad_y, pad_x], [dilation_y, dilation_x]) = (g.stride, g.padding, g.dilation);
    let [batch, ins, outs, groups] = [g.batch, g.in_channels, g.out_channels, g.groups];
    [
        batch, ins, outs, groups, h, w, kh, kw, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x, oh,
        ow, piece,
    ]
    .map(int)
}
