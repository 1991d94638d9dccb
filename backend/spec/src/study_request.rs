//! A study: candidates of a search that are fine-tuned from several seeds each, so that what was known of them before can be held
//! against what became of them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};

use crate::field_fault::{FieldFault, failed};
use crate::seed::MAX_SEED;
use crate::stored::{StoredError, current, upgraded};
use crate::tune::TuneOptions;

/// Version of stored requests.
const VERSION: u64 = 1;
const MAX_SEEDS: usize = 4;
const MAX_CANDIDATES: u32 = 100;
/// The most fine-tunings of a study, all budgets together.
pub const MAX_FINE_TUNINGS: usize = 2_000;

/// Which candidates of a search a study fine-tunes, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyRequest {
    /// How many candidates of each budget take part, where there are so many: the uniform one, and others evenly from the first
    /// proposal to the last, so that good and bad ones are among them. Below 12 a study decides nothing.
    #[serde(default = "default_candidates")]
    #[schema(minimum = 2, maximum = 100, default = 24)]
    pub candidates: u32,
    /// From each of which every candidate is fine-tuned once; each number once. Two are needed to know how much of the differences is chance.
    #[serde(default = "default_seeds")]
    #[schema(schema_with = seeds_schema)]
    pub seeds: Vec<u64>,
    /// How each candidate is fine-tuned. `seed` is the study's to choose, and must be left out.
    pub options: TuneOptions,
}

fn default_candidates() -> u32 {
    24
}

fn seeds_schema() -> Schema {
    let seed = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(MAX_SEED));
    let seeds = ArrayBuilder::new().items(seed).min_items(Some(1)).max_items(Some(MAX_SEEDS)).unique_items(true);
    let says = "From each of which every candidate is fine-tuned once. Two are needed to know how much of the differences is chance.";
    seeds.default(Some(json!(default_seeds()))).description(Some(says)).into()
}

fn default_seeds() -> Vec<u64> {
    vec![1, 2]
}

impl StudyRequest {
    /// The request as it is stored.
    ///
    /// # Errors
    /// Never for a request that was read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        let mut document = current(self, VERSION)?;
        document["options"] = self.options.to_stored()?;
        Ok(document)
    }

    /// A stored request, of any version up to today's.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(mut document: Value) -> Result<Self, StoredError> {
        TuneOptions::upgrade_in(&mut document, "options")?;
        upgraded(document, VERSION, |_, _| {})
    }

    /// How a candidate is fine-tuned from a seed.
    pub fn options_from(&self, seed: u64) -> TuneOptions {
        TuneOptions { seed, ..self.options.clone() }
    }

    /// The fields that are out of range, but for those of the options.
    pub fn faults(&self) -> Vec<FieldFault> {
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        failed([
            ((2..=MAX_CANDIDATES).contains(&self.candidates), "candidates", "must be from 2 to 100"),
            ((1..=MAX_SEEDS).contains(&self.seeds.len()), "seeds", "must have from 1 to 4 numbers"),
            (seeds.len() == self.seeds.len(), "seeds", "must have each number once"),
            (seeds.iter().all(|seed| *seed <= MAX_SEED), "seeds", "must be at most 9007199254740991 (2^53 - 1)"),
        ])
    }

    /// The fields of the options that are out of range, by their paths in the options.
    pub fn option_faults(&self) -> Vec<FieldFault> {
        let mut faults = failed([(self.options.seed == 0, "seed", "must be left out: a study has `seeds`")]);
        faults.extend(self.options.faults());
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: Value) -> StudyRequest {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_number_of_epochs_is_enough_and_what_is_stored_is_read_again() {
        let study = request(json!({ "options": { "epochs": 3 } }));
        assert_eq!((study.candidates, &study.seeds[..]), (24, &[1, 2][..]));
        assert_eq!((study.faults(), study.option_faults()), (vec![], vec![]));
        assert_eq!(study.options_from(2), TuneOptions { seed: 2, ..study.options.clone() });
        let mut stored = study.to_stored().unwrap();
        assert_eq!((&stored["version"], &stored["options"]["version"]), (&json!(1), &json!(1)));
        assert_eq!(StudyRequest::from_stored(stored.clone()).unwrap(), study);
        stored["version"] = json!(2);
        assert!(matches!(StudyRequest::from_stored(stored), Err(StoredError::Newer { .. })));
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        for (study, expected) in [
            (json!({ "options": { "epochs": 1 }, "candidates": 1 }), "candidates"),
            (json!({ "options": { "epochs": 1 }, "candidates": 101 }), "candidates"),
            (json!({ "options": { "epochs": 1 }, "seeds": [] }), "seeds"),
            (json!({ "options": { "epochs": 1 }, "seeds": [3, 3] }), "seeds"),
            (json!({ "options": { "epochs": 1 }, "seeds": [1, 2, 3, 4, 5] }), "seeds"),
            (json!({ "options": { "epochs": 1 }, "seeds": [1_u64 << 53] }), "seeds"),
        ] {
            let faults = request(study.clone()).faults();
            assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [expected], "{study}");
        }
        for (options, expected) in [(json!({}), "epochs"), (json!({ "epochs": 1, "seed": 3 }), "seed")] {
            let faults = request(json!({ "options": options })).option_faults();
            assert_eq!(faults[0].field, expected, "{options}");
        }
    }
}
