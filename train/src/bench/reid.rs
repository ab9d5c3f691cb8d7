//! One training step of a re-identification network, on a batch of noise.

use super::step::StepArgs;
use crate::config::RunConfig;
use crate::reid::Embedder;
use crate::reid::config::ReidRunConfig;
use crate::reid::losses::reid_loss;
use crate::task::Task;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Tensor, Var};
use clap::Args;
use std::path::PathBuf;

/// Identities where the configuration leaves their number to the data: those that RGBN300 is trained on.
const IDENTITIES: usize = 150;

#[derive(Args)]
pub(crate) struct ReidArgs {
    /// Whose network, loss and optimiser: a configuration's file or the name of a built-in one
    #[arg(long, value_name = "NAME", default_value = "demo-reid")]
    config: PathBuf,
    #[command(flatten)]
    step: StepArgs,
}

impl ReidArgs {
    pub(super) fn run(&self) -> Result<()> {
        let mut config = ReidRunConfig::load(&self.config, &self.step.changes(None))?;
        if config.model.classes == 0 {
            config.model.classes = IDENTITIES;
        }
        let (batch, [height, width]) = (config.train.batch, config.data.size);
        let clock = self.step.clock()?;
        let embedder = Embedder::new(&config)?.at(&clock.place)?;
        let picture = |site| {
            let noise = Tensor::randn(&[batch, 3, height, width], Key::default(), site);
            clock.place.tensor(&noise)
        };
        let pictures: Vec<Tensor> =
            (0..config.model.streams.len() as u64).map(picture).collect::<Result<_, _>>()?;
        let labels: Vec<usize> =
            (0..batch).map(|i| i / config.data.instances % config.model.classes).collect();
        let what = format!("{} B{batch} at {height} x {width} px", self.config.display());
        self.step.run(&what, embedder, &clock, |embedder, ctx| {
            let pictures: Vec<Var> = pictures.iter().map(|picture| ctx.constant(picture)).collect();
            let output = embedder.net.forward(ctx, &pictures);
            reid_loss(ctx, &output, &labels, &config.train.loss, embedder.centres.as_ref())
        })
    }
}
