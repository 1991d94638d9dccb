//! What a search is asked to do: the fields, their ranges and their defaults.
//!
//! The body of `POST /searches`, what the store keeps of it and what the engine is called with are this one type.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::adaptation::Adaptation;
use crate::budget::{Budget, Measure};
use crate::budgets::{BudgetRange, EACH_BUDGET, Limits, RANGE, SHARE, is_share};
use crate::class_order::ClassOrder;
use crate::field_fault::FieldFault;
use crate::importance::Importance;
use crate::latency_model::LatencyOf;
use crate::limits::GroupLimit;
use crate::manual::{MANUAL, ManualStrategy};
use crate::name::{NAME_RULE, name_in, name_or_none};
use crate::optional::{is_default, not_null};
use crate::precision::EvaluationPrecision;
use crate::preprocessing::Preprocessing;
use crate::racing::{self, Rung};
use crate::seed::MAX_SEED;
use crate::space::{DEFAULT_MIN_KEEP_RATIO, Space};
use crate::stored::{StoredError, current, upgraded};
use crate::templates::Template;

/// Strategies that are evaluated where a request says no number.
pub const DEFAULT_CANDIDATES: u32 = 48;

/// The version of stored requests. Those of the time before there were versions have none.
const VERSION: u64 = 2;

/// Images that winners are scored on where a request says no number and there are as many.
const DEFAULT_TEST_IMAGES: u32 = 2000;

/// A pruning search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = name_or_none)]
    pub name: Option<String>,
    /// The template of `GET /templates` whose settings the request began with: what was published of it stands beside the results.
    /// It changes nothing else.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "resnet50_50")]
    pub template: Option<String>,
    /// How strategies are chosen, side by side: each of them has `candidates` strategies under each budget. `GET /strategies`
    /// says what each does.
    #[serde(default = "default_strategies")]
    #[schema(min_items = 1, max_items = 16, default = json!(["sensitivity"]))]
    pub strategies: Vec<StrategyName>,
    /// Evaluate the uniform strategy under each budget too: the reference that every other is judged against.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub uniform_reference: bool,
    /// Strategies of your own, for the strategy `manual`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    pub manual: Vec<ManualStrategy>,
    /// Budget: the fraction of the full network's MACs that a candidate keeps, to within 1% of it, or less where another budget
    /// binds before.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false, example = 0.5)]
    pub macs: Option<f64>,
    /// Budget: the fraction of the full network's parameters that a candidate keeps, to within 1% of it, or less where the MACs
    /// bind before.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub parameters: Option<f64>,
    /// Budget: the fraction of the bytes of the full network's weights and statistics that a candidate's file keeps.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub bytes: Option<f64>,
    /// Budget: the fraction of the full network's latency that a candidate keeps, where `latency_of` says. Networks of several
    /// sizes are measured before the first candidate, and a model that is fitted to them says what a strategy keeps; the winners
    /// are measured at the end.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub latency: Option<f64>,
    /// What limits of latency are about. It makes no difference to a search without any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub latency_of: LatencyOf,
    /// Further budgets, each with a winner of its own. `macs`, `parameters`, `bytes` and `latency` together are the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub budgets: Vec<Limits>,
    /// Further budgets at equal distances.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub budget_range: Option<BudgetRange>,
    /// Look for a Pareto front of accuracy and cost: strategies that can (`evolutionary`) propose anything between the smallest
    /// and the largest budget, or the full network where there is one budget only.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(default = false)]
    pub front: bool,
    /// Strategies to evaluate at most, for each of `strategies` under each budget. The uniform reference is not counted.
    #[serde(default = "default_candidates")]
    #[schema(minimum = 1, maximum = 10_000, default = 48)]
    pub candidates: u32,
    /// Everything random derives from it: the same request with the same seed gives the same leaderboard.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991u64, default = 0)]
    pub seed: u64,
    /// Images from which adaptive batch norm recomputes the running statistics.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 3200)]
    pub calibration_images: u32,
    /// Held-back images on which candidates are scored. They never overlap the calibration images.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 5000)]
    pub scoring_images: u32,
    /// Held-back images that no strategy is chosen by, on which the winners are scored at the end: what is said of them there
    /// is not flattered by the choice. If omitted, as many as are left over, 2000 at most.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 4_294_967_295u32, nullable = false)]
    pub test_images: Option<u32>,
    /// Best candidates of each budget that are repaired, too, at the end: their layers are fitted to what the full network answers
    /// on the calibration images, in closed form and without labels. They get further evaluations, of the kind `repaired`; the
    /// ranking stays that of the networks with adaptive batch norm. A repair takes as long as some evaluations on all images.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(minimum = 0, maximum = 1000, default = 0, example = 1)]
    pub repaired: u32,
    /// Best candidates of each budget that are trained for a short time, too, at the end: `short_tune_epochs` passes over the
    /// calibration images, which is what judging by short fine-tuning is. They get further evaluations, of the kind
    /// `short_tuned`; the ranking stays that of the networks with adaptive batch norm. Without labels they learn from the full
    /// network.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(minimum = 0, maximum = 1000, default = 0, example = 1)]
    pub short_tuned: u32,
    /// Passes over the calibration images of those that are trained for a short time.
    #[serde(default = "short_tune_epochs", skip_serializing_if = "is_short_tune_epochs")]
    #[schema(minimum = 1, maximum = 1000, default = 3)]
    pub short_tune_epochs: u32,
    /// Scoring images on which candidates are also scored without adaptive batch norm, to show the difference; 0 leaves it out.
    #[serde(default = "default_vanilla_images")]
    #[schema(minimum = 0, maximum = 4_294_967_295u32, default = 512)]
    pub vanilla_images: u32,
    /// Race: evaluate all strategies on a part of the images first, and only the better ones on more of them (successive
    /// halving). Every image set contains the smaller one.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub racing: bool,
    /// Images per forward pass.
    #[serde(default = "default_batch_size")]
    #[schema(minimum = 1, maximum = 4096, default = 128)]
    pub batch_size: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: EvaluationPrecision,
    /// Keep a multiple of this many channels in every group, or all of them; 1 allows any number. If omitted, groups keep
    /// multiples of 8 where they can, because runtimes are slower with odd counts: the largest of 8, 4, 2 and 1 of which a
    /// group has at least four multiples, and smaller ones where these miss the budget.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024)]
    pub round_to: Option<u32>,
    /// No group keeps less than this fraction of its units.
    #[serde(default = "default_min_keep_ratio")]
    #[schema(minimum = 0, maximum = 1, default = 0.1)]
    pub min_keep_ratio: f64,
    /// How the units of a channel group are compared: which ones stay, once a strategy has said how many.
    #[serde(default)]
    pub importance: Importance,
    /// Channel groups to leave alone, or to keep a least part of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    pub group_limits: Vec<GroupLimit>,
    #[serde(default)]
    pub adaptation: Adaptation,
    /// Which output of the model each class of the dataset is.
    #[serde(default, skip_serializing_if = "ClassOrder::is_sorted")]
    pub class_order: ClassOrder,
    pub preprocessing: Preprocessing,
}

