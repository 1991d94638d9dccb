//! Which channels of each value stay.

use super::{PlanError, with_count};
use crate::groups::{ALWAYS, ChannelGroups, Layout};
use crate::ir::{Graph, ValueId};
use crate::shape::Shape;

/// The kept positions of every value.
pub(super) struct Kept<'g> {
    groups: &'g ChannelGroups,
    /// By global unit number.
    units: Vec<bool>,
    /// By value: the axis along which channels are, and those that stay; `None` where the value stays whole.
    values: Vec<Option<(usize, Vec<usize>)>>,
}

impl<'g> Kept<'g> {
    pub fn new(graph: &Graph, groups: &'g ChannelGroups, kept_units: &[Vec<usize>]) -> Result<Self, PlanError> {
        let units = groups.units.iter().map(|&(group, unit)| kept_units[group].binary_search(&unit).is_ok()).collect();
        let mut kept = Self { groups, units, values: Vec::with_capacity(groups.values.len()) };
        for (layout, value) in groups.values.iter().zip(&graph.values) {
            let positions = match layout {
                Layout::Whole(unit) if kept.stays(*unit) => None,
                Layout::Whole(_) => return Err(PlanError::Empty { value: value.name.clone() }),
                Layout::Along { axis, units } => {
                    let positions: Vec<usize> = (0..units.len()).filter(|&i| kept.stays(units[i])).collect();
                    if positions.is_empty() {
                        return Err(PlanError::Empty { value: value.name.clone() });
                    }
                    Some((*axis, positions))
                }
            };
            kept.values.push(positions);
        }
        Ok(kept)
    }

    pub fn stays(&self, unit: u32) -> bool {
        unit == ALWAYS || self.units[unit as usize]
    }

    /// The axis that holds channels and the positions along it that stay.
    pub fn channels(&self, value: ValueId) -> Option<(usize, &[usize])> {
        self.values[value.index()].as_ref().map(|(axis, positions)| (*axis, &positions[..]))
    }

    /// The positions that stay along any axis of a value, which is `size` long.
    pub fn positions(&self, value: ValueId, axis: usize, size: usize) -> Vec<usize> {
        match self.channels(value) {
            Some((channels, positions)) if channels == axis => positions.to_vec(),
            _ => (0..size).collect(),
        }
    }

    /// The units along an axis of a value, or `None` where they do not vary.
    pub fn units_along(&self, value: ValueId, axis: usize) -> Option<&'g [u32]> {
        match &self.groups.values[value.index()] {
            Layout::Along { axis: channels, units } if *channels == axis => Some(units),
            _ => None,
        }
    }

    /// The units along an axis of a weight, or `None` where it has none that may be removed.
    pub fn units_of_weight(&self, parameter: crate::ir::ParameterId, axis: usize) -> Option<&'g [u32]> {
        let found = self.groups.axes.iter().find(|a| (a.parameter, a.axis) == (parameter, axis));
        found.map(|a| &a.units[..])
    }

    /// The shape of a value (by index) with only the channels that stay.
    pub fn shape(&self, value: usize, full: &Shape) -> Shape {
        match &self.values[value] {
            Some((axis, positions)) => with_count(full, *axis, positions.len()),
            None => full.clone(),
        }
    }
}
