//! `check-dataset`.

use std::io::Write;

use eagleeye_spec::report::DatasetReport;

use crate::support::{example, refusal, report, text, worker};

#[test]
fn a_dataset_is_counted_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) =
        (example("fashion-mnist-images-idx3-ubyte.gz"), example("fashion-mnist-labels-idx1-ubyte.gz"));
    let thumbnails = folder.path().join("thumbnails");
    let arguments = ["check-dataset", text(&images), "--labels", text(&labels), "--thumbnails", text(&thumbnails)];
    let report = report(&arguments);
    assert_eq!((report["kind"].as_str(), report["images"].as_u64()), (Some("idx"), Some(9500)));
    assert_eq!(
        (report["channels"].as_u64(), report["width"].as_u64(), report["height"].as_u64()),
        (Some(1), Some(28), Some(28))
    );
    assert_eq!(DatasetReport::from_stored(report.clone()).unwrap().to_stored().unwrap(), report, "it has its version");
    let classes = report["classes"].as_array().unwrap();
    assert_eq!(classes.iter().map(|class| class["count"].as_u64().unwrap()).sum::<u64>(), 9500);
    assert_eq!(classes.len(), 10);

    let mut names: Vec<_> = std::fs::read_dir(&thumbnails).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.first().unwrap(), "000.png");
    assert_eq!(names.len(), 32);
    let png = std::fs::read(thumbnails.join("000.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn without_json_it_is_a_table_for_people() {
    let (images, labels) =
        (example("fashion-mnist-images-idx3-ubyte.gz"), example("fashion-mnist-labels-idx1-ubyte.gz"));
    let output = worker().args(["check-dataset", text(&images), "--labels", text(&labels)]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("9,500 images in an IDX file, grey\n28x28 pixels each\n"), "{printed}");
    assert_eq!(printed.lines().count(), 2 + 1 + 1 + 10, "{printed}");
}

#[test]
fn images_without_labels_are_counted() {
    let images = example("fashion-mnist-images-idx3-ubyte.gz");
    let report = report(&["check-dataset", text(&images)]);
    assert_eq!((report["labelled"].as_bool(), report["images"].as_u64()), (Some(false), Some(9500)));
    assert_eq!(report["classes"].as_array().unwrap().len(), 0);
    let output = worker().args(["check-dataset", text(&images)]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "9,500 images in an IDX file, grey\n28x28 pixels each\nwithout labels\n");
}

#[test]
fn a_wrong_dataset_is_refused_with_the_reason() {
    let images = example("fashion-mnist-images-idx3-ubyte.gz");
    let swapped = refusal(&["check-dataset", text(&images), "--labels", text(&images)]);
    assert!(swapped.contains("labels"), "{swapped}");
    let absent = refusal(&["check-dataset", "no/such/file.npz"]);
    assert!(absent.contains("no/such/file.npz"), "{absent}");
}

#[test]
fn the_limit_on_what_is_unpacked_is_an_argument() {
    let mut zip = zip::ZipWriter::new(tempfile::NamedTempFile::new().unwrap());
    zip.start_file("cat/a.png", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&vec![0; 5_000_000]).unwrap();
    let file = zip.finish().unwrap();
    let reason = refusal(&["check-dataset", text(file.path()), "--max-unpacked-bytes", "1000000"]);
    assert!(reason.contains("1000000"), "{reason}");
}

#[test]
fn a_folder_is_a_dataset_and_a_sample_of_it_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let (images, cats) = (example("fashion-mnist-images-idx3-ubyte.gz"), folder.path().join("set/cat"));
    report(&["check-dataset", text(&images), "--thumbnails", text(&cats)]);
    let (set, dogs) = (folder.path().join("set"), folder.path().join("set/dog"));
    std::fs::create_dir(&dogs).unwrap();
    for (place, name) in ["1.png", "2.png", "3.png"].into_iter().enumerate() {
        std::fs::rename(cats.join(format!("00{place}.png")), dogs.join(name)).unwrap();
    }
    std::fs::write(dogs.join("2.png"), "no picture").unwrap();
    let whole = refusal(&["check-dataset", text(&set)]);
    assert!(whole.contains("dog/2.png"), "{whole}");
    let thumbnails = folder.path().join("thumbnails");
    let sampled = ["check-dataset", text(&set), "--sample", "2", "--thumbnails", text(&thumbnails)];
    let refused = refusal(&sampled);
    assert!(refused.contains("dog/2.png"), "a thumbnail of it would be shown: {refused}");
    let report = report(&sampled[..4]);
    assert_eq!((report["kind"].as_str(), report["images"].as_u64()), (Some("folder"), Some(32)));
    assert_eq!((report["classes"][1]["name"].as_str(), report["classes"][1]["count"].as_u64()), (Some("dog"), Some(3)));
}
