//! The sandbox, from outside: a program enters it and tries what it forbids. Each test also shows that the same attempt
//! succeeds outside, so that it tells nothing but the sandbox.

#![cfg(target_os = "linux")]
// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use eagleeye_sandbox::{Allowance, confined, support};

const PROBE: &str = env!("CARGO_BIN_EXE_eagleeye-sandbox-probe");
const ALLOWANCE: Allowance = Allowance { memory_bytes: 1 << 30, cpu: Duration::from_secs(30), file_bytes: 1 << 20 };

/// Files of a test: one that the child is given, one that it is not, and its folder for temporary files.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("given"), "a network").unwrap();
        std::fs::write(folder.path().join("secret"), "a key").unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn confined(&self, allowance: Allowance) -> Command {
        let mut command = confined(PROBE, allowance, Path::new(&self.path("scratch")));
        command.args(["locked", &self.path("given")]);
        command
    }

    fn locked(&self, attempt: &str, argument: &str) -> Output {
        self.confined(ALLOWANCE).args([attempt, argument]).output().unwrap()
    }

    /// Fails unless the attempt succeeds outside the sandbox and is refused in it.
    fn refused(&self, attempt: &str, argument: &str) {
        succeeded(free(attempt, argument));
        let output = self.locked(attempt, argument);
        assert_eq!(output.status.code(), Some(3), "`{attempt} {argument}`: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("PermissionDenied"), "`{attempt} {argument}`: {said}");
    }
}

fn free(attempt: &str, argument: &str) -> Output {
    Command::new(PROBE).args(["free", "-", attempt, argument]).output().unwrap()
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn this_machine_has_all_parts_of_the_sandbox() {
    assert!(support().is_complete(), "{}", support());
}

#[test]
fn the_child_reads_the_file_that_it_was_given_and_no_other() {
    let world = World::new();
    assert_eq!(succeeded(world.locked("read", &world.path("given"))), "a network");
    world.refused("read", &world.path("secret"));
    world.refused("read", "/etc/passwd");
}

#[test]
fn the_child_writes_into_its_own_folder_and_nowhere_else() {
    let world = World::new();
    assert_eq!(succeeded(world.locked("temporary", "-")), "written");
    world.refused("write", &world.path("secret"));
    world.refused("write", &world.path("new"));
    world.refused("write", &world.path("given"));
}

#[test]
fn the_child_can_make_no_socket() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    world.refused("tcp", &listener.local_addr().unwrap().to_string());
    world.refused("udp", "127.0.0.1:0");
    world.refused("unix", "-");
}

#[test]
fn the_child_sees_no_variable_of_the_servers() {
    let world = World::new();
    // Stands for the server: it has a secret, and starts the child as the server does.
    let given = world.path("scratch");
    let mut server = Command::new(PROBE);
    server.args(["parent", "-", "variables", &given]).env("AWS_SECRET_ACCESS_KEY", "hunter2");
    let said = succeeded(server.output().unwrap());
    assert!(!said.contains("hunter2") && !said.contains("HOME="), "{said}");
    for needed in
        ["TMPDIR=", "EAGLEEYE_MEMORY_LIMIT=", "EAGLEEYE_CPU_LIMIT=", "EAGLEEYE_FILE_LIMIT=", "EAGLEEYE_PARENT="]
    {
        assert!(said.contains(needed), "{needed} is not in {said}");
    }
    // Nor does it find them where Linux shows them.
    world.refused("read", &format!("/proc/{}/environ", std::process::id()));
}

#[test]
fn the_child_can_start_no_program_and_become_none() {
    let world = World::new();
    world.refused("start", "/bin/true");
    world.refused("become", "/bin/true");
}

#[test]
fn the_child_can_signal_nobody() {
    World::new().refused("signal", &std::process::id().to_string());
}

#[test]
fn the_child_can_have_no_memory_that_is_not_counted_and_raise_no_limit() {
    let world = World::new();
    world.refused("shared-memory", "-");
    world.refused("raise-limit", "-");
}

#[test]
fn the_child_can_start_threads() {
    assert_eq!(succeeded(World::new().locked("threads", "-")), "14");
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    let world = World::new();
    let allowance = Allowance { memory_bytes: 200 << 20, ..ALLOWANCE };
    let take = |bytes: u64| world.confined(allowance).args(["memory", &bytes.to_string()]).output().unwrap();
    succeeded(take(50 << 20));
    let refused = take(300 << 20);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8(refused.stdout).unwrap().starts_with("OutOfMemory"));
}

#[test]
fn computing_beyond_the_limit_ends_the_child() {
    let world = World::new();
    let allowance = Allowance { cpu: Duration::from_secs(1), ..ALLOWANCE };
    let output = world.confined(allowance).args(["compute", "-"]).output().unwrap();
    // SIGXCPU, or SIGKILL where both limits are the same second.
    assert!(matches!(output.status.signal(), Some(24 | 9)), "{output:?}");
}

#[test]
fn a_file_beyond_the_limit_ends_the_child() {
    let world = World::new();
    let allowance = Allowance { file_bytes: 10_000, ..ALLOWANCE };
    let fill = |bytes: &str| world.confined(allowance).args(["fill", bytes]).output().unwrap();
    assert_eq!(succeeded(fill("10000")), "written");
    let ended = fill("10001");
    assert_eq!(ended.status.signal(), Some(25), "SIGXFSZ: {ended:?}");
}

#[test]
fn the_child_gets_no_descriptor_of_its_parent() {
    let world = World::new();
    // A shell keeps its descriptors when it becomes the probe.
    let with_descriptor = |arguments: &str| {
        let script = format!("exec 7<'{}'; exec '{PROBE}' {arguments} descriptors -", world.path("secret"));
        succeeded(Command::new("/bin/sh").args(["-c", &script]).output().unwrap())
    };
    assert!(with_descriptor("free -").contains('7'));
    assert_eq!(with_descriptor(&format!("locked '{}'", world.path("given"))), "");
}

#[test]
fn the_child_dies_with_its_parent_even_when_that_is_killed() {
    let world = World::new();
    let mut parent = Command::new(PROBE);
    let mut parent =
        parent.args(["parent", "-", "wait", &world.path("scratch")]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.stdout.take().unwrap()), &mut line).unwrap();
    let child = format!("/proc/{}/stat", line.trim());
    let is_alive = || std::fs::read_to_string(&child).is_ok_and(|stat| !stat.contains(") Z "));
    // It is locked up, and waits.
    let status = format!("/proc/{}/status", line.trim());
    until("the child is locked up", || std::fs::read_to_string(&status).unwrap().contains("Seccomp:\t2"));
    assert!(is_alive());
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the child is gone", || !is_alive());
}

#[test]
fn a_child_whose_parent_is_gone_already_does_not_begin() {
    let world = World::new();
    let orphan = world.confined(ALLOWANCE).env("EAGLEEYE_PARENT", "1").args(["read", "-"]).output().unwrap();
    assert_eq!(orphan.status.code(), Some(1), "{orphan:?}");
    assert!(String::from_utf8(orphan.stderr).unwrap().contains("has exited"));
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
