//! The child's side: everything that it will not need is given up before a stranger's file is read.

use nix::errno::Errno;
use rustix::process::getppid;

use crate::access::Access;
use crate::confined::PARENT;
use crate::error::SandboxError;
use crate::limits;
use crate::lock::lock;
use crate::support::Support;

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
