//! Tunings over HTTP, with a worker that is moved by hand.

use serde_json::{Value, json};

use crate::answer::id;
use crate::events::Stream;
use crate::puppet::Puppet;
use crate::server::{Server, assert_nothing_left, fake};

const MISSING: &str = "019321f0-0000-7000-8000-000000000000";

/// A finished search and its only candidate, whose exports are done.
fn candidate(server: &Server, puppet: &Puppet) -> (String, String) {
    let search = server.search();
    puppet.search(&[0.5]);
    for file in ["one", "two", "three"] {
        puppet.export(file);
    }
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].as_str().unwrap().to_owned();
    (search, best)
}

fn queue(server: &Server, candidate: &str, options: &Value) -> String {
    id(&server.post(&format!("/candidates/{candidate}/tunings"), options).expect(202))
}

#[test]
fn a_tuning_is_queued_followed_and_its_files_are_downloaded() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let (search, candidate) = candidate(&server, &puppet);
    let answer = server.post(&format!("/candidates/{candidate}/tunings"), &json!({ "epochs": 3 }));
    let queued = answer.expect(202);
    let tuning = id(&queued);
    assert_eq!(answer.header("location"), format!("/api/v1/tunings/{tuning}"));
    assert_eq!((&queued["state"], &queued["start"]), (&json!("queued"), &json!("adapted")));
    assert_eq!((&queued["request"]["epochs"], &queued["request"]["batch_size"]), (&json!(3), &json!(128)));
    assert_eq!((&queued["candidate_id"], &queued["search_id"]), (&json!(candidate), &json!(search)));

    let claim = puppet.claim();
    puppet.epoch(&claim.lease);
    let running = server.get(&format!("/tunings/{tuning}")).expect(200);
    assert_eq!(running["progress"], json!({ "phase": "epochs", "done": 10, "total": 30 }));
    assert_eq!((&running["snapshot_bytes"], &running["has_snapshot"]), (&json!(1234), &json!(true)));
    let epochs = server.get(&format!("/tunings/{tuning}/epochs")).expect(200)["items"].clone();
    assert_eq!((&epochs[0]["epoch"], &epochs[0]["validation"]["top1"]), (&json!(1), &json!(0.9)));
    server.post(&format!("/tunings/{tuning}/checkpoints"), &json!({ "format": "onnx" })).problem(
        409,
        "conflict",
        &["has not succeeded"],
    );

    puppet.tuned(&claim.lease, "weights");
    let ended = server.get(&format!("/tunings/{tuning}")).expect(200);
    assert_eq!((&ended["state"], &ended["has_snapshot"]), (&json!("succeeded"), &json!(false)));
    assert_eq!((&ended["result"]["validation"]["top1"], &ended["result"]["test"]), (&json!(0.93), &Value::Null));
    for file in ["tuned one", "tuned two", "tuned three"] {
        puppet.export(file);
    }
    let files = server.get(&format!("/tunings/{tuning}/checkpoints")).expect(200)["items"].clone();
    assert_eq!(files.as_array().unwrap().len(), 3);
    for file in files.as_array().unwrap() {
        assert_eq!((&file["state"], &file["tuning_id"]), (&json!("ready"), &json!(tuning)));
        let download = server.get(&format!("/checkpoints/{}/file", id(file)));
        assert!(download.status == 200 && download.text().starts_with("tuned "), "{}", download.text());
        assert!(download.header("content-disposition").contains("-candidate-0-tuned."));
    }
    server.post(&format!("/tunings/{tuning}/checkpoints"), &json!({ "format": "onnx" })).expect(200);
    let untuned = server.get(&format!("/candidates/{candidate}/checkpoints")).expect(200)["items"].clone();
    assert!(untuned.as_array().unwrap().iter().all(|file| file["tuning_id"].is_null()), "{untuned}");
    let listed = server.get(&format!("/searches/{search}/tunings")).expect(200);
    assert_eq!(listed["items"], json!([ended]));
}

