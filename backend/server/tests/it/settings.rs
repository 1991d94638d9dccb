//! Settings: flags before environment before file before defaults.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::server::{Server, fake_worker, file, program};

/// `eagleeye serve` in a folder, with nothing set but the worker.
fn serve(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("serve").current_dir(folder).env("EAGLEEYE_WORKER_BINARY", fake_worker());
    command.env("EAGLEEYE_WORKERS", "0");
    command
}

/// The largest model that a server takes, as it says itself.
fn limit(command: &mut Command) -> u64 {
    let server = Server::start(command);
    let refusal = server.upload("/models", file("file", "a.pt", vec![b'x'; 500]));
    refusal.problem(413, "too-large", &[])["limit_bytes"].as_u64().unwrap()
}

fn refused(command: &mut Command) -> String {
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn without_a_flag_everything_is_kept_in_the_folder_data() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(folder.path()));
    assert!(server.address.starts_with("http://127.0.0.1:"));
    server.model("good");
    assert!(folder.path().join("data/eagleeye.db").is_file());
    assert!(folder.path().join("data/files").is_dir());
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("eagleeye.toml"), "max_model_bytes = 100\n").unwrap();
    assert_eq!(limit(&mut serve(folder.path())), 100);
    assert_eq!(limit(serve(folder.path()).env("EAGLEEYE_MAX_MODEL_BYTES", "200")), 200);
    let with_flag = &mut serve(folder.path());
    with_flag.env("EAGLEEYE_MAX_MODEL_BYTES", "200").args(["--max-model-bytes", "300"]);
    assert_eq!(limit(with_flag), 300);

    let other = folder.path().join("other.toml");
    std::fs::write(&other, "max_model_bytes = 400\n").unwrap();
    assert_eq!(limit(serve(folder.path()).arg("--config").arg(&other)), 400);
}

#[test]
fn the_limit_of_what_a_dataset_unpacks_to_reaches_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("eagleeye.toml");
    std::fs::write(&settings, "max_unpacked_bytes = 1000\n").unwrap();
    let said = |command: &mut Command| {
        let server = Server::start(command);
        let refusal = server.upload("/datasets", file("file", "a.zip", "arguments"));
        refusal.problem(422, "unusable-dataset", &[])["detail"].as_str().unwrap().to_owned()
    };
    let by_file = said(&mut serve(folder.path()));
    assert!(by_file.contains("--max-unpacked-bytes 1000 "), "{by_file}");
    let by_environment = said(serve(folder.path()).env("EAGLEEYE_MAX_UNPACKED_BYTES", "2000"));
    assert!(by_environment.contains("--max-unpacked-bytes 2000 "), "{by_environment}");
    let by_flag = said(serve(folder.path()).args(["--max-unpacked-bytes", "3000"]));
    assert!(by_flag.contains("--max-unpacked-bytes 3000 "), "{by_flag}");
}

#[test]
fn settings_that_cannot_be_used_are_named_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(serve(folder.path()).args(["--device", "gpu"]));
    assert!(said.contains("`gpu`") && said.contains("cuda:N"), "{said}");
    let said = refused(serve(folder.path()).args(["--config", "absent.toml"]));
    assert!(said.contains("absent.toml does not exist"), "{said}");
    let said = refused(serve(folder.path()).args(["--worker-binary", "/nowhere/worker"]));
    assert!(said.contains("/nowhere/worker") && said.contains("--worker-binary"), "{said}");
    let said = refused(serve(folder.path()).args(["--database", "mysql://localhost/eagleeye"]));
    assert!(said.contains("sqlite: or postgres:"), "{said}");
    std::fs::write(folder.path().join("eagleeye.toml"), "max_modell_bytes = 100\n").unwrap();
    let said = refused(&mut serve(folder.path()));
    assert!(said.contains("max_modell_bytes"), "{said}");
}

#[test]
fn a_password_in_the_address_of_the_database_is_not_repeated_in_messages() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("database");
    for address in ["mysql://eagle:hunter2@127.0.0.1/eagleeye", "postgres://eagle:hunter2@127.0.0.1:1/eagleeye"] {
        std::fs::write(&secret, format!("{address}\n")).unwrap();
        for said in [
            refused(serve(folder.path()).args(["--database", address])),
            refused(serve(folder.path()).env("EAGLEEYE_DATABASE", address)),
            refused(serve(folder.path()).env("EAGLEEYE_DATABASE_FILE", &secret)),
        ] {
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn beyond_loopback_the_server_does_not_start_unless_told_that_anyone_may_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(serve(folder.path()).args(["--host", "0.0.0.0"]));
    assert!(said.contains("0.0.0.0") && said.contains("--anyone-may-use-it"), "{said}");
    let server = Server::start(serve(folder.path()).args(["--host", "0.0.0.0", "--anyone-may-use-it"]));
    assert_eq!(server.get("/models").status, 200);
    let foreign = server.call("GET", "/models", |request| request.header("host", "rebound.example"));
    foreign.problem(403, "forbidden", &["rebound.example", "--allowed-hosts"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refused(serve(folder.path()).args(["--port", &port]));
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
}

#[test]
fn help_offers_s3_only_where_it_is_built_in_and_a_refusal_says_how_to_build_it() {
    let help = Command::new(program()).args(["serve", "--help"]).output().unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    assert_eq!(help.contains("s3://"), cfg!(feature = "s3"), "{help}");
    assert!(help.contains("--files <FILES>"), "{help}");
    if !cfg!(feature = "s3") {
        let folder = tempfile::tempdir().unwrap();
        let said = refused(serve(folder.path()).args(["--files", "s3://bucket/prefix"]));
        assert!(said.contains("built without S3") && said.contains("--s3"), "{said}");
    }
}
