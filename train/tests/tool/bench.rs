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
    let report =
        object("bench gemm --m 8 --k 16 --n 4 --batch 2 --repeat 3 --json", &["device", "gflops", "ms"]);
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
    assert_eq!(report["path"], "fast");
    let report = object(&format!("bench block {sizes} --path plain --json"), &keys);
    assert_eq!(report["path"], "plain");
    let said = Desk::new().ok(&format!("bench block {sizes} --fusion ca"));
    assert!(said.starts_with("block B1 N9 C16 H2 ca: forward"), "{said}");
}

#[test]
fn gemm_list() {
    let report = object("bench gemm --all --repeat 1 --json", &["device", "gflops", "ms", "shapes"]);
    let shapes = report["shapes"].as_array().unwrap();
    let sizes: Vec<[u64; 4]> =
        shapes.iter().map(|shape| ["batch", "m", "k", "n"].map(|key| shape[key].as_u64().unwrap())).collect();
    let expected = [
        [1, 1024, 1024, 1024],
        [1, 2048, 2048, 2048],
        [1, 784, 64, 784],
        [1, 196, 768, 768],
        [32, 196, 64, 196],
    ];
    assert_eq!(sizes, expected);
    let log_mean = shapes.iter().map(|shape| shape["gflops"].as_f64().unwrap().ln()).sum::<f64>() / 5.0;
    assert!((report["gflops"].as_f64().unwrap().ln() - log_mean).abs() < 1e-9);
}

const CONV_KEYS: [&str; 5] = ["backward_ms", "device", "forward_ms", "shapes", "threads"];

#[test]
fn one_convolution() {
    let arguments = "--in 6 --out 9 --kernel 5 --stride 2 --size 7 --groups 3 --batch 1 --repeat 1";
    let report = object(&format!("bench conv {arguments} --json"), &CONV_KEYS);
    let shape = report["shapes"][0].as_object().unwrap();
    let keys = ["in", "out", "kernel", "stride", "size", "batch", "groups", "count"];
    assert_eq!(keys.map(|key| shape[key].as_u64().unwrap()), [6, 9, 5, 2, 7, 1, 3, 1]);
    for key in ["forward_ms", "backward_ms"] {
        assert!(shape[key].as_f64().unwrap() > 0.0);
        assert_eq!(shape[key], report[key]);
    }
}

#[test]
fn convolutions_of_networks() {
    for (net, distinct, all) in [("resnet50", 23, 53), ("mobilenetv2", 30, 52)] {
        let arguments = format!("bench conv --net {net} --size 32 --batch 1 --repeat 1 --json");
        let report = object(&arguments, &CONV_KEYS);
        let shapes = report["shapes"].as_array().unwrap();
        assert_eq!(shapes.len(), distinct, "{net}");
        assert_eq!(shapes.iter().map(|shape| shape["count"].as_u64().unwrap()).sum::<u64>(), all, "{net}");
        let weighted = |shape: &serde_json::Value| {
            shape["count"].as_f64().unwrap() * shape["forward_ms"].as_f64().unwrap()
        };
        let sum: f64 = shapes.iter().map(weighted).sum();
        assert!((report["forward_ms"].as_f64().unwrap() / sum - 1.0).abs() < 1e-9, "{net}");
    }
}

#[test]
fn training_steps() {
    let keys =
        ["backward_ms", "device", "forward_ms", "parameters", "peak_mb", "step_ms", "threads", "update_ms"];
    let of_120_vehicles = 820_384;
    for (sizes, parameters) in [
        ("sod --config demo --size 32 --batch 2", 1_037_283),
        (
            "reid --config demo-reid --batch 8 --set data.size=[32,64] --set model.classes=120",
            of_120_vehicles,
        ),
    ] {
        let report = object(&format!("bench {sizes} --repeat 1 --threads 1 --json"), &keys);
        assert_eq!(report["parameters"], parameters, "{sizes}");
        let ms =
            ["forward_ms", "backward_ms", "update_ms", "step_ms"].map(|key| report[key].as_f64().unwrap());
        assert!(ms.iter().all(|&ms| ms > 0.0), "{sizes}");
        assert!(
            (ms[0] + ms[1] + ms[2] - ms[3]).abs() < 1e-6,
            "{sizes}: one repetition: the parts make the whole"
        );
    }
}

