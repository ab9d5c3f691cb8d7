//! The `mutualformer` tool; see [`train::cli`].

fn main() -> std::process::ExitCode {
    match train::cli::main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
