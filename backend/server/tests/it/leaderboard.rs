//! A search's candidates and their exported files.

use serde_json::{Value, json};
use sha2::Digest;

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake};

fn indices(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|candidate| candidate["index"].as_u64().unwrap()).collect()
}

/// A search that has succeeded with these scores.
fn finished(server: &Server, puppet: &Puppet, top1: &[f64]) -> String {
    let search = server.search();
    puppet.search(top1);
    search
}

#[test]
fn a_finished_search_names_its_best_candidate_and_how_the_images_were_used() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()), &[0.5, 0.9, 0.7, 0.9]);
    let search = server.get(&format!("/searches/{search}")).expect(200);
    assert_eq!(search["state"], "succeeded");
    assert_eq!(search["progress"], json!({ "phase": "candidates", "done": 4, "total": 4 }));
    assert_eq!(search["split"], json!({ "calibration": 20, "scoring": 30, "test": 50 }));
    let baseline = &search["baseline"];
    let score = json!({ "top1": 0.94, "top5": 0.99, "cross_entropy": 0.2, "agreement": 1.0, "kl": 0.0 });
    assert_eq!(baseline["score"], score);
    assert_eq!(
        (&baseline["macs"], &baseline["parameters"], &baseline["bytes"]),
        (&json!(1_000_000), &json!(50_000), &json!(201_000))
    );
    let bounds = ["low", "high"].map(|end| baseline["intervals"]["top1"][end].as_f64().unwrap());
    assert!(bounds[0] < 0.94 && 0.94 < bounds[1], "{bounds:?}");

    let best = search["best_candidate_id"].as_str().unwrap();
    assert_eq!(search["winners"], json!([{ "budget": 0, "candidate_id": best }]));
    let candidate = server.get(&format!("/candidates/{best}")).expect(200);
    assert_eq!(candidate["index"], 1, "of equal scores the first");
    assert_eq!(candidate["groups"], json!([{ "group": "features.0", "size": 32, "kept": 16 }]));
    assert_eq!(candidate["score"]["top1"], 0.9);
    let without = json!({ "top1": 0.1, "top5": 0.5, "cross_entropy": null, "agreement": null, "kl": null });
    assert_eq!(candidate["score_without_adaptation"], without, "an infinite loss is null");
    let expected = [("adapted", &candidate["score"], 1.25), ("unadapted", &without, 0.25)];
    for (evaluation, (kind, score, seconds)) in candidate["evaluations"].as_array().unwrap().iter().zip(expected) {
        assert_eq!((&evaluation["kind"], &evaluation["image_set"]), (&json!(kind), &json!("scoring")));
        assert_eq!(
            (&evaluation["images"], &evaluation["score"], &evaluation["seconds"]),
            (&json!(30), score, &json!(seconds))
        );
        assert!(evaluation["intervals"]["top1"]["high"].as_f64() > score["top1"].as_f64());
    }
    assert_eq!((&candidate["scored_images"], &candidate["origin"]["strategy"]), (&json!(30), &json!("random")));
}

#[test]
fn candidates_come_in_the_order_that_is_asked_for() {
    let (data, server) = fake();
    let search = finished(&server, &Puppet::new(data.path()), &[0.5, 0.9, 0.7, 0.9]);
    let list = |query: &str| server.get(&format!("/searches/{search}/candidates{query}")).expect(200);
    assert_eq!(indices(&list("")), [0, 1, 2, 3]);
    assert_eq!(indices(&list("?sort=-index")), [3, 2, 1, 0]);
    assert_eq!(indices(&list("?sort=-top1")), [1, 3, 2, 0]);
    assert_eq!(indices(&list("?sort=cross_entropy")), [1, 3, 2, 0]);
    assert_eq!(indices(&list("?sort=-macs")), [3, 2, 1, 0]);
    assert_eq!(indices(&list("?sort=rank")), [1, 3, 2, 0]);
    assert_eq!(indices(&list("?sort=-rank")), [0, 2, 3, 1]);

    for order in ["-top1", "rank"] {
        let first = list(&format!("?sort={order}&limit=3"));
        assert_eq!(indices(&first), [1, 3, 2]);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = list(&format!("?sort={order}&limit=3&cursor={cursor}"));
        assert_eq!((indices(&second), &second["next_cursor"]), (vec![0], &Value::Null));
    }

    let refused = server.get(&format!("/searches/{search}/candidates?sort=luck"));
    refused.problem(400, "invalid-parameter", &["luck", "top1"]);
}

