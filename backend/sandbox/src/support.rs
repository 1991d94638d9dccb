//! Which parts of the sandbox a machine has.

use std::fmt;

use serde::Serialize;

/// What of the sandbox is in force. Limits, an empty environment and death with the parent always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Support {
    /// Only the named files can be opened, and no program started (Landlock, Linux 5.13).
    pub files: bool,
    /// Only system calls that reading a file needs are answered: no sockets, no processes (seccomp).
    pub system_calls: bool,
}

impl Support {
    pub fn is_complete(self) -> bool {
        self.files && self.system_calls
    }
}

/// What is missing, in words.
impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.files, "other files can be opened (no Landlock)"),
            (self.system_calls, "network connections and other system calls are possible (no seccomp)"),
        ];
        let missing: Vec<&str> = parts.iter().filter(|(there, _)| !there).map(|(_, says)| *says).collect();
        if missing.is_empty() { f.write_str("complete") } else { f.write_str(&missing.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_words() {
        let all = Support { files: true, system_calls: true };
        assert_eq!((all.is_complete(), all.to_string()), (true, "complete".to_owned()));
        let none = Support::default().to_string();
        assert!(none.contains("Landlock") && none.contains("seccomp"), "{none}");
        assert!(!Support { files: false, ..all }.is_complete());
    }
}
