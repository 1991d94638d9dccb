//! Uploads that are refused say why, and leave nothing behind.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use reqwest::blocking::multipart::{Form, Part};
use serde_json::json;

use crate::server::{Server, assert_nothing_left, fake, file, stored_files, until};

#[test]
fn a_file_that_the_check_refuses_is_answered_with_its_reason() {
    let (data, server) = fake();
    let refusal = server.upload("/models", file("file", "a.onnx", "bad model"));
    refusal.problem(422, "unusable-model", &["`stem/wavelet` cannot be used"]);
    let refusal = server.upload("/datasets", file("file", "a.zip", "bad images"));
    refusal.problem(422, "unusable-dataset", &["`stem/wavelet` cannot be used"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_file_that_crashes_its_check_costs_the_upload_and_not_the_server() {
    let (data, server) = fake();
    for (path, name) in [("/models", "a.onnx"), ("/datasets", "a.zip")] {
        let refusal = server.upload(path, file("file", name, "crash"));
        refusal.problem(422, "check-crashed", &["crashed on this file", "signal: 9"]);
    }
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_check_that_takes_too_long_is_stopped() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake_with(data.path(), &["--workers", "0", "--check-seconds", "1"]);
    let refusal = server.upload("/models", file("file", "a.onnx", "hang"));
    refusal.problem(422, "check-too-slow", &["1 seconds"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn an_upload_beyond_the_limit_is_refused_with_the_limit() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--workers", "0", "--max-model-bytes", "1000", "--max-dataset-bytes", "2000"];
    let server = Server::fake_with(data.path(), &flags);
    let refusal = server.upload("/models", file("file", "a.onnx", vec![b'x'; 1001]));
    assert_eq!(refusal.problem(413, "too-large", &["1000"])["limit_bytes"], 1000);

    // The limit is on all files of an upload together.
    let two = |labels: usize| {
        let labels = Part::bytes(vec![b'x'; labels]).file_name("labels");
        file("images", "images", format!("good\n{}", "x".repeat(995))).part("labels", labels)
    };
    let refusal = server.upload("/datasets", two(1001));
    assert_eq!(refusal.problem(413, "too-large", &["2000"])["limit_bytes"], 2000);
    assert_nothing_left(&server, data.path());
    let uploads = &server.health().json()["uploads"];
    assert_eq!((&uploads["model_bytes"], &uploads["dataset_bytes"]), (&json!(1000), &json!(2000)));
    server.upload("/datasets", two(1000)).expect(201);
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let (data, server) = fake();
    let mut socket = TcpStream::connect(server.host()).unwrap();
    let head = format!(
        "POST /api/v1/models HTTP/1.1\r\nHost: {}\r\nContent-Length: 9000000\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.pt\"\r\n\r\n",
        server.host()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&[7; 4_000_000]).unwrap();
    until("the file is being written", Duration::from_secs(10), || {
        (!stored_files(data.path()).is_empty()).then_some(())
    });
    drop(socket);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_client_that_leaves_during_the_check_leaves_nothing() {
    let (data, server) = fake();
    let hasty = reqwest::blocking::Client::builder().timeout(Duration::from_millis(500)).build().unwrap();
    let form = file("file", "a.onnx", "hang");
    assert!(hasty.post(server.url("/models")).multipart(form).send().unwrap_err().is_timeout());
    assert_nothing_left(&server, data.path());
}

#[test]
fn parts_that_are_missing_unknown_or_there_twice_are_named() {
    let (data, server) = fake();
    let text = |part: &'static str| Form::new().text(part, "x");
    let both = || file("images", "images", "good").part("labels", Part::bytes(&b"x"[..]).file_name("labels"));
    let cases: [(&str, Form, &[&str]); 7] = [
        ("/models", text("name"), &["`file` with the model", "`file_upload`", "is missing"]),
        ("/models", file("model", "a.pt", "good"), &["`model` is unknown", "`file`", "`input_shape`"]),
        ("/models", file("file", "a.pt", "good").part("file", Part::bytes(&b"x"[..])), &["`file`", "more than once"]),
        ("/datasets", file("labels", "a", "good"), &["`images` and `labels`"]),
        ("/datasets", both().part("file", Part::bytes(&b"good"[..])), &["either `file`"]),
        ("/datasets", text("name"), &["either `file`"]),
        (
            "/datasets",
            file("images", "same", "good").part("labels", Part::bytes(&b"x"[..]).file_name("same")),
            &["`same`", "file names must be unique"],
        ),
    ];
    for (path, form, words) in cases {
        server.upload(path, form).problem(400, "malformed-upload", words);
    }
    assert_nothing_left(&server, data.path());
}

#[test]
fn texts_out_of_range_are_named() {
    let (data, server) = fake();
    let cases = [
        ("input_shape", "1,3,x".to_owned(), "1,3,224,224"),
        ("name", " ".to_owned(), "1 to 200 characters"),
        ("name", "a\u{7}b".to_owned(), "control"),
        ("name", "n".repeat(2000), "at most 1024 bytes"),
    ];
    for (field, value, word) in cases {
        let form = file("file", "a.pt", "good").text(field, value);
        let refusal = server.upload("/models", form).problem(422, "invalid-field", &[word]);
        assert_eq!(refusal["errors"][0]["field"], field);
    }
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_body_that_is_no_form_is_refused() {
    let (data, server) = fake();
    for path in ["/models", "/datasets"] {
        let refusal = server.post(path, &json!({ "file": "a.pt" }));
        refusal.problem(415, "unsupported-media-type", &["multipart/form-data"]);
    }
    let broken = server.call("POST", "/models", |request| {
        request.header("content-type", "multipart/form-data; boundary=b").body("no boundary in sight")
    });
    broken.problem(400, "upload-interrupted", &["broken or ended early"]);
    let no_boundary =
        server.call("POST", "/models", |request| request.header("content-type", "multipart/form-data").body("x"));
    no_boundary.problem(400, "malformed-upload", &["boundary"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_worker_that_cannot_be_run_is_a_fault_of_the_server() {
    let data = tempfile::tempdir().unwrap();
    let broken = data.path().join("worker");
    std::fs::write(&broken, "not executable").unwrap();
    let mut command = std::process::Command::new(crate::server::program());
    command.args(["serve", "--workers", "0", "--data"]).arg(data.path()).arg("--worker-binary").arg(&broken);
    let server = Server::start(&mut command);
    let form = file("file", "a.pt", "good");
    let refusal = server.call_broken("POST", "/models", |request| request.multipart(form));
    let body = refusal.problem(500, "internal", &["x-request-id"]);
    assert!(!body.to_string().contains("executable") && !body.to_string().contains("denied"), "{body}");
    assert!(!refusal.header("x-request-id").is_empty());
    assert_nothing_left(&server, data.path());
}
