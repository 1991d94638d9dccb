//! How candidates are made of the full network: pruned, and then with statistics of their own or repaired.

use std::path::Path;

use eagleeye_graph::{ChannelGroups, CostModel, ParameterId, Plan, PlanError, Strategy, channel_groups};
use eagleeye_spec::report::BatchNormState;
use eagleeye_spec::{
    Adaptation, AdaptationMode, CandidateWeights, GroupKeep, Importance, Rung, SearchRequest, StrategyName,
};
use eagleeye_strategy::adaptation_of;

use crate::adapt::adapt;
use crate::exec::ExecError;
use crate::images::{Images, Part};
use crate::importance::{ImportanceData, importance};
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::pictures::Batches;
use crate::prune::{apply, plan_by_importance};
use crate::recipe::{Vectors, recipe, vectors};
use crate::repair::{Follow, FullOutputs, RepairOptions, Repaired, repair};
use crate::search_error::SearchError;
use crate::virtual_bn::VirtualBatchNorms;
use crate::weights::{WeightsError, with_weights};

/// Makes a candidate's network again from what its row says of it, with the weights that are asked for.
pub fn make_again(
    weights: CandidateWeights,
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    strategy: &StrategyName,
    keep: &[u32],
    follow: &Follow,
) -> Result<Network, SearchError> {
    let keep: Vec<usize> = keep.iter().map(|&kept| kept as usize).collect();
    match weights {
        CandidateWeights::Adapted => make_candidate(network, images, request, strategy, &keep, follow.cancelled),
        CandidateWeights::Repaired => make_repaired(network, &images.calibration, request, &keep, follow),
    }
}

/// Makes a candidate's network again from its keep counts: pruned, with adapted statistics, under the uploaded names.
///
/// Needs the search's calibration images, no others.
pub(crate) fn make_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    strategy: &StrategyName,
    keep: &[usize],
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, SearchError> {
    let maker = Maker::new(network, images, request, cancelled)?;
    let keep = stored_strategy(&maker.pruner.groups, keep)?;
    Ok(maker.make(&keep, maker.adaptation(strategy), maker.all(), cancelled)?.adapted.network)
}

/// [`make_candidate`], repaired instead of adapted. How the search adapts its candidates makes no difference.
pub(crate) fn make_repaired(
    network: &Network,
    calibration: &Part,
    request: &SearchRequest,
    keep: &[usize],
    follow: &Follow,
) -> Result<Network, SearchError> {
    let pruner = Pruner::new(network, Some(calibration), request, follow.cancelled)?;
    let strategy = stored_strategy(&pruner.groups, keep)?;
    let full = pruner.full_outputs(calibration, follow.cancelled)?;
    Ok(pruner.repair(&full, &pruner.pruned(&strategy)?, &strategy, RepairOptions::default(), follow)?.network)
}

