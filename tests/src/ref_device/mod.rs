//! A device that is only a test: buffers of host memory and, for every primitive, the most obvious loop there is.
//!
//! It proves that the ops can live on a device, and it is the referee between the fast kernels: sums run in `f64`, and
//! nothing is shared with the engine's own kernels. Its [`Probe`] tells what was called and makes calls fail on purpose.

mod attention;
mod elementwise;
mod linear;
mod norm;
mod optim;
mod picture;
mod probe;

pub use probe::Probe;

use autograd::device::{
    AdamStep, AttentionSizes, Binary, Buffer, CdaSizes, ChannelNorm, Conv2dGeometry, Device, DeviceResult,
    Epilogue, MatMul, PoolGeometry, Reduce, ResizeGeometry, SgdStep, Unary, View,
};
use autograd::random::Key;
use std::sync::Arc;

/// The reference device.
#[derive(Default)]
pub struct RefDevice {
    probe: Arc<Probe>,
}

impl RefDevice {
    /// A device with a fresh probe.
    pub fn new() -> RefDevice {
        RefDevice::default()
    }

    /// The probe, to be kept by whoever hands the device over.
    pub fn probe(&self) -> Arc<Probe> {
        self.probe.clone()
    }
}

/// A result's buffer: its values, rounded once.
fn stored(values: Vec<f64>) -> Buffer {
    Arc::new(values.into_iter().map(|x| x as f32).collect::<Vec<f32>>())
}

fn raw(buffer: &Buffer) -> &Vec<f32> {
    buffer.downcast_ref().expect("the buffer was made by a reference device")
}

/// The values of an operand.
fn read(buffer: &Buffer) -> Vec<f64> {
    raw(buffer).iter().map(|&x| f64::from(x)).collect()
}

/// The values of an operand that must have `len` of them.
fn sized(buffer: &Buffer, len: usize) -> Vec<f64> {
    assert_eq!(raw(buffer).len(), len, "an operand has the wrong number of elements");
    read(buffer)
}

/// The product of buffers that must have the sizes it says.
fn product(p: MatMul, a: &Buffer, b: &Buffer, epilogue: Epilogue<&Buffer>) -> Vec<f64> {
    let count = |batched: bool| if batched { p.batch } else { 1 };
    let (a, b) = (sized(a, count(p.a_batched) * p.m * p.k), sized(b, count(p.b_batched) * p.k * p.n));
    let added = if let Epilogue::Bias(_) = epilogue { p.n } else { p.batch * p.m * p.n };
    linear::matmul(p, &a, &b, epilogue.map(|operand| sized(operand, added)))
}

impl Device for RefDevice {
    fn name(&self) -> String {
        "reference device".to_owned()
    }

    fn upload(&self, values: &[f32]) -> DeviceResult {
        self.probe.enter("upload")?;
        Ok(Arc::new(values.to_vec()))
    }

    fn download(&self, buffer: &Buffer) -> DeviceResult<Vec<f32>> {
        self.probe.enter("download")?;
        Ok(raw(buffer).clone())
    }

    fn sync(&self) -> DeviceResult<()> {
        self.probe.enter("sync")
    }

    fn fill(&self, len: usize, value: f64) -> DeviceResult {
        self.probe.enter("fill")?;
        Ok(stored(vec![value; len]))
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
        self.probe.enter("strided_copy")?;
        let dst = dst.map_or_else(|| vec![0.0; dst_len], |dst| sized(dst, dst_len));
        Ok(stored(elementwise::strided_copy(shape, (&read(src), from), (dst, to), accumulate)))
    }

    fn dropout_mask(&self, len: usize, key: Key, site: u64, keep: f64) -> DeviceResult {
        self.probe.enter("dropout_mask")?;
        Ok(stored(elementwise::dropout_mask(len, key, site, keep)))
    }

    fn unary(&self, kind: Unary, x: &Buffer) -> DeviceResult {
        self.probe.enter("unary")?;
        Ok(stored(read(x).into_iter().map(|x| elementwise::unary(kind, x)).collect()))
    }

    fn unary_backward(&self, kind: Unary, saved: Option<&Buffer>, dy: &Buffer) -> DeviceResult {
        self.probe.enter("unary_backward")?;
        let dy = read(dy);
        let saved = saved.map_or_else(|| vec![f64::NAN; dy.len()], |saved| sized(saved, dy.len()));
        Ok(stored(saved.iter().zip(&dy).map(|(&saved, dy)| elementwise::slope(kind, saved) * dy).collect()))
    }

    fn binary(
        &self,
        kind: Binary,
        shape: &[usize],
        a: (&Buffer, &[isize]),
        b: (&Buffer, &[isize]),
    ) -> DeviceResult {
        self.probe.enter("binary")?;
        Ok(stored(elementwise::binary(kind, shape, (&read(a.0), a.1), (&read(b.0), b.1))))
    }