/// The name of a way to choose strategies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(default = "sensitivity")]
pub struct StrategyName(pub String);

impl Default for StrategyName {
    fn default() -> Self {
        Self("sensitivity".to_owned())
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl SearchRequest {
    pub fn space(&self) -> Space {
        Space { round_to: self.round_to.map(|multiple| multiple as usize), min_keep_ratio: self.min_keep_ratio }
    }

    /// The budgets in the order in which they are asked for, each once.
    pub fn budgets(&self) -> Vec<Budget> {
        let range = self.budget_range.as_ref().map(BudgetRange::budgets).unwrap_or_default();
        let asked =
            std::iter::once(self.first_limits()).chain(self.budgets.iter().copied()).map(|limits| limits.budget());
        let mut budgets: Vec<Budget> = Vec::new();
        for budget in asked.chain(range) {
            if !budget.constraints().is_empty() && !budgets.contains(&budget) {
                budgets.push(budget);
            }
        }
        budgets
    }

    /// The template whose settings it began with.
    pub fn template(&self) -> Option<&'static Template> {
        Template::named(self.template.as_deref()?)
    }

    fn first_limits(&self) -> Limits {
        Limits { macs: self.macs, parameters: self.parameters, bytes: self.bytes, latency: self.latency }
    }

    /// Whether a budget limits the latency, so that networks have to be measured before the first candidate.
    pub fn limits_latency(&self) -> bool {
        self.budgets().iter().any(|budget| budget.limit(Measure::Latency).is_some())
    }

    /// Candidates that are evaluated, where every strategy proposes as many as it may.
    pub fn most_candidates(&self) -> u64 {
        let budgets = self.budgets().len().max(1) as u64;
        let asked = self.strategies.len() as u64 * budgets * u64::from(self.candidates);
        asked + if self.uniform_reference { budgets } else { 0 }
    }

    /// Whether the first budget limits this cost.
    pub fn limits(&self, measure: Measure) -> bool {
        self.first_limits().budget().limit(measure).is_some()
    }

    /// The sets of images that candidates are scored on, the smallest first.
    pub fn rungs(&self) -> Vec<Rung> {
        let all = Rung { calibration: self.used_calibration_images() as u32, scoring: self.scoring_images };
        if self.racing { racing::rungs(all) } else { vec![all] }
    }

    /// Images that the winners are scored on, of so many that are left over.
    pub fn used_test_images(&self, left: u64) -> u64 {
        left.min(u64::from(self.test_images.unwrap_or(DEFAULT_TEST_IMAGES)))
    }

    /// Calibration images that adaptive BN sees. A cumulative average over fewer batches than the calibration set has is one
    /// over fewer images.
    pub fn used_calibration_images(&self) -> usize {
        let all = self.calibration_images as usize;
        self.adaptation.images_of(all, self.batch_size as usize)
    }

    /// What can be checked without looking at the model and the dataset: all the fields that are out of range.
    pub fn faults(&self) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, field, detail| {
            if !holds {
                faults.push(FieldFault { field, detail });
            }
        };
        for (measure, limit) in self.first_limits().each() {
            must(limit.is_none_or(is_share), measure.field(), SHARE);
        }
        must(self.budgets.iter().all(Limits::are_shares), "budgets", EACH_BUDGET);
        must(self.budgets.len() <= 32, "budgets", "must be at most 32");
        must(self.budget_range.as_ref().is_none_or(BudgetRange::is_sound), "budget_range", RANGE);
        let is_manual = |name: &StrategyName| name.0 == MANUAL;
        let needs_budget = self.strategies.iter().any(|name| !is_manual(name));
        must(!needs_budget || !self.budgets().is_empty(), "macs", "is missing; a search needs at least one budget");
        must((1..=16).contains(&self.strategies.len()), "strategies", "must be from 1 to 16 names");
        let mut names: Vec<_> = self.strategies.iter().collect();
        names.sort();
        must(names.windows(2).all(|pair| pair[0] != pair[1]), "strategies", "must name each strategy once");
        let has_manual = self.strategies.iter().any(is_manual);
        must(has_manual || self.manual.is_empty(), "manual", "is for the strategy `manual`, which is not asked for");
        must(!has_manual || !self.manual.is_empty(), "manual", "must have at least one strategy");
        must(self.manual.len() <= 1000, "manual", "must be at most 1000 strategies");
        must((1..=10_000).contains(&self.candidates), "candidates", "must be from 1 to 10000");
        must(self.seed <= MAX_SEED, "seed", "must be at most 9007199254740991 (2^53 - 1)");
        must(self.calibration_images >= 1, "calibration_images", "must be at least 1");
        must(self.scoring_images >= 1, "scoring_images", "must be at least 1");
        must(self.repaired <= 1000, "repaired", "must be at most 1000");
        must(self.short_tuned <= 1000, "short_tuned", "must be at most 1000");
        must((1..=1000).contains(&self.short_tune_epochs), "short_tune_epochs", "must be from 1 to 1000");
        must((1..=4096).contains(&self.batch_size), "batch_size", "must be from 1 to 4096");
        must(self.round_to.is_none_or(|multiple| (1..=1024).contains(&multiple)), "round_to", "must be from 1 to 1024");
        must((0.0..=1.0).contains(&self.min_keep_ratio), "min_keep_ratio", "must be a fraction from 0 to 1");
        must(self.name.as_deref().is_none_or(|name| name_in(name).is_some()), "name", NAME_RULE);
        let is_known = |name: &str| Template::named(name).is_some();
        must(self.template.as_deref().is_none_or(is_known), "template", "must be the name of one of `GET /templates`");
        must(self.group_limits.len() <= 1000, "group_limits", "must be at most 1000");
        faults.extend(self.group_limits.iter().flat_map(GroupLimit::faults));
        faults.extend(self.adaptation.faults());
        faults.extend(self.class_order.faults());
        faults.extend(self.preprocessing.faults());
        faults
    }

