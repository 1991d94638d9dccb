//! A pipeline: pruned, repaired and trained, and pruned again, stage by stage.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::candidate_weights::CandidateWeights;
use crate::field_fault::{FieldFault, failed};
use crate::name::{MAX_NAME, name_in};
use crate::request::SearchRequest;
use crate::stage_tuning::{self, START, StageTuning};
use crate::stored::{StoredError, current, upgraded};
use crate::tune::TuneOptions;

/// The version of stored requests.
const VERSION: u64 = 1;
/// Stages that a pipeline may have.
pub const MAX_STAGES: usize = 16;

/// Stages of pruning, each of which begins with what the one before it has made: a search, whose winner is repaired, fine-tuned,
/// and a model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineRequest {
    /// The search of each stage, of the first stage's model, and without budgets, which are those of the stages. All stages divide
    /// the dataset in the same way, so that no test image is ever trained on.
    pub search: SearchRequest,
    /// The budget of each stage: the fraction of the first network's MACs that it keeps. Each is below the one before it.
    #[schema(min_items = 1, max_items = 16, example = json!([0.7, 0.5, 0.3]))]
    pub macs: Vec<f64>,
    /// The weights that each winner goes on with.
    #[serde(default = "repaired")]
    #[schema(default = "repaired")]
    pub start: CandidateWeights,
    /// How each winner is fine-tuned, without `start`, which is beside it. If omitted, none is.
    #[serde(default, with = "stage_tuning", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<StageTuning>)]
    pub tune: Option<TuneOptions>,
}

fn repaired() -> CandidateWeights {
    CandidateWeights::Repaired
}

