//! Writes vehicles to disk in the folder layout of RGBN300.

use ndarray::{Axis, concatenate};
use rayon::prelude::*;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::series::{Series, Take};
use super::{IDS, Role, twin};
use crate::error::DataError;
use crate::image_io::write_jpeg;
use crate::reid::Part;

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
    /// Rows of a picture, one of [`super::HEIGHTS`]; it has twice as many columns. The public set has 128.
    pub height: usize,
}

impl Layout {
    /// Pictures in all.
    pub fn count(&self) -> usize {
        self.train().count() + self.test().count()
    }

    /// What is trained on.
    fn train(&self) -> Series {
        let Layout { seed, train_ids, cams, per_cam, height, .. } = *self;
        Series { seed, first: 1, ids: train_ids, cams, per_cam, height }
    }

    /// What is tested with.
    fn test(&self) -> Series {
        Series { first: self.train_ids + 1, ids: self.test_ids, ..self.train() }
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
            _ => self.train().check(),
        }
    }

    /// Every picture with the part it belongs to.
    fn jobs(&self) -> Vec<(Part, Take)> {
        let train = self.train().takes().map(|take| (Part::Train, take));
        let part = |take: &Take| if take.is_query() { Part::Query } else { Part::Gallery };
        train.chain(self.test().takes().map(|take| (part(&take), take))).collect()
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
    for part in Part::ALL {
        let path = root.join(part.folder());
        fs::create_dir_all(&path).map_err(|cause| DataError::Write { path, cause: cause.into() })?;
    }
    let jobs = layout.jobs();
    for (number, batch) in jobs.chunks(BATCH).enumerate() {
        batch
            .par_iter()
            .try_for_each(|(part, take)| write_picture(&root.join(part.folder()), layout, take))?;
        progress(number * BATCH + batch.len());
    }
    let path = dir.join("identities.csv");
    fs::write(&path, layout.list()).map_err(|cause| DataError::Write { path, cause: cause.into() })
}

fn write_picture(folder: &Path, layout: &Layout, take: &Take) -> Result<(), DataError> {
    let [rgb, nir] = take.pictures(&layout.train()); // seed and height are those of both series
    let both = concatenate![Axis(2), rgb, nir]; // [3, H, 4 H]
    write_jpeg(&folder.join(take.name()).with_extension("jpg"), both.view())
}
