//! Writes vehicles to disk in the folder layout of RGBN300.

use ndarray::{Axis, concatenate};
use rayon::prelude::*;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::{CAMS, HEIGHTS, IDS, Role, render, twin};
use crate::error::DataError;
use crate::image_io::write_jpeg;

/// Pictures drawn between two reports of progress.
const BATCH: usize = 64;

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Names the series of identities and cameras.
    pub seed: u64,
    /// Identities to train on: 1 up to this number; an even number keeps twins together.
    pub train_ids: u32,
    /// Identities to test with: the numbers that follow.
    pub test_ids: u32,
    /// Cameras: 1 up to this number, from 2 to 8.
    pub cams: u32,
    /// Pictures of every identity under every camera.
    pub per_cam: u32,
    /// Rows of a picture, one of [`HEIGHTS`]; it has twice as many columns. The public set has 128.
    pub height: usize,
}

/// A picture to write.
struct Job {
    folder: &'static str,
    id: u32,
    cam: u32,
    seq: u32,
}

impl Layout {
    /// Pictures in all.
    pub fn count(&self) -> usize {
        (self.train_ids + self.test_ids) as usize * self.cams as usize * self.per_cam as usize
    }

    fn check(&self) -> Result<(), DataError> {
        let too = |name, value: f32, expected| Err(DataError::Setting { name, value, expected });
        match self {
            _ if self.train_ids == 0 || self.test_ids == 0 => {
                too("ids", 0.0, "at least one identity to train on and one to test with")
            }
            // Sums of two u32 may overflow; the widths of u64 may not.
            _ if u64::from(self.train_ids) + u64::from(self.test_ids) > u64::from(*IDS.end()) => {
                too("ids", self.train_ids as f32 + self.test_ids as f32, "at most 600 in all")
            }
            _ if !(2..=*CAMS.end()).contains(&self.cams) => too("cams", self.cams as f32, "2 to 8"),
            _ if !(1..=999).contains(&self.per_cam) => too("per_cam", self.per_cam as f32, "1 to 999"),
            _ if !HEIGHTS.contains(&self.height) => too("height", self.height as f32, "16 to 512"),
            _ => Ok(()),
        }
    }

    /// Every picture with the folder it belongs into.
    fn jobs(&self) -> Vec<Job> {
        let ids = 1..=self.train_ids + self.test_ids;
        let shots = ids.flat_map(|id| (1..=self.cams).map(move |cam| (id, cam)));
        let shots = shots.flat_map(|(id, cam)| (1..=self.per_cam).map(move |seq| (id, cam, seq)));
        shots.map(|(id, cam, seq)| Job { folder: self.folder(id, cam, seq), id, cam, seq }).collect()
    }

    /// The first picture under every second camera is a query; odd and even identities take turns.
    fn folder(&self, id: u32, cam: u32, seq: u32) -> &'static str {
        match () {
            () if id <= self.train_ids => "bounding_box_train",
            () if seq == 1 && (id + cam).is_multiple_of(2) => "query",
            () => "bounding_box_test",
        }
    }

    /// One line for every identity: its number, its part, its role and its twin's number.
    fn list(&self) -> String {
        let mut list = String::from("id,split,role,twin\n");
        for id in 1..=self.train_ids + self.test_ids {
            let split = if id <= self.train_ids { "train" } else { "test" };
            let twin = twin(id).map_or(String::new(), |id| id.to_string());
            list.push_str(&format!("{id},{split},{},{twin}\n", Role::of(id)));
        }
        list
    }
}

/// Writes pictures as `rgbir/bounding_box_train`, `rgbir/query` and `rgbir/bounding_box_test`, named
/// `{id:04}_c{cam:03}_{seq:03}.jpg`, colours on the left and near infrared on the right, and lists identities with
/// their twins in `identities.csv`, all under `dir`. Of a test identity one picture under every second camera is a
/// query; all others are the gallery. `progress` is told now and then how many pictures are written.
///
/// # Errors
/// If a number of the layout is out of range, if `dir` holds an earlier `rgbir`, or if a file cannot be written.
pub fn write_layout(dir: &Path, layout: &Layout, progress: &dyn Fn(usize)) -> Result<(), DataError> {
    layout.check()?;
    let root = dir.join("rgbir");
    if root.exists() {
        // Pictures of an earlier layout would mix with these and be queries or matches of their own.
        let cause = Error::new(ErrorKind::AlreadyExists, "it exists already, and sets must not mix");
        return Err(DataError::Write { path: root, cause: cause.into() });
    }
    for folder in ["bounding_box_train", "query", "bounding_box_test"] {
        let path = root.join(folder);
        fs::create_dir_all(&path).map_err(|cause| DataError::Write { path, cause: cause.into() })?;
    }
    let jobs = layout.jobs();
    for (number, batch) in jobs.chunks(BATCH).enumerate() {
        batch.par_iter().try_for_each(|job| write_picture(&root, layout, job))?;
        progress(number * BATCH + batch.len());
    }
    let path = dir.join("identities.csv");
    fs::write(&path, layout.list()).map_err(|cause| DataError::Write { path, cause: cause.into() })
}

fn write_picture(root: &Path, layout: &Layout, job: &Job) -> Result<(), DataError> {
    let &Job { folder, id, cam, seq } = job;
    let picture = render(layout.seed, id, cam, seq, layout.height);
    let nir = picture.nir.view();
    let grey = concatenate![Axis(0), nir, nir, nir];
    let both = concatenate![Axis(2), picture.rgb, grey]; // [3, H, 4 H]
    write_jpeg(&root.join(folder).join(format!("{id:04}_c{cam:03}_{seq:03}.jpg")), both.view())
}
