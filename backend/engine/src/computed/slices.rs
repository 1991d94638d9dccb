//! Which slices of a stored tensor stand for which slices of a weight that is computed from it.
//!
//! Found without looking at a number: one axis of the stored tensor gets labels, and every operation says along which axis of
//! its result these labels then are, and whether a slice of zeros stays one.

use std::collections::BTreeMap;

use eagleeye_graph::shape::sample;
use eagleeye_graph::{Binary, Graph, Node, Op, PadMode, ValueId};

/// Label of entries that do not depend on the stored tensor.
const NONE: u32 = u32::MAX;

/// How a value depends on the labelled axis.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Track {
    /// Not at all.
    Free,
    /// Each slice along `axis` depends on the slice with its label alone; where `zero`, it is zero if that one is.
    Along {
        axis: usize,
        labels: Vec<u32>,
        zero: bool,
    },
    Mixed,
}

/// For each index along `axis` of `value`, which `nodes` (in order) compute: the indices along `tensor_axis` of the parameter
/// value `tensor` that are zero exactly where it is. `None` where there are no such slices.
pub(super) fn standing_for(
    graph: &Graph,
    nodes: &[&Node],
    value: ValueId,
    axis: usize,
    tensor: ValueId,
    tensor_axis: usize,
) -> Option<Vec<Vec<u32>>> {
    let (size, own) = (graph.shape(value)[axis].sample(), graph.shape(tensor)[tensor_axis].sample());
    if size < 2 || !own.is_multiple_of(size) {
        return None;
    }
    // Several neighbours can stand for one slice: kernel positions that are an axis of their own only later.
    let each = own / size;
    let labels = (0..own).map(|i| (i / each) as u32).collect();
    let mut tracks = BTreeMap::from([(tensor, Track::Along { axis: tensor_axis, labels, zero: true })]);
    for node in nodes {
        let inputs: Vec<Track> = node.inputs.iter().map(|i| tracks.get(i).cloned().unwrap_or(Track::Free)).collect();
        if inputs.iter().all(|track| *track == Track::Free) {
            continue;
        }
        let step = Step { graph, node, inputs: &inputs };
        for (index, &output) in node.outputs.iter().enumerate() {
            tracks.insert(output, step.output(index));
        }
    }
    let Some(Track::Along { axis: found, labels, zero: true }) = tracks.get(&value) else { return None };
    let mut once = vec![false; size];
    let exact = *found == axis
        && labels.len() == size
        && labels.iter().all(|&l| once.get_mut(l as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
    let indices = |label: u32| (label * each as u32..(label + 1) * each as u32).collect();
    exact.then(|| labels.iter().map(|&label| indices(label)).collect())
}

struct Step<'a> {
    graph: &'a Graph,
    node: &'a Node,
    inputs: &'a [Track],
}

impl Step<'_> {
    fn sizes(&self, input: usize) -> Vec<usize> {
        sample(self.graph.shape(self.node.inputs[input]))
    }

    fn output(&self, index: usize) -> Track {
        let out = sample(self.graph.shape(self.node.outputs[index]));
        if let Op::Cat { axis } = self.node.op {
            return self.joined(axis);
        }
        if let Op::Binary(function) = self.node.op {
            return self.binary(function, &out);
        }
        let Track::Along { axis, labels, zero } = &self.inputs[0] else {
            // Only products pass on what their second operand depends on.
            return if self.inputs[0] == Track::Free { self.of_second(&out) } else { Track::Mixed };
        };
        if self.inputs[1..].iter().any(|track| *track != Track::Free) {
            return Track::Mixed;
        }
        let (axis, from) = (*axis, self.sizes(0));
        let along = |axis: usize, labels: Vec<u32>, zero: bool| Track::Along { axis, labels, zero };
        let same = |zero: bool| along(axis, labels.clone(), zero);
        let taken = |positions: Vec<usize>| along(axis, positions.iter().map(|&p| labels[p]).collect(), *zero);
        match &self.node.op {
            Op::Unary(function) => same(*zero && function.keeps_zero()),
            Op::Reduce { axes, keep_dims, .. } if !axes.contains(&axis) => {
                let before = if *keep_dims { 0 } else { axes.iter().filter(|&&a| a < axis).count() };
                along(axis - before, labels.clone(), *zero)
            }
            Op::Reshape { .. } => match reshaped(&from, axis, labels, &out) {
                Some((axis, labels)) => along(axis, labels, *zero),
                None => Track::Mixed,
            },
            Op::Permute { order } => match order.iter().position(|&a| a == axis) {
                Some(axis) => along(axis, labels.clone(), *zero),
                None => Track::Mixed,
            },
            Op::Expand { .. } => aligned(&from, axis, labels, *zero, &out),
            Op::Split { axis: cut, sizes } if *cut == axis => {
                let start: usize = sizes[..index].iter().sum();
                taken((start..start + sizes[index]).collect())
            }
            Op::Slice { axis: cut, start, end, step } if *cut == axis => taken((*start..*end).step_by(*step).collect()),
            Op::Gather { axis: cut, indices } if *cut == axis => taken(indices.clone()),
            Op::Split { .. } | Op::Slice { .. } | Op::Gather { .. } => same(*zero),
            Op::Roll { shifts } => {
                let shift: i64 = shifts.iter().filter(|(a, _)| *a == axis).map(|(_, by)| by).sum();
                let size = from[axis] as i64;
                taken((0..size).map(|i| (i - shift).rem_euclid(size) as usize).collect())
            }
            Op::Pad { pads, mode } if pads[axis] == (0, 0) => {
                same(*zero && matches!(mode, PadMode::Constant(0.0) | PadMode::Reflect | PadMode::Replicate))
            }
            Op::Softmax { axis: over, .. } if *over != axis => same(false),
            // Rows of a product, and norms of each row by itself: only a bias makes something of zeros.
            Op::Linear { .. } if axis + 1 < from.len() => same(*zero && self.inputs.len() < 3),
            Op::MatMul if axis + 1 < from.len() => same(*zero),
            Op::LayerNorm { axes, .. } if axis + axes < from.len() => same(*zero && self.inputs.len() < 3),
            Op::GroupNorm { groups, .. } if axis < 2 && *groups == from[1] => same(*zero && self.inputs.len() < 3),
            _ => Track::Mixed,
        }
    }

    /// The columns of a product, whose left operand does not depend on the tensor.
    fn of_second(&self, out: &[usize]) -> Track {
        match (&self.node.op, self.inputs.get(1)) {
            (Op::MatMul, Some(Track::Along { axis, labels, zero })) if axis + 1 == self.sizes(1).len() => {
                Track::Along { axis: out.len() - 1, labels: labels.clone(), zero: *zero }
            }
            _ => Track::Mixed,
        }
    }

    fn binary(&self, function: Binary, out: &[usize]) -> Track {
        let operand = |input: usize| match &self.inputs[input] {
            Track::Along { axis, labels, zero } => aligned(&self.sizes(input), *axis, labels, *zero, out),
            other => other.clone(),
        };
        let product = matches!(function, Binary::Mul);
        let quotient = matches!(function, Binary::Div | Binary::Pow);
        match (operand(0), operand(1)) {
            (Track::Along { axis, labels, zero }, Track::Free) => {
                Track::Along { axis, labels, zero: zero && (product || function == Binary::Div) }
            }
            (Track::Free, Track::Along { axis, labels, zero }) => Track::Along { axis, labels, zero: zero && product },
            (Track::Along { axis, labels, zero: left }, Track::Along { axis: other, labels: same, zero: right })
                if axis == other && labels == same =>
            {
                let zero = if product {
                    left || right
                } else if quotient {
                    left
                } else {
                    left && right
                };
                Track::Along { axis, labels, zero }
            }
            _ => Track::Mixed,
        }
    }

    /// Parts one behind another: along the labelled axis they keep their labels, along another one all must have the same.
    fn joined(&self, joint: usize) -> Track {
        let axes =
            self.inputs.iter().filter_map(|t| if let Track::Along { axis, .. } = t { Some(*axis) } else { None });
        let axes: Vec<usize> = axes.collect();
        if self.inputs.contains(&Track::Mixed) || axes.windows(2).any(|pair| pair[0] != pair[1]) {
            return Track::Mixed;
        }
        if axes[0] != joint {
            let same = self.inputs.windows(2).all(|pair| pair[0] == pair[1]);
            return if same { self.inputs[0].clone() } else { Track::Mixed };
        }
        let (mut labels, mut zero) = (Vec::new(), true);
        for (input, track) in self.inputs.iter().enumerate() {
            match track {
                Track::Along { labels: own, zero: own_zero, .. } => {
                    labels.extend(own);
                    zero &= own_zero;
                }
                _ => labels.extend(vec![NONE; self.sizes(input)[joint]]),
            }
        }
        Track::Along { axis: joint, labels, zero }
    }
}