    /// The request as it is stored.
    ///
    /// # Errors
    /// Never for a request that was read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        current(self, VERSION)
    }

    /// A stored request, of any version up to today's. Before there were versions, what it is about stood beside it alone:
    /// `model_id` and `dataset_id` are for those.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(document: Value, model_id: Uuid, dataset_id: Uuid) -> Result<Self, StoredError> {
        upgraded(document, VERSION, |version, fields: &mut Map<String, Value>| {
            if version == 0 {
                fields.insert("model_id".to_owned(), json!(model_id));
                fields.insert("dataset_id".to_owned(), json!(dataset_id));
            }
            before_several_strategies(fields);
        })
    }
}

/// Until version 1 a search had one strategy and one budget, and evaluated each candidate on all images.
fn before_several_strategies(fields: &mut Map<String, Value>) {
    let strategy = fields.remove("strategy").unwrap_or_else(|| json!("random"));
    fields.insert("strategies".to_owned(), json!([strategy]));
    fields.insert("uniform_reference".to_owned(), json!(false));
    fields.insert("racing".to_owned(), json!(false));
    fields.insert("test_images".to_owned(), json!(0));
    let scoring = fields.get("scoring_images").cloned().unwrap_or_default();
    fields.insert("vanilla_images".to_owned(), scoring);
}

