//! The check of a budget before a search is queued.

use std::time::{Duration, Instant};

use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Constraint, Measure, Space, TOLERANCE};
use eagleeye_strategy::{StrategyError, Task, draw, feasible, reachable};

use crate::net::Net;
use crate::networks;
use crate::support::{prunable, resnet20};

/// A request waits for it.
#[test]
fn checking_a_budget_for_resnet50_takes_milliseconds_whatever_the_multiple() {
    let prunable = prunable(&networks::resnet50(224));
    let mut slowest = (Duration::ZERO, 0, 0.0);
    for round_to in [1, 2, 3, 7, 8, 16, 32, 48, 64, 100, 128, 256, 300, 512, 1024] {
        for macs in [0.1, 0.25, 0.33, 0.5, 0.77, 0.9] {
            let space = Space { round_to: Some(round_to), ..Space::default() };
            let start = Instant::now();
            let found = feasible("random", &Task::new(&prunable, space, &Budget::macs(macs), 0));
            if start.elapsed() > slowest.0 {
                slowest = (start.elapsed(), round_to, macs);
            }
            let refused = matches!(
                found,
                Ok(())
                    | Err(StrategyError::OutOfReach { .. }
                        | StrategyError::TooCoarse { .. }
                        | StrategyError::NothingWithin(_))
            );
            assert!(refused, "{found:?}");
        }
    }
    assert!(slowest.0 < Duration::from_millis(50), "{slowest:?}");
}

/// The server asks about costs that were stored, the engine about those that it has just counted.
#[test]
fn stored_costs_give_the_same_answer_also_at_the_edge_of_the_tolerance() {
    let counted = prunable(&resnet20());
    let stored: PrunableSpace = serde_json::from_str(&serde_json::to_string(&counted).unwrap()).unwrap();
    for round_to in [None, Some(1), Some(8), Some(16), Some(24)] {
        let space = Space { round_to, ..Space::default() };
        let strategy = draw(&Task::new(&counted, space, &Budget::macs(0.5), 3), 0);
        let Ok(strategy) = strategy else { continue };
        let kept = counted.cost.macs(&strategy) as f64 / counted.cost.macs(&counted.cost.full()) as f64;
        let smallest = *reachable(&counted, &space, Measure::Macs).start();
        let at = |edge: f64| [edge * (1.0 - 1e-12), edge, edge * (1.0 + 1e-12)];
        let edges = [kept, kept / (1.0 + TOLERANCE), kept / (1.0 - TOLERANCE), smallest, 0.995, 1.0];
        for macs in edges.into_iter().flat_map(at).filter(|&macs| macs <= 1.0) {
            for name in ["random", "uniform"] {
                let budget = Budget::macs(macs);
                let answer = |prunable| feasible(name, &Task::new(prunable, space, &budget, 3));
                assert_eq!(answer(&counted), answer(&stored), "{name}, {round_to:?}, {macs}");
                assert_eq!(answer(&counted), answer(&counted), "{name}, {round_to:?}, {macs}");
            }
        }
    }
}

/// As many convolutions behind each other as there are widths.
fn chain(widths: &[usize]) -> PrunableSpace {
    let (mut net, mut x) = Net::image(3, 16);
    for (index, &width) in widths.iter().enumerate() {
        x = net.conv(&format!("conv{index}"), x, width, 3, 1);
    }
    prunable(&net.classifier(x, 10))
}

