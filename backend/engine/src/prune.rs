//! Structural pruning: a strategy becomes a plan, and the plan's slices are cut out of the weights.

use std::collections::BTreeSet;

use eagleeye_graph::{
    ChannelGroups, CostModel, Graph, Group, GroupError, Plan, PlanError, Strategy, channel_groups, plan,
};
use eagleeye_spec::report::{ComputedWeight, PrunableSpace};
use eagleeye_spec::{Budget, Importance, Space};
use eagleeye_strategy::{StrategyError, Task, draw};
use serde::Serialize;
use tch::{TchError, Tensor};

use crate::divisors::divisors;
use crate::importance::{ImportanceData, ImportanceError, importance};
use crate::members;
use crate::network::Network;
use eagleeye_torchscript::tensors::{reason, signed};

/// Why a network cannot be pruned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PruneError {
    #[error("the channel groups of the network cannot be determined: {0}")]
    Groups(String),
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    #[error("this strategy does not fit the network: {0}")]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Importance(ImportanceError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<ImportanceError> for PruneError {
    fn from(error: ImportanceError) -> Self {
        match error {
            ImportanceError::Torch(reason) => Self::Torch(reason),
            other => Self::Importance(other),
        }
    }
}

impl From<TchError> for PruneError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl From<GroupError> for PruneError {
    fn from(error: GroupError) -> Self {
        Self::Groups(error.to_string())
    }
}

/// A pruned network and what was done to get it.
#[derive(Debug)]
pub struct Pruned {
    pub network: Network,
    pub report: PruneReport,
    /// Units that stay, ascending, for each channel group of the full network.
    pub kept_units: Vec<Vec<usize>>,
}

/// Draws strategy `index` of `seed` under a budget of `macs` (a fraction of the multiply-adds) and prunes by it. The batch
/// norms keep the statistics of the unpruned network. Filters are judged by their L1 norms.
pub fn prune_to(network: &Network, macs: f64, seed: u64, index: u64, space: &Space) -> Result<Pruned, PruneError> {
    prune_by(network, macs, seed, index, space, Importance::default(), &ImportanceData::without_images(seed))
}

/// As [`prune_to`], with units judged in the given way.
pub fn prune_by(
    network: &Network,
    macs: f64,
    seed: u64,
    index: u64,
    space: &Space,
    how: Importance,
    data: &ImportanceData,
) -> Result<Pruned, PruneError> {
    let groups = channel_groups(&network.graph)?;
    let cost = CostModel::new(&network.graph, &groups);
    let prunable = PrunableSpace::of(&network.graph, &groups);
    let strategy = draw(&Task::new(&prunable, *space, &Budget::macs(macs), seed), index)?;
    let plan = plan_by_importance(&network.graph, &groups, &importance(network, &groups, how, data)?, &strategy)?;
    let report = PruneReport::new(&network.graph, &groups, &cost, &strategy, &plan);
    let kept_units = plan.kept_units.clone();
    Ok(Pruned { network: apply(network, plan)?, report, kept_units })
}

/// The plan that keeps, of each group, as many units as the strategy says: the most important ones, and of equal ones
/// the first.
pub fn plan_by_importance(
    graph: &Graph,
    groups: &ChannelGroups,
    importance: &[Vec<f64>],
    strategy: &Strategy,
) -> Result<Plan, PlanError> {
    let counts = groups.keep_counts(strategy);
    let kept: Vec<Vec<usize>> = importance.iter().zip(counts).map(|(values, count)| largest(values, count)).collect();
    plan(graph, groups, &kept)
}

fn largest(values: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// A new network: the plan's graph with the kept slices of the weights.
pub fn apply(network: &Network, plan: Plan) -> Result<Network, TchError> {
    let mut weights = Vec::with_capacity(network.weights.len());
    for (weight, slices) in network.weights.iter().zip(&plan.slices) {
        let mut kept = weight.shallow_clone();
        for (&axis, indices) in slices {
            kept = select(&kept, axis, indices)?;
        }
        weights.push(kept);
    }
    Ok(network.with(plan.graph, weights))
}

/// The given indices along an axis, as a new tensor.
pub fn select(tensor: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor, TchError> {
    let indices = Tensor::f_from_slice(&signed(indices))?.f_to_device(tensor.device())?;
    tensor.f_index_select(axis as i64, &indices)
}

/// What pruning has removed, as `eagleeye-worker prune --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PruneReport {
    pub macs: BeforeAfter,
    pub parameters: BeforeAfter,
    pub groups: Vec<PrunedGroup>,
    /// Tensors with channels that the network divides by. Where zeroed slices are to stand for removed ones, these keep their
    /// numbers.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub divisors: BTreeSet<String>,
}

/// A figure of the full and of the pruned network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BeforeAfter {
    pub before: u64,
    pub after: u64,
}

