//! Searches that are stopped.

use serde_json::json;

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
    puppet.obey_cancel(&claim.lease);
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
