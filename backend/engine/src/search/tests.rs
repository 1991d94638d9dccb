//! Searches over small networks and random images.

use std::cell::Cell;

use eagleeye_graph::{Activations, CostModel, channel_groups};
use eagleeye_spec::{
    Evaluation, EvaluationKind, ImageSet, LatencyOf, Origin, Score, StrategyName, TuneOptions, Warning, WarningCode,
};

use super::*;
use crate::doubt::Doubt;
use crate::exec::forward;
use crate::fold::fold;
use crate::made_again::{make_candidate, make_repaired};
use crate::observer::Flow;
use crate::score::{Reference, score};
use crate::testing::{Quiet, classifier, images as random_images};
use crate::tune::{TuneImages, tune};

fn request(candidates: u32) -> SearchRequest {
    let request = serde_json::json!({
        "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
        "strategies": ["random"], "macs": 0.5, "candidates": candidates, "seed": 7, "batch_size": 16, "calibration_images": 64,
        "scoring_images": 96, "uniform_reference": false, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
    });
    serde_json::from_value(request).unwrap()
}

/// Random images with the full network's own answers as labels, so that there is an accuracy to lose.
fn images(network: &Network) -> Images {
    let scoring = random_images(1, &[96, 1, 12, 12]);
    let labels = forward(network, &scoring).unwrap().argmax(1, false);
    Images::of(random_images(2, &[64, 1, 12, 12]), scoring, labels)
}

/// What an earlier call has found.
fn from(candidates: Vec<Candidate>) -> Known {
    Known { candidates, latency: None }
}

#[derive(Default)]
struct Record {
    baseline: Option<Baseline>,
    candidates: Vec<Candidate>,
    further: Vec<(u32, u64, ImageSet)>,
    /// Repaired or trained ones.
    made: Vec<(u32, ImageSet)>,
    warnings: Vec<WarningCode>,
    phases: Vec<(Phase, u64, u64)>,
    stop_after: Option<usize>,
    asked: Cell<usize>,
    cancel_at: Option<usize>,
}

impl Observer for Record {
    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.cancel_at.is_some_and(|at| self.asked.get() > at)
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        self.phases.push((phase, done, total));
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        self.baseline = Some(baseline);
        Flow::Go
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        self.candidates.push(candidate);
        self.stop_or_go()
    }

    fn evaluation(&mut self, index: u32, evaluation: Evaluation) -> Flow {
        match evaluation.kind {
            EvaluationKind::Repaired | EvaluationKind::ShortTuned => self.made.push((index, evaluation.image_set)),
            _ => self.further.push((index, evaluation.images, evaluation.image_set)),
        }
        let candidate = self.candidates.iter_mut().find(|candidate| candidate.index == index).unwrap();
        candidate.evaluations.push(evaluation);
        self.stop_or_go()
    }

    fn warning(&mut self, warning: Warning) -> Flow {
        self.warnings.push(warning.code);
        Flow::Go
    }
}

impl Record {
    /// Stops after so many results.
    fn stop_or_go(&self) -> Flow {
        let results = self.candidates.len() + self.further.len() + self.made.len();
        if self.stop_after.is_some_and(|most| results >= most) { Flow::Stop } else { Flow::Go }
    }
}

/// Without the times, which differ from run to run.
fn untimed(candidates: &[Candidate]) -> Vec<Candidate> {
    let evaluation = |evaluation: &Evaluation| Evaluation { seconds: 0.0, ..evaluation.clone() };
    let each = candidates.iter().map(|candidate| Candidate {
        evaluations: candidate.evaluations.iter().map(evaluation).collect(),
        seconds: 0.0,
        ..candidate.clone()
    });
    each.collect()
}

fn run(network: &Network, request: &SearchRequest) -> Record {
    let mut record = Record::default();
    let outcome = search(network, &images(network), request, Known::default(), &mut record).unwrap();
    assert_eq!(untimed(&outcome.candidates), untimed(&record.candidates));
    record
}

fn score_of(candidate: &Candidate, kind: EvaluationKind) -> Score {
    eagleeye_spec::score_of(&candidate.evaluations, kind, ImageSet::Scoring).unwrap()
}

