//! `study`, whole, cut short, and in parts.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::{example, refused, worker};

const IMAGES: usize = 500;

/// The example's first images, as IDX files.
fn dataset(folder: &Path) {
    for (name, header, size) in [("images", 16, 784), ("labels", 8, 1)] {
        let packed =
            fs::read(example(&format!("fashion-mnist-{name}-idx{}-ubyte.gz", if size == 1 { 1 } else { 3 }))).unwrap();
        let mut bytes = vec![0; header + IMAGES * size];
        GzDecoder::new(&packed[..]).read_exact(&mut bytes).unwrap();
        bytes[4..8].copy_from_slice(&(IMAGES as u32).to_be_bytes());
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Six candidates of one budget.
fn study(folder: &Path, results: &str) -> Command {
    let mut command = worker();
    command.arg("study").arg(example("mobilenet_v1.pt")).args(["--input-shape", "1,1,28,28"]);
    command.arg("--images").arg(folder.join("images")).arg("--labels").arg(folder.join("labels"));
    command.args(["--mean", "0.2860", "--deviation", "0.3530", "--macs", "0.5", "--strategy", "random"]);
    command.args(["--candidates", "5", "--calibration", "64", "--scoring", "150", "--test", "150", "--seed", "7"]);
    command.args([
        "--tune-batch",
        "64",
        "--epochs",
        "1",
        "--fewer-calibration",
        "32",
        "--short-tune-epochs",
        "1",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]);
    command.arg("--results").arg(folder.join(results)).arg("--json").arg("--out").arg(folder.join("report.md"));
    command
}

fn report(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Without what depends on the time.
fn timeless(report: &Value) -> Value {
    match report {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "seconds");
            Value::Object(kept.map(|(name, value)| (name.clone(), timeless(value))).collect())
        }
        Value::Array(items) => items.iter().map(timeless).collect(),
        value => value.clone(),
    }
}

#[test]
fn a_study_says_what_each_evaluation_predicts_and_goes_on_where_it_was_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let begun = Instant::now();
    let whole = report(&mut study(place, "whole.jsonl"));
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    let found = &whole["report"];
    assert_eq!(
        (&found["seeds"], &found["images"], &found["is_on_test_images"]),
        (&[1, 2].into(), &150.into(), &true.into())
    );
    let [budget] = &found["budgets"].as_array().unwrap()[..] else { panic!("one budget: {found}") };
    assert_eq!(budget["candidates"].as_array().unwrap().len(), 6, "five drawn ones and the uniform one");
    let predictors = budget["predictors"].as_array().unwrap();
    let names: Vec<&str> = predictors.iter().map(|predictor| predictor["name"].as_str().unwrap()).collect();
    for name in [
        "adaptive BN, top-1, 64 + 150 images",
        "adaptive BN, top-1, 32 + 150 images",
        "vanilla, top-1, 150 images",
        "repaired, minus KL, 64 + 150 images",
        "short training, top-1, 64 + 150 images",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(budget["undecided"][0]["reason"], "few_candidates");
    let markdown = fs::read_to_string(place.join("report.md")).unwrap();
    assert!(markdown.contains("This decides nothing") && markdown.contains("eagleeye-worker study"), "{markdown}");
    assert!(fs::read_to_string(place.join("report.svg")).unwrap().starts_with("<svg"));
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(place.join("report.json")).unwrap()).unwrap(), whole);

    // Killed in the middle of a line of its search: all but two candidates are evaluated, and all are fine-tuned, a second time.
    let lines = fs::read_to_string(place.join("whole.jsonl")).unwrap();
    let cut: usize = lines.lines().take(3).map(|line| line.len() + 1).sum();
    fs::write(place.join("cut.jsonl"), &lines[..cut + 20]).unwrap();
    let resumed = report(&mut study(place, "cut.jsonl"));
    assert_eq!(timeless(&resumed["report"]), timeless(found));

    let other = refused(study(place, "cut.jsonl").args(["--tune-seeds", "1,3"]).output().unwrap());
    assert!(other.contains("of another study: `--tune-seeds` differs"), "{other}");

    // Killed in the middle of a line of its fine-tunings, after another one's half had another process's behind it, and gone on with
    // by two processes.
    let cut: usize = lines.lines().take(lines.lines().count() - 4).map(|line| line.len() + 1).sum();
    let (whole, half, last) = (&lines[..cut], &lines[cut..cut + 20], lines.lines().last().unwrap());
    fs::write(place.join("parts.jsonl"), format!("{whole}{half}{last}\n{half}")).unwrap();
    let parts = report(study(place, "parts.jsonl").args(["--processes", "2"]));
    assert_eq!(timeless(&parts["report"]), timeless(found));
}

#[test]
fn what_would_be_overwritten_or_mixed_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    dataset(place);
    let refusal = |results: &str, more: &[&str]| refused(study(place, results).args(more).output().unwrap());
    let json = place.join("report.json");
    fs::write(&json, "precious").unwrap();
    assert!(refusal("report.json", &[]).contains("which is read; give it another name"), "its JSON is the results");
    assert!(refusal("new.jsonl", &["--tune-seeds", "1,1"]).contains("each seed once"));
    assert!(refusal("new.jsonl", &["--snapshot", "s"]).contains("`--results` keeps those of a study"));
    assert!(refusal("new.jsonl", &["--front"]).contains("leave `--front` out"));
    assert!(!place.join("new.jsonl").exists());
    // No results, and without the end of a line.
    fs::write(place.join("other"), "precious").unwrap();
    assert!(refusal("other", &[]).contains("is no file of a study"));
    for file in [json, place.join("other")] {
        assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    }
}
