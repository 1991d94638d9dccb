//! Attributes of pruned nodes: everything that names a size or a position of a channel.

use super::kept::Kept;
use crate::ir::{Graph, Node};
use crate::ops::{Conv, Op, PadMode};

/// The operation of a node on the channels that stay. `pruned` has the new shapes already.
pub(super) fn updated(full: &Graph, pruned: &Graph, node: &Node, kept: &Kept) -> Op {
    let x = node.inputs[0];
    let new_shape = || pruned.shape(node.outputs[0]).clone();
    let size = |axis: usize| full.shape(x)[axis].sample();
    match &node.op {
        Op::Conv(conv) if conv.groups > 1 => {
            let channels = size(1);
            let makes = full.shape(node.outputs[0])[1].sample();
            let (each_in, each_out) = (channels / conv.groups, makes / conv.groups);
            let whole = each_in == 1 || each_out == 1;
            let groups = if whole { pruned.shape(x)[1].sample() / each_in } else { conv.groups };
            Op::Conv(Conv { groups, ..conv.clone() })
        }
        Op::GroupNorm { groups, epsilon } if *groups == size(1) => {
            Op::GroupNorm { groups: pruned.shape(x)[1].sample(), epsilon: *epsilon }
        }
        Op::Reshape { .. } => Op::Reshape { shape: new_shape() },
        Op::Expand { .. } => Op::Expand { shape: new_shape() },
        Op::Split { axis, .. } => {
            let sizes = node.outputs.iter().map(|&o| pruned.shape(o)[*axis].sample()).collect();
            Op::Split { axis: *axis, sizes }
        }
        Op::Slice { axis, start, end, step } => {
            let taken: Vec<usize> = (*start..*end).step_by(*step).collect();
            match chosen(full, node, kept, *axis, &taken) {
                Some(indices) => slice_or_gather(*axis, indices),
                None => node.op.clone(),
            }
        }
        Op::Gather { axis, indices } => match chosen(full, node, kept, *axis, indices) {
            Some(indices) => Op::Gather { axis: *axis, indices },
            None => node.op.clone(),
        },
        Op::Pad { pads, mode } => {
            let pads = pads.iter().enumerate().map(|(axis, &pad)| padding(full, node, kept, axis, pad, *mode));
            Op::Pad { pads: pads.collect(), mode: *mode }
        }
        Op::Roll { shifts } => {
            let shifts = shifts.iter().map(|&(axis, shift)| {
                let Some((channels, positions)) = kept.channels(x) else { return (axis, shift) };
                if channels != axis {
                    return (axis, shift);
                }
                // As many as stay of those that go around the end.
                let around = shift.rem_euclid(size(axis) as i64) as usize;
                let first = size(axis) - around;
                (axis, positions.iter().filter(|&&p| p >= first).count() as i64)
            });
            Op::Roll { shifts: shifts.collect() }
        }
        _ => node.op.clone(),
    }
}

/// The new positions of the channels that a slice or gather takes and that stay, or `None` where it takes no channels.
fn chosen(full: &Graph, node: &Node, kept: &Kept, axis: usize, taken: &[usize]) -> Option<Vec<usize>> {
    let (channels, positions) = kept.channels(node.inputs[0])?;
    if channels != axis {
        return None;
    }
    let size = full.shape(node.outputs[0])[axis].sample();
    let stays = kept.positions(node.outputs[0], axis, size);
    Some(stays.iter().filter_map(|&out| positions.binary_search(&taken[out]).ok()).collect())
}

fn slice_or_gather(axis: usize, indices: Vec<usize>) -> Op {
    let step = match indices[..] {
        [first, second, ..] if second > first => second - first,
        _ => 1,
    };
    let regular = indices.iter().enumerate().all(|(i, &index)| index == indices[0] + i * step);
    match (indices.first(), indices.last()) {
        (Some(&start), Some(&last)) if regular => Op::Slice { axis, start, end: last + 1, step },
        _ => Op::Gather { axis, indices },
    }
}

fn padding(full: &Graph, node: &Node, kept: &Kept, axis: usize, pad: (i64, i64), mode: PadMode) -> (i64, i64) {
    let (before, after) = pad;
    let (x, out) = (node.inputs[0], node.outputs[0]);
    let of = |value| kept.positions(value, axis, full.shape(value)[axis].sample());
    let (inner, outer) = (of(x), of(out));
    let (inner_size, outer_size) = (full.shape(x)[axis].sample(), full.shape(out)[axis].sample());
    // What is written is counted in the output, what is cropped in the input.
    let front = match usize::try_from(before) {
        Ok(written) => outer.iter().filter(|&&p| p < written).count() as i64,
        Err(_) => -(inner.iter().filter(|&&p| (p as i64) < -before).count() as i64),
    };
    let back = match usize::try_from(after) {
        Ok(written) => outer.iter().filter(|&&p| p + written >= outer_size).count() as i64,
        Err(_) => -(inner.iter().filter(|&&p| p as i64 >= inner_size as i64 + after).count() as i64),
    };
    debug_assert!(mode != PadMode::Reflect || pad == (front, back), "channels padded by reflection are locked");
    (front, back)
}
