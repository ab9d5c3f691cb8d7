//! Which vector instructions this processor has, asked once at run time.
//!
//! The crate is compiled for the oldest processor of its architecture (SSE2 on x86-64). Hot loops are compiled two times
//! more, for AVX2 and for AVX-512, and [`widest`] calls the best copy that runs here. A loop must not sum in an order that
//! depends on the vector length; then every copy gives the same bits.

use std::sync::OnceLock;

/// Vector instructions, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What the compiler may always assume.
    Baseline,
    /// AVX2 and FMA: eight `f32` at a time.
    Avx2,
    /// AVX-512 F, VL, BW and DQ: sixteen `f32` at a time.
    Avx512,
}

/// The vector instructions that host tensors are computed with: "baseline", "avx2" or "avx512".
pub fn vector_instructions() -> &'static str {
    match level() {
        Level::Baseline => "baseline",
        Level::Avx2 => "avx2",
        Level::Avx512 => "avx512",
    }
}

/// The best level this processor has. `AUTOGRAD_SIMD=baseline` or `avx2` lowers it, to test and to measure the others.
pub(crate) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let most = match std::env::var("AUTOGRAD_SIMD").as_deref() {
            Ok("baseline") => Level::Baseline,
            Ok("avx2") => Level::Avx2,
            Ok("avx512") | Err(_) => Level::Avx512,
            Ok(other) => panic!("AUTOGRAD_SIMD={other:?} is none of baseline, avx2, avx512"),
        };
        detected().min(most)
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("fma")) {
        Level::Baseline
    } else if has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Baseline
}

/// A loop together with its operands. Its `run`, and what that calls for each element, must be `#[inline(always)]`: only
/// what is inlined into the copies below is compiled for their instructions. A closure would not do: it is a function of
/// its own, and with several callers it is compiled once, for the oldest processor.
pub(crate) trait Kernel {
    /// What the loop returns.
    type Output;
    /// The loop.
    fn run(self) -> Self::Output;
}

/// Runs `kernel` in the copy that is compiled for this processor's instructions.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx2,fma")]
    fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")]
    fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
    match level() {
        Level::Baseline => kernel.run(),
        // SAFETY: `level` has found AVX2 and FMA on this processor.
        Level::Avx2 => unsafe { avx2(kernel) },
        // SAFETY: `level` has found these features, AVX2 and FMA among them, on this processor.
        Level::Avx512 => unsafe { avx512(kernel) },
    }
}

/// Runs `kernel`: the compiler's own choice of instructions is all there is to choose from.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_best_there_is_up_to_the_one_asked_for() {
        let most = match std::env::var("AUTOGRAD_SIMD").as_deref() {
            Ok("baseline") => Level::Baseline,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        assert!(level() == detected().min(most));
    }

    /// A process keeps to one level, so the unit tests of all kernels run again in processes with the lower ones. On a
    /// processor that lacks a level this is the one below it, once more.
    #[test]
    fn kernels_pass_at_every_level() {
        for level in ["baseline", "avx2"] {
            let output =
                std::process::Command::new(std::env::current_exe().expect("a test knows where it is"))
                    .args(["cpu::", "--skip", "kernels_pass_at_every_level"])
                    .env("AUTOGRAD_SIMD", level)
                    .output()
                    .expect("the test binary runs");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("several_blocks ... ok"), "{level}: {said}");
        }
    }
}
