//! Random networks of random blocks: whatever hangs together, plans hold the zero oracle and costs are exact.

use std::collections::BTreeSet;

use eagleeye_graph::{
    Budget, CostModel, Graph, Op, PadMode, Reduction, Space, StrategyError, Unary, ValueId, channel_groups, draw, macs,
    plan, reachable,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::net::Net;
use crate::networks::{attention, channel_shuffle};
use crate::oracle::{assert_prunes, random_units};

/// A block that a random network may have next; numbers choose widths.
#[derive(Clone, Debug)]
enum Block {
    Convolution(usize),
    Residual(usize),
    Downsample(usize),
    Concatenation(usize),
    Branches(usize),
    SplitAndGate,
    Shuffle(usize),
    Grouped(usize),
    Depthwise(usize),
    SqueezeExcite(usize),
    PixelShuffle(usize),
    Transposed(usize),
    ChannelsLast(usize),
    Padded(usize),
    Sliced(usize),
    Rolled(i64),
    Attention(bool),
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        (1..9usize).prop_map(Block::Convolution),
        (1..7usize).prop_map(Block::Residual),
        (2..9usize).prop_map(Block::Downsample),
        (1..5usize).prop_map(Block::Concatenation),
        (2..7usize).prop_map(Block::Branches),
        Just(Block::SplitAndGate),
        (2..4usize).prop_map(Block::Shuffle),
        (2..4usize).prop_map(Block::Grouped),
        (1..3usize).prop_map(Block::Depthwise),
        (1..4usize).prop_map(Block::SqueezeExcite),
        (1..4usize).prop_map(Block::PixelShuffle),
        (1..6usize).prop_map(Block::Transposed),
        (1..6usize).prop_map(Block::ChannelsLast),
        (1..3usize).prop_map(Block::Padded),
        (1..4usize).prop_map(Block::Sliced),
        (-3..4i64).prop_map(Block::Rolled),
        any::<bool>().prop_map(Block::Attention),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Head {
    GlobalPool,
    Flatten,
    Attention,
}

fn network() -> impl Strategy<Value = Graph> {
    let head = prop_oneof![Just(Head::GlobalPool), Just(Head::Flatten), Just(Head::Attention)];
    (3..8usize, prop::collection::vec(block(), 1..7), head).prop_map(|(stem, blocks, head)| {
        let (mut net, x) = Net::image(2, 4);
        let mut x = net.block(["stem", "stem_bn"], x, stem, 3, 1, 1);
        for (i, block) in blocks.iter().enumerate() {
            x = append(&mut net, &format!("block{i}"), x, block);
        }
        match head {
            Head::GlobalPool => net.classifier(x, 3),
            Head::Flatten => {
                let x = net.flatten(x);
                let x = net.linear("hidden", x, 5);
                let x = net.relu(x);
                let x = net.linear("head", x, 3);
                net.finish(&[x])
            }
            Head::Attention => {
                let (channels, tokens) = (net.size(x, 1), net.size(x, 2) * net.size(x, 3));
                let x = net.reshape(x, &[channels, tokens]);
                let x = net.permute(x, &[0, 2, 1]);
                let x = net.linear("embed", x, 6);
                let y = attention(&mut net, "attention", x, 2, tokens.is_multiple_of(2));
                let x = net.add(x, y);
                let x = net.mean(x, &[1], false);
                let x = net.linear("head", x, 3);
                net.finish(&[x])
            }
        }
    })
}

fn append(net: &mut Net, name: &str, x: ValueId, block: &Block) -> ValueId {
    let of = |layer: &str| format!("{name}.{layer}");
    let channels = net.size(x, 1);
    match *block {
        Block::Convolution(width) => net.block([&of("conv"), &of("bn")], x, width, 3, 1, 1),
        Block::Residual(width) => {
            let y = net.block([&of("inner"), &of("bn")], x, width, 3, 1, 1);
            let y = net.conv(&of("outer"), y, channels, 1, 1);
            let sum = net.add(y, x);
            net.relu(sum)
        }
        Block::Downsample(width) => {
            let y = net.conv(&of("conv"), x, width, 3, 2);
            let short = net.conv(&of("short"), x, width, 1, 2);
            net.add(short, y)
        }
        Block::Concatenation(width) => {
            let y = net.block([&of("conv"), &of("bn")], x, width, 3, 1, 1);
            net.cat(&[x, y])
        }
        Block::Branches(width) => {
            let a = net.conv(&of("a"), x, width, 1, 1);
            let b = net.conv(&of("b"), x, width, 3, 1);
            let ab = net.cat(&[a, b, a]);
            let ab = net.norm(&of("bn"), ab);
            net.relu(ab)
        }
        Block::SplitAndGate => {
            let y = net.conv(&of("conv"), x, channels * 2, 1, 1);
            let halves = net.nodes(Op::Split { axis: 1, sizes: vec![channels; 2] }, &[y]);
            let gate = net.sigmoid(halves[1]);
            let y = net.mul(halves[0], gate);
            net.add(x, y)
        }
        Block::Shuffle(groups) => {
            let y = net.conv(&of("conv"), x, groups * 3, 1, 1);
            channel_shuffle(net, y, groups)
        }
        Block::Grouped(groups) => {
            let y = net.conv(&of("reduce"), x, groups * 2, 1, 1);
            net.block([&of("conv"), &of("bn")], y, groups * 3, 3, 1, groups)
        }
        Block::Depthwise(multiplier) => net.block([&of("conv"), &of("bn")], x, channels * multiplier, 3, 1, channels),
        Block::SqueezeExcite(width) => {
            let gate = net.global_pool(x);
            let gate = net.biased(&of("squeeze"), gate, width, 1, 1);
            let gate = net.relu(gate);
            let gate = net.biased(&of("excite"), gate, channels, 1, 1);
            let gate = net.sigmoid(gate);
            net.mul(x, gate)
        }
        Block::PixelShuffle(width) => {
            let side = net.size(x, 2);
            let y = net.conv(&of("conv"), x, width * 4, 1, 2);
            let small = side.div_ceil(2);
            let y = net.reshape(y, &[width, 2, 2, small, small]);
            let y = net.permute(y, &[0, 1, 4, 2, 5, 3]);
            net.reshape(y, &[width, small * 2, small * 2])
        }
        Block::Transposed(width) => {
            let y = net.conv(&of("reduce"), x, 2, 1, 2);
            net.transposed(&of("up"), y, width, 1)
        }
        Block::ChannelsLast(width) => {
            let y = net.permute(x, &[0, 2, 3, 1]);
            let y = net.linear(&of("up"), y, width);
            let y = net.relu(y);
            let y = net.linear(&of("down"), y, channels);
            let y = net.permute(y, &[0, 3, 1, 2]);
            let scale = net.parameter(&of("scale"), &[channels, 1, 1]);
            let y = net.mul(y, scale);
            net.add(x, y)
        }
        Block::Padded(by) => {
            let y = net.conv(&of("conv"), x, channels + 2 * by, 3, 1);
            let pads = vec![(0, 0), (by as i64, by as i64), (0, 0), (0, 0)];
            let short = net.push(Op::Pad { pads, mode: PadMode::Constant(0.0) }, &[x]);
            net.add(short, y)
        }
        Block::Sliced(by) => {
            let y = net.conv(&of("conv"), x, by + 3, 1, 1);
            let rest = net.push(Op::Slice { axis: 1, start: by, end: by + 3, step: 1 }, &[y]);
            let indices = vec![by + 2, 0, by + 2];
            let picked = net.push(Op::Gather { axis: 1, indices }, &[y]);
            let picked = net.conv(&of("picked"), picked, 2, 1, 1);
            net.cat(&[rest, picked])
        }
        Block::Attention(of_positions) => {
            // The sum of squares and not the mean: zeroed channels are as good as none.
            let squares = net.push(Op::Unary(Unary::PowScalar(2.0)), &[x]);
            let axes = if of_positions { vec![1] } else { vec![1, 2, 3] };
            let sum = net.push(Op::Reduce { kind: Reduction::Sum, axes, keep_dims: true }, &[squares]);
            let gate = net.sigmoid(sum);
            let shape = net.builder.shape(x).clone();
            let gate = net.push(Op::Expand { shape }, &[gate]);
            net.mul(x, gate)
        }
        Block::Rolled(shift) => {
            let y = net.push(Op::Roll { shifts: vec![(1, shift)] }, &[x]);
            net.conv(&of("conv"), y, 4, 1, 1)
        }
    }
}

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
    fn strategies_land_on_their_budget_and_cost_what_their_plan_costs(
        graph in network(),
        seed in 0..1000u64,
        part in 0.05..1.0f64,
    ) {
        let groups = channel_groups(&graph).unwrap();
        let cost = CostModel::new(&graph, &groups);
        let space = Space { round_to: Some(1), min_keep_ratio: 0.0 };
        let smallest = *reachable(&cost, &groups, &space).start();
        let budget = Budget { macs: smallest + (1.0 - smallest) * part };
        match draw(&cost, &groups, &space, &budget, seed, 0) {
            Ok(strategy) => {
                let fraction = cost.macs(&strategy) as f64 / macs(&graph) as f64;
                prop_assert!((fraction / budget.macs - 1.0).abs() <= 0.01);
            }
            // A handful of channels can be too few to come within a percent.
            Err(error) => prop_assert!(matches!(error, StrategyError::TooCoarse { .. }), "{error}"),
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let units = random_units(&groups, &mut rng, |_| true);
        let keep = groups.groups.iter().zip(&units).filter(|(g, _)| g.prunable).map(|(_, u)| u.len()).collect();
        let strategy = eagleeye_graph::Strategy { keep };
        let plan = plan(&graph, &groups, &units).unwrap();
        prop_assert_eq!(cost.macs(&strategy), macs(&plan.graph));
        prop_assert_eq!(cost.parameters(&strategy), plan.graph.parameter_count());
    }
}
