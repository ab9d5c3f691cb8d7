//! One value in, one value out; copies, reductions and random masks.

use crate::gpu::{Dispatch, Gpu, float, int};
use crate::memory::Block;
use crate::shader::{BINARY, DROPOUT, REDUCE, SELECT, STRIDED_COPY, Shader, UNARY, UNARY_BACKWARD, Values};
use autograd::device::{Binary, DeviceResult, Reduce, Unary, View};
use autograd::random::Key;

/// Axes that the shaders walk; neighbouring axes that are walked as one count as one.
const MAX_AXES: usize = 8;

/// Terms of a sum that one invocation adds up before the sum is cut.
const LONG_SUM: usize = 64;

/// Elements a workgroup of most shaders has.
pub(crate) const GROUP: usize = 256;

/// The number that the shaders `unary` and `unary_backward` know a function by, and its parameters.
fn unary_code(kind: Unary) -> (u32, [f64; 2]) {
    match kind {
        Unary::Neg => (0, [0.0; 2]),
        Unary::Exp => (1, [0.0; 2]),
        Unary::Log => (2, [0.0; 2]),
        Unary::Sqrt => (3, [0.0; 2]),
        Unary::Abs => (4, [0.0; 2]),
        Unary::Tanh => (5, [0.0; 2]),
        Unary::Sigmoid => (6, [0.0; 2]),
        Unary::Relu => (7, [0.0; 2]),
        Unary::LeakyRelu(slope) => (8, [slope, 0.0]),
        Unary::Gelu => (9, [0.0; 2]),
        Unary::Softplus => (10, [0.0; 2]),
        Unary::Pow(p) => (11, [p, 0.0]),
        Unary::Clamp(low, high) => (12, [low, high]),
        Unary::AddScalar(c) => (13, [c, 0.0]),
        Unary::MulScalar(c) => (14, [c, 0.0]),
    }
}

impl Gpu {
    /// A shader that computes one element of its first output per invocation, in groups of 256.
    pub(crate) fn map(
        &self,
        shader: &Shader,
        values: Values,
        outputs: &[&Block],
        inputs: &[&Block],
        params: &[u32],
    ) -> Result<(), String> {
        let groups = outputs[0].len().div_ceil(GROUP);
        self.dispatch(Dispatch { shader, values, outputs, inputs, params, groups })
    }

    pub(crate) fn unary(&self, kind: Unary, x: &Block) -> DeviceResult<Block> {
        let y = self.allocate(x.len())?;
        let (code, [a, b]) = unary_code(kind);
        self.map(&UNARY, &[code], &[&y], &[x], &[int(x.len()), float(a), float(b)])?;
        Ok(y)
    }

    pub(crate) fn unary_backward(
        &self,
        kind: Unary,
        saved: Option<&Block>,
        dy: &Block,
    ) -> DeviceResult<Block> {
        let dx = self.allocate(dy.len())?;
        let (code, [a, b]) = unary_code(kind);
        let saved = saved.unwrap_or(dy); // where nothing is saved, its value does not matter
        self.map(&UNARY_BACKWARD, &[code], &[&dx], &[saved, dy], &[int(dy.len()), float(a), float(b)])?;
        Ok(dx)
    }

    pub(crate) fn binary(
        &self,
        kind: Binary,
        shape: &[usize],
        a: (&Block, &[isize]),
        b: (&Block, &[isize]),
    ) -> DeviceResult<Block> {
        let code = match kind {
            Binary::Add => 0,
            Binary::Sub => 1,
            Binary::Mul => 2,
            Binary::Div => 3,
            Binary::Equal => 4,
        };
        let y = self.allocate(shape.iter().product())?;
        let walk = Walk::new(shape, [a.1, b.1])?;
        let mut params = vec![int(y.len()), walk.rank];
        params.extend(walk.axes);
        self.map(&BINARY, &[code], &[&y], &[a.0, b.0], &params)?;
        Ok(y)
    }

    pub(crate) fn strided_copy(
        &self,
        shape: &[usize],
        (src, from): (&Block, &View),
        (dst, dst_len): (Option<&Block>, usize),
        to: &View,
        accumulate: bool,
    ) -> DeviceResult<Block> {
        let y = self.allocate(dst_len)?;
        match dst {
            Some(dst) => self.copy(dst, &y)?,
            None => self.fill(&y, 0.0)?,
        }
        let len: usize = shape.iter().product();
        let walk = Walk::new(shape, [&from.strides, &to.strides])?;
        let mut params = vec![int(len), walk.rank, int(from.offset), int(to.offset), u32::from(accumulate)];
        params.extend(walk.axes);
        let (outputs, inputs, groups) = (&[&y], &[src], len.div_ceil(GROUP));
        self.dispatch(Dispatch {
            shader: &STRIDED_COPY,
            values: &[],
            outputs,
            inputs,
            params: &params,
            groups,
        })?;
        Ok(y)
    }

