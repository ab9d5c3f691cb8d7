//! The trait, primitive by primitive: each is one call of the file that computes it.

use crate::adapter::{Adapter, OpenError};
use crate::gpu::{Gpu, Statistics, block};
use crate::memory::Block;
use autograd::device::{
    AdamStep, AttentionSizes, Binary, Buffer, CdaSizes, ChannelNorm, Conv2dGeometry, Device, DeviceResult,
    Epilogue, MatMul, PoolGeometry, Reduce, ResizeGeometry, SgdStep, Unary, View,
};
use autograd::random::Key;
use std::sync::Arc;

/// A Vulkan device as the engine takes it: `DeviceHandle::new(VulkanDevice::open(0)?)`. Clones share the device, its
/// memory and its work.
#[derive(Clone)]
pub struct VulkanDevice {
    pub(crate) gpu: Arc<Gpu>,
}

impl VulkanDevice {
    /// Opens device number `index` of [`adapters`](crate::adapters).
    ///
    /// # Errors
    /// No loader, no device of that number, or a device that lacks what the shaders need; the message says what to do.
    pub fn open(index: usize) -> Result<VulkanDevice, OpenError> {
        Ok(VulkanDevice { gpu: Arc::new(Gpu::open(index, false)?) })
    }

    /// As [`VulkanDevice::open`], for tests of the shaders: every buffer is filled with a NaN before it is written and
    /// has some spare words behind it; after each dispatch an element that nobody wrote, or a spare word that somebody
    /// did, is an error. Waits for the device after every dispatch.
    pub fn open_guarded(index: usize) -> Result<VulkanDevice, OpenError> {
        Ok(VulkanDevice { gpu: Arc::new(Gpu::open(index, true)?) })
    }

    /// Which device this is and what it can do.
    pub fn adapter(&self) -> &Adapter {
        &self.gpu.adapter
    }

    /// Runs `f` and waits for the device; the result of `f` and the milliseconds the device worked on what `f` gave it,
    /// by its own time stamps (`None` if it has none). An error if the device stops working.
    pub fn timed<R>(&self, f: impl FnOnce() -> R) -> Result<(R, Option<f64>), String> {
        self.gpu.timed(f)
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        self.gpu.statistics()
    }
}

fn buffer(block: Block) -> Buffer {
    Arc::new(block)
}

fn one(result: DeviceResult<Block>) -> DeviceResult {
    result.map(buffer)
}

impl Device for VulkanDevice {
    fn name(&self) -> String {
        format!("vulkan:{} ({})", self.gpu.adapter.index, self.gpu.adapter.name)
    }

    fn upload(&self, values: &[f32]) -> DeviceResult {
        one(self.gpu.upload(bytemuck::cast_slice(values)))
    }

    fn download(&self, x: &Buffer) -> DeviceResult<Vec<f32>> {
        let words = self.gpu.download(block(x))?;
        Ok(words.into_iter().map(f32::from_bits).collect())
    }

    fn sync(&self) -> DeviceResult<()> {
        self.gpu.wait()
    }

    fn fill(&self, len: usize, value: f64) -> DeviceResult {
        let y = self.gpu.allocate(len)?;
        self.gpu.fill(&y, value)?;
        Ok(buffer(y))
    }

    fn strided_copy(
        &self,
        shape: &[usize],
        src: &Buffer,
        from: &View,
        dst: Option<&Buffer>,
        dst_len: usize,
        to: &View,
        accumulate: bool,
    ) -> DeviceResult {
        let dst = (dst.map(block), dst_len);
        one(self.gpu.strided_copy(shape, (block(src), from), dst, to, accumulate))
    }

    fn dropout_mask(&self, len: usize, key: Key, site: u64, keep: f64) -> DeviceResult {
        one(self.gpu.dropout_mask(len, key, site, keep))
    }

    fn unary(&self, kind: Unary, x: &Buffer) -> DeviceResult {
        one(self.gpu.unary(kind, block(x)))
    }