/// With adapted statistics, and with those of the unpruned network.
fn scores(candidate: &Candidate) -> (Score, Score) {
    (score_of(candidate, EvaluationKind::Adapted), score_of(candidate, EvaluationKind::Unadapted))
}

fn made(network: &Network, images: &Images, request: &SearchRequest, keep: &[usize]) -> Network {
    make_candidate(network, images, request, &StrategyName::default(), keep, &|| false).unwrap()
}

fn keep(candidate: &Candidate) -> Vec<usize> {
    candidate.strategy.iter().map(|&kept| kept as usize).collect()
}

#[test]
fn every_candidate_lands_on_the_budget_and_is_scored_twice() {
    let record = run(&classifier(1, true), &request(6));
    let baseline = record.baseline.unwrap();
    assert_eq!(baseline.score.top1, 1.0, "the labels are its own answers");
    assert_eq!(record.candidates.iter().map(|c| c.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    for candidate in &record.candidates {
        let share = candidate.macs as f64 / baseline.macs as f64;
        assert!((share - 0.5).abs() <= 0.005, "{share}");
        assert_eq!(candidate.groups.iter().map(|g| g.kept as u32).collect::<Vec<_>>(), candidate.strategy);
        assert_eq!(candidate.evaluations.iter().map(|e| e.images).collect::<Vec<_>>(), [96, 96]);
    }
    let differ = |candidate: &Candidate| scores(candidate).0 != scores(candidate).1;
    assert!(record.candidates.iter().any(differ));
    assert_eq!(record.phases.last(), Some(&(Phase::Candidates, 6, 6)));
}

#[test]
fn folded_batch_norms_are_replaced_by_virtual_ones() {
    let record = run(&classifier(3, false), &request(4));
    // Without virtual batch norms there would be nothing to adapt.
    let differ = |candidate: &Candidate| scores(candidate).0.cross_entropy != scores(candidate).1.cross_entropy;
    assert!(record.candidates.iter().all(differ));
}

#[test]
fn a_candidate_is_made_again_exactly() {
    for batch_norms in [true, false] {
        let network = classifier(4, batch_norms);
        let images = images(&network);
        let candidate = run(&network, &request(3)).candidates.remove(2);
        let made = made(&network, &images, &request(3), &keep(&candidate));
        let (scoring, labels) = (&images.scoring.images, images.scoring.labels.as_ref().unwrap());
        let reference = Reference::of(&fold(&network).unwrap(), scoring, 16, &|| false).unwrap();
        let scored = score(&fold(&made).unwrap(), scoring, labels, Some(&reference), 16, &|| false).unwrap();
        assert_eq!(scored.score, score_of(&candidate, EvaluationKind::Adapted));
        assert_eq!(eagleeye_graph::macs(&made.graph), candidate.macs);
        let names = |n: &Network| n.graph.parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&made), names(&network));
    }
}

#[test]
fn an_observer_that_says_stop_ends_the_search() {
    let network = classifier(5, true);
    let mut record = Record { stop_after: Some(2), ..Record::default() };
    let outcome = search(&network, &images(&network), &request(5), Known::default(), &mut record);
    assert!(matches!(outcome, Err(SearchError::Cancelled)));
    assert_eq!(record.candidates.len(), 2);
}

#[test]
fn a_cancel_is_noticed_inside_a_forward_pass() {
    let network = classifier(6, true);
    let mut record = Record { cancel_at: Some(40), ..Record::default() };
    let outcome = search(&network, &images(&network), &request(5), Known::default(), &mut record);
    assert!(matches!(outcome, Err(SearchError::Cancelled)));
    assert_eq!((record.asked.get(), record.candidates.len()), (41, 0));
}

/// Images whose labels are drawn by lot: no network does better than chance on them.
fn mislabelled() -> Images {
    let numbers = random_images(3, &[200]);
    let labels = ((numbers + 1.0) * 2.5).floor().clamp(0, 4).to_kind(tch::Kind::Int64);
    Images::of(random_images(2, &[64, 1, 12, 12]), random_images(1, &[200, 1, 12, 12]), labels)
}

