//! A run that was interrupted ends as if it had not been; threads decide nothing.

use super::{desk, tiny};
use crate::desk::{Desk, metrics, tensors};
use crate::resume::{assert_same, in_pieces, straight};
use train::config::RunConfig;
use train::reid::Embedder;

/// Everything that has a memory of its own, besides the optimiser's: averaged weights, centres, an accumulated gradient.
const ALL: [&str; 3] = ["train.ema=0.9", "train.loss.centre=0.01", "train.accumulate=2"];

/// Trains both ways and compares.
fn resumes(changes: &[&str]) {
    let (desk, config) = (Desk::new(), tiny(changes));
    let [whole, pieces] = ["whole", "pieces"].map(|name| desk.path(name));
    straight::<Embedder>(&config, &whole);
    let stops = in_pieces::<Embedder>(&config, &pieces, |_| ());
    let updates = metrics(&whole.join("metrics.jsonl")).iter().filter(|line| line["kind"] == "step").count();
    assert!(updates >= 2 && stops == updates as u64, "{changes:?}: {stops} stops, {updates} updates");
    assert_same(&whole, &pieces, &format!("{changes:?}"));
}

#[test]
fn with_the_demos_settings() {
    resumes(&[]);
}

#[test]
fn with_centres_averaged_weights_and_accumulation() {
    resumes(&ALL);
}

#[test]
fn with_hamnets_fusion_and_schedule() {
    let schedule = "train.schedule={multi-step={milestones=[2],warmup=1}}";
    resumes(&["model.fusion=cam", "train.optimizer=adam", schedule, "train.warmup=0.0"]);
}

#[test]
fn without_a_validation_set() {
    let (desk, mut config) = (Desk::new(), tiny(&[]));
    config.data.validation = None;
    let [whole, pieces] = ["whole", "pieces"].map(|name| desk.path(name));
    straight::<Embedder>(&config, &whole);
    in_pieces::<Embedder>(&config, &pieces, |_| ());
    assert_same(&whole, &pieces, "no validation set");
    let [best, last] = ["best", "last"].map(|name| tensors(&whole.join(format!("{name}.safetensors"))));
    assert!(best == last, "the last weights are the best");
}

#[test]
fn with_any_number_of_loading_threads() {
    let desk = Desk::new();
    for workers in [0, 1, 3] {
        let config = tiny(&[ALL.as_slice(), &[&format!("data.workers={workers}")]].concat());
        let [whole, pieces] = ["whole", "pieces"].map(|name| desk.path(&format!("{name}{workers}")));
        straight::<Embedder>(&config, &whole);
        in_pieces::<Embedder>(&config, &pieces, |_| ());
        assert_same(&whole, &pieces, &format!("{workers} workers"));
        assert!(
            tensors(&whole.join("last.safetensors")) == tensors(&desk.path("whole0/last.safetensors")),
            "{workers} workers train other weights than none"
        );
    }
}

#[test]
fn computing_threads_do_not_change_a_bit() {
    let desk = desk();
    desk.write("reid.toml", tiny(&ALL).to_toml());
    for threads in [1, 2] {
        desk.ok(&format!("train reid.toml --threads {threads} --out {threads}"));
        for file in ["last.safetensors", "best.safetensors", "last.state.safetensors"] {
            let [one, this] = [1, threads].map(|run| desk.read(&format!("{run}/{file}")));
            assert!(one == this, "{file} of 1 and {threads} threads");
        }
    }
}

#[test]
fn checkpointing_does_not_change_a_bit() {
    let desk = Desk::new();
    for fusion in ["cda", "cam"] {
        for kept in ["true", "false"] {
            let changes = [format!("model.fusion={fusion}"), format!("train.checkpointing={kept}")];
            let changes = [ALL.as_slice(), &["model.attn_drop=0.1", &changes[0], &changes[1]]].concat();
            straight::<Embedder>(&tiny(&changes), &desk.path(kept));
        }
        for file in ["last.safetensors", "best.safetensors"] {
            let [with, without] = ["true", "false"].map(|run| tensors(&desk.path(run).join(file)));
            assert!(with == without, "{fusion}: {file}");
        }
    }
}

#[test]
fn centres_move_and_are_saved() {
    let desk = desk();
    let centres = |run: &str| {
        let all = tensors(&desk.path(&format!("{run}/last.safetensors")));
        let mut found = all.into_iter().filter(|(name, ..)| name.starts_with("centres"));
        (found.next().unwrap_or_else(|| panic!("{run} has no centres")), found.count())
    };
    for steps in [1, 2] {
        desk.ok(&format!("train reid.toml --set train.loss.centre=0.01 --steps {steps} --out {steps}"));
    }
    let [((_, shape, one), others), ((_, _, two), _)] = ["1", "2"].map(centres);
    assert_eq!((shape, others), (vec![4, 16], 0), "a centre for each of the identities");
    assert!(one != two);
}
