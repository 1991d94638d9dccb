//! A tuning race: the best candidates of a search share a budget of epochs by successive halving (Jamieson and Talwalkar, 2016).
//!
//! All of them are trained to the end of the first rung, the better half goes on to the end of the next one, and so on; the last
//! rung has one candidate. Each is trained by the learning rates of the winner's number of epochs, so that the winner is what it
//! would be without a race.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::field_fault::{FieldFault, failed};
use crate::optional::is_default;
use crate::stored::{StoredError, current, upgraded};
use crate::tune::{MAX_EPOCHS, TuneOptions};

/// Version of stored requests.
const VERSION: u64 = 1;

/// Several candidates of a search to be tuned, and what they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TuningRaceRequest {
    /// How many of the search's best candidates take part.
    #[serde(default = "default_candidates")]
    #[schema(minimum = 2, maximum = 64, default = 4)]
    pub candidates: u32,
    /// Epochs of all candidates together. One for each candidate of each rung is the least: 7 for 4 candidates, of which 2 and
    /// then 1 go on.
    #[schema(minimum = 3, maximum = 10_000, example = 24)]
    pub epochs: u32,
    /// The budget whose candidates take part, by its place among the search's, from 0.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(maximum = 31, default = 0)]
    pub budget: u32,
    /// How each candidate is trained. `epochs` and `minutes` follow from the race and must be left out, and so must `patience`,
    /// since the race itself ends who falls behind.
    #[serde(default)]
    pub options: TuneOptions,
}

fn default_candidates() -> u32 {
    4
}

/// A part of a race, at whose end the better half of its candidates goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TuningRung {
    /// Candidates that are trained in it.
    pub candidates: u32,
    /// The epoch after which they are compared, from 1.
    pub until_epoch: u32,
}

/// The rungs of a race: half of the candidates, rounded up, goes on from each, and the last has one.
///
/// Each rung gets an equal part of the `epochs`, but leaves an epoch for each candidate of those that follow; each of its
/// candidates is trained for as many whole epochs as fit, and for one at least. What is left over goes to the last rung. With
/// fewer epochs than [`least_epochs`], the rungs are those of that many.
pub fn rungs(candidates: u32, epochs: u32) -> Vec<TuningRung> {
    let sizes = sizes(candidates);
    let epochs = epochs.max(least_epochs(candidates));
    let share = epochs / sizes.len() as u32;
    let mut left = epochs;
    let mut until_epoch = 0;
    let mut rungs = Vec::with_capacity(sizes.len());
    for (place, &candidates) in sizes.iter().enumerate() {
        let later: u32 = sizes[place + 1..].iter().sum();
        let added = if later == 0 { left } else { share.min(left - later).max(candidates) / candidates };
        until_epoch += added;
        left -= added * candidates;
        rungs.push(TuningRung { candidates, until_epoch });
    }
    rungs
}

/// The fewest epochs that a race of so many candidates can have: one for each candidate of each rung.
pub fn least_epochs(candidates: u32) -> u32 {
    sizes(candidates).iter().sum()
}

/// How many candidates each rung has.
fn sizes(candidates: u32) -> Vec<u32> {
    std::iter::successors(Some(candidates.max(1)), |&size| (size > 1).then(|| size.div_ceil(2))).collect()
}

impl TuningRaceRequest {
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

    /// [`rungs`] of the request.
    pub fn rungs(&self) -> Vec<TuningRung> {
        rungs(self.candidates, self.epochs)
    }

    /// How each candidate is trained, up to the end of the last rung.
    pub fn member_options(&self) -> TuneOptions {
        let epochs = self.rungs().last().map(|rung| rung.until_epoch);
        TuneOptions { epochs, ..self.options.clone() }
    }

    /// The fields that are out of range, but for those of the options.
    pub fn faults(&self) -> Vec<FieldFault> {
        failed([
            ((2..=64).contains(&self.candidates), "candidates", "must be from 2 to 64"),
            ((3..=MAX_EPOCHS).contains(&self.epochs), "epochs", "must be from 3 to 10000"),
            (self.budget < 32, "budget", "must be from 0 to 31"),
        ])
    }

    /// The fields of the options that are out of range, by their paths in the options.
    pub fn option_faults(&self) -> Vec<FieldFault> {
        let options = &self.options;
        let mut faults = failed([
            (options.epochs.is_none(), "epochs", "must be left out: it follows from the `epochs` of the race"),
            (options.minutes.is_none(), "minutes", "must be left out: a race has a budget of epochs"),
            (options.patience.is_none(), "patience", "must be left out: the race ends who falls behind"),
        ]);
        let rest = TuneOptions { epochs: Some(1), minutes: None, patience: None, ..options.clone() };
        faults.extend(rest.faults());
        faults
    }

