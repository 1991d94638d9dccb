//! The members of channel groups as tensors of the uploaded file, by their names there.

use eagleeye_graph::{Graph, Group, Member, ParameterKind};
use eagleeye_spec::report::ComputedWeight;

/// A tensor of the file with an axis that loses slices with a group.
pub(crate) struct StoredMember<'g> {
    pub parameter: &'g str,
    pub axis: usize,
    /// For each unit of the group: its indices along the axis.
    units: Vec<Vec<u32>>,
}

impl StoredMember<'_> {
    /// The indices along the axis that are removed when the given units (ascending) stay, ascending.
    pub fn removed(&self, kept_units: &[usize]) -> Vec<u32> {
        eagleeye_graph::groups::removed(&self.units, kept_units)
    }
}

/// The tensors of the file whose slices go with the group's units. What the network's own code makes is none, and a weight
/// that it computes is stood for by those of its tensors that have slices of the same channels.
pub(crate) fn stored<'g>(graph: &'g Graph, group: &Group) -> Vec<StoredMember<'g>> {
    let mut members: Vec<StoredMember<'g>> = Vec::new();
    for member in &group.members {
        for stored in stored_for(graph, member) {
            if !members.iter().any(|m| (m.parameter, m.axis) == (stored.parameter, stored.axis)) {
                members.push(stored);
            }
        }
    }
    members
}

pub(crate) fn stored_for<'g>(graph: &'g Graph, member: &Member) -> Vec<StoredMember<'g>> {
    let parameter = graph.parameter(member.parameter);
    let Some(computed) = &parameter.computed else {
        let stored = parameter.kind != ParameterKind::Constant;
        let units = member.units.clone();
        return stored
            .then(|| StoredMember { parameter: &parameter.name, axis: member.axis, units })
            .into_iter()
            .collect();
    };
    let slices = computed.slices.iter().filter(|slices| slices.axis == member.axis);
    let stored = slices.map(|slices| {
        let of_unit = |unit: &Vec<u32>| {
            let mut indices: Vec<u32> =
                unit.iter().flat_map(|&index| slices.indices[index as usize].iter().copied()).collect();
            indices.sort_unstable();
            indices
        };
        let units = member.units.iter().map(of_unit).collect();
        StoredMember { parameter: &slices.tensor, axis: slices.tensor_axis, units }
    });
    stored.collect()
}

/// The group's members that the file computes from its tensors.
pub(crate) fn computed(graph: &Graph, group: &Group) -> Vec<ComputedWeight> {
    let computed = group.members.iter().filter_map(|member| {
        let parameter = graph.parameter(member.parameter);
        let from = &parameter.computed.as_ref()?.from;
        Some(ComputedWeight { weight: parameter.name.clone(), axis: member.axis as u64, from: from.clone() })
    });
    computed.collect()
}
