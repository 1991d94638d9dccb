//! The README's walk through the REST API, as somebody pastes it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::server::Server;

const ADDRESS: &str = "http://127.0.0.1:8080";

/// The commands of the section on curl.
fn commands() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("The REST API by curl")).unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect()
}

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[test]
fn the_readmes_commands_prune_a_network_when_pasted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let folder = tempfile::tempdir().unwrap();
    for name in ["examples", "README.md"] {
        symlink(repository().join(name), folder.path().join(name)).unwrap();
    }
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
}
