//! Where a tensor lives when it does not live in host memory.
//!
//! A device is a run-time value, never a type parameter: networks, ops and training loops do not mention it. All an
//! accelerator has to offer is the [`Device`] trait, about thirty-five primitives over contiguous `f32` buffers; every op of
//! the engine, forward and backward, is built from them. CPU storage does not go through the trait.
//!
//! **Failures are sticky.** Ops stay infallible so that model code reads like mathematics. The first primitive that
//! fails is remembered in the [`DeviceHandle`], everything after it returns placeholders without touching the device,
//! and the first read to the host ([`Tensor::item`](crate::Tensor::item), [`Tensor::to_host`](crate::Tensor::to_host))
//! or [`DeviceHandle::sync`] returns the error with the op's name and shapes. Training reads its loss every step, so it
//! stops there, with its last checkpoint intact. Nothing clears the error: a step taken after it leaves placeholders in
//! place of the weights, so the model must be loaded again onto a new handle. Nothing is ever copied silently to the host.

use crate::random::Key;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Storage owned by a device: what it is, only the device knows (it downcasts).
pub type Buffer = Arc<dyn Any + Send + Sync>;

/// What went wrong on a device, in words for the user.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{op} on {device} with shapes {shapes:?}: {reason}")]
pub struct DeviceError {
    /// Name of the primitive that failed first.
    pub op: String,
    /// Shapes of its operands, or of its result if it has none.
    pub shapes: Vec<Vec<usize>>,
    /// Name of the device.
    pub device: String,
    /// What happened and, where known, what to do about it.
    pub reason: String,
}

/// The result of a primitive; the reason of a failure is one sentence.
pub type DeviceResult<B = Buffer> = Result<B, String>;

/// Functions of one value. Parameters are `f64` and are rounded to the tensor's type once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// −x
    Neg,
    /// eˣ
    Exp,
    /// ln x
    Log,
    /// √x
    Sqrt,
    /// |x|, with derivative 0 at 0
    Abs,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// max(x, 0), with derivative 0 at 0
    Relu,
    /// x for x > 0, slope·x otherwise
    LeakyRelu(f64),
    /// x·Φ(x) with the exact normal distribution function (erf)
    Gelu,
    /// ln(1 + eˣ), without overflow
    Softplus,
    /// xᵖ; the derivative of x⁰ is 0, at 0 too
    Pow(f64),
    /// x limited to [low, high]; the derivative is 1 inside, 0 on the limits and outside
    Clamp(f64, f64),
    /// x + c
    AddScalar(f64),
    /// c·x
    MulScalar(f64),
}

impl Unary {
    /// The name in messages, which is that of the op.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Neg => "neg",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::Abs => "abs",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Relu => "relu",
            Unary::LeakyRelu(_) => "leaky_relu",
            Unary::Gelu => "gelu",
            Unary::Softplus => "softplus",
            Unary::Pow(_) => "pow",
            Unary::Clamp(..) => "clamp",
            Unary::AddScalar(_) => "add_scalar",
            Unary::MulScalar(_) => "mul_scalar",
        }
    }

    /// What the derivative is computed from.
    pub fn saved(self) -> Saved {
        match self {
            Unary::Exp | Unary::Sqrt | Unary::Tanh | Unary::Sigmoid | Unary::Relu => Saved::Output,
            Unary::Log
            | Unary::Abs
            | Unary::LeakyRelu(_)
            | Unary::Gelu
            | Unary::Softplus
            | Unary::Pow(_)
            | Unary::Clamp(..) => Saved::Input,
            Unary::Neg | Unary::AddScalar(_) | Unary::MulScalar(_) => Saved::Nothing,
        }
    }
}

/// What the backward pass of a [`Unary`] function has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// x.
    Input,
    /// y = f(x), which the next op often keeps anyway.
    Output,
    /// Nothing: the derivative is constant.
    Nothing,
}

/// Functions of two values, with broadcasting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// 1 where a = b, else 0 (used by gradients of max and min)
    Equal,
}

impl Binary {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Equal => "equal",
        }
    }
}

/// Reductions over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Sum
    Sum,
    /// Largest value; NaN wins
    Max,
    /// Smallest value; NaN wins
    Min,
}

