//! `/health`: who is up, and what is away.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use eagleeye_store::WorkerReport;
use serde_json::{Value, json};

use crate::postgres::{Cable, Postgres, not_tested};
use crate::puppet::Puppet;
use crate::server::{Server, fake, fake_worker, program, until};

/// The answer, which must come in time and be the same document whatever is away.
fn health(server: &Server) -> (u16, Value) {
    let asked = Instant::now();
    let answer = server.health();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    (answer.status, answer.json())
}

#[test]
fn workers_of_other_machines_are_seen_idle_or_not() {
    let (data, server) = fake();
    assert_eq!(health(&server).1["workers"]["connected"], json!([]));
    let puppet = Puppet::new(data.path());
    let search = server.search();
    let claim = puppet.claim();
    let report = |name: &str, job| WorkerReport {
        name: name.to_owned(),
        host: "another-machine".to_owned(),
        pid: 7,
        device: "cuda:0".to_owned(),
        device_reason: Some("it was asked for".to_owned()),
        hardware: Some("A fast one".to_owned()),
        memory_bytes: Some(1 << 36),
        job,
        note: None,
    };
    puppet.report(&report("idle", None));
    puppet.report(&report("busy", Some(claim.lease.job_id)));
    let (status, health) = health(&server);
    assert_eq!(status, 200);
    let connected = health["workers"]["connected"].as_array().unwrap();
    // Both may have started in the same millisecond.
    let named = |name: &str| connected.iter().find(|worker| worker["name"] == name).unwrap();
    assert_eq!(connected.len(), 2);
    assert_eq!((&named("idle")["search_id"], &named("busy")["search_id"]), (&Value::Null, &json!(search)));
    assert_eq!((&named("idle")["host"], &named("idle")["device"]), (&json!("another-machine"), &json!("cuda:0")));
}

#[test]
fn a_file_store_that_is_away_is_named() {
    let (data, server) = fake();
    assert_eq!(health(&server).0, 200);
    let (files, away) = (data.path().join("files"), data.path().join("away"));
    std::fs::rename(&files, &away).unwrap();
    let (status, ill) = health(&server);
    assert_eq!((status, &ill["status"]), (503, &json!("unavailable")));
    assert_eq!((&ill["database"]["status"], &ill["files"]["status"]), (&json!("ok"), &json!("unavailable")));
    assert!(ill["files"]["detail"].as_str().unwrap().contains("store-id in it is missing"), "{ill}");
    std::fs::rename(&away, &files).unwrap();
    assert_eq!(health(&server).0, 200);
}

#[test]
fn a_database_out_of_reach_is_named_in_time_and_is_well_again_when_it_is_back() {
    let Some(postgres) = Postgres::new() else { return not_tested() };
    let (data, cable) = (tempfile::tempdir().unwrap(), Cable::to(postgres.host.clone()));
    let url = postgres.url(&format!("127.0.0.1:{}", cable.port));
    let server = Server::fake_with(data.path(), &["--workers", "0", "--database", &url]);
    assert_eq!(health(&server).0, 200);

    cable.cut();
    let (status, ill) = health(&server);
    assert_eq!((status, &ill["status"], &ill["workers"]["connected"]), (503, &json!("unavailable"), &json!([])));
    assert_eq!((&ill["database"]["status"], &ill["files"]["status"]), (&json!("unavailable"), &json!("ok")));
    assert!(ill["database"]["detail"].is_string(), "{ill}");
    cable.mend();
    until("it is well again", Duration::from_secs(30), || (health(&server).0 == 200).then_some(()));
}

#[test]
fn a_file_store_that_hangs_is_told_from_one_that_is_up() {
    let (data, server) = fake();
    let (marker, id) = (data.path().join("files/store-id"), data.path().join("id"));
    std::fs::rename(&marker, &id).unwrap();
    // Who opens it waits for a writer, as for a file server that is gone.
    assert!(Command::new("mkfifo").arg(&marker).status().unwrap().success());
    let (status, ill) = health(&server);
    assert_eq!((status, &ill["database"]["status"]), (503, &json!("ok")));
    assert_eq!(ill["files"], json!({ "status": "unavailable", "detail": "it does not respond" }));
    // Lets go of who waits, which does not read what is no file.
    drop(std::fs::File::options().write(true).open(&marker).unwrap());
    std::fs::rename(&id, &marker).unwrap();
    assert_eq!(health(&server).0, 200);
}

/// A server whose writes fail, instead of ending it, when its limit of file sizes is reached.
fn on_small_disk(data: &Path) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program());
    command.args(["serve", "--workers", "0", "--data"]).arg(data).arg("--worker-binary").arg(fake_worker());
    Server::start(&mut command)
}

/// In bytes; `None` for any.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let process = server.process_id().to_string();
    let done = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={soft}:unlimited")]).status();
    assert!(done.unwrap().success());
}

#[test]
fn a_database_that_takes_no_writes_is_shown_in_health_in_the_search_and_in_its_events() {
    let data = tempfile::tempdir().unwrap();
    let server = on_small_disk(data.path());
    let search = server.search();
    let shown = || server.get(&format!("/searches/{search}")).expect(200)["waiting_for"].clone();
    assert_eq!(shown(), Value::Null);
    let mut stream = crate::events::Stream::open(&server, &search, None);
    assert_eq!(stream.until("search")[0].data["waiting_for"], Value::Null);

    limit_files(&server, Some(0));
    until("the search says what it waits for", Duration::from_secs(15), || shown().is_string().then_some(()));
    let (status, ill) = health(&server);
    assert_eq!((status, &ill["database"]["status"]), (503, &json!("unavailable")));
    assert!(ill["database"]["detail"].as_str().unwrap().contains("does not accept writes"), "{ill}");
    let told = stream.until("search").remove(0).data["waiting_for"].clone();
    assert!(told.as_str().unwrap().contains("the disk of the database"), "{told}");
    let refused = server.post(&format!("/searches/{search}/cancel"), &json!({}));
    refused.problem(503, "unavailable", &["waits for the disk of the database"]);

    limit_files(&server, None);
    until("it is over", Duration::from_secs(15), || shown().is_null().then_some(()));
    assert_eq!(stream.until("search").remove(0).data["waiting_for"], Value::Null);
    assert_eq!(health(&server).0, 200);
    server.post(&format!("/searches/{search}/cancel"), &json!({})).expect(200);
    assert_eq!(stream.rest().last().unwrap().data["state"], "cancelled");
}