    /// The least that `epochs` may be, where it is less.
    pub fn missing_epochs(&self) -> Option<u32> {
        let least = least_epochs(self.candidates);
        (self.epochs < least).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn request(fields: Value) -> TuningRaceRequest {
        serde_json::from_value(fields).unwrap()
    }

    /// Candidates and the epoch at the end of each rung.
    fn pairs(candidates: u32, epochs: u32) -> Vec<(u32, u32)> {
        rungs(candidates, epochs).iter().map(|rung| (rung.candidates, rung.until_epoch)).collect()
    }

    fn cost(rungs: &[TuningRung]) -> u32 {
        let begins = std::iter::once(0).chain(rungs.iter().map(|rung| rung.until_epoch));
        rungs.iter().zip(begins).map(|(rung, from)| rung.candidates * (rung.until_epoch - from)).sum()
    }

    #[test]
    fn rungs_share_the_epochs_equally_and_the_last_gets_what_is_left_over() {
        assert_eq!(pairs(4, 24), [(4, 2), (2, 6), (1, 14)]);
        assert_eq!(pairs(4, 7), [(4, 1), (2, 2), (1, 3)]);
        assert_eq!(pairs(5, 20), [(5, 1), (3, 2), (2, 4), (1, 12)]);
        assert_eq!(pairs(2, 3), [(2, 1), (1, 2)]);
        assert_eq!(pairs(1, 5), [(1, 5)]);
    }

    #[test]
    fn a_rung_that_costs_more_than_its_share_takes_nothing_that_others_need() {
        let least = least_epochs(64);
        assert_eq!(least, 127);
        let one_each: Vec<u32> = rungs(64, least).iter().map(|rung| rung.until_epoch).collect();
        assert_eq!(one_each, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(rungs(64, 3), rungs(64, least), "fewer are not enough for any race");
    }

    proptest! {
        #[test]
        fn no_race_takes_more_than_its_budget_and_each_rung_trains_who_is_left(
            candidates in 1_u32..=64, more in 0_u32..10_000,
        ) {
            let epochs = least_epochs(candidates) + more;
            let rungs = rungs(candidates, epochs);
            prop_assert_eq!(cost(&rungs), epochs, "the last rung has one candidate, so that nothing is left over");
            prop_assert_eq!(rungs[0].candidates, candidates);
            prop_assert_eq!(rungs.last().unwrap().candidates, 1);
            prop_assert!(rungs[0].until_epoch >= 1);
            for pair in rungs.windows(2) {
                prop_assert_eq!(pair[1].candidates, pair[0].candidates.div_ceil(2));
                prop_assert!(pair[1].until_epoch > pair[0].until_epoch);
            }
        }
    }

    #[test]
    fn members_are_trained_as_the_winner_is() {
        let race = request(json!({ "epochs": 24, "options": { "average": 0.9, "start": "repaired" } }));
        assert_eq!((race.candidates, race.budget), (4, 0));
        assert_eq!(race.member_options(), TuneOptions { epochs: Some(14), ..race.options.clone() });
        assert_eq!(race.member_options().faults(), []);
    }

    #[test]
    fn what_is_stored_is_read_again_and_carries_its_version() {
        let race = request(json!({ "candidates": 3, "epochs": 9, "budget": 1, "options": { "batch_size": 64 } }));
        let mut stored = race.to_stored().unwrap();
        assert_eq!((&stored["version"], &stored["options"]["version"]), (&json!(1), &json!(1)));
        assert_eq!(TuningRaceRequest::from_stored(stored.clone()).unwrap(), race);
        let newer = stored.clone();
        stored["version"] = json!(2);
        assert!(matches!(TuningRaceRequest::from_stored(stored), Err(StoredError::Newer { .. })));
        let mut stored = newer;
        stored["options"]["version"] = json!(99);
        assert!(matches!(TuningRaceRequest::from_stored(stored), Err(StoredError::Newer { .. })));
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let fields = |faults: Vec<FieldFault>| faults.iter().map(|fault| fault.field).collect::<Vec<_>>();
        for (race, expected) in [
            (json!({ "epochs": 24, "candidates": 1 }), "candidates"),
            (json!({ "epochs": 200, "candidates": 65 }), "candidates"),
            (json!({ "epochs": 2 }), "epochs"),
            (json!({ "epochs": 10_001 }), "epochs"),
            (json!({ "epochs": 24, "budget": 32 }), "budget"),
        ] {
            assert_eq!(fields(request(race.clone()).faults()), [expected], "{race}");
        }
        for (options, expected) in [
            (json!({ "epochs": 3 }), "epochs"),
            (json!({ "minutes": 3 }), "minutes"),
            (json!({ "patience": 3 }), "patience"),
            (json!({ "warmup": 3 }), "warmup"),
        ] {
            let race = request(json!({ "epochs": 24, "options": options }));
            assert_eq!((fields(race.faults()), fields(race.option_faults())), (vec![], vec![expected]), "{options}");
        }
        assert_eq!(request(json!({ "epochs": 24 })).option_faults(), []);
        assert_eq!(request(json!({ "epochs": 6 })).missing_epochs(), Some(7));
        assert_eq!(request(json!({ "epochs": 7 })).missing_epochs(), None);
    }
}