impl Reduce {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Reduce::Sum => "sum",
            Reduce::Max => "max",
            Reduce::Min => "min",
        }
    }
}

/// How a strided copy walks one side: element `(i₀, i₁, …)` sits at `offset + Σ iₐ·strides[a]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Position of the first element, in elements.
    pub offset: usize,
    /// Steps along the axes, in elements: 0 repeats (expand), negative walks backwards (flip).
    pub strides: Vec<isize>,
}

/// `C[b] = alpha · op(A[b]) · op(B[b])` for b in 0..batch; op is the identity or the transpose. An [`Epilogue`] may follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatMul {
    /// Number of products.
    pub batch: usize,
    /// Rows of C.
    pub m: usize,
    /// Length of the inner sum.
    pub k: usize,
    /// Columns of C.
    pub n: usize,
    /// A holds `batch` matrices (otherwise one, used for all).
    pub a_batched: bool,
    /// B holds `batch` matrices (otherwise one, used for all).
    pub b_batched: bool,
    /// A is stored `[k, m]` instead of `[m, k]`.
    pub trans_a: bool,
    /// B is stored `[n, k]` instead of `[k, n]`.
    pub trans_b: bool,
    /// Factor on the product.
    pub alpha: f64,
}

/// What is added to a product before it is stored, which spares a pass over C. `X` is whatever holds an operand: a
/// tensor, a buffer, a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Epilogue<X> {
    /// Nothing.
    None,
    /// One row, `[n]`, to every row of C.
    Bias(X),
    /// beta·D, with D `[batch, m, n]` as C.
    Add(f64, X),
}

impl<X> Epilogue<X> {
    /// The same epilogue with its operand held by something else.
    pub fn map<Y>(self, f: impl FnOnce(X) -> Y) -> Epilogue<Y> {
        match self {
            Epilogue::None => Epilogue::None,
            Epilogue::Bias(bias) => Epilogue::Bias(f(bias)),
            Epilogue::Add(beta, d) => Epilogue::Add(beta, f(d)),
        }
    }
}

/// Sizes of an attention: P = softmax(scale·Q·Kᵀ) `[heads, N, M]`, applied as it stands or transposed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionSizes {
    /// Independent problems, B·H.
    pub heads: usize,
    /// Queries N of a head.
    pub queries: usize,
    /// Keys M of a head.
    pub keys: usize,
    /// Channels d of queries and keys.
    pub dim: usize,
    /// Channels e of what P is applied to.
    pub value_dim: usize,
    /// Factor on Q·Kᵀ.
    pub scale: f64,
    /// Applies Pᵀ.
    pub transposed: bool,
}

/// Sizes of a step of Cross-Diffusion Attention and its α; see
/// [`cross_diffusion_attention`](crate::ops::cross_diffusion_attention).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CdaSizes {
    /// Independent problems, B·H.
    pub heads: usize,
    /// Tokens N.
    pub tokens: usize,
    /// Channels d of a head.
    pub dim: usize,
    /// Factor on Q·Kᵀ.
    pub scale: f64,
    /// α.
    pub alpha: f64,
}

/// A normalisation of channels; see [`Var::batch_norm`](crate::Var::batch_norm).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelNorm {
    /// `[batch, channels, inner]`.
    pub size: (usize, usize, usize),
    /// Added to the variance.
    pub eps: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
    /// Whether mean and variance are those of the input itself, and not running averages.
    pub own_statistics: bool,
}

/// Sizes of a two-dimensional convolution (cross-correlation), PyTorch's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Pictures, B.
    pub batch: usize,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Step inside a window.
    pub dilation: [usize; 2],
    /// Channel groups; weights are `[out, in/groups, kh, kw]`.
    pub groups: usize,
}

impl Conv2dGeometry {
    /// Output height and width: floor((n + 2p − d(k−1) − 1)/s) + 1.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|i| {
            let span = self.dilation[i] * (self.kernel[i] - 1) + 1;
            (self.input[i] + 2 * self.padding[i] - span) / self.stride[i] + 1
        })
    }
}

/// Which value a pooling window yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest; the first of equals gets the gradient, as in PyTorch.
    Max,
    /// The sum divided by the window's divisor.
    Avg,
}

