//! How a child that opens a stranger's file is started.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio, id};
use std::time::Duration;

/// Bytes of private memory that the child may have.
pub(crate) const MEMORY: &str = "EAGLEEYE_MEMORY_LIMIT";
/// Seconds that the child may compute, all its threads together.
pub(crate) const CPU: &str = "EAGLEEYE_CPU_LIMIT";
/// Bytes that a file of the child's may grow to.
pub(crate) const FILE: &str = "EAGLEEYE_FILE_LIMIT";
/// Process that the child must not outlive.
pub(crate) const PARENT: &str = "EAGLEEYE_PARENT";

/// What of this process's environment a child needs: where libtorch lies, and how many threads it may use.
const PASSED_ON: [&str; 6] = [
    "LD_LIBRARY_PATH",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
];

/// What a child may take from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Private memory in bytes.
    pub memory_bytes: u64,
    /// Time on processors, all threads together; whole seconds count.
    pub cpu: Duration,
    /// Largest file that may be written, in bytes.
    pub file_bytes: u64,
}

/// A command for a program that calls [`crate::enter`] first: with an environment of its own, in a process group of its
/// own, and without standard input.
///
/// The child dies with the *thread* that spawns it, which is what Linux watches; so that thread must live as long as the
/// child is wanted. `scratch` is the child's own folder for temporary files.
pub fn confined(program: impl AsRef<OsStr>, allowance: Allowance, scratch: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
        .env("TMPDIR", scratch)
        .env(MEMORY, allowance.memory_bytes.to_string())
        .env(CPU, allowance.cpu.as_secs().max(1).to_string())
        .env(FILE, allowance.file_bytes.to_string())
        .env(PARENT, id().to_string())
        // Signals to the asking process's group, as from a terminal, are that process's to answer.
        .process_group(0)
        .stdin(Stdio::null());
    command
}
