//! What the op table in `tests/` does not reach: guards, limits, reuse, and the fast shaders against the plain ones.

use crate::adapter::choose;
use crate::gpu::{Dispatch, Gpu, int};
use crate::memory::Block;
use crate::shader::Shader;
use crate::{OpenError, adapters};
use autograd::device::{Reduce, Unary};

mod attention;
mod convolution;
mod gemm;

/// The first device; `None`, said on standard error, where there is none. With `MUTUALFORMER_REQUIRE_VULKAN=1` that is
/// a failure.
fn device(guarded: bool) -> Option<Gpu> {
    match Gpu::open(0, guarded) {
        Ok(gpu) => Some(gpu),
        Err(error @ (OpenError::NoLoader | OpenError::NoDevice)) => {
            let required = std::env::var("MUTUALFORMER_REQUIRE_VULKAN").is_ok_and(|value| value == "1");
            assert!(!required, "MUTUALFORMER_REQUIRE_VULKAN is set, but {error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn upload(gpu: &Gpu, values: &[f32]) -> Block {
    gpu.upload(bytemuck::cast_slice(values)).unwrap()
}

fn download(gpu: &Gpu, block: &Block) -> Vec<f32> {
    gpu.download(block).unwrap().into_iter().map(f32::from_bits).collect()
}

/// Numbers in [−1, 1) that look like noise.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let word = |e: u32| (e ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    (0..len as u32).map(|e| (word(e) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

#[test]
fn devices_are_listed_in_order_and_described() {
    let Some(gpu) = device(false) else { return };
    let all = adapters().unwrap();
    let rank =
        |kind: &str| ["discrete", "integrated", "virtual", "cpu", "other"].iter().position(|k| *k == kind);
    assert!(all.is_sorted_by_key(|adapter| rank(adapter.kind).expect("a kind is one of five")));
    assert!(all.iter().enumerate().all(|(i, adapter)| adapter.index == i));
    assert_eq!(all[0].name, gpu.adapter.name);
    println!("{}", all[0]);
    let error = Gpu::open(all.len(), false).err().expect("there is no such device");
    assert_eq!(error, OpenError::OutOfRange { index: all.len(), count: all.len() });
}

/// A shader that writes as many elements as it is told, whatever the size of its buffer.
const CARELESS: Shader = Shader::new(
    "careless",
    &["struct Params { len: u32 }
       var<immediate> p: Params;
       @group(0) @binding(0) var<storage, read_write> y: array<f32>;
       @compute @workgroup_size(256)
       fn main(@builtin(global_invocation_id) id: vec3u) {
           if id.x < p.len { y[id.x] = 1.0; }
       }"],
    &[],
);

#[test]
fn guards_notice_missing_and_overrunning_writes() {
    let Some(gpu) = device(true) else { return };
    let run = |told: usize| {
        let y = gpu.allocate(10).unwrap();
        let outputs = &[&y];
        gpu.dispatch(Dispatch {
            shader: &CARELESS,
            values: &[],
            outputs,
            inputs: &[],
            params: &[int(told)],
            groups: 1,
        })
    };
    assert_eq!(run(10), Ok(()));
    assert_eq!(run(9).unwrap_err(), "shader careless left element 9 of 10 of its result 0 unwritten");
    assert_eq!(run(11).unwrap_err(), "shader careless wrote 0 elements behind the end of its result 0");
}

#[test]
fn tensors_above_the_limit_are_refused_with_the_limit() {
    let Some(gpu) = device(false) else { return };
    let limit = gpu.adapter.binding_limit;
    let error = gpu.allocate(limit as usize / 4 + 1).err().expect("it is too large");
    assert!(error.contains(&limit.to_string()) && error.contains("smaller batch"), "{error}");
}

#[test]
fn a_second_pass_allocates_nothing() {
    let Some(gpu) = device(false) else { return };
    let pass = || {
        let mut x = upload(&gpu, &noise(5000, 1));
        for _ in 0..20 {
            x = gpu.unary(Unary::Tanh, &x).unwrap();
        }
        download(&gpu, &x)
    };
    let first = pass();
    let before = gpu.statistics();
    assert_eq!(pass(), first, "reused buffers change nothing");
    let after = gpu.statistics();
    assert_eq!((after.reserved_bytes, after.peak_bytes), (before.reserved_bytes, before.peak_bytes));
    assert!(after.peak_bytes < 4 * 4 * 5000, "a dropped buffer serves the next: {after:?}");
    assert_eq!(after.dispatches - before.dispatches, 20);
    assert_eq!(after.submissions - before.submissions, 1, "one command buffer");
}

#[test]
fn long_lists_are_submitted_in_pieces_and_in_order() {
    let Some(gpu) = device(false) else { return };
    let mut x = upload(&gpu, &[1.0, 2.0]);
    for i in 0..1000 {
        let kind = if i % 2 == 0 { Unary::AddScalar(3.0) } else { Unary::MulScalar(0.5) };
        x = gpu.unary(kind, &x).unwrap();
    }
    let expected = |x: f32| (0..500).fold(x, |x, _| (x + 3.0) * 0.5);
    assert_eq!(download(&gpu, &x), [expected(1.0), expected(2.0)]);
    assert!(gpu.statistics().submissions >= 4);
}

#[test]
fn long_sums_keep_their_digits() {
    let Some(gpu) = device(false) else { return };
    let values = noise(300_000, 5);
    let x = upload(&gpu, &values);
    let exact: f64 = values.iter().map(|&x| f64::from(x)).sum();
    let sum = download(&gpu, &gpu.reduce(Reduce::Sum, &x, (1, values.len(), 1)).unwrap())[0];
    assert!((f64::from(sum) - exact).abs() < 1e-2 && exact.abs() > 1.0, "{sum} instead of {exact}");
    let largest = values.iter().copied().fold(f32::MIN, f32::max);
    let max = gpu.reduce(Reduce::Max, &x, (1, values.len(), 1)).unwrap();
    assert_eq!(download(&gpu, &max), [largest]);
}

#[test]
fn walks_of_too_many_axes_are_refused() {
    let Some(gpu) = device(false) else { return };
    let x = upload(&gpu, &noise(512, 3));
    let strides: Vec<isize> = (0..9).map(|axis| 1 << axis).collect();
    let other: Vec<isize> = (0..9).rev().map(|axis| 1 << axis).collect();
    let error = gpu.binary(autograd::device::Binary::Add, &[2; 9], (&x, &strides), (&x, &other)).err();
    assert!(error.expect("nine axes").contains("permute fewer axes"));
}

#[test]
fn what_is_not_a_number_stays_so() {
    let Some(gpu) = device(true) else { return };
    let (x, one) = (upload(&gpu, &[f32::NAN, 1.0]), upload(&gpu, &[1.0, 1.0]));
    for kind in [Unary::Abs, Unary::Tanh, Unary::Gelu, Unary::Softplus, Unary::Sigmoid] {
        let y = download(&gpu, &gpu.unary(kind, &x).unwrap());
        let dx = download(&gpu, &gpu.unary_backward(kind, Some(&x), &one).unwrap());
        assert!(y[0].is_nan() && dx[0].is_nan(), "{kind:?}: {y:?}, {dx:?}");
        assert!(y[1].is_finite() && dx[1].is_finite(), "{kind:?}: {y:?}, {dx:?}");
    }
}

#[test]
fn empty_tensors_pass() {
    let Some(gpu) = device(true) else { return };
    let empty = upload(&gpu, &[]);
    let y = gpu.unary(Unary::Exp, &empty).unwrap();
    assert!(download(&gpu, &y).is_empty());
    let sum = gpu.reduce(Reduce::Sum, &empty, (1, 0, 3)).unwrap();
    assert_eq!(download(&gpu, &sum), [0.0; 3]);
    let softmax = gpu.softmax(&empty, 3, 0, false).unwrap();
    assert!(download(&gpu, &softmax).is_empty());
    let (_, mean, _) = gpu.normalize_rows(&empty, 3, 0, 1e-5, None).unwrap();
    assert!(download(&gpu, &mean).iter().all(|mean| mean.is_nan()), "a mean of nothing is 0/0");
}

#[test]
fn the_device_times_its_own_work() {
    let Some(gpu) = device(false) else { return };
    let x = upload(&gpu, &noise(100_000, 4));
    let run = |times: usize| {
        let work = || (0..times).for_each(|_| drop(gpu.unary(Unary::Tanh, &x).unwrap()));
        gpu.timed(work).unwrap().1
    };
    let (few, many) = (run(2), run(600)); // more than one command buffer
    assert_eq!(few.is_some(), gpu.adapter.timestamps);
    if let (Some(few), Some(many)) = (few, many) {
        assert!(few > 0.0 && many > 10.0 * few, "{few} and {many} ms");
    }
}

#[test]
fn tables_are_copied_once() {
    let Some(gpu) = device(false) else { return };
    let before = gpu.statistics().uploads;
    let tables: Vec<_> = (0..4).map(|i| gpu.table(vec![7, i % 2]).unwrap()).collect();
    assert_eq!(gpu.statistics().uploads - before, 2);
    assert_eq!(gpu.download(&tables[3]).unwrap(), [7, 1]);
}

#[test]
fn compiled_pipelines_are_kept_on_disk() {
    let Some(_) = device(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let (physical, adapter) = choose(0).unwrap();
        let gpu = Gpu::on(physical, adapter, false, Some(folder.path())).unwrap();
        let y = gpu.unary(Unary::Exp, &upload(&gpu, &[0.0])).unwrap();
        assert_eq!(download(&gpu, &y), [1.0]);
        gpu.statistics().cached_bytes
    };
    assert_eq!(run(), 0);
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "one driver, one file, nothing left over: {files:?}");
    assert!(run() > 0);
    std::fs::write(&files[0], b"rubbish").unwrap();
    assert_eq!(run(), 0);
    assert!(run() > 0, "the rubbish was replaced");
}

#[test]
fn memory_ends_with_an_error_that_says_what_to_do() {
    let Some(_) = device(false) else { return };
    let (physical, mut adapter) = choose(0).unwrap();
    adapter.memory = 1 << 20;
    let gpu = Gpu::on(physical, adapter, false, None).unwrap();
    let all: Vec<Block> = (0..3).map(|_| gpu.allocate(1 << 16).unwrap()).collect();
    let error = gpu.allocate(1 << 17).err().expect("a quarter is left, a half is asked for");
    assert_eq!(
        error,
        "out of device memory: 0 MiB asked for, 0 of 1 MiB in use; use a smaller batch or picture"
    );
    drop(all);
    assert_eq!(gpu.allocate(1 << 17).unwrap().len(), 1 << 17, "what nobody uses goes back to the driver");
}

#[test]
fn rows_by_subgroups_equal_rows_by_workgroups() {
    let Some(gpu) = device(true) else { return };
    if !gpu.adapter.subgroup_sums {
        eprintln!("skipped: the device has no subgroup sums");
        return;
    }
    let (physical, mut adapter) = choose(0).unwrap();
    adapter.subgroup_sums = false;
    let plain = Gpu::on(physical, adapter, true, None).unwrap();
    for (rows, n) in [(1, 1), (5, 3), (33, 64), (7, 100), (2, 999)] {
        let (x, dy) = (noise(rows * n, 1), noise(rows * n, 2));
        let (w, b) = (noise(n, 3), noise(n, 4));
        let results = [&gpu, &plain].map(|gpu| {
            let [x, dy, w, b] = [&x, &dy, &w, &b].map(|values| upload(gpu, values));
            let y = gpu.softmax(&x, rows, n, false).unwrap();
            let dx = gpu.softmax_backward(&y, &dy, rows, n, false).unwrap();
            let (normal, mean, rstd) = gpu.normalize_rows(&x, rows, n, 1e-5, Some((&w, &b))).unwrap();
            let (dn, _) = gpu.normalize_rows_backward(&x, (&mean, &rstd), Some(&w), &dy, n).unwrap();
            [y, dx, normal, mean, rstd, dn].map(|block| download(gpu, &block))
        });
        for (a, b) in results[0].iter().zip(&results[1]) {
            let largest = b.iter().fold(0f32, |max, b| max.max(b.abs()));
            let difference = a.iter().zip(b).fold(0f32, |max, (a, b)| max.max((a - b).abs()));
            assert!(difference <= 1e-5 * largest + 1e-6, "{rows} x {n}: {difference} of {largest}");
        }
    }
}
