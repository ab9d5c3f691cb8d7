//! The kernels behind host tensors, and the only place that uses rayon.
//!
//! Work is cut into parts that are computed by one thread each. The cut may depend on the number of threads; the order in
//! which an element's terms are added never does, and so the bits of a result do not either.

pub(crate) mod attention;
pub(crate) mod batch_norm;
pub(crate) mod cda;
pub(crate) mod conv;
pub(crate) mod elementwise;
mod function;
pub(crate) mod gemm;
pub(crate) mod index;
mod lanes;
pub(crate) mod norm;
pub(crate) mod optim;
pub(crate) mod pool;
pub(crate) mod recycle;
pub(crate) mod reduce;
pub(crate) mod resize;
pub(crate) mod simd;
pub(crate) mod softmax;
pub(crate) mod strided;
pub(crate) mod vecmath;

use rayon::prelude::*;

/// Elements one task handles: 64 KiB of `f32`, so that a task is worth its hand-over and stays in the cache.
const CHUNK: usize = 16 * 1024;

/// Calls `f(first position, chunk)` for every `size`-element chunk of `out`, in parallel when there are several;
/// never with an empty one.
fn for_chunks<T: Send>(out: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    if out.is_empty() {
        return;
    }
    if out.len() <= size {
        f(0, out);
    } else {
        out.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i * size, chunk));
    }
}

/// How many rows of `n` elements make a chunk.
fn rows_per_chunk(n: usize) -> usize {
    (CHUNK / n.max(1)).max(1)
}
