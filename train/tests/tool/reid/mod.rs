//! Re-identification through the tool: the same promises as for detection.

mod check;
mod demo;
mod device;
mod explain;
mod mistakes;
mod resume;
mod search;
mod spectra;
mod trouble;

use crate::desk::Desk;
use train::config::{RunConfig, built_in};
use train::reid::config::ReidRunConfig;

/// A network and data so small that a run of a few updates takes a moment.
const TINY: [&str; 9] = [
    "data.size=[32,64]",
    "data.instances=2",
    "data.train={vehicles={seed=1,first=1,ids=4,cams=2,per_cam=2}}",
    "data.validation={vehicles={seed=1,first=5,ids=4,cams=2,per_cam=2}}",
    "data.test={vehicles={seed=1,first=9,ids=4,cams=2,per_cam=2}}",
    "model.dim=16",
    "model.num_heads=2",
    "train.epochs=2",
    "train.batch=4",
];

/// The tiny configuration with further changes.
fn tiny(changes: &[&str]) -> ReidRunConfig {
    let changes: Vec<String> = TINY.iter().chain(changes).map(|&change| change.to_owned()).collect();
    ReidRunConfig::parse(built_in("demo-reid").unwrap(), &changes).unwrap()
}

/// A folder with `reid.toml` in it, the tiny configuration.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("reid.toml", tiny(&[]).to_toml());
    desk
}

/// What makes the folder `set` the source of all pictures.
const FROM_SET: [&str; 3] = [
    "data.train={folder={path=\"set\"}}",
    "data.validation={folder={path=\"set\"}}",
    "data.test={folder={path=\"set\"}}",
];

/// A folder with a set of 32 pictures in `set`, half of them to train on, and `reid.toml`, which takes them from there.
fn desk_with_set() -> Desk {
    let desk = Desk::new();
    desk.ok("synth reid --out set --ids 8 --cams 2 --per-cam 2 --size 32");
    desk.write("reid.toml", tiny(&FROM_SET).to_toml());
    desk
}

/// The stems of a folder's pictures, sorted.
fn stems(desk: &Desk, folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(desk.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stems.sort();
    stems
}
