use eagleeye_spec::{Candidate, Evaluation, EvaluationKind, GroupKeep, ImageSet, Limits, Origin, Score, StrategyName};

use super::*;
use crate::predictor::ScoreMeasure;
use crate::trained::Tuning;
use crate::{figure, markdown};

/// Candidates whose accuracy after fine-tuning is `truth`, whose adapted score is as `adapted` says, and whose score as they are is
/// the same for all.
fn candidates(truth: &[f64], adapted: impl Fn(f64) -> f64) -> Vec<Candidate> {
    let of = |(index, &truth): (usize, &f64)| {
        let evaluation = |kind, top1: f64, seconds| {
            let score = Score { cross_entropy: Some(1.0 - top1), ..Score::new(top1, 1.0, 0.0) };
            let calibration_images = Some(if kind == EvaluationKind::Unadapted { 0 } else { 512 });
            Evaluation { calibration_images, seconds, ..Evaluation::new(kind, ImageSet::Scoring, 1000, score) }
        };
        Candidate {
            index: index as u32,
            origin: Origin {
                strategy: StrategyName("random".to_owned()),
                budget: Some(0),
                number: index as u32,
                is_probe: false,
            },
            strategy: vec![4],
            groups: vec![GroupKeep { group: "conv".to_owned(), size: 8, kept: 4 }],
            macs: 100,
            parameters: 10,
            bytes: Some(40),
            evaluations: vec![
                evaluation(EvaluationKind::Adapted, adapted(truth), 2.0),
                evaluation(EvaluationKind::Unadapted, 0.1, 1.0),
            ],
            seconds: 3.0,
        }
    };
    truth.iter().enumerate().map(of).collect()
}

/// Each candidate fine-tuned twice, whose accuracies lie `apart` to both sides of the truth in turns.
fn trained<'a>(candidates: &'a [Candidate], truth: &[f64], apart: f64) -> Vec<Trained<'a>> {
    let tuning = |seed, top1| Tuning {
        seed,
        validation: Score::new(0.5, 1.0, 1.0),
        validation_images: 1000,
        test: Some(Score::new(top1, 1.0, 1.0)),
        test_images: 500,
        by_epoch: vec![0.5, 0.6, top1],
        seconds: 60.0,
    };
    let of = |(place, candidate): (usize, &'a Candidate)| {
        let apart = if place % 2 == 0 { apart } else { -apart };
        Trained { candidate, tunings: vec![tuning(1, truth[place] - apart), tuning(2, truth[place] + apart)] }
    };
    candidates.iter().enumerate().map(of).collect()
}

fn budgets() -> Vec<Budget> {
    vec![Limits { macs: Some(0.5), ..Limits::default() }.budget()]
}

fn rising(count: usize) -> Vec<f64> {
    (0..count).map(|place| 0.80 + 0.005 * place as f64).collect()
}

fn adapted(study: &BudgetStudy) -> &PredictorStudy {
    let is_it = |study: &&PredictorStudy| {
        matches!(
            study.predictor,
            Predictor::Evaluation { kind: EvaluationKind::Adapted, measure: ScoreMeasure::Top1, .. }
        )
    };
    study.predictors.iter().find(is_it).unwrap()
}

#[test]
fn a_score_that_orders_as_fine_tuning_does_has_a_coefficient_of_1_and_no_regret() {
    let truth = rising(24);
    let candidates = candidates(&truth, |truth| truth - 0.3);
    let report = analysed(&budgets(), &trained(&candidates, &truth, 0.0001), true, 7);
    let [study] = &report.budgets[..] else { panic!("one budget") };
    assert_eq!((report.seeds.as_slice(), report.is_on_test_images, report.images), (&[1, 2][..], true, 500));
    assert_eq!(study.budget, "50% of the MACs");
    assert_eq!(study.undecided, []);
    let adapted = adapted(study);
    for correlation in &adapted.correlations {
        assert!(correlation.value.unwrap() > 0.999, "{correlation:?}");
        assert!(correlation.interval.unwrap().low > 0.99);
    }
    assert_eq!((adapted.regret, adapted.winner, adapted.seconds), (0.0, 23, 2.0));
    assert_eq!(adapted.above_ranking, None, "it is the ranking");
    assert!(study.attainable.unwrap() > 0.999);
    let [first, half, whole] = &study.training[..] else { panic!("{:?}", study.training) };
    assert_eq!(
        [first, half, whole].map(|training| (training.epochs, training.seconds)),
        [(1, 20.0), (2, 40.0), (3, 60.0)]
    );
    assert_eq!(first.correlations[0].value, None, "all are alike after one epoch");
    assert!((first.regret - 0.0575).abs() < 1e-3, "as good as chance: {}", first.regret);
    assert!(whole.correlations[1].value.unwrap() > 0.999 && whole.regret == 0.0, "{whole:?}");
    assert_eq!(study.candidates.len(), 24);
    assert_eq!(study.candidates[3].values.len(), study.predictors.len());
}

