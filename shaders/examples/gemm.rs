//! The matrix product in every version, from teaching to fast, on one size: checked against the host and timed.
//!
//! ```sh
//! cargo run --release -p shaders --example gemm -- M K N [DEVICE]
//! ```
//!
//! C = A·B with A `[M, K]` and B `[K, N]`; without sizes 256, 256, 256. `DEVICE` counts from 0 in the order of
//! `shaders::adapters`. The time is that of a run of products until the device is done, divided by their number; on a
//! device of the kind `cpu`, a driver that computes on the processor, it says nothing about a GPU.

use autograd::device::{Buffer, Device, Epilogue, MatMul};
use autograd::random::Key;
use autograd::{Real, Tensor};
use shaders::{Gemm, VulkanDevice};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let (size, index) = match numbers[..] {
        [] => ([256; 3], 0),
        [m, k, n] => ([m, k, n], 0),
        [m, k, n, index] => ([m, k, n], index),
        _ => return Err("give M K N, or M K N DEVICE, or nothing".into()),
    };
    let [m, k, n] = size;
    if m * k * n == 0 {
        return Err("M, K and N must be positive".into());
    }
    let device = VulkanDevice::open(index)?;
    println!("{}", device.adapter());
    println!("A [{m}, {k}] times B [{k}, {n}], {:.1} million multiply-adds", (m * k * n) as f64 / 1e6);

    let draw = |shape: &[usize], site: u64| Tensor::<f32>::randn(shape, Key::default(), site);
    let (a, b) = (draw(&[m, k], 0), draw(&[k, n], 1));
    let start = Instant::now();
    let expected = a.matmul(false, &b, false, 1.0);
    report("host", start.elapsed().as_secs_f64(), size, "");

    let (a, b) = (device.upload(a.as_slice())?, device.upload(b.as_slice())?);
    for version in Gemm::ALL {
        match measure(&device, version, size, (&a, &b)) {
            Ok((seconds, c)) => {
                let error = largest_difference(&c, expected.as_slice());
                report(&version.to_string(), seconds, size, &format!("largest error {error:.1e}"));
            }
            Err(reason) => println!("{version:10} {reason}"),
        }
    }
    Ok(())
}

/// Seconds a product, and the product.
fn measure(
    device: &VulkanDevice,
    version: Gemm,
    [m, k, n]: [usize; 3],
    (a, b): (&Buffer, &Buffer),
) -> Result<(f64, Vec<f32>), String> {
    let p = MatMul {
        batch: 1,
        m,
        k,
        n,
        a_batched: true,
        b_batched: true,
        trans_a: false,
        trans_b: false,
        alpha: 1.0,
    };
    let product = || device.matmul_by(version, p, a, b, Epilogue::None);
    let c = device.download(&product()?)?; // compiles the shader
    let mut times = 1;
    loop {
        let start = Instant::now();
        for _ in 0..times {
            product()?;
        }
        device.sync()?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds > 0.2 {
            return Ok((seconds / f64::from(times), c));
        }
        times *= 2;
    }
}

/// Relative to the largest value; NaN where there is one.
fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    let largest = expected.iter().fold(0f64, |max, x| max.max(x.f64().abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a.f64() - b.f64()).abs());
    let worst = differences.fold(0.0, |max, x| if x > max || x.is_nan() { x } else { max });
    worst / largest
}

fn report(name: &str, seconds: f64, [m, k, n]: [usize; 3], remark: &str) {
    let gflops = 2.0 * (m * k * n) as f64 / seconds / 1e9;
    println!("{name:10} {:10.3} ms {gflops:9.2} GFLOP/s   {remark}", 1e3 * seconds);
}
