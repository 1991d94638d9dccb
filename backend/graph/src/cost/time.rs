//! How long a network takes, as a sum over what it does: what a fit to measured networks comes to.

use super::{CostModel, Extent, Sizes, Term, sum};
use crate::groups::ChannelGroups;
use crate::ir::Graph;

/// What time is spent on, of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Multiply-adds of convolutions and linear layers.
    pub macs: u64,
    /// Numbers that all operations write.
    pub activations: u64,
    /// Learned parameters, which are read once.
    pub parameters: u64,
}

/// Nanoseconds, for each of what is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// For the network as such.
    pub fixed: f64,
    pub mac: f64,
    pub activation: f64,
    pub parameter: f64,
}

impl Rates {
    /// Nanoseconds that the work takes.
    pub fn time(&self, work: &Work) -> f64 {
        let Work { macs, activations, parameters } = *work;
        self.fixed + self.mac * macs as f64 + self.activation * activations as f64 + self.parameter * parameters as f64
    }
}

/// Numbers that a network's operations write for one image, of any strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations(Vec<Term>);

impl Activations {
    pub fn new(graph: &Graph, groups: &ChannelGroups) -> Self {
        let sizes = Sizes::new(groups);
        let written = graph.nodes.iter().flat_map(|node| &node.outputs);
        let terms = written.map(|&value| {
            let shape = crate::shape::sample(graph.shape(value));
            let axes = shape.into_iter().enumerate();
            sizes.term(axes.map(|(axis, size)| (Extent::Value(value.index(), axis), size)).collect())
        });
        Self(terms.collect())
    }

    fn at(&self, keep: &[usize]) -> u64 {
        sum(&self.0, keep)
    }
}

/// Activations, and what everything takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Time {
    activations: Activations,
    rates: Rates,
}

impl CostModel {
    /// What is to be done after pruning.
    pub fn work_at(&self, activations: &Activations, keep: &[usize]) -> Work {
        Work { macs: self.macs_at(keep), activations: activations.at(keep), parameters: self.parameters_at(keep) }
    }

    /// The same costs, and the time that rates make of them. It is not stored: it belongs to the machine that was measured.
    pub fn timed(self, activations: Activations, rates: Rates) -> Self {
        Self { time: Some(Time { activations, rates }), ..self }
    }

    /// Whether [`CostModel::nanoseconds_at`] is known.
    pub fn is_timed(&self) -> bool {
        self.time.is_some()
    }

    /// Nanoseconds that a network takes for one image, of keep counts, one for each prunable group; 0 where no rates are known.
    pub fn nanoseconds_at(&self, keep: &[usize]) -> u64 {
        let Some(Time { activations, rates }) = &self.time else { return 0 };
        // Rates are not below 0, and a cast ends at the largest number.
        rates.time(&self.work_at(activations, keep)).round() as u64
    }
}
