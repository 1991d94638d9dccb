//! Runs a network on all batches of the calibration images side by side, from one layer of interest to the next.

use std::collections::BTreeMap;
use std::ops::Range;

use eagleeye_graph::{Graph, NodeId, Source, ValueId};
use tch::{TchError, Tensor};

use crate::exec::ExecError;
use crate::exec::operators::compute;
use crate::network::Network;
use eagleeye_torchscript::tensors::reason;

/// Where all batches stand: before one node of the network.
///
/// The values that later nodes read are kept for all images where they fit the memory that they may have. Where they do not, the
/// batches stay where they fitted last, and everything from there on is computed again for each layer of interest.
pub(super) struct Walk {
    /// The position of the next node.
    at: usize,
    batches: Vec<Live>,
    /// By value: the position of the last node that reads it; `None` where none does.
    last_reader: Vec<Option<usize>>,
    images: usize,
    memory_bytes: u64,
}

/// The values of one batch that are still needed.
#[derive(Debug)]
pub(super) struct Live {
    images: usize,
    values: BTreeMap<ValueId, Tensor>,
}

impl Walk {
    /// `calibration` is `[n, ...]`, the network's only input; `batches` are its parts.
    pub fn new(
        network: &Network,
        calibration: &Tensor,
        batches: &[Range<usize>],
        memory_bytes: u64,
    ) -> Result<Self, ExecError> {
        let graph = &network.graph;
        let &[input] = &graph.inputs[..] else {
            return Err(ExecError::InputCount { expected: graph.inputs.len(), found: 1 });
        };
        let mut last_reader = vec![None; graph.values.len()];
        for (id, node) in graph.nodes_with_ids() {
            for input in &node.inputs {
                last_reader[input.index()] = Some(id.index());
            }
        }
        let live = |range: &Range<usize>| -> Result<Live, ExecError> {
            let images = calibration.f_narrow(0, range.start as i64, range.len() as i64)?;
            let images = images.f_to_kind(network.kind())?;
            Ok(Live { images: range.len(), values: BTreeMap::from([(input, images)]) })
        };
        let images = batches.iter().map(Range::len).sum();
        let batches = batches.iter().map(live).collect::<Result<_, _>>()?;
        Ok(Self { at: 0, batches, last_reader, images, memory_bytes })
    }

    /// Brings every batch before the node `to` and shows it, with its number.
    pub fn advance(
        &mut self,
        network: &Network,
        to: NodeId,
        cancelled: &dyn Fn() -> bool,
        visit: &mut dyn FnMut(usize, &Live) -> Result<(), TchError>,
    ) -> Result<(), ExecError> {
        let keeps = to.index() >= self.at && self.bytes_before(&network.graph, to.index()) <= self.memory_bytes;
        for number in 0..self.batches.len() {
            let moved = if keeps {
                let mut live = Live { images: self.batches[number].images, values: BTreeMap::new() };
                std::mem::swap(&mut live, &mut self.batches[number]);
                live
            } else {
                self.batches[number].shallow_clone()
            };
            let moved = self.moved(network, moved, to.index(), cancelled)?;
            visit(number, &moved)?;
            if keeps {
                self.batches[number] = moved;
            }
        }
        if keeps {
            self.at = to.index();
        }
        Ok(())
    }

    fn moved(
        &self,
        network: &Network,
        mut live: Live,
        to: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Live, ExecError> {
        let graph = &network.graph;
        for at in self.at..to {
            if cancelled() {
                return Err(ExecError::Cancelled);
            }
            let node = &graph.nodes[at];
            let inputs: Option<Vec<&Tensor>> = node.inputs.iter().map(|&id| live.value(network, id)).collect();
            let failed = |reason: String| {
                let operator = node.op.name(node.inputs.first().map_or(0, |&x| graph.shape(x).len()));
                ExecError::Node { node: node.name.clone(), operator, reason }
            };
            let inputs = inputs.ok_or_else(|| failed("an input has not been computed".to_owned()))?;
            let outputs = compute(&node.op, &inputs, live.images).map_err(|error| failed(reason(&error)))?;
            for (&id, output) in node.outputs.iter().zip(outputs) {
                if self.last_reader[id.index()].is_some() {
                    live.values.insert(id, output);
                }
            }
            let last_reader = &self.last_reader;
            live.values.retain(|id, _| last_reader[id.index()].is_some_and(|reader| reader > at));
        }
        if cancelled() { Err(ExecError::Cancelled) } else { Ok(live) }
    }

    /// Bytes of all images' values that the node at a position or later ones read. The network's inputs are the caller's.
    fn bytes_before(&self, graph: &Graph, position: usize) -> u64 {
        let live = graph.values.iter().zip(&self.last_reader).filter(|(value, last)| {
            let made = matches!(value.source, Source::Node(node, _) if node.index() < position);
            made && last.is_some_and(|last| last >= position)
        });
        let each = live.map(|(value, _)| value.shape.iter().map(|dim| dim.sample() as u64).product::<u64>() * 4);
        each.sum::<u64>() * self.images as u64
    }
}

impl Live {
    fn shallow_clone(&self) -> Self {
        let values = self.values.iter().map(|(&id, value)| (id, value.shallow_clone())).collect();
        Self { images: self.images, values }
    }

    /// A parameter, or an activation that has been computed and is still needed.
    pub fn value<'a>(&'a self, network: &'a Network, id: ValueId) -> Option<&'a Tensor> {
        match network.graph.parameter_of(id) {
            Some(parameter) => Some(network.weight(parameter)),
            None => self.values.get(&id),
        }
    }
}
