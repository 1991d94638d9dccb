//! A full disk, and who may look at what lies on it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, assert_nothing_left, fake_worker, file, program};

/// A server that cannot make a file larger than `kilobytes`, as on a disk that is full by then.
fn cramped(data: &Path, kilobytes: usize) -> Server {
    // Without the signal the write fails, as a write to a full disk does.
    let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(program()).arg("serve").arg("--data").arg(data);
    command.arg("--worker-binary").arg(fake_worker()).args(["--workers", "0"]);
    Server::start(&mut command)
}

#[test]
fn an_upload_that_the_disk_has_no_room_for_says_so_and_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = cramped(data.path(), 3000);
    for (path, name) in [("/models", "a.pt"), ("/datasets", "a.zip")] {
        let large = file("file", name, format!("good\n{}", "x".repeat(5_000_000)));
        let refusal = server.upload(path, large);
        refusal.problem(507, "storage-full", &["disk is full", "nothing from this request was kept"]);
    }
    assert_nothing_left(&server, data.path());
    server.upload("/models", file("file", "a.pt", "good")).expect(201);
}

/// Everything below a folder, and the folder itself, with its rights.
fn rights(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut paths = vec![folder.to_owned()];
    while let Some(path) = paths.pop() {
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path, meta.permissions().mode() & 0o7777));
    }
    found
}

fn assert_private(data: &Path) {
    for (path, mode) in rights(data) {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
    }
}

#[test]
fn what_the_server_keeps_is_for_its_user_alone_and_what_is_there_is_tightened() {
    let outer = tempfile::tempdir().unwrap();
    let data = outer.path().join("data");
    let server = Server::fake(&data);
    server.search();
    assert_private(&data);
    let names: Vec<_> = rights(&data).into_iter().map(|(path, _)| path.display().to_string()).collect();
    for ending in ["eagleeye.db", "eagleeye.db-wal", "eagleeye.db-shm"] {
        assert!(names.iter().any(|name| name.ends_with(ending)), "{ending} in {names:?}");
    }
    server.kill();

    // As an earlier version has left them.
    for (path, _) in rights(&data) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = Server::fake(&data);
    server.search();
    assert_private(&data);
}
