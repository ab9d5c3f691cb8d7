//! Matrix products and convolutions.

use crate::gpu::{Dispatch, Gpu, float, int};
use crate::memory::Block;
use crate::shader::{CONV2D, CONV2D_DW, CONV2D_DX, MATMUL_NAIVE, MATMUL_TILED};
use autograd::device::{Conv2dGeometry, DeviceResult, MatMul};

/// Rows and columns of C that a workgroup of the tiled product computes.
const TILE: usize = 64;

impl Gpu {
    pub(crate) fn matmul(
        &self,
        p: MatMul,
        a: &Block,
        b: &Block,
        bias: Option<&Block>,
    ) -> DeviceResult<Block> {
        // A tile that is mostly empty wastes more than the fetches it saves.
        let tiled = p.m.min(p.n) >= TILE / 4 && p.k >= 16 && p.m * p.n >= TILE * TILE;
        self.matmul_by(tiled, p, a, b, bias)
    }

    /// The product by the tiled shader or the naive one.
    pub(crate) fn matmul_by(
        &self,
        tiled: bool,
        p: MatMul,
        a: &Block,
        b: &Block,
        bias: Option<&Block>,
    ) -> DeviceResult<Block> {
        let c = self.allocate(p.batch * p.m * p.n)?;
        let stride = |batched: bool, len: usize| if batched { len } else { 0 };
        let [a_row, a_col] = if p.trans_a { [1, p.m] } else { [p.k, 1] };
        let [b_row, b_col] = if p.trans_b { [1, p.k] } else { [p.n, 1] };
        let (a_batch, b_batch) = (stride(p.a_batched, p.m * p.k), stride(p.b_batched, p.k * p.n));
        let sizes = [p.batch, p.m, p.k, p.n, a_batch, a_row, a_col, b_batch, b_row, b_col].map(int);
        let params = [sizes.as_slice(), &[float(p.alpha), u32::from(bias.is_some())]].concat();
        let inputs = [a, b, bias.unwrap_or(a)];
        if tiled {
            let groups = p.batch * p.m.div_ceil(TILE) * p.n.div_ceil(TILE);
            let (shader, outputs, params) = (&MATMUL_TILED, &[&c], &params);
            self.dispatch(Dispatch { shader, values: &[], outputs, inputs: &inputs, params, groups })?;
        } else {
            self.map(&MATMUL_NAIVE, &[], &[&c], &inputs, &params)?;
        }
        Ok(c)
    }

    pub(crate) fn conv2d(&self, g: &Conv2dGeometry, x: &Block, w: &Block) -> DeviceResult<Block> {
        let [oh, ow] = g.output();
        let y = self.allocate(g.batch * g.out_channels * oh * ow)?;
        self.map(&CONV2D, &[], &[&y], &[x, w], &sizes(g))?;
        Ok(y)
    }

    pub(crate) fn conv2d_dx(&self, g: &Conv2dGeometry, dy: &Block, w: &Block) -> DeviceResult<Block> {
        let dx = self.allocate(g.batch * g.in_channels * g.input[0] * g.input[1])?;
        self.map(&CONV2D_DX, &[], &[&dx], &[dy, w], &sizes(g))?;
        Ok(dx)
    }

    pub(crate) fn conv2d_dw(&self, g: &Conv2dGeometry, x: &Block, dy: &Block) -> DeviceResult<Block> {
        let dw = self.allocate(g.out_channels * g.in_channels / g.groups * g.kernel[0] * g.kernel[1])?;
        let (shader, outputs, inputs) = (&CONV2D_DW, &[&dw], &[x, dy]);
        let groups = dw.len(); // one a weight
        self.dispatch(Dispatch { shader, values: &[], outputs, inputs, params: &sizes(g), groups })?;
        Ok(dw)
    }
}

/// The `Params` of `geometry.wgsl`.
fn sizes(g: &Conv2dGeometry) -> [u32; 16] {
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output());
    let ([stride_y, stride_x], [pad_y, pad_x], [dilation_y, dilation_x]) = (g.stride, g.padding, g.dilation);
    let counts = [g.batch, g.in_channels, g.out_channels, g.groups];
    let pictures = [h, w, kh, kw, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x, oh, ow];
    let mut sizes = [0; 16];
    sizes.iter_mut().zip(counts.into_iter().chain(pictures)).for_each(|(size, value)| *size = int(value));
    sizes
}