/// A pooling over `[planes, H, W]`: every output row (column) covers a range of input rows (columns), which serves
/// strided, padded and adaptive pooling alike.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolGeometry {
    /// Largest or mean.
    pub kind: Pool,
    /// B·C.
    pub planes: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Input rows `start..end` of every output row.
    pub rows: Vec<(usize, usize)>,
    /// Input columns `start..end` of every output column.
    pub cols: Vec<(usize, usize)>,
    /// Avg: what the sum is divided by; `None` divides by the number of covered pixels.
    pub divisor: Option<usize>,
}

/// One output position of a resampled axis: `(1 − weight)·x[low] + weight·x[high]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Lower source position.
    pub low: usize,
    /// Upper source position.
    pub high: usize,
    /// Share of the upper one, in [0, 1].
    pub weight: f64,
}

/// A separable resize of `[planes, H, W]`: nearest when every weight is 0, bilinear otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct ResizeGeometry {
    /// B·C.
    pub planes: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// One tap per output row.
    pub rows: Vec<Tap>,
    /// One tap per output column.
    pub cols: Vec<Tap>,
}

/// One step of SGD; see [`Optimizer::sgd`](crate::optim::Optimizer::sgd).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate of this step.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Nesterov's look-ahead.
    pub nesterov: bool,
}

/// One step of Adam or AdamW; see [`Optimizer::adamw`](crate::optim::Optimizer::adamw).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// AdamW: shrink the weight itself; Adam: add to the gradient.
    pub decoupled: bool,
    /// Number of this step, from 1, for the bias corrections.
    pub step: u64,
}

/// What an accelerator must do. Buffers are contiguous, row-major `f32`; results are new buffers. Shapes have been
/// checked by the caller. A failure's reason is a sentence that says what to do.
pub trait Device: Send + Sync {
    /// Name for messages and logs.
    fn name(&self) -> String;
    /// Copies host values to the device.
    fn upload(&self, values: &[f32]) -> DeviceResult;
    /// Copies a buffer to the host; waits for it.
    fn download(&self, buffer: &Buffer) -> DeviceResult<Vec<f32>>;
    /// Waits for everything submitted so far.
    fn sync(&self) -> DeviceResult<()>;

