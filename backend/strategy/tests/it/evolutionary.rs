//! Strategies that descend from the best ones.

use eagleeye_spec::{Budget, Constraint, Measure, Space, TOLERANCE};
use eagleeye_strategy::{StrategyError, Task, feasible, pareto_front};

use crate::networks;
use crate::support::{best, kept, lane, prunable, resnet20, uneven};

const EXACT: Space = Space { round_to: Some(1), min_keep_ratio: 0.1 };

#[test]
fn offspring_are_better_than_draws() {
    for graph in [resnet20(), networks::mobilenet_v1(32), networks::resnet50(64)] {
        let prunable = prunable(&graph);
        let worth = uneven(&prunable);
        let budget = Budget::macs(0.4);
        let mean = |name: &str| -> f64 {
            let loss = |seed| {
                let task = Task { evaluations: 96, ..Task::new(&prunable, EXACT, &budget, seed) };
                best(&lane(name, &task, &worth)).score.cross_entropy.unwrap()
            };
            (0..4).map(loss).sum::<f64>() / 4.0
        };
        let [evolutionary, near_uniform, random] = ["evolutionary", "near_uniform", "random"].map(mean);
        assert!(
            evolutionary < 0.9 * near_uniform && evolutionary < 0.9 * random,
            "{evolutionary}, {near_uniform}, {random}"
        );
    }
}

#[test]
fn generations_get_better() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let budget = Budget::macs(0.4);
    let history = lane("evolutionary", &Task::new(&prunable, EXACT, &budget, 1), &uneven(&prunable));
    assert_eq!(history.len(), 48);
    let mean = |from: usize, to: usize| {
        history[from..to].iter().map(|evaluated| evaluated.score.cross_entropy.unwrap()).sum::<f64>()
            / (to - from) as f64
    };
    assert!(mean(40, 48) < 0.7 * mean(0, 16), "{} after {}", mean(40, 48), mean(0, 16));
}

fn front_of_macs_and_parameters() -> (Budget, Budget) {
    let budget = |macs, parameters| {
        let limit = |measure, fraction| Constraint { measure, fraction };
        Budget(vec![limit(Measure::Macs, macs), limit(Measure::Parameters, parameters)])
    };
    (budget(0.8, 0.9), budget(0.3, 0.2))
}

#[test]
fn a_front_has_strategies_everywhere_between_its_budgets() {
    for graph in [resnet20(), networks::mobilenet_v1(32)] {
        let prunable = prunable(&graph);
        let (larger, smaller) = (Budget::macs(0.75), Budget::macs(0.25));
        let task =
            Task { front: Some(&smaller), evaluations: 60, ..Task::new(&prunable, Space::default(), &larger, 0) };
        let history = lane("evolutionary", &task, &uneven(&prunable));
        let macs: Vec<f64> = history.iter().map(|e| kept(&prunable, &e.strategy, Measure::Macs)).collect();
        let (least, most) = (0.25 * (1.0 - TOLERANCE), 0.75 * (1.0 + TOLERANCE));
        assert!(macs.iter().all(|macs| (least..=most).contains(macs)), "{macs:?}");
        // Both ends are tried first.
        assert!((macs[0] / 0.75 - 1.0).abs() <= TOLERANCE && (macs[1] / 0.25 - 1.0).abs() <= TOLERANCE, "{macs:?}");
        for tenth in [0.25, 0.35, 0.45, 0.55, 0.65] {
            assert!(macs.iter().any(|macs| (tenth - 0.01..tenth + 0.11).contains(macs)), "{tenth}: {macs:?}");
        }
        let points: Vec<[f64; 2]> = history.iter().zip(&macs).map(|(e, &macs)| [-e.score.top1, macs]).collect();
        let front = pareto_front(&points);
        assert!(front.len() >= 8, "{front:?}");
        // Later generations add to what the first one found.
        assert!(front.iter().filter(|point| **point >= 20).count() >= 4, "{front:?}");
    }
}

/// At every cost in between it has a strategy that costs no more and loses less than the uniform one.
#[test]
fn a_front_in_one_search_beats_the_uniform_strategies_all_along() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let worth = uneven(&prunable);
    let (larger, smaller) = (Budget::macs(0.75), Budget::macs(0.25));
    let task = Task { front: Some(&smaller), evaluations: 144, ..Task::new(&prunable, EXACT, &larger, 0) };
    let history = lane("evolutionary", &task, &worth);
    for macs in [0.7, 0.5, 0.3] {
        let within = history.iter().filter(|e| kept(&prunable, &e.strategy, Measure::Macs) <= macs * (1.0 + TOLERANCE));
        let of_front = within.map(|e| e.score.cross_entropy.unwrap()).fold(f64::INFINITY, f64::min);
        let budget = Budget::macs(macs);
        let alone = lane("uniform", &Task::new(&prunable, EXACT, &budget, 0), &worth);
        let uniform = best(&alone).score.cross_entropy.unwrap();

        assert!(of_front < 0.95 * uniform, "{macs}: {of_front}, {uniform}");
    }
}

#[test]
fn a_front_of_two_costs_stays_within_both_and_moves_them_apart() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let (larger, smaller) = front_of_macs_and_parameters();
    let task = Task { front: Some(&smaller), ..Task::new(&prunable, Space::default(), &larger, 4) };
    let history = lane("evolutionary", &task, &uneven(&prunable));
    assert_eq!(history.len(), 48);
    for evaluated in &history {
        let (macs, parameters) = (
            kept(&prunable, &evaluated.strategy, Measure::Macs),
            kept(&prunable, &evaluated.strategy, Measure::Parameters),
        );
        assert!(macs <= 0.8 * (1.0 + TOLERANCE) && parameters <= 0.9 * (1.0 + TOLERANCE), "{macs}, {parameters}");
    }
}

#[test]
fn a_front_that_ends_out_of_reach_is_refused() {
    let prunable = prunable(&resnet20());
    let (larger, smaller) = (Budget::macs(0.75), Budget::macs(0.001));
    let task = Task { front: Some(&smaller), ..Task::new(&prunable, EXACT, &larger, 0) };
    let error = feasible("evolutionary", &task).unwrap_err();
    assert!(matches!(error, StrategyError::OutOfReach { .. }), "{error}");
    assert!(error.to_string().starts_with("a budget of 0.001 of the MACs is out of reach"), "{error}");
}
