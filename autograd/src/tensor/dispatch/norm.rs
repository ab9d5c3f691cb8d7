//! Softmax and normalisations.

use super::{DeviceBuffer, Storage, Tensor, device_tensor, live, numel, on_device, peer};
use crate::cpu;
use crate::cpu::batch_norm::Scaling;
use crate::cpu::norm::SavedRows;
use crate::device::{Buffer, ChannelNorm};
use crate::real::Real;

/// dw and db.
type AffineGradients<T> = (Tensor<T>, Tensor<T>);

impl<T: Real> Tensor<T> {
    /// Softmax over the last axis, or its logarithm.
    pub(crate) fn softmax_rows(&self, log: bool) -> Tensor<T> {
        let (rows, n) = rows_of(self.shape());
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::softmax::softmax(self.as_slice(), n, log), self.shape()),
            Storage::Device(x) => {
                on_device(x, "softmax", &x.shape, &[&x.shape], |d| d.softmax(live(x), rows, n, log))
            }
        }
    }

    /// dx of softmax over the last axis; `self` is its output.
    pub(crate) fn softmax_rows_backward(&self, dy: &Tensor<T>, log: bool) -> Tensor<T> {
        let (rows, n) = rows_of(self.shape());
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(
                cpu::softmax::softmax_backward(self.as_slice(), dy.as_slice(), n, log),
                self.shape(),
            ),
            Storage::Device(y) => on_device(y, "softmax_backward", &y.shape, &[&y.shape], |d| {
                d.softmax_backward(live(y), peer(y, dy), rows, n, log)
            }),
        }
    }

    /// `[rows, n]` seen from the back: y = x̂·w + b (x̂ where there are none), with rows of x̂ of mean 0 and variance 1.
    /// Returns (y, μ `[rows]`, 1/σ `[rows]`).
    pub(crate) fn normalize_rows(
        &self,
        n: usize,
        eps: f64,
        affine: Option<(&Tensor<T>, &Tensor<T>)>,
    ) -> [Tensor<T>; 3] {
        let rows = self.numel() / n;
        match &self.storage {
            Storage::Cpu(_) => {
                let affine = affine.map(|(w, b)| (w.as_slice(), b.as_slice()));
                let (y, mean, rstd) = cpu::norm::normalize_rows(self.as_slice(), n, T::of(eps), affine);
                [(y, self.shape()), (mean, &[rows]), (rstd, &[rows])].map(|(v, s)| Tensor::from_vec(v, s))
            }
            Storage::Device(x) => three(
                x,
                [&x.shape, &[rows], &[rows]],
                x.handle.run("normalize_rows", &[&x.shape], |d| {
                    let affine = affine.map(|(w, b)| (peer(x, w), peer(x, b)));
                    d.normalize_rows(live(x), rows, n, eps, affine)
                }),
            ),
        }
    }

    /// Gradients of `normalize_rows`, whose input is `self`: dx and, if there was a w, (dw, db), `[n]` each.
    pub(crate) fn normalize_rows_backward(
        &self,
        (mean, rstd): (&Tensor<T>, &Tensor<T>),
        w: Option<&Tensor<T>>,
        dy: &Tensor<T>,
        n: usize,
    ) -> (Tensor<T>, Option<AffineGradients<T>>) {
        match &self.storage {
            Storage::Cpu(_) => {
                let saved = SavedRows { x: self.as_slice(), mean: mean.as_slice(), rstd: rstd.as_slice() };
                let w = w.map(|w| w.as_slice());
                let (dx, sums) = cpu::norm::normalize_rows_backward(saved, w, dy.as_slice(), n);
                let vector = |values| Tensor::from_vec(values, &[n]);
                (Tensor::from_vec(dx, self.shape()), sums.map(|(dw, db)| (vector(dw), vector(db))))
            }
            Storage::Device(x) => {
                let all = x.handle.run("normalize_rows_backward", &[&x.shape], |d| {
                    let (mean, rstd, dy, w) =
                        (peer(x, mean), peer(x, rstd), peer(x, dy), w.map(|w| peer(x, w)));
                    d.normalize_rows_backward(live(x), mean, rstd, w, dy, n)
                });
                let (dx, sums) = all.unzip();
                let (dw, db) = sums.flatten().unzip();
                let vector = |data| device_tensor(x, data, &[n]);
                (device_tensor(x, dx, &x.shape), w.map(|_| (vector(dw), vector(db))))
            }
        }
    }

    /// `[batch, channels, inner]`: (mean, biased variance) of every channel over batch and inner.
    pub(crate) fn channel_moments(&self, size: (usize, usize, usize)) -> (Tensor<T>, Tensor<T>) {
        let channels = [size.1];
        match &self.storage {
            Storage::Cpu(_) => {
                let (mean, var) = cpu::batch_norm::channel_moments(self.as_slice(), size);
                (Tensor::from_vec(mean, &channels), Tensor::from_vec(var, &channels))
            }
            Storage::Device(x) => {
                let pair = x.handle.run("channel_moments", &[&x.shape], |d| d.channel_moments(live(x), size));
                let (mean, var) = pair.unzip();
                (device_tensor(x, mean, &channels), device_tensor(x, var, &channels))
            }
        }
    }

    /// y = (x − mean)/√(var + eps)·w + b per channel, then ReLU if `g.relu`; `statistics` are (mean, var).
    pub(crate) fn normalize_channels(
        &self,
        g: ChannelNorm,
        (mean, var): (&Tensor<T>, &Tensor<T>),
        (w, b): (&Tensor<T>, &Tensor<T>),
    ) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => {
                let scaling = Scaling { mean: mean.as_slice(), var: var.as_slice(), w: w.as_slice() };
                let y = cpu::batch_norm::normalize_channels(g, self.as_slice(), scaling, b.as_slice());
                Tensor::from_vec(y, self.shape())
            }
            Storage::Device(x) => on_device(x, "normalize_channels", &x.shape, &[&x.shape], |d| {
                d.normalize_channels(g, live(x), peer(x, mean), peer(x, var), peer(x, w), peer(x, b))
            }),
        }
    }

    /// Gradients (dx, dw, db) of `normalize_channels`, whose input is `self`; its result y is needed behind a ReLU.
    pub(crate) fn normalize_channels_backward(
        &self,
        g: ChannelNorm,
        (mean, var): (&Tensor<T>, &Tensor<T>),
        w: &Tensor<T>,
        y: Option<&Tensor<T>>,
        dy: &Tensor<T>,
    ) -> [Tensor<T>; 3] {
        let shapes = [self.shape(), &[g.size.1], &[g.size.1]];
        match &self.storage {
            Storage::Cpu(_) => {
                let scaling = Scaling { mean: mean.as_slice(), var: var.as_slice(), w: w.as_slice() };
                let (x, y, dy) = (self.as_slice(), y.map(|y| y.as_slice()), dy.as_slice());
                let (dx, dw, db) = cpu::batch_norm::normalize_channels_backward(g, x, scaling, y, dy);
                [(dx, shapes[0]), (dw, shapes[1]), (db, shapes[2])].map(|(v, s)| Tensor::from_vec(v, s))
            }
            Storage::Device(x) => three(
                x,
                shapes,
                x.handle.run("normalize_channels_backward", &[&x.shape], |d| {
                    let (mean, var, w, y) = (peer(x, mean), peer(x, var), peer(x, w), y.map(|y| peer(x, y)));
                    d.normalize_channels_backward(g, live(x), mean, var, w, y, peer(x, dy))
                }),
            ),
        }
    }
}

/// The three results of a primitive on a device.
fn three<T: Real>(
    x: &DeviceBuffer,
    shapes: [&[usize]; 3],
    results: Option<(Buffer, Buffer, Buffer)>,
) -> [Tensor<T>; 3] {
    let buffers = match results {
        Some((a, b, c)) => [Some(a), Some(b), Some(c)],
        None => [None, None, None],
    };
    let mut shapes = shapes.into_iter();
    buffers.map(|data| device_tensor(x, data, shapes.next().expect("three shapes")))
}

fn rows_of(shape: &[usize]) -> (usize, usize) {
    let n = shape.last().copied().unwrap_or(1);
    (numel(shape) / n.max(1), n)
}