#[test]
fn every_field_at_fault_is_named() {
    let (data, server) = fake();
    let (_, candidate) = candidate(&server, &Puppet::new(data.path()));
    let path = format!("/candidates/{candidate}/tunings");
    let refused = |body: Value| {
        let problem = server.post(&path, &body).problem(422, "invalid-field", &[]);
        let mut fields: Vec<String> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect();
        fields.sort();
        fields
    };
    assert_eq!(refused(json!({})), ["epochs"]);
    assert_eq!(refused(json!({ "epochs": 1, "warmup": 2, "momentum": 1 })), ["momentum", "warmup"]);
    assert_eq!(refused(json!({ "epochs": 1, "distillation": { "weight": 2 } })), ["distillation.weight"]);
    assert_eq!(refused(json!({ "epochs": "one", "rate": 1 })), ["epochs", "rate"]);
    let options = json!({ "epochs": 1 });
    server.post(&format!("/candidates/{MISSING}/tunings"), &options).problem(404, "not-found", &["candidate"]);
    for path in ["", "/epochs", "/checkpoints"] {
        server.get(&format!("/tunings/{MISSING}{path}")).problem(404, "not-found", &["tuning"]);
    }
    for action in ["cancel", "retry"] {
        server.post(&format!("/tunings/{MISSING}/{action}"), &json!({})).problem(404, "not-found", &["tuning"]);
    }
    server.delete(&format!("/tunings/{MISSING}")).problem(404, "not-found", &["tuning"]);
    server.get(&format!("/searches/{MISSING}/tunings")).problem(404, "not-found", &["search"]);
    server.get(&format!("/searches/{MISSING}/tunings?cursor=x")).problem(404, "not-found", &[]);
}

#[test]
fn a_tuning_is_cancelled_taken_up_again_and_deleted_and_goes_with_its_search() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let (search, candidate) = candidate(&server, &puppet);
    let options = json!({ "minutes": 2.5 });
    let tuning = queue(&server, &candidate, &options);
    let (cancel, retry) = (format!("/tunings/{tuning}/cancel"), format!("/tunings/{tuning}/retry"));
    assert_eq!(server.post(&cancel, &json!({})).expect(200)["state"], "cancelled", "a queued one ends at once");
    assert_eq!(server.post(&retry, &json!({})).expect(202)["state"], "queued");
    server.post(&retry, &json!({})).problem(409, "conflict", &["already queued"]);
    let claim = puppet.claim();
    puppet.epoch(&claim.lease);
    assert_eq!(server.post(&cancel, &json!({})).expect(202)["state"], "running");
    puppet.obey(&claim.lease);
    let cancelled = server.get(&format!("/tunings/{tuning}")).expect(200);
    assert_eq!((&cancelled["state"], &cancelled["has_snapshot"]), (&json!("cancelled"), &json!(true)));
    server.post(&retry, &json!({})).expect(202);
    let claim = puppet.claim();
    puppet.tuned(&claim.lease, "weights");
    server.post(&cancel, &json!({})).problem(409, "conflict", &["has succeeded"]);

    assert_eq!(server.delete(&format!("/tunings/{tuning}")).status, 204);
    server.get(&format!("/tunings/{tuning}")).problem(404, "not-found", &[]);
    let other = queue(&server, &candidate, &options);
    let claim = puppet.claim();
    puppet.epoch(&claim.lease);
    assert_eq!(server.delete(&format!("/searches/{search}")).status, 204);
    server.get(&format!("/tunings/{other}")).problem(404, "not-found", &[]);
    for list in ["/models", "/datasets"] {
        let item = server.get(list).expect(200)["items"][0].clone();
        assert_eq!(server.delete(&format!("{list}/{}", id(&item))).status, 204);
    }
    assert_nothing_left(&server, data.path());
}

#[test]
fn events_follow_a_tuning_and_end_with_it() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let (_, candidate) = candidate(&server, &puppet);
    let tuning = queue(&server, &candidate, &json!({ "epochs": 1 }));
    let mut stream = Stream::of_tuning(&server, &tuning, None);
    let first = stream.until("tuning");
    assert_eq!((first.len(), &first[0].data["state"]), (1, &json!("queued")));
    let claim = puppet.claim();
    puppet.epoch(&claim.lease);
    let told = stream.until("epoch");
    assert_eq!(told.last().unwrap().data["steps"], 10);
    let seen = stream.until("tuning").last().unwrap().id;
    puppet.tuned(&claim.lease, "weights");
    let rest = stream.rest();
    let end = rest.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!("succeeded")));

    let names = |events: Vec<crate::events::Event>| events.into_iter().map(|event| event.name).collect::<Vec<_>>();
    let anew = names(Stream::of_tuning(&server, &tuning, None).rest());
    assert_eq!(anew, ["epoch", "tuning", "end"]);
    let later = names(Stream::of_tuning(&server, &tuning, Some(seen)).rest());
    assert_eq!(later, ["tuning", "end"], "the epoch was seen");
    let last = names(Stream::of_tuning(&server, &tuning, Some(end.id)).rest());
    assert_eq!(last, ["end"], "the end is told again");
    server.get(&format!("/tunings/{MISSING}/events")).problem(404, "not-found", &["tuning"]);

    let other = queue(&server, &candidate, &json!({ "epochs": 1 }));
    let mut stream = Stream::of_tuning(&server, &other, None);
    stream.until("tuning");
    assert_eq!(server.delete(&format!("/tunings/{other}")).status, 204);
    assert_eq!(names(stream.rest()), Vec::<String>::new(), "one that is deleted ends without a word");
}
