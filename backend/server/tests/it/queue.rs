//! The queue over HTTP: what waits, in which order, and how it is changed.

use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake, request};

const MISSING: &str = "019321f0-0000-7000-8000-000000000000";

fn search(server: &Server, model: &str, dataset: &str) -> String {
    id(&server.post("/searches", &request(model, dataset)).expect(202))
}

/// Position, kind, search and whether it is a tuning's, of each job.
fn told(queue: &Value) -> Vec<(Option<u64>, String, String)> {
    let items = queue["items"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.iter().map(|job| (job["position"].as_u64(), text(&job["kind"]), text(&job["search_id"]))).collect()
}

fn jobs(server: &Server) -> Vec<String> {
    server.get("/queue").expect(200)["items"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn what_is_running_and_what_waits_is_told_in_order_and_can_be_moved() {
    let (data, server) = fake();
    assert_eq!(server.get("/queue").expect(200), json!({ "items": [] }));
    let puppet = Puppet::new(data.path());
    let done = puppet.searched(&server);
    let candidates = server.get(&format!("/searches/{done}/candidates")).expect(200);
    let best = id(&candidates["items"][0]);
    let tuning = id(&server.post(&format!("/candidates/{best}/tunings"), &json!({ "epochs": 1 })).expect(202));
    let (model, dataset) = (id(&server.model("good")), id(&server.dataset("good")));
    let [first, second] = [search(&server, &model, &dataset), search(&server, &model, &dataset)];

    let word = str::to_owned;
    let queue = server.get("/queue").expect(200);
    assert_eq!(queue["items"][0]["tuning_id"], tuning);
    let expected =
        [(Some(1), word("tuning"), done), (Some(2), word("search"), first), (Some(3), word("search"), second)];
    assert_eq!(told(&queue), expected);

    let ids = jobs(&server);
    let moved = server.post(&format!("/queue/{}/move", ids[2]), &json!({ "before": ids[0] })).expect(200);
    assert_eq!(moved, server.get("/queue").expect(200));
    assert_eq!(jobs(&server), [&*ids[2], &ids[0], &ids[1]]);
    server.post(&format!("/queue/{}/move", ids[2]), &json!({ "before": null })).expect(200);
    assert_eq!(jobs(&server), ids);

    // Exports of the first search's winner go before everything, and are in nobody's way.
    while puppet.claim().kind == "export" {}
    let queue = server.get("/queue").expect(200);
    assert_eq!(told(&queue)[0], (None, expected[0].1.clone(), expected[0].2.clone()), "it is running");
    assert_eq!(told(&queue)[1].0, Some(1));
    let running = server.post(&format!("/queue/{}/move", ids[0]), &json!({ "before": ids[1] }));
    running.problem(409, "conflict", &["not waiting"]);
}

#[test]
fn a_move_that_makes_no_sense_is_refused() {
    let (_data, server) = fake();
    let (model, dataset) = (id(&server.model("good")), id(&server.dataset("good")));
    search(&server, &model, &dataset);
    let job = &jobs(&server)[0];
    server.post(&format!("/queue/{MISSING}/move"), &json!({ "before": null })).problem(404, "not-found", &[MISSING]);
    server.post(&format!("/queue/{job}/move"), &json!({ "before": MISSING })).problem(404, "not-found", &[MISSING]);
    server.post(&format!("/queue/{job}/move"), &json!({})).problem(422, "invalid-field", &["before"]);
    server.post(&format!("/queue/{job}/move"), &json!({ "after": null })).problem(422, "invalid-field", &["after"]);
}

#[test]
fn a_model_is_drawn() {
    let (_data, server) = fake();
    let model = id(&server.model("good"));
    let graph = server.get(&format!("/models/{model}/graph")).expect(200);
    let nodes = graph["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| node["name"].as_str().unwrap()).collect::<Vec<_>>(), ["x", "features.0"]);
    assert_eq!(nodes[1]["inputs"], json!(["x"]));
    server.get(&format!("/models/{MISSING}/graph")).problem(404, "not-found", &[MISSING]);
    let tensors = server.get(&format!("/models/{model}/tensors")).expect(200);
    assert_eq!(tensors["tensors"][0]["histogram"]["counts"], json!([88, 100, 100]));
    server.get(&format!("/models/{MISSING}/tensors")).problem(404, "not-found", &[MISSING]);
}