#[test]
fn trunks() {
    for (net, parameters) in [("resnet50", 23_508_032), ("mobilenetv2", 1_811_712)] {
        let keys = ["backward_ms", "device", "forward_ms", "parameters", "threads"];
        let report = object(&format!("bench trunk --net {net} --size 64 --batch 1 --repeat 1 --json"), &keys);
        assert_eq!(report["parameters"], parameters);
        assert!(
            report["forward_ms"].as_f64().unwrap() > 0.0 && report["backward_ms"].as_f64().unwrap() > 0.0
        );
    }
}

#[test]
fn curve() {
    let desk = Desk::new();
    let sizes = "--batch 1 --dim 8 --heads 2 --repeat 1 --memory-limit 1";
    let said = desk.ok(&format!("bench curve --tokens 4,9,16,5000 {sizes} --paths plain --out curve --json"));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let tokens: Vec<u64> =
        report["points"].as_array().unwrap().iter().map(|point| point["tokens"].as_u64().unwrap()).collect();
    assert_eq!(tokens, [4, 9, 16]);
    // 11 maps of 2 heads, 4 bytes an element.
    let skipped = &report["skipped"][0];
    assert_eq!((&skipped["way"], &skipped["tokens"]), (&"cda plain".into(), &5000.into()));
    assert!((skipped["estimated_mb"].as_f64().unwrap() - 2098.1).abs() < 0.1, "{skipped}");
    assert!(report["exponents"][0]["time"].is_f64());

    let csv = desk.text("curve/curve.csv");
    assert_eq!(csv.lines().next(), Some("way,tokens,forward_ms,backward_ms,peak_mb"));
    assert_eq!(csv.lines().count(), 4);
    for (file, guide) in [("time", "slope 2"), ("memory", "slope 1")] {
        assert!(desk.text(&format!("curve/{file}.svg")).contains(guide));
    }
}

#[test]
fn people_get_tables() {
    let desk = Desk::new();
    let said = desk.ok("bench conv --size 32 --batch 1 --repeat 1");
    assert!(said.contains("64->64 3x3 s1 at 8") && said.contains("GFLOP/s"), "{said}");
    assert!(said.contains("of the weights alone in the first layer"), "{said}");
    let said = desk.ok("bench curve --tokens 4,3000 --dim 8 --heads 2 --repeat 1 --memory-limit 1 --paths plain,fast --fusions ca,cda --out c");
    assert!(said.contains("left out: its N x N matrices take about"), "{said}");
    for way in ["ca plain", "ca fast", "cda plain", "cda fast"] {
        assert!(said.contains(&format!("{way}: time ~ N^")), "{said}");
    }
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    for arguments in [
        "gemm --m 0",
        "gemm --repeat 0",
        "gemm --all --m 5",
        "block --tokens 0",
        "block --batch 0",
        "block --dim -1",
        "block --path slow",
        "conv --in 3",
        "conv --kernel 3",
        "conv --net alexnet",
        "curve --tokens 4,0",
        "curve --paths slow",
    ] {
        let error = desk.misused(&format!("bench {arguments}"));
        assert!(!error.is_empty(), "{arguments}");
    }
    let error = desk.refuses("bench block --batch 1 --tokens 4 --dim 8 --heads 3");
    assert!(error.contains("3 heads do not divide"), "{error}");
    let error = desk.refuses("bench conv --in 6 --out 9 --groups 2");
    assert!(error.contains("2 groups do not divide"), "{error}");
    let error = desk.refuses("bench trunk --size 63");
    assert!(error.contains("too small"), "{error}");
    let error = desk.refuses("bench sod --config nothing");
    assert!(error.contains("nothing"), "{error}");
    // The block's own refusal, told by its process.
    let error = desk.refuses("bench curve --tokens 4 --dim 8 --heads 3");
    assert!(error.contains("3 heads do not divide"), "{error}");
}
