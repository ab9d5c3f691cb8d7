//! A look at every picture of a re-identification set before a run: what is wrong, what is odd, and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use rayon::prelude::*;

use super::folder::{Part, ReidFolder};
use super::label::Label;
use crate::error::DataError;

/// What [`survey`] found.
#[derive(Clone, Debug)]
pub struct ReidSurvey {
    /// What is wrong, a sentence each: first what keeps a picture from being used, then what spoils the set.
    pub problems: Vec<String>,
    /// What is odd but may be right, a sentence each.
    pub remarks: Vec<String>,
    /// What the readable pictures of the three folders are, in the order of [`Part::ALL`].
    pub parts: Vec<PartFacts>,
}

/// What the readable pictures of one folder are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFacts {
    /// The folder.
    pub part: Part,
    /// Pictures.
    pub pictures: usize,
    /// Different identities.
    pub ids: usize,
    /// Different cameras.
    pub cams: usize,
    /// The least, the median and the largest number of pictures of an identity.
    pub per_id: [usize; 3],
    /// (H, W) of a spectrum, the smallest and the largest.
    pub sizes: [(usize, usize); 2],
    /// Spectra in a file, the fewest and the most.
    pub spectra: [usize; 2],
}

/// A picture that can be read.
struct Seen {
    part: Part,
    /// The file's stem.
    name: String,
    label: Label,
    /// (H, W) of a spectrum.
    size: (usize, usize),
    crops: usize,
    /// A hash of the file's bytes.
    bytes: u64,
}

/// Pictures looked at between two reports of progress.
const BATCH: usize = 64;

/// Reads every picture of a set of at least `spectra` spectra, all three folders, and gathers its faults;
/// [`ReidFolder::open`] describes the arguments. `progress` is told now and then how many pictures are done, and how many
/// there are.
///
/// # Panics
/// As [`ReidFolder::open`].
pub fn survey(dir: &Path, spectra: usize, progress: &dyn Fn(usize, usize)) -> ReidSurvey {
    let mut problems: Vec<String> = Vec::new();
    let mut pictures = Vec::new();
    let opened = Part::ALL.map(|part| ReidFolder::open_sound(dir, part, spectra));
    for (part, (folder, found)) in Part::ALL.into_iter().zip(&opened) {
        problems.extend(told(found, spectra));
        pictures.extend((0..folder.len()).map(|index| (part, folder, index)));
    }
    let mut seen = Vec::new();
    for (number, batch) in pictures.chunks(BATCH).enumerate() {
        let looks: Vec<Result<Seen, DataError>> =
            batch.par_iter().map(|&(part, folder, index)| look(part, folder, index)).collect();
        for look in looks {
            match look {
                Ok(picture) => seen.push(picture),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        progress(number * BATCH + batch.len(), pictures.len());
    }
    let mut remarks = Vec::new();
    shared_ids(&seen, &mut problems);
    equal_files(&seen, &mut problems);
    unanswered_queries(&seen, &mut problems, &mut remarks);
    remarks.extend(queries_in_gallery(&seen));
    remarks.extend(ids_of_one_camera(&seen));
    let parts: Vec<PartFacts> = Part::ALL.into_iter().filter_map(|part| PartFacts::of(part, &seen)).collect();
    if parts.iter().any(|facts| facts.spectra != parts[0].spectra || facts.spectra[0] != facts.spectra[1]) {
        remarks.push("files hold different numbers of spectra; the first ones of each are read".into());
    }
    ReidSurvey { problems, remarks, parts }
}

/// The faults of a folder's files, those that lack spectra in one sentence: mostly these are all files.
fn told(found: &[DataError], spectra: usize) -> impl Iterator<Item = String> {
    let lacking = |error: &DataError| match error {
        DataError::FewerSpectra { path, .. } => Some(path.display().to_string()),
        _ => None,
    };
    let without: Vec<String> = found.iter().filter_map(lacking).collect();
    let others = found.iter().filter(move |error| lacking(error).is_none()).map(ToString::to_string);
    named(&without, &format!("files do not hold {spectra} spectra")).into_iter().chain(others)
}

fn look(part: Part, folder: &ReidFolder, index: usize) -> Result<Seen, DataError> {
    let sample = folder.load(index)?;
    let path = folder.file(index);
    let mut hasher = DefaultHasher::new();
    fs::read(path).map_err(DataError::read(path))?.hash(&mut hasher);
    let (_, height, width) = sample.pictures[0].dim();
    Ok(Seen {
        part,
        name: sample.name,
        label: Label { id: sample.id, cam: sample.cam },
        size: (height, width),
        crops: folder.crops(index),
        bytes: hasher.finish(),
    })
}

/// Identities that are trained on and tested with: what is scored was learned by heart.
fn shared_ids(seen: &[Seen], problems: &mut Vec<String>) {
    let ids = |train: bool| -> BTreeSet<u32> {
        seen.iter().filter(|s| (s.part == Part::Train) == train).map(|s| s.label.id).collect()
    };
    let shared: Vec<u32> = ids(true).intersection(&ids(false)).copied().collect();
    problems.extend(named(&shared, "identities are both trained on and tested with"));
}

/// Files with the same bytes, other than a query that lies in the gallery under its name.
fn equal_files(seen: &[Seen], problems: &mut Vec<String>) {
    let mut first: BTreeMap<u64, &Seen> = BTreeMap::new();
    let mut pairs = Vec::new();
    for picture in seen {
        let other = *first.entry(picture.bytes).or_insert(picture);
        let query_in_gallery =
            (other.part, picture.part) == (Part::Query, Part::Gallery) && other.name == picture.name;
        if !std::ptr::eq(other, picture) && !query_in_gallery {
            pairs.push(format!("{other} = {picture}"));
        }
    }
    problems.extend(named(&pairs, "files hold the same bytes as another one"));
}

/// Queries without a picture of their identity by another camera.
fn unanswered_queries(seen: &[Seen], problems: &mut Vec<String>, remarks: &mut Vec<String>) {
    let mut gallery: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for Seen { label, .. } in seen.iter().filter(|s| s.part == Part::Gallery) {
        gallery.entry(label.id).or_default().insert(label.cam);
    }
    let answered = |Label { id, cam }: Label| {
        gallery.get(&id).is_some_and(|cams| cams.iter().any(|&other| other != cam))
    };
    let queries: Vec<&Seen> = seen.iter().filter(|s| s.part == Part::Query).collect();
    let lost: Vec<&&Seen> = queries.iter().filter(|query| !answered(query.label)).collect();
    if !queries.is_empty() && lost.len() == queries.len() {
        problems.push(
            "no query has a picture of its identity by another camera in the gallery: nothing to score"
                .into(),
        );
    } else {
        let names: Vec<&str> = lost.iter().map(|query| query.name.as_str()).collect();
        remarks.extend(named(
            &names,
            "queries have no picture of their identity by another camera in the gallery: they are not scored",
        ));
    }
}

/// Queries that lie in the gallery too.
fn queries_in_gallery(seen: &[Seen]) -> Option<String> {
    let names = |part: Part| seen.iter().filter(move |s| s.part == part).map(|s| s.name.as_str());
    let gallery: BTreeSet<&str> = names(Part::Gallery).collect();
    let both: Vec<&str> = names(Part::Query).filter(|name| gallery.contains(name)).collect();
    let words = "queries are in the gallery under the same name: scoring passes over pictures of a query's own camera";
    named(&both, words)
}

/// Training identities that one camera alone saw.
fn ids_of_one_camera(seen: &[Seen]) -> Option<String> {
    let mut cams: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for Seen { label, .. } in seen.iter().filter(|s| s.part == Part::Train) {
        cams.entry(label.id).or_default().insert(label.cam);
    }
    let one: Vec<u32> = cams.into_iter().filter(|(_, cams)| cams.len() == 1).map(|(id, _)| id).collect();
    named(&one, "training identities were seen by one camera only: they do not teach what a camera changes")
}

/// How many there are and the first few, or nothing if there are none.
fn named(items: &[impl ToString], words: &str) -> Option<String> {
    const NAMED: usize = 3;
    let first: Vec<String> = items.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if items.len() > NAMED { ", …" } else { "" };
    (!items.is_empty()).then(|| format!("{} {words} ({}{more})", items.len(), first.join(", ")))
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.part.folder(), self.name)
    }
}

