//! Wrong input is answered with what is wrong and what would be right, and leaves nothing behind.

use std::path::Path;

use reqwest::blocking::{
    Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::files::{idx, onnx_with_operator, png, zip};
use crate::harness::{Server, created, example, id, request};

/// The problem of a refused request; its detail must hold every one of the given words.
fn problem(response: Response, words: &[&str]) -> Value {
    let status = response.status();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body: Value = response.json().unwrap();
    assert!(status.is_client_error(), "{status}: {body}");
    assert_eq!(kind, "application/problem+json");
    assert_eq!(body["status"], status.as_u16());
    let text = body.to_string();
    for word in words {
        assert!(text.contains(word), "the answer does not say `{word}`: {text}");
    }
    body
}

fn part(name: &'static str, bytes: Vec<u8>) -> Form {
    Form::new().part(name, Part::bytes(bytes).file_name("upload"))
}

/// Neither rows nor files.
fn assert_nothing_left(server: &Server, data: &Path) {
    for list in ["/models", "/datasets", "/searches"] {
        assert_eq!(server.get(list)["items"], json!([]), "{list}");
    }
    assert_eq!(files_below(&data.join("files")), Vec::<String>::new());
}

fn files_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|e| e.unwrap().path());
    paths.flat_map(|p| if p.is_dir() { files_below(&p) } else { vec![p.display().to_string()] }).collect()
}

#[test]
fn an_unusable_model_is_refused_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());

    let text = part("file", b"These are notes, not a network.\n".to_vec());
    problem(server.upload("/models", text), &["TorchScript", "ONNX"]);

    let mut cut = std::fs::read(example("mobilenet_v1.pt")).unwrap();
    cut.truncate(cut.len() / 2);
    problem(server.upload("/models", part("file", cut)), &["TorchScript"]);

    let unknown = onnx_with_operator("Wavelet", "stem/wavelet");
    problem(server.upload("/models", part("file", unknown)), &["Wavelet", "stem/wavelet"]);

    let form = part("file", std::fs::read(example("mobilenet_v1.pt")).unwrap()).text("input_shape", "1,3,28,28");
    problem(server.upload("/models", form), &["channels"]);

    problem(server.upload("/models", Form::new().text("name", "no file")), &["file"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn an_unusable_dataset_is_refused_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());

    let images = idx(&[10, 4, 4], &[7; 160]);
    let form = part("images", images.clone()).part("labels", Part::bytes(idx(&[9], &[0; 9])).file_name("labels"));
    problem(server.upload("/datasets", form), &["10", "9", "labels"]);

    let cut =
        part("images", images[..100].to_vec()).part("labels", Part::bytes(idx(&[10], &[0; 10])).file_name("labels"));
    problem(server.upload("/datasets", cut), &["images"]);

    let escape = zip(&[("cat/a.png", &png(8, 1)), ("../dog/b.png", &png(8, 1))]);
    problem(server.upload("/datasets", part("file", escape)), &["../dog/b.png"]);

    assert_nothing_left(&server, data.path());
}

#[test]
fn an_archive_that_unpacks_to_more_than_the_limit_is_refused_with_the_limit() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["--max-unpacked-bytes", "1000000"]);
    let bomb = zip(&[("cat/a.png", &vec![0; 5_000_000])]);
    assert!(bomb.len() < 100_000, "the archive itself is small");
    problem(server.upload("/datasets", part("file", bomb)), &["1000000"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_cut_upload_leaves_nothing_behind() {
    use std::io::Write;
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let address = server.api.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v1/models HTTP/1.1\r\nHost: {address}\r\nContent-Length: 900000\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.pt\"\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&[7; 200_000]).unwrap();
    drop(socket);
    crate::harness::until("the partial file is gone", std::time::Duration::from_secs(10), || {
        files_below(&data.path().join("files")).is_empty().then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_search_that_cannot_work_is_refused_before_it_is_queued() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (model, dataset) = server.upload_example();

    let mut impossible = request(&model, &dataset);
    impossible["macs"] = json!(0.0001);
    let answer = problem(server.post("/searches", &impossible), &["reachable"]);
    let (min, max) = (answer["reachable"]["min"].as_f64().unwrap(), answer["reachable"]["max"].as_f64().unwrap());
    assert!(0.0001 < min && min < 0.5 && 0.5 < max && max <= 1.0, "{answer}");

    let mut greedy = request(&model, &dataset);
    greedy["scoring_images"] = json!(9000);
    problem(server.post("/searches", &greedy), &["9500"]);

    let colour = zip(&[("cat/a.png", &png(28, 3)), ("cat/b.png", &png(28, 3)), ("dog/c.png", &png(28, 3))]);
    let colour = id(&created(server.upload("/datasets", part("file", colour))));
    let mut misfit = request(&model, &colour);
    misfit["calibration_images"] = json!(1);
    misfit["scoring_images"] = json!(1);
    problem(server.post("/searches", &misfit), &["channel"]);

    assert_eq!(server.get("/searches")["items"], json!([]));
}
