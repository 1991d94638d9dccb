//! Damaged and hostile model files: an error that says something, in bounded time, never a panic.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use eagleeye_engine::load;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::example;

/// A damaged file is answered within this time; most take milliseconds.
const TIME: Duration = Duration::from_secs(60);

/// What loading these bytes says, empty where they load; in bounded time.
fn refusal(bytes: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let start = Instant::now();
    let outcome = load(file.path(), Some(&[1, 1, 28, 28]));
    assert!(start.elapsed() < TIME, "{:?}", start.elapsed());
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_text_is_neither_format() {
    let error = refusal(b"These are notes, not a network.\n");
    assert!(error.contains("TorchScript") && error.contains("ONNX"), "{error}");
    assert!(refusal(b"").contains("empty"), "{}", refusal(b""));
}

#[test]
fn a_file_that_is_cut_short_is_refused() {
    let whole = fs::read(example::path()).unwrap();
    for part in [1, 3, 10, 50, 90, 99] {
        let error = refusal(&whole[..whole.len() * part / 100]);
        assert!(error.contains("TorchScript"), "{part}%: {error}");
    }
}

#[test]
fn a_zip_of_something_else_is_refused() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("notes.txt", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"nothing").unwrap();
    let error = refusal(&zip.finish().unwrap().into_inner());
    assert!(error.contains("neither an ONNX file nor TorchScript"), "{error}");
}

#[test]
fn overwritten_bytes_never_bring_the_engine_down() {
    let whole = fs::read(example::path()).unwrap();
    // The archive's directory is at the end, code and pickles lie between the weights.
    let places = prop::collection::vec((0..whole.len(), any::<u8>()), 1..24);
    let ends = prop::collection::vec((whole.len() - 12_000..whole.len(), any::<u8>()), 1..6);
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(places, ends), |(places, ends)| {
        let mut bytes = whole.clone();
        for (place, byte) in places.into_iter().chain(ends) {
            bytes[place] = byte;
        }
        // Weights have no checksum of their own, so some damage is a valid file.
        refusal(&bytes);
        Ok(())
    });
    outcome.unwrap();
}
