//! Stored files that were altered, cut or deleted behind the server's back: nothing of them is served, and another upload of
//! the same file heals what uses them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::multipart::Part;
use serde_json::{Value, json};

use crate::answer::id;
use crate::puppet::Puppet;
use crate::server::{Server, fake, file, request, stored_files};

/// The stored file with this content.
fn stored(data: &Path, content: &str) -> PathBuf {
    let hash = blake3::hash(content.as_bytes()).to_hex();
    stored_files(data)
        .into_iter()
        .find(|path| hash.as_str().ends_with(path.file_name().unwrap().to_str().unwrap()))
        .unwrap()
}

/// The ways in which a file goes bad. The time of its last write is that of before: backups and bad disks do so, too.
const DAMAGES: [fn(&Path); 3] = [
    |path| {
        let (mut bytes, time) = (std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap().modified().unwrap());
        bytes[6] ^= 0x55;
        std::fs::write(path, bytes).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    },
    |path| std::fs::File::options().write(true).open(path).unwrap().set_len(4).unwrap(),
    |path| std::fs::remove_file(path).unwrap(),
];

fn assert_refused(server: &Server, path: &str, words: &[&str]) -> Value {
    let part = server.call_broken("GET", path, |request| request.header("range", "bytes=0-1"));
    part.problem(500, "damaged-file", words);
    server.call_broken("GET", path, |request| request).problem(500, "damaged-file", words)
}

#[test]
fn nothing_of_a_damaged_model_is_served_and_another_upload_heals_it() {
    let (data, server) = fake();
    let content = "good weights";
    for damage in DAMAGES {
        let model = server.model(content);
        let path = format!("/models/{}/file", id(&model));
        assert_eq!(server.get(&path).text(), content);
        damage(&stored(data.path(), content));
        let model_id = id(&model);
        let words: [&str; 4] = ["`network.pt`", "model `network`", &model_id, "upload it again"];
        let refusal = assert_refused(&server, &path, &words);
        assert!(!refusal.to_string().contains(model["hash"].as_str().unwrap()), "no bare hash: {refusal}");

        server.model(content);
        let healed = server.get(&path);
        assert_eq!((healed.status, healed.text().as_str()), (200, content));
        let part = server.call("GET", &path, |request| request.header("range", "bytes=5-"));
        assert_eq!((part.status, part.text().as_str()), (206, "weights"));
    }
}

#[test]
fn a_search_on_a_damaged_model_that_an_older_version_inspected_is_refused_with_its_name() {
    let (data, server) = fake();
    let request = request(&id(&server.model("aged")), &id(&server.dataset("good")));
    std::fs::remove_file(stored(data.path(), "aged")).unwrap();
    let refusal = server.call_broken("POST", "/searches", |call| call.json(&request));
    refusal.problem(500, "damaged-file", &["model `network`", "missing", "upload it again"]);
}

#[test]
fn a_damaged_thumbnail_is_not_shown_and_comes_back_with_its_dataset() {
    let (data, server) = fake();
    let dataset = server.dataset("good images");
    let path = format!("/datasets/{}/thumbnails/1", id(&dataset));
    for damage in DAMAGES {
        assert_eq!(server.get(&path).text(), "picture 001");
        damage(&stored(data.path(), "picture 001"));
        assert_refused(&server, &path, &["`thumbnail 1`", "dataset `images`", "upload it again"]);
        server.dataset("good images");
    }
    assert_eq!(server.get(&path).text(), "picture 001");
}

#[test]
fn a_damaged_export_is_made_anew_when_it_is_asked_for_again() {
    let (data, server) = fake();
    let search = server.search();
    let puppet = Puppet::new(data.path());
    puppet.search(&[0.5]);
    let best = server.get(&format!("/searches/{search}")).expect(200)["best_candidate_id"].as_str().unwrap().to_owned();
    for content in ["torchscript file", "onnx file", "safetensors file"] {
        puppet.export(content);
    }
    let list = format!("/candidates/{best}/checkpoints");
    let checkpoints = server.get(&list).expect(200)["items"].as_array().unwrap().clone();
    let (checkpoint, others) = checkpoints.split_first().unwrap();
    let path = format!("/checkpoints/{}", id(checkpoint));
    let format = json!({ "format": checkpoint["format"] });
    assert_eq!(server.post(&list, &format).expect(200)["state"], "ready");
    let content = server.get(&format!("{path}/file")).text();

    for damage in DAMAGES {
        damage(&stored(data.path(), &content));
        let checkpoint_id = id(checkpoint);
        let words: [&str; 3] = ["checkpoint", &checkpoint_id, "ask for the export again"];
        assert_refused(&server, &format!("{path}/file"), &words);
        let again = server.post(&list, &format).expect(202);
        assert_eq!((id(&again), &again["state"], &again["hash"]), (id(checkpoint), &json!("queued"), &Value::Null));
        server.get(&format!("{path}/file")).problem(409, "not-ready", &[]);
        puppet.export(&content);
        assert_eq!(server.get(&format!("{path}/file")).text(), content);
    }
    for other in others {
        assert_eq!(server.get(&format!("/checkpoints/{}/file", id(other))).status, 200);
    }
}

#[test]
fn damage_of_a_file_that_two_things_share_is_healed_for_both() {
    let (data, server) = fake();
    let (first, second) = (id(&server.model("good")), id(&server.model("good")));
    std::fs::write(stored(data.path(), "good"), "evil").unwrap();
    let labels = Part::bytes(&b"labels"[..]).file_name("labels");
    // A dataset's images happen to be the same bytes.
    server.upload("/datasets", file("images", "images", "good").part("labels", labels)).expect(201);
    for model in [first, second] {
        assert_eq!(server.get(&format!("/models/{model}/file")).text(), "good");
    }
}

#[test]
fn a_file_that_is_written_to_while_it_is_sent_does_not_arrive_whole() {
    use std::io::Read;

    let (data, server) = fake();
    let content = format!("good\n{}", "0123456789".repeat(3_200_000));
    let model = server.model(&content);
    let mut answer = server.stream(&format!("/models/{}/file", id(&model)), |request| request);
    assert_eq!(answer.status(), 200);
    let mut first = [0; 5];
    answer.read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let path = stored(data.path(), &content);
    let end = std::fs::File::options().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&end, b"evil", content.len() as u64 - 4).unwrap();
    let mut rest = Vec::new();
    let outcome = answer.read_to_end(&mut rest);
    assert!(outcome.is_err(), "{} of {} bytes came", rest.len() + 5, content.len());
}