    /// `len` copies of one value.
    fn fill(&self, len: usize, value: f64) -> DeviceResult;
    /// Copies `shape` elements of `src`, walked by `from`, to the places walked by `to` of a copy of `dst` (or of
    /// `dst_len` zeros when there is none); `accumulate` adds instead of replacing. No two elements share a place.
    #[allow(clippy::too_many_arguments)] // two buffers, two walks and how to combine them: none can be left out
    fn strided_copy(
        &self,
        shape: &[usize],
        src: &Buffer,
        from: &View,
        dst: Option<&Buffer>,
        dst_len: usize,
        to: &View,
        accumulate: bool,
    ) -> DeviceResult;
    /// Dropout mask: element e is 1/keep where word e of the stream is below floor(keep·2³²), else 0.
    fn dropout_mask(&self, len: usize, key: Key, site: u64, keep: f64) -> DeviceResult;
    /// y = f(x).
    fn unary(&self, kind: Unary, x: &Buffer) -> DeviceResult;
    /// dx = f'(x)·dy, given what [`Unary::saved`] says: x, y = f(x) or nothing.
    fn unary_backward(&self, kind: Unary, saved: Option<&Buffer>, dy: &Buffer) -> DeviceResult;
    /// y = f(a, b) over `shape`, each operand walked by its (broadcast) strides.
    fn binary(
        &self,
        kind: Binary,
        shape: &[usize],
        a: (&Buffer, &[isize]),
        b: (&Buffer, &[isize]),
    ) -> DeviceResult;
    /// y = a where the condition holds, else b; all three of one length.
    fn select(&self, condition: &[bool], a: &Buffer, b: &Buffer) -> DeviceResult;
    /// `[outer, len, inner]` to `[outer, inner]`.
    fn reduce(&self, kind: Reduce, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult;
    /// Batched matrix product and what is added to it.
    fn matmul(&self, p: MatMul, a: &Buffer, b: &Buffer, epilogue: Epilogue<&Buffer>) -> DeviceResult;
    /// (gelu(h), h) for h = alpha·op(A)·op(B) + bias, bias `[n]`: a layer, its exact GELU, and what the gradient needs.
    fn matmul_gelu(&self, p: MatMul, a: &Buffer, b: &Buffer, bias: &Buffer)
    -> DeviceResult<(Buffer, Buffer)>;
    /// Softmax (or its logarithm) of the rows of `[rows, n]`.
    fn softmax(&self, x: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult;
    /// Gradient of softmax given its output y.
    fn softmax_backward(&self, y: &Buffer, dy: &Buffer, rows: usize, n: usize, log: bool) -> DeviceResult;
    /// y = P·x or Pᵀ·x with P = softmax(scale·Q·Kᵀ), which is not stored, and the rows' statistics `[heads, N, 2]`: largest
    /// score and 1/Σ of the exponentials from there. q `[heads, N, d]`, k `[heads, M, d]`; P·x: x `[heads, M, e]`,
    /// y `[heads, N, e]`; Pᵀ·x: x `[heads, N, e]`, y `[heads, M, e]`.
    fn attention(
        &self,
        z: AttentionSizes,
        q: &Buffer,
        k: &Buffer,
        x: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer)>;
    /// (dq, dk, dx) of `attention`, given what it got (q, k, x), what it gave (y, the statistics) and dy.
    fn attention_backward(
        &self,
        z: AttentionSizes,
        inputs: [&Buffer; 3],
        y: &Buffer,
        stats: &Buffer,
        dy: &Buffer,
    ) -> DeviceResult<[Buffer; 3]>;
    /// O_r, O_d, U_rd, U_dr of one step of Cross-Diffusion Attention and the statistics of P_r and P_d, as `attention` has
    /// them, for (q, k, v) of r and of d, `[heads, N, d]` each.
    fn cda(&self, z: CdaSizes, r: [&Buffer; 3], d: [&Buffer; 3]) -> DeviceResult<([Buffer; 4], [Buffer; 2])>;
    /// (dq, dk, dv) of r and of d, given what `cda` got, its O_r and O_d, its statistics and the gradients of its four
    /// results.
    fn cda_backward(
        &self,
        z: CdaSizes,
        inputs: [[&Buffer; 3]; 2],
        o: [&Buffer; 2],
        stats: [&Buffer; 2],
        dy: [&Buffer; 4],
    ) -> DeviceResult<[[Buffer; 3]; 2]>;
    /// Rows x̂ of `[rows, n]` of mean 0 and variance 1, times w plus b (`[n]` each) if given: (y, μ and 1/σ per row).
    fn normalize_rows(
        &self,
        x: &Buffer,
        rows: usize,
        n: usize,
        eps: f64,
        affine: Option<(&Buffer, &Buffer)>,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)>;
    /// dx of `normalize_rows` given x, μ, 1/σ and dy and, if there was a w, also (dw, db), `[n]` each.
    fn normalize_rows_backward(
        &self,
        x: &Buffer,
        mean: &Buffer,
        rstd: &Buffer,
        w: Option<&Buffer>,
        dy: &Buffer,
        n: usize,
    ) -> DeviceResult<(Buffer, Option<(Buffer, Buffer)>)>;
    /// Mean and biased variance of every channel of `[batch, channels, inner]` over batch and inner.
    fn channel_moments(&self, x: &Buffer, size: (usize, usize, usize)) -> DeviceResult<(Buffer, Buffer)>;
    /// y = (x − mean)/√(var + eps)·w + b per channel, then ReLU if `g.relu`.
    fn normalize_channels(
        &self,
        g: ChannelNorm,
        x: &Buffer,
        mean: &Buffer,
        var: &Buffer,
        w: &Buffer,
        b: &Buffer,
    ) -> DeviceResult;
    /// (dx, dw, db) of `normalize_channels`, given its result y behind a ReLU. If `g.own_statistics`, mean and var are
    /// those of x, and dx counts their dependence on it.
    #[allow(clippy::too_many_arguments)] // what the forward pass had, its result and dy
    fn normalize_channels_backward(
        &self,
        g: ChannelNorm,
        x: &Buffer,
        mean: &Buffer,
        var: &Buffer,
        w: &Buffer,
        y: Option<&Buffer>,
        dy: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)>;
    /// Cross-correlation `[B, in, H, W]` ⋆ `[out, in/groups, kh, kw]`.
    fn conv2d(&self, g: &Conv2dGeometry, x: &Buffer, w: &Buffer) -> DeviceResult;
    /// Gradient with respect to the input (and the forward pass of a transposed convolution).
    fn conv2d_dx(&self, g: &Conv2dGeometry, dy: &Buffer, w: &Buffer) -> DeviceResult;
    /// Gradient with respect to the weights.
    fn conv2d_dw(&self, g: &Conv2dGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult;
    /// Pooling.
    fn pool2d(&self, g: &PoolGeometry, x: &Buffer) -> DeviceResult;
    /// Gradient of pooling; x is needed to find the maxima again.
    fn pool2d_backward(&self, g: &PoolGeometry, x: &Buffer, dy: &Buffer) -> DeviceResult;
    /// Separable resampling.
    fn resize2d(&self, g: &ResizeGeometry, x: &Buffer) -> DeviceResult;
    /// Transpose of `resize2d`.
    fn resize2d_backward(&self, g: &ResizeGeometry, dy: &Buffer) -> DeviceResult;
    /// Rows of `[_, inner]` picked by number: `[rows.len(), inner]`.
    fn gather(&self, x: &Buffer, rows: &[usize], inner: usize) -> DeviceResult;
    /// Adds row i of dy into row `rows[i]` of `[total, inner]` zeros, in the order of i.
    fn scatter_add(&self, dy: &Buffer, rows: &[usize], inner: usize, total: usize) -> DeviceResult;
    /// One SGD update: (weight, momentum buffer); no buffer is needed, and none kept, when the momentum is 0.
    fn sgd_step(
        &self,
        h: SgdStep,
        w: &Buffer,
        dw: &Buffer,
        m: Option<&Buffer>,
    ) -> DeviceResult<(Buffer, Option<Buffer>)>;
    /// One Adam update: (weight, first moment, second moment).
    fn adam_step(
        &self,
        h: AdamStep,
        w: &Buffer,
        dw: &Buffer,
        m: &Buffer,
        v: &Buffer,
    ) -> DeviceResult<(Buffer, Buffer, Buffer)>;
}

/// A device as tensors hold it: cheap to clone, with the first error that happened on it.
#[derive(Clone)]
pub struct DeviceHandle {
    device: Arc<dyn Device>,
    error: Arc<Mutex<Option<DeviceError>>>,
}

impl DeviceHandle {
    /// Takes a device into use.
    pub fn new(device: impl Device + 'static) -> DeviceHandle {
        DeviceHandle { device: Arc::new(device), error: Arc::new(Mutex::new(None)) }
    }

    /// Name of the device.
    pub fn name(&self) -> String {
        self.device.name()
    }

    /// Waits for the device; returns the first error since it was taken into use.
    pub fn sync(&self) -> Result<(), DeviceError> {
        self.read("sync", &[], |device| device.sync())
    }

    /// Two handles on the same device.
    pub(crate) fn is(&self, other: &DeviceHandle) -> bool {
        Arc::ptr_eq(&self.device, &other.device)
    }

    /// Runs a primitive unless an earlier one failed; `None` means that an error is recorded, which `read` returns.
    pub(crate) fn run<B>(
        &self,
        op: &str,
        shapes: &[&[usize]],
        primitive: impl FnOnce(&dyn Device) -> DeviceResult<B>,
    ) -> Option<B> {
        let mut error = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if error.is_some() {
            return None;
        }
        match primitive(&*self.device) {
            Ok(result) => Some(result),
            Err(reason) => {
                let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
                *error = Some(DeviceError { op: op.to_owned(), shapes, device: self.device.name(), reason });
                None
            }
        }
    }

    /// As `run`, but with the error: for reads to the host.
    pub(crate) fn read<B>(
        &self,
        op: &str,
        shapes: &[&[usize]],
        primitive: impl FnOnce(&dyn Device) -> DeviceResult<B>,
    ) -> Result<B, DeviceError> {
        self.run(op, shapes, primitive).ok_or_else(|| {
            let error = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            error.clone().expect("run returns None only after recording an error")
        })
    }
}

impl fmt::Debug for DeviceHandle {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "DeviceHandle({})", self.name())
    }
}
