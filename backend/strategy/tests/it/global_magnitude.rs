//! One threshold for all groups.

use eagleeye_graph::Strategy;
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Space};
use eagleeye_strategy::{Task, proposer};

use crate::networks;
use crate::support::{lane, prunable, uneven};

const EXACT: Space = Space { round_to: Some(1), min_keep_ratio: 0.1 };

fn strategies(prunable: &PrunableSpace, importance: &[Vec<f64>]) -> Vec<Strategy> {
    let budget = Budget::macs(0.5);
    let task = Task { importance, ..Task::new(prunable, EXACT, &budget, 0) };
    lane("global_magnitude", &task, &uneven(prunable)).into_iter().map(|evaluated| evaluated.strategy).collect()
}

/// Units of even groups are alike; in odd groups three in four are worth next to nothing.
fn half_of_them_sparse(prunable: &PrunableSpace) -> Vec<Vec<f64>> {
    let value = |group: usize, unit: usize| {
        let small = if group % 2 == 1 && !unit.is_multiple_of(4) { 0.01 } else { 1.0 };
        small * (1.0 + 0.001 * unit as f64)
    };
    prunable.groups.iter().enumerate().map(|(g, group)| (0..group.size).map(|unit| value(g, unit)).collect()).collect()
}

#[test]
fn what_matters_little_goes_first_whichever_group_it_is_in() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let importance = half_of_them_sparse(&prunable);
    let by_mean = &strategies(&prunable, &importance)[0];
    let ratio = |group: usize| by_mean.keep[group] as f64 / prunable.groups[group].size as f64;
    let groups = || 0..prunable.groups.len();
    let mean = |odd: usize| {
        groups().filter(|g| g % 2 == odd).map(ratio).sum::<f64>() / (groups().filter(|g| g % 2 == odd).count() as f64)
    };
    assert!(mean(1) < 0.6 && mean(0) > 0.8, "{} and {}", mean(1), mean(0));
}

#[test]
fn the_scale_of_a_groups_importances_does_not_matter() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let importance = half_of_them_sparse(&prunable);
    let mut scaled = importance.clone();
    scaled.iter_mut().enumerate().for_each(|(g, units)| units.iter_mut().for_each(|unit| *unit *= 4f64.powi(g as i32)));
    assert_eq!(strategies(&prunable, &importance), strategies(&prunable, &scaled));
}

#[test]
fn mixtures_are_between_the_threshold_and_the_uniform_strategy() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let found = strategies(&prunable, &half_of_them_sparse(&prunable));
    assert_eq!(found.len() as u32, proposer("global_magnitude").unwrap().most.unwrap());
    let difference = |strategy: &Strategy| {
        let ratio = |group: usize| strategy.keep[group] as f64 / prunable.groups[group].size as f64;
        (ratio(2) - ratio(3)).abs()
    };
    // The shares 1, 0.5, 0.75 and 0.25 of the threshold, by each group's mean.
    let differences = [&found[9], &found[3], &found[6], &found[0]].map(difference);
    assert!(differences.is_sorted() && differences[0] < 0.5 * differences[3], "{differences:?}");
}

#[test]
fn where_all_are_alike_or_unknown_groups_are_pruned_alike() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let zeros: Vec<Vec<f64>> = prunable.groups.iter().map(|group| vec![0.0; group.size]).collect();
    let unknown = strategies(&prunable, &[]);
    assert_eq!(strategies(&prunable, &zeros)[0], unknown[0]);
    let ratios: Vec<f64> =
        unknown[0].keep.iter().zip(&prunable.groups).map(|(&kept, group)| kept as f64 / group.size as f64).collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(ratios.iter().all(|ratio| (ratio - mean).abs() < 0.03), "{ratios:?}");
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let mut importance = half_of_them_sparse(&prunable);
    importance[1][0] = f64::NAN;
    importance[2][0] = f64::INFINITY;
    assert!(!strategies(&prunable, &importance).is_empty());
}
