//! The innermost loop of every matrix product: a small tile of C that stays in registers.
//!
//! ```text
//!            NV vectors                      for each p in 0..k:
//!          B ┌────┬────┐  row p                load NV vectors of B's row p
//!            └────┴────┘                       for each of the MR rows:
//!   A  ┌┐    ┌────┬────┐                          spread one element of A over a vector
//!   MR ││    │ C, MR·NV │                          multiply-add it into NV accumulators
//!      └┘    └────┴────┘
//!      column p
//! ```
//!
//! AVX-512 has 32 registers: 14 rows of 2 vectors are 28 accumulators, and 28 independent multiply-adds a step hide each
//! other's latency. Only B's vectors and A's single elements are loaded: MR + NV loads for MR·NV multiply-adds.

#![allow(unsafe_code)] // registers are filled through pointers; every block says why it may

use crate::cpu::recycle::Pool;
use crate::cpu::simd::{Level, level};
use crate::real::Real;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
use std::cell::RefCell;
use std::sync::Mutex;
use std::thread::LocalKey;

/// Vectors of B in one step, at most.
const NV: usize = 2;

/// One call of the micro-kernel: C `[rows, cols]` = alpha·A·B + start. All pointers are to valid elements for the
/// strides given; B and C have unit column stride and `cols` rounded up to whole vectors of them.
pub struct Tile<T> {
    /// Length of the inner sum.
    pub k: usize,
    /// A and the distances between its rows and columns.
    pub a: (*const T, usize, usize),
    /// B and the distance between its rows.
    pub b: (*const T, usize),
    /// Where the sums start, with the distance between rows (0 repeats one row); null starts at 0.
    pub start: (*const T, usize),
    /// C and the distance between its rows.
    pub c: (*mut T, usize),
    /// Factor on A·B.
    pub alpha: T,
}

/// A micro-kernel and its largest tile.
#[derive(Clone, Copy)]
pub struct Kernel<T> {
    /// Rows of C at most.
    pub rows: usize,
    /// Columns of C at most, two vectors.
    pub cols: usize,
    /// `run(tile, height, two)` computes 1..=rows rows and, unless `two`, only one vector of columns.
    ///
    /// # Safety
    /// As [`Tile`] says; and the processor has the instructions the kernel was chosen for.
    pub run: unsafe fn(&Tile<T>, usize, bool),
}

/// What the CPU backend needs of a scalar besides arithmetic.
pub trait Kernels: Sized + 'static {
    /// The best micro-kernel this processor can run.
    fn kernel() -> Kernel<Self>;
    /// This thread's spare buffers, see [`with_scratch`].
    fn spare() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>>;
    /// Memory of dropped tensors.
    fn pool() -> &'static Mutex<Pool<Self>>;
}

/// Lends `f` a buffer of `len` elements with stale content. Buffers are kept by their thread, so that inner loops do not
/// allocate.
pub(crate) fn with_scratch<T: Real, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut buffer = T::spare().with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, T::zero());
    }
    let result = f(&mut buffer[..len]);
    T::spare().with_borrow_mut(|spare| spare.push(buffer));
    result
}

/// A register full of scalars.
trait Vector: Copy {
    type Scalar: Copy;
    /// Scalars in it.
    const LANES: usize;
    /// Rows of the register tile.
    const ROWS: usize;
    unsafe fn splat(x: Self::Scalar) -> Self;
    unsafe fn load(from: *const Self::Scalar) -> Self;
    unsafe fn store(self, to: *mut Self::Scalar);
    /// self·b + c
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// Asks for the cache line at `to`, which will be written.
    unsafe fn prefetch(to: *const Self::Scalar);
}

