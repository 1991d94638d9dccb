//! Where a pruned file comes from, as metadata that travels inside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use eagleeye_spec::{CandidateWeights, GroupKeep, Importance, SearchRequest, TuneOptions};

/// What the keys of all entries begin with.
const PREFIX: &str = "eagleeye.";

/// How the weights of a pruned network have come about.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Those that pruning has left, with the statistics of the unpruned network.
    Pruned,
    /// With adapted running statistics.
    Adapted,
    /// Fitted to what the unpruned network answers.
    Repaired,
    Tuned(Box<TuneOptions>),
}

/// What names a pruned network for good: made of these again, it is the same.
#[derive(Debug, Clone, PartialEq)]
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
    pub weights: Weights,
}

impl Provenance {
    /// Of a candidate of a search.
    pub fn of(
        source_hash: String,
        request: &SearchRequest,
        index: u32,
        groups: &[GroupKeep],
        weights: Weights,
    ) -> Self {
        Self {
            source_hash,
            seed: request.seed,
            index: u64::from(index),
            strategy: groups.iter().map(|group| (group.group.clone(), group.kept)).collect(),
            importance: request.importance,
            weights,
        }
    }

    /// Adds to what came with the uploaded file. Where that was pruned here, too, its entries are replaced.
    pub fn write_into(&self, metadata: &mut BTreeMap<String, String>) {
        metadata.retain(|key, _| !key.starts_with(PREFIX));
        let entries = [
            ("producer", format!("EagleEye {}", env!("CARGO_PKG_VERSION"))),
            ("source_blake3", self.source_hash.clone()),
            ("seed", self.seed.to_string()),
            ("candidate", self.index.to_string()),
            ("strategy", serde_json::json!(self.strategy).to_string()),
            ("importance", serde_json::json!(self.importance).to_string()),
            ("weights", self.weights.name().to_owned()),
        ];
        let tuning = match &self.weights {
            Weights::Tuned(options) => Some(("tuning", serde_json::json!(options).to_string())),
            Weights::Pruned | Weights::Adapted | Weights::Repaired => None,
        };
        metadata.extend(entries.into_iter().chain(tuning).map(|(key, value)| (format!("{PREFIX}{key}"), value)));
    }
}

impl Weights {
    pub fn of(weights: CandidateWeights) -> Self {
        match weights {
            CandidateWeights::Adapted => Self::Adapted,
            CandidateWeights::Repaired => Self::Repaired,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Pruned => "pruned",
            Self::Adapted => "adapted",
            Self::Repaired => "repaired",
            Self::Tuned(_) => "tuned",
        }
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
            [("author", "somebody"), ("eagleeye.seed", "1"), ("eagleeye.tuning", "{}")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
        let strategy = [("conv1".to_owned(), 16)].into();
        let importance = Importance::default();
        let repaired = Provenance {
            source_hash: "abc".to_owned(),
            seed: 7,
            index: 3,
            strategy,
            importance,
            weights: Weights::Repaired,
        };
        repaired.write_into(&mut metadata);
        assert_eq!(metadata["author"], "somebody");
        assert_eq!(metadata["eagleeye.seed"], "7");
        assert_eq!(metadata["eagleeye.candidate"], "3");
        assert_eq!(metadata["eagleeye.strategy"], r#"{"conv1":16}"#);
        assert_eq!(metadata["eagleeye.importance"], r#"{"aggregate":"sum","criterion":"l1"}"#);
        assert_eq!(metadata["eagleeye.source_blake3"], "abc");
        assert_eq!((metadata["eagleeye.weights"].as_str(), metadata.get("eagleeye.tuning")), ("repaired", None));

        let options = TuneOptions { start: CandidateWeights::Repaired, epochs: Some(3), ..TuneOptions::default() };
        Provenance { weights: Weights::Tuned(Box::new(options)), ..repaired }.write_into(&mut metadata);
        assert_eq!(metadata["eagleeye.weights"], "tuned");
        assert!(metadata["eagleeye.tuning"].contains(r#""start":"repaired""#), "{metadata:?}");
    }
}
