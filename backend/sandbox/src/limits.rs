//! What a child may take from the machine, set by the child itself before it opens anything.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::confined::{CPU, FILE, MEMORY};
use crate::error::SandboxError;

/// Limits memory, processor time and the size of files where the environment says so, and writes no core dump of a file's making.
///
/// It is private writable memory that is limited (`RLIMIT_DATA`). Address space would be the wrong measure: libtorch reserves,
/// and never uses, far more of it than a check needs, and the shared libraries alone have gigabytes with CUDA. Shared memory,
/// which is not counted, cannot be had inside the sandbox.
pub fn limit() -> Result<(), SandboxError> {
    set(Resource::Core, 0, "core dumps")?;
    if let Some(bytes) = number(MEMORY)? {
        set(Resource::Data, bytes, "memory")?;
    }
    if let Some(seconds) = number(CPU)? {
        set(Resource::Cpu, seconds, "processor time")?;
    }
    if let Some(bytes) = number(FILE)? {
        set(Resource::Fsize, bytes, "the size of files")?;
    }
    Ok(())
}

/// The number that a variable holds, where it is set.
pub fn number(variable: &'static str) -> Result<Option<u64>, SandboxError> {
    let Some(value) = std::env::var_os(variable) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(SandboxError::NotANumber { variable, value }),
    }
}

fn set(resource: Resource, most: u64, what: &'static str) -> Result<(), SandboxError> {
    // Whoever started the server may have set less.
    let Rlimit { current, maximum } = getrlimit(resource);
    let allowed = [current, maximum].into_iter().flatten().fold(most, u64::min);
    let both = Rlimit { current: Some(allowed), maximum: Some(allowed) };
    setrlimit(resource, both).map_err(|source| SandboxError::Limit { what, source })
}