#[test]
fn the_winner_is_exported_in_every_format_and_others_on_demand() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5, 0.9]);
    let candidates = server.get(&format!("/searches/{search}/candidates?sort=-top1")).expect(200);
    let [best, other] = [0, 1].map(|rank| format!("/candidates/{}/checkpoints", id(&candidates["items"][rank])));

    let waiting = server.get(&best).expect(200);
    let formats: Vec<&Value> = waiting["items"].as_array().unwrap().iter().map(|file| &file["format"]).collect();
    assert_eq!(formats, ["onnx", "safetensors", "torchscript"]);
    let early = server.get(&format!("/checkpoints/{}/file", id(&waiting["items"][0])));
    early.problem(409, "not-ready", &["until its state is `ready`"]);

    for content in ["first", "second", "third"] {
        puppet.export(content);
    }
    let ready = server.get(&best).expect(200);
    for file in ready["items"].as_array().unwrap() {
        assert_eq!((&file["state"], &file["max_difference"]), (&json!("ready"), &json!(2.5e-6)));
        let download = server.get(&format!("/checkpoints/{}/file", id(file)));
        assert_eq!(download.status, 200);
        assert_eq!(file["bytes"], download.body.len());
        assert_eq!(file["hash"], blake3::hash(&download.body).to_hex().as_str());
        let sha256 = hex::encode(sha2::Sha256::digest(&download.body));
        assert_eq!(file["sha256"], sha256.as_str());
        let card = server.get(&format!("/checkpoints/{}/card", id(file))).expect(200);
        assert_eq!(card["file"]["sha256"], sha256.as_str());
        let ending = match file["format"].as_str().unwrap() {
            "torchscript" => "pt",
            other => other,
        };
        let name = format!("filename=\"network-candidate-1.{ending}\"");
        assert!(download.header("content-disposition").contains(&name), "{:?}", download.headers);
    }
    let again = server.post(&best, &json!({ "format": "onnx" })).expect(200);
    assert_eq!(again["state"], "ready", "what is there is not made again");

    assert_eq!(server.get(&other).expect(200)["items"], json!([]));
    let asked = server.post(&other, &json!({ "format": "onnx" }));
    let queued = asked.expect(202);
    assert_eq!(asked.header("location"), format!("/api/v1/checkpoints/{}", id(&queued)));
    let twice = server.post(&other, &json!({ "format": "onnx" })).expect(202);
    assert_eq!(id(&twice), id(&queued));
    puppet.export("fourth");
    assert_eq!(server.get(&format!("/checkpoints/{}", id(&queued))).expect(200)["state"], "ready");
    server.post(&other, &json!({ "format": "caffe" })).problem(422, "invalid-field", &["torchscript", "onnx"]);
}

#[test]
fn a_state_dict_is_an_archive_and_made_on_demand_alone() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5]);
    for content in ["first", "second", "third"] {
        puppet.export(content);
    }
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].clone();
    let list = format!("/candidates/{}/checkpoints", best.as_str().unwrap());
    let asked = server.post(&list, &json!({ "format": "state_dict" })).expect(202);
    assert_eq!((&asked["format"], &asked["state"]), (&json!("state_dict"), &json!("queued")));
    puppet.export("an archive");
    let file = server.get(&format!("/checkpoints/{}/file", id(&asked)));
    assert_eq!((file.status, file.text().as_str()), (200, "an archive"));
    assert!(file.header("content-disposition").contains("network-candidate-0.zip"), "{:?}", file.headers);
    assert_eq!(server.get(&list).expect(200)["items"].as_array().unwrap().len(), 4);
}

