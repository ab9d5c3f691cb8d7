//! A folder to work in and the tool to type into it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use train::config::{Config, RunConfig, built_in};

/// A detector and data so small that a run of ten updates takes a moment.
const TINY: [&str; 9] = [
    "data.size=32",
    "data.train=[{scenes={seed=1,first=0,count=20}}]",
    "data.validation=[{scenes={seed=2,first=0,count=3}}]",
    "data.test=[{scenes={seed=3,first=0,count=3}}]",
    "model.widths=[8,8,16,16]",
    "model.decoder=8",
    "model.num_heads=4",
    "train.epochs=2",
    "train.batch=4",
];

/// The tiny configuration with further changes.
pub fn tiny(changes: &[&str]) -> Config {
    let changes: Vec<String> = TINY.iter().chain(changes).map(|&change| change.to_owned()).collect();
    Config::parse(built_in("demo").unwrap(), &changes).unwrap()
}

/// A temporary folder, with `tiny.toml` in it, that vanishes with the value.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.write("tiny.toml", tiny(&[]).to_toml());
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// The tool with these arguments (words separated by blanks) in this folder, not yet started.
    pub fn tool(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mutualformer"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Runs the tool, which must succeed; returns what it printed.
    pub fn ok(&self, arguments: &str) -> String {
        let output = self.tool(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {}\n{errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a file that someone writes has so many lines.
    pub fn wait_for_lines(&self, file: &str, lines: usize) {
        let start = Instant::now();
        while std::fs::read_to_string(self.path(file)).unwrap_or_default().lines().count() < lines {
            assert!(start.elapsed() < Duration::from_secs(60), "{file} does not grow");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs the tool, which must refuse with exit code 1 and one error, without a panic; returns that error.
    pub fn refuses(&self, arguments: &str) -> String {
        let output = self.tool(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {output:?}");
        the_error(&output, arguments)
    }

    /// Runs the tool, which must find the command line itself wrong (exit code 2, as is usual); returns the error.
    pub fn misused(&self, arguments: &str) -> String {
        let output = self.tool(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        the_error(&output, arguments)
    }
}

/// What follows the one "error: ".
fn the_error(output: &Output, arguments: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let parts: Vec<&str> = text.split("error: ").collect();
    assert_eq!(parts.len(), 2, "{arguments}: not one error but\n{text}");
    assert!(!text.contains("panicked"), "{arguments}: {text}");
    parts[1].trim_end().to_owned()
}

/// Names, shapes and bits of all tensors in a file, without the text beside them.
pub fn tensors(path: &Path) -> Vec<(String, Vec<usize>, Vec<u64>)> {
    let file = autograd::checkpoint::TensorFile::read(path).unwrap();
    let bits = |tensor: &autograd::checkpoint::HostTensor| {
        tensor.to::<f64>().as_slice().iter().map(|value| value.to_bits()).collect()
    };
    file.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape().to_vec(), bits(tensor))).collect()
}

/// Every line of a metrics.jsonl, without the seconds.
pub fn metrics(path: &Path) -> Vec<serde_json::Value> {
    let timeless = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        value
    };
    std::fs::read_to_string(path).unwrap().lines().map(timeless).collect()
}
