//! Why the sandbox cannot be entered.

/// Why the sandbox cannot be entered. What a kernel lacks is no error: see [`crate::Support`].
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
