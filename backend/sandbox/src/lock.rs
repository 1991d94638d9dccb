//! How a thread, and those that it starts, is locked up; and what of it this machine has.

use crate::access::Access;
use crate::error::SandboxError;
use crate::support::Support;

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

/// Tries what this machine has: a thread locks itself up, and ends.
pub fn support() -> Support {
    let attempt = std::thread::Builder::new().name("sandbox-try".to_owned()).spawn(|| lock(&Access::default()));
    match attempt.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(found))) => found,
        _ => Support::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_the_sandbox_leaves_the_process_free() {
        support();
        std::fs::read("/proc/self/status").unwrap();
        std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    }
}