/// A channel group and its removed slices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrunedGroup {
    pub name: String,
    pub size: usize,
    pub kept: usize,
    /// The operator that normalises these channels together; zeroing them is then not the same as removing them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised_by: Option<String>,
    pub members: Vec<PrunedMember>,
    /// Weights that the file computes from its tensors: they lose slices along these axes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub computed: Vec<ComputedWeight>,
}

/// An axis of a parameter and the indices along it that are gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrunedMember {
    pub parameter: String,
    pub axis: usize,
    pub removed: Vec<u32>,
}

impl PruneReport {
    fn new(graph: &Graph, groups: &ChannelGroups, cost: &CostModel, strategy: &Strategy, plan: &Plan) -> Self {
        let full = cost.full();
        let pruned = groups.groups.iter().zip(&plan.kept_units);
        Self {
            macs: BeforeAfter { before: cost.macs(&full), after: cost.macs(strategy) },
            parameters: BeforeAfter { before: cost.parameters(&full), after: cost.parameters(strategy) },
            groups: pruned.map(|(group, kept)| PrunedGroup::new(graph, group, kept)).collect(),
            divisors: divided_by(graph, groups),
        }
    }
}

/// Of the file's tensors that have channels, those that the network divides by.
fn divided_by(graph: &Graph, groups: &ChannelGroups) -> BTreeSet<String> {
    let divisors = divisors(graph);
    let members = groups.groups.iter().flat_map(|group| &group.members);
    let dividing = members.filter(|member| divisors.contains(&member.parameter));
    dividing.flat_map(|member| members::stored_for(graph, member)).map(|stored| stored.parameter.to_owned()).collect()
}

impl PrunedGroup {
    fn new(graph: &Graph, group: &Group, kept: &[usize]) -> Self {
        let members = members::stored(graph, group).into_iter().map(|member| PrunedMember {
            removed: member.removed(kept),
            parameter: member.parameter.to_owned(),
            axis: member.axis,
        });
        Self {
            name: group.name.clone(),
            size: group.size,
            kept: kept.len(),
            normalised_by: group.normalised_by.clone(),
            members: members.collect(),
            computed: members::computed(graph, group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::classifier;

    const SPACE: Space = Space { round_to: Some(1), min_keep_ratio: 0.1 };

    #[test]
    fn the_units_with_the_largest_values_stay() {
        assert_eq!(largest(&[1.0, 3.0, 2.0, 3.0], 2), [1, 3]);
        assert_eq!(largest(&[2.0, 2.0, 2.0], 2), [0, 1]);
        assert_eq!(largest(&[0.5, f64::INFINITY], 1), [1]);
    }

    #[test]
    fn the_report_counts_what_the_pruned_network_costs() {
        let network = classifier(4, true);
        let Pruned { network: pruned, report, .. } = prune_to(&network, 0.5, 1, 3, &SPACE).unwrap();
        assert_eq!(report.macs.before, eagleeye_graph::macs(&network.graph));
        assert_eq!(report.macs.after, eagleeye_graph::macs(&pruned.graph));
        assert_eq!(report.parameters.after, pruned.graph.parameter_count());
        let share = report.macs.after as f64 / report.macs.before as f64;
        assert!((share - 0.5).abs() <= 0.005, "{share}");
    }

    #[test]
    fn the_same_seed_and_index_prune_the_same_and_others_do_not() {
        let network = classifier(5, true);
        let kept = |seed: u64, index| -> Vec<usize> {
            let report = prune_to(&network, 0.5, seed, index, &SPACE).unwrap().report;
            report.groups.iter().map(|g| g.kept).collect()
        };
        // A network this small has few strategies at half of its cost, so that single draws may agree.
        let sequence = |seed| (0..8).map(|index| kept(seed, index)).collect::<Vec<_>>();
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
        assert!(sequence(1).iter().any(|keep| *keep != sequence(1)[0]));
    }
}
