//! Checkpoints after a search: the weights of leading candidates are stored with them, so that no image is read again.

use std::time::Duration;

use serde_json::{Value, json};

use super::repaired::{request, small};
use super::{candidates, wait_for_end};
use crate::answer::id;
use crate::server::{Server, stored_files, until};

/// The checkpoint that is asked for, when it has ended.
fn exported(server: &Server, candidate: &Value, wanted: &Value) -> Value {
    let path = format!("/candidates/{}/checkpoints", id(candidate));
    let checkpoint = id(&server.post(&path, wanted).json());
    until("the file has ended", Duration::from_secs(60), || {
        let found = server.get(&format!("/checkpoints/{checkpoint}")).expect(200);
        (found["state"] == "ready" || found["state"] == "failed").then_some(found)
    })
}

#[test]
fn an_adapted_candidate_is_exported_without_its_dataset() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    // One network with batch norms and one whose exporter has folded them; a criterion that needs no images, and one that does.
    for (file, criterion) in [("small.pt", "l1"), ("small.onnx", "l1"), ("small.pt", "taylor")] {
        let mut wanted = request(&server, file);
        (wanted["repaired"], wanted["short_tuned"]) = (json!(0), json!(0));
        // All are evaluated on all calibration images, which an export is adapted with.
        wanted["racing"] = json!(false);
        wanted["importance"] = json!({ "criterion": criterion });
        let search = id(&server.post("/searches", &wanted).expect(202));
        assert_eq!(wait_for_end(&server, &search)["state"], "succeeded");
        let all = candidates(&server, &search);
        remove_dataset(data.path());
        for candidate in &all {
            let file = exported(&server, candidate, &json!({ "format": "onnx", "opset": 15 }));
            assert_eq!(file["state"], "ready", "{criterion} {candidate} {file}");
        }
        // A repair is fitted to images.
        let repaired = exported(&server, &all[1], &json!({ "format": "onnx", "weights": "repaired" }));
        assert_eq!(repaired["state"], "failed", "{repaired}");
    }
}

fn remove_dataset(data: &std::path::Path) {
    let hash = blake3::hash(&std::fs::read(small("images.gz")).unwrap()).to_hex();
    let is_images = |path: &&std::path::PathBuf| hash.as_str().ends_with(path.file_name().unwrap().to_str().unwrap());
    std::fs::remove_file(stored_files(data).iter().find(is_images).unwrap()).unwrap();
}

#[test]
fn images_that_one_search_has_decoded_serve_the_next_and_change_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let wanted = request(&server, "small.pt");
    let leaderboard = || {
        let search = id(&server.post("/searches", &wanted).expect(202));
        assert_eq!(wait_for_end(&server, &search)["state"], "succeeded");
        let mut candidates = candidates(&server, &search);
        for candidate in &mut candidates {
            let evaluations = candidate["evaluations"].as_array_mut().unwrap();
            evaluations.iter_mut().for_each(|evaluation| evaluation["seconds"] = Value::Null);
            *candidate = json!([candidate["groups"], candidate["evaluations"]]);
        }
        candidates
    };
    let first = leaderboard();
    let kept: Vec<_> = std::fs::read_dir(data.path().join("cache/images")).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 1, "of one dataset and one input size");
    assert_eq!(leaderboard(), first);
    // Whatever becomes of them, the images are decoded again.
    let path = kept[0].path();
    let bytes: Vec<u8> = std::fs::read(&path).unwrap().into_iter().map(|byte| byte ^ 0x11).collect();
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(leaderboard(), first);
}
