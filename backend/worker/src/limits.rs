//! What a check of an untrusted file may take from the machine.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of memory, for commands that look at untrusted files.
const MEMORY_VARIABLE: &str = "EAGLEEYE_MEMORY_LIMIT";

/// Why limits cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("the variable {MEMORY_VARIABLE} is `{value}`; wanted is a number of bytes")]
    NotANumber { value: String },
    #[error("cannot limit {what}: {source}")]
    Refused { what: &'static str, source: rustix::io::Errno },
}

/// Limits memory where the environment says so, and writes no core dump of a file's making. To be called before anything
/// is loaded.
///
/// It is private writable memory that is limited. Address space would be the wrong measure: libtorch reserves, and never
/// uses, far more of it than a check needs, and the shared libraries alone have gigabytes with CUDA.
pub fn apply() -> Result<(), LimitError> {
    limit(Resource::Core, 0, "core dumps")?;
    match std::env::var_os(MEMORY_VARIABLE) {
        None => Ok(()),
        Some(value) => {
            let value = value.to_string_lossy().into_owned();
            let bytes = value.trim().parse().map_err(|_| LimitError::NotANumber { value })?;
            limit(Resource::Data, bytes, "memory")
        }
    }
}

fn limit(resource: Resource, most: u64, what: &'static str) -> Result<(), LimitError> {
    let allowed = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    let both = Rlimit { current: Some(allowed), maximum: Some(allowed) };
    setrlimit(resource, both).map_err(|source| LimitError::Refused { what, source })
}
