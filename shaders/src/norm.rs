//! Softmax and normalisations.

use crate::gpu::{Dispatch, Gpu, float, int};
use crate::memory::Block;
use crate::shader::{
    CHANNEL_MOMENTS, NORMALIZE_CHANNELS, NORMALIZE_CHANNELS_BACKWARD, NORMALIZE_CHANNELS_WEIGHTS,
    NORMALIZE_ROWS, NORMALIZE_ROWS_BACKWARD, NORMALIZE_ROWS_WEIGHTS, RowShader, SOFTMAX, SOFTMAX_BACKWARD,
    Values,
};
use autograd::device::{ChannelNorm, DeviceResult, Reduce};

/// A row is left to one subgroup if that gives each of its invocations so many elements at most.
const SHORT: usize = 32;

/// Invocations of a workgroup of those shaders.
const ROW_GROUP: usize = 128;

/// Rows whose part of dw one invocation adds up.
const ROWS_PER_CHUNK: usize = 64;

/// A run of a shader over `rows` rows of `n` elements.
struct Rows<'a> {
    shader: &'a RowShader,
    values: Values<'a>,
    outputs: &'a [&'a Block],
    inputs: &'a [&'a Block],
    params: &'a [u32],
    rows: usize,
    n: usize,
}

impl Gpu {
    /// Short rows by subgroups, where the device has them; others by workgroups.
    fn dispatch_rows(&self, run: Rows) -> Result<(), String> {
        let Rows { shader, values, outputs, inputs, params, rows, n } = run;
        let lanes = self.adapter.subgroup_size.filter(|_| self.adapter.subgroup_sums).unwrap_or(0) as usize;
        let (shader, groups) = if lanes > 0 && n <= SHORT * lanes {
            (&shader.by_subgroup, (rows * lanes).div_ceil(ROW_GROUP))
        } else {
            (&shader.by_group, rows)
        };
        self.dispatch(Dispatch { shader, values, outputs, inputs, params, groups })
    }

    pub(crate) fn softmax(&self, x: &Block, rows: usize, n: usize, log: bool) -> DeviceResult<Block> {
        let y = self.allocate(rows * n)?;
        let (shader, values, outputs, inputs) = (&SOFTMAX, &[u32::from(log)], &[&y], &[x]);
        let rows = if n == 0 { 0 } else { rows }; // an empty row has no largest element to begin with
        let params = &[rows, n].map(int);
        self.dispatch_rows(Rows { shader, values, outputs, inputs, params, rows, n })?;
        Ok(y)
    }

    pub(crate) fn softmax_backward(
        &self,
        y: &Block,
        dy: &Block,
        rows: usize,
        n: usize,
        log: bool,
    ) -> DeviceResult<Block> {
        let dx = self.allocate(rows * n)?;
        let (shader, values, outputs, inputs) = (&SOFTMAX_BACKWARD, &[u32::from(log)], &[&dx], &[y, dy]);
        let params = &[rows, n].map(int);
        self.dispatch_rows(Rows { shader, values, outputs, inputs, params, rows, n })?;
        Ok(dx)
    }

    pub(crate) fn normalize_rows(
        &self,
        x: &Block,
        rows: usize,
        n: usize,
        eps: f64,
        affine: Option<(&Block, &Block)>,
    ) -> DeviceResult<(Block, Block, Block)> {
        let (y, mean, rstd) = (self.allocate(rows * n)?, self.allocate(rows)?, self.allocate(rows)?);
        let (w, b) = affine.unwrap_or((x, x));
        self.dispatch_rows(Rows {
            shader: &NORMALIZE_ROWS,
            values: &[u32::from(affine.is_some())],
            outputs: &[&y, &mean, &rstd],
            inputs: &[x, w, b],
            params: &[int(rows), int(n), float(eps)],
            rows,
            n,
        })?;
        Ok((y, mean, rstd))
    }

    pub(crate) fn normalize_rows_backward(
        &self,
        x: &Block,
        (mean, rstd): (&Block, &Block),
        w: Option<&Block>,
        dy: &Block,
        n: usize,
    ) -> DeviceResult<(Block, Option<(Block, Block)>)> {
        let (rows, dx) = (mean.len(), self.allocate(x.len())?);
        self.dispatch_rows(Rows {
            shader: &NORMALIZE_ROWS_BACKWARD,
            values: &[u32::from(w.is_some())],
            outputs: &[&dx],
            inputs: &[x, mean, rstd, dy, w.unwrap_or(x)],
            params: &[rows, n].map(int),
            rows,
            n,
        })?;
        if w.is_none() {
            return Ok((dx, None));
        }
        let chunks = rows.div_ceil(ROWS_PER_CHUNK).max(1);
        let (dw, db) = (self.allocate(chunks * n)?, self.allocate(chunks * n)?);
        let params = [rows, n, chunks].map(int);
        self.map(&NORMALIZE_ROWS_WEIGHTS, &[], &[&dw, &db], &[x, mean, rstd, dy], &params)?;
        let total = |parts: Block| self.reduce(Reduce::Sum, &parts, (1, chunks, n));
        Ok((dx, Some((total(dw)?, total(db)?))))
    }

    pub(crate) fn channel_moments(
        &self,
        x: &Block,
        (batch, channels, inner): (usize, usize, usize),
    ) -> DeviceResult<(Block, Block)> {
        let (mean, var) = (self.allocate(channels)?, self.allocate(channels)?);
        let (shader, outputs, inputs) = (&CHANNEL_MOMENTS, &[&mean, &var], &[x]);
        let (params, groups) = (&[batch, channels, inner].map(int), channels);
        self.dispatch(Dispatch { shader, values: &[], outputs, inputs, params, groups })?;
        Ok((mean, var))
    }

    pub(crate) fn normalize_channels(
        &self,
        g: ChannelNorm,
        x: &Block,
        (mean, var): (&Block, &Block),
        (w, b): (&Block, &Block),
    ) -> DeviceResult<Block> {
        let y = self.allocate(x.len())?;
        let params = [int(x.len()), int(g.size.1), int(g.size.2), float(g.eps)];
        let inputs = [x, mean, var, w, b];
        self.map(&NORMALIZE_CHANNELS, &[u32::from(g.relu)], &[&y], &inputs, &params)?;
        Ok(y)
    }

    pub(crate) fn normalize_channels_backward(
        &self,
        g: ChannelNorm,
        x: &Block,
        (mean, var): (&Block, &Block),
        w: &Block,
        y: Option<&Block>,
        dy: &Block,
    ) -> DeviceResult<(Block, Block, Block)> {
        let (batch, channels, inner) = g.size;
        let (dx, dw, db) = (self.allocate(x.len())?, self.allocate(channels)?, self.allocate(channels)?);
        let y = y.unwrap_or(x); // without a ReLU it is not read
        let relu = u32::from(g.relu);
        self.dispatch(Dispatch {
            shader: &NORMALIZE_CHANNELS_WEIGHTS,
            values: &[relu],
            outputs: &[&dw, &db],
            inputs: &[x, mean, var, y, dy],
            params: &[int(batch), int(channels), int(inner), float(g.eps)],
            groups: channels,
        })?;
        let values = [relu, u32::from(g.own_statistics)];
        let inputs = [x, mean, var, w, y, dy, &dw, &db];
        let params = [int(x.len()), int(batch), int(channels), int(inner), float(g.eps)];
        self.map(&NORMALIZE_CHANNELS_BACKWARD, &values, &[&dx], &inputs, &params)?;
        Ok((dx, dw, db))
    }
}
