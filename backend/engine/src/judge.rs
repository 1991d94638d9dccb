//! How a search makes and evaluates its candidates: pruning, adaptive batch norm, scores.

use std::time::Instant;

use eagleeye_graph::{ChannelGroups, CostModel, ParameterId, Plan, PlanError, Strategy, channel_groups};
use eagleeye_spec::report::BatchNormState;
use eagleeye_spec::{
    Adaptation, AdaptationMode, Baseline, Candidate, Evaluation, EvaluationKind, GroupKeep, ImageSet, Importance,
    Intervals, Origin, RANKED_KIND, Rung, Score, SearchRequest, StrategyName,
};
use eagleeye_strategy::proposer;
use tch::Tensor;

use crate::adapt::adapt;
use crate::board::{Board, evaluation_on};
use crate::doubt::Labels;
use crate::exec::ExecError;
use crate::fold::fold;
use crate::images::{Images, Part};
use crate::importance::{ImportanceData, importance};
use crate::lanes::strategy_of;
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::prune::{apply, plan_by_importance};
use crate::score::{Reference, Scored, score};
use crate::search_error::SearchError;
use crate::virtual_bn::VirtualBatchNorms;

type Cancelled<'c> = &'c dyn Fn() -> bool;

/// What all candidates of a search have in common.
pub struct Judge<'a> {
    maker: Maker<'a>,
    scoring: Target<'a>,
    /// `None` where there are no test images.
    test: Option<Target<'a>>,
    pub labels: Labels,
    /// How important each unit of each prunable group is.
    pub importance: Vec<Vec<f64>>,
}

/// Images that networks are scored on.
struct Target<'a> {
    images: &'a Tensor,
    /// Their classes; the full network's own answers where the dataset has no labels.
    labels: Tensor,
    /// What the full network says of them.
    reference: Reference,
}

impl<'a> Target<'a> {
    fn new(full: &Network, part: &'a Part, batch_size: usize, cancelled: Cancelled) -> Result<Self, SearchError> {
        let reference = Reference::of(full, &part.images, batch_size, cancelled)?;
        let labels = match &part.labels {
            Some(labels) => labels.shallow_clone(),
            None => reference.answers()?,
        };
        Ok(Self { images: &part.images, labels, reference })
    }

    fn len(&self) -> u64 {
        self.labels.numel() as u64
    }
}

impl<'a> Judge<'a> {
    pub fn new(
        network: &'a Network,
        images: &'a Images,
        request: &'a SearchRequest,
        cancelled: Cancelled,
    ) -> Result<Self, SearchError> {
        let maker = Maker::new(network, images, request, cancelled)?;
        let (folded, batch_size) = (fold(network)?, request.batch_size as usize);
        let scoring = Target::new(&folded, &images.scoring, batch_size, cancelled)?;
        let has_test = !images.test.is_empty();
        let test = has_test.then(|| Target::new(&folded, &images.test, batch_size, cancelled)).transpose()?;
        let labels = Labels::of(&scoring.labels, &scoring.reference, images.scoring.labels.is_some())?;
        let groups = maker.groups.groups.iter().zip(&maker.importance);
        let importance = groups.filter(|(group, _)| group.prunable).map(|(_, units)| units.clone()).collect();
        Ok(Self { maker, scoring, test, labels, importance })
    }

