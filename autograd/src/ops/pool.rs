//! Pooling.

use crate::device::{Pool, PoolGeometry};
use crate::real::Real;
use crate::tape::{Var, record};

impl<T: Real> Var<T> {
    /// Largest value of every window of `[B, C, H, W]`. PyTorch equivalent: `F.max_pool2d(x, kernel, stride, padding)`.
    /// `[B, C, H, W]` to `[B, C, h, w]`, h = ⌊(H + 2·padding − kernel)/stride⌋ + 1.
    #[track_caller]
    pub fn max_pool2d(&self, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Var<T> {
        let [rows, cols] = self.windows("max_pool2d", kernel, stride, padding);
        self.pool("max_pool2d", Pool::Max, rows, cols, None)
    }

    /// Mean of every window; zeros of the padding count. PyTorch equivalent:
    /// `F.avg_pool2d(x, kernel, stride, padding, count_include_pad=True)`.
    /// `[B, C, H, W]` to `[B, C, h, w]`, h = ⌊(H + 2·padding − kernel)/stride⌋ + 1.
    #[track_caller]
    pub fn avg_pool2d(&self, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Var<T> {
        let [rows, cols] = self.windows("avg_pool2d", kernel, stride, padding);
        self.pool("avg_pool2d", Pool::Avg, rows, cols, Some(kernel[0] * kernel[1]))
    }

    /// Mean of `size` windows that cover the picture evenly. PyTorch equivalent: `F.adaptive_avg_pool2d(x, size)`.
    /// `[B, C, H, W]` to `[B, C, size[0], size[1]]`.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, size: [usize; 2]) -> Var<T> {
        let [rows, cols] = self.even_windows("adaptive_avg_pool2d", size);
        self.pool("adaptive_avg_pool2d", Pool::Avg, rows, cols, None)
    }

    /// Largest value of `size` windows that cover the picture evenly. PyTorch equivalent: `F.adaptive_max_pool2d`.
    /// `[B, C, H, W]` to `[B, C, size[0], size[1]]`.
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, size: [usize; 2]) -> Var<T> {
        let [rows, cols] = self.even_windows("adaptive_max_pool2d", size);
        self.pool("adaptive_max_pool2d", Pool::Max, rows, cols, None)
    }

    #[track_caller]
    fn pool(
        &self,
        name: &'static str,
        kind: Pool,
        rows: Windows,
        cols: Windows,
        divisor: Option<usize>,
    ) -> Var<T> {
        let shape = self.shape();
        let out = [shape[0], shape[1], rows.len(), cols.len()];
        let g = PoolGeometry {
            kind,
            planes: shape[0] * shape[1],
            input: [shape[2], shape[3]],
            rows,
            cols,
            divisor,
        };
        let x = self.value().clone();
        record(name, x.pool2d_raw(&g, &out), &[self], move |dy, sink| {
            sink.add(0, || x.pool2d_backward(&g, dy))
        })
    }

    #[track_caller]
    fn windows(&self, op: &str, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> [Windows; 2] {
        let shape = self.shape();
        assert!(shape.len() == 4, "{op}: input {shape:?} must be [B, C, H, W]");
        for i in [0, 1] {
            let (size, k, p) = (shape[2 + i], kernel[i], padding[i]);
            assert!(k > 0 && stride[i] > 0, "{op}: kernel {kernel:?} and stride {stride:?} must not be 0");
            assert!(2 * p <= k, "{op}: padding {p} must be at most half of the kernel {k}");
            assert!(size + 2 * p >= k, "{op}: a kernel of {k} does not fit {size} pixels with padding {p}");
        }
        [0, 1].map(|i| {
            let (size, k, p) = (shape[2 + i], kernel[i], padding[i]);
            let window = |o: usize| ((o * stride[i]).saturating_sub(p), (o * stride[i] + k - p).min(size));
            (0..(size + 2 * p - k) / stride[i] + 1).map(window).collect()
        })
    }

    /// `out` windows over `size` pixels of either axis: ⌊i·size/out⌋ to ⌈(i+1)·size/out⌉.
    #[track_caller]
    fn even_windows(&self, op: &str, out: [usize; 2]) -> [Windows; 2] {
        let shape = self.shape();
        assert!(shape.len() == 4, "{op}: input {shape:?} must be [B, C, H, W]");
        assert!(
            shape[2] * shape[3] > 0 && out[0] * out[1] > 0,
            "{op}: neither the pictures of {shape:?} nor the size {out:?} may be empty"
        );
        [0, 1].map(|axis| {
            let (size, out) = (shape[2 + axis], out[axis]);
            (0..out).map(|i| (i * size / out, ((i + 1) * size).div_ceil(out))).collect()
        })
    }
}

/// Input positions `start..end` of every output position of one axis.
type Windows = Vec<(usize, usize)>;