/// [`make_candidate`] with the weights that fine-tuning has given it, from a file of [`write_weights`](crate::write_weights).
///
/// # Errors
/// Among others where the request's criterion needs images and `calibration` is `None`.
pub fn make_tuned(
    network: &Network,
    calibration: Option<&Part>,
    request: &SearchRequest,
    keep: &[usize],
    weights: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, SearchError> {
    let pruner = Pruner::new(network, calibration, request, cancelled)?;
    let strategy = stored_strategy(&pruner.groups, keep)?;
    let pruned = pruner.pruned(&strategy)?;
    match with_weights(&pruned, weights) {
        // Virtual batch norms have left a bias with each convolution.
        Err(WeightsError::Count { .. }) if batch_norm_state(&pruned.graph) == BatchNormState::Folded => {
            let norms = VirtualBatchNorms::unmeasured(&pruned)?;
            let with_biases = norms.remove(&norms.insert(&pruned, |_| None)?)?;
            Ok(with_weights(&with_biases, weights)?)
        }
        outcome => Ok(outcome?),
    }
}

/// A network of the size that keep counts leave, for measuring how long it takes: its statistics are the unpruned network's.
pub fn pruned_to(network: &Network, keep: &[usize]) -> Result<Network, SearchError> {
    let groups = channel_groups(&network.graph)?;
    let strategy = stored_strategy(&groups, keep)?;
    Ok(pruned_to_each(network, &groups, &[strategy])?.remove(0))
}

/// [`pruned_to`] for several strategies.
pub(crate) fn pruned_to_each(
    network: &Network,
    groups: &ChannelGroups,
    strategies: &[Strategy],
) -> Result<Vec<Network>, SearchError> {
    let importance = importance(network, groups, Importance::default(), &ImportanceData::without_images(0))?;
    let pruned =
        |strategy: &Strategy| Ok(apply(network, plan_by_importance(&network.graph, groups, &importance, strategy)?)?);
    strategies.iter().map(pruned).collect()
}

/// The strategy of stored keep counts. Earlier versions counted groups of one unit among those that can be pruned.
pub(crate) fn stored_strategy(groups: &ChannelGroups, keep: &[usize]) -> Result<Strategy, SearchError> {
    let prunable = groups.prunable().count();
    if keep.len() == prunable {
        return Ok(Strategy { keep: keep.to_vec() });
    }
    let counted: Vec<_> = groups.groups.iter().filter(|group| group.prunable || group.is_one_unit()).collect();
    if keep.len() != counted.len() {
        return Err(SearchError::KeepCounts { expected: prunable, found: keep.len() });
    }
    let kept = counted.iter().zip(keep).filter(|(group, _)| group.prunable);
    Ok(Strategy { keep: kept.map(|(_, &kept)| kept).collect() })
}

/// Prunes, and repairs what it has pruned.
pub(crate) struct Pruner<'a> {
    pub network: &'a Network,
    pub request: &'a SearchRequest,
    pub groups: ChannelGroups,
    pub importance: Vec<Vec<f64>>,
}

impl<'a> Pruner<'a> {
    pub fn new(
        network: &'a Network,
        calibration: Option<&Part>,
        request: &'a SearchRequest,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, SearchError> {
        let groups = channel_groups(&network.graph)?;
        let data = ImportanceData {
            images: calibration.map(|part| &part.images as &dyn Batches),
            labels: calibration.and_then(|part| part.labels.as_ref()),
            batch_size: request.batch_size as usize,
            seed: request.seed,
            cancelled,
        };
        let importance = importance(network, &groups, request.importance, &data)?;
        Ok(Self { network, request, groups, importance })
    }

    /// What a strategy's candidates keep.
    pub fn plan(&self, strategy: &Strategy) -> Result<Plan, PlanError> {
        plan_by_importance(&self.network.graph, &self.groups, &self.importance, strategy)
    }

    /// What repairs of any number of candidates are fitted to.
    pub fn full_outputs(&self, calibration: &Part, cancelled: &dyn Fn() -> bool) -> Result<FullOutputs, SearchError> {
        Ok(FullOutputs::measure(self.network, &calibration.images, self.request.batch_size as usize, cancelled)?)
    }

    /// The network of a strategy, with the statistics of the unpruned one.
    pub fn pruned(&self, strategy: &Strategy) -> Result<Network, SearchError> {
        Ok(apply(self.network, self.plan(strategy)?)?)
    }

    /// The pruned network of a strategy, repaired.
    pub fn repair(
        &self,
        full: &FullOutputs,
        pruned: &Network,
        strategy: &Strategy,
        options: RepairOptions,
        follow: &Follow,
    ) -> Result<Repaired, SearchError> {
        let kept = self.plan(strategy)?.kept_units;
        Ok(repair(full, pruned, &self.groups, &kept, options, follow)?)
    }
}

/// A candidate's networks.
pub(crate) struct Made {
    pub plan: Plan,
    /// With the statistics of the unpruned one.
    pub pruned: Network,
    pub adapted: Adapted,
}

/// A pruned network with statistics of its own.
pub(crate) struct Adapted {
    pub network: Network,
    /// The vectors of its batch norms, virtual ones among them.
    pub vectors: Vectors,
}

/// Makes the candidates of a search.
pub(crate) struct Maker<'a> {
    pub pruner: Pruner<'a>,
    pub images: &'a Images,
    pub cost: CostModel,
    /// For networks without batch norms behind their convolutions.
    virtual_norms: Option<VirtualBatchNorms>,
}

