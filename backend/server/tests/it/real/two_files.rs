//! An ONNX file with its weights in a second file, uploaded as two parts or as a zip of both; and searches on either.

use std::path::Path;
use std::process::Command;

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{candidates, example, request, upload_dataset, wait_for_end};
use crate::answer::id;
use crate::files::{with_external_weights, zip};
use crate::server::{Server, assert_nothing_left, file, program, stored_files};

/// The repository's example as ONNX: graph and weights.
fn pair(folder: &Path, location: &str) -> (Vec<u8>, Vec<u8>) {
    let whole = folder.join("whole.onnx");
    let mut worker = Command::new(program().with_file_name("eagleeye-worker"));
    worker.arg("prune").arg(example("mobilenet_v1.pt")).args(["--input-shape", "1,1,28,28", "--macs", "1", "--out"]);
    let output = worker.arg(&whole).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (graph, data) = with_external_weights(&std::fs::read(whole).unwrap(), location);
    assert!(data.len() > 20 * graph.len(), "{} bytes beside {}", data.len(), graph.len());
    (graph, data)
}

fn two_parts(graph: &[u8], data: &[u8], name: &str) -> Form {
    file("file", "m.onnx", graph).part("data", Part::bytes(data.to_vec()).file_name(name.to_owned()))
}

/// What a search on a model finds.
fn leaderboard(server: &Server, model: &Value, dataset: &str) -> Vec<Value> {
    let mut small = request(&id(model), dataset);
    small["candidates"] = json!(2);
    small["min_keep_ratio"] = json!(0.11);
    let search = id(&server.post("/searches", &small).expect(202));
    let ended = wait_for_end(server, &search);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    candidates(server, &search).iter().map(|c| json!([c["groups"], c["macs"], c["score"]])).collect()
}

#[test]
fn a_model_in_two_files_is_taken_as_two_parts_or_as_a_zip_and_can_be_searched() {
    let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::real(data.path(), &[]);
    let dataset = upload_dataset(&server);
    let (graph, weights) = pair(scratch.path(), "m.onnx.data");
    let parts = server.upload("/models", two_parts(&graph, &weights, "m.onnx.data")).expect(201);
    let zipped = zip(&[("net/m.onnx", &graph), ("net/m.onnx.data", &weights)]);
    let zipped = server.upload("/models", file("file", "m.zip", zipped)).expect(201);
    assert_eq!((&parts["format"], &parts["macs"]), (&json!("onnx"), &json!(15_666_752)));
    assert_eq!(parts["bytes"], graph.len() + weights.len());
    for same in ["macs", "parameters", "groups", "layers", "reachable", "operators"] {
        assert_eq!(parts[same], zipped[same], "{same}");
    }
    let found = leaderboard(&server, &parts, &dataset);
    assert_eq!(found.len(), 2);
    assert_eq!(leaderboard(&server, &zipped, &dataset), found);
}

#[test]
fn weights_are_read_from_no_file_that_was_not_given_with_the_model() {
    let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::real(data.path(), &["--workers", "0"]);
    let (graph, weights) = pair(scratch.path(), "m.onnx.data");
    let secret = scratch.path().join("secret");
    std::fs::write(&secret, &weights).unwrap();
    server.upload("/models", file("file", "m.onnx", graph.clone())).problem(
        422,
        "unusable-model",
        &["m.onnx.data", "missing"],
    );
    let misnamed = server.upload("/models", two_parts(&graph, &weights, "other.data"));
    misnamed.problem(422, "unusable-model", &["m.onnx.data", "missing"]);

    let absolute = secret.display().to_string();
    let relative = format!("../../../../../../../..{absolute}");
    for location in [absolute.as_str(), &relative, "sub/../m.onnx.data", ".."] {
        let (graph, _) = with_external_weights(&std::fs::read(scratch.path().join("whole.onnx")).unwrap(), location);
        let refusal = server.upload("/models", two_parts(&graph, &weights, "m.onnx.data"));
        refusal.problem(422, "unusable-model", &["not a plain name"]);
        let zipped = zip(&[("m.onnx", &graph), ("m.onnx.data", &weights)]);
        server.upload("/models", file("file", "m.zip", zipped)).problem(422, "unusable-model", &["not a plain name"]);
    }
    assert_nothing_left(&server, data.path());
    assert!(stored_files(data.path()).is_empty());
}

#[test]
fn links_in_a_strangers_zip_are_refused() {
    let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::real(data.path(), &["--workers", "0"]);
    let (graph, _) = pair(scratch.path(), "m.onnx.data");
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("m.onnx", options).unwrap();
    std::io::Write::write_all(&mut writer, &graph).unwrap();
    writer.add_symlink("m.onnx.data", "/etc/passwd", options).unwrap();
    let zipped = writer.finish().unwrap().into_inner();
    let refusal = server.upload("/models", file("file", "m.zip", zipped));
    refusal.problem(422, "unusable-model", &["`m.onnx.data`", "is a link"]);
    assert_nothing_left(&server, data.path());
}
