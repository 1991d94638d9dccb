//! `inspect` and `prune`, and how wrong arguments are answered.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{example, refusal, refused, report, text, worker};

const SHAPE: &str = "1,1,28,28";

fn inspect(path: &Path) -> Value {
    report(&["inspect", text(path), "--input-shape", SHAPE])
}

fn prune(path: &Path, out: &Path, further: &[&str]) -> Value {
    let arguments = ["prune", text(path), "--input-shape", SHAPE, "--macs", "0.5", "--seed", "7", "--out", text(out)];
    report(&[&arguments, further].concat())
}

/// Kept units by group.
fn kept(report: &Value) -> BTreeMap<String, u64> {
    let groups = report["groups"].as_array().unwrap();
    groups.iter().map(|g| (g["name"].as_str().unwrap().to_owned(), g["kept"].as_u64().unwrap())).collect()
}

#[test]
fn a_network_is_inspected_by_its_file_alone() {
    let report = inspect(&example("mobilenet_v1.pt"));
    assert_eq!(report["format"], "torchscript");
    assert_eq!(report["inputs"][0]["shape"], json!([1, 1, 28, 28]));
    assert_eq!((report["macs"].as_u64(), report["parameters"].as_u64()), (Some(15_666_752), Some(823_434)));
    assert_eq!((report["batch_norms"].as_u64(), report["classes"].as_u64()), (Some(27), Some(10)));
    assert_eq!(report["operators"]["conv2d"], 27);
    let groups = report["groups"].as_array().unwrap();
    let locked: Vec<&Value> = groups.iter().filter(|group| group["prunable"] == false).collect();
    assert_eq!((groups.len(), locked.len()), (15, 1));
    assert!(locked[0]["reason"].as_str().unwrap().contains("output"), "{}", locked[0]);
    assert!(groups.iter().all(|g| g["members"].as_array().unwrap().iter().all(|m| m["parameter"].is_string())));
    let (min, max) = (report["reachable"]["min"].as_f64().unwrap(), report["reachable"]["max"].as_f64().unwrap());
    assert!(0.0 < min && min < 0.1 && max == 1.0, "{min} {max}");
}

#[test]
fn without_json_a_network_is_described_to_people() {
    let path = example("mobilenet_v1.pt");
    let output = worker().args(["inspect", text(&path), "--input-shape", SHAPE]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in ["MACs        15,666,752", "features.13.1.0    512", "reaches the network's output"] {
        assert!(printed.contains(line), "no `{line}` in\n{printed}");
    }
}

#[test]
fn pruning_writes_every_format_and_reports_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = Vec::new();
    for ending in ["pt", "onnx", "safetensors"] {
        let out = folder.path().join("pruned").with_extension(ending);
        let report = prune(&example("mobilenet_v1.pt"), &out, &[]);
        let (before, after) = (report["macs"]["before"].as_u64().unwrap(), report["macs"]["after"].as_u64().unwrap());
        assert_eq!(before, 15_666_752);
        assert!((after as f64 / before as f64 - 0.5).abs() <= 0.005, "{after} of {before}");
        assert!(report["max_difference"].as_f64().unwrap() <= 1e-4);
        for group in report["groups"].as_array().unwrap() {
            let gone = group["size"].as_u64().unwrap() - group["kept"].as_u64().unwrap();
            for member in group["members"].as_array().unwrap() {
                let removed = member["removed"].as_array().unwrap().len() as u64;
                assert!(removed >= gone && (gone > 0 || removed == 0), "{group}");
            }
        }
        if ending != "safetensors" {
            let found = inspect(&out);
            assert_eq!(found["macs"], after);
            assert_eq!(found["parameters"], report["parameters"]["after"]);
        }
        reports.push(kept(&report));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside the files");
    assert!(reports.iter().all(|report| *report == reports[0]), "the format changes nothing about the strategy");
}

#[test]
fn an_onnx_file_comes_in_the_version_of_the_operators_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.onnx");
    let written = |further: &[&str]| {
        assert!(prune(&example("mobilenet_v1.pt"), &out, further)["max_difference"].as_f64().unwrap() <= 1e-4);
        std::fs::read(&out).unwrap()
    };
    let by_default = written(&[]);
    assert!(by_default == written(&["--opset", "17"]));
    assert!(by_default != written(&["--opset", "13"]));
    let full = example("mobilenet_v1.pt");
    let arguments = |out: &'static str, opset| {
        ["prune", text(&full), "--macs", "0.5", "--opset", opset, "--out", out].map(str::to_owned)
    };
    let refused = |out, opset| {
        let arguments = arguments(out, opset);
        refusal(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(refused("pruned.onnx", "12").contains("13 to 21"));
    assert!(refused("pruned.pt", "17").contains("--opset is for ONNX"));
}

#[test]
fn pruning_writes_a_state_dict_with_a_card_that_says_how_to_get_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.zip");
    let report = prune(&example("mobilenet_v1.pt"), &out, &[]);
    assert_eq!(report["format"], "state_dict");
    assert!(report["max_difference"].as_f64().unwrap() <= 1e-4);
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&out).unwrap()).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let mut entry = |name: &str| std::io::read_to_string(archive.by_name(name).unwrap()).unwrap();
    let card: Value = serde_json::from_str(&entry("card.json")).unwrap();
    assert_eq!((&card["pruned"]["macs"], &card["weights"]), (&report["macs"]["after"], &json!("unadapted")));
    let command = card["repeat"]["commands"][0].as_str().unwrap();
    assert!(entry("card.md").contains(command), "{command}");
    assert!(entry("rebuild.py").contains("def rebuild(model"));

    // The command, run as it stands, gives the same file.
    let again = folder.path().join("again");
    std::fs::create_dir(&again).unwrap();
    let mut words = command.split(' ').map(|word| match word {
        "mobilenet_v1.pt" => text(&example("mobilenet_v1.pt")).to_owned(),
        "pruned.zip" => text(&again.join("pruned.zip")).to_owned(),
        other => other.to_owned(),
    });
    assert_eq!(words.next().as_deref(), Some("eagleeye-worker"));
    assert!(worker().args(words).output().unwrap().status.success());
    assert!(std::fs::read(&out).unwrap() == std::fs::read(again.join("pruned.zip")).unwrap());
}

