//! The README's walk through the REST API, as somebody pastes it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{Server, program, worker_program};

const ADDRESS: &str = "http://127.0.0.1:8080";

/// The commands of the section on curl.
fn commands() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("The REST API by curl")).unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect()
}

/// Commands that are not pasted here: tasks of the project, which CI runs.
const ELSEWHERE: &str = "cargo xtask";

/// All commands of the README but those of the section on curl.
fn other_commands() -> Vec<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let curl = commands();
    let lines = blocks.filter(|block| !curl.contains(block)).flat_map(str::lines).map(str::to_owned);
    lines.filter(|line| !line.starts_with(ELSEWHERE)).collect()
}

/// A folder like a clone in which `cargo xtask build --release` has run.
fn clone() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["examples", "README.md"] {
        symlink(repository().join(name), folder.path().join(name)).unwrap();
    }
    let release = folder.path().join("target/release");
    std::fs::create_dir_all(&release).unwrap();
    symlink(program(), release.join("eagleeye")).unwrap();
    symlink(worker_program(), release.join("eagleeye-worker")).unwrap();
    folder
}

#[test]
fn the_readmes_commands_without_a_server_work_when_pasted() {
    let folder = clone();
    let script: String =
        other_commands().iter().filter(|c| !c.ends_with("eagleeye serve")).map(|c| format!("{c}\n")).collect();
    assert!(script.contains("eagleeye-worker inspect") && script.contains("eagleeye-worker prune"), "{script}");
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("pruned.onnx").is_file());
}

#[test]
fn the_readmes_server_starts_when_pasted() {
    let folder = clone();
    let commands = other_commands();
    let serve = commands.iter().find(|command| command.ends_with("eagleeye serve")).unwrap();
    let mut words = serve.split(' ');
    let mut command = Command::new(folder.path().join(words.next().unwrap()));
    let server = Server::start(command.args(words).current_dir(folder.path()));
    assert_eq!(server.get("/models").status, 200);
    assert!(folder.path().join("data/eagleeye.db").is_file());
}

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[test]
fn the_readmes_commands_prune_a_network_when_pasted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let folder = clone();
    let script = commands().replace(ADDRESS, &server.address);
    assert!(script.contains(&server.address), "the section names the address that the server has by default");
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path()).output().unwrap();
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{said}");

    // Live progress, the leaderboard, the winner as a file, and what a wrong file is told.
    assert!(printed.contains("event: candidate") && printed.contains("event: end"), "{printed}");
    assert!(printed.contains("\"score_without_adaptation\""), "{printed}");
    let pruned = std::fs::read(folder.path().join("pruned.onnx")).unwrap();
    let full = std::fs::metadata(repository().join("examples/mobilenet_v1.pt")).unwrap().len();
    assert!(pruned.len() as u64 > full / 20 && (pruned.len() as u64) < full, "{} of {full} bytes", pruned.len());
    assert!(printed.contains("/problems/unusable-model"), "{printed}");
    // A network in two files.
    assert!(printed.lines().any(|line| line == "onnx"), "{printed}");
}
