//! `train.checkpointing` costs time, saves memory, and changes nothing else.

use crate::desk::{Desk, metrics, tensors, tiny};
use autograd::random::Key;
use autograd::{Ctx, Tensor, Var};
use data::{Augment, Order};
use train::detector::Detector;
use train::losses::detection_loss;
use train::source::{Dataset, Inputs};
use train::task::Task;

/// What a pass forward and back leaves.
struct Pass {
    gradients: Vec<(String, Tensor)>,
    /// New values of running statistics, by the buffers' places.
    statistics: Vec<(usize, Tensor)>,
}

fn one_pass(checkpointing: bool) -> Pass {
    let config = tiny(&["model.attn_drop=0.3", &format!("train.checkpointing={checkpointing}")]);
    let detector = Detector::new(&config).unwrap();
    let data = Dataset::open(&config.data.train, 32).unwrap();
    let batch = data.batches(4, Order::default(), 0, Augment::NONE).next().unwrap().unwrap();
    let inputs = Inputs::of(&batch);
    let ctx = Ctx::train(&detector.params, Key { seed: 5, epoch: 1, step: 2 });
    let output = detector.forward(&ctx, &inputs);
    let grads = detection_loss(&output, &Var::constant(inputs.mask), &config.train.loss).backward();
    let ids = detector.params.ids();
    let gradients =
        ids.filter_map(|id| Some((detector.params.name(id).to_owned(), grads.param(id)?.clone()))).collect();
    let statistics = ctx.finish().into_iter().map(|(id, value)| (id.index(), value)).collect();
    Pass { gradients, statistics }
}

#[test]
fn gradients_and_running_statistics_are_the_same_bits() {
    let (plain, checkpointed) = (one_pass(false), one_pass(true));
    assert!(plain.gradients.len() > 90 && plain.gradients.len() == checkpointed.gradients.len());
    for ((name, one), (other_name, other)) in plain.gradients.iter().zip(&checkpointed.gradients) {
        assert_eq!(name, other_name);
        assert!(one.as_slice() == other.as_slice(), "{name}");
    }
    // Each batch norm notes its three buffers once.
    assert_eq!((plain.statistics.len(), checkpointed.statistics.len()), (3 * 15, 3 * 15));
    for ((one_id, one), (other_id, other)) in plain.statistics.iter().zip(&checkpointed.statistics) {
        assert!(one_id == other_id && one.as_slice() == other.as_slice(), "buffer {one_id}");
    }
}

#[test]
fn whole_runs_are_the_same_bits() {
    let desk = Desk::new();
    for value in [false, true] {
        let change = format!("--set train.checkpointing={value} --set model.attn_drop=0.1");
        desk.ok(&format!("train tiny.toml {change} --out {value}"));
    }
    let [plain, checkpointed] = ["false", "true"].map(|run| desk.path(run));
    assert!(tensors(&plain.join("last.safetensors")) == tensors(&checkpointed.join("last.safetensors")));
    assert_eq!(metrics(&plain.join("metrics.jsonl")), metrics(&checkpointed.join("metrics.jsonl")));
}

#[cfg(target_os = "linux")] // elsewhere the system does not tell the peak
#[test]
fn memory_is_saved() {
    let desk = Desk::new();
    // Wide at fine scales, where the convolutions' activations are what takes the memory.
    let run = "train tiny.toml --steps 1 --set data.size=64 --set model.widths=[32,32,16,16] --set model.decoder=32 \
               --set train.batch=32 --set data.train=[{scenes={seed=1,first=0,count=32}}]";
    let [plain, checkpointed] = [false, true].map(|value| {
        desk.ok(&format!("{run} --set train.checkpointing={value} --out {value}"));
        desk.json(&format!("{value}/summary.json"))["peak_mb"].as_f64().unwrap()
    });
    // Layers keep no more than their derivatives need, so there is less to save than there was: 0.81 to 0.84 were measured.
    // What one level keeps while it is computed again is most of the rest.
    assert!(checkpointed < 0.9 * plain, "{checkpointed:.0} MiB with checkpointing, {plain:.0} without");
}