impl PipelineRequest {
    /// The request as it is stored.
    ///
    /// # Errors
    /// Never for a request that was read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        let mut document = current(self, VERSION)?;
        // With versions of their own.
        document["search"] = self.search.to_stored()?;
        if let Some(tune) = &self.tune {
            document["tune"] = tune.to_stored()?;
        }
        Ok(document)
    }

    /// A stored request, of any version up to today's.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(mut document: Value) -> Result<Self, StoredError> {
        TuneOptions::upgrade_in(&mut document, "tune")?;
        let Value::Object(fields) = &mut document else { return Err(StoredError::NoObject) };
        if let Some(search) = fields.get_mut("search") {
            // Requests were stored with these ids long before there were pipelines.
            let search_request = SearchRequest::from_stored(search.take(), Uuid::nil(), Uuid::nil())?;
            *search = serde_json::to_value(search_request)?;
        }
        if let Some(tune) = fields.get_mut("tune") {
            // Stored with its default, whatever the pipeline's own says.
            tune.as_object_mut().and_then(|options| options.remove(START));
        }
        upgraded(document, VERSION, |_, _| {})
    }

    /// The fields that are out of range, but for those of the search and the tuning.
    pub fn faults(&self) -> Vec<FieldFault> {
        let count = (1..=MAX_STAGES).contains(&self.macs.len());
        failed([
            (count, "macs", "must have from 1 to 16 fractions, one for each stage"),
            (self.macs.iter().all(|part| *part > 0.0 && *part < 1.0), "macs", "must be fractions between 0 and 1"),
            (self.macs.is_sorted_by(|one, next| one > next), "macs", "must fall from stage to stage"),
        ])
    }

    /// The fields of the search that belong to the pipeline, or to a search of one model, by their paths in the search. What else
    /// is wrong with it is wrong with the first stage's.
    pub fn search_faults(&self) -> Vec<FieldFault> {
        const BUDGETS: &str = "must be left out: the pipeline's `macs` are the budgets";
        const MANUAL: &str = "must be left out: strategies of your own are of one model, and each stage has another";
        let search = &self.search;
        failed([
            (search.macs.is_none(), "macs", BUDGETS),
            (search.parameters.is_none(), "parameters", BUDGETS),
            (search.bytes.is_none(), "bytes", BUDGETS),
            (search.latency.is_none(), "latency", BUDGETS),
            (search.budgets.is_empty(), "budgets", BUDGETS),
            (search.budget_range.is_none(), "budget_range", BUDGETS),
            (search.manual.is_empty(), "manual", MANUAL),
        ])
    }

    /// The fields of the tuning that are out of range, by their paths in it.
    pub fn tune_faults(&self) -> Vec<FieldFault> {
        self.tune.as_ref().map(TuneOptions::faults).unwrap_or_default()
    }

    /// The search of a stage, counted from 0, whose model keeps `share` of the first network's MACs.
    pub fn search_of(&self, stage: usize, model_id: Uuid, share: f64) -> SearchRequest {
        let budget = self.macs.get(stage).map(|part| (part / share).min(1.0));
        let place = format!(", stage {} of {}", stage + 1, self.macs.len());
        let name = self.search.name.as_deref().and_then(name_in).unwrap_or("Pipeline");
        let name = name.chars().take(MAX_NAME - place.len()).chain(place.chars()).collect();
        let repaired = match self.start {
            CandidateWeights::Adapted => self.search.repaired,
            CandidateWeights::Repaired => self.search.repaired.max(1),
        };
        SearchRequest { model_id, name: Some(name), macs: budget, repaired, ..self.search.clone() }
    }

    /// What all stages together ask of the first network. Each stage has its own smallest share and multiples, so that together
    /// they leave a unit of each group at least.
    pub fn smallest(&self) -> SearchRequest {
        let last = self.search_of(self.macs.len().saturating_sub(1), self.search.model_id, 1.0);
        SearchRequest { min_keep_ratio: 0.0, round_to: Some(1), ..last }
    }

    /// How a winner is fine-tuned, where it is.
    pub fn tuning(&self) -> Option<TuneOptions> {
        self.tune.as_ref().map(|options| TuneOptions { start: self.start, ..options.clone() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(search: Value, fields: Value) -> PipelineRequest {
        let mut of_search = json!({
            "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "calibration_images": 64, "scoring_images": 64,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        of_search.as_object_mut().unwrap().extend(search.as_object().unwrap().clone());
        let mut document = json!({ "search": of_search, "macs": [0.7, 0.5] });
        document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let all = |asked: &PipelineRequest| {
            let of = |object: &str, faults: Vec<FieldFault>| {
                faults.into_iter().map(|fault| format!("{object}{}", fault.field)).collect::<Vec<_>>()
            };
            let (own, search, tune) = (asked.faults(), asked.search_faults(), asked.tune_faults());
            [of("", own), of("search.", search), of("tune.", tune)].concat()
        };
        assert_eq!(all(&request(json!({}), json!({ "tune": { "epochs": 1 } }))), Vec::<String>::new());
        let cases = [
            (json!({}), json!({ "macs": [] }), "macs"),
            (json!({}), json!({ "macs": [0.5, 0.5] }), "macs"),
            (json!({}), json!({ "macs": [0.5, 0.7] }), "macs"),
            (json!({}), json!({ "macs": [1.0] }), "macs"),
            (json!({ "macs": 0.5 }), json!({}), "search.macs"),
            (json!({ "budgets": [{ "macs": 0.5 }] }), json!({}), "search.budgets"),
            (json!({}), json!({ "tune": {} }), "tune.epochs"),
        ];
        for (search, fields, path) in cases {
            assert_eq!(all(&request(search, fields.clone())), [path], "{fields}");
        }
    }

    #[test]
    fn budgets_of_later_stages_are_fractions_of_the_first_network() {
        let asked = request(json!({ "name": "night" }), json!({ "macs": [0.7, 0.5, 0.3] }));
        let model = Uuid::max();
        let second = asked.search_of(1, model, 0.695);
        assert_eq!((second.model_id, second.macs), (model, Some(0.5 / 0.695)));
        assert_eq!((second.name.as_deref(), second.repaired), (Some("night, stage 2 of 3"), 1));
        assert_eq!(second.faults(), []);
        let shared = SearchRequest {
            model_id: asked.search.model_id,
            name: asked.search.name.clone(),
            macs: None,
            repaired: 0,
            ..second
        };
        assert_eq!(shared, asked.search, "all else is that of the first stage, the seed of the split among it");
        let longest = request(json!({ "name": "n".repeat(MAX_NAME) }), json!({})).search_of(0, model, 1.0);
        assert_eq!(longest.faults(), []);
    }

    #[test]
    fn winners_begin_repaired_unless_somebody_wants_otherwise() {
        let tuned = |fields| request(json!({}), fields).tuning().map(|options| options.start);
        assert_eq!(tuned(json!({ "tune": { "epochs": 2 } })), Some(CandidateWeights::Repaired));
        assert_eq!(tuned(json!({ "tune": { "epochs": 2 }, "start": "adapted" })), Some(CandidateWeights::Adapted));
        assert_eq!(tuned(json!({})), None);
        assert_eq!(request(json!({}), json!({ "start": "adapted" })).search_of(0, Uuid::nil(), 1.0).repaired, 0);
    }

    #[test]
    fn a_start_beside_the_pipelines_own_is_refused_and_never_shown() {
        let asked = request(json!({}), json!({ "tune": { "epochs": 2 } }));
        let mut shown = serde_json::to_value(&asked).unwrap();
        assert_eq!(shown["tune"].get("start"), None);
        assert_eq!(serde_json::from_value::<PipelineRequest>(shown.clone()).unwrap(), asked);
        for start in ["adapted", "repaired"] {
            shown["tune"]["start"] = json!(start);
            let refused = serde_json::from_value::<PipelineRequest>(shown.clone()).unwrap_err();
            assert!(refused.to_string().contains("`tune.start` must be left out"), "{refused}");
        }
    }

    #[test]
    fn what_is_stored_is_read_again_with_the_versions_of_its_parts() {
        let asked = request(json!({ "seed": 7 }), json!({ "tune": { "epochs": 2, "average": 0.99 } }));
        let stored = asked.to_stored().unwrap();
        assert_eq!(
            (&stored["version"], &stored["search"]["version"], &stored["tune"]["version"]),
            (&json!(1), &json!(2), &json!(1))
        );
        assert_eq!(PipelineRequest::from_stored(stored.clone()).unwrap(), asked);
        let mut newer = stored;
        newer["search"]["version"] = json!(99);
        assert!(matches!(PipelineRequest::from_stored(newer), Err(StoredError::Newer { known: 2, .. })));
    }
}
