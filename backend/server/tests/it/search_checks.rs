//! Searches that are checked before they are queued.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::id;
use crate::contract::Asked;
use crate::server::{Server, fake, request};

fn subjects(server: &Server, model: &str) -> Value {
    request(&id(&server.model(model)), &id(&server.dataset("good")))
}

fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[field] = value;
    body
}

fn codes(found: &Value) -> Vec<&str> {
    found["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

#[test]
fn the_worker_is_given_the_search_and_the_files_and_nothing_is_stored() {
    let (_data, server) = fake();
    let body = subjects(&server, "good");
    let found = server.post("/searches/check", &body).expect(200);
    assert_eq!((&found["images"], &found["score"]["top1"]), (&json!(30), &json!(0.9)));
    assert_eq!((&found["classes"][0]["name"], codes(&found)), (&json!("good"), vec!["few_scoring_images"]));
    assert_eq!(server.get("/searches").expect(200)["items"], json!([]));
}

#[test]
fn its_address_is_no_id_of_a_search() {
    let (_data, server) = fake();
    let body = subjects(&server, "good");
    let search = id(&server.post("/searches", &body).expect(202));
    assert_eq!(server.get(&format!("/searches/{search}")).expect(200)["id"], json!(search));
    server.post("/searches/check", &body).expect(200);
    server.ask(Asked::Absent, "GET", "/api/v1/searches/check", |request| request).problem(
        405,
        "method-not-allowed",
        &[],
    );
}

#[test]
fn what_the_reports_say_of_the_input_size_comes_first() {
    let (_data, server) = fake();
    // A model whose shape was guessed.
    let found = server.post("/searches/check", &subjects(&server, "shaped")).expect(200);
    assert_eq!(codes(&found), ["input_size_guessed", "few_scoring_images"]);
}

#[test]
fn a_budget_may_be_out_of_reach_or_missing_and_the_rest_may_not() {
    let (_data, server) = fake();
    let body = subjects(&server, "good");
    for macs in [json!(0.0001), json!(7)] {
        let body = with(&body, "macs", macs);
        server.post("/searches/check", &body).expect(200);
        assert_eq!(server.post("/searches", &body).status, 422, "{body}");
    }
    let mut missing = body.clone();
    missing.as_object_mut().unwrap().remove("macs");
    server.post("/searches/check", &missing).expect(200);

    let check = |body: Value, kind, parts: &[&str]| server.post("/searches/check", &body).problem(422, kind, parts);
    let wrong = with(&with(&body, "batch_size", json!(0)), "macs", json!(7));
    let refusal = check(wrong, "invalid-field", &["batch_size"]);
    assert_eq!(refusal["errors"].as_array().unwrap().len(), 1, "{refusal}");
    check(with(&body, "model_id", json!(Uuid::nil())), "unknown-model", &["model_id"]);
    check(with(&body, "dataset_id", json!(Uuid::nil())), "unknown-dataset", &["dataset_id"]);
    check(with(&body, "scoring_images", json!(9000)), "not-enough-images", &["100"]);
    let colour = with(&body, "dataset_id", json!(id(&server.dataset("colour"))));
    let colour = with(&with(&colour, "scoring_images", json!(3)), "calibration_images", json!(2));
    check(colour, "dataset-does-not-fit", &["channel"]);
    let mean = json!({ "mean": [0.1, 0.2], "deviation": [1.0] });
    check(with(&body, "preprocessing", mean), "invalid-field", &["preprocessing.mean"]);
    check(with(&body, "seed", json!(13)), "dataset-does-not-fit", &["image 7 cannot be read"]);
}
