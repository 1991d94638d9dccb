//! Datasets that the worker reads where they lie.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{candidates, example, request, wait_for_end};
use crate::answer::id;
use crate::server::{Server, file};

const IMAGES: usize = 1200;
const SHARDS: usize = 3;

/// The first images of the example as PNG files, and their labels.
fn pictures() -> Vec<(Vec<u8>, u8)> {
    let unpacked = |name: &str| {
        let mut bytes = Vec::new();
        GzDecoder::new(fs::File::open(example(name)).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let images = unpacked("fashion-mnist-images-idx3-ubyte.gz");
    let labels = unpacked("fashion-mnist-labels-idx1-ubyte.gz");
    let png = |pixels: &[u8]| {
        let mut png = Cursor::new(Vec::new());
        let image = image::GrayImage::from_raw(28, 28, pixels.to_vec()).unwrap();
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    };
    images[16..].chunks(28 * 28).map(png).zip(labels[8..].iter().copied()).take(IMAGES).collect()
}

/// A tar as WebDataset has it, whose first sample has that number.
fn webdataset(first: usize, pictures: &[(Vec<u8>, u8)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: String, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
    };
    for (place, (png, label)) in pictures.iter().enumerate() {
        add(format!("{:06}.png", first + place), png);
        add(format!("{:06}.cls", first + place), label.to_string().as_bytes());
    }
    tar.into_inner().unwrap()
}

fn small(model: &str, dataset: &str) -> Value {
    let mut request = request(model, dataset);
    request["candidates"] = json!(2);
    request
}

/// The end of a search on a dataset, and its candidates without what differs by nature.
fn searched(server: &Server, model: &str, dataset: &str) -> (Value, Vec<Value>) {
    let search = id(&server.post("/searches", &small(model, dataset)).expect(202));
    let ended = wait_for_end(server, &search);
    let kept = ["index", "groups", "macs", "score", "score_without_adaptation"];
    let candidates = candidates(server, &search);
    let candidates = candidates.iter().map(|c| kept.iter().map(|k| ((*k).to_owned(), c[*k].clone())).collect());
    (ended, candidates.collect())
}

fn register(server: &Server, location: &Path) -> Value {
    server.post("/datasets/references", &json!({ "location": location })).expect(201)
}

#[test]
fn shards_where_they_lie_give_the_scores_of_the_same_images_uploaded_as_one_tar() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pictures = pictures();
    let shards = root.path().join("train");
    fs::create_dir(&shards).unwrap();
    for (shard, part) in pictures.chunks(IMAGES / SHARDS).enumerate() {
        fs::write(shards.join(format!("{shard:03}.tar")), webdataset(shard * IMAGES / SHARDS, part)).unwrap();
    }
    let server = Server::real(data.path(), &["--dataset-roots", root.path().to_str().unwrap()]);
    let form = file("file", "network.pt", fs::read(example("mobilenet_v1.pt")).unwrap());
    let model = id(&server.upload("/models", form.text("input_shape", "1,1,28,28")).expect(201));
    let uploaded = server.upload("/datasets", file("file", "one.tar", webdataset(0, &pictures))).expect(201);
    let registered = register(&server, &shards);
    for field in ["kind", "images", "classes", "channels", "width", "height", "thumbnails"] {
        assert_eq!(registered[field], uploaded[field], "{field}");
    }
    let body = small(&model, &id(&registered));
    assert_eq!(server.post("/searches/check", &body).expect(200)["labelled"], true);

    let (ended, scores) = searched(&server, &model, &id(&registered));
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let (as_uploaded, same) = searched(&server, &model, &id(&uploaded));
    assert_eq!((&scores, &ended["baseline"]["score"]), (&same, &as_uploaded["baseline"]["score"]));
    assert_eq!(scores.len(), 2);

    // One shard is written anew: what was found there before is not believed.
    fs::write(shards.join("001.tar"), webdataset(0, &pictures[..10])).unwrap();
    let (ended, none) = searched(&server, &model, &id(&registered));
    assert_eq!((&ended["state"], none.len()), (&json!("failed"), 0), "{ended}");
    let reason = ended["error"].as_str().unwrap();
    for words in ["dataset `train`", "`001.tar` was written to", "register it again"] {
        assert!(reason.contains(words), "no {words}: {reason}");
    }
}

#[test]
fn class_folders_are_read_in_the_sandbox_and_what_is_wrong_in_them_is_named() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (place, (png, label)) in pictures().iter().take(100).enumerate() {
        let folder = root.path().join(format!("good/class {label}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{place}.png")), png).unwrap();
    }
    let server = Server::real(data.path(), &["--workers", "0", "--dataset-roots", root.path().to_str().unwrap()]);
    let dataset = register(&server, &root.path().join("good"));
    assert_eq!((&dataset["kind"], &dataset["images"]), (&json!("folder"), &json!(100)));
    assert_eq!((&dataset["classes"][9]["name"], &dataset["name"]), (&json!("class 9"), &json!("good")));

    fs::write(root.path().join("good/class 3/broken.png"), "no picture").unwrap();
    let refused = server.post("/datasets/references", &json!({ "location": root.path().join("good") }));
    refused.problem(422, "unusable-dataset", &["class 3/broken.png"]);
    std::os::unix::fs::symlink("/etc/hostname", root.path().join("good/class 3/link.png")).unwrap();
    let refused = server.post("/datasets/references", &json!({ "location": root.path().join("good") }));
    refused.problem(422, "unusable-dataset", &["class 3/link.png", "link"]);
}
