//! What is done with a file: as an upload does with it, and a search after that, as far as it goes without libtorch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use eagleeye_graph::{Budget, CostModel, Space, channel_groups, draw, plan, reachable};
use eagleeye_onnx::{Imported, export};
use tempfile::TempDir;

/// Weights beside the model, for tensors that are stored outside of it.
const EXTERNAL: &str = "weights.data";
const EXTERNAL_BYTES: usize = 4096;
/// In memory, where the machine has such a folder: every execution writes a file.
const MEMORY: &str = "/dev/shm";

/// Nothing to clean up in a process that ends by a signal or by `_exit`: libFuzzer does both.
static FOLDER: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let folder = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).ok()?;
    fs::write(folder.path().join(EXTERNAL), (0..EXTERNAL_BYTES).map(|i| i as u8).collect::<Vec<_>>()).ok()?;
    Some(folder)
});

/// Reads the bytes as a file, with the shape that it states and with one that is given.
pub fn run(bytes: &[u8]) {
    let Some(path) = written(bytes) else {
        return;
    };
    for shape in [None, Some(&[1, 3, 8, 8][..])] {
        if let Ok(imported) = eagleeye_onnx::read(&path, shape) {
            upload(&imported);
        }
    }
}

fn written(bytes: &[u8]) -> Option<PathBuf> {
    let path = FOLDER.as_ref()?.path().join("model.onnx");
    fs::write(&path, bytes).ok()?;
    Some(path)
}

/// The report on channel groups and cost, a pruning, and the pruned network's shapes.
fn upload(imported: &Imported) {
    let graph = &imported.graph;
    let Ok(groups) = channel_groups(graph) else {
        return;
    };
    let cost = CostModel::new(graph, &groups);
    let space = Space::default();
    let range = reachable(&cost, &groups, &space);
    assert!((0.0..=1.0).contains(range.start()), "reachable from {}", range.start());
    let budget = Budget { macs: (range.start() + range.end()) / 2.0 };
    if let Ok(strategy) = draw(&cost, &groups, &space, &budget, 7, 0) {
        let kept: Vec<Vec<usize>> =
            groups.keep_counts(&strategy).into_iter().map(|count| (0..count).collect()).collect();
        // A network that does not come out right is an error that is told, but no file may make it.
        let _ = plan(graph, &groups, &kept);
    }
    exported(imported);
}

/// What is written from a graph must be read again: exports are read back before anybody gets them.
fn exported(imported: &Imported) {
    let Ok(bytes) = export::write(&imported.graph, &imported.weights, &imported.metadata) else {
        return;
    };
    let _ = written(&bytes).map(|path: PathBuf| eagleeye_onnx::read(Path::new(&path), None).is_ok());
}
