//! The primitives as methods of [`Tensor`], and the only place that asks where a tensor lives.
//!
//! Host tensors go to the kernels in `cpu/`, device tensors to their [`Device`](crate::device::Device). Ops are written
//! with these methods alone, so they run wherever their inputs are. None of them records a gradient: that is what the
//! ops of [`crate::Var`] add, and their backward passes are written with the same methods.

mod attention;
mod norm;

use super::shape::{self, axis_index, broadcast_or_panic, broadcast_strides, numel};
use super::{DeviceBuffer, Storage, Tensor};
use crate::cpu;
use crate::cpu::recycle::{stale, zeros};
use crate::device::{
    AdamStep, Binary, Buffer, Conv2dGeometry, Device, DeviceHandle, DeviceResult, Epilogue, MatMul,
    PoolGeometry, Reduce, ResizeGeometry, Saved, SgdStep, Unary, View,
};
use crate::plain::Mask;
use crate::random::Key;
use crate::real::Real;

impl<T: Real> Tensor<T> {
    /// A tensor of `shape` filled with one value, where `self` lives.
    pub fn full_like(&self, shape: &[usize], value: f64) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::full(shape, T::of(value)),
            Storage::Device(x) => on_device(x, "full", shape, &[shape], |d| d.fill(numel(shape), value)),
        }
    }

    /// Host values brought to where `self` lives (masks, constants made on the host).
    pub fn constant_like(&self, host: &Tensor<T>) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => host.clone(),
            Storage::Device(x) => on_device(x, "constant", host.shape(), &[host.shape()], |d| {
                d.upload(&host.as_slice().iter().map(|v| v.f64() as f32).collect::<Vec<_>>())
            }),
        }
    }

    /// A dropout mask of `shape`: 1/keep with probability `keep`, else 0; element e reads word e of the stream.
    pub fn dropout_mask_like(&self, shape: &[usize], key: Key, site: u64, keep: f64) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => {
                Tensor::from_vec(cpu::elementwise::dropout_mask(numel(shape), key, site, keep), shape)
            }
            Storage::Device(x) => on_device(x, "dropout_mask", shape, &[shape], |d| {
                d.dropout_mask(numel(shape), key, site, keep)
            }),
        }
    }

    /// f(x), elementwise.
    pub fn unary(&self, kind: Unary) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::elementwise::unary(kind, self.as_slice()), self.shape()),
            Storage::Device(x) => {
                on_device(x, kind.name(), &x.shape, &[&x.shape], |d| d.unary(kind, live(x)))
            }
        }
    }

    /// dx = f'(x)·dy for dy = `self`, given x or y = f(x), whichever [`Unary::saved`] names.
    #[track_caller]
    pub fn unary_backward(&self, kind: Unary, saved: Option<&Tensor<T>>) -> Tensor<T> {
        let name = kind.name();
        assert!(
            saved.is_some() == (kind.saved() != Saved::Nothing),
            "{name} backward: it needs the {:?}",
            kind.saved()
        );
        if let Some(saved) = saved {
            let (shape, dy) = (saved.shape(), self.shape());
            assert!(shape == dy, "{name} backward: the saved values {shape:?} and dy {dy:?} differ in shape");
        }
        if let Unary::AddScalar(_) = kind {
            return self.clone();
        }
        match &self.storage {
            Storage::Cpu(_) => {
                let saved = saved.unwrap_or(self).as_slice(); // where nothing is saved, it is not read
                let dx = cpu::elementwise::unary_backward(kind, saved, self.as_slice());
                Tensor::from_vec(dx, self.shape())
            }
            Storage::Device(dy) => on_device(dy, &format!("{name}_backward"), &dy.shape, &[&dy.shape], |d| {
                d.unary_backward(kind, saved.map(|saved| peer(dy, saved)), live(dy))
            }),
        }
    }

    /// f(a, b), elementwise with broadcasting.
    #[track_caller]
    pub fn binary(&self, kind: Binary, other: &Tensor<T>) -> Tensor<T> {
        let name = kind.name();
        let out = broadcast_or_panic(name, self.shape(), other.shape());
        let strides = |x: &Tensor<T>| broadcast_strides(x.shape(), &out);
        let (sa, sb) = (strides(self), strides(other));
        same_place(name, self, other);
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(
                cpu::elementwise::binary(kind, &out, (self.as_slice(), &sa), (other.as_slice(), &sb)),
                &out,
            ),
            Storage::Device(x) => on_device(x, name, &out, &[&x.shape, other.shape()], |d| {
                d.binary(kind, &out, (live(x), &sa), (peer(x, other), &sb))
            }),
        }
    }

    /// a + b with broadcasting.
    #[track_caller]
    pub fn add(&self, other: &Tensor<T>) -> Tensor<T> {
        self.binary(Binary::Add, other)
    }

    /// a − b with broadcasting.
    #[track_caller]
    pub fn sub(&self, other: &Tensor<T>) -> Tensor<T> {
        self.binary(Binary::Sub, other)
    }

    /// a · b with broadcasting.
    #[track_caller]
    pub fn mul(&self, other: &Tensor<T>) -> Tensor<T> {
        self.binary(Binary::Mul, other)
    }

    /// a / b with broadcasting.
    #[track_caller]
    pub fn div(&self, other: &Tensor<T>) -> Tensor<T> {
        self.binary(Binary::Div, other)
    }

    /// c · x.
    pub fn scale(&self, c: f64) -> Tensor<T> {
        self.unary(Unary::MulScalar(c))
    }

    /// x + c.
    pub fn shift(&self, c: f64) -> Tensor<T> {
        self.unary(Unary::AddScalar(c))
    }

    /// Adds a tensor of the same shape into this one, in place when the storage is not shared: how gradients add up.
    #[track_caller]
    pub fn accumulate(&mut self, other: &Tensor<T>) {
        assert!(
            self.shape() == other.shape(),
            "accumulate: shapes {:?} and {:?} differ",
            self.shape(),
            other.shape()
        );
        match &mut self.storage {
            Storage::Cpu(_) => cpu::elementwise::accumulate(self.host_mut(), other.as_slice()),
            Storage::Device(_) => *self = self.add(other),
        }
    }

    /// a where the condition holds, else b; all three of one shape.
    #[track_caller]
    pub fn select(condition: &Mask, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        assert!(
            condition.shape() == a.shape() && a.shape() == b.shape(),
            "where: the condition {:?} and the values {:?} and {:?} must have one shape",
            condition.shape(),
            a.shape(),
            b.shape()
        );
        same_place("where", a, b);
        match &a.storage {
            Storage::Cpu(_) => Tensor::from_vec(
                cpu::elementwise::select(condition.values(), a.as_slice(), b.as_slice()),
                a.shape(),
            ),
            Storage::Device(x) => on_device(x, "where", &x.shape, &[&x.shape], |d| {
                d.select(condition.values(), live(x), peer(x, b))
            }),
        }
    }

    /// Reduces the given axes (counted from the front), keeping them with size 1. Neighbouring axes go in one pass.
    pub fn reduce(&self, kind: Reduce, axes: &[usize]) -> Tensor<T> {
        let mut result = self.clone();
        let mut end = axes.len();
        while end > 0 {
            let mut start = end - 1;
            while start > 0 && axes[start - 1] + 1 == axes[start] {
                start -= 1;
            }
            result = result.reduce_run(kind, axes[start]..axes[end - 1] + 1);
            end = start;
        }
        result
    }

    fn reduce_run(&self, kind: Reduce, axes: std::ops::Range<usize>) -> Tensor<T> {
        let size = shape::around(self.shape(), axes.clone());
        let kept = shape::keep_axes(self.shape(), &axes.collect::<Vec<_>>());
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::reduce::reduce(kind, self.as_slice(), size), &kept),
            Storage::Device(x) => {
                on_device(x, kind.name(), &kept, &[&x.shape], |d| d.reduce(kind, live(x), size))
            }
        }
    }

    /// Sums over axes so that the result has `shape`, which must broadcast to `self`'s: the gradient of broadcasting.
    #[track_caller]
    pub fn sum_to(&self, to: &[usize]) -> Tensor<T> {
        if self.shape() == to {
            return self.clone();
        }
        let fits = shape::broadcast(to, self.shape()).is_some_and(|both| both == self.shape());
        assert!(fits, "sum_to: shape {to:?} does not broadcast to {:?}", self.shape());
        let missing = self.ndim() - to.len();
        let axes: Vec<usize> = (0..self.ndim())
            .filter(|&axis| axis < missing || (to[axis - missing] == 1 && self.shape()[axis] != 1))
            .collect();
        self.reduce(Reduce::Sum, &axes).with_shape(to)
    }

    /// Copies the elements walked by `from` into a fresh tensor of `shape`: permute, slice, expand, flip, unfold.
    pub fn strided(&self, shape: &[usize], from: &View) -> Tensor<T> {
        let to = View { offset: 0, strides: shape::contiguous_strides(shape) };
        self.strided_into(shape, from, None, shape, &to, false)
    }

    /// Writes all of `self` to the places walked by `to` in a copy of `dst` (or in zeros of shape `dst_shape`),
    /// adding if `accumulate`: pad, concat, and the gradients of slices.
    pub fn place(
        &self,
        dst: Option<Tensor<T>>,
        dst_shape: &[usize],
        to: &View,
        accumulate: bool,
    ) -> Tensor<T> {
        let from = View { offset: 0, strides: shape::contiguous_strides(self.shape()) };
        self.strided_into(self.shape(), &from, dst, dst_shape, to, accumulate)
    }

    fn strided_into(
        &self,
        shape: &[usize],
        from: &View,
        dst: Option<Tensor<T>>,
        dst_shape: &[usize],
        to: &View,
        accumulate: bool,
    ) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => {
                // A copy that reaches every element needs no zeros below it.
                let whole = !accumulate && numel(shape) == numel(dst_shape);
                let fresh = || {
                    let values = if whole { stale(numel(dst_shape)) } else { zeros(numel(dst_shape)) };
                    Tensor::from_vec(values, dst_shape)
                };
                let mut dst = dst.unwrap_or_else(fresh);
                cpu::strided::copy(shape, (self.as_slice(), from), (dst.host_mut(), to), accumulate);
                dst
            }
            Storage::Device(x) => on_device(x, "strided_copy", dst_shape, &[&x.shape], |d| {
                let dst = dst.as_ref().map(|dst| peer(x, dst));
                d.strided_copy(shape, live(x), from, dst, numel(dst_shape), to, accumulate)
            }),
        }
    }

    /// The axes in another order. PyTorch equivalent: `Tensor.permute(...).contiguous()`.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Tensor<T> {
        let strides = shape::contiguous_strides(self.shape());
        let mut seen = order.to_vec();
        seen.sort_unstable();
        assert!(
            seen == (0..self.ndim()).collect::<Vec<_>>(),
            "permute: {order:?} is not an order of the {} axes of shape {:?}",
            self.ndim(),
            self.shape()
        );
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape()[axis]).collect();
        let strides = order.iter().map(|&axis| strides[axis]).collect();
        self.strided(&shape, &View { offset: 0, strides })
    }

    /// Two axes exchanged. PyTorch equivalent: `Tensor.transpose`.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor<T> {
        let mut order: Vec<usize> = (0..self.ndim()).collect();
        order.swap(axis_index("transpose", a, self.ndim()), axis_index("transpose", b, self.ndim()));
        self.permute(&order)
    }

    /// Repeats axes of size 1 (and new leading axes) up to `shape`. PyTorch equivalent: `Tensor.expand().contiguous()`.
    #[track_caller]
    pub fn expand(&self, shape: &[usize]) -> Tensor<T> {
        let fits = shape::broadcast(self.shape(), shape).is_some_and(|both| both == shape);
        assert!(fits, "expand: shape {:?} does not broadcast to {shape:?}", self.shape());
        self.strided(shape, &View { offset: 0, strides: broadcast_strides(self.shape(), shape) })
    }

    /// The batched product described by `p` and its epilogue, with result shape `shape`.
    pub(crate) fn matmul_raw(
        &self,
        p: MatMul,
        b: &Tensor<T>,
        epilogue: Epilogue<&Tensor<T>>,
        shape: &[usize],
    ) -> Tensor<T> {
        same_place("matmul", self, b);
        match &self.storage {
            Storage::Cpu(_) => {
                let epilogue = epilogue.map(|operand| operand.as_slice());
                Tensor::from_vec(cpu::gemm::matmul(p, self.as_slice(), b.as_slice(), epilogue), shape)
            }
            Storage::Device(a) => on_device(a, "matmul", shape, &[&a.shape, b.shape()], |d| {
                d.matmul(p, live(a), peer(a, b), epilogue.map(|operand| peer(a, operand)))
            }),
        }
    }

    /// (gelu(h), h) for the product described by `p` plus a bias, h; both of shape `shape`.
    pub(crate) fn matmul_gelu_raw(
        &self,
        p: MatMul,
        b: &Tensor<T>,
        bias: &Tensor<T>,
        shape: &[usize],
    ) -> (Tensor<T>, Tensor<T>) {
        match &self.storage {
            Storage::Cpu(_) => {
                let h = self.matmul_raw(p, b, Epilogue::Bias(bias), shape);
                (h.unary(Unary::Gelu), h)
            }
            Storage::Device(a) => {
                same_place("matmul_gelu", self, b);
                let pair = a.handle.run("matmul_gelu", &[&a.shape, b.shape()], |d| {
                    d.matmul_gelu(p, live(a), peer(a, b), peer(a, bias))
                });
                let (y, h) = pair.unzip();
                (device_tensor(a, y, shape), device_tensor(a, h, shape))
            }
        }
    }

    /// Cross-correlation of `self` `[B, in, H, W]` with weights `[out, in/groups, kh, kw]`.
    pub(crate) fn conv2d_raw(&self, g: &Conv2dGeometry, w: &Tensor<T>) -> Tensor<T> {
        let [oh, ow] = g.output();
        let shape = [g.batch, g.out_channels, oh, ow];
        same_place("conv2d", self, w);
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::conv::conv2d(g, self.as_slice(), w.as_slice()), &shape),
            Storage::Device(x) => {
                on_device(x, "conv2d", &shape, &[&x.shape, w.shape()], |d| d.conv2d(g, live(x), peer(x, w)))
            }
        }
    }

    /// Gradient of the convolution with respect to its input; `self` is dy `[B, out, oh, ow]`.
    pub(crate) fn conv2d_dx(&self, g: &Conv2dGeometry, w: &Tensor<T>) -> Tensor<T> {
        let shape = [g.batch, g.in_channels, g.input[0], g.input[1]];
        same_place("conv2d_dx", self, w);
        match &self.storage {
            Storage::Cpu(_) => {
                Tensor::from_vec(cpu::conv::conv2d_dx(g, self.as_slice(), w.as_slice()), &shape)
            }
            Storage::Device(dy) => on_device(dy, "conv2d_dx", &shape, &[&dy.shape, w.shape()], |d| {
                d.conv2d_dx(g, live(dy), peer(dy, w))
            }),
        }
    }

    /// Gradient of the convolution with respect to its weights; `self` is its input x.
    pub(crate) fn conv2d_dw(&self, g: &Conv2dGeometry, dy: &Tensor<T>) -> Tensor<T> {
        let shape = [g.out_channels, g.in_channels / g.groups, g.kernel[0], g.kernel[1]];
        same_place("conv2d_dw", self, dy);
        match &self.storage {
            Storage::Cpu(_) => {
                Tensor::from_vec(cpu::conv::conv2d_dw(g, self.as_slice(), dy.as_slice()), &shape)
            }
            Storage::Device(x) => on_device(x, "conv2d_dw", &shape, &[&x.shape, dy.shape()], |d| {
                d.conv2d_dw(g, live(x), peer(x, dy))
            }),
        }
    }

    /// Pooling; the result has shape `shape`.
    pub(crate) fn pool2d_raw(&self, g: &PoolGeometry, shape: &[usize]) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::pool::pool2d(g, self.as_slice()), shape),
            Storage::Device(x) => on_device(x, "pool2d", shape, &[&x.shape], |d| d.pool2d(g, live(x))),
        }
    }

    /// Gradient of pooling; `self` is its input.
    pub(crate) fn pool2d_backward(&self, g: &PoolGeometry, dy: &Tensor<T>) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => {
                Tensor::from_vec(cpu::pool::pool2d_backward(g, self.as_slice(), dy.as_slice()), self.shape())
            }
            Storage::Device(x) => on_device(x, "pool2d_backward", &x.shape, &[&x.shape], |d| {
                d.pool2d_backward(g, live(x), peer(x, dy))
            }),
        }
    }

    /// Separable resampling; the result has shape `shape`.
    pub(crate) fn resize2d_raw(&self, g: &ResizeGeometry, shape: &[usize]) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::resize::resize2d(g, self.as_slice()), shape),
            Storage::Device(x) => on_device(x, "resize2d", shape, &[&x.shape], |d| d.resize2d(g, live(x))),
        }
    }

    /// Transpose of resampling; `self` is dy and the result has shape `shape`.
    pub(crate) fn resize2d_backward(&self, g: &ResizeGeometry, shape: &[usize]) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::resize::resize2d_backward(g, self.as_slice()), shape),
            Storage::Device(dy) => {
                on_device(dy, "resize2d_backward", shape, &[&dy.shape], |d| d.resize2d_backward(g, live(dy)))
            }
        }
    }

    /// Rows of `[_, inner]` picked by number; the result has shape `shape`.
    pub(crate) fn gather_rows(&self, rows: &[usize], inner: usize, shape: &[usize]) -> Tensor<T> {
        match &self.storage {
            Storage::Cpu(_) => Tensor::from_vec(cpu::index::gather(self.as_slice(), rows, inner), shape),
            Storage::Device(x) => {
                on_device(x, "gather", shape, &[&x.shape], |d| d.gather(live(x), rows, inner))
            }
        }
    }

    /// Adds row i of `self` to row `rows[i]` of zeros of shape `shape`.
    pub(crate) fn scatter_add_rows(&self, rows: &[usize], inner: usize, shape: &[usize]) -> Tensor<T> {
        let total = numel(shape) / inner.max(1);
        match &self.storage {
            Storage::Cpu(_) => {
                Tensor::from_vec(cpu::index::scatter_add(self.as_slice(), rows, inner, total), shape)
            }
            Storage::Device(dy) => on_device(dy, "scatter_add", shape, &[&dy.shape], |d| {
                d.scatter_add(live(dy), rows, inner, total)
            }),
        }
    }

    /// One SGD update in place; the momentum buffer is created by the first step that needs it.
    pub(crate) fn sgd_step(&mut self, h: SgdStep, dw: &Tensor<T>, momentum: &mut Option<Tensor<T>>) {
        match &mut self.storage {
            Storage::Cpu(_) => {
                let m = momentum.as_mut().map(Tensor::host_mut);
                let fresh = cpu::optim::sgd_step(h, self.host_mut(), dw.as_slice(), m);
                if let Some(fresh) = fresh {
                    *momentum = Some(Tensor::from_vec(fresh, dw.shape()));
                }
            }
            Storage::Device(w) => {
                let pair = w.handle.run("sgd_step", &[&w.shape], |d| {
                    d.sgd_step(h, live(w), peer(w, dw), momentum.as_ref().map(|m| peer(w, m)))
                });
                let (weight, fresh) = pair.unzip();
                if h.momentum != 0.0 {
                    *momentum = Some(device_tensor(w, fresh.flatten(), &w.shape));
                }
                w.data = weight;
            }
        }
    }

    /// One Adam update of the weight and its two moments, in place.
    pub(crate) fn adam_step(&mut self, h: AdamStep, dw: &Tensor<T>, m: &mut Tensor<T>, v: &mut Tensor<T>) {
        match &mut self.storage {
            Storage::Cpu(_) => {
                cpu::optim::adam_step(h, self.host_mut(), dw.as_slice(), m.host_mut(), v.host_mut());
            }
            Storage::Device(w) => {
                let all = w.handle.run("adam_step", &[&w.shape], |d| {
                    d.adam_step(h, live(w), peer(w, dw), peer(w, m), peer(w, v))
                });
                let (weight, first, second) = match all {
                    Some((weight, first, second)) => (Some(weight), Some(first), Some(second)),
                    None => (None, None, None),
                };
                *m = device_tensor(w, first, &w.shape);
                *v = device_tensor(w, second, &w.shape);
                w.data = weight;
            }
        }
    }
}

