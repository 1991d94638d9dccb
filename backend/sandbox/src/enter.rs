//! The child's side: everything that it will not need is given up before a stranger's file is read.

use std::path::PathBuf;

use nix::errno::Errno;
use rustix::process::getppid;

use crate::confined::PARENT;
use crate::limits;
use crate::support::Support;

/// What a child may still reach.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Files, and folders with everything below them, that may be read.
    pub read: Vec<PathBuf>,
    /// Folders in which files may be made, changed and removed.
    pub write: Vec<PathBuf>,
}

/// Why the sandbox cannot be entered. What a kernel lacks is no error: see [`Support`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the variable {variable} is `{value}`; wanted is a whole number")]
    NotANumber { variable: &'static str, value: String },
    #[error("cannot limit {what}: {source}")]
    Limit { what: &'static str, source: rustix::io::Errno },
    #[error("the process that asked for this one is gone")]
    Orphaned,
    #[error("the sandbox must be entered before other threads start; there are {0} already")]
    Threads(usize),
    #[error("cannot give up {what}: {reason}")]
    Kept { what: &'static str, reason: String },
}

/// Gives up everything but `access` and the folder for temporary files, for good. To be called in the main thread, before
/// other threads start and before anything is opened: descriptors that this process was started with are closed, standard
/// input, output and error excepted.
///
/// Returns what is in force: a kernel may lack a part.
pub fn enter(access: &Access) -> Result<Support, SandboxError> {
    die_with_parent()?;
    limits::limit()?;
    close_inherited()?;
    single_threaded()?;
    lock(access)
}

/// Linux kills this process when its parent ends. It may have ended before that was asked for.
fn die_with_parent() -> Result<(), SandboxError> {
    let Some(expected) = limits::number(PARENT)? else { return Ok(()) };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|source| SandboxError::Kept { what: "outliving its parent", reason: source.to_string() })?;
    let parent = getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    if u64::try_from(parent).is_ok_and(|parent| parent == expected) { Ok(()) } else { Err(SandboxError::Orphaned) }
}

/// Rust opens files so that children do not get them; libraries do not always.
fn close_inherited() -> Result<(), SandboxError> {
    let failed = |reason: String| SandboxError::Kept { what: "inherited descriptors", reason };
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Ok(()) };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Collected first: the listing has a descriptor, too, which is gone by then.
    let inherited: Vec<i32> = names.filter(|&descriptor| descriptor > 2).collect();
    for descriptor in inherited {
        match nix::unistd::close(descriptor) {
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    Ok(())
}

/// What is given up is given up by one thread and those that it starts.
fn single_threaded() -> Result<(), SandboxError> {
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(0 | 1) | Err(_) => Ok(()),
        Ok(threads) => Err(SandboxError::Threads(threads)),
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn lock(access: &Access) -> Result<Support, SandboxError> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

    let failed = |what| move |source: rustix::io::Errno| SandboxError::Kept { what, reason: source.to_string() };
    set_no_new_privs(true).map_err(failed("new privileges"))?;
    // A server that runs as root may store files of other owners; all else that root may do is given up.
    let kept = rustix::thread::capabilities(None)
        .map_or(CapabilitySet::empty(), |have| have.effective & CapabilitySet::DAC_OVERRIDE);
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed("capabilities"))?;
    let files = crate::paths::restrict(access)?;
    Ok(Support { files, system_calls: crate::system_calls::restrict()? })
}

/// Other systems have limits and an empty environment only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lock(_access: &Access) -> Result<Support, SandboxError> {
    Ok(Support::default())
}