impl<'a> Maker<'a> {
    pub fn new(
        network: &'a Network,
        images: &'a Images,
        request: &'a SearchRequest,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, SearchError> {
        let pruner = Pruner::new(network, Some(&images.calibration), request, cancelled)?;
        let cost = CostModel::new(&network.graph, &pruner.groups);
        let (calibration, batch_size) = (&images.calibration.images, request.batch_size as usize);
        let virtual_norms = match batch_norm_state(&network.graph) {
            BatchNormState::Folded => Some(VirtualBatchNorms::measure(network, calibration, batch_size, cancelled)?),
            BatchNormState::Present | BatchNormState::Absent => None,
        };
        Ok(Self { pruner, images, cost, virtual_norms })
    }

    /// All calibration and scoring images.
    pub fn all(&self) -> Rung {
        let request = self.pruner.request;
        Rung { calibration: request.used_calibration_images() as u32, scoring: request.scoring_images }
    }

    /// How the statistics of a strategy's candidates are computed.
    pub fn adaptation(&self, strategy: &StrategyName) -> Adaptation {
        adaptation_of(self.pruner.request, strategy)
    }

    /// The pruned network with the statistics of the unpruned one, and with its own, from a rung's calibration images.
    pub fn make(
        &self,
        strategy: &Strategy,
        adaptation: Adaptation,
        rung: Rung,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Made, SearchError> {
        let (plan, pruned) = self.pruned(strategy)?;
        let adapted = self.adapted(&plan, &pruned, adaptation, rung, cancelled)?;
        Ok(Made { plan, pruned, adapted })
    }

    /// The pruned network with the statistics of the unpruned one, and what was cut.
    pub fn pruned(&self, strategy: &Strategy) -> Result<(Plan, Network), SearchError> {
        let plan = self.pruner.plan(strategy)?;
        let pruned = apply(self.pruner.network, plan.clone())?;
        Ok((plan, pruned))
    }

    /// A pruned network with statistics of its own.
    pub fn adapted(
        &self,
        plan: &Plan,
        pruned: &Network,
        adaptation: Adaptation,
        rung: Rung,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Adapted, SearchError> {
        match &self.virtual_norms {
            None => {
                let network = self.adapt(pruned, adaptation, rung, cancelled)?;
                Ok(Adapted { vectors: vectors(&network), network })
            }
            Some(norms) => {
                let with_norms = norms.insert(pruned, |weight| kept_outputs(plan, weight))?;
                let adapted = self.adapt(&with_norms, adaptation, rung, cancelled)?;
                Ok(Adapted { vectors: vectors(&adapted), network: norms.remove(&adapted)? })
            }
        }
    }

    /// By what a candidate can be made again without images.
    pub fn recipe(&self, made: &Made) -> Result<Vec<u8>, SearchError> {
        let keeps = self.pruner.request.importance.criterion.needs_images();
        Ok(recipe(&made.adapted.vectors, &made.plan, keeps)?)
    }

    fn adapt(
        &self,
        network: &Network,
        adaptation: Adaptation,
        rung: Rung,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Network, ExecError> {
        let calibration = self.images.calibration.first(rung.calibration as usize);
        let adaptation = on_rung(adaptation, rung, self.all());
        adapt(network, &calibration, self.pruner.request.batch_size as usize, adaptation, cancelled)
    }

    pub fn kept(&self, strategy: &Strategy) -> Vec<GroupKeep> {
        let groups = self.pruner.groups.prunable().zip(&strategy.keep);
        let keep = groups.map(|(group, &kept)| GroupKeep {
            group: group.name.clone(),
            size: group.size as u64,
            kept: kept as u64,
        });
        keep.collect()
    }
}

/// On a smaller rung an average with momentum sees fewer batches, in proportion.
fn on_rung(adaptation: Adaptation, rung: Rung, all: Rung) -> Adaptation {
    match adaptation {
        Adaptation { mode: AdaptationMode::Momentum, batches: Some(batches), .. } => {
            let part = u64::from(batches) * u64::from(rung.calibration);
            let batches = part.div_ceil(u64::from(all.calibration.max(1))) as u32;
            Adaptation { batches: Some(batches), ..adaptation }
        }
        other => other,
    }
}

/// The output channels that a convolution keeps, by its weight; `None` where it keeps all.
fn kept_outputs(plan: &Plan, weight: ParameterId) -> Option<Vec<usize>> {
    let is_transposed = plan.graph.nodes.iter().any(|node| {
        let reads = node.inputs.get(1).is_some_and(|&input| plan.graph.parameter_of(input) == Some(weight));
        reads && matches!(&node.op, eagleeye_graph::Op::Conv(conv) if conv.transposed.is_some())
    });
    plan.slices[weight.index()].get(&usize::from(is_transposed)).cloned()
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::TuneOptions;

    use super::*;
    use crate::exec::forward;
    use crate::testing::{Layers, Quiet, difference, images};
    use crate::tune::{TuneImages, tune};
    use crate::weights::write_weights;

    fn part(seed: u64, count: usize) -> Part {
        let labels = (0..count as i64).map(|image| image % 3).collect::<Vec<_>>();
        Part { images: images(seed, &[count, 1, 12, 12]).into(), labels: Some(tch::Tensor::from_slice(&labels)) }
    }

    /// Batch norms or none; without them convolutions have biases or not.
    fn network(batch_norms: bool, biases: bool) -> Network {
        let mut net = Layers::new(9);
        let mut x = net.image(1, 12);
        for out in [8, 12] {
            x = net.conv(x, out, 3, 1, 1, biases);
            if batch_norms {
                x = net.batch_norm(x);
            }
            x = net.relu(x);
        }
        let x = net.global_mean(x, false);
        let y = net.linear(x, 3);
        net.finish(y)
    }

    #[test]
    fn a_tuned_candidate_is_made_of_its_weights_alone_however_it_began() {
        let request: SearchRequest = serde_json::from_value(serde_json::json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "macs": 0.5, "calibration_images": 32, "scoring_images": 16, "batch_size": 16,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        }))
        .unwrap();
        let images = Images { calibration: part(1, 32), scoring: part(2, 16), test: part(3, 0) };
        let options = TuneOptions { epochs: Some(1), batch_size: 8, ..TuneOptions::default() };
        let sets = TuneImages { train: &images.calibration, validation: &images.scoring, test: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        for (batch_norms, biases) in [(true, false), (false, true), (false, false)] {
            let full = network(batch_norms, biases);
            let keep = [4, 6];
            let follow = Follow { cancelled: &|| false, progress: &|_, _| {} };
            let adapted = make_candidate(&full, &images, &request, &StrategyName::default(), &keep, &|| false).unwrap();
            let repaired = make_repaired(&full, &images.calibration, &request, &keep, &follow).unwrap();
            for begin in [adapted, repaired] {
                let tuned = tune(&begin, Some(&full), sets, &options, None, &mut Quiet).unwrap().network;
                write_weights(&tuned, &path).unwrap();
                let made = make_tuned(&full, None, &request, &keep, &path, &|| false).unwrap();
                assert_eq!(made.graph.parameters, tuned.graph.parameters);
                assert_eq!(made.weights, tuned.weights, "{batch_norms} {biases}");
                let answer = |network: &Network| forward(network, &images.scoring.images.all().unwrap()).unwrap();
                assert!(difference(&answer(&made), &answer(&tuned)) < 1e-5, "{batch_norms} {biases}");
            }
        }
        let taylor = SearchRequest {
            importance: Importance { criterion: eagleeye_spec::Criterion::Taylor, ..Importance::default() },
            ..request
        };
        let refused = make_tuned(&network(true, false), None, &taylor, &[4, 6], &path, &|| false);
        assert!(matches!(refused, Err(SearchError::Importance(_))), "{refused:?}");
    }

    #[test]
    fn keep_counts_that_list_groups_of_one_unit_are_read_without_them() {
        let mut net = crate::testing::Layers::new(8);
        let x = net.image(1, 12);
        let x = net.conv(x, 6, 3, 1, 1, true);
        let x = net.conv(x, 1, 3, 1, 1, true);
        let x = net.conv(x, 4, 3, 1, 1, true);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 3);
        let groups = channel_groups(&net.finish(y).graph).unwrap();
        assert_eq!(stored_strategy(&groups, &[3, 1, 2]).unwrap().keep, [3, 2]);
        assert_eq!(stored_strategy(&groups, &[3, 2]).unwrap().keep, [3, 2]);
        let error = stored_strategy(&groups, &[3]).unwrap_err();
        assert!(matches!(error, SearchError::KeepCounts { expected: 2, found: 1 }), "{error}");
    }
}
