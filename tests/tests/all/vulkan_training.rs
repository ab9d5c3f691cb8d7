//! The demo's network trained on a Vulkan device by the tool's own trainer: the losses of the host, and the same bits
//! every time.

use crate::trainer::{Files, losses, train};
use autograd::device::DeviceHandle;
use tests::vulkan;
use train::config::{Config, RunConfig, built_in};
use train::device::Place;

/// The demo's million parameters on ten batches of small scenes, so that a device that runs on the processor does it in
/// seconds.
fn demo() -> Config {
    let changes = [
        "data.size=48",
        "data.train=[{scenes={seed=1,first=0,count=40}}]",
        "data.validation=[{scenes={seed=2,first=0,count=2}}]",
        "data.test=[{scenes={seed=3,first=0,count=2}}]",
        "train.epochs=1",
        "train.batch=4",
    ];
    Config::parse(built_in("demo").unwrap(), &changes.map(str::to_owned)).unwrap()
}

#[test]
fn ten_losses_of_the_demo_are_the_hosts_and_every_run_has_the_same_bits() {
    let Some(device) = vulkan::device(false) else { return };
    let place = Place::on(DeviceHandle::new(device));
    let folder = tempfile::tempdir().unwrap();
    let [host, first, second] = ["host", "first", "second"].map(|name| folder.path().join(name));
    train(&demo(), &host, &Place::default());
    train(&demo(), &first, &place);
    train(&demo(), &second, &place);

    let (expected, found) = (losses(&host), losses(&first));
    assert_eq!(expected.len(), 10);
    assert!(expected[9] < expected[0], "the loss falls: {expected:?}");
    let difference = |(a, b): (&f64, &f64)| (a - b).abs() / a;
    let differences: Vec<f64> = expected.iter().zip(&found).map(difference).collect();
    println!("losses {expected:?}\nrelative differences {differences:?}");
    assert!(differences.iter().all(|&difference| difference <= 1e-4), "{expected:?} and {found:?}");

    assert_eq!(found, losses(&second));
    assert!(Files::of(&first) == Files::of(&second), "two runs on one device differ");
}
