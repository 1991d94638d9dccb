//! More of a search: extended, cloned, and its report.

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake, request};

/// A search that has ended, and its id.
fn finished(server: &Server, puppet: &Puppet) -> String {
    let body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let search = id(&server.post("/searches", &body).expect(202));
    puppet.search(&[0.5, 0.9]);
    search
}

#[test]
fn a_search_that_has_ended_is_extended_and_keeps_what_it_has() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()));
    let more = json!({ "candidates": 6, "strategies": ["near_uniform"], "budgets": [{ "macs": 0.75 }] });
    server.post(&format!("/searches/{search}/extend"), &json!({})).problem(
        422,
        "invalid-field",
        &["further strategies"],
    );
    let extended = server.post(&format!("/searches/{search}/extend"), &more).expect(202);
    assert_eq!((&extended["id"], &extended["state"]), (&json!(search), &json!("queued")));
    assert_eq!(extended["budgets"], json!([{ "macs": 0.5 }, { "macs": 0.75 }]));
    assert_eq!(extended["request"]["strategies"], json!(["random", "near_uniform"]));
    assert_eq!((&extended["winners"], &extended["best_candidate_id"]), (&json!([]), &Value::Null));
    let kept = server.get(&format!("/searches/{search}/candidates")).expect(200);
    assert_eq!(kept["items"].as_array().unwrap().len(), 2);
    // While it waits or runs it cannot be extended again.
    server.post(&format!("/searches/{search}/extend"), &more).problem(409, "conflict", &["has not ended"]);
}

#[test]
fn what_a_search_cannot_be_extended_by_is_named() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()));
    let extend = |body: Value| server.post(&format!("/searches/{search}/extend"), &body);
    extend(json!({ "candidates": 1 })).problem(422, "invalid-field", &["at least 4"]);
    extend(json!({ "strategies": ["best"] })).problem(422, "invalid-field", &["best"]);
    extend(json!({ "budgets": [{ "macs": 0.01 }] })).problem(422, "budget-out-of-reach", &["0.01"]);
    extend(json!({ "budgets": [{ "macs": 0.5 }] })).problem(422, "invalid-field", &["further strategies or budgets"]);
    extend(json!({ "seed": 3 })).problem(422, "invalid-field", &["seed"]);
    assert_eq!(server.get(&format!("/searches/{search}")).expect(200)["state"], "succeeded", "it is as it was");
}

#[test]
fn a_search_is_cloned_with_changes() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()));
    let clone = |changes: Value| server.post(&format!("/searches/{search}/clone"), &changes);
    let other = clone(json!({ "macs": 0.75, "seed": 11 })).expect(202);
    assert_ne!(other["id"], json!(search));
    assert_eq!((&other["request"]["macs"], &other["request"]["seed"]), (&json!(0.75), &json!(11)));
    let before = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!(other["request"]["preprocessing"], before["request"]["preprocessing"]);
    clone(json!({ "macs": 7 })).problem(422, "invalid-field", &["macs"]);
    clone(json!({ "colour": "red" })).problem(422, "invalid-field", &["colour"]);
}

#[test]
fn a_strategy_of_ones_own_may_begin_with_a_candidate() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()));
    let candidate = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].clone();
    let manual = json!({ "strategies": ["manual"], "manual": [{ "candidate_id": candidate, "groups": {} }] });
    let answered = server.post(&format!("/searches/{search}/clone"), &manual).expect(202);
    assert_eq!(answered["request"]["manual"], json!([{ "groups": { "features.0": 16 } }]));
    let unknown = json!({ "manual": [{ "candidate_id": search }], "strategies": ["manual"] });
    server.post(&format!("/searches/{search}/clone"), &unknown).problem(422, "invalid-field", &["candidate"]);
}

#[test]
fn a_search_has_a_report_as_json_and_as_a_document() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()));
    let report = server.get(&format!("/searches/{search}/report")).expect(200);
    let winner = &report["sections"][0]["winner"];
    assert_eq!((&winner["index"], &winner["scoring"]["score"]["top1"]), (&json!(1), &json!(0.9)));
    assert_eq!(report["full"]["macs"], 1_000_000);
    let text = server.get(&format!("/searches/{search}/report.md"));
    assert_eq!(text.status, 200);
    assert!(text.header("content-type").starts_with("text/markdown"));
    assert!(text.text().contains("90.0%") || text.text().contains("90.00%"), "{}", text.text());
    // One that has found nothing yet has none.
    let body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let queued = id(&server.post("/searches", &body).expect(202));
    server.get(&format!("/searches/{queued}/report")).problem(409, "conflict", &["not scored"]);
}