/// Broadcast to `out`, aligned at the last axis.
fn aligned(from: &[usize], axis: usize, labels: &[u32], zero: bool, out: &[usize]) -> Track {
    let place = axis + out.len() - from.len();
    let labels = if from[axis] == out[place] { labels.to_vec() } else { vec![labels[0]; out[place]] };
    Track::Along { axis: place, labels, zero }
}

/// Where the labels along `axis` are after a row-major view of `from` as `to`, if they are along one axis.
fn reshaped(from: &[usize], axis: usize, labels: &[u32], to: &[usize]) -> Option<(usize, Vec<u32>)> {
    let inner: usize = from[axis + 1..].iter().product();
    let span = from[axis] * inner;
    (0..to.len()).find_map(|place| {
        let (size, own_inner) = (to[place], to[place + 1..].iter().product::<usize>());
        let own_span = size * own_inner;
        if span == 0 || own_span == 0 {
            return None;
        }
        if inner.is_multiple_of(own_inner) && own_span.is_multiple_of(span) {
            let run = inner / own_inner;
            return Some((place, (0..size).map(|p| labels[p / run % from[axis]]).collect()));
        }
        // Neighbours with one label become a slice.
        let run = own_inner / inner;
        let whole = own_inner.is_multiple_of(inner) && own_span == span && run > 0;
        let chunks = || labels.chunks(run);
        let uniform = whole && chunks().all(|chunk| chunk.iter().all(|l| *l == chunk[0]));
        uniform.then(|| (place, chunks().map(|chunk| chunk[0]).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_views_that_join_or_part_their_axis() {
        assert_eq!(reshaped(&[4, 6], 0, &[0, 1, 2, 3], &[4, 3, 2]), Some((0, vec![0, 1, 2, 3])));
        assert_eq!(reshaped(&[2, 3], 1, &[7, 8, 9], &[6]), Some((0, vec![7, 8, 9, 7, 8, 9])));
        assert_eq!(reshaped(&[2, 3], 0, &[7, 8], &[6]), Some((0, vec![7, 7, 7, 8, 8, 8])));
        assert_eq!(reshaped(&[5, 4], 1, &[0, 0, 1, 1], &[5, 2, 2]), Some((1, vec![0, 1])));
        assert_eq!(reshaped(&[5, 4], 1, &[0, 1, 2, 3], &[5, 2, 2]), None);
        assert_eq!(reshaped(&[3], 0, &[0, 1, 2], &[1, 3, 1, 1]), Some((1, vec![0, 1, 2])));
    }
}
