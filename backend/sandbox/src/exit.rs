//! How a program ends that works on a stranger's file: the exit codes that say whose fault it is, and the line of standard
//! error that says why.

/// For faults of the program or its machine.
pub const INTERNAL: u8 = 1;
/// For files and arguments that cannot be used.
pub const UNUSABLE: u8 = 2;
/// For a disk that has no room for temporary files.
pub const DISK_FULL: u8 = 3;
/// For work on a file that broke down: for want of memory, or by a fault of the program that the file brings out.
pub const BROKEN_DOWN: u8 = 4;

/// Bytes of standard error that are worth keeping: the reason is in its last line.
pub const MAX_REASON_BYTES: u64 = 1 << 20;
/// Longest reason in characters.
const LONGEST_REASON: usize = 4000;

/// The last line that says something, without the word that says that it is an error; `None` where nothing is said.
pub fn reason(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let line = line.strip_prefix("error: ").unwrap_or(line);
    Some(line.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_line_that_says_something() {
        assert_eq!(reason(b"a warning\nerror: no \x1bclass\n\n").as_deref(), Some("no class"));
        assert_eq!(reason(b" \n"), None);
        let endless = reason(&[b'x'; 10_000]).map(|line| line.len());
        assert_eq!(endless, Some(LONGEST_REASON));
    }
}
