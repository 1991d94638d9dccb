//! The uniform strategy.

use eagleeye_graph::macs;
use eagleeye_spec::{Budget, Constraint, Measure, Score, Space};
use eagleeye_strategy::{Evaluated, Proposal, Task, proposer};

use crate::networks;
use crate::support::{prunable, resnet20};

#[test]
fn every_group_keeps_about_the_same_fraction() {
    for (graph, allowed) in [(resnet20(), 0.04), (networks::mobilenet_v1(32), 0.02), (networks::resnet50(64), 0.02)] {
        let prunable = prunable(&graph);
        let space = Space { round_to: Some(1), ..Space::default() };
        let budget = Budget::macs(0.5);
        let task = Task::new(&prunable, space, &budget, 0);
        let strategies = (proposer("uniform").unwrap().propose)(&task, &[]).unwrap();
        let [Proposal { strategy, is_probe: false }] = &strategies[..] else { panic!("{strategies:?}") };
        let kept = prunable.cost.macs(strategy) as f64 / macs(&graph) as f64;
        assert!((kept / 0.5 - 1.0).abs() <= 0.01, "{kept}");
        let ratios: Vec<f64> =
            strategy.keep.iter().zip(&prunable.groups).map(|(&kept, group)| kept as f64 / group.size as f64).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        assert!(ratios.iter().all(|ratio| (ratio - mean).abs() <= allowed), "{ratios:?}");
    }
}

#[test]
fn there_is_one_uniform_strategy_whatever_the_seed() {
    let prunable = prunable(&resnet20());
    let uniform = proposer("uniform").unwrap();
    let at = |seed, history: &[Evaluated]| {
        let budget = Budget::macs(0.5);
        let task = Task::new(&prunable, Space::default(), &budget, seed);
        (uniform.propose)(&task, history).unwrap()
    };
    let first = at(1, &[]);
    assert_eq!(first, at(2, &[]));
    let history: Vec<Evaluated> = first
        .into_iter()
        .map(|Proposal { strategy, is_probe }| Evaluated { strategy, is_probe, score: Score::new(0.5, 0.9, 1.0) })
        .collect();
    assert_eq!(at(1, &history), []);
    assert_eq!(uniform.most, Some(1));
}

#[test]
fn of_two_limits_the_tighter_one_binds() {
    let prunable = prunable(&networks::resnet50(64));
    let space = Space { round_to: Some(1), ..Space::default() };
    let full = prunable.cost.full();
    let at = |macs, parameters| {
        let limit = |measure, fraction| Constraint { measure, fraction };
        let budget = Budget(vec![limit(Measure::Macs, macs), limit(Measure::Parameters, parameters)]);
        let task = Task::new(&prunable, space, &budget, 0);
        let strategy = (proposer("uniform").unwrap().propose)(&task, &[]).unwrap().remove(0).strategy;
        let kept = |measure: Measure| {
            measure.at(&prunable.cost, &strategy.keep) as f64 / measure.at(&prunable.cost, &full.keep) as f64
        };
        (kept(Measure::Macs), kept(Measure::Parameters))
    };
    let (macs, parameters) = at(0.5, 1.0);
    assert!((macs / 0.5 - 1.0).abs() <= 0.01 && parameters < 1.0, "{macs}, {parameters}");
    let (macs, parameters) = at(0.9, 0.3);
    assert!((parameters / 0.3 - 1.0).abs() <= 0.01 && macs < 0.9, "{macs}, {parameters}");
}
