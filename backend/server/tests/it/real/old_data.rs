//! Data folders that earlier versions have written. `tests/data_folders` says how each was made.

use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{candidates, wait_for_end};
use crate::answer::id;
use crate::server::Server;

/// The folder, unpacked, and what the API of its time said of it, by path.
fn unpacked(name: &str) -> (tempfile::TempDir, Value) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_folders");
    let folder = tempfile::tempdir().unwrap();
    let archive = std::fs::File::open(source.join(name).with_extension("tar.gz")).unwrap();
    tar::Archive::new(GzDecoder::new(archive)).unpack(folder.path()).unwrap();
    let told = std::fs::read(source.join(name).with_extension("json")).unwrap();
    (folder, renamed(serde_json::from_slice(&told).unwrap()))
}

/// An answer with the names of today: what a group keeps was once called a ratio, and always was a count; a search had one
/// strategy.
fn renamed(answer: Value) -> Value {
    let text = answer.to_string().replace("\"keep_ratios\":", "\"groups\":");
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    list_strategies(&mut answer);
    answer
}

fn list_strategies(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_request = fields.contains_key("calibration_images");
            if let Some(strategy) = fields.get("strategy").filter(|_| is_request).cloned() {
                fields.remove("strategy");
                fields.insert("strategies".to_owned(), json!([strategy]));
            }
            fields.values_mut().for_each(list_strategies);
        }
        Value::Array(items) => items.iter_mut().for_each(list_strategies),
        _ => {}
    }
}

/// What a search of a time did that had one strategy and no race, as a request of today's. Later requests say all that.
fn as_it_was(mut request: Value) -> Value {
    if request.get("racing").is_some() {
        return request;
    }
    for (field, value) in [
        ("uniform_reference", json!(false)),
        ("racing", json!(false)),
        ("test_images", json!(0)),
        ("vanilla_images", request["scoring_images"].clone()),
    ] {
        request[field] = value;
    }
    // Before a request could name a strategy there was one.
    request["strategies"] = request.get("strategies").cloned().unwrap_or_else(|| json!(["random"]));
    request
}

/// Where an answer lacks something of an earlier one, or says something else. It may say more.
fn differences(old: &Value, new: &Value, path: &str) -> Vec<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(_)) => {
            old.iter().flat_map(|(key, value)| differences(value, &new[key], &format!("{path}.{key}"))).collect()
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let each = old.iter().zip(new).enumerate();
            each.flat_map(|(index, (old, new))| differences(old, new, &format!("{path}[{index}]"))).collect()
        }
        _ if old == new => Vec::new(),
        // Earlier versions told how many images were left over; what they scored winners on were some of them, or none.
        _ if path.ends_with(".split.test") && new.as_u64() < old.as_u64() => Vec::new(),
        _ => vec![format!("{path}: {old} became {new}")],
    }
}

/// Strategies to the last count; scores but for the last digits, which depend on the processor.
fn assert_same_leaderboard(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for exact in ["index", "groups", "macs", "parameters"] {
            assert_eq!(found[exact], expected[exact], "{exact}");
        }
        for score in ["score", "score_without_adaptation"] {
            for (measure, within) in [("top1", 0.01), ("top5", 0.01), ("cross_entropy", 1e-4)] {
                let of = |candidate: &Value| candidate[score][measure].as_f64().unwrap();
                assert!((of(found) - of(expected)).abs() <= within, "{score}.{measure}: {found} and {expected}");
            }
        }
    }
}

#[test]
fn a_data_folder_with_documents_without_versions_opens_goes_on_and_gives_the_same_leaderboards() {
    opens_goes_on_and_gives_the_same_leaderboards("0001");
}

#[test]
fn a_data_folder_without_events_opens_and_goes_on() {
    opens_and_goes_on("0002");
}

#[test]
fn a_data_folder_of_searches_with_one_strategy_opens_and_goes_on() {
    opens_and_goes_on("0003");
}

#[test]
fn a_data_folder_without_budgets_of_latency_opens_and_goes_on() {
    opens_and_goes_on("0004");
}

#[test]
fn a_data_folder_without_tunings_opens_and_goes_on() {
    opens_and_goes_on("0005");
}

#[test]
fn a_data_folder_with_a_tuning_and_without_repairs_opens_and_goes_on() {
    opens_and_goes_on("0006");
}

