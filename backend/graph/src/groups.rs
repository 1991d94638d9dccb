//! Channel groups: which slices of which parameters are kept or removed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ir::{Graph, ParameterId, ValueId};
use crate::labels::{self, AxisLabels, FIXED, GroupError, Propagated, Role, Unlabelled, WILD};
use crate::strategy::Strategy;

mod layout;
mod names;

pub(crate) use layout::{ALWAYS, Layout, ParameterAxis};

/// A parameter that loses slices when a unit of the group is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub parameter: ParameterId,
    pub axis: usize,
    pub role: Role,
    /// For each unit of the group: the indices along `axis` that are its own, ascending. Equally many for every unit.
    pub units: Vec<Vec<u32>>,
}

impl Member {
    /// The indices along the axis that are removed when the given units (ascending) stay, ascending.
    pub fn removed(&self, kept_units: &[usize]) -> Vec<u32> {
        removed(&self.units, kept_units)
    }
}

/// The indices of all units but the kept ones (ascending), ascending.
pub fn removed(units: &[Vec<u32>], kept_units: &[usize]) -> Vec<u32> {
    let gone = units.iter().enumerate().filter(|(unit, _)| kept_units.binary_search(unit).is_err());
    let mut indices: Vec<u32> = gone.flat_map(|(_, indices)| indices.iter().copied()).collect();
    indices.sort_unstable();
    indices
}

/// Units that belong to the same axes of the same parameters; a strategy says how many of them stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Unique: the first layer that makes these channels, numbered where one layer makes those of several groups.
    pub name: String,
    /// Number of units. A unit is what can be removed: one channel, or several that must go together. One unit at least
    /// always stays, so a group of one unit is locked.
    pub size: usize,
    pub prunable: bool,
    /// Why the group is locked; `None` where it is prunable.
    pub reason: Option<String>,
    /// The operator that normalises these channels together (layer norm, a mean over channels), where there is one: without
    /// a channel it computes something else than with that channel at zero.
    pub normalised_by: Option<String>,
    /// In order of execution. Empty for a layer whose weight is computed from the network's input: no parameter has its
    /// channels.
    pub members: Vec<Member>,
}

/// Why a group of one unit is locked that could be pruned if it had more.
const ONE_STAYS: &str = "and one unit is always kept";

impl Group {
    /// Whether nothing but its size locks the group: it has one unit.
    pub fn is_one_unit(&self) -> bool {
        self.size == 1 && self.reason.as_deref().is_some_and(|reason| reason.ends_with(ONE_STAYS))
    }

    /// Output channels that one unit has in every layer that makes them, so that rounding units rounds channels; 0 where no
    /// layer makes them.
    pub fn channels_per_unit(&self) -> usize {
        let producers = self.members.iter().filter(|m| m.role == Role::Produces);
        producers.filter_map(|m| m.units.first()).fold(0, |all, unit| gcd(all, unit.len()))
    }
}

/// The greatest common divisor; 0 counts as divisible by anything.
pub fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The channels of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// The axis along which they are.
    pub axis: usize,
    /// For each position along it: the prunable group (position in [`ChannelGroups::groups`]) and the unit of that group;
    /// `None` where the channel always stays.
    pub places: Vec<Option<(usize, usize)>>,
}

/// Every channel group of a network, and for each value and parameter which unit each channel belongs to.
#[derive(Clone, Debug)]
pub struct ChannelGroups {
    /// In order of execution of their first layers; layers whose weights are computed come last.
    pub groups: Vec<Group>,
    /// `(group, unit)` by global unit number, as the layouts use it.
    pub(crate) units: Vec<(usize, usize)>,
    pub(crate) values: Vec<Layout>,
    pub(crate) axes: Vec<ParameterAxis>,
}

impl ChannelGroups {
    /// The groups that a strategy decides about, in the order of its keep counts.
    pub fn prunable(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|g| g.prunable)
    }

    /// How many units each group keeps under a strategy, in the order of `groups`; locked groups keep all.
    pub fn keep_counts(&self, strategy: &Strategy) -> Vec<usize> {
        let mut keep = strategy.keep.iter().copied();
        let counts = self.groups.iter().map(|g| if g.prunable { keep.next().unwrap_or(g.size) } else { g.size });
        counts.collect()
    }

    /// Which units the channels of a value belong to; `None` where it has no channels of a prunable group along an axis.
    pub fn channels_of(&self, value: ValueId) -> Option<Channels> {
        let Layout::Along { axis, units } = self.values.get(value.index())? else { return None };
        let places = units.iter().map(|&unit| self.units.get(unit as usize).copied());
        Some(Channels { axis: *axis, places: places.collect() })
    }

    /// The axis of a value along which its channels are, and the positions that stay along it when of each group the given
    /// units stay; `None` where nothing of the value is removed.
    pub fn kept_channels(&self, value: ValueId, kept_units: &[Vec<usize>]) -> Option<(usize, Vec<usize>)> {
        let Layout::Along { axis, units } = self.values.get(value.index())? else { return None };
        let stays = |unit: u32| {
            let place = if unit == ALWAYS { None } else { self.units.get(unit as usize) };
            place.is_none_or(|&(group, unit)| kept_units[group].binary_search(&unit).is_ok())
        };
        let kept: Vec<usize> = (0..units.len()).filter(|&position| stays(units[position])).collect();
        (kept.len() < units.len()).then_some((*axis, kept))
    }
}

