//! Random networks: whatever hangs together, plans hold the zero oracle and costs are exact.

use std::collections::BTreeSet;

use eagleeye_graph::{Activations, CostModel, Op, Work, channel_groups, macs, plan};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::generated::network;
use crate::oracle::{assert_prunes, random_units};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pruned_networks_answer_like_zeroed_ones(graph in network(), seed in 0..1000u64) {
        assert_prunes(&graph, seed);
    }

    #[test]
    fn units_partition_the_axes_of_layers(graph in network()) {
        let groups = channel_groups(&graph).unwrap();
        let mut seen = BTreeSet::new();
        for group in &groups.groups {
            for member in &group.members {
                prop_assert_eq!(member.units.len(), group.size);
                let each = member.units[0].len();
                for unit in &member.units {
                    prop_assert!(unit.is_sorted_by(|a, b| a < b) && unit.len() == each);
                    for &index in unit {
                        prop_assert!((index as usize) < graph.parameter(member.parameter).shape[member.axis]);
                        prop_assert!(seen.insert((member.parameter, member.axis, index)), "two units share an index");
                    }
                }
            }
        }
        // Every output channel of every layer belongs to a unit, prunable or with a reason.
        for node in graph.nodes.iter().filter(|n| matches!(n.op, Op::Conv(_) | Op::Linear { .. })) {
            let weight = graph.parameter_of(node.inputs[1]).unwrap();
            let transposed = matches!(&node.op, Op::Conv(conv) if conv.transposed.is_some());
            let axis = usize::from(transposed);
            for index in 0..graph.parameter(weight).shape[axis] {
                prop_assert!(seen.contains(&(weight, axis, index as u32)), "channel {index} of `{}`", node.name);
            }
        }
        prop_assert!(groups.groups.iter().all(|g| g.prunable == g.reason.is_none()));
        prop_assert!(groups.groups.iter().any(|g| g.prunable), "something can be pruned");
    }

    #[test]
    fn strategies_cost_what_their_plan_costs(graph in network(), seed in 0..1000u64) {
        let groups = channel_groups(&graph).unwrap();
        let cost = CostModel::new(&graph, &groups);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let units = random_units(&groups, &mut rng, |_| true);
        let keep = groups.groups.iter().zip(&units).filter(|(g, _)| g.prunable).map(|(_, u)| u.len()).collect();
        let strategy = eagleeye_graph::Strategy { keep };
        let plan = plan(&graph, &groups, &units).unwrap();
        prop_assert_eq!(cost.macs(&strategy), macs(&plan.graph));
        prop_assert_eq!(cost.parameters(&strategy), plan.graph.parameter_count());
        let written = plan.graph.nodes.iter().flat_map(|node| &node.outputs);
        let activations = written.map(|&value| plan.graph.shape(value).iter().map(|d| d.sample() as u64).product::<u64>());
        let work = Work { macs: macs(&plan.graph), activations: activations.sum(), parameters: plan.graph.parameter_count() };
        prop_assert_eq!(cost.work_at(&Activations::new(&graph, &groups), &strategy.keep), work);
    }
}
