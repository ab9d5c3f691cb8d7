//! A run that was interrupted ends as if it had not been: the same bytes in every file but for the clock's.

use crate::desk::{Desk, metrics, tensors, tiny};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use train::detector::Detector;
use train::device::Place;
use train::run_folder::RunFolder;
use train::task::Task;
use train::trainer::{Outcome, Trainer};

const FILES: [&str; 3] = ["last.safetensors", "best.safetensors", "last.state.safetensors"];

pub fn straight<T: Task>(config: &T::Config, out: &Path) {
    let trainer =
        Trainer::<T>::new(config, RunFolder::create(out).unwrap(), None, &Place::default()).unwrap();
    assert!(matches!(trainer.train(&AtomicBool::new(false)).unwrap(), Outcome::Finished(..)));
}

/// Stops after every single update, goes on from the files, and returns how often that was; `meanwhile` happens to
/// the folder at each stop.
pub fn in_pieces<T: Task>(config: &T::Config, out: &Path, meanwhile: impl Fn(u64)) -> u64 {
    // The trainer looks at the flag after each update; it is set all the time.
    let stop = AtomicBool::new(true);
    let mut trainer =
        Trainer::<T>::new(config, RunFolder::create(out).unwrap(), None, &Place::default()).unwrap();
    let mut stops = 0;
    while let Outcome::Interrupted = trainer.train(&stop).unwrap() {
        stops += 1;
        meanwhile(stops);
        trainer = Trainer::<T>::resume(RunFolder::open(out).unwrap(), None, &Place::default()).unwrap();
    }
    stops
}

pub fn assert_same(one: &Path, other: &Path, what: &str) {
    for file in FILES {
        let [one, other] = [one, other].map(|run| std::fs::read(run.join(file)).unwrap());
        assert!(one == other, "{what}: {file} differs");
    }
    assert_eq!(metrics(&one.join("metrics.jsonl")), metrics(&other.join("metrics.jsonl")), "{what}");
    let [one, other] = [one, other].map(|run| {
        let text = std::fs::read_to_string(run.join("summary.json")).unwrap();
        let mut summary: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        summary.retain(|key, _| key != "seconds" && key != "peak_mb");
        summary
    });
    assert_eq!(one, other, "{what}");
}

/// Trains both ways and compares.
fn resumes(changes: &[&str], updates: u64) {
    let (desk, config) = (Desk::new(), tiny(changes));
    straight::<Detector>(&config, &desk.path("straight"));
    assert_eq!(in_pieces::<Detector>(&config, &desk.path("pieces"), |_| ()), updates, "{changes:?}");
    assert_same(&desk.path("straight"), &desk.path("pieces"), &format!("{changes:?}"));
}

#[test]
fn with_adamw() {
    resumes(&["model.attn_drop=0.1"], 10);
}

#[test]
fn with_averaged_weights() {
    resumes(&["train.ema=0.9"], 10);
}

#[test]
fn with_sgd() {
    resumes(&["train.optimizer=sgd", "train.schedule=triangular"], 10);
}

#[test]
fn with_accumulation_that_leaves_a_batch_over() {
    resumes(&["train.accumulate=2"], 4);
}

const VARIED: [&str; 2] = ["data.train_sizes=[32,48,64]", "data.augment.rotate=0.5"];

#[test]
fn with_batches_of_several_sizes() {
    resumes(&[VARIED.as_slice(), &["train.accumulate=2"]].concat(), 4);
}

#[test]
fn with_any_number_of_loading_threads() {
    let desk = Desk::new();
    for workers in [0, 1, 3] {
        let config = tiny(&[VARIED.as_slice(), &[&format!("data.workers={workers}")]].concat());
        let [whole, pieces] = ["whole", "pieces"].map(|name| desk.path(&format!("{name}{workers}")));
        straight::<Detector>(&config, &whole);
        in_pieces::<Detector>(&config, &pieces, |_| ());
        assert_same(&whole, &pieces, &format!("{workers} workers"));
        assert!(
            tensors(&whole.join("last.safetensors")) == tensors(&desk.path("whole0/last.safetensors")),
            "{workers} workers train other weights than none"
        );
    }
}

#[test]
fn with_what_a_killed_process_leaves_in_the_metrics() {
    let (desk, config) = (Desk::new(), tiny(&[]));
    straight::<Detector>(&config, &desk.path("straight"));
    let out = desk.path("pieces");
    // Lines from after the saved state, and half a line.
    in_pieces::<Detector>(&config, &out, |stop| {
        let path = out.join("metrics.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().rfind(|line| line.contains("\"step\",")).unwrap().to_owned();
        let later = last.replace(&format!("\"step\":{stop},"), &format!("\"step\":{},", stop + 1));
        assert_ne!(later, last);
        text += &format!("{later}\n{}", &last[..last.len() / 2]);
        std::fs::write(path, text).unwrap();
    });
    assert_same(&desk.path("straight"), &out, "after kills");
}

/// With a constant learning rate, the end of a run does not shape its beginning: a longer limit continues the epoch.
#[test]
fn from_a_limit_in_the_middle_of_an_epoch() {
    let (desk, config) = (Desk::new(), tiny(&["train.schedule=constant", "train.warmup=0"]));
    straight::<Detector>(&config, &desk.path("straight"));
    let out = desk.path("pieces");
    let go = AtomicBool::new(false);
    let limited =
        Trainer::<Detector>::new(&config, RunFolder::create(&out).unwrap(), Some(2), &Place::default())
            .unwrap();
    assert!(matches!(limited.train(&go).unwrap(), Outcome::Finished(..)));
    let rest =
        Trainer::<Detector>::resume(RunFolder::open(&out).unwrap(), Some(10), &Place::default()).unwrap();
    assert!(matches!(rest.train(&go).unwrap(), Outcome::Finished(..)));
    let [one, other] =
        [desk.path("straight"), out].map(|run| std::fs::read(run.join("last.safetensors")).unwrap());
    assert!(one == other, "the weights differ");
}
