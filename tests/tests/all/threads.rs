//! The number of threads must not change a single bit: the table and larger inputs, which take the parallel paths, run
//! in child processes with 1, 2, 3 and 8 threads, and their hashes must be equal.

use autograd::Tensor;
use std::process::Command;
use tests::op_table::{Outcome, large_rows, rows};

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let one = hashes_with("threads::print_hashes", 1);
    assert_eq!(one.len(), rows::<f32>().len() + large_rows::<f32>().len(), "every row has a hash");
    for threads in [2, 3, 8] {
        let many = hashes_with("threads::print_hashes", threads);
        let differ: Vec<&String> =
            many.iter().zip(&one).filter(|(a, b)| a != b).map(|(line, _)| line).collect();
        assert!(
            many.len() == one.len() && differ.is_empty(),
            "with {threads} threads these differ: {differ:#?}"
        );
    }
}

#[test]
#[ignore = "prints the hashes for the test above, which runs it in child processes"]
fn print_hashes() {
    println!();
    for row in rows::<f32>().into_iter().chain(large_rows()) {
        let Outcome { value, gradients, .. } = row.run(Tensor::clone);
        println!("hash {:016x} {}", hash([&value].into_iter().chain(&gradients)), row.name);
    }
}

/// The lines `hash …` that an ignored test prints in a process of its own.
pub(super) fn hashes_with(test: &str, threads: usize) -> Vec<String> {
    let binary = std::env::current_exe().expect("a test knows where it is");
    let output = Command::new(binary)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .expect("the test binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are UTF-8");
    text.lines().filter(|line| line.starts_with("hash ")).map(str::to_owned).collect()
}

/// FNV-1a over the bits of all tensors.
pub(super) fn hash<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> u64 {
    tensors.flat_map(|x| x.as_slice()).fold(0xcbf2_9ce4_8422_2325, |hash, x| {
        (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