    pub(crate) fn maker(&self) -> &Maker<'a> {
        &self.maker
    }

    /// A network on all scoring images.
    pub(crate) fn scored(&self, network: &Network, cancelled: Cancelled) -> Result<Score, SearchError> {
        Ok(self.score(network, &self.scoring, self.scoring.len(), cancelled)?.score)
    }

    /// The sets of images that candidates are scored on.
    pub fn rungs(&self) -> Vec<Rung> {
        self.maker.request.rungs()
    }

    pub fn has_no_test_images(&self) -> bool {
        self.test.is_none()
    }

    /// The full network on all scoring and test images.
    pub fn baseline(&self) -> Result<Baseline, SearchError> {
        let full = self.maker.cost.full();
        let Scored { score, hits } = self.scoring.reference.score(&self.scoring.labels)?;
        let test = self.test.as_ref().map(|test| test.reference.score(&test.labels)).transpose()?;
        Ok(Baseline {
            score,
            intervals: Some(Intervals::of(&score, self.scoring.len())),
            macs: self.maker.cost.macs(&full),
            parameters: self.maker.cost.parameters(&full),
            bytes: Some(self.maker.cost.bytes_at(&full.keep)),
            test: test.map(|test| test.score),
            hits: Some(hits),
        })
    }

    /// A proposal's first evaluation, on the first rung. One that was evaluated before is not computed again.
    pub fn first(
        &self,
        board: &Board,
        origin: Origin,
        strategy: &Strategy,
        cancelled: Cancelled,
    ) -> Result<Candidate, SearchError> {
        let started = Instant::now();
        let rung = self.rungs()[0];
        let mut candidate = self.candidate(board.next_index(), origin, strategy);
        if let Some(twin) = self.twin(board, &candidate, u64::from(rung.scoring)) {
            let is_first = |e: &&Evaluation| e.kind != RANKED_KIND || e.images == u64::from(rung.scoring);
            let evaluations = twin.evaluations.iter().filter(|e| e.image_set == ImageSet::Scoring).filter(is_first);
            candidate.evaluations = evaluations.map(|e| Evaluation { seconds: 0.0, ..e.clone() }).collect();
            return Ok(candidate);
        }
        let adaptation = self.maker.adaptation(&candidate.origin.strategy);
        let (pruned, adapted) = self.maker.make(strategy, adaptation, rung, cancelled)?;
        let adapted = self.evaluation(EvaluationKind::Adapted, &adapted, rung, started, cancelled)?;
        candidate.evaluations.push(adapted);
        let vanilla = self.maker.request.vanilla_images.min(self.maker.request.scoring_images);
        if vanilla > 0 {
            let rung = Rung { calibration: 0, scoring: vanilla };
            let unadapted = self.evaluation(EvaluationKind::Unadapted, &pruned, rung, Instant::now(), cancelled)?;
            candidate.evaluations.push(unadapted);
        }
        candidate.seconds = started.elapsed().as_secs_f64();
        Ok(candidate)
    }

    /// A further evaluation of a candidate on more images; `None` where it has that.
    pub fn again(
        &self,
        board: &Board,
        index: u32,
        rung: Rung,
        cancelled: Cancelled,
    ) -> Result<Option<Evaluation>, SearchError> {
        let Some(candidate) = board.get(index) else { return Ok(None) };
        let images = u64::from(rung.scoring);
        if evaluation_on(candidate, RANKED_KIND, ImageSet::Scoring, images).is_some() {
            return Ok(None);
        }
        let twin = self.twin(board, candidate, images);
        if let Some(known) = twin.and_then(|twin| evaluation_on(twin, RANKED_KIND, ImageSet::Scoring, images)) {
            return Ok(Some(Evaluation { seconds: 0.0, ..known.clone() }));
        }
        let started = Instant::now();
        let adaptation = self.maker.adaptation(&candidate.origin.strategy);
        let (_, adapted) = self.maker.make(&strategy_of(candidate), adaptation, rung, cancelled)?;
        self.evaluation(EvaluationKind::Adapted, &adapted, rung, started, cancelled).map(Some)
    }

    /// A candidate's evaluation on the test images, adapted with all calibration images; `None` where it has that.
    pub fn test(&self, board: &Board, index: u32, cancelled: Cancelled) -> Result<Option<Evaluation>, SearchError> {
        let (Some(candidate), Some(test)) = (board.get(index), &self.test) else { return Ok(None) };
        if evaluation_on(candidate, RANKED_KIND, ImageSet::Test, test.len()).is_some() {
            return Ok(None);
        }
        let started = Instant::now();
        let adaptation = self.maker.adaptation(&candidate.origin.strategy);
        let (_, adapted) = self.maker.make(&strategy_of(candidate), adaptation, self.maker.all(), cancelled)?;
        let Scored { score, hits } = self.score(&adapted, test, test.len(), cancelled)?;
        Ok(Some(Evaluation {
            calibration_images: Some(u64::from(self.maker.all().calibration)),
            seconds: started.elapsed().as_secs_f64(),
            hits: Some(hits),
            ..Evaluation::new(RANKED_KIND, ImageSet::Test, test.len(), score)
        }))
    }

    /// Another candidate that keeps the same and is adapted in the same way, which has been evaluated on so many images.
    fn twin<'b>(&self, board: &'b Board, candidate: &Candidate, images: u64) -> Option<&'b Candidate> {
        let adaptation = self.maker.adaptation(&candidate.origin.strategy);
        board.candidates().iter().find(|other| {
            other.index != candidate.index
                && other.strategy == candidate.strategy
                && self.maker.adaptation(&other.origin.strategy) == adaptation
                && Board::ranked_on(other, images).is_some()
        })
    }

    pub(crate) fn candidate(&self, index: u32, origin: Origin, strategy: &Strategy) -> Candidate {
        Candidate {
            index,
            origin,
            groups: self.maker.kept(strategy),
            macs: self.maker.cost.macs(strategy),
            parameters: self.maker.cost.parameters(strategy),
            bytes: Some(self.maker.cost.bytes_at(&strategy.keep)),
            evaluations: Vec::new(),
            strategy: strategy.keep.iter().map(|&kept| kept as u32).collect(),
            seconds: 0.0,
        }
    }

    /// Scores a network whose making began at `started` on the scoring images of a rung.
    fn evaluation(
        &self,
        kind: EvaluationKind,
        network: &Network,
        rung: Rung,
        started: Instant,
        cancelled: Cancelled,
    ) -> Result<Evaluation, SearchError> {
        let images = u64::from(rung.scoring);
        let Scored { score, hits } = self.score(network, &self.scoring, images, cancelled)?;
        Ok(Evaluation {
            calibration_images: Some(u64::from(rung.calibration)),
            seconds: started.elapsed().as_secs_f64(),
            hits: Some(hits),
            ..Evaluation::new(kind, ImageSet::Scoring, images, score)
        })
    }

    /// The first images of a set. Batch norms are folded for scoring: the same function, and half the work on small networks.
    fn score(
        &self,
        network: &Network,
        target: &Target,
        images: u64,
        cancelled: Cancelled,
    ) -> Result<Scored, SearchError> {
        let labels = target.labels.f_narrow(0, 0, images as i64)?;
        let batch_size = self.maker.request.batch_size as usize;
        Ok(score(&fold(network)?, target.images, &labels, Some(&target.reference), batch_size, cancelled)?)
    }
}

