//! `bench --json`: the keys that other programs read.

use crate::desk::Desk;

/// The one object on standard output; its keys must be these.
fn object(arguments: &str, expected: &[&str]) -> serde_json::Map<String, serde_json::Value> {
    let said = Desk::new().ok(arguments);
    let report: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let mut keys: Vec<&str> = report.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, expected);
    report
}

#[test]
fn gemm() {
    let report = object("bench gemm --m 8 --k 16 --n 4 --batch 2 --repeat 3 --json", &["gflops", "ms"]);
    let [ms, gflops] = ["ms", "gflops"].map(|key| report[key].as_f64().unwrap());
    assert!(ms > 0.0);
    // 2·2·8·16·4 operations.
    assert!((gflops * ms * 1e6 / 2048.0 - 1.0).abs() < 1e-9, "{gflops} GFLOP/s in {ms} ms");
}

#[test]
fn block() {
    let keys = ["backward_ms", "device", "forward_ms", "path", "peak_mb", "threads"];
    let sizes = "--batch 1 --tokens 9 --dim 16 --heads 2 --repeat 2";
    let report = object(&format!("bench block {sizes} --threads 1 --json"), &keys);
    assert!(report["forward_ms"].as_f64().unwrap() > 0.0 && report["backward_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&report["threads"], &report["device"]), (&1.into(), &"cpu".into()));
    assert!(report["path"].is_string());
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    for arguments in
        ["gemm --m 0", "gemm --repeat 0", "block --tokens 0", "block --batch 0", "block --dim -1"]
    {
        let error = desk.misused(&format!("bench {arguments}"));
        assert!(!error.is_empty(), "{arguments}");
    }
    let error = desk.refuses("bench block --batch 1 --tokens 4 --dim 8 --heads 3");
    assert!(error.contains("3 heads do not divide"), "{error}");
}
