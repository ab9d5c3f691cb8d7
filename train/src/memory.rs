//! How much memory did this run need?

use std::fs;

/// The largest resident set this process ever had, in MiB: `VmHWM` where Linux reports it, `None` elsewhere.
pub fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_given_back_still_counts() {
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        drop(block);
        let peak = peak_mb().expect("Linux reports the peak");
        assert!(peak > 64.0, "64 MiB were filled, and the peak is {peak} MiB");
        assert!(peak < 16_384.0, "{peak} MiB is no unit test's memory");
    }
}
