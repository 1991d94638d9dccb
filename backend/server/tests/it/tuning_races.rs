//! Tuning races over HTTP, with a worker that is moved by hand.

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, assert_nothing_left, fake};

const MISSING: &str = "019321f0-0000-7000-8000-000000000000";

fn start(server: &Server, search: &str, body: &Value) -> Value {
    server.post(&format!("/searches/{search}/tuning-races"), body).expect(202)
}

/// The candidates' numbers in order of place.
fn order(race: &Value) -> Vec<u64> {
    race["members"].as_array().unwrap().iter().map(|member| member["index"].as_u64().unwrap()).collect()
}

#[test]
fn the_best_by_the_validation_images_wins_and_its_files_are_exported() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = puppet.searched(&server);
    let body = json!({ "candidates": 3, "epochs": 6, "options": { "flip": false } });
    let answer = server.post(&format!("/searches/{search}/tuning-races"), &body);
    let queued = answer.expect(202);
    let race = id(&queued);
    assert_eq!(answer.header("location"), format!("/api/v1/tuning-races/{race}"));
    assert_eq!((&queued["state"], &queued["winner_id"]), (&json!("queued"), &Value::Null));
    assert_eq!((&queued["request"]["epochs"], &queued["request"]["options"]["flip"]), (&json!(6), &json!(false)));
    let rungs = json!([
        { "candidates": 3, "until_epoch": 1 }, { "candidates": 2, "until_epoch": 2 }, { "candidates": 1, "until_epoch": 3 },
    ]);
    assert_eq!((&queued["rungs"], order(&queued)), (&rungs, vec![1, 2, 0]), "best of the search first");

    let tuning = queued["members"][0]["tuning_id"].as_str().unwrap();
    let queued_tuning = server.get(&format!("/tunings/{tuning}")).expect(200);
    assert_eq!((&queued_tuning["race_id"], &queued_tuning["request"]["epochs"]), (&json!(race), &json!(3)));
    let claims = [puppet.claim(), puppet.claim(), puppet.claim()];
    for (claim, top1) in claims.iter().zip([0.7, 0.9]) {
        puppet.rung(&claim.lease, 1, top1);
    }
    let waits = server.get(&format!("/tunings/{tuning}")).expect(200);
    assert_eq!((&waits["state"], &waits["progress"]["phase"]), (&json!("queued"), &json!("paused")));
    assert_eq!(waits["waiting_for"], "the other candidates of its race");
    puppet.rung(&claims[2].lease, 1, 0.8);
    let second = server.get(&format!("/tuning-races/{race}")).expect(200);
    assert_eq!((&second["state"], order(&second)), (&json!("running"), vec![2, 0, 1]));
    let member = &second["members"][2];
    assert_eq!((&member["is_out"], &member["state"], &member["rung"]), (&json!(true), &json!("cancelled"), &json!(0)));
    assert_eq!((&member["epochs"], &member["validation"]["top1"]), (&json!(1), &json!(0.7)));

    let claims = [puppet.claim(), puppet.claim()];
    puppet.rung(&claims[0].lease, 2, 0.85);
    puppet.rung(&claims[1].lease, 2, 0.95);
    let last = puppet.claim();
    puppet.tuned(&last.lease, "weights");
    let ended = server.get(&format!("/tuning-races/{race}")).expect(200);
    let winner = ended["members"][0]["tuning_id"].clone();
    assert_eq!((&ended["state"], &ended["winner_id"], order(&ended)), (&json!("succeeded"), &winner, vec![0, 2, 1]));
    for file in ["tuned one", "tuned two", "tuned three"] {
        puppet.export(file);
    }
    let files = server.get(&format!("/tunings/{}/checkpoints", winner.as_str().unwrap())).expect(200);
    assert!(files["items"].as_array().unwrap().iter().all(|file| file["state"] == "ready"), "{files}");
    let listed = server.get(&format!("/searches/{search}/tuning-races")).expect(200);
    assert_eq!(listed["items"], json!([ended]));
    server.post(&format!("/tuning-races/{race}/cancel"), &json!({})).problem(409, "conflict", &["has succeeded"]);
}

