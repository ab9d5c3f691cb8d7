//! `inspect` and `shrink`: files of tensors.

use crate::desk::{Desk, tensors};
use autograd::Tensor;
use autograd::checkpoint::{HostTensor, TensorFile};

/// The line about a tensor.
#[track_caller]
fn row<'a>(listing: &'a str, name: &str) -> Vec<&'a str> {
    let named = |line: &&str| line.split_whitespace().next() == Some(name);
    listing.lines().find(named).unwrap_or_else(|| panic!("{name} is missing")).split_whitespace().collect()
}

#[test]
fn inspect_lists_pytorchs_files_with_the_types_they_hold() {
    let desk = Desk::new();
    for name in ["zip.pt", "legacy.pt"] {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../autograd/tests/fixtures/pytorch");
        desk.write(name, std::fs::read(format!("{fixtures}/{name}")).unwrap());
        let listing = desk.ok(&format!("inspect {name}"));
        for dtype in ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"] {
            assert_eq!(row(&listing, dtype)[1], dtype, "{name}");
        }
        let transposed = ["transposed", "f32", "[6,", "4]", "1.1500e1", "6.9222e0", "0.0000e0", "2.3000e1"];
        assert_eq!(row(&listing, "transposed"), transposed, "{name}");
        // 0.1, -0, 3e38 and the smallest number; two are infinite.
        let singles = row(&listing, "f32");
        assert_eq!(
            singles[4..],
            ["7.5000e37", "1.2990e38", "-0.0000e0", "3.0000e38", "2", "infinite"],
            "{name}"
        );
        assert_eq!(row(&listing, "empty")[4..], ["-", "-", "-", "-"], "{name}");
    }
}

#[test]
fn inspect_counts_what_is_no_number() {
    let desk = Desk::new();
    let mut file = TensorFile::new();
    let values = vec![1.0, f32::NAN, 3.0, f32::NEG_INFINITY, f32::NAN];
    file.push("bad", HostTensor::F32(Tensor::from_vec(values, &[5])));
    file.push("lost", HostTensor::F32(Tensor::full(&[2], f32::NAN)));
    file.write(desk.path("file")).unwrap();
    let listing = desk.ok("inspect file");
    let numbers = ["2.0000e0", "1.0000e0", "1.0000e0", "3.0000e0", "2", "NaN", "1", "infinite"];
    assert_eq!(row(&listing, "bad")[3..], numbers);
    assert_eq!(row(&listing, "lost")[3..], ["-", "-", "-", "-", "2", "NaN"]);
}

#[test]
fn a_shrunken_run_predicts_and_takes_half_the_space() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1 --out run");
    let said = desk.ok("shrink run --out small.safetensors");
    let size = |name: &str| desk.read(name).len();
    let sizes = (size("small.safetensors"), size("run/best.safetensors"));
    assert_eq!(said, format!("small.safetensors: {} bytes, {} before\n", sizes.0, sizes.1));
    let listing = desk.ok("inspect small.safetensors");
    assert_eq!(row(&listing, "mutual8.block.attn.qkv_r.weight")[1], "f16");
    assert!(listing.contains("    num_heads = 4"), "the configuration goes along");
    let (small, whole) =
        (tensors(&desk.path("small.safetensors")), tensors(&desk.path("run/best.safetensors")));
    let rounded = whole.iter().filter(|(_, shape, _)| shape.len() >= 2).map(|(_, _, bits)| bits.len());
    assert!(sizes.1 - sizes.0 >= 2 * rounded.sum::<usize>(), "2 bytes less for every number in a matrix");
    assert_eq!(small.len(), whole.len());
    desk.ok("synth sod --out scene --count 1 --size 32");
    desk.ok("predict --weights small.safetensors --rgb scene/RGB --depth scene/depth --out maps");
}

#[test]
fn shrink_refuses_what_it_cannot_write() {
    let desk = Desk::new();
    let mut file = TensorFile::new();
    file.push("huge", HostTensor::F32(Tensor::full(&[1, 1], 1e6)));
    file.write(desk.path("file")).unwrap();
    let error = desk.refuses("shrink file --out small");
    assert!(error.contains("cannot shrink file: tensor huge holds 1e6"), "{error}");
    assert!(!desk.path("small").exists());
    assert!(
        desk.refuses("shrink absent --out small").contains("absent: there is no such run folder or file")
    );
    desk.write("evil.pth", b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.");
    let error = desk.refuses("inspect evil.pth");
    assert!(error.contains("evil.pth") && error.contains("GLOBAL posix.system at byte 2"), "{error}");
}