#[test]
fn the_seed_and_the_index_name_the_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.safetensors");
    let strategy = |further: &[&str]| kept(&prune(&example("mobilenet_v1.pt"), &out, further));
    assert_eq!(strategy(&[]), strategy(&["--index", "0"]));
    assert_ne!(strategy(&[]), strategy(&["--index", "1"]));
    let rounded = strategy(&["--round-to", "8"]);
    assert!(rounded.iter().all(|(group, kept)| kept % 8 == 0 || group == "fc"), "{rounded:?}");
}

#[test]
fn which_channels_stay_is_decided_by_the_criterion_and_how_many_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.safetensors");
    let pruned = |further: &[&str]| prune(&example("mobilenet_v1.pt"), &out, &[further, &["--verify"]].concat());
    let by_l1 = pruned(&[]);
    assert_eq!(by_l1["importance"], json!({ "criterion": "l1", "aggregate": "sum" }));
    for (criterion, aggregate) in [("l2", "mean"), ("bn_scale", "sum"), ("fpgm", "leading"), ("random", "sum")] {
        let report = pruned(&["--importance", criterion, "--aggregate", aggregate]);
        assert_eq!(report["importance"], json!({ "criterion": criterion, "aggregate": aggregate }));
        assert_eq!(kept(&report), kept(&by_l1), "{criterion}");
        assert_ne!(report["groups"], by_l1["groups"], "{criterion}");
    }
    let model = example("mobilenet_v1.pt");
    let taylor = ["prune", text(&model), "--input-shape", SHAPE, "--macs", "0.5", "--out", text(&out)];
    let refused = refusal(&[&taylor[..], &["--importance", "taylor"]].concat());
    assert!(refused.contains("by `taylor` needs calibration images"), "{refused}");
}

#[test]
fn without_a_wish_channels_come_in_blocks_and_the_report_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.safetensors");
    let report = prune(&example("mobilenet_v1.pt"), &out, &[]);
    // The narrowest layer has 16 channels, four multiples of 4.
    let blocks = |(group, kept): (String, u64)| kept % 4 == 0 || group == "fc";
    assert!(kept(&report).into_iter().all(blocks), "{report}");
    assert!(report["notices"][0].as_str().unwrap().contains("multiples of 8 channels"), "{}", report["notices"]);
    let asked = prune(&example("mobilenet_v1.pt"), &out, &["--round-to", "1"]);
    assert!(kept(&asked).into_iter().any(|(_, kept)| kept % 2 == 1), "{asked}");
    assert_eq!(asked["notices"], serde_json::json!([]));
}

#[test]
fn a_budget_that_multiples_cannot_meet_is_said_by_inspect_and_refused_by_prune() {
    let coarse = ["--macs", "0.77", "--round-to", "512"];
    let model = example("mobilenet_v1.pt");
    let report = report(&[&["inspect", text(&model), "--input-shape", SHAPE], &coarse[..]].concat());
    let unmet = report["unmet"].as_str().unwrap_or_default();
    assert!(unmet.contains("round_to 512") && unmet.contains("a smaller round_to"), "{unmet}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.pt");
    let pruned = [&["prune", text(&model), "--input-shape", SHAPE, "--out", text(&out)], &coarse[..]].concat();
    assert!(refusal(&pruned).contains("a smaller round_to"), "{}", refusal(&pruned));
}

#[test]
fn where_the_file_comes_from_travels_inside_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.safetensors");
    prune(&example("mobilenet_v1.pt"), &out, &[]);
    let bytes = std::fs::read(&out).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = &header["__metadata__"];
    assert_eq!(metadata["eagleeye.seed"], "7");
    let hash = blake3::hash(&std::fs::read(example("mobilenet_v1.pt")).unwrap());
    assert_eq!(metadata["eagleeye.source_blake3"], hash.to_hex().as_str());
    assert!(metadata["eagleeye.strategy"].as_str().unwrap().contains("features.1.1.0"), "{metadata}");
}