#[test]
fn every_field_at_fault_is_named_and_so_is_what_the_search_lacks() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let running = server.search();
    let of = |search: &str| format!("/searches/{search}/tuning-races");
    let body = json!({ "candidates": 2, "epochs": 3 });
    server.post(&of(&running), &body).problem(409, "conflict", &["has not succeeded"]);
    puppet.search(&[0.5, 0.7, 0.6]);
    let refused = |body: Value| {
        let problem = server.post(&of(&running), &body).problem(422, "invalid-field", &[]);
        let errors = problem["errors"].as_array().unwrap().iter();
        let mut fields: Vec<String> = errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
        fields.sort();
        fields
    };
    assert_eq!(refused(json!({})), ["epochs"]);
    assert_eq!(refused(json!({ "epochs": 24, "candidates": 1, "minutes": 3 })), ["candidates", "minutes"]);
    assert_eq!(refused(json!({ "epochs": 24, "candidates": 65 })), ["candidates"]);
    let options = json!({ "epochs": 1, "minutes": 2, "patience": 3, "warmup": 4 });
    let fields = ["options.epochs", "options.minutes", "options.patience", "options.warmup"];
    assert_eq!(refused(json!({ "epochs": 24, "options": options })), fields);
    server.post(&of(&running), &json!({ "epochs": 24 })).problem(
        422,
        "invalid-field",
        &["candidates", "3 candidates", "4"],
    );
    server.post(&of(&running), &json!({ "candidates": 3, "epochs": 5 })).problem(
        422,
        "invalid-field",
        &["epochs", "6"],
    );
    let other = json!({ "candidates": 2, "epochs": 3, "budget": 1 });
    server.post(&of(&running), &other).problem(422, "invalid-field", &["budget", "1 budget"]);
    assert_eq!(server.get(&of(&running)).expect(200)["items"], json!([]));

    server.post(&of(MISSING), &body).problem(404, "not-found", &["search"]);
    server.get(&of(MISSING)).problem(404, "not-found", &["search"]);
    server.get(&format!("/tuning-races/{MISSING}")).problem(404, "not-found", &["tuning race"]);
    server.post(&format!("/tuning-races/{MISSING}/cancel"), &json!({})).problem(404, "not-found", &["tuning race"]);
    server.delete(&format!("/tuning-races/{MISSING}")).problem(404, "not-found", &["tuning race"]);
}

#[test]
fn a_race_is_cancelled_and_deleted_and_goes_with_its_search() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = puppet.searched(&server);
    let body = json!({ "candidates": 3, "epochs": 6 });
    let race = start(&server, &search, &body);
    let path = format!("/tuning-races/{}", id(&race));
    let (waiting, running) = (puppet.claim(), puppet.claim());
    puppet.rung(&waiting.lease, 1, 0.7);
    let cancelled = server.post(&format!("{path}/cancel"), &json!({})).expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    puppet.obey(&running.lease);
    let members = server.get(&path).expect(200)["members"].clone();
    assert!(
        members.as_array().unwrap().iter().all(|member| member["state"] == "cancelled" && member["is_out"] == true)
    );
    let tuning = race["members"][0]["tuning_id"].as_str().unwrap();
    let again = server.post(&format!("/tunings/{tuning}/retry"), &json!({})).expect(202);
    assert_eq!((&again["state"], &again["race_id"]), (&json!("queued"), &race["id"]));

    assert_eq!(server.delete(&path).status, 204);
    server.get(&path).problem(404, "not-found", &[]);
    server.get(&format!("/tunings/{tuning}")).problem(404, "not-found", &[]);
    let other = start(&server, &search, &body);
    let waiting = puppet.claim();
    puppet.rung(&waiting.lease, 1, 0.7);
    assert_eq!(server.delete(&format!("/searches/{search}")).status, 204);
    server.get(&format!("/tuning-races/{}", id(&other))).problem(404, "not-found", &[]);
    for list in ["/models", "/datasets"] {
        let item = server.get(list).expect(200)["items"][0].clone();
        assert_eq!(server.delete(&format!("{list}/{}", id(&item))).status, 204);
    }
    assert_nothing_left(&server, data.path());
}
