//! Operators that only move data, run on label tensors. The same code finds the groups and checks a plan.

use ndarray::ShapeError;

use super::tensor::Labels;
use crate::ops::{Op, PadMode};
use crate::shape;

/// What constant padding writes. Along `axes`, which hold channels, it makes new ones, labelled by their position in the
/// output; along every other axis padding belongs to the channel that it surrounds.
pub(crate) struct Fill<'a> {
    pub axes: Vec<usize>,
    pub label: &'a mut dyn FnMut(usize) -> u32,
}

/// Runs an operator that only moves data on its inputs' labels, or returns `None` for any other operator.
pub(crate) fn moved(op: &Op, inputs: &[&Labels], fill: &mut Fill) -> Result<Option<Vec<Labels>>, ShapeError> {
    let x = inputs[0];
    Ok(Some(match op {
        Op::Reshape { shape } => vec![x.reshape(shape::sample(shape))?],
        Op::Permute { order } => vec![x.permute(order)],
        Op::Expand { shape } => vec![x.expand(shape::sample(shape))],
        Op::Cat { axis } => vec![Labels::concatenate(*axis, inputs)?],
        Op::Split { axis, sizes } => {
            let mut start = 0;
            let ranges = sizes.iter().map(|&size| {
                start += size;
                (start - size..start).collect::<Vec<_>>()
            });
            ranges.map(|range| x.take(*axis, &range)).collect()
        }
        Op::Slice { axis, start, end, step } => {
            vec![x.take(*axis, &(*start..*end).step_by(*step).collect::<Vec<_>>())]
        }
        Op::Gather { axis, indices } => vec![x.take(*axis, indices)],
        Op::Roll { shifts } => vec![shifts.iter().fold(x.clone(), |x, &(axis, shift)| rolled(&x, axis, shift))],
        Op::Pad { pads, mode } => {
            let mut result = x.clone();
            for (axis, &pad) in pads.iter().enumerate().filter(|(_, pad)| **pad != (0, 0)) {
                result = padded(&result, axis, pad, *mode, fill)?;
            }
            vec![result]
        }
        _ => return Ok(None),
    }))
}

fn rolled(x: &Labels, axis: usize, shift: i64) -> Labels {
    let size = x.shape()[axis];
    if size == 0 {
        return x.clone();
    }
    let back = size - shift.rem_euclid(size as i64) as usize;
    x.take(axis, &(0..size).map(|i| (i + back) % size).collect::<Vec<_>>())
}

fn padded(
    x: &Labels,
    axis: usize,
    (before, after): (i64, i64),
    mode: PadMode,
    fill: &mut Fill,
) -> Result<Labels, ShapeError> {
    let size = x.shape()[axis] as i64;
    if !fill.axes.contains(&axis) {
        let mut shape = x.shape().to_vec();
        shape[axis] = (size + before + after).max(0) as usize;
        return Ok(x.resized(shape));
    }
    let PadMode::Constant(_) = mode else {
        let source = |i: i64| match mode {
            PadMode::Circular => i.rem_euclid(size),
            PadMode::Reflect => (size - 1 - (size - 1 - i.abs()).abs()).clamp(0, size - 1),
            PadMode::Replicate | PadMode::Constant(_) => i.clamp(0, size - 1),
        };
        return Ok(x.take(axis, &(-before..size + after).map(|i| source(i) as usize).collect::<Vec<_>>()));
    };
    let kept: Vec<usize> = ((-before).max(0)..size + after.min(0)).map(|i| i as usize).collect();
    let inner = x.take(axis, &kept);
    let front = before.max(0) as usize;
    let mut written = |count: usize, first: usize| {
        let mut shape = inner.shape().to_vec();
        shape[axis] = count;
        Labels::along(shape, axis, (first..first + count).map(&mut *fill.label).collect())
    };
    let mut parts = Vec::new();
    if front > 0 {
        parts.push(written(front, 0));
    }
    let back = after.max(0) as usize;
    let behind = (back > 0).then(|| written(back, front + kept.len()));
    parts.push(inner);
    parts.extend(behind);
    Labels::concatenate(axis, &parts.iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(n: u32) -> Labels {
        Labels::along(vec![1, n as usize, 2, 2], 1, (0..n).collect())
    }

    fn one(op: &Op, x: &Labels) -> Vec<u32> {
        moved(op, &[x], &mut Fill { axes: vec![1], label: &mut |i| 100 + i as u32 }).unwrap().unwrap()[0].vector(1)
    }

    #[test]
    fn padding_channels_makes_new_ones_and_cropping_drops_them() {
        let pads = |p| Op::Pad { pads: vec![(0, 0), p, (1, 1), (0, 0)], mode: PadMode::Constant(0.0) };
        assert_eq!(one(&pads((1, 2)), &channels(2)), [100, 0, 1, 103, 104]);
        assert_eq!(one(&pads((-1, 1)), &channels(3)), [1, 2, 102]);
    }

    #[test]
    fn padding_modes_repeat_what_pytorch_repeats() {
        let pads = |mode| Op::Pad { pads: vec![(0, 0), (2, 1), (0, 0), (0, 0)], mode };
        assert_eq!(one(&pads(PadMode::Reflect), &channels(3)), [2, 1, 0, 1, 2, 1]);
        assert_eq!(one(&pads(PadMode::Replicate), &channels(3)), [0, 0, 0, 1, 2, 2]);
        assert_eq!(one(&pads(PadMode::Circular), &channels(3)), [1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn roll_moves_the_last_to_the_front() {
        assert_eq!(one(&Op::Roll { shifts: vec![(1, 1)] }, &channels(4)), [3, 0, 1, 2]);
        assert_eq!(one(&Op::Roll { shifts: vec![(1, -1)] }, &channels(4)), [1, 2, 3, 0]);
    }

    #[test]
    fn pointwise_operators_are_not_movement() {
        let op = Op::Unary(crate::ops::Unary::Relu);
        assert_eq!(moved(&op, &[&channels(2)], &mut Fill { axes: vec![], label: &mut |_| 0 }).unwrap(), None);
    }
}
