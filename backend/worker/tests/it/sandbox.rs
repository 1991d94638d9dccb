//! The commands that read strangers' files, locked up: they say what they say free, and have nothing else.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use eagleeye_sandbox::{Allowance, confined};
use serde_json::Value;

use crate::support::{example, refused, report, text, until};

const ALLOWANCE: Allowance = Allowance { memory_bytes: 4 << 30, cpu: Duration::from_secs(120), file_bytes: 1 << 30 };

/// The worker as a server starts it, with its own folder for temporary files.
fn locked(scratch: &Path, arguments: &[&str]) -> Command {
    let mut command = confined(env!("CARGO_BIN_EXE_eagleeye-worker"), ALLOWANCE, scratch);
    command.args(arguments).args(["--sandbox", "--json"]);
    command
}

fn locked_output(arguments: &[&str]) -> Output {
    let scratch = tempfile::tempdir().unwrap();
    locked(scratch.path(), arguments).output().unwrap()
}

fn locked_report(arguments: &[&str]) -> Value {
    let output = locked_output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A copy of an example in a folder of its own, beside which the worker sees nothing.
fn alone(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::copy(example(name), &path).unwrap();
    (folder, path)
}

#[test]
fn models_of_both_formats_are_inspected_in_the_sandbox_as_outside() {
    let (folder, torchscript) = alone("mobilenet_v1.pt");
    let shape = ["--input-shape", "1,1,28,28"];
    let onnx = folder.path().join("network.onnx");
    let prune = ["prune", text(&torchscript), "--macs", "0.9", "--out", text(&onnx)];
    report(&[&prune[..], &shape].concat());
    for path in [&torchscript, &onnx] {
        let arguments = [&["inspect", text(path)][..], &shape].concat();
        assert_eq!(locked_report(&arguments), report(&arguments), "{}", path.display());
    }
}

#[test]
fn a_model_whose_files_are_links_into_a_store_is_inspected() {
    let (_store, stored) = alone("mobilenet_v1.pt");
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("network.pt");
    std::os::unix::fs::symlink(&stored, &link).unwrap();
    let arguments = ["inspect", text(&link)];
    assert_eq!(locked_report(&arguments), report(&arguments));
}

#[test]
fn a_dataset_is_checked_in_the_sandbox_as_outside_and_its_thumbnails_are_written() {
    let (_images, images) = alone("fashion-mnist-images-idx3-ubyte.gz");
    let (_labels, labels) = alone("fashion-mnist-labels-idx1-ubyte.gz");
    let thumbnails = tempfile::tempdir().unwrap();
    let arguments = ["check-dataset", text(&images), "--labels", text(&labels)];
    let found = locked_report(&[&arguments[..], &["--thumbnails", text(thumbnails.path())]].concat());
    assert_eq!(found, report(&arguments));
    assert_eq!(std::fs::read_dir(thumbnails.path()).unwrap().count(), 32);
}

#[test]
fn an_unusable_file_is_refused_in_the_sandbox_with_the_same_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.pt");
    std::fs::write(&path, "These are notes.").unwrap();
    assert!(refused(locked_output(&["inspect", text(&path)])).contains("neither TorchScript nor ONNX"));
}

/// Waits for a child to be locked up while it waits for somebody to write into a pipe that it takes for its file.
struct Waiting(Child);

impl Waiting {
    async fn start(scratch: &Path, pipe: &Path) -> Self {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let mut command = locked(scratch, &["inspect", text(pipe)]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let waiting = Self(child);
        let patience = Duration::from_secs(60);
        until("the child is locked up", patience, async || waiting.status("Seccomp:").filter(|mode| mode == "2")).await;
        waiting
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap()
    }

    fn status(&self, field: &str) -> Option<String> {
        let status = self.proc("status");
        status.lines().find_map(|line| line.strip_prefix(field)).map(|value| value.trim().to_owned())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn before_it_opens_its_file_the_worker_has_given_up_privileges_variables_and_resources() {
    let (scratch, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let child = Waiting::start(scratch.path(), &folder.path().join("model")).await;
    assert_eq!(child.status("NoNewPrivs:").as_deref(), Some("1"));
    let capabilities = u64::from_str_radix(&child.status("CapEff:").unwrap(), 16).unwrap();
    assert_eq!(capabilities & !0b10, 0, "at most CAP_DAC_OVERRIDE is kept");
    let limits = child.proc("limits");
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(limit("Max data size").contains("4294967296"), "{limits}");
    assert!(limit("Max cpu time").contains("120"), "{limits}");
    assert!(limit("Max file size").contains("1073741824"), "{limits}");
    assert!(limit("Max core file size").contains(" 0 "), "{limits}");
    let variables = child.proc("environ");
    assert!(!variables.contains("HOME=") && !variables.contains("CARGO"), "{variables}");
    assert!(variables.contains(text(scratch.path())));
}

#[test]
fn a_search_is_checked_in_the_sandbox_as_outside() {
    let (folder, model) = alone("mobilenet_v1.pt");
    let (data, request) = (tempfile::tempdir().unwrap(), folder.path().join("request.json"));
    let files = ["fashion-mnist-images-idx3-ubyte.gz", "fashion-mnist-labels-idx1-ubyte.gz"].map(|name| {
        let path = data.path().join(name);
        std::fs::copy(example(name), &path).unwrap();
        path
    });
    let body = serde_json::json!({
        "calibration_images": 640, "scoring_images": 1000, "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    });
    std::fs::write(&request, body.to_string()).unwrap();
    let arguments = [
        "check-search",
        text(&model),
        "--input-shape",
        "1,1,28,28",
        "--images",
        text(&files[0]),
        "--labels",
        text(&files[1]),
        "--request",
        text(&request),
        "--sample",
        "128",
    ];
    let (mut inside, mut outside) = (locked_report(&arguments), report(&arguments));
    for report in [&mut inside, &mut outside] {
        report["seconds"] = Value::Null;
    }
    assert_eq!(inside, outside);
}
