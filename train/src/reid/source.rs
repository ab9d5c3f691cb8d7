//! The pictures of a re-identification run, opened.

use super::config::{ReidDataConfig, ReidRunConfig, ReidSource};
use crate::metrics::reid::UNKNOWN_ID;
use anyhow::{Result, ensure};
use autograd::random::site;
use data::DataError;
use data::reid::{Part, ReidFolder, ReidSample, UNKNOWN};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// One part of a set: what is trained on, the queries, or the gallery.
#[derive(Clone)]
pub enum Pictures {
    /// Drawn once, kept in memory.
    Drawn(Arc<Vec<ReidSample>>),
    /// Read from disk each time.
    Folder(Arc<ReidFolder>),
}

/// What is wrong with a set in which nothing can be found.
pub(super) const NO_MATCH: &str =
    "no query has a picture of the same identity from another camera in the gallery";

/// Queries and the gallery they are searched in.
#[derive(Clone)]
pub struct SearchSet {
    /// What is searched for.
    pub query: Pictures,
    /// Where.
    pub gallery: Pictures,
}

impl Pictures {
    /// Draws vehicles or lists a folder, to train on.
    ///
    /// # Errors
    /// A folder that cannot be listed or is in no known layout; settings that nothing can be drawn from.
    pub fn open(source: &ReidSource, config: &ReidRunConfig) -> Result<Pictures> {
        Ok(match source {
            ReidSource::Vehicles(vehicles) => Pictures::drawn(vehicles.series(config.data.size)?.draw()?),
            ReidSource::Folder { path } => Pictures::listed(path, Part::Train, config)?,
        })
    }

    fn drawn(samples: Vec<ReidSample>) -> Pictures {
        Pictures::Drawn(Arc::new(samples))
    }

    fn listed(path: &Path, part: Part, config: &ReidRunConfig) -> Result<Pictures> {
        let spectra = ReidDataConfig::spectra(&config.model.streams);
        Ok(Pictures::from(ReidFolder::open(path, part, spectra)?))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Pictures::Drawn(samples) => samples.len(),
            Pictures::Folder(folder) => folder.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The identity of every picture.
    pub fn ids(&self) -> Vec<u32> {
        match self {
            Pictures::Drawn(samples) => samples.iter().map(|sample| sample.id).collect(),
            Pictures::Folder(folder) => folder.ids(),
        }
    }

    /// The camera of every picture.
    pub fn cams(&self) -> Vec<u32> {
        match self {
            Pictures::Drawn(samples) => samples.iter().map(|sample| sample.cam).collect(),
            Pictures::Folder(folder) => folder.cams(),
        }
    }

    /// Identities and cameras as [`Features`](crate::metrics::reid::Features) take them, unknown ones as such.
    pub fn labels(&self) -> (Vec<i64>, Vec<i64>) {
        let id = |id: u32| if id == UNKNOWN { UNKNOWN_ID } else { i64::from(id) };
        let cams = self.cams().into_iter().map(i64::from);
        (self.ids().into_iter().map(id).collect(), cams.collect())
    }

    /// The label of every identity: 0, 1, … in the order of their numbers.
    pub fn identities(&self) -> BTreeMap<u32, usize> {
        let mut ids = self.ids();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().zip(0..).collect()
    }

    /// The name of picture `index`.
    pub fn name(&self, index: usize) -> &str {
        match self {
            Pictures::Drawn(samples) => &samples[index].name,
            Pictures::Folder(folder) => folder.name(index),
        }
    }

    /// Picture `index`, as it is stored.
    ///
    /// # Errors
    /// A file that cannot be read as a picture of the expected size.
    pub fn load(&self, index: usize) -> Result<ReidSample, DataError> {
        match self {
            Pictures::Drawn(samples) => Ok(samples[index].clone()),
            Pictures::Folder(folder) => folder.load(index),
        }
    }

    /// A number that changes with the files of a folder (names and lengths) and the colours of drawn pictures.
    pub fn fingerprint(&self) -> String {
        let text: String = match self {
            Pictures::Drawn(samples) => {
                samples.iter().map(|sample| format!("{}\n", sample.pictures[0].sum())).collect()
            }
            Pictures::Folder(folder) => folder.inventory(),
        };
        format!("{:016x}", site(&text)) // the hash that is written out and will not change
    }
}

impl From<ReidFolder> for Pictures {
    fn from(folder: ReidFolder) -> Pictures {
        Pictures::Folder(Arc::new(folder))
    }
}

impl SearchSet {
    /// Draws or lists queries and gallery.
    ///
    /// # Errors
    /// If a picture is not what it should be, or no query can find anything.
    pub fn open(source: &ReidSource, config: &ReidRunConfig) -> Result<SearchSet> {
        let set = match source {
            ReidSource::Vehicles(vehicles) => {
                let (query, gallery) = vehicles.series(config.data.size)?.draw_split()?;
                SearchSet { query: Pictures::drawn(query), gallery: Pictures::drawn(gallery) }
            }
            ReidSource::Folder { path } => SearchSet {
                query: Pictures::listed(path, Part::Query, config)?,
                gallery: Pictures::listed(path, Part::Gallery, config)?,
            },
        };
        ensure!(set.has_match(), NO_MATCH);
        Ok(set)
    }

    /// Whether one query at least has a picture of its identity by another camera.
    fn has_match(&self) -> bool {
        let labels = |pictures: &Pictures| -> BTreeSet<(u32, u32)> {
            pictures.ids().into_iter().zip(pictures.cams()).collect()
        };
        let gallery = labels(&self.gallery);
        labels(&self.query)
            .iter()
            .any(|&(id, cam)| gallery.range((id, 0)..=(id, u32::MAX)).any(|&(_, other)| other != cam))
    }

    /// Every identity in it.
    pub fn identities(&self) -> BTreeSet<u32> {
        self.query.ids().into_iter().chain(self.gallery.ids()).collect()
    }
}
