use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    Baseline, Candidate, Evaluation, EvaluationKind, GroupKeep, Hits, ImageSet, Intervals, Latency, LatencyModel,
    LatencyOf, Origin, Runtime, Score, SearchRequest, StrategyName, Warning,
};

const FULL: (u64, u64, u64) = (1_000_000, 40_000, 160_000);

/// Right on these of the images.
fn hits(right: std::ops::Range<u64>, images: u64) -> Hits {
    Hits::from_bits((0..images).map(|image| right.contains(&image)))
}

fn score(hits: &Hits) -> Score {
    let top1 = hits.count() as f64 / hits.len() as f64;
    Score { agreement: Some(top1), ..Score::new(top1, 0.99, 0.5) }
}

fn evaluation(image_set: ImageSet, calibration: u64, hits: Hits) -> Evaluation {
    Evaluation {
        calibration_images: Some(calibration),
        hits: Some(hits.clone()),
        ..Evaluation::new(EvaluationKind::Adapted, image_set, hits.len(), score(&hits))
    }
}

/// A candidate that keeps `kept` of 16 units and was right on the images below `right` of each thousand that it was scored on.
fn candidate(index: u32, strategy: &str, budget: Option<u32>, kept: u64, evaluations: Vec<Evaluation>) -> Candidate {
    Candidate {
        index,
        origin: Origin { strategy: StrategyName(strategy.to_owned()), budget, number: index, is_probe: false },
        strategy: vec![kept as u32, 8 + index],
        groups: vec![
            GroupKeep { group: "stem|a".to_owned(), size: 16, kept },
            GroupKeep { group: "tail".to_owned(), size: 64, kept: u64::from(8 + index) },
        ],
        macs: FULL.0 * kept / 16,
        parameters: FULL.1 * kept / 16,
        bytes: Some(FULL.2 * kept / 16),
        evaluations,
        seconds: 1.0,
    }
}

fn first_rung(right: u64) -> Evaluation {
    evaluation(ImageSet::Scoring, 500, hits(0..right, 500))
}

fn last_rung(right: u64) -> Evaluation {
    evaluation(ImageSet::Scoring, 1000, hits(0..right, 1000))
}

fn test_images(right: u64) -> Evaluation {
    evaluation(ImageSet::Test, 1000, hits(0..right, 400))
}

fn unadapted(right: u64) -> Evaluation {
    let hits = hits(0..right, 100);
    Evaluation {
        kind: EvaluationKind::Unadapted,
        calibration_images: Some(0),
        ..evaluation(ImageSet::Scoring, 0, hits)
    }
}

fn latency(milliseconds: f64, full_milliseconds: f64, threads: u32) -> Latency {
    let device = "cpu".to_owned();
    Latency { runtime: Runtime::Onnxruntime, device, threads, batch_size: 1, runs: 50, milliseconds, full_milliseconds }
}

/// What a search has stored.
struct Stored {
    name: Option<String>,
    request: SearchRequest,
    baseline: Baseline,
    split: ReportedSplit,
    candidates: Vec<Candidate>,
    latencies: BTreeMap<u32, Vec<Latency>>,
    latency_model: Option<LatencyModel>,
    warnings: Vec<Warning>,
    ended: ReportedEnd,
    error: Option<String>,
}

