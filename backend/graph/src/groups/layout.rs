//! Where units stand in values and parameters: what cost and plans count.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChannelGroups, Group, Unit};
use crate::ir::ParameterId;
use crate::labels::{FIXED, Propagated, WILD};

/// Number of a channel that belongs to no unit of a prunable group: it always stays.
pub(crate) const ALWAYS: u32 = u32::MAX;

/// The units of a value's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All entries belong to one unit, or to none ([`ALWAYS`]).
    Whole(u32),
    /// Units vary along one axis.
    Along { axis: usize, units: Vec<u32> },
}

/// The units along one axis of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterAxis {
    pub parameter: ParameterId,
    pub axis: usize,
    pub units: Vec<u32>,
}

/// Splits groups so that no value can lose all its channels while every group keeps a unit.
///
/// A slice of a tensor may hold a part of one group only. Whoever keeps one unit of that group could keep none of the slice:
/// the part becomes a group of its own.
pub(super) fn never_empty(found: &Propagated, units: &[Unit], mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut group_of: BTreeMap<u32, usize> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        group_of.extend(group.iter().map(|&unit| (units[unit].label, number)));
    }
    let mut checked: BTreeSet<Vec<u32>> = BTreeSet::new();
    for value in found.values.iter().flatten() {
        let mut classes: Vec<u32> = value.iter().collect();
        classes.sort_unstable();
        classes.dedup();
        if classes.iter().any(|c| !group_of.contains_key(c) || found.locked.contains_key(c)) {
            continue;
        }
        if !checked.insert(classes.clone()) {
            continue;
        }
        let mut present: BTreeMap<usize, usize> = BTreeMap::new();
        classes.iter().for_each(|c| *present.entry(group_of[c]).or_insert(0) += 1);
        if present.iter().any(|(&group, &count)| groups[group].len() == count) {
            continue;
        }
        let Some((&group, _)) = present.iter().next() else { continue };
        let inside = |unit: &usize| classes.binary_search(&units[*unit].label).is_ok();
        let (part, rest): (Vec<usize>, Vec<usize>) = groups[group].iter().partition(|&u| inside(u));
        group_of.extend(part.iter().map(|&unit| (units[unit].label, groups.len())));
        groups[group] = rest;
        groups.push(part);
    }
    groups.sort_by_key(|group| group[0]);
    groups
}

pub(super) fn assemble(
    found: &Propagated,
    units: &[Unit],
    groups: &[Vec<usize>],
    described: Vec<Group>,
) -> ChannelGroups {
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    let mut places = Vec::new();
    for (group, members) in groups.iter().enumerate().filter(|(group, _)| described[*group].prunable) {
        for (unit, &position) in members.iter().enumerate() {
            numbers.insert(units[position].label, places.len() as u32);
            places.push((group, unit));
        }
    }
    let number = |label: u32| match label {
        FIXED | WILD => ALWAYS,
        label => numbers.get(&label).copied().unwrap_or(ALWAYS),
    };
    let values = found.values.iter().map(|labels| {
        let Some(labels) = labels else { return Layout::Whole(ALWAYS) };
        let labels = labels.map(number);
        match labels.varying()[..] {
            [axis] => Layout::Along { axis, units: labels.vector(axis) },
            _ => Layout::Whole(labels.iter().next().unwrap_or(ALWAYS)),
        }
    });
    let axes = found.axes.iter().map(|a| ParameterAxis {
        parameter: a.parameter,
        axis: a.axis,
        units: a.labels.iter().map(|&l| number(l)).collect(),
    });
    let axes = axes.filter(|a| a.units.iter().any(|&u| u != ALWAYS)).collect();
    ChannelGroups { groups: described, units: places, values: values.collect(), axes }
}
