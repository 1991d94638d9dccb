//! What of models, datasets and searches can be changed: names, and the shape of a model's input.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, id};
use crate::server::{Server, fake, file};

fn patch(server: &Server, path: &str, body: &Value) -> Answer {
    server.call("PATCH", path, |request| request.json(body))
}

#[test]
fn everything_with_a_name_can_be_renamed() {
    let (_data, server) = fake();
    let search = server.search();
    let queued = server.get(&format!("/searches/{search}")).expect(200);
    let things = [
        format!("/models/{}", queued["model_id"].as_str().unwrap()),
        format!("/datasets/{}", queued["dataset_id"].as_str().unwrap()),
        format!("/searches/{search}"),
    ];
    for path in &things {
        let changed = patch(&server, path, &json!({ "name": " Größe 2 " })).expect(200);
        assert_eq!(changed["name"], "Größe 2", "{path}");
        assert_eq!(server.get(path).expect(200), changed);
        for wrong in [json!(""), json!("  "), json!("a\u{7}b"), json!("n".repeat(201)), json!(7)] {
            let refusal = patch(&server, path, &json!({ "name": wrong })).problem(422, "invalid-field", &["name"]);
            assert_eq!(refusal["errors"][0]["field"], "name");
        }
        patch(&server, path, &json!({ "title": "x" })).problem(422, "invalid-field", &["title"]);
        assert_eq!(server.get(path).expect(200), changed, "what is refused changes nothing");
    }
    assert_eq!(patch(&server, &things[2], &json!({ "name": null })).expect(200)["name"], Value::Null);
    for path in ["models", "datasets", "searches"] {
        let nobody = format!("/{path}/{}", Uuid::now_v7());
        patch(&server, &nobody, &json!({ "name": "x" })).problem(404, "not-found", &[]);
    }
}

#[test]
fn a_guessed_input_shape_is_said_and_can_be_set() {
    let (_data, server) = fake();
    let model = server.model("shaped");
    assert_eq!((&model["guessed_shape"], &model["input_shape"]), (&json!(true), &json!([1, 1, 28, 28])));
    assert_eq!(server.get("/models").expect(200)["items"][0]["guessed_shape"], true, "lists say it, too");

    let path = format!("/models/{}", id(&model));
    let changed = patch(&server, &path, &json!({ "input_shape": [1, 1, 8, 8] })).expect(200);
    assert_eq!((&changed["guessed_shape"], &changed["input_shape"]), (&json!(false), &json!([1, 1, 8, 8])));
    assert!(changed["macs"].as_u64() < model["macs"].as_u64(), "its MACs are counted again");
    assert_eq!((&changed["name"], &changed["hash"]), (&model["name"], &model["hash"]));
    assert_eq!(server.get(&path).expect(200), changed);
}

#[test]
fn an_input_shape_that_cannot_be_is_refused_and_changes_nothing() {
    let (_data, server) = fake();
    let model = server.model("shaped");
    let path = format!("/models/{}", id(&model));
    for wrong in [json!([]), json!([1, 0, 8, 8]), json!(vec![1; 9]), json!("1,1,8,8"), json!([1, -1, 8, 8])] {
        let refusal = patch(&server, &path, &json!({ "input_shape": wrong })).problem(422, "invalid-field", &[]);
        assert_eq!(refusal["errors"][0]["field"], "input_shape");
    }
    let refusal = patch(&server, &path, &json!({ "input_shape": [1, 3, 8, 8], "name": "x" }));
    refusal.problem(422, "unusable-model", &["`stem` takes 1 channel"]);
    assert_eq!(server.get(&path).expect(200), model);
}

#[test]
fn the_input_shape_of_a_model_that_searches_use_stays() {
    let (_data, server) = fake();
    let search = server.search();
    let model = server.get(&format!("/searches/{search}")).expect(200)["model_id"].as_str().unwrap().to_owned();
    let path = format!("/models/{model}");
    let refusal = patch(&server, &path, &json!({ "input_shape": [1, 1, 8, 8] })).problem(409, "in-use", &["1 search"]);
    assert_eq!(refusal["searches"], json!([search]));
}

#[test]
fn files_that_differ_in_more_than_their_format_get_names_that_differ() {
    let (_data, server) = fake();
    let name = |file_name: &str| server.upload("/models", file("file", file_name, "good")).expect(201)["name"].clone();
    assert_eq!(name("x.traced.pt"), "x.traced");
    assert_eq!(name("x.bn_folded.onnx"), "x.bn_folded");
    let long = "n".repeat(200);
    assert_eq!(name(&format!("{long}.onnx")), long, "200 characters are kept");
    let refused = |length: usize| {
        let form = file("file", &format!("{}.onnx", "n".repeat(length)), "good");
        server.upload("/models", form).problem(422, "invalid-field", &[])
    };
    let refusal = refused(201);
    assert_eq!(refusal["errors"][0]["field"], "name");
    let refusal = refused(251);
    assert_eq!(refusal["errors"][0]["field"], "file");
}
