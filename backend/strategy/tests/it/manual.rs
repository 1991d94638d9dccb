//! Strategies that the user has written down.

use eagleeye_graph::Strategy;
use eagleeye_spec::{Budget, GroupLimit, Score, Space};
use eagleeye_strategy::{Evaluated, StrategyError, Task, feasible, limited, proposer};

use crate::support::{prunable, resnet20};

fn score() -> Score {
    Score::new(0.5, 0.9, 1.0)
}

#[test]
fn what_was_written_down_is_proposed_in_its_order_and_nothing_else() {
    let prunable = prunable(&resnet20());
    let full = prunable.cost.full();
    // Neither is on the budget, a multiple of channels or above the least keep ratio.
    let mut odd = full.clone();
    odd.keep[0] = 1;
    let manual = [odd.clone(), full.clone()];
    let budget = Budget::macs(0.5);
    let task = Task { manual: &manual, ..Task::new(&prunable, Space::default(), &budget, 0) };
    let propose = |history: &[Evaluated]| -> Vec<Strategy> {
        let proposals = (proposer("manual").unwrap().propose)(&task, history).unwrap();
        assert!(proposals.iter().all(|proposal| !proposal.is_probe));
        proposals.into_iter().map(|proposal| proposal.strategy).collect()
    };
    let after = |strategy: &Strategy| Evaluated { strategy: strategy.clone(), is_probe: false, score: score() };
    assert_eq!(propose(&[]), manual);
    assert_eq!(propose(&[after(&odd)]), std::slice::from_ref(&full));
    assert_eq!(propose(&[after(&odd), after(&full)]), []);
    assert_eq!(feasible("manual", &task), Ok(()));
    // A budget that nothing meets is none of its business.
    let budget = Budget::macs(0.001);
    assert_eq!(feasible("manual", &Task { budget: &budget, ..task }), Ok(()));
}

#[test]
fn what_does_not_fit_the_network_is_named() {
    let whole = prunable(&resnet20());
    let alone = [GroupLimit { group: whole.groups[1].name.clone(), keep: 1.0 }];
    let (budget, full) = (Budget::macs(0.5), whole.cost.full());
    let limited = limited(&whole, &alone).unwrap();
    let refused = |change: &dyn Fn(&mut Vec<usize>)| {
        let mut wrong = full.clone();
        change(&mut wrong.keep);
        let manual = [full.clone(), wrong];
        let task = Task { manual: &manual, ..Task::new(&limited, Space::default(), &budget, 0) };
        feasible("manual", &task).unwrap_err().to_string()
    };
    let groups = full.keep.len();
    assert_eq!(
        refused(&|keep| keep.truncate(groups - 1)),
        format!(
            "manual strategy 1 has keep counts for {} groups, but {groups} groups of the network can be pruned",
            groups - 1
        )
    );
    let name = &limited.groups[0].name;
    for (count, least) in [(0, 1), (17, 1)] {
        let expected = format!("keeps {count} of the 16 units of `{name}`, but must keep from {least} to 16");
        let found = refused(&|keep| keep[0] = count);
        assert!(found.ends_with(&expected), "{found}");
    }
    assert!(refused(&|keep| keep[1] = 15).contains("must keep from 16 to 16"));
    let task = Task::new(&limited, Space::default(), &budget, 0);
    assert_eq!(feasible("manual", &task), Err(StrategyError::NothingManual));
}