#[test]
fn a_zip_of_an_onnx_file_is_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let onnx = folder.path().join("pruned.onnx");
    prune(&example("mobilenet_v1.pt"), &onnx, &[]);
    let path = folder.path().join("upload.bin");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    zip.start_file("export/pruned.onnx", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&std::fs::read(&onnx).unwrap()).unwrap();
    zip.finish().unwrap();
    assert_eq!(inspect(&path), inspect(&onnx));
}

#[test]
fn an_unusable_model_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.pt");
    std::fs::write(&notes, "These are notes, not a network.\n").unwrap();
    let reason = refusal(&["inspect", text(&notes), "--json"]);
    assert!(reason.contains("TorchScript") && reason.contains("ONNX"), "{reason}");

    let cut = folder.path().join("cut.pt");
    let whole = std::fs::read(example("mobilenet_v1.pt")).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let reason = refusal(&["inspect", text(&cut)]);
    assert!(reason.contains("TorchScript"), "{reason}");

    let reason = refusal(&["inspect", "no/such/model.onnx"]);
    assert!(reason.contains("no/such/model.onnx"), "{reason}");
}

#[test]
fn a_refused_pruning_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.onnx");
    std::fs::write(&out, "an older file").unwrap();
    let path = example("mobilenet_v1.pt");
    let arguments = ["prune", text(&path), "--input-shape", SHAPE, "--out", text(&out)];
    let reason = refusal(&[&arguments[..], &["--macs", "0.0001"]].concat());
    assert!(reason.contains("between") && reason.contains("can be kept"), "{reason}");
    assert_eq!(std::fs::read(&out).unwrap(), b"an older file");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_model_is_not_replaced_by_what_is_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.pt");
    std::fs::copy(example("mobilenet_v1.pt"), &model).unwrap();
    let out = folder.path().join("link.pt");
    std::os::unix::fs::symlink(&model, &out).unwrap();
    let reason = refusal(&["prune", text(&model), "--input-shape", SHAPE, "--macs", "0.5", "--out", text(&out)]);
    assert!(reason.contains("would replace") && reason.contains("model.pt"), "{reason}");
    assert_eq!(std::fs::read(&model).unwrap(), std::fs::read(example("mobilenet_v1.pt")).unwrap());
}

#[test]
fn wrong_arguments_are_refused_in_one_line() {
    let cases: [(&[&str], &str); 8] = [
        (&["inspect", "m.pt", "--round-to", "0"], "--round-to"),
        (&["inspect", "m.pt", "--min-keep-ratio", "2"], "--min-keep-ratio"),
        (&["prune", "m.pt", "--macs", "half", "--out", "p.pt"], "--macs"),
        (&["prune", "m.pt", "--macs", "0.5", "--out", "p.bin"], "--out"),
        (&["inspect", "m.pt", "--input-shape", "1x3x224x224"], "1x3x224x224"),
        (&["inspect"], "<MODEL>"),
        (&["run", "--database", "sqlite::memory:", "--files", "f", "--name", "w", "--device", "tpu"], "tpu"),
        (
            &["run", "--database", "sqlite::memory:", "--files", "f", "--name", "w", "--dataset-roots", "/data,images"],
            "`--dataset-roots`: dataset root `images`",
        ),
    ];
    for (arguments, named) in cases {
        let reason = refusal(arguments);
        assert!(reason.contains(named), "{reason}");
    }
}

#[test]
fn the_memory_of_a_check_is_limited_by_the_environment() {
    let path = example("mobilenet_v1.pt");
    let with_limit = |bytes: &str| {
        let mut command = worker();
        command.args(["inspect", text(&path), "--input-shape", SHAPE, "--json"]);
        command.env("EAGLEEYE_MEMORY_LIMIT", bytes).output().unwrap()
    };
    assert!(with_limit("2000000000").status.success());
    assert!(!with_limit("20000000").status.success());
    let reason = refused(with_limit("plenty"));
    assert!(reason.contains("EAGLEEYE_MEMORY_LIMIT") && reason.contains("plenty"), "{reason}");
}

#[test]
fn two_processes_write_the_same_bytes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["pt", "onnx", "safetensors", "zip"] {
        let written = ["first", "second"].map(|process| {
            let out = folder.path().join(process).join("pruned").with_extension(ending);
            std::fs::create_dir_all(out.parent().unwrap()).unwrap();
            prune(&example("mobilenet_v1.pt"), &out, &[]);
            std::fs::read(out).unwrap()
        });
        let differing = written[0].iter().zip(&written[1]).filter(|(a, b)| a != b).count();
        let sizes = written.each_ref().map(Vec::len);
        assert!(written[0] == written[1], "{ending}: {differing} bytes differ in {sizes:?}");
    }
}
