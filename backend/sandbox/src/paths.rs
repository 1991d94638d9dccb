//! Landlock: which files can be opened. Newer kernels also refuse TCP connections and signals to other processes.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use crate::access::Access;
use crate::error::SandboxError;

/// The newest version whose rights are asked for; an older kernel gives what it has.
const NEWEST: ABI = ABI::V6;

/// What libtorch and the standard library look up on the way: how many processors there are, and of what kind.
const MACHINE: [&str; 6] = [
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/proc/cpuinfo",
    "/proc/meminfo",
    // As the rule is made this is the process itself, and stays it.
    "/proc/self",
];

/// Restricts this thread, and those that it will start. Returns whether the kernel does so.
pub fn restrict(access: &Access) -> Result<bool, SandboxError> {
    let failed = |error: RulesetError| SandboxError::Kept { what: "other files", reason: error.to_string() };
    Ok(rules(access).map_err(failed)? != RulesetStatus::NotEnforced)
}

fn rules(access: &Access) -> Result<RulesetStatus, RulesetError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let write =
        read | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer});
    let scratch = std::env::var_os("TMPDIR");
    let writable = access.write.iter().map(AsRef::as_ref).chain(scratch.as_ref().map(Path::new));
    let readable = access.read.iter().map(AsRef::as_ref).chain(MACHINE.iter().map(Path::new));
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules::<_, &Path, BitFlags<AccessFs>>(readable, read))?
        .add_rules(path_beneath_rules::<_, &Path, BitFlags<AccessFs>>(writable, write))?
        .restrict_self()?;
    Ok(status.ruleset)
}
