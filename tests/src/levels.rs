//! The same tests with other instruction sets.

use std::process::Command;

/// Runs tests of one module of the calling test binary again, each set of instructions in a process of its own, since a
/// process keeps to one. On a processor that lacks a level this is the one below it, once more.
#[track_caller]
pub fn pass_at_every_level(module: &str, tests: &[&str]) {
    let tests: Vec<String> = tests.iter().map(|test| format!("{module}::{test}")).collect();
    for level in ["baseline", "avx2"] {
        let output = Command::new(std::env::current_exe().expect("a test knows where it is"))
            .arg("--exact")
            .args(&tests)
            .env("AUTOGRAD_SIMD", level)
            .output()
            .expect("the test binary runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{level}: {said}");
        for test in &tests {
            assert!(said.contains(&format!("test {test} ... ok")), "{level}: {test} did not run: {said}");
        }
    }
}
