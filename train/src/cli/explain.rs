//! `mutualformer explain`: what it can be asked, and its carrying out.

use super::args::EmbedderArgs;
use super::{detector, embedder};
use crate::explain::{Explained, heat, of_detector, of_embedder, page};
use crate::predict::{self, Job, create_folder_of};
use crate::reid::config::ReidDataConfig;
use crate::reid::find;
use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};
use data::DepthFormat;
use std::path::PathBuf;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ExplainCommand {
    #[command(subcommand)]
    task: Option<ExplainTask>,
    #[command(flatten)]
    pair: Option<ExplainArgs>,
    #[command(flatten)]
    outputs: Option<Outputs>,
}

#[derive(Subcommand)]
enum ExplainTask {
    /// Write such a page for a re-identification network and a picture in several spectra
    Reid(ExplainReidArgs),
}

#[derive(Args)]
struct ExplainArgs {
    /// A picture (PNG or JPEG)
    #[arg(long, value_name = "FILE")]
    rgb: PathBuf,
    /// Its depth
    #[arg(long, value_name = "FILE")]
    depth: PathBuf,
    /// What the depth file holds: near-bright (larger is nearer), far-bright (larger is farther), mm (distance) or
    /// disparity
    #[arg(long, default_value = "near-bright")]
    depth_format: DepthFormat,
    /// Use the best weights of the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// Use a run's best.safetensors or last.safetensors (default: the weights that come with the tool)
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

#[derive(Args)]
struct ExplainReidArgs {
    #[command(flatten)]
    network: EmbedderArgs,
    /// A picture, its spectra side by side
    #[arg(long, value_name = "IMG")]
    query: PathBuf,
    #[command(flatten)]
    outputs: Outputs,
}

#[derive(Args)]
struct Outputs {
    /// The page to write: one file, to open in a browser; it needs nothing else and no network
    #[arg(long, value_name = "HTML", value_parser = html_path)]
    out: PathBuf,
    /// Write the maps of one token as pictures into this folder, too
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// The token to begin with, by its row and column in the first block, counted from 0 (default: the most salient one,
    /// for re-identification the middle one)
    #[arg(long, value_name = "ROW,COL", value_parser = token)]
    token: Option<(usize, usize)>,
}

impl ExplainCommand {
    /// Runs the network, writes the page and, if asked, the pictures.
    pub(super) fn run(self) -> Result<()> {
        match (self.task, self.pair, self.outputs) {
            (Some(ExplainTask::Reid(args)), ..) => args.run(),
            (None, Some(pair), Some(outputs)) => pair.run(&outputs),
            (None, ..) => bail!("name the pictures and the page; see mutualformer explain --help"),
        }
    }
}

impl ExplainArgs {
    fn run(self, outputs: &Outputs) -> Result<()> {
        for file in [&self.rgb, &self.depth] {
            ensure!(!file.is_dir(), "{} is a folder; explain shows one picture", file.display());
        }
        let detector = detector(self.run.as_deref(), self.weights.as_deref())?;
        let job = Job { rgb: self.rgb, depth: self.depth, mask: None, out: outputs.out.clone() };
        let sample = predict::read(&job, self.depth_format)?;
        outputs.write(of_detector(&detector, &sample)?)
    }
}

impl ExplainReidArgs {
    fn run(self) -> Result<()> {
        ensure!(!self.query.is_dir(), "{} is a folder; explain shows one picture", self.query.display());
        let embedder = embedder(&self.network)?;
        let spectra = ReidDataConfig::spectra(&embedder.config.model.streams);
        self.outputs.write(of_embedder(&embedder, &find::read(&self.query, spectra)?)?)
    }
}

impl Outputs {
    fn write(&self, explained: Explained) -> Result<()> {
        let explained = match self.token {
            Some(token) => explained.at(token)?,
            None => explained,
        };
        create_folder_of(&self.out)?;
        let bytes = page::write_page(&explained, &self.out)?;
        let blocks = explained.blocks.len();
        let plural = if blocks == 1 { "" } else { "s" };
        println!(
            "{blocks} MutualFormer block{plural} in {} ({:.1} MB); open it in a browser",
            self.out.display(),
            bytes as f64 / 1e6
        );
        if let Some(dir) = &self.png {
            let count = heat::write_pngs(&explained, dir)?;
            let (row, column) = explained.token;
            println!("{count} pictures of token {row},{column} in {}", dir.display());
        }
        Ok(())
    }
}

/// The name of a page to write.
fn html_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("html")) {
        return Ok(path);
    }
    Err("an HTML page is written: let the name end in .html".to_owned())
}

/// `ROW,COL`.
fn token(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once(',').map(|(row, column)| (row.trim().parse(), column.trim().parse()));
    match numbers {
        Some((Ok(row), Ok(column))) => Ok((row, column)),
        _ => Err("a row and a column are needed, such as 3,4".to_owned()),
    }
}
