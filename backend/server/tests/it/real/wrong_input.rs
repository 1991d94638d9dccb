//! Wrong input is answered with what is wrong and what would be right, and leaves nothing behind.

use reqwest::blocking::multipart::Part;
use serde_json::json;

use super::{example, request, upload_example};
use crate::answer::id;
use crate::files::{idx, onnx_with_operator, png, zip};
use crate::server::{Server, assert_nothing_left, file};

fn two(images: Vec<u8>, labels: Vec<u8>) -> reqwest::blocking::multipart::Form {
    file("images", "images", images).part("labels", Part::bytes(labels).file_name("labels"))
}

#[test]
fn unusable_files_are_refused_with_the_reason_and_leave_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &["--workers", "0", "--max-unpacked-bytes", "1000000"]);
    let model = |content: Vec<u8>| server.upload("/models", file("file", "network", content));

    model(b"These are notes, not a network.\n".to_vec()).problem(422, "unusable-model", &["TorchScript", "ONNX"]);
    let whole = std::fs::read(example("mobilenet_v1.pt")).unwrap();
    model(whole[..whole.len() / 2].to_vec()).problem(422, "unusable-model", &["TorchScript"]);
    let unknown = onnx_with_operator("Wavelet", "stem/wavelet");
    model(unknown).problem(422, "unusable-model", &["Wavelet", "stem/wavelet"]);
    let form = file("file", "network", whole).text("input_shape", "1,3,28,28");
    server.upload("/models", form).problem(422, "unusable-model", &["channels"]);

    let dataset = |form| server.upload("/datasets", form);
    let images = idx(&[10, 4, 4], &[7; 160]);
    let counts = dataset(two(images.clone(), idx(&[9], &[0; 9])));
    counts.problem(422, "unusable-dataset", &["10", "9", "labels"]);
    let cut = dataset(two(images[..100].to_vec(), idx(&[10], &[0; 10])));
    cut.problem(422, "unusable-dataset", &["images"]);
    let escape = zip(&[("cat/a.png", &png(8, 1)), ("../dog/b.png", &png(8, 1))]);
    dataset(file("file", "pets.zip", escape)).problem(422, "unusable-dataset", &["../dog/b.png"]);
    let bomb = zip(&[("cat/a.png", &vec![0; 5_000_000])]);
    assert!(bomb.len() < 100_000, "the archive itself is small");
    dataset(file("file", "bomb.zip", bomb)).problem(422, "unusable-dataset", &["1000000"]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_search_that_cannot_work_is_refused_before_it_is_queued() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &["--workers", "0"]);
    let (model, dataset) = upload_example(&server);

    let mut impossible = request(&model, &dataset);
    impossible["macs"] = json!(0.0001);
    let answer = server.post("/searches", &impossible).problem(422, "budget-out-of-reach", &["0.0001"]);
    let (min, max) = (answer["reachable"]["min"].as_f64().unwrap(), answer["reachable"]["max"].as_f64().unwrap());
    assert!(0.0001 < min && min < 0.5 && 0.5 < max && max <= 1.0, "{answer}");

    let mut narrow = request(&model, &dataset);
    narrow["min_keep_ratio"] = json!(0.9);
    let answer = server.post("/searches", &narrow).problem(422, "budget-out-of-reach", &["0.9"]);
    assert!(answer["reachable"]["min"].as_f64().unwrap() > 0.5, "{answer}");

    let mut greedy = request(&model, &dataset);
    greedy["scoring_images"] = json!(9400);
    server.post("/searches", &greedy).problem(422, "not-enough-images", &["9500"]);

    let colour = zip(&[("cat/a.png", &png(28, 3)), ("cat/b.png", &png(28, 3)), ("dog/c.png", &png(28, 3))]);
    let colour = server.upload("/datasets", file("file", "pets.zip", colour)).expect(201);
    let mut misfit = request(&model, &id(&colour));
    misfit["calibration_images"] = json!(1);
    misfit["scoring_images"] = json!(1);
    server.post("/searches", &misfit).problem(422, "dataset-does-not-fit", &["images with 1 channel and"]);

    assert_eq!(server.get("/searches").expect(200)["items"], json!([]));
}
