//! Draws around the uniform strategy.

use eagleeye_graph::Strategy;
use eagleeye_spec::{Budget, Space};
use eagleeye_strategy::{Task, proposer};

use crate::networks;
use crate::support::{lane, prunable, uneven};

/// How far keep ratios are from their mean, relative to it.
fn spread(task: &Task, strategy: &Strategy) -> f64 {
    let groups = strategy.keep.iter().zip(&task.prunable.groups);
    let ratios: Vec<f64> = groups.map(|(&kept, group)| kept as f64 / group.size as f64).collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    (ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / ratios.len() as f64).sqrt() / mean
}

#[test]
fn draws_are_near_the_uniform_strategy_and_some_less_near() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let budget = Budget::macs(0.5);
    let space = Space { round_to: Some(1), ..Space::default() };
    let task = Task { evaluations: 64, ..Task::new(&prunable, space, &budget, 0) };
    let spreads = |name| -> Vec<f64> {
        lane(name, &task, &uneven(&prunable)).iter().map(|evaluated| spread(&task, &evaluated.strategy)).collect()
    };
    let mean = |spreads: &[f64]| spreads.iter().sum::<f64>() / spreads.len() as f64;
    let (near, random) = (spreads("near_uniform"), spreads("random"));
    let (least, most) = near.iter().fold((f64::INFINITY, 0.0f64), |(a, b), &s| (a.min(s), b.max(s)));
    assert!(mean(&near) < 0.75 * mean(&random), "{} of {}", mean(&near), mean(&random));
    assert!(least > 0.02 && least < 0.12 && most > 0.3, "{least} to {most}");
}

#[test]
fn the_uniform_strategy_itself_is_not_the_first() {
    let prunable = prunable(&networks::resnet50(64));
    let budget = Budget::macs(0.5);
    let task = Task::new(&prunable, Space::default(), &budget, 0);
    let first = |name| (proposer(name).unwrap().propose)(&task, &[]).unwrap();
    assert_ne!(first("near_uniform"), first("uniform"));
}
