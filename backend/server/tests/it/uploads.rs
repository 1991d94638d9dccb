//! Models and datasets that are taken.

use serde_json::json;

use crate::answer::id;
use crate::server::{assert_nothing_left, fake, file, request, stored_files};

#[test]
fn a_model_is_stored_with_what_its_inspection_found() {
    let (data, server) = fake();
    let content = "good model";
    let answer = server.upload("/models", file("file", "../fashion net.v2.pt", content));
    let model = answer.expect(201);
    assert_eq!(answer.header("location"), format!("/api/v1/models/{}", id(&model)));
    assert_eq!(model["name"], "fashion net.v2");
    assert_eq!(model["format"], "torchscript");
    assert_eq!(model["bytes"], content.len());
    assert_eq!(model["hash"], blake3::hash(content.as_bytes()).to_hex().as_str());
    assert_eq!(model["input_shape"], json!([1, 1, 28, 28]));
    assert_eq!((&model["macs"], &model["parameters"]), (&json!(1_000_000), &json!(50_000)));
    assert_eq!((&model["batch_norms"], &model["classes"]), (&json!(2), &json!(10)));
    assert_eq!(model["reachable"], json!({ "min": 0.125, "max": 1.0 }));
    assert_eq!(model["operators"], json!({ "conv2d": 2, "linear": 1 }));
    assert_eq!((&model["batch_norm_state"], &model["guessed_shape"]), (&json!("present"), &json!(false)));
    assert_eq!(model["layers"][0]["macs"], 900_000);
    assert_eq!(model["groups"][1]["reason"], "the output");
    assert_eq!(model["groups"][0]["members"], json!([{ "parameter": "features.0.weight", "axis": 0 }]));

    assert_eq!(server.get(&format!("/models/{}", id(&model))).expect(200), model);
    let file = server.get(&format!("/models/{}/file", id(&model)));
    assert_eq!((file.status, file.text()), (200, content.to_owned()));
    assert_eq!(stored_files(data.path()).len(), 1);
}

#[test]
fn a_model_is_called_what_it_was_named() {
    let (_data, server) = fake();
    let named = file("file", "a.pt", "good").text("name", "  MobileNetV1 on Fashion-MNIST ");
    assert_eq!(server.upload("/models", named).expect(201)["name"], "MobileNetV1 on Fashion-MNIST");
    let nameless = file("file", "", "good");
    assert_eq!(server.upload("/models", nameless).expect(201)["name"], "file");
}

#[test]
fn a_dataset_is_stored_with_what_its_check_found() {
    let (data, server) = fake();
    let answer = server.upload("/datasets", file("file", "fashion.npz", "good images"));
    let dataset = answer.expect(201);
    assert_eq!(answer.header("location"), format!("/api/v1/datasets/{}", id(&dataset)));
    assert_eq!((&dataset["name"], &dataset["kind"]), (&json!("fashion"), &json!("npz")));
    assert_eq!((&dataset["images"], &dataset["channels"]), (&json!(100), &json!(1)));
    assert_eq!((&dataset["width"], &dataset["height"]), (&json!(28), &json!(28)));
    assert_eq!(dataset["classes"][1], json!({ "index": 1, "name": "boot", "count": 40 }));
    assert_eq!(dataset["thumbnails"], 2);
    assert_eq!(server.get(&format!("/datasets/{}", id(&dataset))).expect(200), dataset);

    for (position, picture) in [(0, "picture 000"), (1, "picture 001")] {
        let thumbnail = server.get(&format!("/datasets/{}/thumbnails/{position}", id(&dataset)));
        assert_eq!((thumbnail.status, thumbnail.text()), (200, picture.to_owned()));
        assert_eq!(thumbnail.header("content-type"), "image/png");
    }
    server.get(&format!("/datasets/{}/thumbnails/2", id(&dataset))).problem(404, "not-found", &["thumbnail 2"]);
    assert_eq!(stored_files(data.path()).len(), 3);
}

