//! The SHA-256 of a file, by which whoever has downloaded it can check it: `sha256sum` is on every machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::BadHash;

/// SHA-256 of a file's content (FIPS 180-4); 64 lower-case hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<sha2::Sha256> for Sha256 {
    /// Of what the hasher was given.
    fn from(hasher: sha2::Sha256) -> Self {
        Sha256(sha2::Digest::finalize(hasher).into())
    }
}

impl FromStr for Sha256 {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Sha256(bytes)),
            Err(_) => Err(BadHash { hash: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Sha256 {
    type Error = BadHash;

    fn try_from(text: String) -> Result<Self, BadHash> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;

    /// The example of one block in FIPS 180-4's test values.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_text_and_a_hash_are_the_same() {
        let hash = Sha256::from(sha2::Sha256::new_with_prefix(b"abc"));
        assert_eq!((hash.to_string().as_str(), OF_ABC.parse()), (OF_ABC, Ok(hash)));
        for bad in ["", "ba", &OF_ABC[1..], &format!("{OF_ABC}00"), &OF_ABC.replace('b', "x")] {
            let error = bad.parse::<Sha256>().unwrap_err();
            assert_eq!(error.hash, bad, "{error}");
        }
    }
}
