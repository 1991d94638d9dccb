//! Pipelines, and checkpoints that become models, over HTTP with a worker that is moved by hand.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake, request, until};

const PATIENCE: Duration = Duration::from_secs(20);
const MISSING: &str = "019321f0-0000-7000-8000-000000000000";

/// The body of a pipeline on a model and a dataset that fit.
fn body(server: &Server, further: Value) -> Value {
    let mut search = request(&id(&server.model("good")), &id(&server.dataset("good")));
    search.as_object_mut().unwrap().remove("macs");
    let mut body = json!({ "search": search, "macs": [0.5, 0.25] });
    body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    body
}

fn pipeline(server: &Server, id: &str) -> Value {
    server.get(&format!("/pipelines/{id}")).expect(200)
}

/// What a field of a stage names, once it is there.
fn part(server: &Server, pipeline_id: &str, stage: usize, field: &str) -> String {
    until(field, PATIENCE, || {
        let pipeline = pipeline(server, pipeline_id);
        assert_eq!(pipeline["error"], Value::Null);
        pipeline["stages"][stage][field].as_str().map(str::to_owned)
    })
}

/// Does the search of a stage, and writes its winner's files.
fn search(server: &Server, puppet: &Puppet, pipeline_id: &str, stage: usize) -> Value {
    let search = part(server, pipeline_id, stage, "search_id");
    puppet.search(&[0.5, 0.4]);
    for _ in 0..3 {
        puppet.export("good\n");
    }
    server.get(&format!("/searches/{search}")).expect(200)
}

fn tune(server: &Server, puppet: &Puppet, pipeline_id: &str, stage: usize) -> Value {
    let tuning = part(server, pipeline_id, stage, "tuning_id");
    let claim = puppet.claim();
    puppet.epoch(&claim.lease);
    puppet.tuned(&claim.lease, &format!("weights {stage}"));
    for _ in 0..3 {
        puppet.export("good\n");
    }
    server.get(&format!("/tunings/{tuning}")).expect(200)
}

fn ended(server: &Server, id: &str, state: &str) -> Value {
    until(state, PATIENCE, || Some(pipeline(server, id)).filter(|pipeline| pipeline["state"] == state))
}

#[test]
fn each_stage_prunes_and_tunes_what_the_one_before_has_made() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let body = body(&server, json!({ "tune": { "epochs": 3 } }));
    let answer = server.post("/pipelines", &body);
    let begun = answer.expect(202);
    let pipeline_id = id(&begun);
    assert_eq!(answer.header("location"), format!("/api/v1/pipelines/{pipeline_id}"));
    assert_eq!((&begun["state"], &begun["request"]["start"]), (&json!("running"), &json!("repaired")));
    assert_eq!(begun["stages"][0]["model_id"], body["search"]["model_id"]);

    let first = search(&server, &puppet, &pipeline_id, 0);
    assert_eq!((&first["request"]["macs"], &first["request"]["repaired"]), (&json!(0.5), &json!(1)));
    assert_eq!(first["name"], "Pipeline, stage 1 of 2");
    let tuned = tune(&server, &puppet, &pipeline_id, 0);
    assert_eq!((&tuned["start"], &tuned["request"]["epochs"]), (&json!("repaired"), &json!(3)));
    assert_eq!(tuned["candidate_id"], first["best_candidate_id"]);

    let model = until("the second stage", PATIENCE, || {
        pipeline(&server, &pipeline_id)["stages"][1]["model_id"].as_str().map(str::to_owned)
    });
    let lineage = server.get(&format!("/models/{model}")).expect(200)["lineage"].clone();
    assert_eq!((&lineage["search_id"], &lineage["tuning_id"]), (&first["id"], &tuned["id"]));
    assert_eq!((&lineage["model_id"], &lineage["first"]["macs"]), (&body["search"]["model_id"], &json!(1_000_000)));

    let second = search(&server, &puppet, &pipeline_id, 1);
    assert_eq!((&second["model_id"], &second["request"]["macs"]), (&json!(model), &json!(0.25)));
    assert_eq!(second["request"]["seed"], first["request"]["seed"]);
    tune(&server, &puppet, &pipeline_id, 1);
    let over = ended(&server, &pipeline_id, "succeeded");
    assert_eq!(over["stages"].as_array().unwrap().len(), 2);
    assert_eq!((&over["stages"][1]["score"]["top1"], &over["stages"][0]["macs"]), (&json!(0.93), &json!(0.5)));
    let checkpoint = over["stages"][1]["checkpoint_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/checkpoints/{checkpoint}")).expect(200)["weights"], "tuned");
    server.post(&format!("/pipelines/{pipeline_id}/cancel"), &json!({})).problem(409, "conflict", &["has ended"]);
    server.post(&format!("/pipelines/{pipeline_id}/retry"), &json!({})).problem(409, "conflict", &["has succeeded"]);
    assert_eq!(server.get("/pipelines").expect(200)["items"], json!([over]));
    assert_eq!(server.delete(&format!("/pipelines/{pipeline_id}")).status, 204);
    server.get(&format!("/searches/{}", id(&second))).expect(200);
}

