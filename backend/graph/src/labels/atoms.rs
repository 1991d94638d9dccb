//! Channel identities and what is known about them: which are one, which may not be removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::unionfind::UnionFind;

/// Label of entries that are always there: the network's inputs, products of activations. Joining it to a channel locks that
/// channel; it is never merged, so that everything fixed does not become one unit.
pub(crate) const FIXED: u32 = 0;

/// Label that fits every other: scalars and constants that have no channel of their own.
pub(crate) const WILD: u32 = 1;

/// Union-find over channel identities.
pub(crate) struct Atoms {
    sets: UnionFind<u32>,
    locked: Vec<(u32, Arc<str>)>,
    normalised: Vec<(u32, Arc<str>)>,
}

impl Atoms {
    pub fn new() -> Self {
        Self { sets: UnionFind::new(2), locked: Vec::new(), normalised: Vec::new() }
    }

    /// New identities, different from all others.
    pub fn fresh(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.sets.new_set()).collect()
    }

    pub fn find(&mut self, atom: u32) -> u32 {
        self.sets.find_mut(atom)
    }

    /// Makes two labels one and returns the label of both. `why` is the reason recorded where one of them is fixed: what is
    /// made of both is fixed as well, so that a large constant (an attention mask) does not spread its labels.
    pub fn join(&mut self, a: u32, b: u32, why: &Arc<str>) -> u32 {
        match (a, b) {
            _ if a == b => a,
            (WILD, other) | (other, WILD) => other,
            (FIXED, other) | (other, FIXED) => {
                self.lock(other, why);
                FIXED
            }
            _ => {
                self.sets.union(a, b);
                self.sets.find_mut(a)
            }
        }
    }

    /// Records that a channel cannot be removed.
    pub fn lock(&mut self, atom: u32, why: &Arc<str>) {
        if atom != FIXED && atom != WILD {
            self.locked.push((atom, why.clone()));
        }
    }

    /// Records that removing a channel is not the same as setting it to zero, since other channels are normalised with it.
    pub fn normalise(&mut self, atom: u32, by: &Arc<str>) {
        if atom != FIXED && atom != WILD {
            self.normalised.push((atom, by.clone()));
        }
    }

    /// The first reason why each locked class is locked, by the class's representative.
    pub fn locked(&mut self) -> BTreeMap<u32, Arc<str>> {
        first_by_class(&mut self.sets, &self.locked)
    }

    /// The first operator that normalises over each class, by the class's representative.
    pub fn normalised(&mut self) -> BTreeMap<u32, Arc<str>> {
        first_by_class(&mut self.sets, &self.normalised)
    }
}

fn first_by_class(sets: &mut UnionFind<u32>, records: &[(u32, Arc<str>)]) -> BTreeMap<u32, Arc<str>> {
    let mut result = BTreeMap::new();
    for (atom, text) in records {
        result.entry(sets.find_mut(*atom)).or_insert_with(|| text.clone());
    }
    result
}