#[test]
fn an_onnx_file_may_be_had_in_several_versions_of_the_operators() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5]);
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].clone();
    let list = format!("/candidates/{}/checkpoints", best.as_str().unwrap());
    let ask = |body: Value| server.post(&list, &body);
    let by_default = ask(json!({ "format": "onnx" })).expect(202);
    assert_eq!(by_default["opset"], 17);
    assert_eq!(id(&ask(json!({ "format": "onnx", "opset": 17 })).expect(202)), id(&by_default));
    let older = ask(json!({ "format": "onnx", "opset": 13 })).expect(202);
    assert_eq!((&older["format"], &older["opset"]), (&json!("onnx"), &json!(13)));
    assert_ne!(id(&older), id(&by_default));
    assert_eq!(server.get(&list).expect(200)["items"].as_array().unwrap().len(), 4);
    for opset in [12, 22] {
        ask(json!({ "format": "onnx", "opset": opset })).problem(422, "invalid-field", &["opset", "13", "21"]);
    }
    ask(json!({ "format": "torchscript", "opset": 17 })).problem(422, "invalid-field", &["opset", "onnx"]);
}

#[test]
fn a_checkpoint_has_a_card_as_json_and_as_a_document() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5, 0.9]);
    let stored = server.get(&format!("/searches/{search}")).expect(200);
    let best = stored["best_candidate_id"].as_str().unwrap();
    let files = server.get(&format!("/candidates/{best}/checkpoints")).expect(200);
    let path = format!("/checkpoints/{}/card", id(&files["items"][0]));
    let card = server.get(&path).expect(200);
    let model = server.get(&format!("/models/{}", stored["model_id"].as_str().unwrap())).expect(200);
    assert_eq!((&card["source"]["hash"], &card["source"]["name"]), (&model["hash"], &model["name"]));
    assert_eq!((&card["weights"], &card["file"]["format"]), (&json!("adapted"), &json!("onnx")));
    assert_eq!(card["file"]["hash"], Value::Null, "it is not written yet");
    assert_eq!(card["strategy"]["groups"], json!([{ "group": "features.0", "size": 32, "kept": 16 }]));
    assert_eq!(card["data"]["split"], json!({ "calibration": 20, "scoring": 30, "test": 50 }));
    let adapted = card["scores"].as_array().unwrap().iter().find(|score| score["network"] == "adapted").unwrap();
    assert_eq!((&adapted["score"]["top1"], &adapted["images"]), (&json!(0.9), &json!(30)));
    assert!(adapted["intervals"]["top1"]["high"].as_f64() > Some(0.9));
    // The request of the card is taken, and is for this candidate alone.
    let again = server.post("/searches", &card["repeat"]["request"]).expect(202);
    assert_eq!(again["request"]["manual"], json!([{ "groups": { "features.0": 16 } }]));

    let text = server.get(&format!("{path}.md"));
    assert_eq!(text.status, 200);
    assert!(text.header("content-type").starts_with("text/markdown"));
    assert!(text.text().contains("| channel group |"), "{}", text.text());
    server.get(&format!("/checkpoints/{search}/card")).problem(404, "not-found", &[]);
}

#[test]
fn an_export_that_failed_says_why_and_can_be_asked_for_again() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5]);
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].clone();
    let claim = puppet.claim();
    puppet.fail(&claim.lease, "the outputs differ by 0.3");

    let list = format!("/candidates/{}/checkpoints", best.as_str().unwrap());
    let files = server.get(&list).expect(200);
    let failed = files["items"].as_array().unwrap().iter().find(|file| file["state"] == "failed").unwrap().clone();
    assert_eq!(failed["error"], "the outputs differ by 0.3");
    let refused = server.get(&format!("/checkpoints/{}/file", id(&failed)));
    refused.problem(409, "not-ready", &["differ by 0.3", "ask for it again"]);
    let again = server.post(&list, &json!({ "format": failed["format"] })).expect(202);
    assert_eq!((id(&again), &again["state"], &again["error"]), (id(&failed), &json!("queued"), &Value::Null));
}

#[test]
fn a_deleted_search_takes_candidates_and_files_with_it() {
    let (data, server) = fake();
    let puppet = Puppet::new(data.path());
    let search = finished(&server, &puppet, &[0.5]);
    puppet.export("a file of weights");
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].clone();
    let files = || crate::server::stored_files(data.path()).len();
    let before = files();
    assert_eq!(server.delete(&format!("/searches/{search}")).status, 204);
    server.get(&format!("/candidates/{}", best.as_str().unwrap())).problem(404, "not-found", &[]);
    assert_eq!(files(), before - 1, "model, images and thumbnails stay");
}
