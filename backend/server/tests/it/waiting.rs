//! Searches and exports that have to wait, and say what for; and servers whose files are elsewhere.

use std::process::Command;

use serde_json::{Value, json};

use crate::puppet::Puppet;
use crate::server::{Server, fake, fake_worker, program};

#[test]
fn a_search_that_was_set_aside_says_what_it_waits_for_until_it_goes_on() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let claim = puppet.claim();
    puppet.set_aside(&claim.lease, "space on the disk of the file store");
    let waiting = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!((&waiting["state"], &waiting["error"]), (&json!("queued"), &Value::Null));
    assert_eq!(waiting["waiting_for"], "space on the disk of the file store");
    assert_eq!(server.get("/searches").expect(200)["items"][0]["waiting_for"], waiting["waiting_for"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    puppet.claim_as("another");
    let running = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!((&running["state"], &running["waiting_for"]), (&json!("running"), &Value::Null));
}

#[test]
fn a_server_does_not_start_on_an_empty_folder_in_place_of_its_files() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake(data.path());
    server.model("good");
    server.stop();
    let elsewhere = data.path().join("elsewhere");
    let output = Command::new(program())
        .args(["serve", "--port", "0", "--data"])
        .arg(data.path())
        .arg("--files")
        .arg(&elsewhere)
        .arg("--worker-binary")
        .arg(fake_worker())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("elsewhere is not the file store of this database"), "{said}");
    Server::fake(data.path());
}
