//! Searches and fine-tunings that are stopped, for good or for a while.

use serde_json::json;

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::fake;

#[test]
fn a_queued_search_is_cancelled_at_once() {
    let (_data, server) = fake();
    let search = server.search();
    let cancel = format!("/searches/{search}/cancel");
    let cancelled = server.post(&cancel, &json!({})).expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled["finished_at"].is_string());
    assert_eq!(server.post(&cancel, &json!({})).expect(200)["state"], "cancelled", "twice does no harm");
}

#[test]
fn a_running_search_ends_with_its_workers_next_heartbeat_and_keeps_what_it_found() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    let asked = server.post(&format!("/searches/{search}/cancel"), &json!({})).expect(202);
    assert_eq!(asked["state"], "running");
    puppet.obey(&claim.lease);
    let cancelled = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!((&cancelled["state"], &cancelled["progress"]["done"]), (&json!("cancelled"), &json!(1)));
    assert!(puppet.candidate(&claim.lease, 1, 0.6).is_err(), "nothing is written after the end");
}

#[test]
fn a_search_that_has_ended_cannot_be_cancelled() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    puppet.search(&[0.5]);
    let refused = server.post(&format!("/searches/{search}/cancel"), &json!({}));
    refused.problem(409, "conflict", &["has succeeded and can no longer be cancelled"]);
}

#[test]
fn a_search_is_paused_shown_behind_the_queue_and_resumed() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let [pause, retry] = ["pause", "retry"].map(|what| format!("/searches/{search}/{what}"));
    assert_eq!(server.post(&pause, &json!({})).expect(200)["state"], "paused");
    assert_eq!(server.post(&retry, &json!({})).expect(202)["state"], "queued");

    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    assert_eq!(server.post(&pause, &json!({})).expect(202)["state"], "running");
    server.post(&retry, &json!({})).problem(409, "conflict", &["is about to pause"]);
    puppet.obey(&claim.lease);
    let paused = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!((&paused["state"], &paused["progress"]["done"]), (&json!("paused"), &json!(1)));
    assert!(paused["finished_at"].is_null(), "{paused}");
    assert_eq!(server.post(&pause, &json!({})).expect(200)["state"], "paused", "twice does no harm");
    let queue = server.get("/queue").expect(200);
    let job = &queue["items"][0];
    assert_eq!((&job["search_id"], &job["is_paused"], &job["position"]), (&json!(search), &json!(true), &json!(null)));
    let moved = server.post(&format!("/queue/{}/move", id(job)), &json!({ "before": null }));
    moved.problem(409, "conflict", &["not waiting"]);

    server.post(&retry, &json!({})).expect(202);
    assert_eq!(puppet.claim().subject.to_string(), search);
}

#[test]
fn a_fine_tuning_is_paused_and_resumed() {
    let (data, server) = fake();
    let search = Puppet::new(data.path()).searched(&server);
    let best = id(&server.get(&format!("/searches/{search}/candidates")).expect(200)["items"][0]);
    let tuning = id(&server.post(&format!("/candidates/{best}/tunings"), &json!({ "epochs": 1 })).expect(202));
    let [pause, retry] = ["pause", "retry"].map(|what| format!("/tunings/{tuning}/{what}"));
    assert_eq!(server.post(&pause, &json!({})).expect(200)["state"], "paused");
    assert_eq!(server.post(&retry, &json!({})).expect(202)["state"], "queued");
    server.post(&format!("/tunings/{tuning}/cancel"), &json!({})).expect(200);
    server.post(&pause, &json!({})).problem(409, "conflict", &["was cancelled and can no longer be paused"]);
}

#[test]
fn a_study_is_paused_and_resumed() {
    let (data, server) = fake();
    let search = Puppet::new(data.path()).searched(&server);
    let request = json!({ "seeds": [1, 2], "options": { "epochs": 1, "flip": false } });
    let study = id(&server.post(&format!("/searches/{search}/studies"), &request).expect(202));
    let [pause, retry] = ["pause", "retry"].map(|what| format!("/studies/{study}/{what}"));
    assert_eq!(server.post(&pause, &json!({})).expect(200)["state"], "paused");
    assert_eq!(server.post(&retry, &json!({})).expect(202)["state"], "queued");
    server.post(&format!("/studies/{study}/cancel"), &json!({})).expect(200);
    server.post(&pause, &json!({})).problem(409, "conflict", &["has ended and can no longer be paused"]);
}
