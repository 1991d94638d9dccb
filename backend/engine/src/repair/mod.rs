//! Repair: the layers of a pruned network, one after the other, are fitted to what the full network answers, in closed form and
//! without labels. `docs/repair.md` describes the method and what was measured.
//!
//! For each convolution and linear layer in order of execution, `z` is what it reads in the pruned network, whose earlier layers
//! are repaired already, and `t` what the full network's layer answers on the channels that stay. The new weight is the ridge
//! least-squares fit of `t` by `z`, and batch norms take their statistics from what they read then.

mod dual;
mod evidence;
mod full_outputs;
mod layer;
mod moments;
mod options;
mod outcome;
mod patches;
mod ridge;
mod rows;
mod sites;
mod statistics;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;

use eagleeye_graph::{ChannelGroups, NodeId, Op};

pub use full_outputs::FullOutputs;
pub use options::RepairOptions;
pub use outcome::{Follow, Outcome, RepairError, Repaired, RepairedLayer};

use crate::exec::ExecError;
use crate::network::Network;
use crate::rewrite::parameter_uses;
use layer::Layer;
use statistics::Statistics;
use walk::Walk;

/// A pruned network with its layers fitted, in order of execution, to what the full network answers on the calibration images
/// that `full` was measured on.
///
/// `pruned` is the full network after pruning with `kept_units` of its `groups`, with the statistics that it had. Weights that
/// are not fitted are shared with it. The same arguments give the same bits, on the same device and with as many threads.
pub fn repair(
    full: &FullOutputs,
    pruned: &Network,
    groups: &ChannelGroups,
    kept_units: &[Vec<usize>],
    options: RepairOptions,
    follow: &Follow,
) -> Result<Repaired, RepairError> {
    let (expected, found) = (full.nodes, pruned.graph.nodes.len());
    if expected != found {
        return Err(RepairError::Nodes { expected, found });
    }
    let _no_grad = tch::no_grad_guard();
    let mut network = pruned.shallow_clone();
    let mut outcomes: BTreeMap<NodeId, Outcome> =
        full.left.iter().map(|(node, reason)| (*node, Outcome::Left { reason: (*reason).to_owned() })).collect();
    let mut walk = Walk::new(&network, &full.calibration, &full.batches, options.memory_bytes)?;
    let uses = parameter_uses(&network.graph);
    let (mut done, total) = (0, full.sites.len() as u64);
    let mut sites = full.sites.iter().peekable();
    for (id, node) in pruned.graph.nodes_with_ids() {
        if let Some(site) = sites.next_if(|site| site.node == id) {
            (follow.progress)(done, total);
            let kept = groups.kept_channels(node.outputs[0], kept_units);
            let outcome = match Layer::new(&network, full, site, kept, options) {
                Err(reason) => Outcome::Left { reason },
                Ok(layer) => layer.fit(&mut network, &mut walk, follow.cancelled)?,
            };
            outcomes.insert(id, outcome);
            done += 1;
        } else if matches!(node.op, Op::BatchNorm { .. }) {
            follow_statistics(&mut network, id, &uses, &mut walk, follow.cancelled)?;
        }
    }
    (follow.progress)(total, total);
    let named = |(id, outcome): (NodeId, Outcome)| RepairedLayer { layer: pruned.graph.node(id).name.clone(), outcome };
    Ok(Repaired { network, layers: outcomes.into_iter().map(named).collect() })
}

/// Gives a batch norm the statistics of what it reads now. Statistics that several batch norms share stay.
fn follow_statistics(
    network: &mut Network,
    id: NodeId,
    uses: &[usize],
    walk: &mut Walk,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), ExecError> {
    let node = network.graph.node(id);
    let (input, count) = (node.inputs[0], node.inputs.len());
    let stored = |at: usize| network.graph.parameter_of(node.inputs[at]).filter(|p| uses[p.index()] == 1);
    let (Some(mean), Some(variance)) = (stored(count - 2), stored(count - 1)) else { return Ok(()) };
    let mut statistics = Statistics::default();
    walk.advance(network, id, cancelled, &mut |_, live| match live.value(network, input) {
        Some(read) => statistics.add(read),
        None => Ok(()),
    })?;
    let kind = network.weight(mean).f_kind()?;
    if let Some(found) = statistics.finish(kind)? {
        (network.weights[mean.index()], network.weights[variance.index()]) = found;
    }
    Ok(())
}