    pub(crate) fn select(&self, condition: &[bool], a: &Block, b: &Block) -> DeviceResult<Block> {
        let pack = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u32::from(bit));
        let bits = self.upload(&condition.chunks(32).map(pack).collect::<Vec<u32>>())?;
        let y = self.allocate(condition.len())?;
        self.map(&SELECT, &[], &[&y], &[a, b, &bits], &[int(y.len())])?;
        Ok(y)
    }

    pub(crate) fn reduce(
        &self,
        kind: Reduce,
        x: &Block,
        (outer, len, inner): (usize, usize, usize),
    ) -> DeviceResult<Block> {
        let code = match kind {
            Reduce::Sum => 0,
            Reduce::Max => 1,
            Reduce::Min => 2,
        };
        if len == 0 {
            let y = self.allocate(outer * inner)?;
            let nothing = [0.0, f64::NEG_INFINITY, f64::INFINITY][code as usize];
            self.fill(&y, nothing)?;
            return Ok(y);
        }
        let chunks = if len > LONG_SUM { len.div_ceil(LONG_SUM) } else { 1 };
        let y = self.allocate(outer * chunks * inner)?;
        self.map(&REDUCE, &[code], &[&y], &[x], &[y.len(), len, inner, chunks].map(int))?;
        if chunks == 1 { Ok(y) } else { self.reduce(kind, &y, (outer, chunks, inner)) }
    }

    pub(crate) fn dropout_mask(&self, len: usize, key: Key, site: u64, keep: f64) -> DeviceResult<Block> {
        let mask = self.allocate(len)?;
        // Words below the threshold are those up to the number before it, which fits 32 bits when the threshold does not.
        let threshold = (keep * 4_294_967_296.0).floor() as u64;
        let Some(last) = threshold.checked_sub(1) else {
            self.fill(&mask, 0.0)?;
            return Ok(mask);
        };
        let [seed, stream] =
            [key.seed, key.rng(site).get_stream()].map(|word| [word as u32, (word >> 32) as u32]);
        let params = [int(len), float(1.0 / keep), last as u32, seed[0], seed[1], stream[0], stream[1]];
        let (outputs, groups) = (&[&mask], len.div_ceil(16 * 64));
        self.dispatch(Dispatch {
            shader: &DROPOUT,
            values: &[],
            outputs,
            inputs: &[],
            params: &params,
            groups,
        })?;
        Ok(mask)
    }
}

/// How two operands are walked, as the shaders take it: the shape, then the strides of one and of the other.
struct Walk {
    rank: u32,
    axes: [u32; 3 * MAX_AXES],
}

impl Walk {
    fn new(shape: &[usize], strides: [&[isize]; 2]) -> Result<Walk, String> {
        let axes = merge_axes(shape, strides);
        if axes.len() > MAX_AXES {
            return Err(format!(
                "{} axes that cannot be merged; the shaders walk {MAX_AXES}: permute fewer axes at a time",
                axes.len()
            ));
        }
        let mut walk = Walk { rank: int(axes.len()), axes: [0; 3 * MAX_AXES] };
        for (i, (size, [a, b])) in axes.into_iter().enumerate() {
            walk.axes[i] = int(size);
            walk.axes[MAX_AXES + i] = a as i32 as u32; // strides are shorter than buffers, and those below 2³⁰
            walk.axes[2 * MAX_AXES + i] = b as i32 as u32;
        }
        Ok(walk)
    }
}

/// Leaves axes of size 1 out and joins those that both operands step through as if they were one.
fn merge_axes(shape: &[usize], [a, b]: [&[isize]; 2]) -> Vec<(usize, [isize; 2])> {
    let mut axes: Vec<(usize, [isize; 2])> = Vec::new();
    for ((&size, &a), &b) in shape.iter().zip(a).zip(b) {
        let inner = [a, b].map(|stride| stride * size as isize);
        match axes.last_mut() {
            _ if size == 1 => {}
            Some((outer, strides)) if *strides == inner => {
                *outer *= size;
                *strides = [a, b];
            }
            _ => axes.push((size, [a, b])),
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::merge_axes;

    #[test]
    fn axes_merge_where_both_operands_allow() {
        let plain: &[isize] = &[12, 4, 1];
        assert_eq!(merge_axes(&[2, 3, 4], [plain, plain]), [(24, [1, 1])]);
        assert_eq!(merge_axes(&[2, 3, 4], [plain, &[0, 4, 1]]), [(2, [12, 0]), (12, [1, 1])]);
        assert_eq!(merge_axes(&[2, 3, 4], [plain, &[0, 0, 0]]), [(24, [1, 0])]);
        assert_eq!(merge_axes(&[2, 1, 4], [&[4, 99, 1], &[1, 99, 2]]), [(2, [4, 1]), (4, [1, 2])]);
        assert_eq!(merge_axes(&[], [&[], &[]]), []);
    }
}