/// Where rounding is coarse, what is refused is refused before the search, and what is accepted does not fail in it.
#[test]
fn a_budget_that_is_accepted_is_met_by_every_candidate_and_one_that_is_refused_names_those_that_are() {
    let networks = [prunable(&resnet20()), chain(&[64]), chain(&[32, 48]), chain(&[48, 64, 96])];
    let (mut accepted, mut refused, mut named) = (0, 0, 0);
    for (prunable, round_to) in networks.iter().flat_map(|n| [4, 8, 12, 16, 24, 32].map(|round_to| (n, round_to))) {
        let space = Space { round_to: Some(round_to), ..Space::default() };
        for macs in (1..20).map(|twentieth| f64::from(twentieth) / 20.0) {
            let budget = Budget::macs(macs);
            let task = Task::new(prunable, space, &budget, 5);
            match feasible("random", &task) {
                Ok(()) => {
                    accepted += 1;
                    for index in 0..50 {
                        let keep = draw(&task, index).unwrap();
                        let kept = prunable.cost.macs(&keep) as f64 / prunable.cost.macs(&prunable.cost.full()) as f64;
                        assert!((kept - macs).abs() <= TOLERANCE * macs, "{round_to}, {macs}: {kept}");
                    }
                }
                Err(StrategyError::TooCoarse { nearest, .. }) => {
                    refused += 1;
                    for budget in nearest {
                        named += 1;
                        let budget = Budget::macs((budget[0].fraction * 1e4).ceil() / 1e4);
                        feasible("random", &Task::new(prunable, space, &budget, 5)).unwrap();
                    }
                }
                Err(StrategyError::OutOfReach { unmet, .. }) => assert!(macs < unmet[0].smallest, "{round_to}, {macs}"),
                Err(StrategyError::NothingWithin(_)) => {}
                Err(error) => panic!("{round_to}, {macs}: {error}"),
            }
        }
    }
    assert!(accepted > 50 && refused > 50 && named > refused, "{accepted}, {refused}, {named}");
}

#[test]
fn a_space_that_leaves_nothing_to_prune_says_what_to_change() {
    let prunable = prunable(&resnet20());
    let said = |round_to, min_keep_ratio| {
        let space = Space { round_to, min_keep_ratio };
        let budget = Budget::macs(1.0);
        let task = Task::new(&prunable, space, &budget, 0);
        feasible("random", &task).unwrap_err().to_string()
    };
    assert!(
        said(Some(512), 0.1)
            .contains("with round_to 512 and min_keep_ratio 0.1 nothing can be pruned; a smaller round_to")
    );
    assert!(said(None, 1.0).ends_with("nothing can be pruned; a smaller min_keep_ratio leaves more within reach"));
}

#[test]
fn an_unknown_strategy_is_refused_with_those_that_there_are() {
    let prunable = prunable(&resnet20());
    let budget = Budget::macs(0.5);
    let task = Task::new(&prunable, Space::default(), &budget, 0);
    let error = feasible("best", &task).unwrap_err().to_string();
    assert!(error.contains("`best`") && error.contains("random, uniform"), "{error}");
}

#[test]
fn budgets_that_are_out_of_reach_are_named_together() {
    let prunable = prunable(&resnet20());
    let limit = |measure, fraction| Constraint { measure, fraction };
    let budget = Budget(vec![limit(Measure::Macs, 0.001), limit(Measure::Parameters, 0.002)]);
    let error = feasible("random", &Task::new(&prunable, Space::default(), &budget, 0)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("budgets of 0.001 of the MACs and 0.002 of the parameters are out of reach: with"),
        "{text}"
    );
    let ranges = text.split(" and 1 of the ").count();
    assert!(ranges == 3 && text.contains("; a smaller min_keep_ratio reaches further, down to 0.0"), "{text}");
    assert_eq!(error.measures(), [Measure::Macs, Measure::Parameters]);
}

#[test]
fn a_cost_of_which_next_to_nothing_can_go_is_not_given_as_a_range() {
    // One channel of the last layer is all that the space lets go.
    let mut prunable = chain(&[256, 256, 256]);
    prunable.groups.iter_mut().for_each(|group| group.least = group.size);
    prunable.groups[2].least = 255;
    prunable.cost = {
        let (mut net, mut x) = Net::image(3, 64);
        for (index, width) in [256, 256, 256].into_iter().enumerate() {
            x = net.conv(&format!("conv{index}"), x, width, if index < 2 { 7 } else { 1 }, 1);
        }
        crate::support::prunable(&net.classifier(x, 10)).cost
    };
    let budget = Budget::macs(0.5);
    let space = Space { round_to: Some(1), ..Space::default() };
    let text = feasible("random", &Task::new(&prunable, space, &budget, 0)).unwrap_err().to_string();
    assert!(text.contains("min_keep_ratio 0.1, nothing less than all of the MACs can be kept"), "{text}");
}