fn default_strategies() -> Vec<StrategyName> {
    vec![StrategyName::default()]
}

fn default_vanilla_images() -> u32 {
    512
}

fn short_tune_epochs() -> u32 {
    3
}

fn is_short_tune_epochs(epochs: &u32) -> bool {
    *epochs == short_tune_epochs()
}

fn yes() -> bool {
    true
}

fn is_false(value: &bool) -> bool {
    !value
}

fn default_candidates() -> u32 {
    DEFAULT_CANDIDATES
}

fn default_batch_size() -> u32 {
    128
}

fn default_min_keep_ratio() -> f64 {
    DEFAULT_MIN_KEEP_RATIO
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: Value) -> SearchRequest {
        let mut body = json!({
            "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "macs": 0.5,
            "calibration_images": 100, "scoring_images": 100,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn what_is_left_out_gets_its_default() {
        let request = request(json!({}));
        assert_eq!(request.faults(), []);
        assert_eq!(
            (request.budgets(), request.used_test_images(5000), request.used_test_images(7)),
            (vec![Budget::macs(0.5)], 2000, 7)
        );
        assert_eq!((request.candidates, request.seed, request.batch_size, request.round_to), (48, 0, 128, None));
        assert_eq!(
            (request.strategies.clone(), request.preprocessing.scale),
            (vec![StrategyName::default()], 1.0 / 255.0)
        );
        assert!(request.uniform_reference && request.racing && !request.front);
        assert_eq!((request.vanilla_images, request.test_images, request.repaired), (512, None, 0));
        assert_eq!(request.space(), Space::default());
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let cases = [
            (json!({"macs": 0}), "macs"),
            (json!({"macs": 1.01}), "macs"),
            (json!({"parameters": 0}), "parameters"),
            (json!({"bytes": 1.5}), "bytes"),
            (json!({"latency": 0}), "latency"),
            (json!({"budgets": [{"latency": 1.5}]}), "budgets"),
            (json!({"budgets": [{}]}), "budgets"),
            (json!({"budgets": [{"macs": 2}]}), "budgets"),
            (json!({"budget_range": {"measure": "macs", "from": 0.5, "to": 0.5, "steps": 3}}), "budget_range"),
            (json!({"strategies": []}), "strategies"),
            (json!({"strategies": ["random", "random"]}), "strategies"),
            (json!({"manual": [{"groups": {}}]}), "manual"),
            (json!({"strategies": ["manual"]}), "manual"),
            (json!({"candidates": 0}), "candidates"),
            (json!({"seed": 1u64 << 53}), "seed"),
            (json!({"calibration_images": 0}), "calibration_images"),
            (json!({"scoring_images": 0}), "scoring_images"),
            (json!({"template": "vgg"}), "template"),
            (json!({"repaired": 1001}), "repaired"),
            (json!({"short_tuned": 1001}), "short_tuned"),
            (json!({"short_tune_epochs": 0}), "short_tune_epochs"),
            (json!({"batch_size": 0}), "batch_size"),
            (json!({"round_to": 0}), "round_to"),
            (json!({"min_keep_ratio": -0.1}), "min_keep_ratio"),
            (json!({"name": " "}), "name"),
            (json!({"adaptation": {"momentum": 0.1}}), "adaptation.momentum"),
            (json!({"adaptation": {"mode": "momentum", "momentum": 2}}), "adaptation.momentum"),
            (json!({"adaptation": {"batches": 0}}), "adaptation.batches"),
            (json!({"preprocessing": {"mean": [0], "deviation": [0]}}), "preprocessing.deviation"),
            (json!({"preprocessing": {"mean": [0], "deviation": [1], "scale": 0}}), "preprocessing.scale"),
        ];
        for (change, field) in cases {
            let faults = request(change.clone()).faults();
            assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [field], "{change}");
        }
        assert_eq!(request(json!({"macs": 7, "round_to": 0})).faults().len(), 2, "all faults are named at once");
    }

    #[test]
    fn budgets_are_listed_once_in_the_order_in_which_they_are_asked_for() {
        let change = json!({
            "parameters": 0.25, "budgets": [{ "macs": 0.3 }, { "bytes": 0.5 }, { "macs": 0.3 }],
            "budget_range": { "measure": "macs", "from": 0.6, "to": 0.3, "steps": 2 },
        });
        let budgets: Vec<String> = request(change).budgets().iter().map(Budget::to_string).collect();
        let macs = |fraction| format!("{fraction} of the MACs");
        assert_eq!(
            budgets,
            [macs("0.5") + " and 0.25 of the parameters", macs("0.3"), "0.5 of the bytes".to_owned(), macs("0.6")]
        );
    }

    #[test]
    fn racing_begins_with_a_part_of_the_images() {
        let rungs = |change| request(change).rungs();
        let large = json!({ "calibration_images": 3200, "scoring_images": 5000 });
        assert_eq!(rungs(large.clone()).len(), 3);
        let mut all = large;
        all["racing"] = json!(false);
        assert_eq!(rungs(all), [Rung { calibration: 3200, scoring: 5000 }]);
        assert_eq!(rungs(json!({})), [Rung { calibration: 100, scoring: 100 }]);
    }

    #[test]
    fn a_request_survives_storage_word_for_word() {
        let request = request(json!({
            "candidates": 24, "seed": MAX_SEED, "batch_size": 100, "round_to": 8, "min_keep_ratio": 0.2, "name": "night",
            "parameters": 0.3, "repaired": 2, "adaptation": { "mode": "momentum", "momentum": 0.1, "batches": 100 },
            "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 0.00392156862745098 },
        }));
        let stored = request.to_stored().unwrap();
        assert_eq!(stored["version"], 2);
        assert_eq!(SearchRequest::from_stored(stored, Uuid::max(), Uuid::max()).unwrap(), request);
    }

    #[test]
    fn a_request_from_before_there_were_versions_is_read() {
        let old = r#"{"macs":0.4,"candidates":6,"seed":7,"calibration_images":200,"scoring_images":300,"batch_size":50,
            "round_to":2,"min_keep_ratio":0.2,"adaptation":{"mode":"momentum","momentum":0.2,"batches":7},
            "preprocessing":{"mean":[0.286],"deviation":[0.353],"scale":0.00392156862745098}}"#;
        let read = SearchRequest::from_stored(serde_json::from_str(old).unwrap(), Uuid::max(), Uuid::nil()).unwrap();
        assert_eq!((read.model_id, read.dataset_id, read.round_to), (Uuid::max(), Uuid::nil(), Some(2)));
        assert_eq!((read.strategies, read.parameters), (vec![StrategyName("random".to_owned())], None));
        assert!(!read.uniform_reference && !read.racing, "it goes on as it began");
        assert_eq!((read.vanilla_images, read.test_images), (300, Some(0)));
    }

    #[test]
    fn a_request_of_the_time_of_one_strategy_goes_on_with_it() {
        let mut stored = request(json!({ "scoring_images": 700 })).to_stored().unwrap();
        let fields = stored.as_object_mut().unwrap();
        for new in ["strategies", "uniform_reference", "racing", "vanilla_images"] {
            fields.remove(new);
        }
        fields.insert("version".to_owned(), json!(1));
        fields.insert("strategy".to_owned(), json!("uniform"));
        let read = SearchRequest::from_stored(stored, Uuid::nil(), Uuid::nil()).unwrap();
        assert_eq!((read.strategies, read.vanilla_images), (vec![StrategyName("uniform".to_owned())], 700));
    }

    #[test]
    fn a_request_of_a_newer_version_is_refused() {
        let mut stored = request(json!({})).to_stored().unwrap();
        stored["version"] = json!(3);
        let error = SearchRequest::from_stored(stored, Uuid::nil(), Uuid::nil()).unwrap_err().to_string();
        assert!(error.contains("version 3"), "{error}");
    }
}
