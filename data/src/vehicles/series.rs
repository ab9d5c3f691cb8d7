//! Vehicles in memory: consecutive identities under the first cameras, and which of their pictures are queries.

use ndarray::{Array3, Axis, concatenate};
use rayon::prelude::*;

use super::{CAMS, HEIGHTS, IDS, Picture, render};
use crate::error::DataError;
use crate::reid::ReidSample;

/// Identities `first`, `first + 1`, … with as many pictures under every camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Names the series of identities and cameras.
    pub seed: u64,
    /// The first identity; an odd number keeps twins together.
    pub first: u32,
    /// Identities; an even number keeps twins together.
    pub ids: u32,
    /// Cameras: 1 up to this number, from 2 to 8.
    pub cams: u32,
    /// Pictures of every identity under every camera.
    pub per_cam: u32,
    /// Rows of a picture, one of [`HEIGHTS`]; it has twice as many columns. The public set has 128.
    pub height: usize,
}

/// A picture of a series, by its numbers.
#[derive(Clone, Copy)]
pub(super) struct Take {
    pub id: u32,
    pub cam: u32,
    pub seq: u32,
}

impl Series {
    /// Pictures in all.
    pub fn count(&self) -> usize {
        self.ids as usize * self.cams as usize * self.per_cam as usize
    }

    /// Whether every number is in its range.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check(&self) -> Result<(), DataError> {
        let too = |name, value: f32, expected| Err(DataError::Setting { name, value, expected });
        match self {
            _ if self.ids == 0 => too("ids", 0.0, "at least one identity"),
            _ if self.first == 0 => too("first", 0.0, "identities are 1 to 600"),
            // Sums of two u32 may overflow; the widths of u64 may not.
            _ if u64::from(self.first) + u64::from(self.ids) > u64::from(*IDS.end()) + 1 => {
                too("first + ids - 1", self.first as f32 + self.ids as f32 - 1.0, "identities are 1 to 600")
            }
            _ if !(2..=*CAMS.end()).contains(&self.cams) => too("cams", self.cams as f32, "2 to 8"),
            _ if !(1..=999).contains(&self.per_cam) => too("per_cam", self.per_cam as f32, "1 to 999"),
            _ if !HEIGHTS.contains(&self.height) => too("height", self.height as f32, "16 to 512"),
            _ => Ok(()),
        }
    }

    /// Draws every picture, to train on: colours and near infrared, `[3, height, 2 height]` each, by identity, camera
    /// and number. Other than those that [`super::write_layout`] writes, they have not been through a JPEG.
    ///
    /// # Errors
    /// As [`Series::check`].
    pub fn draw(&self) -> Result<Vec<ReidSample>, DataError> {
        self.draw_those(|_| true)
    }

    /// As [`Series::draw`], to test with: queries and gallery, parted as [`super::write_layout`] parts them.
    ///
    /// # Errors
    /// As [`Series::check`].
    pub fn draw_split(&self) -> Result<(Vec<ReidSample>, Vec<ReidSample>), DataError> {
        Ok((self.draw_those(Take::is_query)?, self.draw_those(|take| !take.is_query())?))
    }

    fn draw_those(&self, wanted: impl Fn(&Take) -> bool) -> Result<Vec<ReidSample>, DataError> {
        self.check()?;
        let takes: Vec<Take> = self.takes().filter(wanted).collect();
        let draw = |take: &Take| ReidSample {
            name: take.name(),
            id: take.id,
            cam: take.cam,
            pictures: take.pictures(self).into(),
        };
        Ok(takes.par_iter().map(draw).collect())
    }

    /// The numbers of every picture.
    pub(super) fn takes(&self) -> impl Iterator<Item = Take> + use<> {
        let Series { first, ids, cams, per_cam, .. } = *self;
        let shots = (first..first + ids).flat_map(move |id| (1..=cams).map(move |cam| (id, cam)));
        shots.flat_map(move |(id, cam)| (1..=per_cam).map(move |seq| Take { id, cam, seq }))
    }
}

impl Take {
    /// The stem of its file.
    pub fn name(&self) -> String {
        format!("{:04}_c{:03}_{:03}", self.id, self.cam, self.seq)
    }

    /// The first picture under every second camera is a query; odd and even identities take turns.
    pub fn is_query(&self) -> bool {
        self.seq == 1 && (self.id + self.cam).is_multiple_of(2)
    }

    /// Colours and near infrared, the latter three times over, `[3, H, 2 H]` each.
    pub fn pictures(&self, series: &Series) -> [Array3<f32>; 2] {
        let Picture { rgb, nir } = render(series.seed, self.id, self.cam, self.seq, series.height);
        let nir = nir.view();
        [rgb, concatenate![Axis(0), nir, nir, nir]]
    }
}
