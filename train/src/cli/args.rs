//! What the command line can say.

use super::explain::ExplainCommand;
use crate::bench::Bench;
use crate::device::DeviceArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use data::DepthFormat;
use std::path::PathBuf;

/// MutualFormer from the first multiplication to the results table: train, predict, measure.
#[derive(Parser)]
#[command(
    name = "mutualformer",
    version,
    max_term_width = 100,
    after_help = "Start with `mutualformer demo`; every command explains itself with --help."
)]
pub(super) struct Cli {
    /// Threads to compute with (default: all cores); results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = positive, display_order = 100)]
    pub(super) threads: Option<usize>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Draw pictures, train small networks from nothing, show what they learned (a few minutes)
    Demo {
        /// Which task
        #[arg(default_value = "sod")]
        task: DemoTask,
        /// Folder to put the run into (default: runs/demo, or runs/demo-reid); an earlier run there is replaced
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Make so many updates in all, if the epochs hold more; the schedule of the learning rate ends there
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        steps: Option<u64>,
        #[command(flatten)]
        device: DeviceArgs,
    },
    /// Print a commented configuration to start from
    Config {
        /// Its name; without one, list the names
        name: Option<String>,
    },
    /// Read every picture of a data set, or estimate a configuration's time and memory
    Check {
        /// A data set's folder (RGB/, depth/ and GT/ in it), or a configuration: a file or a built-in name
        path: PathBuf,
        /// What the folder's depth files hold: near-bright (larger is nearer), far-bright (larger is farther), mm
        /// (distance) or disparity
        #[arg(long, default_value = "near-bright")]
        depth_format: DepthFormat,
    },
    /// Train from a configuration
    Train(TrainArgs),
    /// Write saliency maps of pictures, folders or data sets; `predict reid` searches for an object
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Predict {
        #[command(subcommand)]
        task: Option<PredictTask>,
        #[command(flatten)]
        maps: Option<PredictArgs>,
        #[command(flatten)]
        device: DeviceArgs,
    },
    /// Write a page that shows what every token of a picture attends to; `explain reid` for re-identification
    Explain(ExplainCommand),
    /// Write the features of a folder's pictures by a re-identification network, for `score reid`
    Embed {
        #[command(flatten)]
        network: EmbedderArgs,
        #[command(flatten)]
        device: DeviceArgs,
        /// A data set in the layout of RGBN300, of which queries and gallery are taken, or a folder of pictures
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Measure predictions
    Score {
        #[command(subcommand)]
        task: ScoreTask,
    },
    /// List the tensors of a safetensors or PyTorch file
    Inspect {
        /// The file: safetensors, or a state dict that torch.save wrote (.pth, .pt)
        file: PathBuf,
    },
    /// Write weights with 16-bit floats: half the size, three significant digits
    Shrink {
        /// A run's folder, or a safetensors or PyTorch file
        path: PathBuf,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write procedural pictures as files in a public layout
    Synth {
        #[command(subcommand)]
        task: SynthTask,
    },
    /// Convert a depth file (16-bit mm, disparity as png or npz, float npy) to the loader's convention
    ImportDepth {
        /// The file to read
        input: PathBuf,
        /// The PNG to write: near is bright, 0 is missing
        #[arg(long, value_name = "PNG", value_parser = png_path)]
        out: PathBuf,
        /// What the file holds: near-bright (larger is nearer), far-bright (larger is farther), mm (distance) or
        /// disparity (default: mm for 16-bit pictures and npy, disparity for 8-bit pictures and npz)
        #[arg(long)]
        format: Option<DepthFormat>,
    },
    /// Recompute a recorded case, to compare the engine with another framework
    Replay {
        /// The case: a safetensors file with inputs and, in its metadata, "kind" and options
        case: PathBuf,
        /// The safetensors file to write outputs and gradients to, under the case's names
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Type to compute in (default: the file's; devices other than the cpu compute in f32)
        #[arg(long, value_name = "TYPE")]
        dtype: Option<DtypeArg>,
        /// How attention and CDA are computed: with matrices or without; the results agree up to rounding
        #[arg(long, default_value = "auto")]
        path: PathArg,
        #[command(flatten)]
        device: DeviceArgs,
    },
    /// List the devices to compute on, and what each can do
    Devices {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Measure speed; times are medians
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Print a script that lets a shell complete commands and options (README, "The tool", says where to put it)
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the tool's manual page, or write a page for every command into a folder
    Man {
        /// The folder to fill: mutualformer.1, mutualformer-train.1, mutualformer-score-sod.1, ...
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DemoTask {
    /// RGB-D salient object detection
    Sod,
    /// RGB-NIR re-identification
    Reid,
}

#[derive(Args)]
pub(super) struct TrainArgs {
    /// A configuration file, or the name of a built-in one; not needed with --resume
    pub(super) config: Option<PathBuf>,
    /// Change a value of the configuration, such as model.fusion=ca; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(super) changes: Vec<String>,
    /// Folder to put the run into (default: runs/ and the configuration's name); an earlier run there is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the interrupted run in --out, as if it had not been interrupted
    #[arg(long)]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    /// Replaces the configuration's seed
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Make so many updates in all, if the epochs hold more; the schedule of the learning rate ends there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) steps: Option<u64>,
}

#[derive(Args)]
pub(super) struct PredictArgs {
    /// A picture (PNG or JPEG), or a folder of pictures
    #[arg(long, value_name = "PATH", requires = "depth")]
    pub(super) rgb: Option<PathBuf>,
    /// Its depth, or a folder of depths named like the pictures (a.jpg's depth is a.png)
    #[arg(long, value_name = "PATH", requires = "rgb")]
    pub(super) depth: Option<PathBuf>,
    /// In place of --rgb and --depth: a data set in a public layout (RGB/ and depth/ in it), or a folder of several
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rgb", "depth"])]
    pub(super) data: Option<PathBuf>,
    /// The PNG to write, for folders the folder to fill, for --data the folder to put a folder for each set into
    #[arg(long, value_name = "PATH")]
    pub(super) out: PathBuf,
    /// Use the best weights of the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "weights")]
    pub(super) run: Option<PathBuf>,
    /// Use a run's best.safetensors or last.safetensors (default: the weights that come with the tool)
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    /// What the depth files hold, all of them: near-bright (larger is nearer), far-bright (larger is farther), mm
    /// (distance) or disparity; sets that differ are predicted one by one
    #[arg(long, default_value = "near-bright")]
    pub(super) depth_format: DepthFormat,
}

#[derive(Subcommand)]
pub(super) enum PredictTask {
    /// Search for the object of a picture in a gallery: a list, and a sheet of pictures
    Reid(FindArgs),
}

#[derive(Args)]
pub(super) struct FindArgs {
    #[command(flatten)]
    pub(super) network: EmbedderArgs,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    /// A picture of the object, its spectra side by side; several give the sheet several rows
    #[arg(long, value_name = "IMG", required = true, num_args = 1..)]
    pub(super) query: Vec<PathBuf>,
    /// A folder of pictures, or a data set in the layout of RGBN300, whose gallery is taken
    #[arg(long, value_name = "DIR")]
    pub(super) gallery: PathBuf,
    /// How many of the nearest pictures to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = positive)]
    pub(super) top: usize,
    /// The sheet to write
    #[arg(long, value_name = "PNG", default_value = "found.png", value_parser = png_path)]
    pub(super) out: PathBuf,
}

/// Whose features are compared.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct EmbedderArgs {
    /// Use the best weights of the re-identification run in this folder
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// Use a run's best.safetensors or last.safetensors
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum ScoreTask {
    /// Saliency maps against masks: S, MAE, F, E, weighted F
    Sod {
        /// Folder of predicted saliency maps, or of such folders, one for every data set: DIR/NLPR/a.png
        #[arg(long, value_name = "DIR")]
        pred: PathBuf,
        /// Folder of true masks, named like the predictions (a.png is the truth of a.png or a.jpg), or of data sets
        /// named like the folders of predictions, with a folder of masks in each: DIR/NLPR/GT/a.png
        #[arg(long, value_name = "DIR")]
        gt: PathBuf,
        /// Print one JSON object and nothing else; for data sets it holds one for each
        #[arg(long)]
        json: bool,
        /// Write every picture's numbers; pictures of data sets are called SET/STEM
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Draw precision-recall, F and E curves into a folder, for data sets into a folder for each in it
        #[arg(long, value_name = "DIR")]
        curves: Option<PathBuf>,
    },
    /// Features of queries against those of a gallery: mAP, CMC ranks, mINP
    Reid {
        /// A safetensors file with query.feat [Q, D], query.id and query.cam [Q], and the same of gallery
        #[arg(long, value_name = "FILE")]
        features: PathBuf,
        /// Re-rank by k-reciprocal neighbours (20, 6, 0.3) first: all Q + G pictures are compared with each other, so
        /// time grows with the square of their number; memory grows with their number
        #[arg(long)]
        rerank: bool,
        /// Print one JSON object and nothing else
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum SynthTask {
    /// Scenes for RGB-D salient object detection: RGB/, depth/ and GT/
    Sod(SynthSodArgs),
    /// Vehicles for RGB-NIR re-identification: rgbir/ as in RGBN300, and identities.csv
    Reid(SynthReidArgs),
}

#[derive(Args)]
pub(super) struct SynthSodArgs {
    /// Folder to write RGB/, depth/ and GT/ into
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// How many scenes
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(super) count: usize,
    /// Names the endless series the scenes are taken from; other seeds, other scenes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Number of the first scene in that series
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) first: u64,
    /// A folder of photographs (PNG, JPEG) that many surfaces wear
    #[arg(long, value_name = "DIR")]
    pub(super) photos: Option<PathBuf>,
    /// Pixels a side, 32 to 512
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(super) size: usize,
}

#[derive(Args)]
pub(super) struct SynthReidArgs {
    /// Folder to write rgbir/ into
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// How many vehicles, 2 to 600: half to train on, the others to test with; a multiple of 4 keeps twins together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=600))]
    pub(super) ids: u32,
    /// How many cameras, 2 to 8; every third records at night
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=8))]
    pub(super) cams: u32,
    /// Pictures of every vehicle under every camera, 1 to 999
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=999))]
    pub(super) per_cam: u32,
    /// Names the series of vehicles and cameras; other seeds, others
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Rows of a picture, 16 to 512; it has twice as many columns in each spectrum
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(super) size: usize,
}

/// Scalar types on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum DtypeArg {
    /// 32-bit float
    F32,
    /// 64-bit float
    F64,
}

/// Ways to compute CDA.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PathArg {
    /// Whatever suits the sizes
    Auto,
    /// N x N matrices, as the equations are written
    Plain,
    /// Without such matrices
    Fast,
}

impl PathArg {
    /// What it is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no way is hidden").get_name().to_owned()
    }

    /// The option of a block that it stands for.
    pub(crate) fn path(self) -> cda::Path {
        match self {
            PathArg::Auto => cda::Path::Auto,
            PathArg::Plain => cda::Path::Plain,
            PathArg::Fast => cda::Path::Fast,
        }
    }
}

/// A number from 1 on.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("a whole number is needed ({error})")),
    }
}

/// The name of a picture to write: what is written is PNG, so it should be called that.
fn png_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Ok(path);
    }
    Err("a PNG picture is written: let the name end in .png".to_owned())
}