#[test]
fn a_full_network_at_chance_ends_the_search_before_the_first_candidate() {
    let mut record = Record::default();
    let (network, images) = (classifier(8, true), mislabelled());
    let outcome = search(&network, &images, &request(5), Known::default(), &mut record);
    let Err(SearchError::Doubt(doubt)) = outcome else { panic!("{outcome:?}") };
    let Doubt::Chance { top1, images: 200, classes: 5 } = doubt else { panic!("{doubt:?}") };
    assert_eq!(record.baseline.unwrap().score.top1, top1, "the score is reported all the same");
    assert!(record.candidates.is_empty() && record.warnings.contains(&WarningCode::NearChance));
}

#[test]
fn a_best_candidate_far_above_the_full_network_ends_the_search_without_success_and_keeps_the_candidates() {
    let network = classifier(1, true);
    let keep = keep(&run(&network, &request(1)).candidates[0]);
    let made = made(&network, &images(&network), &request(1), &keep);
    // The labels are the candidate's answers, and on a fifth of the images the full network has others.
    let scoring = random_images(1, &[6000, 1, 12, 12]);
    let answers = |network: &Network| forward(network, &scoring).unwrap().argmax(1, false);
    let labels = answers(&made);
    let differ = labels.ne_tensor(&answers(&network));
    let (other, same) = (differ.nonzero().flatten(0, -1), differ.logical_not().nonzero().flatten(0, -1));
    let fifth = other.size()[0].min(same.size()[0] / 4);
    let chosen = tch::Tensor::cat(&[other.narrow(0, 0, fifth), same.narrow(0, 0, 4 * fifth)], 0);
    let (scoring, labels) = (scoring.index_select(0, &chosen), labels.index_select(0, &chosen));
    let on_all = SearchRequest { scoring_images: labels.size()[0] as u32, ..request(2) };
    let images = Images::of(images(&network).calibration.images.all().unwrap(), scoring, labels);

    let mut record = Record::default();
    let outcome = search(&network, &images, &on_all, Known::default(), &mut record);
    let Err(SearchError::Doubt(Doubt::AboveFull { full, best, .. })) = outcome else { panic!("{outcome:?}") };
    assert_eq!((record.baseline.unwrap().score.top1, record.candidates.len()), (full, 2));
    assert_eq!(scores(&record.candidates[0]).0.top1, best);
    assert!(record.warnings.contains(&WarningCode::AboveFullNetwork), "it is said as soon as it is seen");

    // A search that goes on knows it of candidates that it did not evaluate itself, too.
    let outcome = search(&network, &images, &on_all, from(record.candidates), &mut Record::default());
    assert!(matches!(outcome, Err(SearchError::Doubt(Doubt::AboveFull { .. }))), "{outcome:?}");
}

/// Two strategies under two budgets, a race over two rungs, and test images.
fn side_by_side() -> SearchRequest {
    let request = serde_json::json!({
        "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
        "strategies": ["random", "uniform"], "macs": 0.5, "budgets": [{ "macs": 0.7 }], "candidates": 6, "seed": 7,
        "batch_size": 32, "calibration_images": 64, "scoring_images": 1000, "vanilla_images": 40,
        "preprocessing": { "mean": [0.0], "deviation": [1.0] },
    });
    serde_json::from_value(request).unwrap()
}

fn many_images(network: &Network) -> Images {
    let answers = |images: &tch::Tensor| Some(forward(network, images).unwrap().argmax(1, false));
    let part = |seed, count| {
        let images = random_images(seed, &[count, 1, 12, 12]);
        crate::images::Part { labels: answers(&images), images: images.into() }
    };
    Images { calibration: part(2, 64), scoring: part(1, 1000), test: part(3, 50) }
}