/// Finds the channel groups of a network. Linear in the number of nodes.
///
/// # Errors
/// Only for networks that are no real ones: empty tensors, or tensors too large to label.
pub fn channel_groups(graph: &Graph) -> Result<ChannelGroups, GroupError> {
    let found = labels::propagate(graph)?;
    let units = units(&found);
    let groups = layout::never_empty(&found, &units, sort_into_groups(&units));
    let described =
        groups.iter().map(|g| describe(graph, &found, &units, g)).chain(found.unlabelled.iter().map(locked));
    let described = names::unique(described.collect());
    Ok(layout::assemble(&found, &units, &groups, described))
}

/// A class of labels with the places where it stands.
struct Unit {
    label: u32,
    /// For each parameter axis that it is on (position in [`Propagated::axes`]): its indices along that axis.
    places: BTreeMap<usize, Vec<u32>>,
    locked: Option<Arc<str>>,
}

/// The classes that a layer's weight knows, in order of first appearance.
fn units(found: &Propagated) -> Vec<Unit> {
    let mut by_label: BTreeMap<u32, usize> = BTreeMap::new();
    let mut units: Vec<Unit> = Vec::new();
    for (place, axis) in found.axes.iter().enumerate() {
        for (index, &label) in axis.labels.iter().enumerate().filter(|(_, l)| **l != FIXED && **l != WILD) {
            let unit = *by_label.entry(label).or_insert_with(|| {
                units.push(Unit { label, places: BTreeMap::new(), locked: found.locked.get(&label).cloned() });
                units.len() - 1
            });
            units[unit].places.entry(place).or_default().push(index as u32);
        }
    }
    let weight = |place: &usize| found.axes[*place].role != Role::Follows;
    units.retain(|unit| unit.places.keys().any(weight));
    units
}

/// Units (by position) with the same set of parameter axes, equally often on each, locked for the same reason or not at all.
fn sort_into_groups(units: &[Unit]) -> Vec<Vec<usize>> {
    let mut by_key = BTreeMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (position, unit) in units.iter().enumerate() {
        let places: Vec<(usize, usize)> = unit.places.iter().map(|(&place, indices)| (place, indices.len())).collect();
        let group = *by_key.entry((places, unit.locked.clone())).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(position);
    }
    groups
}

fn describe(graph: &Graph, found: &Propagated, units: &[Unit], group: &[usize]) -> Group {
    let first = &units[group[0]];
    let places: Vec<usize> = first.places.keys().copied().collect();
    let axis = |place: usize| -> &AxisLabels { &found.axes[place] };
    let members = places.iter().map(|&place| Member {
        parameter: axis(place).parameter,
        axis: axis(place).axis,
        role: axis(place).role,
        units: group.iter().map(|&unit| units[unit].places[&place].clone()).collect(),
    });
    let producer = places.iter().copied().find(|&place| axis(place).role == Role::Produces);
    let reason = match (&first.locked, producer) {
        (Some(reason), _) => Some(reason.to_string()),
        (None, None) => Some("these channels are not made by a convolution or linear layer".to_owned()),
        (None, Some(_)) if group.len() == 1 => Some(single(first, &axis)),
        (None, Some(_)) => None,
    };
    Group {
        name: names::of_parameter(graph, axis(producer.unwrap_or(places[0])).parameter),
        size: group.len(),
        prunable: reason.is_none(),
        reason,
        normalised_by: found.normalised.get(&first.label).map(|by| by.to_string()),
        members: members.collect(),
    }
}

/// Why the only unit of a group stays.
fn single<'a>(unit: &Unit, axis: &impl Fn(usize) -> &'a AxisLabels) -> String {
    let channels = unit.places.iter().filter(|(place, _)| axis(**place).role == Role::Produces).map(|(_, i)| i.len());
    match channels.max() {
        None | Some(1) => format!("it is a single channel, {ONE_STAYS}"),
        Some(n) => format!("its {n} channels can only be removed together, {ONE_STAYS}"),
    }
}

fn locked(layer: &Unlabelled) -> Group {
    Group {
        name: layer.layer.clone(),
        size: layer.channels,
        prunable: false,
        reason: Some(layer.reason.to_string()),
        normalised_by: None,
        members: Vec::new(),
    }
}
