//! Datasets that are registered where they lie.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::answer::{Answer, id};
use crate::contract::Asked;
use crate::server::{Server, assert_nothing_left, fake, program, request, stored_files};

/// A folder with the server's data, a root with a dataset that the fake worker knows, and a folder beside that.
struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root/set", "secret"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["root/set/images.npz", "secret/images.npz"] {
            fs::write(folder.path().join(name), "good images").unwrap();
        }
        let root = folder.path().join("root").display().to_string();
        let server = Server::fake_with(&folder.path().join("data"), &["--workers", "0", "--dataset-roots", &root]);
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn register(&self, name: &str) -> Answer {
        self.server.post("/datasets/references", &json!({ "location": self.path(name) }))
    }

    /// What is said of a location, without the names of folders that only this test has.
    fn refusal(&self, name: &str) -> String {
        let problem = self.register(name).problem(422, "unusable-location", &["location"]);
        problem["detail"].as_str().unwrap().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn without_roots_nothing_can_be_registered_and_it_is_said_why() {
    let (data, server) = fake();
    assert_eq!(server.health().expect(200)["dataset_roots"], json!([]));
    fs::write(data.path().join("images.npz"), "good").unwrap();
    let answer = server.post("/datasets/references", &json!({ "location": data.path().join("images.npz") }));
    let problem = answer.problem(422, "unusable-location", &["location"]);
    assert!(problem["detail"].as_str().unwrap().contains("--dataset-roots"), "{problem}");
}

#[test]
fn a_file_below_a_root_is_registered_and_never_deleted() {
    let place = Place::new();
    let root = place.path("root").display().to_string();
    assert_eq!(place.server.health().expect(200)["dataset_roots"], json!([root]));
    let answer = place.register("root/set/images.npz");
    let dataset = answer.expect(201);
    assert_eq!(answer.header("location"), format!("/api/v1/datasets/{}", id(&dataset)));
    assert_eq!((&dataset["name"], &dataset["kind"]), (&json!("images"), &json!("npz")));
    assert_eq!(dataset["location"], json!(place.path("root/set/images.npz")));
    assert_eq!((&dataset["bytes"], &dataset["images"]), (&json!("good images".len()), &json!(100)));
    assert_eq!(place.server.get(&format!("/datasets/{}", id(&dataset))).expect(200), dataset);
    let thumbnail = place.server.get(&format!("/datasets/{}/thumbnails/1", id(&dataset)));
    assert_eq!((thumbnail.status, thumbnail.text()), (200, "picture 001".to_owned()));
    // Two pictures, and what lay there.
    assert_eq!(stored_files(&place.path("data")).len(), 3);

    place.server.delete(&format!("/datasets/{}", id(&dataset))).expect(204);
    assert_nothing_left(&place.server, &place.path("data"));
    assert_eq!(fs::read_to_string(place.path("root/set/images.npz")).unwrap(), "good images");
}

#[test]
fn an_uploaded_dataset_has_no_location() {
    let (_data, server) = fake();
    assert_eq!(server.dataset("good").get("location"), None);
}

#[test]
fn a_location_may_be_written_with_dots_and_links_and_a_name_may_be_given() {
    let place = Place::new();
    symlink("set", place.path("root/same")).unwrap();
    let body = json!({ "location": place.path("secret/../root/same/./images.npz"), "name": " Pets " });
    let dataset = place.server.post("/datasets/references", &body).expect(201);
    assert_eq!(dataset["location"], json!(place.path("root/set/images.npz")));
    assert_eq!(dataset["name"], "Pets");
}

#[test]
fn what_is_outside_is_refused_alike_whether_it_is_there_or_not() {
    let place = Place::new();
    symlink(place.path("secret"), place.path("root/link")).unwrap();
    let outside = "location: it is outside of the folders from which datasets may be registered: root";
    for name in [
        "secret/images.npz",
        "secret/nothing",
        "root/../secret/images.npz",
        "root/../nothing",
        "root/link",
        "root/link/images.npz",
        "root/link/nothing",
        "root/link/images.npz/nothing",
        "root-2",
    ] {
        assert_eq!(place.refusal(name), outside, "{name}");
    }
    assert_eq!(place.refusal("root/set/nothing"), "location: there is nothing");
    let relative = place.server.post("/datasets/references", &json!({ "location": "root/set" }));
    relative.problem(422, "unusable-location", &["location"]);
    assert_nothing_left(&place.server, &place.path("data"));
}

#[test]
fn what_is_no_dataset_is_refused_with_the_checks_reason_and_leaves_nothing() {
    let place = Place::new();
    fs::write(place.path("root/bad.npz"), "bad").unwrap();
    let problem = place.register("root/bad.npz").problem(422, "unusable-dataset", &[]);
    assert_eq!(problem["detail"], "`stem/wavelet` cannot be used");
    fs::write(place.path("root/arguments.npz"), "arguments").unwrap();
    let problem = place.register("root/arguments.npz").problem(422, "unusable-dataset", &[]);
    let said = problem["detail"].as_str().unwrap();
    let path = place.path("root/arguments.npz").display().to_string();
    for words in [path.as_str(), "--sandbox", "--sample 1000", &format!("--max-unpacked-bytes {}", u64::MAX)] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    assert_nothing_left(&place.server, &place.path("data"));
}

#[test]
fn fields_that_do_not_fit_are_named() {
    let place = Place::new();
    let post = |body: Value| place.server.post("/datasets/references", &body);
    post(json!({})).problem(422, "invalid-field", &["location"]);
    post(json!({ "location": 7, "labels": "x" })).problem(422, "invalid-field", &["labels", "location"]);
    post(json!({ "location": "" })).problem(422, "unusable-location", &["location"]);
    post(json!({ "location": place.path("root"), "name": " " })).problem(422, "invalid-field", &["name"]);
    place.server.ask(Asked::Absent, "GET", "/api/v1/datasets/references", |request| request).problem(
        405,
        "method-not-allowed",
        &[],
    );
}

#[test]
fn files_that_have_changed_since_are_not_read_and_must_be_registered_again() {
    let place = Place::new();
    let dataset = place.register("root/set/images.npz").expect(201);
    let body = request(&id(&place.server.model("good")), &id(&dataset));
    place.server.post("/searches/check", &body).expect(200);
    fs::write(place.path("root/set/images.npz"), "good images, and more").unwrap();
    let problem = place.server.post("/searches/check", &body).problem(422, "unusable-dataset", &[]);
    let said = problem["detail"].as_str().unwrap();
    for words in ["dataset `images`", "the file was written to", "register it again"] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    let again = place.register("root/set/images.npz").expect(201);
    let body = request(&id(&place.server.model("good")), &id(&again));
    place.server.post("/searches/check", &body).expect(200);
    fs::remove_file(place.path("root/set/images.npz")).unwrap();
    let problem = place.server.post("/searches/check", &body).problem(422, "unusable-dataset", &[]);
    assert!(problem["detail"].as_str().unwrap().contains("there is nothing"), "{problem}");
}

#[test]
fn a_root_must_be_an_absolute_path() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(program());
    command.args(["serve", "--dataset-roots", "/data,images"]).arg("--data").arg(folder.path());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("dataset root `images`"), "{said}");
}
