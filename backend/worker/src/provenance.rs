//! Where a pruned file comes from, as metadata that travels inside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use eagleeye_spec::{GroupKeep, Importance, SearchRequest};

/// What names a pruned network for good: made of these again, it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// BLAKE3 of the uploaded model file, in hexadecimal digits.
    pub source_hash: String,
    /// The sequence of strategies, and which of them it is.
    pub seed: u64,
    pub index: u64,
    /// Units kept, by channel group.
    pub strategy: BTreeMap<String, u64>,
    /// By which it was decided which units these are.
    pub importance: Importance,
}

impl Provenance {
    /// Of a candidate of a search.
    pub fn of(source_hash: String, request: &SearchRequest, index: u32, groups: &[GroupKeep]) -> Self {
        Self {
            source_hash,
            seed: request.seed,
            index: u64::from(index),
            strategy: groups.iter().map(|group| (group.group.clone(), group.kept)).collect(),
            importance: request.importance,
        }
    }

    /// Adds to what came with the uploaded file. Where that was pruned here, too, its entries are replaced.
    pub fn write_into(&self, metadata: &mut BTreeMap<String, String>) {
        let entries = [
            ("producer", format!("EagleEye {}", env!("CARGO_PKG_VERSION"))),
            ("source_blake3", self.source_hash.clone()),
            ("seed", self.seed.to_string()),
            ("candidate", self.index.to_string()),
            ("strategy", serde_json::json!(self.strategy).to_string()),
            ("importance", serde_json::json!(self.importance).to_string()),
        ];
        metadata.extend(entries.map(|(key, value)| (format!("eagleeye.{key}"), value)));
    }
}

/// BLAKE3 of a file in hexadecimal digits, as the store names it.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_source_stay_and_those_of_an_earlier_pruning_go() {
        let mut metadata: BTreeMap<String, String> =
            [("author", "somebody"), ("eagleeye.seed", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let strategy = [("conv1".to_owned(), 16)].into();
        Provenance { source_hash: "abc".to_owned(), seed: 7, index: 3, strategy, importance: Importance::default() }
            .write_into(&mut metadata);
        assert_eq!(metadata["author"], "somebody");
        assert_eq!(metadata["eagleeye.seed"], "7");
        assert_eq!(metadata["eagleeye.candidate"], "3");
        assert_eq!(metadata["eagleeye.strategy"], r#"{"conv1":16}"#);
        assert_eq!(metadata["eagleeye.importance"], r#"{"aggregate":"sum","criterion":"l1"}"#);
        assert_eq!(metadata["eagleeye.source_blake3"], "abc");
    }
}