    fn select(&self, condition: &[bool], a: &Buffer, b: &Buffer) -> DeviceResult {
        self.probe.enter("select")?;
        let (a, b) = (sized(a, condition.len()), sized(b, condition.len()));
        Ok(stored((0..condition.len()).map(|i| if condition[i] { a[i] } else { b[i] }).collect()))
    }

    fn reduce(&self, kind: Reduce, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult {
        self.probe.enter("reduce")?;
        Ok(stored(elementwise::reduce(kind, &sized(x, size.0 * size.1 * size.2), size)))
    }

    fn matmul(&self, p: MatMul, a: &Buffer, b: &Buffer, epilogue: Epilogue<&Buffer>) -> DeviceResult {
        self.probe.enter("matmul")?;
        Ok(stored(product(p, a, b, epilogue)))
    }

    fn matmul_gelu(
        &self,
        p: MatMul,
        a: &Buffer,
        b: &Buffer,
        bias: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer)> {
        self.probe.enter("matmul_gelu")?;
        let h = product(p, a, b, Epilogue::Bias(bias));
        let y = h.iter().map(|&h| elementwise::unary(Unary::Gelu, h)).collect();
        Ok((stored(y), stored(h)))
    }

    fn softmax(&self, x: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult {
        self.probe.enter("softmax")?;
        Ok(stored(norm::softmax(&sized(x, rows * n), n, log)))
    }

    fn softmax_backward(&self, y: &Buffer, dy: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult {
        self.probe.enter("softmax_backward")?;
        Ok(stored(norm::softmax_backward(&sized(y, rows * n), &sized(dy, rows * n), n, log)))
    }

    fn attention(
        &self,
        z: AttentionSizes,
        q: &Buffer,
        k: &Buffer,
        x: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer)> {
        self.probe.enter("attention")?;
        let [q, k, x] = attention::operands(z, [q, k, x]);
        let (y, stats) = attention::attention(z, &q, &k, &x);
        Ok((stored(y), stored(stats)))
    }

    fn attention_backward(
        &self,
        z: AttentionSizes,
        inputs: [&Buffer; 3],
        y: &Buffer,
        stats: &Buffer,
        dy: &Buffer,
    ) -> DeviceResult<[Buffer; 3]> {
        self.probe.enter("attention_backward")?;
        let inputs = attention::operands(z, inputs);
        let [_, dy] = [y, dy].map(|y| sized(y, attention::y_len(z))); // y helps only who forgets P
        let stats = sized(stats, 2 * z.heads * z.queries);
        Ok(attention::attention_backward(z, inputs.each_ref().map(Vec::as_slice), &stats, &dy).map(stored))
    }

    fn cda(&self, z: CdaSizes, r: [&Buffer; 3], d: [&Buffer; 3]) -> DeviceResult<([Buffer; 4], [Buffer; 2])> {
        self.probe.enter("cda")?;
        let inputs = [r, d].map(|qkv| qkv.map(|x| sized(x, z.heads * z.tokens * z.dim)));
        let (results, stats) = attention::cda(z, &inputs);
        Ok((results.map(stored), stats.map(stored)))
    }

    fn cda_backward(
        &self,
        z: CdaSizes,
        inputs: [[&Buffer; 3]; 2],
        o: [&Buffer; 2],
        stats: [&Buffer; 2],
        dy: [&Buffer; 4],
    ) -> DeviceResult<[[Buffer; 3]; 2]> {
        self.probe.enter("cda_backward")?;
        let one = |x: &Buffer| sized(x, z.heads * z.tokens * z.dim);
        let (inputs, o, dy) = (inputs.map(|qkv| qkv.map(one)), o.map(one), dy.map(one));
        let stats = stats.map(|stats| sized(stats, 2 * z.heads * z.tokens));
        Ok(attention::cda_backward(z, &inputs, &o, &stats, &dy).map(|gradients| gradients.map(stored)))
    }

    fn normalize_rows(
        &self,
        x: &Buffer,
        rows: usize,
        n: usize,
        eps: f64,
        affine: Option<(&Buffer, &Buffer)>,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)> {
        self.probe.enter("normalize_rows")?;
        let affine = affine.map(|(w, b)| (sized(w, n), sized(b, n)));
        let affine = affine.as_ref().map(|(w, b)| (w.as_slice(), b.as_slice()));
        let (y, mean, rstd) = norm::normalize_rows(&sized(x, rows * n), n, eps, affine);
        Ok((stored(y), stored(mean), stored(rstd)))
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
        self.probe.enter("normalize_rows_backward")?;
        let (x, w) = (read(x), w.map(|w| sized(w, n)));
        let (mean, rstd, dy) = (sized(mean, x.len() / n), sized(rstd, x.len() / n), sized(dy, x.len()));
        let (dx, dw, db) = norm::normalize_rows_backward(&x, (&mean, &rstd), w.as_deref(), &dy, n);
        Ok((stored(dx), w.map(|_| (stored(dw), stored(db)))))
    }

    fn channel_moments(&self, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult<(Buffer, Buffer)> {
        self.probe.enter("channel_moments")?;
        let (mean, var) = norm::channel_moments(&sized(x, size.0 * size.1 * size.2), size);
        Ok((stored(mean), stored(var)))
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
        self.probe.enter("normalize_channels")?;
        let x = sized(x, g.size.0 * g.size.1 * g.size.2);
        let [mean, var, w, b] = [mean, var, w, b].map(|p| sized(p, g.size.1));
        Ok(stored(norm::normalize_channels(g, &x, (&mean, &var), (&w, &b))))
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
        self.probe.enter("normalize_channels_backward")?;
        let len = g.size.0 * g.size.1 * g.size.2;
        let (x, y, dy) = (sized(x, len), y.map(|y| sized(y, len)), sized(dy, len));
        let [mean, var, w] = [mean, var, w].map(|p| sized(p, g.size.1));
        let (dx, dw, db) = norm::normalize_channels_backward(g, &x, (&mean, &var), &w, y.as_deref(), &dy);
        Ok((stored(dx), stored(dw), stored(db)))
    }

    fn conv2d(&self, g: &Conv2dGeometry, x: &Buffer, w: &Buffer) -> DeviceResult {
        self.probe.enter("conv2d")?;
        Ok(stored(linear::conv2d(g, &sized(x, linear::x_len(g)), &sized(w, linear::w_len(g)))))
    }

    fn conv2d_dx(&self, g: &Conv2dGeometry, dy: &Buffer, w: &Buffer) -> DeviceResult {
        self.probe.enter("conv2d_dx")?;
        Ok(stored(linear::conv2d_dx(g, &sized(dy, linear::y_len(g)), &sized(w, linear::w_len(g)))))
    }

    fn conv2d_dw(&self, g: &Conv2dGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult {
        self.probe.enter("conv2d_dw")?;
        Ok(stored(linear::conv2d_dw(g, &sized(x, linear::x_len(g)), &sized(dy, linear::y_len(g)))))
    }

    fn pool2d(&self, g: &PoolGeometry, x: &Buffer) -> DeviceResult {
        self.probe.enter("pool2d")?;
        Ok(stored(picture::pool(g, &sized(x, g.planes * g.input[0] * g.input[1]))))
    }

    fn pool2d_backward(&self, g: &PoolGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult {
        self.probe.enter("pool2d_backward")?;
        let x = sized(x, g.planes * g.input[0] * g.input[1]);
        Ok(stored(picture::pool_backward(g, &x, &sized(dy, g.planes * g.rows.len() * g.cols.len()))))
    }

    fn resize2d(&self, g: &ResizeGeometry, x: &Buffer) -> DeviceResult {
        self.probe.enter("resize2d")?;
        Ok(stored(picture::resize(g, &sized(x, g.planes * g.input[0] * g.input[1]))))
    }

    fn resize2d_backward(&self, g: &ResizeGeometry, dy: &Buffer) -> DeviceResult {
        self.probe.enter("resize2d_backward")?;
        Ok(stored(picture::resize_backward(g, &sized(dy, g.planes * g.rows.len() * g.cols.len()))))
    }

    fn gather(&self, x: &Buffer, rows: &[usize], inner: usize) -> DeviceResult {
        self.probe.enter("gather")?;
        let x = read(x);
        Ok(stored(rows.iter().flat_map(|row| &x[row * inner..(row + 1) * inner]).copied().collect()))
    }

    fn scatter_add(&self, dy: &Buffer, rows: &[usize], inner: usize, total: usize) -> DeviceResult {
        self.probe.enter("scatter_add")?;
        let dy = sized(dy, rows.len() * inner);
        let mut dx = vec![0.0; total * inner];
        for (i, row) in rows.iter().enumerate() {
            for j in 0..inner {
                dx[row * inner + j] += dy[i * inner + j];
            }
        }
        Ok(stored(dx))
    }

    fn sgd_step(
        &self,
        h: SgdStep,
        w: &Buffer,
        dw: &Buffer,
        m: Option<&Buffer>,
    ) -> DeviceResult<(Buffer, Option<Buffer>)> {
        self.probe.enter("sgd_step")?;
        let w = read(w);
        let (w, m) = optim::sgd(h, &w, &sized(dw, w.len()), m.map(|m| sized(m, w.len())).as_deref());
        Ok((stored(w), (h.momentum != 0.0).then(|| stored(m))))
    }

    fn adam_step(
        &self,
        h: AdamStep,
        w: &Buffer,
        dw: &Buffer,
        m: &Buffer,
        v: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)> {
        self.probe.enter("adam_step")?;
        let w = read(w);
        let (dw, m, v) = (sized(dw, w.len()), sized(m, w.len()), sized(v, w.len()));
        let (w, m, v) = optim::adam(h, &w, &dw, &m, &v);
        Ok((stored(w), stored(m), stored(v)))
    }
}
