//! What the layers of the full network answer, on the rows that pruned networks are fitted on: computed once for any number of
//! candidates.

use std::collections::BTreeMap;
use std::ops::Range;

use eagleeye_graph::{Node, NodeId};
use tch::{TchError, Tensor};

use super::evidence::{MAX_UNKNOWNS, ROWS_OF_MANY_UNKNOWNS};
use super::rows::Rows;
use super::sites::{Left, Site, groups_of, sites};
use crate::batches::batches;
use crate::exec::operators::compute;
use crate::exec::{self, ExecError, Hook};
use crate::network::Network;
use crate::pictures::Batches;

/// Rows that a layer is fitted on, for each number that one of its outputs is computed from; fewer where there are fewer.
const ROWS_PER_UNKNOWN: usize = 8;

/// Rows that a layer is fitted on at least, where there are as many.
const MIN_ROWS: usize = 4096;

/// The same for grouped convolutions, whose outputs are computed from few numbers each.
const MIN_ROWS_OF_GROUPS: usize = 1024;

/// Rows that a layer is fitted on at most, so that what is kept of a large network's answers stays about a gigabyte.
const MAX_ROWS: usize = 32_768;

/// The answers of a full network's layers.
pub struct FullOutputs {
    pub(super) calibration: Tensor,
    pub(super) batches: Vec<Range<usize>>,
    pub(super) sites: Vec<Site>,
    pub(super) left: Vec<Left>,
    /// Nodes of the full network.
    pub(super) nodes: usize,
    /// By layer and batch.
    rows: BTreeMap<NodeId, Vec<Rows>>,
    /// By node and batch, `[rows, channels]`: outputs of layers, and sums at the rows of the layer that makes them up.
    answers: BTreeMap<NodeId, Vec<Tensor>>,
}

impl FullOutputs {
    /// Runs the full network on `calibration`, `[n, C, H, W]` on its device.
    pub fn measure(
        full: &Network,
        calibration: &dyn Batches,
        batch_size: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, ExecError> {
        // A repair walks all batches from layer to layer together, and has them in memory.
        let images = calibration.count();
        let calibration = calibration.batch(0..images)?;
        let batches = batches(images, batch_size);
        let (sites, left) = sites(&full.graph);
        let mut rows = BTreeMap::new();
        for site in &sites {
            let least = if groups_of(full.graph.node(site.node)) > 1 { MIN_ROWS_OF_GROUPS } else { MIN_ROWS };
            let wanted = match site.unknowns {
                many if many > MAX_UNKNOWNS => ROWS_OF_MANY_UNKNOWNS,
                unknowns => (ROWS_PER_UNKNOWN * unknowns).clamp(least, MAX_ROWS),
            };
            let of_batches = batches.iter().map(|range| site.positions.sample(range.clone(), images, wanted));
            rows.insert(site.node, of_batches.collect::<Vec<_>>());
        }
        let mut watched: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        for site in &sites {
            watched.insert(site.node, site.node);
            watched.extend(site.sum.map(|sum| (sum.add, site.node)));
        }
        let mut watching =
            Watching { full, rows: &rows, watched, batch: 0, images: 0, answers: BTreeMap::new(), cancelled };
        for (number, range) in batches.iter().enumerate() {
            (watching.batch, watching.images) = (number, range.len());
            let batch = calibration.f_narrow(0, range.start as i64, range.len() as i64)?;
            exec::run(full, &[batch], &mut watching)?;
        }
        let answers = watching.answers;
        let nodes = full.graph.nodes.len();
        Ok(Self { calibration, batches, sites, left, nodes, rows, answers })
    }

    /// Layers that a repair fits.
    pub fn layers(&self) -> u64 {
        self.sites.len() as u64
    }

    /// The rows of a batch that a layer is fitted on.
    pub(super) fn rows(&self, layer: NodeId, batch: usize) -> Option<&Rows> {
        self.rows.get(&layer)?.get(batch)
    }

    /// The number of rows of all batches.
    pub(super) fn rows_in_all(&self, layer: NodeId) -> usize {
        self.rows.get(&layer).map_or(0, |batches| batches.iter().map(Rows::len).sum())
    }

    /// The answers of a layer or a sum there.
    pub(super) fn answers(&self, node: NodeId, batch: usize) -> Option<&Tensor> {
        self.answers.get(&node)?.get(batch)
    }
}

struct Watching<'a> {
    full: &'a Network,
    rows: &'a BTreeMap<NodeId, Vec<Rows>>,
    /// The nodes whose outputs are taken, and the layer at whose rows.
    watched: BTreeMap<NodeId, NodeId>,
    batch: usize,
    images: usize,
    answers: BTreeMap<NodeId, Vec<Tensor>>,
    cancelled: &'a dyn Fn() -> bool,
}

impl Hook for Watching<'_> {
    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }

    fn node(&mut self, id: NodeId, node: &Node, inputs: &[&Tensor]) -> Result<Option<Tensor>, TchError> {
        let Some(layer) = self.watched.get(&id) else { return Ok(None) };
        let output = compute(&node.op, inputs, self.images)?.swap_remove(0);
        if let Some(rows) = self.rows.get(layer).and_then(|rows| rows.get(self.batch)) {
            let answers = rows.of_output(self.full.graph.node(*layer), &output)?;
            self.answers.entry(id).or_default().push(answers);
        }
        Ok(Some(output))
    }
}
