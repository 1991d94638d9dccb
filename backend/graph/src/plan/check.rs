//! Checks a plan against the full network before anybody may use it.

use super::kept::Kept;
use super::{ParameterSlices, PlanError};
use crate::infer::output_shapes;
use crate::ir::{Graph, Node};
use crate::labels::movement::{Fill, moved};
use crate::labels::tensor::Labels;
use crate::ops::Op;
use crate::shape;

/// Every node makes the shapes that its outputs have.
pub(super) fn shapes(pruned: &Graph) -> Result<(), PlanError> {
    for node in &pruned.nodes {
        let inputs: Vec<_> = node.inputs.iter().map(|&i| pruned.shape(i)).collect();
        let inferred = output_shapes(&node.op, &inputs);
        let inferred = inferred.map_err(|error| PlanError::Shape { node: node.name.clone(), error })?;
        for (&output, found) in node.outputs.iter().zip(inferred) {
            if *pruned.shape(output) != found {
                return Err(PlanError::Size {
                    node: node.name.clone(),
                    expected: shape::sample(pruned.shape(output)),
                    found: shape::sample(&found),
                });
            }
        }
    }
    Ok(())
}

/// Every operator that moves data, with its new attributes and on the channels that stay, leaves each of them where the full
/// operator leaves it.
pub(super) fn movement(full: &Graph, pruned: &Graph, kept: &Kept) -> Result<(), PlanError> {
    for (node, new) in full.nodes.iter().zip(&pruned.nodes) {
        let touched = node.inputs.iter().chain(&node.outputs).any(|&v| full.shape(v) != pruned.shape(v));
        if touched && !moves_alike(full, node, &new.op, kept)? {
            return Err(PlanError::Misplaced { node: node.name.clone() });
        }
    }
    Ok(())
}

/// Written padding, apart from every position of an input.
const WRITTEN: u32 = 1 << 31;

fn moves_alike(full: &Graph, node: &Node, new: &Op, kept: &Kept) -> Result<bool, PlanError> {
    let misplaced = |_| PlanError::Misplaced { node: node.name.clone() };
    // Every position along the axis of channels has a number of its own, different for each input.
    let mut next = 0u32;
    let mut before = Vec::new();
    let mut after = Vec::new();
    for &input in &node.inputs {
        let sizes = shape::sample(full.shape(input));
        match kept.channels(input) {
            Some((axis, positions)) => {
                let size = sizes[axis] as u32;
                before.push(Labels::along(sizes, axis, (next..next + size).collect()));
                after.push(before[before.len() - 1].take(axis, positions));
                next += size;
            }
            None => {
                before.push(Labels::uniform(sizes, next));
                after.push(Labels::uniform(shape::sample(full.shape(input)), next));
                next += 1;
            }
        }
    }
    let before: Vec<&Labels> = before.iter().collect();
    let after: Vec<&Labels> = after.iter().collect();
    let axes: Vec<usize> = kept.channels(node.outputs[0]).map(|(axis, _)| axis).into_iter().collect();
    let mut fill = Fill { axes: axes.clone(), label: &mut |p| WRITTEN + p as u32 };
    let Some(wanted) = moved(&node.op, &before, &mut fill).map_err(misplaced)? else {
        return Ok(true);
    };
    let stays = kept.channels(node.outputs[0]).map(|(_, positions)| positions);
    let mut label = |p: usize| WRITTEN + stays.and_then(|s| s.get(p)).map_or(p, |&p| p) as u32;
    let mut fill = Fill { axes, label: &mut label };
    let found = moved(new, &after, &mut fill).map_err(misplaced)?;
    let wanted = wanted.iter().zip(&node.outputs).map(|(labels, &output)| match kept.channels(output) {
        Some((axis, positions)) => labels.take(axis, positions),
        None => labels.clone(),
    });
    Ok(found == Some(wanted.collect()))
}

/// The input axis of every weight lists the channels of the layer's input in their order.
pub(super) fn weights(full: &Graph, slices: &[ParameterSlices], kept: &Kept) -> Result<(), PlanError> {
    for node in &full.nodes {
        let (axis, channels) = match &node.op {
            Op::Conv(conv) if conv.groups == 1 => (usize::from(conv.transposed.is_none()), 1),
            Op::Linear { transposed } => (usize::from(!transposed), full.shape(node.inputs[0]).len() - 1),
            _ => continue,
        };
        let Some(weight) = full.parameter_of(node.inputs[1]) else { continue };
        let sliced = slices[weight.index()].contains_key(&axis);
        let listed = kept.units_of_weight(weight, axis);
        if sliced && listed != kept.units_along(node.inputs[0], channels) {
            return Err(PlanError::Weight { node: node.name.clone(), parameter: full.parameter(weight).name.clone() });
        }
    }
    Ok(())
}
