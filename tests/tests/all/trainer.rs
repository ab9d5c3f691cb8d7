//! The tool's trainer on a device: what an update moves there and back, and what is left behind when the device fails.

use autograd::device::DeviceHandle;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tests::ref_device::{Probe, RefDevice};
use train::config::{Config, RunConfig, built_in};
use train::detector::Detector;
use train::device::Place;
use train::run_folder::{Record, RunFolder};
use train::trainer::{Outcome, Trainer};

/// Two epochs of two updates by a detector that is as small as one can be.
fn tiny(changes: &[&str]) -> Config {
    let smallest = [
        "data.size=32",
        "data.train=[{scenes={seed=1,first=0,count=4}}]",
        "data.validation=[{scenes={seed=2,first=0,count=1}}]",
        "data.test=[{scenes={seed=3,first=0,count=1}}]",
        "model.widths=[4,4,8,8]",
        "model.decoder=4",
        "model.num_heads=2",
        "train.epochs=2",
        "train.batch=2",
    ];
    let changes: Vec<String> = smallest.iter().chain(changes).map(|&change| change.to_owned()).collect();
    Config::parse(built_in("demo").unwrap(), &changes).unwrap()
}

/// A whole run.
pub fn train(config: &Config, out: &Path, place: &Place) {
    let trainer = Trainer::<Detector>::new(config, RunFolder::create(out).unwrap(), None, place).unwrap();
    assert!(matches!(trainer.train(&AtomicBool::new(false)).unwrap(), Outcome::Finished(..)));
}

/// The losses of a run's updates.
pub fn losses(run: &Path) -> Vec<f64> {
    let loss = |record| if let Record::Step { loss, .. } = record { Some(loss) } else { None };
    RunFolder::open(run).unwrap().records().unwrap().into_iter().filter_map(loss).collect()
}

/// The weights and the state that a run has saved.
#[derive(PartialEq)]
pub struct Files([Vec<u8>; 3]);

impl Files {
    pub fn of(run: &Path) -> Files {
        let names = ["last.safetensors", "best.safetensors", "last.state.safetensors"];
        Files(names.map(|name| std::fs::read(run.join(name)).unwrap()))
    }
}

fn reference() -> (Place, Arc<Probe>) {
    let device = RefDevice::new();
    let probe = device.probe();
    (Place::on(DeviceHandle::new(device)), probe)
}

#[test]
fn an_update_uploads_its_batch_and_downloads_once() {
    // Limited or not, averaged or not: nothing but the batch's colours, depths and truths, and loss and norm in one.
    for changes in
        [&[][..], &["train.clip_norm=0"], &["train.ema=0.9", "train.optimizer=sgd", "train.lr=0.01"]]
    {
        for accumulate in [1, 2] {
            let (place, probe) = reference();
            let parts = format!("train.accumulate={accumulate}");
            let all = [changes, &[parts.as_str()]].concat();
            let folder = tempfile::tempdir().unwrap();
            let run = RunFolder::create(&folder.path().join("run")).unwrap();
            let mut trainer = Trainer::<Detector>::new(&tiny(&all), run, None, &place).unwrap();
            let before = ["upload", "download"].map(|call| probe.count(call));
            trainer.time_updates(1).unwrap(); // and one to warm up
            let moved = ["upload", "download"].map(|call| probe.count(call));
            assert_eq!(moved[0] - before[0], 2 * accumulate * 3, "uploads, {all:?}");
            assert_eq!(moved[1] - before[1], 2, "downloads, {all:?}");
        }
    }
}

#[test]
fn gradients_are_limited_on_a_device_as_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let [host, device] = ["host", "device"].map(|name| folder.path().join(name));
    let config = tiny(&["train.clip_norm=0.05"]);
    train(&config, &host, &Place::default());
    train(&config, &device, &reference().0);
    let [expected, found] = [host, device].map(|run| RunFolder::open(&run).unwrap().records().unwrap());
    for (expected, found) in expected.iter().zip(&found) {
        if let (Record::Step { loss: a, grad_norm: x, .. }, Record::Step { loss: b, grad_norm: y, .. }) =
            (expected, found)
        {
            assert!(*x > 0.05, "the limit matters");
            assert!((a - b).abs() < 1e-4 * a && (x - y).abs() < 1e-3 * x, "{expected:?} {found:?}");
        }
    }
    assert_eq!(expected.len(), found.len());
}

#[test]
fn a_device_that_fails_ends_the_run_in_words_and_leaves_the_last_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (place, probe) = reference();
    let open = || RunFolder::open(&out).unwrap();
    // An epoch that ends well.
    let first =
        Trainer::<Detector>::new(&tiny(&[]), RunFolder::create(&out).unwrap(), Some(2), &place).unwrap();
    assert!(matches!(first.train(&AtomicBool::new(false)).unwrap(), Outcome::Finished(..)));
    let saved = Files::of(&out);

    // How many calls an update takes.
    let mut resumed = Trainer::<Detector>::resume(open(), Some(4), &place).unwrap();
    let before = probe.calls().len();
    resumed.time_updates(1).unwrap();
    let update = (probe.calls().len() - before) / 2;
    let reason = "out of device memory: 7 MiB asked for";
    // In the first update, in the second, and in saving what they made.
    for (calls, failed) in [(update / 2, Some(3)), (update + update / 2, Some(4)), (2 * update + 20, None)] {
        let (place, failing) = reference();
        let trainer = Trainer::<Detector>::resume(open(), Some(4), &place).unwrap();
        failing.fail_after(calls, reason);
        let error = format!("{:#}", trainer.train(&AtomicBool::new(false)).err().expect("the device fails"));
        assert!(error.contains(" on reference device with shapes [["), "{error}");
        assert!(error.ends_with(reason), "{error}");
        if let Some(update) = failed {
            assert!(error.starts_with(&format!("update {update} failed on its device")), "{error}");
            assert!(error.contains("train.batch") && error.contains("--resume"), "{error}");
        }
        assert!(Files::of(&out) == saved, "failed after {calls} calls: the files were touched");
    }
    // The state goes on elsewhere.
    let rest = Trainer::<Detector>::resume(open(), Some(4), &Place::default()).unwrap();
    assert!(matches!(rest.train(&AtomicBool::new(false)).unwrap(), Outcome::Finished(..)));
    assert!(losses(&out).len() == 4 && losses(&out).iter().all(|loss| loss.is_finite()));
}
