//! A search that repairs its winner, and the repaired network's files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use super::{candidates, wait_for_end};
use crate::answer::id;
use crate::server::{Server, until};

pub fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_folders").join(name)
}

/// A search on the small TorchScript or ONNX file.
pub fn request(server: &Server, file: &str) -> Value {
    let form = Form::new().text("input_shape", "1,1,28,28").file("file", small(file)).unwrap();
    let model = id(&server.upload("/models", form).expect(201));
    let form = Form::new().file("images", small("images.gz")).unwrap().file("labels", small("labels.gz")).unwrap();
    let dataset = id(&server.upload("/datasets", form).expect(201));
    json!({
        "model_id": model, "dataset_id": dataset, "strategies": ["random"], "macs": 0.4, "candidates": 2, "seed": 7,
        "calibration_images": 200, "scoring_images": 200, "test_images": 100, "batch_size": 50, "repaired": 2, "short_tuned": 1,
        "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    })
}

fn evaluation(candidate: &Value, kind: &str, set: &str) -> Option<Value> {
    let mut evaluations = candidate["evaluations"].as_array().unwrap().iter();
    evaluations.find(|e| e["kind"] == kind && e["image_set"] == set).cloned()
}

#[test]
fn the_best_are_repaired_scored_and_exported() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    for file in ["small.pt", "small.onnx"] {
        let search = id(&server.post("/searches", &request(&server, file)).expect(202));
        let ended = wait_for_end(&server, &search);
        assert_eq!(ended["state"], "succeeded", "{ended}");
        let all = candidates(&server, &search);
        let repaired: Vec<&Value> = all.iter().filter(|c| evaluation(c, "repaired", "scoring").is_some()).collect();
        assert_eq!(repaired.len(), 2, "of two random ones and the uniform one");
        let winner = all.iter().find(|candidate| candidate["id"] == ended["best_candidate_id"]).unwrap();
        let top1 = |kind, set| evaluation(winner, kind, set).unwrap()["score"]["top1"].as_f64().unwrap();
        assert!(top1("repaired", "scoring") > top1("adapted", "scoring"), "{winner}");
        let on_test = evaluation(winner, "repaired", "test").unwrap();
        assert_eq!((&on_test["images"], &on_test["calibration_images"]), (&json!(100), &json!(200)));

        let trained = evaluation(winner, "short_tuned", "test").unwrap();
        assert_eq!((&trained["images"], &trained["calibration_images"]), (&json!(100), &json!(200)));
        let trained = all.iter().filter(|c| evaluation(c, "short_tuned", "scoring").is_some());
        assert_eq!(trained.count(), 1, "the best alone");

        let report = server.get(&format!("/searches/{search}/report.md"));
        assert!(report.text().contains("Repaired in closed form"), "{}", report.text());
        assert!(report.text().contains("Trained for 3 epochs on the calibration images"), "{}", report.text());

        let path = format!("/candidates/{}/checkpoints", winner["id"].as_str().unwrap());
        for format in ["torchscript", "onnx", "safetensors"] {
            server.post(&path, &json!({ "format": format, "weights": "repaired" }));
        }
        let files = until("all files are ready", Duration::from_secs(120), || {
            let items = server.get(&path).expect(200)["items"].as_array().unwrap().clone();
            (items.len() == 6 && items.iter().all(|file| file["state"] == "ready")).then_some(items)
        });
        for repaired in files.iter().filter(|file| file["weights"] == "repaired") {
            let adapted =
                files.iter().find(|file| file["weights"] == "adapted" && file["format"] == repaired["format"]);
            assert_ne!(repaired["hash"], adapted.unwrap()["hash"]);
            assert!(repaired["max_difference"].as_f64().unwrap() <= 1e-4, "{repaired}");
            // A file says what it is.
            let bytes = server.get(&format!("/checkpoints/{}/file", id(repaired))).body;
            let says = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            assert!(says(b"eagleeye.weights"), "{repaired}");
        }
    }
}
