//! What a network is made of and what can be pruned: the report at upload, and `eagleeye-worker inspect --json`.

use std::collections::BTreeMap;

use eagleeye_graph::{
    ChannelGroups, CostModel, Graph, Group, GroupError, NodeId, Op, ParameterKind, ValueId, channel_groups,
    macs_by_node,
};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Measure, Space, StrategyName};
use eagleeye_strategy::{Task, feasible, reachable};
use serde::Serialize;

use crate::fold::norms_are_folded;
use crate::load::Loaded;
use crate::members;

/// Why a network that could be read cannot be reported on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InspectError {
    #[error("the channel groups of the network cannot be found: {0}")]
    Groups(#[from] GroupError),
}

/// The prunability report of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    pub format: &'static str,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Whether the input's shape is a guess from the weights.
    pub guessed_shape: bool,
    /// Length of the first output, where it is a list of scores.
    pub classes: Option<usize>,
    /// Multiply-adds of one image, over convolutions and linear layers.
    pub macs: u64,
    pub parameters: u64,
    pub batch_norms: usize,
    pub batch_norm_state: BatchNormState,
    pub operators: BTreeMap<&'static str, usize>,
    /// Convolutions, linear layers and norms in order of execution.
    pub layers: Vec<Layer>,
    pub groups: Vec<GroupReport>,
    pub reachable: Reachable,
    /// The type of most weights, as PyTorch calls it: `float32`.
    pub element_type: &'static str,
    /// What somebody should know of the file and its exports, a sentence each.
    pub notices: Vec<String>,
    /// Why the budget that was asked about cannot be met; absent where it can, or where none was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Port {
    pub name: String,
    /// For a batch of one.
    pub shape: Vec<usize>,
}

/// What adaptive BN has to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNormState {
    /// Batch norms stand behind convolutions.
    Present,
    /// Convolutions have biases and no batch norm: an exporter folded them, or there never were any. Virtual batch norms
    /// take their place in a search.
    Folded,
    /// There is nothing to adapt: other norms, or none and no bias.
    Absent,
}

/// A layer with weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    pub name: String,
    pub operator: &'static str,
    /// Of its first output, for a batch of one.
    pub shape: Vec<usize>,
    pub macs: u64,
    /// Learned parameters that it reads; a shared one counts at its first reader.
    pub parameters: u64,
}

/// A channel group in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    pub name: String,
    pub size: usize,
    pub prunable: bool,
    pub reason: Option<String>,
    pub normalised_by: Option<String>,
    /// Tensors of the file.
    pub members: Vec<MemberReport>,
    /// Weights that the file does not store but computes from its tensors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub computed: Vec<ComputedReport>,
}

/// An axis of a computed weight that loses slices with the group. Where slices of the tensors that it is computed from stand
/// for its own, these tensors are members too.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComputedReport {
    /// The weight's name in exported files.
    pub weight: String,
    pub axis: usize,
    /// The tensors of the file that it is computed from.
    pub from: Vec<String>,
}

/// An axis of a parameter that loses slices with the group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberReport {
    pub parameter: String,
    pub axis: usize,
}

/// Smallest and largest budget, as fractions of the multiply-adds, in the space that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reachable {
    pub min: f64,
    pub max: f64,
}

/// Reports on a network. How far it can be pruned depends on what may be drawn, which is `space`.
pub fn inspect(loaded: &Loaded, space: &Space) -> Result<Inspection, InspectError> {
    let graph = &loaded.network.graph;
    let groups = channel_groups(graph)?;
    let cost = CostModel::new(graph, &groups);
    let budgets = reachable(&PrunableSpace::of(&cost, &groups), space, Measure::Macs);
    Ok(Inspection {
        format: loaded.network.format.name(),
        inputs: ports(graph, &graph.inputs),
        outputs: ports(graph, &graph.outputs),
        guessed_shape: loaded.guessed_shape,
        classes: graph.classes(),
        macs: eagleeye_graph::macs(graph),
        parameters: graph.parameter_count(),
        batch_norms: loaded.network.batch_norms(),
        batch_norm_state: batch_norm_state(graph),
        operators: graph.operators(),
        layers: layers(graph),
        groups: group_reports(graph, &groups),
        reachable: Reachable { min: *budgets.start(), max: *budgets.end() },
        element_type: loaded.network.precision.main().name(),
        notices: loaded.network.precision_notices(),
        unmet: None,
    })
}

/// Why strategies of `space` cannot meet a budget, in words, or `None` where the first draws of the seed do.
pub fn unmet(loaded: &Loaded, space: &Space, budget: &Budget, seed: u64) -> Result<Option<String>, InspectError> {
    let graph = &loaded.network.graph;
    let groups = channel_groups(graph)?;
    let cost = CostModel::new(graph, &groups);
    let task = Task { prunable: &PrunableSpace::of(&cost, &groups), space: *space, budget, seed };
    Ok(feasible(&StrategyName::default().0, &task).err().map(|error| error.to_string()))
}

