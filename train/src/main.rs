//! The `mutualformer` tool; see [`train::cli`].

use std::io::{Error, ErrorKind};
use std::process::ExitCode;

fn main() -> ExitCode {
    match train::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether what reads our output, such as `head`, has seen enough.
fn reader_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
