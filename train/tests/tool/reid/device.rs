//! Re-identification on a Vulkan device: training, features, a search.

use super::{desk_with_set, tiny};
use crate::desk::metrics;
use crate::device::vulkan;
use train::config::RunConfig;

#[test]
fn a_network_trains_embeds_and_searches_on_vulkan() {
    if !vulkan() {
        return;
    }
    let desk = desk_with_set();
    desk.write("centres.toml", tiny(&["train.loss.centre=0.0005"]).to_toml());
    let mut losses = Vec::new();
    for device in ["cpu", "vulkan"] {
        desk.ok(&format!("train centres.toml --steps 2 --out {device} --device {device}"));
        let updates = metrics(&desk.path(&format!("{device}/metrics.jsonl")));
        losses.push(updates[..2].iter().map(|update| update["loss"].as_f64().unwrap()).collect::<Vec<_>>());
    }
    for device in ["cpu", "vulkan"] {
        desk.ok(&format!("embed --run vulkan --data set --out {device}.safetensors --device {device}"));
    }
    for (here, there) in losses[0].iter().zip(&losses[1]) {
        assert!((here - there).abs() < 1e-4 * here, "{losses:?}");
    }
    let features = |device: &str| {
        let file = autograd::TensorFile::read(desk.path(&format!("{device}.safetensors"))).unwrap();
        file.get("gallery.feat").unwrap().to::<f64>()
    };
    let (here, there) = (features("cpu"), features("vulkan"));
    let largest = here.as_slice().iter().fold(0f64, |max, x| max.max(x.abs()));
    for (a, b) in here.as_slice().iter().zip(there.as_slice()) {
        assert!((a - b).abs() <= 1e-4 * largest, "{a} and {b} of {largest}");
    }

    let search = "predict reid --run vulkan --query set/rgbir/query/0005_c001_001.jpg --gallery set --top 3";
    let [here, there] = ["cpu", "vulkan"].map(|device| desk.ok(&format!("{search} --device {device}")));
    let names = |said: &str| -> Vec<String> {
        said.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
    };
    assert_eq!(names(&here), names(&there));
}