impl PartFacts {
    /// `None` if none of its pictures can be read.
    fn of(part: Part, seen: &[Seen]) -> Option<PartFacts> {
        let seen: Vec<&Seen> = seen.iter().filter(|s| s.part == part).collect();
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for picture in &seen {
            *counts.entry(picture.label.id).or_default() += 1;
        }
        let mut per_id: Vec<usize> = counts.into_values().collect();
        per_id.sort_unstable();
        let sizes = || seen.iter().map(|s| s.size);
        let crops = || seen.iter().map(|s| s.crops);
        Some(PartFacts {
            part,
            pictures: seen.len(),
            ids: per_id.len(),
            cams: seen.iter().map(|s| s.label.cam).collect::<BTreeSet<_>>().len(),
            per_id: [*per_id.first()?, per_id[per_id.len() / 2], *per_id.last()?],
            sizes: [sizes().min()?, sizes().max()?],
            spectra: [crops().min()?, crops().max()?],
        })
    }
}

impl fmt::Display for PartFacts {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let PartFacts { pictures, ids, cams, per_id: [least, median, most], .. } = self;
        let [smallest, largest] = self.sizes.map(|(height, width)| format!("{height} x {width}"));
        let [fewest, all] = self.spectra;
        write!(f, "{}: {pictures} pictures of {ids} identities by {cams} cameras, ", self.part.folder())?;
        write!(f, "{least} to {most} of each (median {median}), {smallest}")?;
        if smallest != largest {
            write!(f, " to {largest}")?;
        }
        write!(f, " (height x width) in {fewest}")?;
        if fewest != all {
            write!(f, " to {all}")?;
        }
        f.write_str(" spectra")
    }
}

impl fmt::Display for ReidSurvey {
    /// One line for every folder that holds a readable picture.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.parts.is_empty() {
            return f.write_str("no picture is fine");
        }
        let lines: Vec<String> = self.parts.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests;
