//! What is done with a file: as an upload does with it, and a pruning after that.

use std::fs;
use std::sync::LazyLock;

use eagleeye_engine::device::set_threads;
use eagleeye_engine::{inspect, load, prune_to};
use eagleeye_graph::Space;
use tempfile::TempDir;

/// In memory, where the machine has such a folder: every execution writes a file.
const MEMORY: &str = "/dev/shm";

/// Nothing to clean up in a process that ends by a signal or by `_exit`: libFuzzer does both.
static FOLDER: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    set_threads(1);
    tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).ok()
});

/// Reads the bytes as a file, with a shape that is given; without one every second time, since the bytes decide.
pub fn run(bytes: &[u8]) {
    let Some(path) = FOLDER.as_ref().map(|folder| folder.path().join("model.pt")) else {
        return;
    };
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let given = bytes.iter().fold(0u8, |sum, byte| sum ^ byte).is_multiple_of(2);
    let shape = given.then_some(&[1, 3, 8, 8][..]);
    let Ok(loaded) = load(&path, shape) else {
        return;
    };
    let space = Space::default();
    let Ok(found) = inspect(&loaded, &space) else {
        return;
    };
    let reachable = found.report.figures.reachable;
    let (least, most) = (reachable.min, reachable.max);
    assert!((0.0..=1.0).contains(&least), "reachable from {least}");
    // A network that does not come out right is an error that is told, but no file may make it.
    let _ = prune_to(&loaded.network, (least + most) / 2.0, 7, 0, &space);
}
