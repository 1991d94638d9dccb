//! Multiply-adds and parameters of a network and of every strategy: arithmetic over keep counts, no tensor touched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::groups::{ALWAYS, ChannelGroups, Layout};
use crate::ir::{Graph, Node, NodeId, ParameterId, ParameterKind};
use crate::ops::Op;
use crate::shape;
use crate::strategy::Strategy;

mod stored;
mod time;

pub use stored::CostModelFault;
use stored::StoredCost;
use time::Time;
pub use time::{Activations, Rates, Work};

/// Multiply-adds of one image: over convolutions and linears, `out positions x kernel area x in / groups x out`. A transposed
/// convolution uses its kernel at each *input* position.
///
/// Batch norms, biases, pooling and products of activations are not counted, as is usual for these figures.
pub fn macs(graph: &Graph) -> u64 {
    macs_by_node(graph).into_iter().map(|(_, macs)| macs).sum()
}

/// Multiply-adds of every convolution and linear layer, in order of execution.
pub fn macs_by_node(graph: &Graph) -> Vec<(NodeId, u64)> {
    let counted = graph.nodes_with_ids().filter(|(_, node)| is_counted(node));
    counted.map(|(id, node)| (id, product(positions_and_weight(graph, node).into_iter().map(|(_, n)| n)))).collect()
}

fn is_counted(node: &Node) -> bool {
    matches!(node.op, Op::Conv(_) | Op::Linear { .. })
}

/// An axis whose size is a factor of a node's cost.
#[derive(Clone, Copy)]
enum Extent {
    /// Axis of the value with this index.
    Value(usize, usize),
    Weight(ParameterId, usize),
    Constant,
}

/// The factors of a convolution's or linear layer's multiply-adds, for a batch of one.
fn positions_and_weight(graph: &Graph, node: &Node) -> Vec<(Extent, usize)> {
    let weight = node.inputs[1];
    let of_weight = |axis: usize| match graph.parameter_of(weight) {
        Some(id) => Extent::Weight(id, axis),
        None => Extent::Constant,
    };
    let sizes = shape::sample(graph.shape(weight));
    let mut factors: Vec<(Extent, usize)> =
        sizes.iter().enumerate().map(|(axis, &size)| (of_weight(axis), size)).collect();
    let (value, channels) = match &node.op {
        Op::Conv(conv) if conv.transposed.is_some() => (node.inputs[0], 1),
        Op::Conv(_) => (node.outputs[0], 1),
        _ => (node.outputs[0], graph.shape(node.outputs[0]).len() - 1),
    };
    let positions = shape::sample(graph.shape(value));
    let positions = positions.iter().enumerate().filter(|(axis, _)| *axis != channels);
    factors.extend(positions.map(|(axis, &size)| (Extent::Value(value.index(), axis), size)));
    factors
}

fn product(factors: impl Iterator<Item = usize>) -> u64 {
    factors.fold(1u64, |all, n| all.saturating_mul(n as u64))
}

/// An axis's size as a function of the keep counts: `constant + sum(share * kept)`.
#[derive(Clone, Debug, PartialEq)]
struct Size {
    constant: u64,
    /// `(prunable group, channels, units)`: the group's channels on this axis in the full network, and its units.
    shares: Vec<(usize, u64, u64)>,
}

impl Size {
    fn at(&self, keep: &[usize]) -> u64 {
        self.shares
            .iter()
            .fold(self.constant, |sum, &(group, channels, units)| sum + channels * keep[group] as u64 / units)
    }
}

/// A cost term: a constant times sizes that depend on the keep counts.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    constant: u64,
    sizes: Vec<Size>,
}

impl Term {
    fn at(&self, keep: &[usize]) -> u64 {
        self.sizes.iter().fold(self.constant, |product, size| product.saturating_mul(size.at(keep)))
    }
}

/// The cost of any strategy for one network, exactly as if its plan were made and counted; microseconds each.
///
/// It can be stored. One that is read again was checked: no strategy with a count for each group makes it overflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredCost", into = "StoredCost")]
pub struct CostModel {
    macs: Vec<Term>,
    parameters: Vec<Term>,
    /// Numbers that a file stores beside the learned parameters: running statistics and the network's own constants. Empty for
    /// models that an older version has counted.
    buffers: Vec<Term>,
    full: Vec<usize>,
    /// `None` where nothing was measured.
    time: Option<Time>,
}

