//! Checks of uploads: what their processes are given, and what becomes of their temporary files.

use std::path::Path;
use std::process::Command;

use crate::server::{Server, fake_worker, file, program};

#[test]
fn the_process_that_checks_an_upload_sees_no_variable_of_the_servers() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.arg("serve").arg("--data").arg(data.path()).args(["--workers", "0"]).arg("--worker-binary");
    let server = Server::start(command.arg(fake_worker()).env("AWS_SECRET_ACCESS_KEY", "hunter2"));
    for path in ["/models", "/datasets"] {
        let answer = server.upload(path, file("file", "network", "environment"));
        let said = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains("EAGLEEYE_MEMORY_LIMIT="), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("HOME="), "{said}");
    }
}

/// Folders of temporary files, those of single checks included.
fn temporary(data: &Path) -> Vec<String> {
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let inner = list(&data.join("tmp")).into_iter().flat_map(|folder| list(&folder));
    inner.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).filter(|name| name != ".lock").collect()
}

#[test]
fn a_server_that_is_killed_during_checks_leaves_temporary_files_only_until_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake(data.path());
    let (client, address) = (server.client.clone(), server.address.clone());
    let upload = |path: &'static str| {
        let (client, url) = (client.clone(), format!("{address}/api/v1{path}"));
        std::thread::spawn(move || client.post(url).multipart(file("file", "network", "hang")).send().map(drop))
    };
    let uploads = [upload("/models"), upload("/datasets")];
    crate::server::until("both checks have begun", std::time::Duration::from_secs(20), || {
        let names = temporary(data.path());
        let begun = names.iter().filter(|name| name.starts_with("eagleeye-check-")).count();
        (begun >= 4 && names.iter().any(|name| name.starts_with("eagleeye-thumbnails-"))).then_some(())
    });
    server.kill();
    for upload in uploads {
        assert!(upload.join().unwrap().is_err());
    }
    assert!(!temporary(data.path()).is_empty());

    let _server = Server::fake(data.path());
    assert_eq!(temporary(data.path()), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(data.path().join("tmp")).unwrap().count(), 1, "that of the new server");
}
