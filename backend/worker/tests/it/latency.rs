//! `latency`. Needs ONNX Runtime, which `cargo xtask setup` fetches.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{example, refusal, report, text, worker};

const FAST: [&str; 6] = ["--input-shape", "1,1,28,28", "--runs", "15", "--device", "cpu"];

fn pruned(folder: &Path) -> PathBuf {
    let out = folder.join("pruned.onnx");
    let path = example("mobilenet_v1.pt");
    report(&["prune", text(&path), "--input-shape", "1,1,28,28", "--macs", "0.2", "--out", text(&out)]);
    out
}

fn settings(report: &Value, network: usize) -> Vec<(String, u64)> {
    let latencies = report["networks"][network]["latencies"].as_array().unwrap();
    let setting = |l: &Value| (l["runtime"].as_str().unwrap().to_owned(), l["threads"].as_u64().unwrap());
    latencies.iter().map(setting).collect()
}

#[test]
fn a_pruned_network_is_measured_beside_the_full_one_in_every_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let (full, pruned) = (example("mobilenet_v1.pt"), pruned(folder.path()));
    let found = report(&[&["latency", text(&full), text(&pruned), "--batch-size", "4"], &FAST[..]].concat());
    assert_eq!(found["notices"], serde_json::json!([]), "ONNX Runtime is there");
    let settings_found = settings(&found, 0);
    assert_eq!(settings_found, settings(&found, 1));
    assert_eq!(settings_found[0], ("onnxruntime".to_owned(), 1));
    assert_eq!(settings_found.last().unwrap().0, "libtorch");
    for (whole, part) in (0..settings_found.len())
        .map(|i| (&found["networks"][0]["latencies"][i], &found["networks"][1]["latencies"][i]))
    {
        assert_eq!((&part["batch_size"], &part["runs"], &part["device"]), (&4.into(), &15.into(), &"cpu".into()));
        assert_eq!(part["full_milliseconds"], whole["milliseconds"]);
        assert!(part["milliseconds"].as_f64().unwrap() > 0.0, "{part}");
    }
    let one_thread = &found["networks"][1]["latencies"][0];
    let (part, whole) =
        (one_thread["milliseconds"].as_f64().unwrap(), one_thread["full_milliseconds"].as_f64().unwrap());
    assert!(part < 0.8 * whole, "a fifth of the work: {one_thread}");
}

#[test]
fn the_table_has_a_line_for_each_network_and_setting() {
    let full = example("mobilenet_v1.pt");
    let output = worker().args(["latency", text(&full)]).args(FAST).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("network") && lines[0].ends_with("speed"), "{printed}");
    assert!(lines[1].contains("onnxruntime") && lines[1].ends_with("1.00x"), "{printed}");
    assert!(lines.last().unwrap().contains("libtorch"), "{printed}");
}

#[test]
fn without_onnx_runtime_libtorch_is_measured_alone_and_the_report_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let full = example("mobilenet_v1.pt");
    let wrong = folder.path().join("wrong.so");
    std::fs::write(&wrong, "no library").unwrap();
    for library in [folder.path().join("absent.so"), wrong] {
        let mut command = worker();
        command.args(["latency", text(&full), "--json"]).args(FAST).env("EAGLEEYE_ONNXRUNTIME", &library);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(settings(&found, 0).len(), 1, "{found}");
        assert_eq!(settings(&found, 0)[0].0, "libtorch");
        let notice = found["notices"][0].as_str().unwrap();
        assert!(notice.contains(text(&library)) && notice.contains("cargo xtask setup"), "{notice}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_in_one_line() {
    let full = example("mobilenet_v1.pt");
    let reason = refusal(&["latency", text(&full), "--input-shape", "1,1,28,28", "--device", "cuda:99"]);
    assert!(reason.contains("--device") && reason.contains("cuda:99"), "{reason}");
    let reason = refusal(&["latency", text(&full), "no/such/pruned.pt", "--input-shape", "1,1,28,28"]);
    assert!(reason.contains("no/such/pruned.pt"), "{reason}");
    let reason = refusal(&["latency", text(&full), "--runs", "0"]);
    assert!(reason.contains("--runs"), "{reason}");
}
