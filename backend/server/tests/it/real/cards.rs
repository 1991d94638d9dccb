//! What a model card says of how to get its network again; and a study, whose fine-tunings nobody follows by hand.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::repaired::{request, small};
use super::{candidates, wait_for_end};
use crate::answer::id;
use crate::server::{Server, until, worker_program};

/// The tensors of a safetensors file, without what is said about them.
fn tensors(file: &[u8]) -> (Value, Vec<u8>) {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    (header, file[8 + length..].to_vec())
}

/// The file of a checkpoint in safetensors, asked for at `path` and waited for.
fn checkpoint(server: &Server, path: &str, body: &Value) -> (String, Vec<u8>) {
    let file = until("the file is ready", Duration::from_secs(120), || {
        let file = server.post(path, body);
        let file: Value = serde_json::from_slice(&file.body).unwrap();
        assert_ne!(file["state"], "failed", "{file}");
        (file["state"] == "ready").then(|| id(&file))
    });
    let content = server.get(&format!("/checkpoints/{file}/file")).body;
    (file, content)
}

/// Does what a card says, in a folder with what it names.
fn done_again(server: &Server, checkpoint: &str, folder: &Path) -> Vec<u8> {
    let card = server.get(&format!("/checkpoints/{checkpoint}/card")).expect(200);
    for name in ["request", "options"] {
        let content = if name == "request" { &card["repeat"]["request"] } else { &card["tuning"]["options"] };
        fs::write(folder.join(format!("{name}.json")), content.to_string()).unwrap();
    }
    let command = card["repeat"]["commands"][0].as_str().unwrap();
    let command = command.replace("IMAGES", "images.gz").replace("LABELS", "labels.gz");
    let words = command.replace("eagleeye-worker", &worker_program().to_string_lossy());
    // Last digits are those of a number of threads, and a worker takes all cores.
    let threads = std::thread::available_parallelism().unwrap().to_string();
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", &words]).env("OMP_NUM_THREADS", threads).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    fs::read(folder.join("pruned.safetensors")).unwrap()
}

#[test]
fn the_commands_of_a_card_give_the_same_network_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let mut asked = request(&server, "small.pt");
    asked["repaired"] = json!(1);
    asked["short_tuned"] = json!(0);
    let search = id(&server.post("/searches", &asked).expect(202));
    let winner = wait_for_end(&server, &search)["best_candidate_id"].as_str().unwrap().to_owned();
    let options = json!({ "epochs": 2, "batch_size": 50, "crop_padding": 1, "seed": 3 });
    let tuning = id(&server.post(&format!("/candidates/{winner}/tunings"), &options).expect(202));
    until("the tuning ends", Duration::from_secs(120), || {
        (server.get(&format!("/tunings/{tuning}")).expect(200)["state"] == "succeeded").then_some(())
    });

    let folder = tempfile::tempdir().unwrap();
    for name in ["small.pt", "images.gz", "labels.gz"] {
        std::os::unix::fs::symlink(small(name), folder.path().join(name)).unwrap();
    }
    let of_candidate = format!("/candidates/{winner}/checkpoints");
    for (path, body) in [
        (of_candidate.clone(), json!({ "format": "safetensors" })),
        (of_candidate, json!({ "format": "safetensors", "weights": "repaired" })),
        (format!("/tunings/{tuning}/checkpoints"), json!({ "format": "safetensors" })),
    ] {
        let (file, content) = checkpoint(&server, &path, &body);
        let again = done_again(&server, &file, folder.path());
        assert!(tensors(&again) == tensors(&content), "{path} {body}: other weights");
    }

    let body = json!({ "seeds": [1, 2], "options": { "epochs": 1, "batch_size": 50 } });
    let study = id(&server.post(&format!("/searches/{search}/studies"), &body).expect(202));
    until("the study ends", Duration::from_secs(120), || {
        (server.get(&format!("/studies/{study}")).expect(200)["state"] == "succeeded").then_some(())
    });
    let report = server.get(&format!("/studies/{study}/report")).expect(200);
    let budget = &report["budgets"][0];
    assert_eq!((&report["is_on_test_images"], &report["images"]), (&json!(true), &json!(100)));
    let found = budget["candidates"].as_array().unwrap();
    assert!((2..=candidates(&server, &search).len()).contains(&found.len()), "each network once: {budget}");
    assert!(found.iter().all(|point| point["tuned"].as_array().unwrap().len() == 2), "{budget}");
    assert_eq!(
        (&budget["training"][0]["epochs"], &budget["undecided"][0]["reason"]),
        (&json!(1), &json!("few_candidates"))
    );
}
