//! The check of a budget before a search is queued.

use std::time::{Duration, Instant};

use eagleeye_spec::{Budget, Space};
use eagleeye_strategy::{StrategyError, Task, feasible};

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
            let found = feasible("random", &Task { prunable: &prunable, space, budget: &Budget::macs(macs), seed: 0 });
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

#[test]
fn a_space_that_leaves_nothing_to_prune_says_what_to_change() {
    let prunable = prunable(&resnet20());
    let said = |round_to, min_keep_ratio| {
        let space = Space { round_to, min_keep_ratio };
        let task = Task { prunable: &prunable, space, budget: &Budget::macs(1.0), seed: 0 };
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
    let task = Task { prunable: &prunable, space: Space::default(), budget: &Budget::macs(0.5), seed: 0 };
    let error = feasible("best", &task).unwrap_err().to_string();
    assert!(error.contains("`best`") && error.contains("random, uniform"), "{error}");
}
