//! Strategies land on their budget, on real architectures and small ones, whatever the rounding.

use std::time::{Duration, Instant};

use eagleeye_graph::{
    Budget, CostModel, Graph, Space, Strategy, StrategyError, channel_groups, draw, macs, plan, reachable,
};

use crate::net::Net;
use crate::networks;

/// ResNet-20 of the CIFAR kind: few channels, so that rounding bites.
fn resnet20() -> Graph {
    let (mut net, x) = Net::image(1, 28);
    let mut x = net.block(["conv1", "bn1"], x, 16, 3, 1, 1);
    for (stage, width) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let of = |layer: &str| format!("layer{}.{block}.{layer}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let y = net.block([&of("conv1"), &of("bn1")], x, width, 3, stride, 1);
            let y = net.conv(&of("conv2"), y, width, 3, 1);
            let y = net.norm(&of("bn2"), y);
            let shortcut = if stride == 2 { net.conv(&of("down"), x, width, 1, 2) } else { x };
            let sum = net.add(y, shortcut);
            x = net.relu(sum);
        }
    }
    net.classifier(x, 10)
}

/// The multiply-adds of the plan that keeps the first units of each group.
fn macs_of_plan(graph: &Graph, strategy: &Strategy) -> (u64, u64) {
    let groups = channel_groups(graph).unwrap();
    let units: Vec<Vec<usize>> = groups.keep_counts(strategy).into_iter().map(|count| (0..count).collect()).collect();
    let plan = plan(graph, &groups, &units).unwrap();
    (macs(&plan.graph), plan.graph.parameter_count())
}

#[test]
fn every_draw_lands_within_a_percent_of_the_budget() {
    let space = |round_to| Space { round_to, min_keep_ratio: 0.1 };
    let networks = [
        ("resnet20", resnet20()),
        ("mobilenet_v1", networks::mobilenet_v1(32)),
        ("resnet50", networks::resnet50(64)),
        ("resnext50", networks::resnext50(64)),
        ("shufflenet", networks::shufflenet_v2_x0_5(64)),
    ];
    for (name, graph) in &networks {
        let groups = channel_groups(graph).unwrap();
        let cost = CostModel::new(graph, &groups);
        let full = macs(graph) as f64;
        for (round_to, fraction) in [(1, 0.25), (1, 0.5), (1, 0.9), (8, 0.5), (8, 0.75), (16, 0.5)] {
            for index in 0..6 {
                let drawn = draw(&cost, &groups, &space(round_to), &Budget { macs: fraction }, 7, index);
                let strategy = match drawn {
                    Ok(strategy) => strategy,
                    Err(StrategyError::OutOfReach { smallest, .. }) if smallest > fraction => continue,
                    Err(error) => panic!("{name} at {fraction}, multiples of {round_to}: {error}"),
                };
                let macs = cost.macs(&strategy) as f64;
                assert!((macs / full / fraction - 1.0).abs() <= 0.01, "{name}: {macs} of {full} at {fraction}");
                if index == 0 {
                    assert_eq!((cost.macs(&strategy), cost.parameters(&strategy)), macs_of_plan(graph, &strategy));
                }
            }
        }
    }
}

#[test]
fn rounding_leaves_multiples_of_channels_or_whole_groups() {
    let graph = networks::resnext50(64);
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let space = Space { round_to: 64, min_keep_ratio: 0.1 };
    let strategy = draw(&cost, &groups, &space, &Budget { macs: 0.5 }, 1, 0).unwrap();
    for (group, &kept) in groups.prunable().zip(&strategy.keep) {
        let channels = kept * group.members[0].units[0].len();
        assert!(channels.is_multiple_of(64) || kept == group.size, "{}: {channels} channels", group.name);
    }
}

#[test]
fn a_draw_depends_on_seed_and_index_alone() {
    let graph = resnet20();
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let one = |seed, index| draw(&cost, &groups, &Space::default(), &Budget { macs: 0.5 }, seed, index).unwrap();
    assert_eq!(one(3, 5), one(3, 5));
    assert_ne!(one(3, 5), one(3, 6));
    assert_ne!(one(3, 5), one(4, 5));
    // Recorded: a search that is resumed by a later version must draw what it drew before.
    assert_eq!(one(7, 0).keep, [14, 14, 9, 9, 20, 25, 30, 16, 50, 26, 56, 49]);
}

#[test]
fn keep_ratios_spread_widely_around_the_budget() {
    let graph = networks::resnet50(64);
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let space = Space { round_to: 1, min_keep_ratio: 0.1 };
    let strategy = draw(&cost, &groups, &space, &Budget { macs: 0.5 }, 1, 1).unwrap();
    let ratios = strategy.keep_ratios(&groups);
    let smallest = ratios.iter().copied().fold(1.0, f64::min);
    let largest = ratios.iter().copied().fold(0.0, f64::max);
    assert!(smallest < 0.6 && largest > 0.9, "{ratios:?}");
    assert!(ratios.iter().all(|&r| (0.1..=1.0).contains(&r)));
}

#[test]
fn budgets_out_of_reach_name_the_range() {
    let graph = resnet20();
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let space = Space { round_to: 1, min_keep_ratio: 0.5 };
    let range = reachable(&cost, &groups, &space);
    let at = |macs| draw(&cost, &groups, &space, &Budget { macs }, 0, 0);
    assert_eq!(*range.end(), 1.0);
    assert!((0.24..0.3).contains(range.start()), "{range:?}");
    assert_eq!(at(0.1).unwrap_err(), StrategyError::OutOfReach { wanted: 0.1, smallest: *range.start() });
    assert!(at(0.1).unwrap_err().to_string().contains("between 0.2"));
    assert!(matches!(at(1.5), Err(StrategyError::OutOfReach { .. })));
    assert!(matches!(at(f64::NAN), Err(StrategyError::OutOfReach { .. })));
    assert_eq!(cost.macs(&at(*range.start()).unwrap()) as f64 / macs(&graph) as f64, *range.start());
    assert_eq!(at(1.0).unwrap(), cost.full());
}

#[test]
fn a_space_that_makes_no_sense_is_refused() {
    let graph = resnet20();
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let at = |round_to, min_keep_ratio| {
        draw(&cost, &groups, &Space { round_to, min_keep_ratio }, &Budget { macs: 0.5 }, 0, 0).unwrap_err()
    };
    assert_eq!(at(0, 0.1), StrategyError::RoundTo(0));
    assert_eq!(at(1, 1.5), StrategyError::MinKeepRatio(1.5));
}

#[test]
fn a_network_without_groups_has_nothing_to_prune() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("only", x, 5, 3, 1);
    let graph = net.finish(&[x]);
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let drawn = draw(&cost, &groups, &Space::default(), &Budget { macs: 0.5 }, 0, 0);
    assert_eq!(drawn.unwrap_err(), StrategyError::NothingToPrune);
}

#[test]
fn a_draw_for_resnet50_takes_milliseconds() {
    let graph = networks::resnet50(224);
    let groups = channel_groups(&graph).unwrap();
    let cost = CostModel::new(&graph, &groups);
    let start = Instant::now();
    for index in 0..100 {
        draw(&cost, &groups, &Space::default(), &Budget { macs: 0.25 }, 0, index).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(1), "100 draws in {:?}", start.elapsed());
}
