//! The process that reads a stranger's file does not outlive its server.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::server::{Server, file, program, until};

/// A worker that takes a pipe for the uploaded file, and waits for somebody to write into it.
const WAITING: &str = r#"#!/bin/sh
[ "$1" = inspect ] || exit 1
/usr/bin/mkfifo "$TMPDIR/model" && echo "$$" > "$TMPDIR/process" || exit 1
exec WORKER inspect "$TMPDIR/model" --sandbox
"#;

#[test]
fn a_check_ends_with_a_server_that_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let worker = data.path().join("worker");
    let real = program().with_file_name("eagleeye-worker");
    std::fs::write(&worker, WAITING.replace("WORKER", real.to_str().unwrap())).unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::real(data.path(), &["--workers", "0", "--worker-binary", worker.to_str().unwrap()]);
    let (client, url) = (server.client.clone(), server.url("/models"));
    let upload = std::thread::spawn(move || client.post(url).multipart(file("file", "network", "x")).send().map(drop));

    let patience = Duration::from_secs(60);
    let process = until("the check has begun", patience, || {
        let folders = walk(&data.path().join("tmp"));
        folders
            .iter()
            .find_map(|path| std::fs::read_to_string(path.join("process")).ok())
            .filter(|id| id.ends_with('\n'))
    });
    let proc = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", process.trim()));
    until("the check is locked up", patience, || proc("status").unwrap().contains("Seccomp:\t2").then_some(()));
    server.kill();
    assert!(upload.join().unwrap().is_err());
    until("the check is gone", Duration::from_secs(5), || {
        // One that has ended stays visible until somebody asks how.
        let is_alive = proc("stat").is_ok_and(|stat| !stat.contains(") Z "));
        (!is_alive).then_some(())
    });
}

/// Folders below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).flat_map(|path| [vec![path.clone()], walk(&path)].concat()).collect()
}
