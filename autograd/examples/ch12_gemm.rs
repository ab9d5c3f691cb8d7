//! Chapter 12: one matrix product, from the triple loop to the engine's, with the same 268 million FLOP each time.
//!
//! `cargo run --release -p autograd --example ch12_gemm`

use autograd::Tensor;
use autograd::random::Key;
use std::process::ExitCode;
use std::time::Instant;

mod course;

/// Rows and columns of A, B and C.
const N: usize = 512;
/// Side of a block of B: 64 · 64 · 4 bytes are half of a first-level cache of 32 KiB.
const SIDE: usize = 64;
/// Rows and columns of the tile of C that stays in registers.
const ROWS: usize = 4;
const COLS: usize = 8;

// ANCHOR: loops
/// The definition: C_ij is row i of A times column j of B.
fn ijk(a: &[f32], b: &[f32], c: &mut [f32]) {
    for i in 0..N {
        for j in 0..N {
            let mut sum = 0.0;
            for l in 0..N {
                sum += a[i * N + l] * b[l * N + j];
            }
            c[i * N + j] = sum;
        }
    }
}

/// The inner loops exchanged: row i of C collects the rows of B, and every walk is along a row.
fn ikj(a: &[f32], b: &[f32], c: &mut [f32]) {
    for (a_row, c_row) in a.chunks(N).zip(c.chunks_mut(N)) {
        for (x, b_row) in a_row.iter().zip(b.chunks(N)) {
            add_scaled(*x, b_row, c_row);
        }
    }
}

/// c += x·b.
fn add_scaled(x: f32, b: &[f32], c: &mut [f32]) {
    for (c, b) in c.iter_mut().zip(b) {
        *c += x * b;
    }
}
// ANCHOR_END: loops

// ANCHOR: blocked
/// The same loops over blocks: one block of B stays in the first-level cache while all rows of A and C pass by.
fn blocked(a: &[f32], b: &[f32], c: &mut [f32]) {
    for j in (0..N).step_by(SIDE) {
        for l in (0..N).step_by(SIDE) {
            for (a_row, c_row) in a.chunks(N).zip(c.chunks_mut(N)) {
                for (x, b_row) in a_row[l..l + SIDE].iter().zip(b[l * N..].chunks(N)) {
                    add_scaled(*x, &b_row[j..j + SIDE], &mut c_row[j..j + SIDE]);
                }
            }
        }
    }
}
// ANCHOR_END: blocked

// ANCHOR: registers
/// A tile of C in registers. Eight columns of B, copied so that they lie together, serve all tiles below each other.
fn registers(a: &[f32], b: &[f32], c: &mut [f32]) {
    for j in (0..N).step_by(COLS) {
        let panel: Vec<[f32; COLS]> =
            b.chunks(N).map(|row| *row[j..].first_chunk().expect("8 columns")).collect();
        for (a_rows, c_rows) in a.chunks(ROWS * N).zip(c.chunks_mut(ROWS * N)) {
            for (sums, c_row) in tile(a_rows, &panel).iter().zip(c_rows.chunks_mut(N)) {
                c_row[j..j + COLS].copy_from_slice(sums);
            }
        }
    }
}

/// Four rows of A times the panel: twelve values loaded for 32 multiply-adds.
fn tile(a_rows: &[f32], panel: &[[f32; COLS]]) -> [[f32; COLS]; ROWS] {
    let mut sums = [[0.0; COLS]; ROWS];
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &a_rows[row * N..][..N]);
    for (l, b) in panel.iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += row[l] * b;
            }
        }
    }
    sums
}
// ANCHOR_END: registers

// ANCHOR: loads
/// Values loaded for one FLOP where `rows` × `cols` elements of C are kept: each step takes a column of A and a row of B.
fn loads(rows: usize, cols: usize) -> f64 {
    (rows + cols) as f64 / (2 * rows * cols) as f64
}
// ANCHOR_END: loads

/// Times a product for a while, holds it against `expected` and prints its loads per FLOP.
fn report(name: &str, [near, far]: [f64; 2], expected: &[f32], product: impl Fn(&mut [f32])) {
    let (mut c, mut best, begin) = (vec![], f64::INFINITY, Instant::now());
    while begin.elapsed().as_secs_f64() < 0.2 {
        c = vec![0.0; N * N];
        let start = Instant::now();
        product(&mut c);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let agree = c.iter().zip(expected).all(|(c, expected)| (c - expected).abs() < 1e-3);
    println!("{name:<10}{near:8.4} {far:8.4}    values {}", if agree { "agree" } else { "DIFFER" });
    println!("{:28}{:9.2} ms, {:6.1} GFLOP/s", "", 1e3 * best, 2e-9 * (N * N * N) as f64 / best);
}

fn lesson() {
    let [a, b] = [0, 1].map(|site| Tensor::<f32>::randn(&[N, N], Key::default(), site));
    let by_engine = a.matmul(false, &b, false, 1.0);
    let (x, y, z) = (a.as_slice(), b.as_slice(), by_engine.as_slice());
    println!("{N} × {N}: loads per FLOP, into registers and from beyond the first-level cache");
    report("ijk", [loads(1, 1), 16.0 / 2.0], z, |c| ijk(x, y, c)); // for one value of B a whole line of 16
    report("ikj", [1.0, 0.5], z, |c| ikj(x, y, c)); // a value of B and one of C for two FLOP; B from far
    report("blocked", [1.0, loads(SIDE, SIDE)], z, |c| blocked(x, y, c));
    report("registers", [loads(ROWS, COLS), 0.5 / COLS as f64], z, |c| registers(x, y, c)); // A, for each panel
    let engine = |c: &mut [f32]| c.copy_from_slice(a.matmul(false, &b, false, 1.0).as_slice());
    report("engine", [loads(14, 32), 0.5 / 14.0], z, engine); // B, for each tile
    println!("\nloads per FLOP of the shaders, from shared memory and from memory");
    println!("naive            - {:8.4}", loads(1, 1));
    println!("tiled 64  {:8.4} {:8.4}", loads(4, 4), loads(64, 64));
    println!("vec4 128  {:8.4} {:8.4}", loads(8, 8), loads(128, 128));
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "a kernel keeps 6 × 16 elements of C in registers. How many FLOP does it do for each value it loads?",
        || vec![1.0 / loads(6, 16)],
        "A step loads 6 values of A and 16 of B, and a multiply-add is two FLOP.",
    )
}