fn ports(graph: &Graph, ids: &[ValueId]) -> Vec<Port> {
    let port = |id: &ValueId| Port {
        name: graph.value(*id).name.clone(),
        shape: eagleeye_graph::shape::sample(graph.shape(*id)),
    };
    ids.iter().map(port).collect()
}

fn batch_norm_state(graph: &Graph) -> BatchNormState {
    if graph.nodes.iter().any(|n| matches!(n.op, Op::BatchNorm { .. })) {
        BatchNormState::Present
    } else if norms_are_folded(graph) {
        BatchNormState::Folded
    } else {
        BatchNormState::Absent
    }
}

fn layers(graph: &Graph) -> Vec<Layer> {
    let macs: BTreeMap<NodeId, u64> = macs_by_node(graph).into_iter().collect();
    let mut counted = vec![false; graph.parameters.len()];
    let mut layers = Vec::new();
    for (id, node) in graph.nodes_with_ids() {
        let read: Vec<_> = node.inputs.iter().filter_map(|&input| graph.parameter_of(input)).collect();
        let learned = read.iter().filter(|p| graph.parameter(**p).kind == ParameterKind::Parameter);
        let mut parameters = 0;
        for p in learned {
            if !std::mem::replace(&mut counted[p.index()], true) {
                parameters += graph.parameter(*p).shape.iter().map(|&size| size as u64).product::<u64>();
            }
        }
        if !read.is_empty() {
            layers.push(Layer {
                name: node.name.clone(),
                operator: node.op.name(graph.shape(node.inputs[0]).len()),
                shape: eagleeye_graph::shape::sample(graph.shape(node.outputs[0])),
                macs: macs.get(&id).copied().unwrap_or(0),
                parameters,
            });
        }
    }
    layers
}

fn group_reports(graph: &Graph, groups: &ChannelGroups) -> Vec<GroupReport> {
    groups.groups.iter().map(|group| group_report(graph, group)).collect()
}

fn group_report(graph: &Graph, group: &Group) -> GroupReport {
    let members = members::stored(graph, group);
    let members = members.into_iter().map(|m| MemberReport { parameter: m.parameter.to_owned(), axis: m.axis });
    GroupReport {
        name: group.name.clone(),
        size: group.size,
        prunable: group.prunable,
        reason: group.reason.clone(),
        normalised_by: group.normalised_by.clone(),
        members: members.collect(),
        computed: members::computed(graph, group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::classifier;

    fn report(batch_norms: bool) -> Inspection {
        inspect(&Loaded { network: classifier(1, batch_norms), guessed_shape: false }, &Space::default()).unwrap()
    }

    #[test]
    fn a_space_with_higher_floors_reaches_less() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let smallest = |space: Space| inspect(&loaded, &space).unwrap().reachable.min;
        let low = smallest(Space::default());
        let high = smallest(Space { min_keep_ratio: 0.8, ..Space::default() });
        assert!(low < high && high < 1.0, "{low}, {high}");
    }

    #[test]
    fn a_budget_between_two_multiples_is_unmet() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let said = |round_to| {
            let space = Space { round_to, min_keep_ratio: 0.1 };
            unmet(&loaded, &space, &Budget::macs(0.83), 7).unwrap()
        };
        assert_eq!(said(Some(1)), None);
        assert_eq!(said(None), None);
        let coarse = said(Some(1024));
        assert!(coarse.as_ref().is_some_and(|reason| reason.contains("a smaller round_to")), "{coarse:?}");
    }

    #[test]
    fn layers_add_up_to_the_whole() {
        let report = report(true);
        assert_eq!(report.layers.iter().map(|l| l.macs).sum::<u64>(), report.macs);
        assert_eq!(report.layers.iter().map(|l| l.parameters).sum::<u64>(), report.parameters);
        assert_eq!(report.operators["conv2d"], 5);
    }

    #[test]
    fn only_the_classifier_is_locked_and_says_why() {
        let report = report(true);
        let locked: Vec<&GroupReport> = report.groups.iter().filter(|g| !g.prunable).collect();
        assert!(locked.iter().all(|g| g.reason.is_some()));
        assert_eq!(locked.iter().map(|g| g.size).sum::<usize>(), report.classes.unwrap());
    }

    #[test]
    fn batch_norms_are_present_or_folded() {
        assert_eq!(report(true).batch_norm_state, BatchNormState::Present);
        assert_eq!(report(false).batch_norm_state, BatchNormState::Folded);
    }
}
