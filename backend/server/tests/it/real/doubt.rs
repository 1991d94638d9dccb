//! A search over images that do not reach the network as it was trained to see them is not called a success.

use reqwest::blocking::multipart::Part;
use serde_json::{Value, json};

use super::{candidates, request, upload_example, wait_for_end};
use crate::answer::id;
use crate::files::idx;
use crate::server::{Server, file};

/// Grey noise of another size than the network's, in ten classes.
pub(super) fn noise(server: &Server, side: u32, count: u32) -> String {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let pixels: Vec<u8> = (0..side * side * count).map(|_| next()).collect();
    let labels: Vec<u8> = (0..count).map(|_| next() % 10).collect();
    let form = file("images", "images", idx(&[count, side, side], &pixels))
        .part("labels", Part::bytes(idx(&[count], &labels)).file_name("labels"));
    id(&server.upload("/datasets", form).expect(201))
}

fn ended(server: &Server, request: &Value) -> Value {
    let search = id(&server.post("/searches", request).expect(202));
    wait_for_end(server, &search)
}

#[test]
fn a_wrong_mean_and_deviation_end_without_success_and_the_candidates_stay() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &["--workers", "1"]);
    let (model, dataset) = upload_example(&server);
    let mut wrong = request(&model, &dataset);
    wrong["candidates"] = json!(3);
    wrong["macs"] = json!(0.9);
    // The preset from 0 to 1, where the network was trained with the dataset's own.
    wrong["preprocessing"] = json!({ "mean": [0.0], "deviation": [1.0] });
    let search = ended(&server, &wrong);
    assert_eq!((&search["state"], &search["best_candidate_id"]), (&json!("failed"), &Value::Null), "{search}");
    let reason = search["error"].as_str().unwrap();
    assert!(reason.contains("preprocessing") && reason.contains("mean, deviation"), "{reason}");
    let full = search["baseline"]["score"]["top1"].as_f64().unwrap();
    let kept = candidates(&server, &id(&search));
    let best = kept.iter().map(|candidate| candidate["score"]["top1"].as_f64().unwrap()).fold(0.0, f64::max);
    assert!(kept.len() == 3 && best > full + 0.1, "{best} and {full}");
    assert_eq!(warned(&search, "above_full_network"), "during", "{search}");
}

/// When a search was warned of something.
fn warned<'a>(search: &'a Value, code: &str) -> &'a str {
    let warnings = search["warnings"].as_array().unwrap();
    warnings.iter().find(|warning| warning["code"] == code).unwrap()["at"].as_str().unwrap()
}

#[test]
fn a_dataset_on_which_the_full_network_is_at_chance_ends_before_the_first_candidate() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &["--workers", "1"]);
    let (model, _) = upload_example(&server);
    let mut wrong = request(&model, &noise(&server, 8, 500));
    wrong["calibration_images"] = json!(100);
    wrong["scoring_images"] = json!(400);
    let search = ended(&server, &wrong);
    assert_eq!(search["state"], "failed", "{search}");
    let reason = search["error"].as_str().unwrap();
    assert!(reason.contains("chance for 10 classes") && reason.contains("input size"), "{reason}");
    assert!(search["baseline"]["score"]["top1"].as_f64().unwrap() < 0.2, "{search}");
    assert_eq!(candidates(&server, &id(&search)).len(), 0);
    for code in ["near_chance", "input_size_differs"] {
        assert_eq!(warned(&search, code), "before", "{search}");
    }
}
