//! Values whose labels vary along two axes: removing one label would leave a hole, so labels become one along all axes but one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::unionfind::UnionFind;

use super::tensor::Labels;
use super::{FIXED, Propagation, WILD};

impl Propagation<'_> {
    /// Leaves every value with labels that vary along one axis at most.
    ///
    /// This comes last, since what is done with a value tells which axis to keep: a convolution behind a pixel shuffle has
    /// then made positions one, and only real choices are left (the groups of a channel shuffle, query, key and value in one
    /// tensor).
    pub(super) fn make_boxes(&mut self) {
        let mut locked = self.atoms.locked();
        for index in 0..self.values.len() {
            let Some(labels) = self.values[index].clone() else { continue };
            let labels = labels.map(|l| self.atoms.find(l));
            if labels.varying().len() < 2 {
                continue;
            }
            let labels = labels.map(|l| if locked.contains_key(&l) { FIXED } else { l });
            let varying = labels.varying();
            if varying.len() < 2 {
                continue;
            }
            let Some(keep) = axis_to_keep(&labels, &varying) else { continue };
            let name = &self.graph.values[index].name;
            let why: Arc<str> = format!("`{name}` must stay rectangular, and part of it is fixed").into();
            self.merge_onto(&labels, &[keep], &why);
            locked = self.atoms.locked();
        }
    }
}

/// The longest axis (the channels within a group, a head), unless another leaves far more to choose from: most of a position
/// embedding's labels are along its channels, however few those are.
fn axis_to_keep(labels: &Labels, varying: &[usize]) -> Option<usize> {
    let longest = varying.iter().copied().max_by_key(|&axis| (labels.shape()[axis], axis))?;
    let most = varying.iter().copied().max_by_key(|&axis| (free_classes(labels, axis), axis))?;
    let far_more = free_classes(labels, most) > 2 * free_classes(labels, longest);
    Some(if far_more { most } else { longest })
}

/// How many classes could still be chosen from if labels were made one along every axis but `keep`.
fn free_classes(labels: &Labels, keep: usize) -> usize {
    let mut numbers: BTreeMap<u32, usize> = BTreeMap::new();
    for label in labels.iter() {
        let next = numbers.len();
        numbers.entry(label).or_insert(next);
    }
    let mut sets = UnionFind::<usize>::new(numbers.len());
    let mut merged = labels.clone();
    for axis in labels.varying().into_iter().filter(|&axis| axis != keep) {
        merged = merged.fold(axis, |a, b| {
            sets.union(numbers[&a], numbers[&b]);
            a
        });
    }
    let fixed: BTreeSet<usize> =
        [FIXED, WILD].iter().filter_map(|l| numbers.get(l)).map(|&n| sets.find_mut(n)).collect();
    let classes: BTreeSet<usize> = (0..numbers.len()).map(|n| sets.find_mut(n)).collect();
    classes.difference(&fixed).count()
}
