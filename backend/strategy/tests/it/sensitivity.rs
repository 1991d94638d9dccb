//! Each group alone, then all of them.

use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, GroupLimit, Score, Space};
use eagleeye_strategy::{Evaluated, Task, limited};

use crate::networks;
use crate::support::{best, lane, made_up_score, prunable, resnet20, uneven};

/// The groups that are pruned in each probe of a search with so many evaluations.
fn probed(prunable: &PrunableSpace, evaluations: u32) -> Vec<Vec<usize>> {
    let budget = Budget::macs(0.5);
    let task = Task { evaluations, ..Task::new(prunable, Space::default(), &budget, 0) };
    let history = lane("sensitivity", &task, &uneven(prunable));
    assert!(history.iter().any(|evaluated| !evaluated.is_probe));
    // All probes come first.
    assert!(history.windows(2).all(|pair| pair[0].is_probe || !pair[1].is_probe));
    let pruned = |evaluated: &Evaluated| {
        let groups = evaluated.strategy.keep.iter().zip(&prunable.groups).enumerate();
        groups.filter(|(_, (kept, group))| **kept < group.size).map(|(index, _)| index).collect()
    };
    history.iter().filter(|evaluated| evaluated.is_probe).map(pruned).collect()
}

#[test]
fn each_group_is_probed_alone_at_two_levels_or_one_or_with_its_neighbours() {
    let prunable = prunable(&resnet20());
    let groups = prunable.groups.len();
    let singles: Vec<Vec<usize>> = (0..groups).map(|group| vec![group]).collect();
    let both = [&singles[..], &singles[..]].concat();
    let of = |evaluations: usize| probed(&prunable, evaluations as u32);
    assert_eq!(of(4 * groups), both);
    assert_eq!(of(4 * groups - 1), singles);
    assert_eq!(of(groups * 5 / 3 + 1), singles);
    let bundles = of(groups);
    assert_eq!(bundles.len(), groups * 6 / 10);
    assert_eq!(bundles.concat(), (0..groups).collect::<Vec<_>>());
    assert!(bundles.iter().all(|bundle| (1..=2).contains(&bundle.len())), "{bundles:?}");
    assert_eq!(of(3).len(), 0);
    assert_eq!(of(1).len(), 0);
}

#[test]
fn groups_that_are_left_alone_are_not_probed() {
    let whole = prunable(&resnet20());
    let alone = [GroupLimit { group: whole.groups[3].name.clone(), keep: 1.0 }];
    let probed = probed(&limited(&whole, &alone).unwrap(), 100);
    assert!(!probed.is_empty() && probed.iter().all(|groups| !groups.contains(&3)), "{probed:?}");
}

/// Where some groups matter a hundred times more than others, it finds that out.
#[test]
fn it_does_better_than_chance_and_than_the_uniform_strategy() {
    for (graph, evaluations) in [(resnet20(), 48), (networks::mobilenet_v1(32), 48), (networks::resnet50(64), 64)] {
        let prunable = prunable(&graph);
        let worth = uneven(&prunable);
        let budget = Budget::macs(0.4);
        let space = Space { round_to: Some(1), ..Space::default() };
        let task = Task { evaluations, ..Task::new(&prunable, space, &budget, 2) };
        let loss = |name| best(&lane(name, &task, &worth)).score.cross_entropy.unwrap();
        let [sensitivity, uniform, random] = ["sensitivity", "uniform", "random"].map(loss);
        assert!(sensitivity < 0.6 * uniform && sensitivity < 0.6 * random, "{sensitivity}, {uniform}, {random}");
    }
}

#[test]
fn without_losses_it_goes_by_accuracy_and_without_differences_by_nothing() {
    let prunable = prunable(&resnet20());
    let worth = uneven(&prunable);
    let budget = Budget::macs(0.4);
    let task = Task::new(&prunable, Space { round_to: Some(1), ..Space::default() }, &budget, 2);
    let with = |change: &dyn Fn(Score) -> Score| {
        let mut history: Vec<Evaluated> = Vec::new();
        let propose = eagleeye_strategy::proposer("sensitivity").unwrap().propose;
        while history.len() < 48 {
            let next = propose(&task, &history).unwrap();
            assert!(!next.is_empty());
            history.extend(next.into_iter().map(|proposal| {
                let score = change(made_up_score(&task, &proposal.strategy, &worth));
                Evaluated { strategy: proposal.strategy, is_probe: proposal.is_probe, score }
            }));
        }
        made_up_score(&task, &best(&history).strategy, &worth).cross_entropy.unwrap()
    };
    let by_accuracy = with(&|score| Score { cross_entropy: None, ..score });
    let by_nothing = with(&|score| Score { top1: 0.1, cross_entropy: Some(2.3), ..score });
    assert!(by_accuracy < by_nothing, "{by_accuracy}, {by_nothing}");
}