#[test]
fn strategies_take_turns_under_each_budget_and_the_better_half_is_looked_at_again() {
    let network = classifier(1, true);
    let mut record = Record::default();
    let outcome = search(&network, &many_images(&network), &side_by_side(), Known::default(), &mut record).unwrap();
    let origins: Vec<(&str, Option<u32>, u32)> =
        outcome.candidates.iter().map(|c| (c.origin.strategy.0.as_str(), c.origin.budget, c.origin.number)).collect();
    let first = [("random", Some(0), 0), ("random", Some(1), 0), ("uniform", Some(0), 0), ("uniform", Some(1), 0)];
    assert_eq!((origins.len(), &origins[..4]), (14, &first[..]));
    assert_eq!(origins[4..6], [("random", Some(0), 1), ("random", Some(1), 1)]);
    let full = outcome.baseline.macs as f64;
    for candidate in &outcome.candidates {
        let budget = [0.5, 0.7][candidate.origin.budget.unwrap() as usize];
        assert!((candidate.macs as f64 / full / budget - 1.0).abs() <= 0.01);
        let first = &candidate.evaluations[0];
        assert_eq!((first.images, first.calibration_images), (500, Some(64)));
        assert_eq!(candidate.evaluations[1].images, 40);
    }
    // Of seven under each budget the best two were scored on all images, and the best of each strategy.
    for budget in [Some(0), Some(1)] {
        let of_budget = || outcome.candidates.iter().filter(|c| c.origin.budget == budget);
        let on_all = |c: &&Candidate| c.ranked().unwrap().images == 1000;
        assert!((2..=3).contains(&of_budget().filter(on_all).count()));
        assert!(of_budget().filter(on_all).any(|c| c.origin.strategy.0 == "uniform"));
    }
    let tested: Vec<u32> = record.further.iter().filter(|f| f.2 == ImageSet::Test).map(|f| f.0).collect();
    assert_eq!((tested.len(), &tested), (4, &outcome.finalists));
    assert_eq!(outcome.baseline.test.unwrap().top1, 1.0);
}

#[test]
fn a_search_that_is_stopped_anywhere_and_goes_on_gives_what_an_undisturbed_one_gives() {
    let network = classifier(2, true);
    let images = many_images(&network);
    let mut whole = Record::default();
    let whole = search(&network, &images, &side_by_side(), Known::default(), &mut whole).unwrap();
    for stop_after in [1, 3, 8, 14, 15, 17, 19] {
        let mut stopped = Record { stop_after: Some(stop_after), ..Record::default() };
        let outcome = search(&network, &images, &side_by_side(), Known::default(), &mut stopped);
        assert!(matches!(outcome, Err(SearchError::Cancelled)), "{stop_after}");
        let candidates = stopped.candidates.clone();
        let mut going_on = Record { candidates: stopped.candidates, ..Record::default() };
        let outcome = search(&network, &images, &side_by_side(), from(candidates), &mut going_on).unwrap();
        assert_eq!(untimed(&outcome.candidates), untimed(&whole.candidates), "{stop_after}");
        assert_eq!(outcome.finalists, whole.finalists);
    }
}

#[test]
fn a_search_that_is_extended_keeps_what_it_has_and_looks_at_the_new_ones() {
    let network = classifier(3, true);
    let images = many_images(&network);
    let before =
        search(&network, &images, &side_by_side(), Known::default(), &mut Record::default()).unwrap().candidates;
    let more = SearchRequest { candidates: 9, ..side_by_side() };
    let mut record = Record { candidates: before.clone(), ..Record::default() };
    let after = search(&network, &images, &more, from(before.clone()), &mut record).unwrap().candidates;
    assert_eq!(after.len(), 20);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old.evaluations, new.evaluations[..old.evaluations.len()], "what is evaluated is kept");
    }
    let last: Origin = after.last().unwrap().origin.clone();
    assert_eq!((last.strategy.0.as_str(), last.budget, last.number), ("random", Some(1), 8));
}

#[test]
fn a_strategy_that_was_evaluated_is_not_computed_again() {
    let network = classifier(4, true);
    let mut again = side_by_side();
    again.strategies = vec![StrategyName("uniform".to_owned())];
    again.budgets = vec![eagleeye_spec::Limits { macs: Some(0.5), parameters: Some(1.0), ..Default::default() }];
    let outcome = search(&network, &many_images(&network), &again, Known::default(), &mut Record::default()).unwrap();
    let [first, second] = &untimed(&outcome.candidates)[..] else { panic!("{:?}", outcome.candidates.len()) };
    assert_eq!((&first.strategy, &first.evaluations[..2]), (&second.strategy, &second.evaluations[..2]));
    assert_eq!(outcome.candidates[1].seconds, 0.0);
}