#[test]
fn images_and_labels_are_two_files_of_one_dataset() {
    let (data, server) = fake();
    let form = file("images", "train-images.gz", "good images");
    let labels = reqwest::blocking::multipart::Part::bytes(&b"labels"[..]).file_name("train-labels.gz");
    let dataset = server.upload("/datasets", form.part("labels", labels)).expect(201);
    assert_eq!((&dataset["name"], &dataset["bytes"]), (&json!("train-images"), &json!(11 + 6)));
    assert_eq!(stored_files(data.path()).len(), 4, "two files and two thumbnails");
}

#[test]
fn images_alone_are_a_dataset_without_labels() {
    let (data, server) = fake();
    let dataset = server.upload("/datasets", file("images", "photos.gz", "bare images")).expect(201);
    assert_eq!((&dataset["labelled"], &dataset["classes"]), (&json!(false), &json!([])));
    assert_eq!((&dataset["kind"], &dataset["images"]), (&json!("idx"), &json!(100)));
    assert_eq!(server.get(&format!("/datasets/{}", id(&dataset))).expect(200), dataset);
    assert_eq!(server.dataset("good")["labelled"], true);
    let listed = server.get("/datasets").expect(200);
    let labelled: Vec<_> = listed["items"].as_array().unwrap().iter().map(|dataset| &dataset["labelled"]).collect();
    assert_eq!(labelled, [&json!(true), &json!(false)]);
    assert_eq!(stored_files(data.path()).len(), 4, "images, a dataset, and its two thumbnails");
}

#[test]
fn the_worker_sees_files_under_their_names_with_the_servers_limits() {
    let (data, server) = fake();
    let weights = reqwest::blocking::multipart::Part::bytes(&b"weights"[..]).file_name("net.onnx.data");
    let form = file("file", "net.onnx", "arguments").part("data", weights).text("input_shape", "1, 3,32,32");
    let said = server.upload("/models", form).problem(422, "unusable-model", &[]);
    let said = said["detail"].as_str().unwrap();
    assert!(said.contains("/net.onnx --sandbox --json --input-shape 1,3,32,32 with "), "{said}");
    // Half of the memory of all checks, in whole mebibytes.
    let temporary = data.path().join("tmp").display().to_string();
    assert!(said.contains(&format!("with 7999586304 bytes and {temporary}/")), "{said}");
    assert!(said.ends_with("in net.onnx net.onnx.data"), "{said}");

    let labels = reqwest::blocking::multipart::Part::bytes(&b"labels"[..]).file_name("labels");
    let form = file("images", "images", "arguments").part("labels", labels);
    let said = server.upload("/datasets", form).problem(422, "unusable-dataset", &[]);
    let said = said["detail"].as_str().unwrap();
    assert!(said.contains("--max-unpacked-bytes 64000000000") && said.contains("/labels"), "{said}");
    assert_nothing_left(&server, data.path());
}

#[test]
fn the_same_file_twice_is_stored_once_and_goes_with_the_last_that_names_it() {
    let (data, server) = fake();
    let (first, second) = (id(&server.model("good")), id(&server.model("good")));
    assert_eq!(stored_files(data.path()).len(), 1);
    assert_eq!(server.delete(&format!("/models/{first}")).status, 204);
    assert_eq!(server.get(&format!("/models/{second}/file")).text(), "good");
    server.get(&format!("/models/{first}")).problem(404, "not-found", &[&first]);
    assert_eq!(server.delete(&format!("/models/{second}")).status, 204);
    assert_nothing_left(&server, data.path());
}

#[test]
fn what_a_search_uses_cannot_be_deleted_before_it() {
    let (data, server) = fake();
    let (model, dataset) = (id(&server.model("good")), id(&server.dataset("good")));
    let search = id(&server.post("/searches", &request(&model, &dataset)).expect(202));
    for path in [format!("/models/{model}"), format!("/datasets/{dataset}")] {
        let refusal = server.delete(&path).problem(409, "in-use", &["1 search"]);
        assert_eq!(refusal["searches"], json!([search]));
    }
    for path in [format!("/searches/{search}"), format!("/models/{model}"), format!("/datasets/{dataset}")] {
        assert_eq!(server.delete(&path).status, 204);
    }
    assert_nothing_left(&server, data.path());
}