#[test]
fn without_fine_tuning_the_repaired_winner_goes_on() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let pipeline_id = id(&server.post("/pipelines", &body(&server, json!({}))).expect(202));
    search(&server, &puppet, &pipeline_id, 0);
    let checkpoint = part(&server, &pipeline_id, 0, "checkpoint_id");
    puppet.export("good\n");
    let file = server.get(&format!("/checkpoints/{checkpoint}")).expect(200);
    assert_eq!((&file["weights"], &file["format"]), (&json!("repaired"), &json!("torchscript")));
    search(&server, &puppet, &pipeline_id, 1);
    part(&server, &pipeline_id, 1, "checkpoint_id");
    puppet.export("good\n");
    ended(&server, &pipeline_id, "succeeded");
}

#[test]
fn a_pipeline_fails_with_its_search_and_goes_on_when_it_is_taken_up_again() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let pipeline_id = id(&server.post("/pipelines", &body(&server, json!({}))).expect(202));
    let search_id = part(&server, &pipeline_id, 0, "search_id");
    puppet.fail(&puppet.claim().lease, "the disk was on fire");
    let failed = ended(&server, &pipeline_id, "failed");
    let reason = failed["error"].as_str().unwrap();
    assert!(reason.contains("search of stage 1") && reason.contains("the disk was on fire"), "{reason}");
    let again = server.post(&format!("/pipelines/{pipeline_id}/retry"), &json!({})).expect(202);
    assert_eq!((&again["state"], &again["error"]), (&json!("running"), &Value::Null));
    assert_eq!(server.get(&format!("/searches/{search_id}")).expect(200)["state"], "queued");
    search(&server, &puppet, &pipeline_id, 0);
    part(&server, &pipeline_id, 0, "checkpoint_id");
}

