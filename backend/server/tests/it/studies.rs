//! Studies over HTTP, with a worker that is moved by hand.

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{assert_nothing_left, fake};

const MISSING: &str = "019321f0-0000-7000-8000-000000000000";

#[test]
fn a_study_says_what_each_evaluation_predicts_as_soon_as_candidates_are_tuned() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = puppet.searched(&server);
    let answer = server.post(&format!("/searches/{search}/studies"), &json!({ "options": { "epochs": 1 } }));
    let queued = answer.expect(202);
    let path = format!("/studies/{}", id(&queued));
    assert_eq!(answer.header("location"), format!("/api/v1{path}"));
    assert_eq!((&queued["state"], &queued["request"]["seeds"]), (&json!("queued"), &json!([1, 2])));
    assert_eq!((&queued["started_at"], &queued["finished_at"]), (&Value::Null, &Value::Null));
    let members = queued["members"].as_array().unwrap();
    let order: Vec<_> = members.iter().map(|member| (&member["index"], &member["seed"])).collect();
    let expected = [0, 1, 2].map(|index| [1, 2].map(|seed| (json!(index), json!(seed))));
    assert!(expected.as_flattened().iter().map(|(index, seed)| (index, seed)).eq(order));
    let tuning = server.get(&format!("/tunings/{}", members[0]["tuning_id"].as_str().unwrap())).expect(200);
    assert_eq!(tuning["study_id"], queued["id"]);
    let nothing = server.get(&format!("{path}/report")).expect(200);
    assert_eq!(nothing["budgets"], json!([]));

    let train = |weights: &str| {
        let claim = puppet.claim();
        puppet.epoch(&claim.lease);
        puppet.tuned(&claim.lease, weights);
    };
    ["a1", "a2", "b1", "b2", "c1"].into_iter().for_each(train);
    assert_eq!(server.get(&path).expect(200)["state"], "running");
    let partly = server.get(&format!("{path}/report")).expect(200);
    assert_eq!(partly["budgets"][0]["candidates"].as_array().unwrap().len(), 2, "the third is not complete");
    train("c2");
    let ended = server.get(&path).expect(200);
    assert_eq!(ended["state"], "succeeded");
    assert!(ended["started_at"].is_string() && ended["finished_at"].is_string());
    let report = server.get(&format!("{path}/report")).expect(200);
    let budget = &report["budgets"][0];
    assert_eq!(budget["candidates"].as_array().unwrap().len(), 3);
    assert_eq!(budget["undecided"][0]["reason"], "few_candidates");
    assert_eq!((&report["is_on_test_images"], &report["images"]), (&json!(false), &json!(30)));
    assert_eq!(budget["training"][0]["of"], 1);
    let names: Vec<&str> =
        budget["predictors"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("adaptive BN, top-1")), "{names:?}");

    let document = server.get(&format!("{path}/report.md"));
    assert!(document.header("content-type").starts_with("text/markdown"));
    let text = String::from_utf8(document.body).unwrap();
    assert!(text.contains("This decides nothing") && text.contains("\"candidates\": 24"), "{text}");
    let figure = server.get(&format!("{path}/figure.svg"));
    assert_eq!(figure.header("content-type"), "image/svg+xml");
    assert!(figure.body.starts_with(b"<svg"));
    assert_eq!(server.get(&format!("/searches/{search}/studies")).expect(200)["items"], json!([ended]));
    assert_eq!(server.get(&format!("/searches/{search}/tunings")).expect(200)["items"], json!([]));
}

#[test]
fn every_field_at_fault_is_named_and_so_is_what_the_search_lacks() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let running = server.search();
    let of = |search: &str| format!("/searches/{search}/studies");
    let body = json!({ "options": { "epochs": 1 } });
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    server.post(&of(&running), &body).problem(409, "conflict", &["has not succeeded"]);
    puppet.finish(&claim.lease);
    let refused = |body: Value| {
        let problem = server.post(&of(&running), &body).problem(422, "invalid-field", &[]);
        let errors = problem["errors"].as_array().unwrap().iter();
        let mut fields: Vec<String> = errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
        fields.sort();
        fields.dedup();
        fields
    };
    assert_eq!(refused(json!({})), ["options"]);
    assert_eq!(refused(json!({ "options": {} })), ["options.epochs"]);
    assert_eq!(
        refused(json!({ "options": { "epochs": 1, "seed": 3 }, "candidates": 1 })),
        ["candidates", "options.seed"]
    );
    assert_eq!(refused(json!({ "options": { "epochs": 1 }, "seeds": [] })), ["seeds"]);
    assert_eq!(refused(json!({ "options": { "epochs": 1 }, "seeds": [1, 1] })), ["seeds"]);
    assert_eq!(server.get(&of(&running)).expect(200)["items"], json!([]));

    server.post(&of(MISSING), &body).problem(404, "not-found", &["search"]);
    server.get(&of(MISSING)).problem(404, "not-found", &["search"]);
    for path in ["", "/report", "/report.md", "/figure.svg"] {
        server.get(&format!("/studies/{MISSING}{path}")).problem(404, "not-found", &["study"]);
    }
    for path in ["cancel", "retry"] {
        server.post(&format!("/studies/{MISSING}/{path}"), &json!({})).problem(404, "not-found", &["study"]);
    }
    server.delete(&format!("/studies/{MISSING}")).problem(404, "not-found", &["study"]);
}

#[test]
fn a_study_is_cancelled_resumed_and_deleted() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = puppet.searched(&server);
    let body = json!({ "seeds": [5], "options": { "epochs": 1 } });
    let study = server.post(&format!("/searches/{search}/studies"), &body).expect(202);
    let path = format!("/studies/{}", id(&study));
    let running = puppet.claim();
    assert_eq!(server.post(&format!("{path}/cancel"), &json!({})).expect(200)["state"], "running");
    puppet.obey(&running.lease);
    assert_eq!(server.get(&path).expect(200)["state"], "cancelled");
    assert_eq!(server.post(&format!("{path}/retry"), &json!({})).expect(202)["state"], "running");
    server.post(&format!("{path}/retry"), &json!({})).problem(409, "conflict", &["no fine-tuning"]);
    for weights in ["one", "two", "three"] {
        let claim = puppet.claim();
        puppet.tuned(&claim.lease, weights);
    }
    server.post(&format!("{path}/cancel"), &json!({})).problem(409, "conflict", &["has ended"]);
    let undecided = server.get(&format!("{path}/report")).expect(200)["budgets"][0]["undecided"].clone();
    assert!(undecided.as_array().unwrap().iter().any(|each| each["reason"] == "one_seed"), "{undecided}");
    assert_eq!(server.delete(&path).status, 204);
    server.get(&path).problem(404, "not-found", &[]);
    assert_eq!(server.delete(&format!("/searches/{search}")).status, 204);
    for list in ["/models", "/datasets"] {
        let item = server.get(list).expect(200)["items"][0].clone();
        assert_eq!(server.delete(&format!("{list}/{}", id(&item))).status, 204);
    }
    assert_nothing_left(&server, data.path());
}