/// The tile itself. Everything is unrolled: MR and NW are known when it is compiled, so `sum` never leaves the registers.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "loops over indices are what keeps the sums apart, in registers"
)]
unsafe fn tile<V: Vector, const MR: usize, const NW: usize>(t: &Tile<V::Scalar>, zero: V::Scalar) {
    // SAFETY: the caller of `Kernel::run` promises that rows 0..MR, columns 0..NW·LANES and depth 0..k lie inside the
    // operands, and that the instructions exist.
    unsafe {
        let mut sum = [[V::splat(zero); NW]; MR];
        let (mut a, a_rs, a_cs) = t.a;
        let (mut b, b_rs) = t.b;
        for i in 0..MR {
            for j in 0..NW {
                // C is needed when the sums are done; asked for now, it arrives meanwhile.
                V::prefetch(t.c.0.wrapping_add(i * t.c.1 + j * V::LANES));
            }
        }
        for _ in 0..t.k {
            let mut row = [V::splat(zero); NW];
            for j in 0..NW {
                row[j] = V::load(b.add(j * V::LANES));
            }
            for i in 0..MR {
                let x = V::splat(*a.add(i * a_rs));
                for j in 0..NW {
                    sum[i][j] = x.mul_add(row[j], sum[i][j]);
                }
            }
            a = a.wrapping_add(a_cs);
            b = b.wrapping_add(b_rs);
        }
        let alpha = V::splat(t.alpha);
        for i in 0..MR {
            for j in 0..NW {
                let at = j * V::LANES;
                let start = if t.start.0.is_null() {
                    V::splat(zero)
                } else {
                    V::load(t.start.0.add(i * t.start.1 + at))
                };
                sum[i][j].mul_add(alpha, start).store(t.c.0.add(i * t.c.1 + at));
            }
        }
    }
}

/// Picks the unrolled tile.
#[inline(always)]
unsafe fn run<V: Vector, const NW: usize>(t: &Tile<V::Scalar>, rows: usize, zero: V::Scalar) {
    // SAFETY: passed on.
    unsafe {
        match rows {
            1 => tile::<V, 1, NW>(t, zero),
            2 => tile::<V, 2, NW>(t, zero),
            3 => tile::<V, 3, NW>(t, zero),
            4 => tile::<V, 4, NW>(t, zero),
            5 => tile::<V, 5, NW>(t, zero),
            6 => tile::<V, 6, NW>(t, zero),
            // Where registers are fewer the larger tiles are not compiled.
            _ if rows > V::ROWS => unreachable!("a tile has 1 to {} rows, not {rows}", V::ROWS),
            7 => tile::<V, 7, NW>(t, zero),
            8 => tile::<V, 8, NW>(t, zero),
            9 => tile::<V, 9, NW>(t, zero),
            10 => tile::<V, 10, NW>(t, zero),
            11 => tile::<V, 11, NW>(t, zero),
            12 => tile::<V, 12, NW>(t, zero),
            13 => tile::<V, 13, NW>(t, zero),
            14 => tile::<V, 14, NW>(t, zero),
            _ => unreachable!("a tile has 1 to {} rows, not {rows}", V::ROWS),
        }
    }
}

#[inline(always)]
unsafe fn one_or_two<V: Vector>(t: &Tile<V::Scalar>, rows: usize, two: bool, zero: V::Scalar) {
    // SAFETY: passed on.
    unsafe { if two { run::<V, NV>(t, rows, zero) } else { run::<V, 1>(t, rows, zero) } }
}

/// Four scalars and the compiler's own choice of instructions.
#[derive(Clone, Copy)]
struct Portable<T>([T; 4]);