#[test]
fn a_score_that_is_the_same_for_all_says_nothing_and_costs_what_a_choice_by_chance_does() {
    let truth = rising(24);
    let candidates = candidates(&truth, |truth| truth);
    let report = analysed(&budgets(), &trained(&candidates, &truth, 0.0001), true, 7);
    let is_vanilla = |study: &&PredictorStudy| study.name == "vanilla, top-1, 1000 images";
    let vanilla = report.budgets[0].predictors.iter().find(is_vanilla).unwrap();
    assert!(
        vanilla.correlations.iter().all(|correlation| correlation.value.is_none() && correlation.interval.is_none())
    );
    // The mean of what each of them loses: half of the way from the worst to the best.
    assert!((vanilla.regret - 0.0575).abs() < 1e-9, "{}", vanilla.regret);
}

#[test]
fn what_cannot_be_decided_is_said_with_the_reason() {
    let reasons = |truth: &[f64], apart: f64| -> Vec<Reason> {
        let candidates = candidates(truth, |truth| truth);
        let report = analysed(&budgets(), &trained(&candidates, truth, apart), true, 7);
        report.budgets[0].undecided.iter().map(|undecided| undecided.reason).collect()
    };
    assert_eq!(reasons(&rising(6), 0.0001), [Reason::FewCandidates]);
    let narrow: Vec<f64> = (0..24).map(|place| 0.9 + 0.0001 * f64::from(place)).collect();
    assert_eq!(reasons(&narrow, 0.01), [Reason::LowCeiling, Reason::LittleSpread]);

    // Means of more fine-tunings are less a matter of chance.
    let narrow_candidates = candidates(&narrow, |truth| truth);
    let by_seeds = |times: usize| {
        let mut trained = trained(&narrow_candidates, &narrow, 0.0006);
        for trained in &mut trained {
            trained.tunings = std::iter::repeat_n(trained.tunings.clone(), times).flatten().collect();
        }
        let report = analysed(&budgets(), &trained, true, 7);
        report.budgets[0].undecided.iter().any(|undecided| undecided.reason == Reason::LittleSpread)
    };
    assert_eq!([1, 2].map(by_seeds), [true, false]);

    assert_eq!(reasons(&rising(1), 0.0001), [Reason::FewCandidates], "there is nothing to compare");
    assert_eq!(reasons(&rising(2), 0.0001), [Reason::FewCandidates], "no interval, but an order");

    let truth = rising(24);
    let candidates = candidates(&truth, |truth| truth);
    let mut once = trained(&candidates, &truth, 0.0);
    once.iter_mut().for_each(|trained| trained.tunings.truncate(1));
    let report = analysed(&budgets(), &once, true, 7);
    assert_eq!(report.budgets[0].undecided[0].reason, Reason::OneSeed);
    assert_eq!((&report.budgets[0].ceiling, report.budgets[0].attainable), (&None, None));
    assert_eq!(report.budgets[0].training, []);
}

#[test]
fn candidates_that_are_not_tuned_yet_are_left_out() {
    let truth = rising(24);
    let candidates = candidates(&truth, |truth| truth);
    let mut begun = trained(&candidates, &truth, 0.0001);
    begun[3].tunings.pop();
    begun[4].tunings.clear();
    assert_eq!(analysed(&budgets(), &begun, true, 7).budgets[0].candidates.len(), 22);
    begun.iter_mut().for_each(|trained| trained.tunings.clear());
    let nothing = analysed(&budgets(), &begun, true, 7);
    assert_eq!(nothing.budgets, []);
    assert!(figure(&nothing).is_ok());
}

#[test]
fn the_report_has_each_predictor_and_the_figure_each_candidate() {
    let truth = rising(24);
    let candidates = candidates(&truth, |truth| truth * truth);
    let report = analysed(&budgets(), &trained(&candidates, &truth, 0.001), true, 7);
    let text = markdown(&report);
    assert!(text.contains("## 50% of the MACs") && text.contains("24 candidates"), "{text}");
    for study in &report.budgets[0].predictors {
        assert!(text.contains(&format!("| {} | 24 |", study.name)), "{text}");
    }
    let unlabelled = markdown(&analysed(&budgets(), &trained(&candidates, &truth, 0.001), false, 7));
    assert!(unlabelled.contains("agreement with the full network") && !text.contains("agreement"), "{unlabelled}");
    assert!(text.contains("| another fine-tuning (the ceiling; its regret is by single ones) | 24 |"), "{text}");
    let svg = figure(&report).unwrap();
    let panels = &report.budgets[0].predictors;
    assert!(panels.len() > 4, "more than a row: {}", panels.len());
    assert_eq!(svg.matches("<circle").count(), panels.len() * 24);
    for panel in panels {
        assert!(svg.contains(&panel.name), "{} has no panel: {svg}", panel.name);
    }
    assert!(svg.contains("adaptive BN, top-1, 512 + 1000 images: ρ = 1.00"), "{svg}");
    assert_eq!(analysed(&budgets(), &trained(&candidates, &truth, 0.001), true, 7), report, "the same each time");
}