/// Runs a primitive with one result where `x` lives.
fn on_device<T: Real>(
    x: &DeviceBuffer,
    op: &str,
    shape: &[usize],
    operands: &[&[usize]],
    primitive: impl FnOnce(&dyn Device) -> DeviceResult,
) -> Tensor<T> {
    let data = x.handle.run(op, operands, primitive);
    device_tensor(x, data, shape)
}

fn device_tensor<T: Real>(x: &DeviceBuffer, data: Option<Buffer>, shape: &[usize]) -> Tensor<T> {
    let handle: DeviceHandle = x.handle.clone();
    Tensor { storage: Storage::Device(DeviceBuffer { handle, data, shape: shape.to_vec() }) }
}

/// The buffer of a tensor inside a primitive: it exists, for a primitive only runs while no error is recorded.
fn live(x: &DeviceBuffer) -> &Buffer {
    x.data.as_ref().expect("primitives are skipped after an error")
}

/// The buffer of another operand on the same device as `x`.
fn peer<'a, T: Real>(x: &DeviceBuffer, other: &'a Tensor<T>) -> &'a Buffer {
    match &other.storage {
        Storage::Device(buffer) if buffer.handle.is(&x.handle) => live(buffer),
        _ => panic!("an operand of shape {:?} does not live on {}", other.shape(), x.handle.name()),
    }
}

#[track_caller]
fn same_place<T: Real>(op: &str, a: &Tensor<T>, b: &Tensor<T>) {
    let name = |x: &Tensor<T>| x.device().map_or("the host".to_owned(), DeviceHandle::name);
    let same = match (a.device(), b.device()) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is(b),
        _ => false,
    };
    assert!(
        same,
        "{op}: one operand lives on {}, the other on {}; move one with to_device",
        name(a),
        name(b)
    );
}
