//! Addresses of databases and file stores, which may hold a password.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// An address that shows its secrets to nobody who only prints it: `Display` and `Debug` write `***` for a password, and for
/// every parameter of the query that is not known to be harmless. [`Address::expose`] gives the whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

/// A file that should hold an address cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read an address from the file {}: {source}", path.display())]
pub struct AddressFileError {
    pub path: PathBuf,
    pub source: std::io::Error,
}

/// Parameters that may be shown; all others could be a key.
const HARMLESS: [&str; 6] = ["mode", "sslmode", "host", "port", "dbname", "application_name"];
const HIDDEN: &str = "***";

impl Address {
    /// The address that a file holds, as secrets are handed to containers; a line's end behind it does not belong to it.
    pub fn from_file(path: &Path) -> Result<Self, AddressFileError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| AddressFileError { path: path.to_owned(), source })?;
        Ok(Address(text.trim().to_owned()))
    }

    /// The address as it was given, to connect with.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redacted(&self.0))
    }
}

impl From<String> for Address {
    fn from(address: String) -> Self {
        Address(address)
    }
}

impl From<&str> for Address {
    fn from(address: &str) -> Self {
        Address(address.to_owned())
    }
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(address: &str) -> Result<Self, Infallible> {
        Ok(address.into())
    }
}

fn redacted(address: &str) -> String {
    if address.starts_with("sqlite:") || !address.contains("://") {
        // A path: nothing in it is secret.
        return address.to_owned();
    }
    match Url::parse(address) {
        Ok(url) => redacted_url(url),
        // Who cannot tell where the password is shows nothing but the scheme.
        Err(_) => format!("{}://{HIDDEN}", address.split("://").next().unwrap_or_default()),
    }
}

fn redacted_url(mut url: Url) -> String {
    // Refused only by addresses that cannot have a password.
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return format!("{}://{HIDDEN}", url.scheme());
    }
    if url.query().is_some() {
        let shown =
            |name: &str, value: &str| if HARMLESS.contains(&name) { value.to_owned() } else { HIDDEN.to_owned() };
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.to_string(), shown(&name, &value))).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_wherever_it_stands() {
        let given = [
            "postgres://eagle:hunter2@db.example/eagleeye",
            "postgres://eagle:hunter2@db.example:5432/eagleeye?sslmode=require",
            "postgres://eagle@db.example/eagleeye?password=hunter2",
            "postgres://eagle:hunter2@db.example:port/eagleeye",
            "s3://key:hunter2@bucket/prefix",
        ];
        for text in given {
            let address = Address::from(text);
            for shown in [address.to_string(), format!("{address:?}")] {
                assert!(!shown.contains("hunter2") && shown.contains(HIDDEN), "{shown}");
            }
            assert_eq!(address.expose(), text);
        }
    }

    #[test]
    fn what_is_not_secret_is_shown() {
        for text in ["sqlite://data/eagleeye.db", "data/files", "s3://bucket/prefix", "postgres://db.example/eagleeye"]
        {
            assert_eq!(Address::from(text).to_string(), text);
        }
        let shown = Address::from("postgres://eagle:hunter2@db.example/eagleeye?sslmode=require").to_string();
        assert_eq!(shown, "postgres://eagle:***@db.example/eagleeye?sslmode=require");
    }
}
