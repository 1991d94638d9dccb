//! Fine-tuning through the server, with its worker killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use super::{wait_for_end, workers};
use crate::answer::id;
use crate::server::{Server, program, until, worker_program};

const PATIENCE: Duration = Duration::from_secs(180);

fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_folders").join(name)
}

/// A server whose worker stores a snapshot after each step.
fn server(data: &Path) -> Server {
    worker_program();
    let mut command = Command::new(program());
    command.arg("serve").arg("--data").arg(data).env("EAGLEEYE_SNAPSHOT_SECONDS", "0");
    Server::start(&mut command)
}

fn candidate(server: &Server) -> String {
    let form = Form::new().text("input_shape", "1,1,28,28").file("file", small("small.pt")).unwrap();
    let model = id(&server.upload("/models", form).expect(201));
    let form = Form::new().file("images", small("images.gz")).unwrap().file("labels", small("labels.gz")).unwrap();
    let dataset = id(&server.upload("/datasets", form).expect(201));
    let search = json!({
        "model_id": model, "dataset_id": dataset, "strategies": ["uniform"], "macs": 0.4, "candidates": 1, "seed": 7,
        "calibration_images": 100, "scoring_images": 100, "test_images": 50, "batch_size": 50,
        "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    });
    let search = id(&server.post("/searches", &search).expect(202));
    let ended = wait_for_end(server, &search);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    ended["best_candidate_id"].as_str().unwrap().to_owned()
}

fn queue(server: &Server, candidate: &str) -> String {
    let options = json!({ "epochs": 1, "batch_size": 4, "seed": 5 });
    id(&server.post(&format!("/candidates/{candidate}/tunings"), &options).expect(202))
}

fn get(server: &Server, tuning: &str) -> Value {
    server.get(&format!("/tunings/{tuning}")).expect(200)
}

fn ended(server: &Server, tuning: &str) -> Value {
    until("the tuning ends", PATIENCE, || {
        let tuning = get(server, tuning);
        ["succeeded", "failed", "cancelled"].contains(&tuning["state"].as_str().unwrap()).then_some(tuning)
    })
}

/// The bytes of its files, in the order of their formats.
fn files(server: &Server, tuning: &str) -> Vec<Vec<u8>> {
    let path = format!("/tunings/{tuning}/checkpoints");
    let files = until("all formats are ready", PATIENCE, || {
        let items = server.get(&path).expect(200)["items"].as_array().unwrap().clone();
        (items.len() == 3 && items.iter().all(|file| file["state"] == "ready")).then_some(items)
    });
    files.iter().map(|file| server.get(&format!("/checkpoints/{}/file", id(file))).body).collect()
}

/// What a result says, but for the time that it took.
fn timeless(result: &Value) -> Value {
    let mut result = result.clone();
    assert!(result["seconds"].as_f64().unwrap() > 0.0, "{result}");
    result["seconds"] = Value::Null;
    result
}

#[test]
fn a_tuning_whose_worker_is_killed_gives_the_files_of_one_in_peace() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let candidate = candidate(&server);
    let undisturbed = queue(&server, &candidate);
    let peaceful = ended(&server, &undisturbed);
    assert_eq!(peaceful["state"], "succeeded", "{peaceful}");
    let result = &peaceful["result"];
    assert_eq!((&result["training_images"], &result["test_images"]), (&json!(450), &json!(50)));
    assert!(result["test"]["top1"].as_f64().unwrap() > 0.3, "{result}");
    let epochs = server.get(&format!("/tunings/{undisturbed}/epochs")).expect(200);
    assert_eq!((epochs["items"].as_array().unwrap().len(), &epochs["items"][0]["steps"]), (1, &json!(112)));

    let killed = queue(&server, &candidate);
    until("a snapshot is stored", PATIENCE, || (get(&server, &killed)["has_snapshot"] == true).then_some(()));
    for worker in workers(&server) {
        assert!(Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap().success());
    }
    let at_kill = get(&server, &killed);
    assert!(at_kill["result"].is_null(), "it was killed before its end: {at_kill}");
    let resumed = ended(&server, &killed);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    assert_eq!(timeless(&resumed["result"]), timeless(result));
    let expected = files(&server, &undisturbed);
    assert!(files(&server, &killed) == expected, "other files");
    assert!(expected.iter().all(|file| !file.is_empty()));
}
