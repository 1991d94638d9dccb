//! Searches that are taken up again.

use serde_json::{Value, json};

use crate::puppet::Puppet;
use crate::server::fake;

#[test]
fn a_failed_search_goes_on_where_it_ended_and_finishes_like_any_other() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    puppet.fail(&claim.lease, "the disk is full");

    let again = server.post(&format!("/searches/{search}/retry"), &json!({})).expect(202);
    assert_eq!(
        (&again["state"], &again["error"], &again["finished_at"]),
        (&json!("queued"), &Value::Null, &Value::Null)
    );
    assert_eq!(again["progress"]["done"], 1, "its candidate is kept");
    let claim = puppet.claim();
    for index in 1..4 {
        puppet.candidate(&claim.lease, index, 0.6).unwrap();
    }
    puppet.finish(&claim.lease);
    let ended = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!((&ended["state"], &ended["progress"]["done"]), (&json!("succeeded"), &json!(4)));
}

#[test]
fn a_cancelled_search_is_taken_up_again_and_can_be_cancelled_again() {
    let (_data, server) = fake();
    let search = server.search();
    for _ in 0..2 {
        server.post(&format!("/searches/{search}/cancel"), &json!({})).expect(200);
        let again = server.post(&format!("/searches/{search}/retry"), &json!({})).expect(202);
        assert_eq!(again["state"], "queued");
    }
}

#[test]
fn a_search_that_is_queued_running_or_done_is_not_taken_up_again() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let retry = || server.post(&format!("/searches/{search}/retry"), &json!({}));
    retry().problem(409, "conflict", &["is already queued"]);
    let claim = puppet.claim();
    retry().problem(409, "conflict", &["is running", "cancel it first"]);
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();
    puppet.finish(&claim.lease);
    retry().problem(409, "conflict", &["has succeeded"]);
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    server.post(&format!("/searches/{nobody}/retry"), &json!({})).problem(404, "not-found", &[nobody]);
}

#[test]
fn a_search_whose_dataset_file_is_gone_says_so_instead_of_failing_again() {
    let (data, server) = fake();
    let search = server.search();
    server.post(&format!("/searches/{search}/cancel"), &json!({})).expect(200);
    // Model and dataset of the fake have the same content, and so one file.
    let hash = blake3::hash(b"good").to_hex().to_string();
    std::fs::remove_file(data.path().join("files").join(&hash[..2]).join(&hash[2..])).unwrap();
    let refused = server.post(&format!("/searches/{search}/retry"), &json!({}));
    let said = refused.problem(
        409,
        "conflict",
        &["`network.pt` of model", "is missing from the file store", "upload it again"],
    );
    assert!(!said["detail"].as_str().unwrap().contains(&hash), "a hash tells nobody what to upload: {said}");
}
