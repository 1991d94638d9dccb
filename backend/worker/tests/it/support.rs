//! Running the program, and what it is run on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

pub fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_eagleeye-worker"))
}

/// Runs a command with `--json` and returns what it printed. Standard output must hold that and nothing else.
pub fn report(arguments: &[&str]) -> Value {
    let output = worker().args(arguments).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that must be refused, and returns the one line that says why.
pub fn refusal(arguments: &[&str]) -> String {
    refused(worker().args(arguments).output().unwrap())
}

pub fn refused(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "nothing is printed when a command is refused");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.strip_prefix("error: ").unwrap_or_else(|| panic!("{said}")).trim_end().to_owned()
}

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Polls until something is there; fails after the given time.
pub async fn until<T>(what: &str, patience: Duration, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