#[test]
fn a_data_folder_with_repairs_and_without_races_opens_and_goes_on() {
    opens_and_goes_on("0007");
}

#[test]
fn a_data_folder_with_races_and_pipelines_and_without_studies_opens_and_goes_on() {
    opens_and_goes_on("0008");
}

#[test]
fn a_data_folder_with_studies_and_without_turns_opens_and_goes_on() {
    opens_and_goes_on("0009");
}

#[test]
fn a_data_folder_with_drawings_and_without_tensors_opens_and_goes_on() {
    opens_and_goes_on("0010");
}

#[test]
fn a_data_folder_with_tensors_and_without_sha256_opens_and_goes_on() {
    opens_and_goes_on("0011");
}

#[test]
fn a_data_folder_with_sha256_and_without_pauses_opens_and_goes_on() {
    opens_and_goes_on("0012");
}

#[test]
fn a_data_folder_with_pauses_and_without_recipes_opens_goes_on_and_gives_the_same_leaderboards() {
    opens_goes_on_and_gives_the_same_leaderboards("0013");
}

#[test]
fn a_data_folder_with_recipes_and_without_references_opens_and_goes_on() {
    opens_and_goes_on("0014");
}

/// What the API told of the folder it tells again, and what was interrupted and what was queued is done.
fn opens_and_goes_on(name: &str) -> (tempfile::TempDir, Server, Value) {
    let (folder, told) = unpacked(name);
    let server = Server::real(&folder.path().join("data"), &[]);
    for (path, old) in told.as_object().unwrap().iter().filter(|(path, _)| path.starts_with('/')) {
        let new = server.get(path).expect(200);
        assert_eq!(differences(old, &new, path), Vec::<String>::new());
    }
    for search in ["interrupted", "queued"] {
        let ended = wait_for_end(&server, told[search].as_str().unwrap());
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    (folder, server, told)
}

/// [`opens_and_goes_on`], and every request is done again. For the oldest folder, which has the most to be made up for, and
/// the newest; each takes the time of a dozen searches.
fn opens_goes_on_and_gives_the_same_leaderboards(name: &str) {
    let (_folder, server, told) = opens_and_goes_on(name);
    for path in told.as_object().unwrap().keys().filter(|path| path.starts_with("/models/")) {
        let nodes = server.get(&format!("{path}/graph")).expect(200)["nodes"].as_array().map(Vec::len);
        assert!(nodes > Some(5), "{path} is drawn, whoever has inspected it");
        let tensors = server.get(&format!("{path}/tensors")).expect(200)["tensors"].as_array().map(Vec::len);
        assert!(tensors > Some(5), "{path} has tensors, whoever has inspected it");
    }
    for search in ["interrupted", "queued"].map(|which| told[which].as_str().unwrap().to_owned()) {
        // The request that is answered is the one that was sent, and can be sent again.
        let ended = server.get(&format!("/searches/{search}")).expect(200);
        let again = id(&server.post("/searches", &ended["request"]).expect(202));
        assert_eq!(wait_for_end(&server, &again)["state"], "succeeded");
        assert_same_leaderboard(&candidates(&server, &again), &candidates(&server, &search));
    }
    // A request of that time is one of today's.
    for (path, old) in told.as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/searches/")) {
        if old["state"] != "succeeded" {
            continue;
        }
        let mut request = as_it_was(old["request"].clone());
        request["model_id"] = old["model_id"].clone();
        request["dataset_id"] = old["dataset_id"].clone();
        let again = id(&server.post("/searches", &request).expect(202));
        assert_eq!(wait_for_end(&server, &again)["state"], "succeeded");
        let before = &told[format!("{path}/candidates?limit=100")]["items"];
        assert_same_leaderboard(&candidates(&server, &again), before.as_array().unwrap());
    }
}

#[test]
fn what_an_answer_lost_or_changed_is_named() {
    let old = json!({ "id": 1, "items": [{ "a": 1.5 }], "gone": null });
    assert_eq!(
        differences(&old, &json!({ "id": 1, "items": [{ "a": 1.5, "more": 2 }], "gone": null }), "x"),
        Vec::<String>::new()
    );
    let new = json!({ "id": 2, "items": [{ "a": 1.25 }] });
    assert_eq!(differences(&old, &new, "x"), ["x.id: 1 became 2", "x.items[0].a: 1.5 became 1.25"]);
}
