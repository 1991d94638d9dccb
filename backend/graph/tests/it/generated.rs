//! Random networks of random blocks.

use eagleeye_graph::{Graph, Op, PadMode, Reduction, Unary, ValueId};
use proptest::prelude::*;

use crate::net::Net;
use crate::networks::{attention, channel_shuffle};

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

pub fn network() -> impl Strategy<Value = Graph> {
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
