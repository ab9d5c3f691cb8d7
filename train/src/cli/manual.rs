//! `mutualformer completions` and `mutualformer man`: what a shell and a reader learn from `args`.

use super::args::Cli;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{Write, stdout};
use std::path::Path;

/// Prints the script that lets `shell` complete commands and options.
pub(super) fn print_completions(shell: Shell) -> Result<()> {
    // Into memory first: the generator panics when its writer fails, as a pipe to `head` does.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mutualformer", &mut script);
    stdout().write_all(&script)?;
    Ok(())
}

/// Writes a page for the tool and one for each of its commands (mutualformer-score-sod.1) into a folder; without one,
/// prints the tool's own page.
pub(super) fn write_manual(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        clap_mangen::Man::new(Cli::command().disable_help_subcommand(true)).render(&mut stdout())?;
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    println!("manual pages in {}", folder.display());
    Ok(())
}