/// Makes a candidate's network again from its keep counts: pruned, with adapted statistics, under the uploaded names.
///
/// Needs the search's calibration images, no others.
pub fn make_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    strategy: &StrategyName,
    keep: &[usize],
    cancelled: Cancelled,
) -> Result<Network, SearchError> {
    let maker = Maker::new(network, images, request, cancelled)?;
    let keep = stored_strategy(&maker.groups, keep)?;
    let (_, adapted) = maker.make(&keep, maker.adaptation(strategy), maker.all(), cancelled)?;
    Ok(adapted)
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
fn stored_strategy(groups: &ChannelGroups, keep: &[usize]) -> Result<Strategy, SearchError> {
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

/// Makes pruned networks.
pub(crate) struct Maker<'a> {
    network: &'a Network,
    images: &'a Images,
    request: &'a SearchRequest,
    groups: ChannelGroups,
    cost: CostModel,
    importance: Vec<Vec<f64>>,
    /// For networks without batch norms behind their convolutions.
    virtual_norms: Option<VirtualBatchNorms>,
}

impl<'a> Maker<'a> {
    fn new(
        network: &'a Network,
        images: &'a Images,
        request: &'a SearchRequest,
        cancelled: Cancelled,
    ) -> Result<Self, SearchError> {
        let groups = channel_groups(&network.graph)?;
        let cost = CostModel::new(&network.graph, &groups);
        let calibration = &images.calibration.images;
        let data = ImportanceData {
            images: Some(calibration),
            labels: images.calibration.labels.as_ref(),
            batch_size: request.batch_size as usize,
            seed: request.seed,
            cancelled,
        };
        let importance = importance(network, &groups, request.importance, &data)?;
        let virtual_norms = match batch_norm_state(&network.graph) {
            BatchNormState::Folded => {
                Some(VirtualBatchNorms::measure(network, calibration, request.batch_size as usize, cancelled)?)
            }
            BatchNormState::Present | BatchNormState::Absent => None,
        };
        Ok(Self { network, images, request, groups, cost, importance, virtual_norms })
    }

    pub fn network(&self) -> &'a Network {
        self.network
    }

    pub fn groups(&self) -> &ChannelGroups {
        &self.groups
    }

    /// What a strategy's candidates keep.
    pub fn plan(&self, strategy: &Strategy) -> Result<Plan, PlanError> {
        plan_by_importance(&self.network.graph, &self.groups, &self.importance, strategy)
    }

    /// All calibration and scoring images.
    pub fn all(&self) -> Rung {
        let calibration = self.request.used_calibration_images() as u32;
        Rung { calibration, scoring: self.request.scoring_images }
    }

    /// How the statistics of a strategy's candidates are computed.
    pub fn adaptation(&self, strategy: &StrategyName) -> Adaptation {
        let own = proposer(&strategy.0).ok().and_then(|proposer| proposer.adaptation);
        own.map_or(self.request.adaptation, |adaptation| adaptation())
    }

    /// The pruned network with the statistics of the unpruned one, and with its own, from a rung's calibration images.
    pub fn make(
        &self,
        strategy: &Strategy,
        adaptation: Adaptation,
        rung: Rung,
        cancelled: Cancelled,
    ) -> Result<(Network, Network), SearchError> {
        let plan = self.plan(strategy)?;
        let pruned = apply(self.network, plan.clone())?;
        let adapted = match &self.virtual_norms {
            None => self.adapt(&pruned, adaptation, rung, cancelled)?,
            Some(norms) => {
                let with_norms = norms.insert(&pruned, |weight| kept_outputs(&plan, weight))?;
                norms.remove(&self.adapt(&with_norms, adaptation, rung, cancelled)?)?
            }
        };
        Ok((pruned, adapted))
    }

    fn adapt(
        &self,
        network: &Network,
        adaptation: Adaptation,
        rung: Rung,
        cancelled: Cancelled,
    ) -> Result<Network, ExecError> {
        let calibration = self.images.calibration.first(rung.calibration as usize)?;
        let adaptation = on_rung(adaptation, rung, self.all());
        adapt(network, &calibration, self.request.batch_size as usize, adaptation, cancelled)
    }

    fn kept(&self, strategy: &Strategy) -> Vec<GroupKeep> {
        let groups = self.groups.prunable().zip(&strategy.keep);
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
    use super::*;

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