#[test]
fn images_without_labels_are_scored_against_the_full_network() {
    let network = classifier(5, true);
    let mut images = many_images(&network);
    for part in [&mut images.calibration, &mut images.scoring, &mut images.test] {
        part.labels = None;
    }
    let mut record = Record::default();
    let outcome = search(&network, &images, &side_by_side(), Known::default(), &mut record).unwrap();
    assert_eq!(record.warnings[0], WarningCode::Unlabelled);
    for candidate in &outcome.candidates {
        let score = candidate.evaluations[0].score;
        assert_eq!(Some(score.top1), score.agreement);
        assert!(score.kl.unwrap() > 0.0);
    }
}

#[test]
fn a_budget_out_of_reach_is_refused_with_the_range() {
    let network = classifier(7, true);
    let request = SearchRequest { macs: Some(0.0001), ..request(1) };
    let outcome = search(&network, &images(&network), &request, Known::default(), &mut Record::default());
    let Err(SearchError::Strategy(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("between"), "{error}");
}

#[test]
fn a_budget_of_latency_is_met_as_the_model_tells_it() {
    let network = classifier(5, true);
    let images = images(&network);
    let request = SearchRequest {
        macs: None,
        latency: Some(0.6),
        round_to: Some(1),
        uniform_reference: true,
        strategies: vec![StrategyName("random".to_owned()), StrategyName("sensitivity".to_owned())],
        ..request(6)
    };
    let unmeasured = search(&network, &images, &request, Known::default(), &mut Record::default());
    assert!(matches!(unmeasured, Err(SearchError::NoLatencyModel)), "{unmeasured:?}");

    let latency = LatencyModel {
        of: LatencyOf::Libtorch,
        device: "cpu".to_owned(),
        threads: 1,
        fixed: 0.001,
        per_million_macs: 0.4,
        per_million_activations: 20.0,
        per_million_parameters: 1.0,
        full_milliseconds: 0.1,
        networks: 9,
        error: 0.05,
    };
    let known = || Known { candidates: Vec::new(), latency: Some(latency.clone()) };
    let outcome = search(&network, &images, &request, known(), &mut Record::default()).unwrap();
    let groups = channel_groups(&network.graph).unwrap();
    let activations = Activations::new(&network.graph, &groups);
    let cost = CostModel::new(&network.graph, &groups).timed(activations, latency.rates());
    let full = cost.nanoseconds_at(&cost.full().keep) as f64;
    let winners = outcome.candidates.iter().filter(|candidate| !candidate.origin.is_probe);
    let kept: Vec<f64> = winners
        .map(|candidate| {
            let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
            cost.nanoseconds_at(&keep) as f64 / full
        })
        .collect();
    assert!(kept.len() > 6 && kept.iter().all(|kept| (kept / 0.6 - 1.0).abs() <= 0.01), "{kept:?}");
    let again = search(&network, &images, &request, known(), &mut Record::default()).unwrap();
    assert_eq!(untimed(&again.candidates), untimed(&outcome.candidates));
}

/// [`side_by_side`], with so many of each budget repaired.
fn with_repairs(count: u32) -> SearchRequest {
    SearchRequest { repaired: count, ..side_by_side() }
}

/// [`side_by_side`], with so many of each budget trained for three epochs of 64 images.
fn with_short_tunings(count: u32) -> SearchRequest {
    SearchRequest { short_tuned: count, ..side_by_side() }
}

#[test]
fn the_best_of_each_budget_are_repaired_and_the_ranking_stays() {
    for batch_norms in [true, false] {
        let network = classifier(6, batch_norms);
        let images = many_images(&network);
        let plain = search(&network, &images, &side_by_side(), Known::default(), &mut Record::default()).unwrap();
        let mut record = Record::default();
        let outcome = search(&network, &images, &with_repairs(2), Known::default(), &mut record).unwrap();
        let indices = |outcome: &Outcome| outcome.winners().map(|winner| winner.index).collect::<Vec<_>>();
        assert_eq!((indices(&outcome), &outcome.leaders), (indices(&plain), &plain.leaders));

        let repaired =
            |candidate: &&Candidate| candidate.evaluations.iter().any(|e| e.kind == EvaluationKind::Repaired);
        for budget in [Some(0), Some(1)] {
            let of_budget = outcome.candidates.iter().filter(|candidate| candidate.origin.budget == budget);
            assert_eq!(of_budget.filter(repaired).count(), 2);
        }
        for winner in outcome.winners() {
            for (set, count) in [(ImageSet::Scoring, 1000), (ImageSet::Test, 50)] {
                let evaluation =
                    eagleeye_spec::evaluation_of(&winner.evaluations, EvaluationKind::Repaired, set).unwrap();
                assert_eq!((evaluation.images, evaluation.calibration_images), (count, Some(64)));
            }
            let kl = |kind| score_of(winner, kind).kl.unwrap();
            assert!(kl(EvaluationKind::Repaired) < kl(EvaluationKind::Adapted), "{winner:#?}");
            let calibration = &images.calibration;
            let follow = crate::repair::Follow { cancelled: &|| false, progress: &|_, _| {} };
            let made = make_repaired(&network, calibration, &with_repairs(2), &keep(winner), &follow).unwrap();
            let (scoring, labels) = (&images.scoring.images, images.scoring.labels.as_ref().unwrap());
            let reference = Reference::of(&fold(&network).unwrap(), scoring, 32, &|| false).unwrap();
            let scored = score(&fold(&made).unwrap(), scoring, labels, Some(&reference), 32, &|| false).unwrap();
            assert_eq!(scored.score, score_of(winner, EvaluationKind::Repaired), "it is made again exactly");
        }
        let tested: Vec<u32> = record.made.iter().filter(|r| r.1 == ImageSet::Test).map(|r| r.0).collect();
        assert!(tested.iter().all(|index| outcome.finalists.contains(index)), "{tested:?}");
        let last = record.phases.last().unwrap();
        assert_eq!((last.0, last.1, last.2), (Phase::Repair, 24, 24), "six layers of four candidates");
    }
}

#[test]
fn the_best_of_each_budget_are_trained_for_a_short_time_and_the_ranking_stays() {
    for batch_norms in [true, false] {
        let network = classifier(6, batch_norms);
        let images = many_images(&network);
        let plain = search(&network, &images, &side_by_side(), Known::default(), &mut Record::default()).unwrap();
        let mut record = Record::default();
        let outcome = search(&network, &images, &with_short_tunings(2), Known::default(), &mut record).unwrap();
        let indices = |outcome: &Outcome| outcome.winners().map(|winner| winner.index).collect::<Vec<_>>();
        assert_eq!((indices(&outcome), &outcome.leaders), (indices(&plain), &plain.leaders));
        for winner in outcome.winners() {
            for (set, count) in [(ImageSet::Scoring, 1000), (ImageSet::Test, 50)] {
                let evaluation =
                    eagleeye_spec::evaluation_of(&winner.evaluations, EvaluationKind::ShortTuned, set).unwrap();
                assert_eq!((evaluation.images, evaluation.calibration_images), (count, Some(64)));
            }
            let request = with_short_tunings(2);
            let strategy = &winner.origin.strategy;
            let adapted = make_candidate(&network, &images, &request, strategy, &keep(winner), &|| false).unwrap();
            let options = TuneOptions { epochs: Some(3), flip: false, seed: request.seed, ..TuneOptions::default() };
            let parts = TuneImages { train: &images.calibration, validation: &images.scoring, test: None };
            let tuned = tune(&adapted, Some(&network), parts, &options, None, &mut Quiet).unwrap().network;
            let (scoring, labels) = (&images.scoring.images, images.scoring.labels.as_ref().unwrap());
            let reference = Reference::of(&fold(&network).unwrap(), scoring, 32, &|| false).unwrap();
            let scored = score(&fold(&tuned).unwrap(), scoring, labels, Some(&reference), 32, &|| false).unwrap();
            assert_eq!(scored.score, score_of(winner, EvaluationKind::ShortTuned), "it is what tuning makes of it");
            assert_ne!(scored.score, score_of(winner, EvaluationKind::Adapted));
        }
        assert_eq!(record.made.iter().filter(|made| made.1 == ImageSet::Scoring).count(), 4, "two of two budgets");
        let last = record.phases.last().unwrap();
        assert_eq!(
            (last.0, last.1, last.2),
            (Phase::ShortTune, 12, 12),
            "a step in each of three epochs of four candidates"
        );
    }
}

#[test]
fn repairs_are_not_done_again_and_a_stopped_search_ends_as_an_undisturbed_one() {
    are_not_made_again(EvaluationKind::Repaired, Phase::Repair, with_repairs(1));
}

#[test]
fn short_trainings_are_not_done_again_and_a_stopped_search_ends_as_an_undisturbed_one() {
    are_not_made_again(EvaluationKind::ShortTuned, Phase::ShortTune, with_short_tunings(1));
}

fn are_not_made_again(kind: EvaluationKind, phase: Phase, request: SearchRequest) {
    let network = classifier(2, true);
    let images = many_images(&network);
    let mut record = Record::default();
    let whole = search(&network, &images, &request, Known::default(), &mut record).unwrap();
    let results = record.candidates.len() + record.further.len();
    assert_eq!(record.made.len(), 4, "on scoring and test images, of two budgets");
    for stop_after in results..=results + 4 {
        let mut stopped = Record { stop_after: Some(stop_after), ..Record::default() };
        let outcome = search(&network, &images, &request, Known::default(), &mut stopped);
        assert!(matches!(outcome, Err(SearchError::Cancelled)), "{stop_after}");
        let candidates = stopped.candidates.clone();
        let mut going_on = Record { candidates: stopped.candidates, ..Record::default() };
        let outcome = search(&network, &images, &request, from(candidates), &mut going_on).unwrap();
        assert_eq!(untimed(&outcome.candidates), untimed(&whole.candidates), "{stop_after}");
        assert_eq!(stopped.made.len() + going_on.made.len(), 4);
    }
    let mut all = Record { candidates: whole.candidates.clone(), ..Record::default() };
    search(&network, &images, &request, from(whole.candidates.clone()), &mut all).unwrap();
    assert_eq!((all.made.len(), all.phases.iter().any(|told| told.0 == phase)), (0, false));
    let more = SearchRequest { candidates: 9, ..request };
    let mut extended = Record { candidates: whole.candidates.clone(), ..Record::default() };
    let extended = search(&network, &images, &more, from(whole.candidates), &mut extended).unwrap();
    let undisturbed = search(&network, &images, &more, Known::default(), &mut Record::default()).unwrap();
    let winner = |outcome: &Outcome| untimed(&[outcome.winners().next().unwrap().clone()]).remove(0).evaluations;
    let made = |of: Vec<Evaluation>| of.into_iter().filter(|e| e.kind == kind).collect::<Vec<_>>();
    assert_eq!(made(winner(&extended)), made(winner(&undisturbed)));
}

#[test]
fn a_cancel_is_noticed_inside_a_repair_and_a_short_training() {
    let network = classifier(2, true);
    let images = many_images(&network);
    let asked = |cancel_at, request: &SearchRequest| {
        let mut record = Record { cancel_at, ..Record::default() };
        let outcome = search(&network, &images, request, Known::default(), &mut record);
        (outcome, record.asked.get())
    };
    let before = asked(None, &side_by_side()).1;
    for request in [with_repairs(1), with_short_tunings(1)] {
        let with = asked(None, &request).1;
        assert!(with > before + 100, "{before} {with}");
        for cancel_at in [before + 1, before + 50, (before + with) / 2, with - 1] {
            let (outcome, asked) = asked(Some(cancel_at), &request);
            assert!(matches!(outcome, Err(SearchError::Cancelled)), "{cancel_at}");
            assert_eq!(asked, cancel_at + 1);
        }
    }
}
