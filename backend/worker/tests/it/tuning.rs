//! `tune`, whole and killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{example, refusal, text, worker};

const IMAGES: u32 = 500;

/// Stripes of ten kinds with noise, as IDX files.
fn dataset(folder: &Path) -> [PathBuf; 2] {
    let header = |kind: u8, sizes: &[u32]| {
        let mut bytes = vec![0, 0, kind, sizes.len() as u8];
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes
    };
    let (mut images, mut labels) = (header(8, &[IMAGES, 28, 28]), header(8, &[IMAGES]));
    let mut state = 1u32;
    for image in 0..IMAGES {
        let class = image % 10;
        labels.push(class as u8);
        for pixel in 0..784 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let is_bright = pixel / 28 / 2 == class;
            images.push((state >> 25) as u8 + if is_bright { 120 } else { 0 });
        }
    }
    let files = ["images", "labels"].map(|name| folder.join(name));
    fs::write(&files[0], images).unwrap();
    fs::write(&files[1], labels).unwrap();
    files
}

fn tune(folder: &Path, out: &str) -> Command {
    tune_from("adapted", folder, out)
}

fn tune_from(candidate: &str, folder: &Path, out: &str) -> Command {
    let [images, labels] = ["images", "labels"].map(|name| folder.join(name));
    let mut command = worker();
    command.arg("tune").arg(example("mobilenet_v1.pt")).args(["--input-shape", "1,1,28,28", "--images"]).arg(images);
    command.arg("--labels").arg(labels).args(["--mean", "0.2860", "--deviation", "0.3530", "--macs", "0.5"]);
    command.args(["--strategy", "uniform", "--calibration", "64", "--scoring", "60", "--test", "40", "--seed", "7"]);
    command.args(["--tune-batch", "32", "--epochs", "3", "--from", candidate, "--device", "cpu", "--threads", "1"]);
    command.arg("--json").arg("--out").arg(folder.join(out));
    command
}

fn report(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_killed_command_goes_on_from_its_snapshot_and_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let whole = report(&mut tune(place, "whole.safetensors"));
    assert_eq!((&whole["training_images"], &whole["scoring_images"]), (&400.into(), &60.into()));
    assert_eq!(whole["test_images"], 40);
    let epochs = whole["epochs"].as_array().unwrap();
    assert_eq!((epochs.len(), &epochs[2]["steps"]), (3, &36.into()));
    for scores in ["full", "vanilla", "adaptive_bn", "tuned", "test"] {
        assert!(whole[scores]["top1"].is_f64(), "{scores}: {whole}");
    }
    assert!(whole["tuned"]["top1"].as_f64() > whole["adaptive_bn"]["top1"].as_f64(), "{whole}");

    let snapshot = place.join("snapshot");
    let with_snapshots = |out: &str| {
        let mut command = tune(place, out);
        command.args(["--snapshot-seconds", "0", "--snapshot", text(&snapshot)]);
        command
    };
    for steps in [2, 14] {
        kill_after(with_snapshots("killed.safetensors").spawn().unwrap(), &snapshot, steps);
        assert!(!place.join("killed.safetensors").exists(), "it was not finished");
    }
    let resumed = report(&mut with_snapshots("resumed.safetensors"));
    let read = |name: &str| fs::read(place.join(name)).unwrap();
    assert!(read("resumed.safetensors") == read("whole.safetensors"), "other weights");
    assert_eq!(resumed["tuned"], whole["tuned"]);
}

#[test]
fn a_repaired_candidate_is_tuned_from_its_repaired_weights() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let adapted = report(&mut tune(place, "adapted.onnx"));
    let repaired = report(&mut tune_from("repaired", place, "repaired.onnx"));
    assert!(adapted["repaired"].is_null() && repaired["repaired"]["top1"].is_f64(), "{repaired}");
    for scores in ["full", "vanilla", "adaptive_bn"] {
        assert_eq!(adapted[scores], repaired[scores], "the same candidate");
    }
    let first_loss = |report: &Value| report["epochs"][0]["loss"].as_f64().unwrap();
    assert!(first_loss(&repaired) != first_loss(&adapted), "it begins with other weights");
    assert!(repaired["tuned"]["top1"].as_f64() > repaired["adaptive_bn"]["top1"].as_f64(), "{repaired}");
}

#[test]
fn what_was_published_stands_beside_the_result_of_a_template_and_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let own = report(tune(place, "own.safetensors").args(["--template", "mobilenet_v1_50"]));
    let published = &own["published"];
    assert_eq!((&published["network"], &published["template"]), (&"MobileNetV1".into(), &"mobilenet_v1_50".into()));
    assert_eq!((&published["images"], &published["top1"]), (&"ImageNet, validation".into(), &0.709.into()));
    assert_ne!(own["tuned"]["top1"], published["top1"]);
}

/// Kills a process when it has written so many snapshots.
fn kill_after(mut child: Child, snapshot: &Path, steps: u32) {
    let began = Instant::now();
    let changed = || fs::metadata(snapshot).and_then(|found| found.modified()).ok();
    let mut last = changed();
    let mut seen = 0;
    while seen < steps {
        assert!(began.elapsed() < Duration::from_secs(300), "no snapshot");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(2));
        let now = changed();
        if now != last {
            (seen, last) = (seen + 1, now);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_tuned_is_refused_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let (model, images, out) = (example("mobilenet_v1.pt"), place.join("images"), place.join("out.pt"));
    let base =
        ["tune", text(&model), "--images", text(&images), "--mean", "0.3", "--deviation", "0.3", "--macs", "0.5"];
    let base = [&base[..], &["--input-shape", "1,1,28,28"]].concat();
    let refused = |further: &[&str]| refusal(&[&base[..], &["--out", text(&out)], further].concat());
    assert!(refused(&["--epochs", "0"]).contains("epochs must be from 1"));
    let nothing = place.join("snapshot");
    fs::write(&nothing, "no snapshot").unwrap();
    let error = refused(&["--epochs", "1", "--snapshot", text(&nothing)]);
    assert!(error.contains("is damaged or no snapshot") && error.contains("remove it"), "{error}");
    fs::remove_file(&nothing).unwrap();
    let refused_snapshot = |path: &Path| refused(&["--epochs", "1", "--snapshot", text(path)]);
    assert!(refused_snapshot(&images).contains("would replace"), "an input is not to be removed");
    let error = refused_snapshot(&place.join("nowhere").join("snapshot"));
    assert!(error.contains("there is no folder"), "{error}");
    let labels = place.join("labels");
    let scored = ["--labels", text(&labels), "--calibration", "64", "--scoring", "60", "--strategy", "uniform"];
    let unlabelled = ["--epochs", "1", "--test-images", text(&images)];
    let error = refused(&[&scored[..], &unlabelled].concat());
    assert!(error.contains("give `--test-labels`"), "{error}");
    for seconds in ["inf", "nan", "-1", "1e308"] {
        let error = refused(&["--epochs", "1", "--snapshot", text(&nothing), &format!("--snapshot-seconds={seconds}")]);
        assert!(error.contains("must be a number from 0 to 86400"), "{error}");
    }
    assert!(refused(&["--epochs", "1", "--macs", "0.3"]).contains("give one budget"));
    assert!(refused(&["--epochs", "1", "--scale=nan"]).contains("`nan` is not a finite number"));
    let nowhere = place.join("nowhere").join("out.pt");
    let error = refusal(&[&base[..], &["--out", text(&nowhere), "--epochs", "10000"]].concat());
    assert!(error.contains("there is no folder") && !error.contains(".eagleeye"), "{error}");
}
