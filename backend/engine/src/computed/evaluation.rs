//! Computes values from stored tensors, within bounds that follow the size of the file.

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, Node, Op, ValueId};
use tch::Tensor;

use crate::exec::operators;
use crate::network::Network;
use crate::rewrite::RewriteError;

/// Entries that may be read and written for each that is stored. Standardising a weight takes about ten, and is done once for
/// the weight and once for each axis that is tried.
const WORK_FOR_EACH_ENTRY: usize = 64;
/// And beyond: small networks may do more with what little they store.
const WORK: usize = 1 << 26;

pub(super) struct Evaluation<'a> {
    network: &'a Network,
    work_left: usize,
}

impl<'a> Evaluation<'a> {
    pub fn new(network: &'a Network) -> Self {
        let stored = network.weights.iter().fold(0usize, |sum, weight| sum.saturating_add(weight.numel()));
        Self { network, work_left: stored.saturating_mul(WORK_FOR_EACH_ENTRY).saturating_add(WORK) }
    }

    /// Takes work off what is left, where there is as much.
    pub fn afford(&mut self, work: usize) -> bool {
        let left = self.work_left.checked_sub(work);
        self.work_left = left.unwrap_or(self.work_left);
        left.is_some()
    }

    /// The value that `nodes` compute in this order from stored tensors; `instead` has others for some of them. `None` where
    /// that is more work than any real network's weights are.
    pub fn value(
        &mut self,
        nodes: &[&Node],
        value: ValueId,
        instead: &BTreeMap<ValueId, Tensor>,
    ) -> Result<Option<Tensor>, RewriteError> {
        if !self.afford(nodes.iter().fold(0usize, |sum, node| sum.saturating_add(work(&self.network.graph, node)))) {
            return Ok(None);
        }
        let _no_grad = tch::no_grad_guard();
        let mut uses: BTreeMap<ValueId, usize> = BTreeMap::from([(value, 1)]);
        nodes.iter().flat_map(|node| &node.inputs).for_each(|input| *uses.entry(*input).or_insert(0) += 1);
        let mut made: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for node in nodes {
            let order = || RewriteError::Order(node.name.clone());
            let inputs = node.inputs.iter().map(|input| match self.network.graph.parameter_of(*input) {
                Some(id) => Ok(instead.get(input).unwrap_or(self.network.weight(id))),
                None => made.get(input).ok_or_else(order),
            });
            let inputs = inputs.collect::<Result<Vec<&Tensor>, _>>()?;
            let outputs = operators::compute(&node.op, &inputs, 1)?;
            for input in &node.inputs {
                if let Some(left) = uses.get_mut(input) {
                    *left -= 1;
                    if *left == 0 {
                        made.remove(input);
                    }
                }
            }
            made.extend(node.outputs.iter().copied().zip(outputs).filter(|(output, _)| uses.contains_key(output)));
        }
        let value = made.remove(&value).ok_or_else(|| RewriteError::Order("a computed weight".to_owned()))?;
        Ok(Some(value.f_contiguous()?))
    }
}

/// Entries that a node reads and writes, or multiplies.
fn work(graph: &Graph, node: &Node) -> usize {
    let size = |value: &ValueId| {
        let sizes = graph.shape(*value).iter().map(|dim| dim.sample());
        sizes.fold(1usize, usize::saturating_mul)
    };
    let sum = node.inputs.iter().chain(&node.outputs).map(size).fold(0, usize::saturating_add);
    let output = node.outputs.first().map_or(0, size);
    let last = |value: &ValueId| graph.shape(*value).last().map_or(1, |dim| dim.sample());
    let products = match &node.op {
        Op::MatMul | Op::Linear { .. } => output.saturating_mul(last(&node.inputs[0])),
        Op::Conv(_) => output.saturating_mul(size(&node.inputs[1])),
        Op::Pool(pool) => output.saturating_mul(pool.kernel.iter().product()),
        _ => 0,
    };
    sum.saturating_add(products)
}