impl<T: Real> Vector for Portable<T> {
    type Scalar = T;
    const LANES: usize = 4;
    const ROWS: usize = 6;
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Portable([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller passes a pointer to four scalars; no alignment beyond theirs is asked for.
        Portable(unsafe { from.cast::<[T; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[T; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // Where the baseline has no fused instruction, `mul_add` is a slow call.
        let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        let one =
            |i: usize| if fused { self.0[i].mul_add(b.0[i], c.0[i]) } else { self.0[i] * b.0[i] + c.0[i] };
        Portable([one(0), one(1), one(2), one(3)])
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const T) {}
}

unsafe fn portable<T: Real>(t: &Tile<T>, rows: usize, two: bool) {
    // SAFETY: passed on; no special instructions.
    unsafe { one_or_two::<Portable<T>>(t, rows, two, T::zero()) }
}

fn kernel_of<V: Vector>(run: unsafe fn(&Tile<V::Scalar>, usize, bool)) -> Kernel<V::Scalar> {
    Kernel { rows: V::ROWS, cols: NV * V::LANES, run }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The same operations in the processor's vector instructions.

    use super::{Tile, Vector, one_or_two};
    use std::arch::x86_64::*;

    // Each method is one instruction. SAFETY: `load` and `store` get pointers to LANES scalars (unaligned forms are used);
    // the instructions exist because `Kernels::kernel` asked the processor before choosing these kernels.
    impl Vector for __m512 {
        type Scalar = f32;
        const LANES: usize = 16;
        const ROWS: usize = 14;
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn prefetch(to: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
        }
    }

    impl Vector for __m512d {
        type Scalar = f64;
        const LANES: usize = 8;
        const ROWS: usize = 14;
        #[inline(always)]
        unsafe fn splat(x: f64) -> Self {
            unsafe { _mm512_set1_pd(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm512_loadu_pd(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm512_storeu_pd(to, self) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm512_fmadd_pd(self, b, c) }
        }
        #[inline(always)]
        unsafe fn prefetch(to: *const f64) {
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
        }
    }

    // AVX2 has 16 registers: 6 rows of 2 vectors.
    impl Vector for __m256 {
        type Scalar = f32;
        const LANES: usize = 8;
        const ROWS: usize = 6;
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn prefetch(to: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
        }
    }

    impl Vector for __m256d {
        type Scalar = f64;
        const LANES: usize = 4;
        const ROWS: usize = 6;
        #[inline(always)]
        unsafe fn splat(x: f64) -> Self {
            unsafe { _mm256_set1_pd(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm256_loadu_pd(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm256_storeu_pd(to, self) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm256_fmadd_pd(self, b, c) }
        }
        #[inline(always)]
        unsafe fn prefetch(to: *const f64) {
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
        }
    }

    // SAFETY of the four: the tile's promise is passed on, the features are named here.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f32(t: &Tile<f32>, rows: usize, two: bool) {
        unsafe { one_or_two::<__m512>(t, rows, two, 0.0) }
    }
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f64(t: &Tile<f64>, rows: usize, two: bool) {
        unsafe { one_or_two::<__m512d>(t, rows, two, 0.0) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f32(t: &Tile<f32>, rows: usize, two: bool) {
        unsafe { one_or_two::<__m256>(t, rows, two, 0.0) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f64(t: &Tile<f64>, rows: usize, two: bool) {
        unsafe { one_or_two::<__m256d>(t, rows, two, 0.0) }
    }
}

impl Kernels for f32 {
    fn kernel() -> Kernel<f32> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => kernel_of::<__m512>(x86::avx512_f32),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => kernel_of::<__m256>(x86::avx2_f32),
            _ => kernel_of::<Portable<f32>>(portable),
        }
    }
    fn spare() -> &'static LocalKey<RefCell<Vec<Vec<f32>>>> {
        thread_local!(static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) });
        &SPARE
    }
    fn pool() -> &'static Mutex<Pool<f32>> {
        static POOL: Mutex<Pool<f32>> = Mutex::new(Pool::new());
        &POOL
    }
}

impl Kernels for f64 {
    fn kernel() -> Kernel<f64> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => kernel_of::<__m512d>(x86::avx512_f64),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => kernel_of::<__m256d>(x86::avx2_f64),
            _ => kernel_of::<Portable<f64>>(portable),
        }
    }
    fn spare() -> &'static LocalKey<RefCell<Vec<Vec<f64>>>> {
        thread_local!(static SPARE: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) });
        &SPARE
    }
    fn pool() -> &'static Mutex<Pool<f64>> {
        static POOL: Mutex<Pool<f64>> = Mutex::new(Pool::new());
        &POOL
    }
}
