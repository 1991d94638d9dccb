//! Why the sandbox cannot be entered.

/// Why the sandbox cannot be entered. What a kernel lacks is no error: see [`crate::Support`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the variable {variable} is `{value}`; it must be a whole number")]
    NotANumber { variable: &'static str, value: String },
    #[error("cannot limit {what}: {source}")]
    Limit { what: &'static str, source: rustix::io::Errno },
    #[error("the parent process has exited")]
    Orphaned,
    #[error("the sandbox must be entered before other threads start; {0} are already running")]
    Threads(usize),
    #[error("cannot drop {what}: {reason}")]
    Kept { what: &'static str, reason: String },
}
