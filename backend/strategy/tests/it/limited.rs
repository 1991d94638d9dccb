//! Limits of single groups.

use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, GroupLimit, Measure, Space};
use eagleeye_strategy::{StrategyError, Task, draw, feasible, limited, reachable};

use crate::support::{prunable, resnet20};

fn limit(group: &str, keep: f64) -> GroupLimit {
    GroupLimit { group: group.to_owned(), keep }
}

/// The least number of units of each group, by name, for those that have one.
fn least(prunable: &PrunableSpace) -> Vec<(&str, usize)> {
    prunable.groups.iter().filter(|group| group.least > 0).map(|group| (group.name.as_str(), group.least)).collect()
}

#[test]
fn a_limit_is_of_a_group_of_a_layer_or_of_all_that_match() {
    let whole = prunable(&resnet20());
    // The name of a group means it alone, though it is also that of a layer, which reads another.
    let by_name = limited(&whole, &[limit("layer1.0.conv1", 1.0)]).unwrap();
    assert_eq!(least(&by_name), [("layer1.0.conv1", 16)]);
    let makes_and_reads = limited(&whole, &[limit("layer1.0.conv1*", 1.0)]).unwrap();
    assert_eq!(least(&makes_and_reads), [("conv1", 16), ("layer1.0.conv1", 16)]);
    let by_layer = limited(&whole, &[limit("layer1.0.bn1", 0.3)]).unwrap();
    assert_eq!(least(&by_layer), [("layer1.0.conv1", 5)]);
    let stage = limited(&whole, &[limit("layer3.*.bn1", 0.5), limit("layer3.1.bn1", 0.75)]).unwrap();
    assert_eq!(least(&stage).iter().map(|(_, least)| *least).collect::<Vec<_>>(), [32, 48, 32]);
    let smaller_after_larger = limited(&whole, &[limit("layer3.1.bn1", 0.75), limit("layer3.*.bn1", 0.5)]).unwrap();
    assert_eq!(smaller_after_larger, stage);
    assert_eq!(limited(&whole, &[]).unwrap(), whole);
    assert_eq!(least(&limited(&whole, &[limit("layer1.0.bn1", 0.0)]).unwrap()), []);
}

#[test]
fn what_is_left_alone_stays_whole_and_the_rest_makes_up_for_it() {
    let whole = prunable(&resnet20());
    let prunable = limited(&whole, &[limit("layer3.*.bn1", 1.0)]).unwrap();
    let budget = Budget::macs(0.5);
    for index in 0..10 {
        let strategy = draw(&Task::new(&prunable, Space::default(), &budget, 0), index).unwrap();
        let macs = prunable.cost.macs(&strategy) as f64 / prunable.cost.macs(&prunable.cost.full()) as f64;
        assert!((macs / 0.5 - 1.0).abs() <= 0.01);
        for (group, kept) in prunable.groups.iter().zip(strategy.keep) {
            assert!(group.least <= kept, "{}", group.name);
        }
    }
    let least = |prunable| *reachable(prunable, &Space::default(), Measure::Macs).start();
    assert!(least(&prunable) > least(&whole));
}

#[test]
fn a_name_that_is_none_is_refused_with_those_that_are_spelt_like_it() {
    let whole = prunable(&resnet20());
    let error = limited(&whole, &[limit("layer1.0.bn1", 1.0), limit("layr3.2.bn1", 1.0)]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no channel group and no layer is called `layr3.2.bn1`; names like it are `layer3.2.bn1`"),
        "{text}"
    );
    let StrategyError::NoSuchGroup { near, .. } = error else { panic!("{text}") };
    assert_eq!(near.len(), 5);
    let pattern = limited(&whole, &[limit("Layer3*bn9", 1.0)]).unwrap_err().to_string();
    assert!(pattern.contains("`Layer3*bn9`") && pattern.contains("`layer3."), "{pattern}");
    let error = limited(&whole, &[limit("layer1.0.bn1", f64::NAN)]).unwrap_err();
    assert!(matches!(error, StrategyError::Limit { .. }), "{error}");
}

#[test]
fn a_network_that_is_left_alone_altogether_is_refused() {
    let whole = prunable(&resnet20());
    assert_eq!(limited(&whole, &[limit("*", 1.0)]), Err(StrategyError::AllLeftAlone));
    assert_eq!(limited(&whole, &[limit("*", 0.999)]), Err(StrategyError::AllLeftAlone));
    let mut alone = whole.clone();
    alone.groups.iter_mut().for_each(|group| group.least = group.size);
    let budget = Budget::macs(0.5);
    for name in ["random", "evolutionary", "sensitivity", "global_magnitude"] {
        let refused = feasible(name, &Task::new(&alone, Space::default(), &budget, 0));
        assert_eq!(refused, Err(StrategyError::AllLeftAlone), "{name}");
    }
}

#[test]
fn where_limits_are_in_the_way_of_a_budget_the_refusal_says_so() {
    let prunable = limited(&prunable(&resnet20()), &[limit("*", 0.5)]).unwrap();
    let budget = Budget::macs(0.1);
    let task = Task::new(&prunable, Space::default(), &budget, 0);
    let text = feasible("random", &task).unwrap_err().to_string();
    assert!(text.contains("between 0.2") && text.ends_with("; lower limits for single groups reach further"), "{text}");
}
