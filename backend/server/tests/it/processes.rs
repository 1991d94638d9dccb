//! Worker processes, kept up by the server; and what outlives it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, until};

/// What the fake workers have noted: one line `PID run ARGUMENTS` for each start, `PID released` for each orderly end.
fn notes(data: &Path) -> Vec<String> {
    let notes = std::fs::read_to_string(data.join("workers")).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

fn wait_for_notes(data: &Path, count: usize) -> Vec<String> {
    until("the workers have noted something", Duration::from_secs(15), || {
        let notes = notes(data);
        (notes.len() >= count).then_some(notes)
    })
}

fn process_id(note: &str) -> &str {
    note.split(' ').next().unwrap()
}

fn health(server: &Server) -> Value {
    server.health().expect(200)
}

#[test]
fn workers_are_started_with_where_things_are_and_named_in_health() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake_with(data.path(), &["--workers", "2", "--device", "cpu"]);
    let notes = wait_for_notes(data.path(), 2);
    let database = format!(", database sqlite://{}/eagleeye.db", data.path().display());
    let files = format!(", files {}/files", data.path().display());
    let cache = format!("--cache {}/cache --cache-bytes 32000000000", data.path().display());
    for note in &notes {
        assert!(note.contains(&database) && note.contains(&files) && note.contains("--device cpu"), "{note}");
        assert!(note.contains(&cache), "{note}");
        // Everybody on the machine can read a command line.
        let arguments = note.split(',').next().unwrap();
        assert!(!arguments.contains("sqlite") && !arguments.contains("/files"), "{note}");
    }
    let name = |note: &str| note.split("--name ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_ne!(name(&notes[0]), name(&notes[1]));
    until("both are up", Duration::from_secs(5), || (health(&server)["workers"]["running"] == 2).then_some(()));
    let health = health(&server);
    assert_eq!((&health["status"], &health["workers"]["wanted"]), (&json!("ok"), &json!(2)));
    crate::contract::check_named("Health", &health);
}

#[test]
fn a_worker_that_dies_is_replaced_by_one_of_another_name() {
    let data = tempfile::tempdir().unwrap();
    let _server = Server::fake_with(data.path(), &["--workers", "1"]);
    let first = wait_for_notes(data.path(), 1).remove(0);
    assert!(Command::new("kill").args(["-9", process_id(&first)]).status().unwrap().success());
    let second = wait_for_notes(data.path(), 2).remove(1);
    let name = |note: &str| note.split("--name ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_ne!(name(&first), name(&second));
}

#[test]
fn a_worker_that_fails_at_its_start_is_started_again_ever_more_slowly() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("die"), "").unwrap();
    let server = Server::fake_with(data.path(), &["--workers", "1"]);
    wait_for_notes(data.path(), 3);
    std::thread::sleep(Duration::from_secs(2));
    let starts = notes(data.path()).len();
    assert!((3..=7).contains(&starts), "0.2 s, 0.4 s, 0.8 s, ... between them: {starts}");
    std::fs::remove_file(data.path().join("die")).unwrap();
    until("it is up", Duration::from_secs(15), || (health(&server)["workers"]["running"] == 1).then_some(()));
}

#[test]
fn workers_are_told_when_the_server_stops_and_also_when_it_is_killed() {
    for killed in [false, true] {
        let data = tempfile::tempdir().unwrap();
        let server = Server::fake_with(data.path(), &["--workers", "1"]);
        let started = wait_for_notes(data.path(), 1).remove(0);
        if killed {
            server.kill();
        } else {
            let took = server.stop();
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        let notes = wait_for_notes(data.path(), 2);
        assert_eq!(notes[1], format!("{} released", process_id(&started)));
    }
}

#[test]
fn everything_is_where_it_was_when_the_server_was_killed_and_started_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake(data.path());
    let (finished, running) = (server.search(), server.search());
    let puppet = Puppet::new(data.path());
    puppet.search(&[0.5, 0.7]);
    for content in ["first", "second", "third"] {
        puppet.export(content);
    }
    let claim = puppet.claim();
    puppet.begin(&claim.lease);
    puppet.candidate(&claim.lease, 0, 0.5).unwrap();

    let everything = |server: &Server| {
        let lists = ["/models".to_owned(), "/datasets".to_owned(), "/searches".to_owned()];
        let boards = [&finished, &running].map(|search| format!("/searches/{search}/candidates"));
        lists.into_iter().chain(boards).map(|path| server.get(&path).expect(200)).collect::<Vec<_>>()
    };
    let before = everything(&server);
    server.kill();
    let server = Server::fake(data.path());
    assert_eq!(everything(&server), before);
    let model = &before[0]["items"][0];
    assert_eq!(server.get(&format!("/models/{}/file", id(model))).text(), "good");
    puppet.candidate(&claim.lease, 1, 0.6).unwrap();
    let board = server.get(&format!("/searches/{running}/candidates")).expect(200);
    assert_eq!(board["items"].as_array().unwrap().len(), 2, "a worker outlives the server");
}
