//! The address of a file: the blake3 hash of its content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not the hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{hash}` is not a file hash: 64 lower-case hexadecimal digits are expected")]
pub struct BadHash {
    pub hash: String,
}

/// 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileHash(String);

impl FileHash {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Folder and file name, so that no folder grows too large.
    pub(super) fn split(&self) -> (&str, &str) {
        self.0.split_at(2)
    }
}

impl From<blake3::Hash> for FileHash {
    fn from(hash: blake3::Hash) -> Self {
        FileHash(hash.to_hex().to_string())
    }
}

impl TryFrom<String> for FileHash {
    type Error = BadHash;

    fn try_from(hash: String) -> Result<Self, BadHash> {
        let digits = hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hash.len() == 64 && digits { Ok(FileHash(hash)) } else { Err(BadHash { hash }) }
    }
}

impl FromStr for FileHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        FileHash::try_from(text.to_string())
    }
}

impl From<FileHash> for String {
    fn from(hash: FileHash) -> Self {
        hash.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_digits_are_a_hash() {
        let good = FileHash::from(blake3::hash(b"weights"));
        assert_eq!(good.as_str().parse::<FileHash>().unwrap(), good);
        for bad in ["", "ab", "../../etc/passwd", &good.as_str().to_uppercase()] {
            let error = bad.parse::<FileHash>().unwrap_err();
            assert_eq!(error.hash, bad, "{bad}: {error}");
        }
    }
}