impl Stored {
    fn empty(change: Value) -> Self {
        let mut body = json!({
            "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "macs": 0.5, "seed": 7,
            "calibration_images": 1000, "scoring_images": 1000,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        let (scoring, test) = (hits(0..910, 1000), hits(0..364, 400));
        let baseline = Baseline {
            score: score(&scoring),
            intervals: Some(Intervals::of(&score(&scoring), 1000)),
            macs: FULL.0,
            parameters: FULL.1,
            bytes: Some(FULL.2),
            test: Some(score(&test)),
            hits: Some(scoring),
        };
        Self {
            name: None,
            request: serde_json::from_value(body).unwrap(),
            baseline,
            split: ReportedSplit { calibration: 1000, scoring: 1000, test: 400 },
            candidates: Vec::new(),
            latencies: BTreeMap::new(),
            latency_model: None,
            warnings: Vec::new(),
            ended: ReportedEnd::Succeeded,
            error: None,
        }
    }

    /// Two budgets and three strategies. At 0.5 `sensitivity` is clearly better than uniform; at 0.25 uniform is not beaten.
    fn two_budgets() -> Self {
        let mut stored = Self::empty(json!({
            "budgets": [{ "macs": 0.25, "parameters": 0.3 }], "strategies": ["random", "sensitivity"], "candidates": 3,
        }));
        stored.name = Some("night | shift".to_owned());
        let mut probe = candidate(5, "sensitivity", Some(0), 15, vec![first_rung(490)]);
        probe.origin.is_probe = true;
        stored.candidates = vec![
            candidate(0, "uniform", Some(0), 8, vec![first_rung(380), last_rung(800), test_images(320)]),
            candidate(1, "random", Some(0), 8, vec![first_rung(300), unadapted(20)]),
            candidate(2, "random", Some(0), 8, vec![first_rung(400), last_rung(798), test_images(300)]),
            candidate(
                3,
                "sensitivity",
                Some(0),
                8,
                vec![first_rung(430), last_rung(850), test_images(338), unadapted(30)],
            ),
            candidate(4, "sensitivity", Some(0), 8, vec![first_rung(421), last_rung(849)]),
            probe,
            candidate(6, "uniform", Some(1), 4, vec![first_rung(300), last_rung(600), test_images(250)]),
            candidate(7, "random", Some(1), 4, vec![first_rung(310), last_rung(603), test_images(252)]),
            candidate(8, "random", Some(1), 4, vec![first_rung(60)]),
        ];
        stored.latencies.insert(3, vec![latency(0.2, 0.36, 1), latency(0.2, 0.2, 2)]);
        stored.latencies.insert(7, vec![latency(0.54, 0.36, 1)]);
        stored.warnings = vec![Warning::few_scoring_images(0.91, 1000)];
        stored
    }

    fn report(&self) -> Report {
        Report::new(&ReportInput {
            name: self.name.as_deref(),
            model: "mobile_net*",
            dataset: "fashion",
            classes: Some(10),
            request: &self.request,
            baseline: &self.baseline,
            split: self.split,
            candidates: &self.candidates,
            latencies: &self.latencies,
            latency_model: self.latency_model.as_ref(),
            warnings: &self.warnings,
            seconds: Some(83.4),
            ended: self.ended,
            error: self.error.as_deref(),
        })
    }
}

fn says(sentences: &[String], part: &str) -> bool {
    sentences.iter().any(|sentence| sentence.contains(part))
}

/// Every row of a table has as many cells as its header.
fn assert_tables_are_whole(markdown: &str) {
    let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = markdown.lines().collect();
    let mut rows = 0;
    for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|'))) {
        assert_eq!(cells(pair[0]), cells(pair[1]), "{pair:?}");
        rows += 1;
    }
    assert!(rows > 0, "{markdown}");
}

#[test]
fn the_figures_of_a_search_are_exact() {
    let report = serde_json::to_value(Stored::two_budgets().report()).unwrap();
    let at = |place: &str| report.pointer(place).unwrap_or_else(|| panic!("no {place}")).clone();
    for (place, value) in [
        ("/version", json!(1)),
        ("/labelled", json!(true)),
        ("/request/batch_size", json!(128)),
        ("/full/scoring/score/top1", json!(0.91)),
        ("/full/test/images", json!(400)),
        ("/sections/0/limits", json!({ "macs": 0.5 })),
        ("/sections/1/title", json!("25% of the MACs and 30% of the parameters")),
        ("/sections/0/winner/index", json!(3)),
        ("/sections/0/winner/scoring/score/top1", json!(0.85)),
        ("/sections/0/winner/unadapted/score/top1", json!(0.3)),
        ("/sections/0/winner/costs/macs", json!(500_000)),
        ("/sections/0/winner/costs/bytes_fraction", json!(0.5)),
        ("/sections/0/winner/groups/1/kept", json!(11)),
        ("/sections/0/winner/latencies/0/runtime", json!("onnxruntime")),
        ("/sections/0/winner/latencies/1/speedup", json!(1.0)),
        ("/sections/0/winner/against_uniform/with", json!(0)),
        ("/sections/0/winner/against_uniform/difference", json!(0.05)),
        ("/sections/0/winner/against_uniform/standing", json!("better")),
        ("/sections/0/winner/against_uniform_on_test/images", json!(400)),
        ("/sections/0/winner/against_full/difference", json!(-0.06)),
        ("/sections/0/evaluated", json!(5)),
        ("/sections/0/probes", json!(1)),
        ("/sections/0/scored_on", json!([{ "images": 1000, "candidates": 4 }, { "images": 500, "candidates": 1 }])),
        ("/sections/0/strategies/1/strategy", json!("uniform")),
        ("/sections/0/strategies/1/best/against_uniform/standing", json!("same")),
        ("/sections/0/strategies/2/best/index", json!(2)),
        ("/sections/0/strategies/2/best/against_uniform/standing", json!("tied")),
        ("/sections/1/winner/against_uniform/standing", json!("tied")),
        ("/sections/0/front", Value::Null),
        // Six networks on the first rung, four on the last.
        ("/sections/0/passes", json!({ "spent": 14_000, "of_all": 12_000, "ratio": 14.0 / 12.0 })),
        ("/passes/of_all", json!(18_000)),
    ] {
        assert_eq!(at(place), value, "{place}");
    }
    let low = at("/sections/0/winner/against_uniform/interval/low").as_f64().unwrap();
    assert!((low - 0.0361).abs() < 5e-4, "{low}");
}

#[test]
fn a_report_reads_back() {
    let report = Stored::two_budgets().report();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn the_markdown_is_that_of_the_snapshot() {
    let markdown = Stored::two_budgets().report().to_markdown();
    assert_tables_are_whole(&markdown);
    let (report, request) = markdown.split_once("```json\n").unwrap();
    assert!(report == include_str!("report.md"), "the report is now:\n{report}");
    let request: SearchRequest = serde_json::from_str(request.trim_end().trim_end_matches("```")).unwrap();
    assert_eq!(request, Stored::two_budgets().request);
}

#[test]
fn who_is_tied_with_the_winner_is_listed_best_first() {
    let mut stored = Stored::two_budgets();
    let ties = stored.report().sections[0].ties.clone();
    assert_eq!(ties, Ties { count: 1, on_fewer_images: 0, indices: vec![4] });
    // All of the first rung's images are right both here and there.
    let many = (9..40).map(|index| candidate(index, "random", Some(0), 8, vec![first_rung(500)]));
    stored.candidates.extend(many);
    let report = stored.report();
    // 40 networks on the first rung, 6 on the last: 52,000 of 80,000.
    assert!(says(&report.sentences, "took 65.0% of the image passes"), "{:?}", report.sentences);
    let section = &report.sections[0];
    assert_eq!((section.ties.count, section.ties.on_fewer_images, section.ties.indices.len()), (32, 31, 20));
    assert_eq!(section.ties.indices[..3], [4, 9, 10]);
    assert!(says(&section.sentences, "32 other candidates are tied with it, 31 of them on the fewer images"));
}

#[test]
fn advice_follows_from_the_figures() {
    let report = Stored::two_budgets().report();
    let low = "For 25% of the MACs and 30% of the parameters: ";
    assert!(says(&report.advice, &format!("{low}The winner is tied with uniform")), "{:?}", report.advice);
    assert!(says(&report.advice, &format!("{low}The winner was measured to be slower")), "{:?}", report.advice);
    assert!(says(
        &report.advice,
        "For 50% of the MACs: The winner was measured to be no faster than the full network in ONNX Runtime (cpu, 2 threads"
    ));
    assert!(says(&report.advice, "6.0 points below the full network"), "{:?}", report.advice);
    assert!(says(&report.advice, "Score on more images"), "{:?}", report.advice);
    assert!(says(&report.sections[1].sentences, "it is slower, and takes 1.50 times as long"));

    let mut stored = Stored::two_budgets();
    stored.candidates.truncate(1);
    stored.candidates[0].evaluations = vec![last_rung(150)];
    assert!(says(&stored.report().advice, "near chance (15.0%)"), "{:?}", stored.report().advice);
}

#[test]
fn what_makes_scores_doubtful_is_the_first_thing_to_look_into() {
    let mut stored = Stored::two_budgets();
    stored.warnings = vec![Warning::above_full_network(0.5, 0.9, 1000), Warning::near_chance(0.1, 1000, 10)];
    let advice = stored.report().advice;
    assert!(advice[0].starts_with("Look into the warnings near_chance and above_full_network first"), "{advice:?}");
}

#[test]
fn a_winner_below_uniform_is_said_to_be() {
    // Racing ranks who was scored on more images first.
    let mut stored = Stored::empty(json!({}));
    stored.candidates = vec![
        candidate(0, "uniform", Some(0), 8, vec![first_rung(450)]),
        candidate(1, "random", Some(0), 8, vec![first_rung(400), last_rung(400)]),
    ];
    let report = stored.report();
    let standing = report.sections[0].winner.as_ref().unwrap().against_uniform.unwrap().standing;
    assert_eq!(standing, Standing::Below);
    assert!(says(&report.sections[0].sentences, "The uniform strategy (candidate 0) is better than it by 10.0 points"));
    assert!(says(&report.advice, "what won is below uniform"));
}

#[test]
fn a_search_without_candidates_has_a_report() {
    let report = Stored::empty(json!({})).report();
    assert_eq!(report.sections.len(), 1);
    assert_eq!((report.sections[0].winner.is_none(), report.passes.ratio), (true, None));
    assert_eq!(report.sentences, ["The search has no candidates."]);
    assert!(report.to_markdown().contains("No candidate was evaluated."));
}

#[test]
fn without_test_images_a_score_is_said_to_be_flattered() {
    let mut stored = Stored::two_budgets();
    stored.split.test = 0;
    stored.baseline.test = None;
    for candidate in &mut stored.candidates {
        candidate.evaluations.retain(|evaluation| evaluation.image_set != ImageSet::Test);
    }
    let report = stored.report();
    assert!(says(&report.sections[0].sentences, "There are no test images. A candidate that was chosen for its score"));
    assert!(says(&report.advice, "Hold back test images"));
    assert!(!report.to_markdown().contains("on test images"));
}

#[test]
fn without_labels_no_score_is_an_accuracy() {
    let mut stored = Stored::two_budgets();
    stored.warnings = vec![Warning::unlabelled(1000)];
    let report = stored.report();
    let markdown = report.to_markdown();
    assert!(!report.labelled && report.sections[0].winner.as_ref().unwrap().against_full.is_none());
    assert!(says(&report.sentences, "agrees with the full network on 85.0%"), "{:?}", report.sentences);
    let (before_warnings, _) = markdown.split_once("## Warnings").unwrap();
    for accuracy in ["correctly", "accurac", "top-1"] {
        assert!(!before_warnings.contains(accuracy), "`{accuracy}` is in:\n{markdown}");
    }
    assert!(markdown.contains("| agreement with the full network |"));
    assert_tables_are_whole(&markdown);
}

#[test]
fn one_candidate_wins_against_nobody() {
    let mut stored = Stored::empty(json!({ "uniform_reference": false }));
    stored.candidates = vec![candidate(0, "random", Some(0), 8, vec![last_rung(850)])];
    let report = stored.report();
    assert!(says(&report.sections[0].sentences, "Candidate 0 (random) is the only one that was evaluated"));
    assert!(says(&report.sections[0].sentences, "There is no uniform candidate"));
    assert!(
        says(&report.advice, "Evaluate more candidates") && says(&report.advice, "Evaluate the uniform strategy too")
    );
    assert_eq!(report.passes, Passes { spent: 2000, of_all: 2000, ratio: Some(1.0) });
}

#[test]
fn a_probe_never_wins() {
    let mut stored = Stored::two_budgets();
    stored.candidates[5].evaluations.push(last_rung(1000));
    let section = &stored.report().sections[0];
    assert_eq!(section.winner.as_ref().unwrap().index, 3);
    assert!(section.strategies.iter().all(|strategy| strategy.best.index != 5) && !section.ties.indices.contains(&5));
    stored.candidates = vec![stored.candidates.remove(5)];
    assert!(stored.report().sections[0].winner.is_none());
}

#[test]
fn a_front_goes_from_cheap_to_dear() {
    let mut stored =
        Stored::empty(json!({ "front": true, "strategies": ["evolutionary"], "budgets": [{ "macs": 0.25 }] }));
    stored.candidates = vec![
        candidate(0, "evolutionary", None, 8, vec![last_rung(850)]),
        candidate(1, "evolutionary", None, 4, vec![last_rung(600)]),
        candidate(2, "evolutionary", None, 6, vec![last_rung(590)]),
        candidate(3, "evolutionary", None, 2, vec![first_rung(499)]),
        candidate(4, "evolutionary", None, 8, vec![last_rung(840)]),
    ];
    let report = stored.report();
    let section = report.sections.last().unwrap();
    let points = section.front.as_ref().unwrap().iter().map(|point| (point.index, point.fraction, point.top1));
    assert_eq!(points.collect::<Vec<_>>(), [(1, 0.25, 0.6), (0, 0.5, 0.85)]);
    assert_eq!((section.budget, section.title.as_str(), section.limits), (None, "the front", None));
    assert!(says(&report.sentences, "For the front, candidate 0"), "{:?}", report.sentences);
    assert_tables_are_whole(&report.to_markdown());
    stored.candidates.push(candidate(5, "uniform", Some(0), 4, vec![last_rung(700)]));
    let report = stored.report();
    let front = report.sections.last().unwrap().front.as_ref().unwrap();
    assert_eq!(front.iter().map(|point| point.index).collect::<Vec<_>>(), [5, 0], "whoever proposed it");
}

#[test]
fn a_network_that_was_evaluated_once_for_two_candidates_counts_once() {
    let mut stored = Stored::empty(json!({}));
    let twin = candidate(0, "uniform", Some(0), 8, vec![first_rung(400), last_rung(800)]);
    stored.candidates = vec![twin.clone(), Candidate { index: 1, ..twin }];
    stored.candidates[1].origin.strategy = StrategyName("random".to_owned());
    let report = stored.report();
    assert_eq!((report.passes.spent, report.passes.of_all), (3000, 2000));
    let other = &report.sections[0].strategies[1];
    assert_eq!(other.best.against_uniform.unwrap().standing, Standing::Same);
}

#[test]
fn a_budget_of_latency_is_held_against_what_was_measured() {
    let mut stored = Stored::two_budgets();
    stored.request.budgets[0].latency = Some(0.5);
    stored.latency_model = Some(LatencyModel {
        of: LatencyOf::OnnxruntimeOneThread,
        device: "cpu".to_owned(),
        threads: 1,
        fixed: 0.01,
        per_million_macs: 0.02,
        per_million_activations: 0.1,
        per_million_parameters: 0.0,
        full_milliseconds: 0.36,
        networks: 13,
        error: 0.042,
    });
    stored.latencies.insert(7, vec![latency(0.2, 0.36, 1)]);
    let report = stored.report();
    let sentences = &report.sections[1].sentences;
    for part in [
        "allows 50.0% of the full network's latency in ONNX Runtime with one thread; measured, it takes 55.6%",
        "a model of 13 measured networks, which is off by 4.2% in the median",
    ] {
        assert!(says(sentences, part), "{sentences:?}");
    }
    assert!(!says(&report.sections[0].sentences, "The budget allows"));
    stored.latencies.clear();
    assert!(says(&stored.report().sections[1].sentences, "with one thread; that was not measured"));
}

/// With a winner that has evaluations of a further kind, on scoring images and perhaps on test images.
fn evaluated_further(kind: EvaluationKind, with_test: bool) -> Report {
    let mut stored = Stored::two_budgets();
    let of_kind = |evaluation: Evaluation| Evaluation { kind, ..evaluation };
    let evaluations = &mut stored.candidates[3].evaluations;
    evaluations.push(of_kind(last_rung(901)));
    evaluations.extend(with_test.then(|| of_kind(test_images(359))));
    stored.report()
}

#[test]
fn what_was_published_of_the_template_stands_beside_the_result_and_is_called_so() {
    let mut stored = Stored::two_budgets();
    assert!(!says(&stored.report().sentences, "Published"));
    stored.request.template = Some("resnet50_50".to_owned());
    assert!(says(&stored.report().sentences, "Published for ResNet-50 on ImageNet's validation images"));
}

#[test]
fn trainings_of_a_short_time_say_how_long_also_where_the_request_does_not() {
    let mut stored = Stored::two_budgets();
    stored.request.short_tuned = 2;
    assert!(stored.report().to_markdown().contains("2, 3 epochs each"));
}

#[test]
fn what_a_repair_or_a_short_training_makes_of_the_winner_is_said_and_changes_no_ranking() {
    let repaired = (
        EvaluationKind::Repaired,
        "Repaired in closed form, without labels or training, it",
        "| repaired |",
        (|winner| [&winner.repaired, &winner.repaired_test]) as fn(&ReportedCandidate) -> [&Option<ScoredOn>; 2],
    );
    let short_tuned = (
        EvaluationKind::ShortTuned,
        "Trained for 3 epochs on the calibration images, it",
        "| trained for a short time |",
        (|winner| [&winner.short_tuned, &winner.short_tuned_test]) as fn(&ReportedCandidate) -> [&Option<ScoredOn>; 2],
    );
    for (kind, beginning, column, of) in [repaired, short_tuned] {
        let report = evaluated_further(kind, true);
        let winner = report.sections[0].winner.as_ref().unwrap();
        let top1 = |on: &Option<ScoredOn>| on.as_ref().map(|on| (on.score.top1, on.images));
        assert_eq!((winner.index, winner.scoring.score.top1), (3, 0.85));
        assert_eq!(of(winner).map(top1), [Some((0.901, 1000)), Some((0.8975, 400))]);
        let said = format!("{beginning} classifies 90.1% of 1000 scoring images correctly");
        assert!(says(&report.sections[0].sentences, &said), "{:?}", report.sections[0].sentences);
        assert!(says(&report.sections[0].sentences, "and classifies 89.8% of 400 test images correctly"));
        assert!(!says(&report.sections[1].sentences, beginning), "nobody has done so with that winner");
        let markdown = report.to_markdown();
        assert_tables_are_whole(&markdown);
        assert!(markdown.contains(column) && markdown.contains("| 90.1% ("), "{markdown}");
        assert!(!Stored::two_budgets().report().to_markdown().contains(column));

        let without = evaluated_further(kind, false);
        assert_eq!(of(without.sections[0].winner.as_ref().unwrap())[1], &None);
        assert!(says(&without.sections[0].sentences, &said));
    }
}

#[test]
fn a_search_that_has_not_succeeded_says_so_first() {
    let mut stored = Stored::two_budgets();
    assert!(stored.report().sentences[0].starts_with("At 50% of the MACs"), "{:?}", stored.report().sentences);
    for (ended, error, first) in [
        (ReportedEnd::NotYet, None, "The search has not ended"),
        (ReportedEnd::Cancelled, None, "The search was cancelled"),
        (ReportedEnd::Failed, Some("the best is above the full network."), "The search failed, so what"),
    ] {
        (stored.ended, stored.error) = (ended, error.map(str::to_owned));
        let report = stored.report();
        assert!(report.sentences[0].starts_with(first), "{:?}", report.sentences);
        assert!(says(&report.sentences, "At 50% of the MACs"), "what was found stays");
        assert_eq!(report.error, stored.error);
    }
    assert!(says(&stored.report().sentences, "as it is: the best is above the full network."));
    assert_eq!(stored.report().advice, ["Mend what the search failed by, and search again."], "nothing to build on");
    assert!(stored.report().to_markdown().contains("The search failed"));
}
