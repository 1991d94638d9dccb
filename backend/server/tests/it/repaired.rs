//! Repaired candidates over HTTP, with a worker that is moved by hand.

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake};

/// A finished search and its only candidate, which was scored repaired too, and whose exports are done.
fn candidate(server: &Server, puppet: &Puppet) -> (String, String) {
    let search = server.search();
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    puppet.repaired(&claim.lease, 0, 0.9);
    puppet.finish(&claim.lease);
    for file in ["one", "two", "three"] {
        puppet.export(file);
    }
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].as_str().unwrap().to_owned();
    (search, best)
}

#[test]
fn a_repaired_candidate_has_an_evaluation_more_and_the_report_says_so() {
    let (data, server) = fake();
    let (search, candidate) = candidate(&server, &Puppet::new(data.path()));
    let answer = server.get(&format!("/candidates/{candidate}")).expect(200);
    assert_eq!(answer["score"]["top1"], 0.5, "candidates are ranked adapted");
    let evaluations = answer["evaluations"].as_array().unwrap();
    let kinds: Vec<&str> = evaluations.iter().map(|evaluation| evaluation["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["adapted", "unadapted", "repaired"]);
    let repaired = &evaluations[2];
    assert_eq!(
        (&repaired["score"]["top1"], &repaired["image_set"], &repaired["images"]),
        (&json!(0.9), &json!("scoring"), &json!(30))
    );
    let report = server.get(&format!("/searches/{search}/report")).expect(200);
    let winner = &report["sections"][0]["winner"];
    assert_eq!((&winner["repaired"]["score"]["top1"], &winner["repaired_test"]), (&json!(0.9), &Value::Null));
}

#[test]
fn a_repaired_checkpoint_is_asked_for_beside_the_adapted_one_and_downloaded() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let (_, candidate) = candidate(&server, &puppet);
    let path = format!("/candidates/{candidate}/checkpoints");
    let adapted = server.post(&path, &json!({ "format": "onnx" })).expect(200);
    assert_eq!(adapted["weights"], "adapted");
    assert_eq!(server.post(&path, &json!({ "format": "onnx", "weights": "adapted" })).expect(200), adapted);
    let queued = server.post(&path, &json!({ "format": "onnx", "weights": "repaired" })).expect(202);
    assert_eq!(
        (&queued["weights"], &queued["state"], &queued["tuning_id"]),
        (&json!("repaired"), &json!("queued"), &Value::Null)
    );
    puppet.export("a repaired network");
    let listed = server.get(&path).expect(200)["items"].clone();
    let weights: Vec<&str> = listed.as_array().unwrap().iter().map(|file| file["weights"].as_str().unwrap()).collect();
    assert_eq!(weights, ["adapted", "adapted", "adapted", "repaired"]);
    assert_eq!(server.post(&path, &json!({ "format": "onnx", "weights": "repaired" })).expect(200), listed[3]);
    let download = server.get(&format!("/checkpoints/{}/file", id(&queued)));
    assert_eq!((download.status, download.text()), (200, "a repaired network".to_owned()));
    assert!(download.header("content-disposition").contains("-candidate-0-repaired.onnx"));
    let older = server.post(&path, &json!({ "format": "onnx", "weights": "repaired", "opset": 13 })).expect(202);
    puppet.export("a repaired network for an older runtime");
    let download = server.get(&format!("/checkpoints/{}/file", id(&older)));
    assert!(download.header("content-disposition").contains("-candidate-0-repaired-opset13.onnx"));
    for weights in [json!("tuned"), json!(1), json!(null)] {
        let problem =
            server.post(&path, &json!({ "format": "onnx", "weights": weights })).problem(422, "invalid-field", &[]);
        assert_eq!(problem["errors"][0]["field"], "weights");
    }
}

#[test]
fn a_tuning_may_begin_repaired_and_its_files_are_of_its_weights_alone() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let (_, candidate) = candidate(&server, &puppet);
    let tunings = format!("/candidates/{candidate}/tunings");
    let queued = server.post(&tunings, &json!({ "epochs": 1, "start": "repaired" })).expect(202);
    assert_eq!((&queued["start"], &queued["request"]["start"]), (&json!("repaired"), &json!("repaired")));
    let problem = server.post(&tunings, &json!({ "epochs": 1, "start": "tuned" })).problem(422, "invalid-field", &[]);
    assert_eq!(problem["errors"][0]["field"], "start");
    let claim = puppet.claim();
    puppet.tuned(&claim.lease, "weights");
    let path = format!("/tunings/{}/checkpoints", id(&queued));
    for file in server.get(&path).expect(200)["items"].as_array().unwrap() {
        assert_eq!((&file["weights"], &file["tuning_id"]), (&json!("tuned"), &queued["id"]));
    }
    let problem =
        server.post(&path, &json!({ "format": "onnx", "weights": "repaired" })).problem(422, "invalid-field", &[]);
    assert_eq!(problem["errors"][0]["field"], "weights");
}

#[test]
fn how_many_are_repaired_is_asked_for_and_bounded() {
    let (_data, server) = fake();
    let search = server.search();
    let mut request = server.get(&format!("/searches/{search}")).expect(200)["request"].clone();
    request["repaired"] = json!(3);
    let queued = server.post("/searches", &request).expect(202);
    assert_eq!(queued["request"]["repaired"], 3);
    request["repaired"] = json!(1001);
    let problem = server.post("/searches", &request).problem(422, "invalid-field", &[]);
    assert_eq!(problem["errors"][0]["field"], "repaired");
}