    fn unary_backward(&self, kind: Unary, saved: Option<&Buffer>, dy: &Buffer) -> DeviceResult {
        one(self.gpu.unary_backward(kind, saved.map(block), block(dy)))
    }

    fn binary(
        &self,
        kind: Binary,
        shape: &[usize],
        a: (&Buffer, &[isize]),
        b: (&Buffer, &[isize]),
    ) -> DeviceResult {
        one(self.gpu.binary(kind, shape, (block(a.0), a.1), (block(b.0), b.1)))
    }

    fn select(&self, condition: &[bool], a: &Buffer, b: &Buffer) -> DeviceResult {
        one(self.gpu.select(condition, block(a), block(b)))
    }

    fn reduce(&self, kind: Reduce, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult {
        one(self.gpu.reduce(kind, block(x), size))
    }

    fn matmul(&self, p: MatMul, a: &Buffer, b: &Buffer, epilogue: Epilogue<&Buffer>) -> DeviceResult {
        one(self.gpu.matmul(p, block(a), block(b), epilogue.map(block)))
    }

    fn matmul_gelu(
        &self,
        p: MatMul,
        a: &Buffer,
        b: &Buffer,
        bias: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer)> {
        let (y, h) = self.gpu.matmul_gelu(p, block(a), block(b), block(bias))?;
        Ok((buffer(y), buffer(h)))
    }

    fn softmax(&self, x: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult {
        one(self.gpu.softmax(block(x), rows, n, log))
    }

    fn softmax_backward(&self, y: &Buffer, dy: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult {
        one(self.gpu.softmax_backward(block(y), block(dy), rows, n, log))
    }

    fn attention(
        &self,
        z: AttentionSizes,
        q: &Buffer,
        k: &Buffer,
        x: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer)> {
        let (y, stats) = self.gpu.attention(z, block(q), block(k), block(x))?;
        Ok((buffer(y), buffer(stats)))
    }

    fn attention_backward(
        &self,
        z: AttentionSizes,
        inputs: [&Buffer; 3],
        y: &Buffer,
        stats: &Buffer,
        dy: &Buffer,
    ) -> DeviceResult<[Buffer; 3]> {
        let (y, stats, dy) = (block(y), block(stats), block(dy));
        Ok(self.gpu.attention_backward(z, inputs.map(block), y, stats, dy)?.map(buffer))
    }

    fn cda(&self, z: CdaSizes, r: [&Buffer; 3], d: [&Buffer; 3]) -> DeviceResult<([Buffer; 4], [Buffer; 2])> {
        let (results, stats) = self.gpu.cda(z, r.map(block), d.map(block))?;
        Ok((results.map(buffer), stats.map(buffer)))
    }

    fn cda_backward(
        &self,
        z: CdaSizes,
        inputs: [[&Buffer; 3]; 2],
        o: [&Buffer; 2],
        stats: [&Buffer; 2],
        dy: [&Buffer; 4],
    ) -> DeviceResult<[[Buffer; 3]; 2]> {
        let inputs = inputs.map(|qkv| qkv.map(block));
        let gradients = self.gpu.cda_backward(z, inputs, o.map(block), stats.map(block), dy.map(block))?;
        Ok(gradients.map(|of_modality| of_modality.map(buffer)))
    }

    fn normalize_rows(
        &self,
        x: &Buffer,
        rows: usize,
        n: usize,
        eps: f64,
        affine: Option<(&Buffer, &Buffer)>,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)> {
        let affine = affine.map(|(w, b)| (block(w), block(b)));
        let (y, mean, rstd) = self.gpu.normalize_rows(block(x), rows, n, eps, affine)?;
        Ok((buffer(y), buffer(mean), buffer(rstd)))
    }

    fn normalize_rows_backward(
        &self,
        x: &Buffer,
        mean: &Buffer,
        rstd: &Buffer,
        w: Option<&Buffer>,
        dy: &Buffer,
        n: usize,
    ) -> DeviceResult<(Buffer, Option<(Buffer, Buffer)>)> {
        let statistics = (block(mean), block(rstd));
        let (dx, weights) =
            self.gpu.normalize_rows_backward(block(x), statistics, w.map(block), block(dy), n)?;
        Ok((buffer(dx), weights.map(|(dw, db)| (buffer(dw), buffer(db)))))
    }

    fn channel_moments(&self, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult<(Buffer, Buffer)> {
        let (mean, var) = self.gpu.channel_moments(block(x), size)?;
        Ok((buffer(mean), buffer(var)))
    }

    fn normalize_channels(
        &self,
        g: ChannelNorm,
        x: &Buffer,
        mean: &Buffer,
        var: &Buffer,
        w: &Buffer,
        b: &Buffer,
    ) -> DeviceResult {
        one(self.gpu.normalize_channels(g, block(x), (block(mean), block(var)), (block(w), block(b))))
    }

    fn normalize_channels_backward(
        &self,
        g: ChannelNorm,
        x: &Buffer,
        mean: &Buffer,
        var: &Buffer,
        w: &Buffer,
        y: Option<&Buffer>,
        dy: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)> {
        let statistics = (block(mean), block(var));
        let (dx, dw, db) = self.gpu.normalize_channels_backward(
            g,
            block(x),
            statistics,
            block(w),
            y.map(block),
            block(dy),
        )?;
        Ok((buffer(dx), buffer(dw), buffer(db)))
    }

    fn conv2d(&self, g: &Conv2dGeometry, x: &Buffer, w: &Buffer) -> DeviceResult {
        one(self.gpu.conv2d(g, block(x), block(w)))
    }

    fn conv2d_dx(&self, g: &Conv2dGeometry, dy: &Buffer, w: &Buffer) -> DeviceResult {
        one(self.gpu.conv2d_dx(g, block(dy), block(w)))
    }

    fn conv2d_dw(&self, g: &Conv2dGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult {
        one(self.gpu.conv2d_dw(g, block(x), block(dy)))
    }

    fn pool2d(&self, g: &PoolGeometry, x: &Buffer) -> DeviceResult {
        one(self.gpu.pool2d(g, block(x)))
    }

    fn pool2d_backward(&self, g: &PoolGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult {
        one(self.gpu.pool2d_backward(g, block(x), block(dy)))
    }

    fn resize2d(&self, g: &ResizeGeometry, x: &Buffer) -> DeviceResult {
        one(self.gpu.resize2d(g, block(x)))
    }

    fn resize2d_backward(&self, g: &ResizeGeometry, dy: &Buffer) -> DeviceResult {
        one(self.gpu.resize2d_backward(g, block(dy)))
    }

    fn gather(&self, x: &Buffer, rows: &[usize], inner: usize) -> DeviceResult {
        one(self.gpu.gather(block(x), rows, inner))
    }

    fn scatter_add(&self, dy: &Buffer, rows: &[usize], inner: usize, total: usize) -> DeviceResult {
        one(self.gpu.scatter_add(block(dy), rows, inner, total))
    }

    fn sgd_step(
        &self,
        h: SgdStep,
        w: &Buffer,
        dw: &Buffer,
        m: Option<&Buffer>,
    ) -> DeviceResult<(Buffer, Option<Buffer>)> {
        let (w, m) = self.gpu.sgd_step(h, block(w), block(dw), m.map(block))?;
        Ok((buffer(w), (h.momentum != 0.0).then(|| buffer(m))))
    }

    fn adam_step(
        &self,
        h: AdamStep,
        w: &Buffer,
        dw: &Buffer,
        m: &Buffer,
        v: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)> {
        let (w, m, v) = self.gpu.adam_step(h, block(w), block(dw), block(m), block(v))?;
        Ok((buffer(w), buffer(m), buffer(v)))
    }
}