#[test]
fn a_pipeline_goes_on_with_a_server_that_is_started_again() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let pipeline_id = id(&server.post("/pipelines", &body(&server, json!({}))).expect(202));
    part(&server, &pipeline_id, 0, "search_id");
    server.kill();
    let server = Server::fake(data.path());
    search(&server, &puppet, &pipeline_id, 0);
    part(&server, &pipeline_id, 0, "checkpoint_id");
    assert_eq!(server.get("/searches").expect(200)["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_cancelled_pipeline_stops_what_is_at_work() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let pipeline_id = id(&server.post("/pipelines", &body(&server, json!({}))).expect(202));
    let search_id = part(&server, &pipeline_id, 0, "search_id");
    let lease = puppet.claim().lease;
    let cancelled = server.post(&format!("/pipelines/{pipeline_id}/cancel"), &json!({})).expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    puppet.obey(&lease);
    assert_eq!(server.get(&format!("/searches/{search_id}")).expect(200)["state"], "cancelled");
    assert_eq!(server.delete(&format!("/pipelines/{pipeline_id}")).status, 204);
    server.get(&format!("/pipelines/{pipeline_id}")).problem(404, "not-found", &["pipeline"]);
}

#[test]
fn a_search_that_is_deleted_fails_its_pipeline() {
    let (_data, server) = fake();
    let pipeline_id = id(&server.post("/pipelines", &body(&server, json!({}))).expect(202));
    let search_id = part(&server, &pipeline_id, 0, "search_id");
    assert_eq!(server.delete(&format!("/searches/{search_id}")).status, 204);
    let failed = ended(&server, &pipeline_id, "failed");
    assert!(failed["error"].as_str().unwrap().contains("deleted"), "{failed}");
    server.post(&format!("/pipelines/{pipeline_id}/retry"), &json!({})).problem(404, "not-found", &["search"]);
}

#[test]
fn fields_are_named_where_they_are_in_the_body() {
    let (_data, server) = fake();
    let right = body(&server, json!({}));
    let cases = [
        (json!({ "macs": [0.3, 0.5] }), "invalid-field", "macs"),
        (json!({ "macs": [0.01] }), "budget-out-of-reach", "macs"),
        (json!({ "macs": [0.5, 0.0001] }), "budget-out-of-reach", "macs"),
        (json!({ "tune": {} }), "invalid-field", "tune.epochs"),
        (json!({ "tune": { "epochs": 1, "start": "repaired" } }), "invalid-field", "tune.start"),
        (json!({ "tune": { "epochs": 1, "start": "adapted" } }), "invalid-field", "tune.start"),
        (json!({ "tune": { "epochs": "one" } }), "invalid-field", "tune.epochs"),
        (json!({ "start": "tuned" }), "invalid-field", "start"),
        (json!({ "search": { "macs": 0.5 } }), "invalid-field", "search.macs"),
        (json!({ "search": { "model_id": MISSING } }), "unknown-model", "search.model_id"),
        (json!({ "search": { "scoring_images": 1_000_000 } }), "not-enough-images", "search.scoring_images"),
        (json!({ "search": { "candidates": 0 } }), "invalid-field", "search.candidates"),
    ];
    for (change, kind, field) in cases {
        let mut body = right.clone();
        for (name, value) in change.as_object().unwrap() {
            match (value, &mut body[name]) {
                (Value::Object(fields), Value::Object(within)) => within.extend(fields.clone()),
                (value, place) => *place = value.clone(),
            }
        }
        let problem = server.post("/pipelines", &body).problem(422, kind, &[]);
        assert_eq!(problem["errors"][0]["field"], field, "{change}: {problem}");
    }
    assert_eq!(server.get("/pipelines").expect(200)["items"], json!([]));
}

#[test]
fn a_checkpoint_is_a_model_again_and_stays_one_without_its_search() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search_id = server.search();
    puppet.search(&[0.5]);
    let candidate = server.get(&format!("/searches/{search_id}")).expect(200)["best_candidate_id"].clone();
    let checkpoints = format!("/candidates/{}/checkpoints", candidate.as_str().unwrap());
    let listed = server.get(&checkpoints).expect(200)["items"].clone();
    let of = |format: &str| {
        let found = listed.as_array().unwrap().iter().find(|file| file["format"] == format);
        format!("/checkpoints/{}/model", id(found.unwrap()))
    };
    server.post(&of("torchscript"), &json!({})).problem(409, "not-ready", &["not exported yet"]);
    for _ in 0..3 {
        puppet.export("good\n");
    }
    server.post(&of("safetensors"), &json!({})).problem(409, "conflict", &["safetensors", "TorchScript or ONNX"]);
    server.post(&of("torchscript"), &json!({ "name": " " })).problem(422, "invalid-field", &["name"]);
    server.post(&format!("/checkpoints/{MISSING}/model"), &json!({})).problem(404, "not-found", &["checkpoint"]);

    let unnamed = server.post(&of("torchscript"), &json!({})).expect(201);
    assert_eq!(unnamed["name"], "network-candidate-0");
    assert_eq!(unnamed["lineage"]["candidate_id"], candidate);
    let named = server.post(&of("onnx"), &json!({ "name": "half" })).expect(201);
    assert_eq!((&named["name"], &named["hash"]), (&json!("half"), &unnamed["hash"]));
    assert_eq!(server.delete(&format!("/searches/{search_id}")).status, 204);
    let file = server.get(&format!("/models/{}/file", id(&named)));
    assert_eq!((file.status, file.text()), (200, "good\n".to_owned()));
    assert_eq!(server.get("/models").expect(200)["items"][2]["lineage"], Value::Null, "the one that was uploaded");
}
