//! How candidates are made of the full network: pruned, and then with statistics of their own or repaired.

use eagleeye_graph::{ChannelGroups, CostModel, ParameterId, Plan, PlanError, Strategy, channel_groups};
use eagleeye_spec::report::BatchNormState;
use eagleeye_spec::{Adaptation, AdaptationMode, EvaluationPrecision, GroupKeep, Rung, SearchRequest, StrategyName};
use eagleeye_strategy::adaptation_of;

use crate::adapt::adapt;
use crate::exec::{ExecError, Passes};
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

/// How a pruned network gets statistics of its own.
#[derive(Clone, Copy)]
pub(crate) struct Adapting {
    pub adaptation: Adaptation,
    /// From its calibration images.
    pub rung: Rung,
    pub precision: EvaluationPrecision,
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

    /// How the statistics of a network are computed that is exported: from all calibration images, in `f32`.
    pub fn finally(&self, strategy: &StrategyName) -> Adapting {
        let (adaptation, rung) = (self.adaptation(strategy), self.all());
        Adapting { adaptation, rung, precision: EvaluationPrecision::Float32 }
    }

    /// The pruned network with the statistics of the unpruned one, and with its own.
    pub fn make(&self, strategy: &Strategy, how: Adapting, cancelled: &dyn Fn() -> bool) -> Result<Made, SearchError> {
        let (plan, pruned) = self.pruned(strategy)?;
        let adapted = self.adapted(&plan, &pruned, how, cancelled)?;
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
        how: Adapting,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Adapted, SearchError> {
        match &self.virtual_norms {
            None => {
                let network = self.adapt(pruned, how, cancelled)?;
                Ok(Adapted { vectors: vectors(&network), network })
            }
            Some(norms) => {
                let with_norms = norms.insert(pruned, |weight| kept_outputs(plan, weight))?;
                let adapted = self.adapt(&with_norms, how, cancelled)?;
                Ok(Adapted { vectors: vectors(&adapted), network: norms.remove(&adapted)? })
            }
        }
    }

    /// By what a candidate can be made again without images.
    pub fn recipe(&self, made: &Made) -> Result<Vec<u8>, SearchError> {
        let keeps = self.pruner.request.importance.criterion.needs_images();
        Ok(recipe(&made.adapted.vectors, &made.plan, keeps)?)
    }

    fn adapt(&self, network: &Network, how: Adapting, cancelled: &dyn Fn() -> bool) -> Result<Network, ExecError> {
        let Adapting { adaptation, rung, precision } = how;
        let calibration = self.images.calibration.first(rung.calibration as usize);
        let adaptation = on_rung(adaptation, rung, self.all());
        let passes = Passes { batch_size: self.pruner.request.batch_size as usize, precision };
        adapt(network, &calibration, passes, adaptation, cancelled)
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
