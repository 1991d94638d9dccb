//! A search is checked before it is queued: whether model, data and preprocessing go together.

use serde_json::{Value, json};

use super::doubt::noise;
use super::{request, upload_example};
use crate::server::Server;

fn codes(found: &Value) -> Vec<&str> {
    found["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

fn sum(found: &Value, of: &str) -> u64 {
    found["classes"].as_array().unwrap().iter().map(|class| class[of].as_u64().unwrap()).sum()
}

#[test]
fn a_search_is_said_to_fit_or_not_before_it_is_queued() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &["--workers", "0"]);
    let (model, dataset) = upload_example(&server);
    let check = |body: &Value| server.post("/searches/check", body).expect(200);

    let mut right = request(&model, &dataset);
    right["macs"] = json!(0.0001);
    let found = check(&right);
    assert!(found["score"]["top1"].as_f64().unwrap() > 0.9, "{found}");
    // On 500 images the interval is narrow enough for what the network scores, or nearly.
    assert!(codes(&found).iter().all(|code| code.starts_with("few_")), "{found}");
    assert_eq!((sum(&found, "answers"), sum(&found, "labels")), (500, 500));
    assert!(found["seconds"].as_f64().unwrap() > 0.0);

    let mut wrong = right.clone();
    wrong["preprocessing"] = json!({ "mean": [0.0], "deviation": [1.0] });
    let found = check(&wrong);
    assert_eq!(found["best_preset"], json!({ "name": "fashion_mnist", "fits_better": true }), "{found}");
    assert!(codes(&found).contains(&"other_preset_fits"), "{found}");

    let mut small = request(&model, &noise(&server, 8, 500));
    small["calibration_images"] = json!(100);
    small["scoring_images"] = json!(400);
    let found = check(&small);
    let said = codes(&found);
    assert_eq!(said.iter().filter(|code| **code == "input_size_differs").count(), 1, "{found}");
    assert!(said.contains(&"near_chance") || said.contains(&"one_answer"), "{found}");
}
