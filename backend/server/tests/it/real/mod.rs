//! What only holds when server and worker work together.

mod cards;
mod doubt;
mod exports;
mod main_job;
mod old_data;
mod references;
mod repaired;
mod sandbox;
mod search_checks;
mod tuning;
mod two_files;
mod walkthrough;
mod wrong_input;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use crate::answer::id;
use crate::server::{Server, until};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Uploads the repository's example and returns the ids of model and dataset.
fn upload_example(server: &Server) -> (String, String) {
    let form = Form::new().text("input_shape", "1,1,28,28").file("file", example("mobilenet_v1.pt")).unwrap();
    let model = server.upload("/models", form).expect(201);
    (id(&model), upload_dataset(server))
}

fn upload_dataset(server: &Server) -> String {
    let form = Form::new()
        .file("images", example("fashion-mnist-images-idx3-ubyte.gz"))
        .unwrap()
        .file("labels", example("fashion-mnist-labels-idx1-ubyte.gz"))
        .unwrap();
    id(&server.upload("/datasets", form).expect(201))
}

/// A small search on the example.
fn request(model: &str, dataset: &str) -> Value {
    json!({
        "model_id": model,
        "dataset_id": dataset,
        "strategies": ["random"],
        "uniform_reference": false,
        "macs": 0.5,
        "candidates": 6,
        "seed": 7,
        "calibration_images": 320,
        "scoring_images": 500,
        "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 1.0 / 255.0 },
    })
}

fn start_search(server: &Server) -> String {
    let (model, dataset) = upload_example(server);
    id(&server.post("/searches", &request(&model, &dataset)).expect(202))
}

/// Candidates in the order of their index.
fn candidates(server: &Server, search: &str) -> Vec<Value> {
    let page = server.get(&format!("/searches/{search}/candidates?limit=100")).expect(200);
    page["items"].as_array().unwrap().clone()
}

fn wait_for_candidates(server: &Server, search: &str, count: usize) {
    until("candidates are stored", Duration::from_secs(120), || {
        (candidates(server, search).len() >= count).then_some(())
    });
}

fn wait_for_end(server: &Server, search: &str) -> Value {
    until("the search ends", Duration::from_secs(300), || {
        let search = server.get(&format!("/searches/{search}")).expect(200);
        let ended = ["succeeded", "failed", "cancelled"].contains(&search["state"].as_str().unwrap());
        ended.then_some(search)
    })
}

/// Process ids of a server's workers, from `/proc/*/stat`.
fn workers(server: &Server) -> Vec<u32> {
    let parent = server.process_id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The command in parentheses may hold spaces; state and parent follow the last one.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after.split_whitespace();
        let state = fields.next();
        state != Some("Z") && fields.next() == Some(&parent)
    })
    .collect()
}
