//! `repair`.

use serde_json::Value;

use crate::support::{example, refusal, report, text};

/// The example's images, with the preprocessing that its network was trained with.
fn arguments(further: &[&str]) -> Vec<String> {
    let files = ["mobilenet_v1.pt", "fashion-mnist-images-idx3-ubyte.gz", "fashion-mnist-labels-idx1-ubyte.gz"];
    let [model, images, labels] = files.map(|name| text(&example(name)).to_owned());
    let fixed = ["repair", &model, "--input-shape", "1,1,28,28", "--images", &images, "--labels", &labels];
    let counts =
        ["--mean", "0.2860", "--deviation", "0.3530", "--calibration", "512", "--scoring", "1000", "--seed", "7"];
    fixed.iter().chain(&counts).chain(further).map(|&argument| argument.to_owned()).collect()
}

fn repair(further: &[&str]) -> Value {
    let arguments = arguments(further);
    report(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn top1(report: &Value, network: &str) -> f64 {
    report[network]["top1"].as_f64().unwrap()
}

#[test]
fn a_repaired_network_is_written_and_far_better_than_an_adapted_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("repaired.onnx");
    let found = repair(&["--macs", "0.25", "--strategy", "uniform", "--out", text(&out)]);
    let [full, vanilla, adapted, repaired] = ["full", "vanilla", "adaptive_bn", "repaired"].map(|n| top1(&found, n));
    assert!(vanilla < adapted && adapted + 0.1 < repaired && repaired + 0.05 > full, "{found}");
    let layers = found["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 28);
    assert!(layers.iter().filter(|layer| layer["outcome"] == "fitted").count() > 20, "{layers:?}");
    assert!(layers.iter().all(|layer| layer["outcome"] == "fitted" || layer["reason"].is_string()));
    let again = report(&["inspect", text(&out), "--input-shape", "1,1,28,28"]);
    assert_eq!(again["macs"], found["macs"]);
}

/// The entries that say where a safetensors file comes from.
fn metadata(path: &std::path::Path) -> Value {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    serde_json::from_slice::<Value>(&bytes[8..8 + length]).unwrap()["__metadata__"].clone()
}

#[test]
fn a_search_scores_its_winner_repaired_and_trained_too_and_writes_it_repaired_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("winner.safetensors");
    let search = |further: &[&str]| {
        let mut arguments =
            arguments(&["--macs", "0.25", "--strategy", "uniform", "--out", text(&out), "--no-latency"]);
        arguments[0] = "search".to_owned();
        arguments.extend(further.iter().map(|&argument| argument.to_owned()));
        report(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let trained = ["--short-tuned", "1", "--short-tune-epochs", "2"];
    let found = search(&[&["--test", "500", "--weights", "repaired"][..], &trained].concat());
    let winner = &found["sections"][0]["winner"];
    let top1 = |of: &str| winner[of]["score"]["top1"].as_f64().unwrap();
    assert_eq!((&found["request"]["repaired"], &winner["repaired"]["images"]), (&Value::from(1), &Value::from(1000)));
    assert!(top1("repaired") > top1("scoring") + 0.1 && top1("repaired_test") > top1("test") + 0.1, "{winner}");
    assert_eq!((&found["request"]["short_tuned"], &winner["short_tuned"]["images"]), (&1.into(), &1000.into()));
    assert!(top1("short_tuned") > top1("scoring") && top1("short_tuned_test") > top1("test"), "{winner}");
    assert_eq!(metadata(&out)["eagleeye.weights"], "repaired");
    let plain = search(&["--test", "0"]);
    let of_plain = |kind: &str| &plain["sections"][0]["winner"][kind];
    assert_eq!((of_plain("repaired"), of_plain("short_tuned")), (&Value::Null, &Value::Null));
    assert_eq!(metadata(&out)["eagleeye.weights"], "adapted");
}

#[test]
fn one_ratio_for_all_groups_needs_no_budget_and_a_strategy_of_probes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("repaired.pt");
    let found = repair(&["--keep-ratio", "0.75", "--leave-grouped", "--out", text(&out)]);
    let groups = found["groups"].as_array().unwrap();
    let numbers = groups.iter().map(|group| (group["size"].as_u64().unwrap(), group["kept"].as_u64().unwrap()));
    assert!(numbers.into_iter().all(|(size, kept)| kept == (size as f64 * 0.75).round() as u64), "{groups:?}");
    let left = found["layers"].as_array().unwrap().iter().filter(|layer| layer["outcome"] == "left").count();
    assert!(left >= 13, "{found}");
    let probing = arguments(&["--macs", "0.5", "--strategy", "sensitivity", "--out", text(&out)]);
    let refused = refusal(&probing.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(refused.contains("sensitivity") && refused.contains("uniform"), "{refused}");
}