/// Bytes of one stored number.
const BYTES_EACH: u64 = 4;

impl CostModel {
    pub fn new(graph: &Graph, groups: &ChannelGroups) -> Self {
        let sizes = Sizes::new(groups);
        let nodes = graph.nodes.iter().filter(|n| is_counted(n));
        let macs = nodes.map(|node| sizes.term(positions_and_weight(graph, node))).collect();
        let stored = |learned: bool| {
            let all = graph.parameters.iter().enumerate();
            let kind = all.filter(|(_, p)| (p.kind == ParameterKind::Parameter) == learned);
            let terms = kind.map(|(id, p)| {
                let axes = p.shape.iter().enumerate();
                sizes.term(axes.map(|(axis, &size)| (Extent::Weight(ParameterId(id as u32), axis), size)).collect())
            });
            terms.collect()
        };
        let full = groups.prunable().map(|g| g.size).collect();
        Self { macs, parameters: stored(true), buffers: stored(false), full, time: None }
    }

    /// Multiply-adds of one image after pruning.
    pub fn macs(&self, strategy: &Strategy) -> u64 {
        self.macs_at(&strategy.keep)
    }

    /// Learned parameters after pruning.
    pub fn parameters(&self, strategy: &Strategy) -> u64 {
        self.parameters_at(&strategy.keep)
    }

    /// The strategy that keeps everything.
    pub fn full(&self) -> Strategy {
        Strategy { keep: self.full.clone() }
    }

    /// [`CostModel::macs`] of keep counts, one for each prunable group.
    pub fn macs_at(&self, keep: &[usize]) -> u64 {
        sum(&self.macs, keep)
    }

    /// [`CostModel::parameters`] of keep counts, one for each prunable group.
    pub fn parameters_at(&self, keep: &[usize]) -> u64 {
        sum(&self.parameters, keep)
    }

    /// Bytes of the weights and statistics in a file of single precision, of keep counts, one for each prunable group. The
    /// description of the network around them is not counted.
    pub fn bytes_at(&self, keep: &[usize]) -> u64 {
        sum(&self.parameters, keep).saturating_add(sum(&self.buffers, keep)).saturating_mul(BYTES_EACH)
    }
}

fn sum(terms: &[Term], keep: &[usize]) -> u64 {
    terms.iter().fold(0, |sum, term| sum.saturating_add(term.at(keep)))
}

/// Looks up how the sizes of axes depend on the groups.
struct Sizes<'g> {
    groups: &'g ChannelGroups,
    axes: BTreeMap<(ParameterId, usize), &'g [u32]>,
    /// Position among the prunable groups, by group.
    prunable: Vec<usize>,
}

impl<'g> Sizes<'g> {
    fn new(groups: &'g ChannelGroups) -> Self {
        let mut next = 0;
        let prunable = groups.groups.iter().map(|g| {
            next += usize::from(g.prunable);
            next.saturating_sub(1)
        });
        let axes = groups.axes.iter().map(|a| ((a.parameter, a.axis), &a.units[..])).collect();
        Self { groups, axes, prunable: prunable.collect() }
    }

    fn term(&self, factors: Vec<(Extent, usize)>) -> Term {
        let mut term = Term { constant: 1, sizes: Vec::new() };
        for (extent, size) in factors {
            match self.units(extent) {
                Some(units) => term.sizes.push(self.size(units)),
                None => term.constant = term.constant.saturating_mul(size as u64),
            }
        }
        term
    }

    fn units(&self, extent: Extent) -> Option<&'g [u32]> {
        match extent {
            Extent::Constant => None,
            Extent::Value(value, axis) => match &self.groups.values[value] {
                Layout::Along { axis: along, units } if *along == axis => Some(units),
                _ => None,
            },
            Extent::Weight(parameter, axis) => self.axes.get(&(parameter, axis)).copied(),
        }
    }

    fn size(&self, units: &[u32]) -> Size {
        let mut channels = vec![0u64; self.groups.groups.len()];
        let mut constant = 0;
        for &unit in units {
            match unit {
                ALWAYS => constant += 1,
                unit => channels[self.groups.units[unit as usize].0] += 1,
            }
        }
        let present = channels.into_iter().enumerate().filter(|(_, n)| *n > 0);
        let shares = present.map(|(group, n)| (self.prunable[group], n, self.groups.groups[group].size as u64));
        Size { constant, shares: shares.collect() }
    }
}
