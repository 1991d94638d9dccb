//! One pruning search, as in *EagleEye* (ECCV 2020): draw strategies under a budget, prune by L1 norm, adapt the batch
//! norms' statistics, score. Results go to an [`Observer`]; who keeps them is not decided here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use eagleeye_graph::{ChannelGroups, CostModel, GroupError, ParameterId, Plan, PlanError, Strategy, channel_groups};
use eagleeye_spec::report::{BatchNormState, PrunableSpace};
use eagleeye_spec::{
    Baseline, Candidate, Evaluation, EvaluationKind, GroupKeep, ImageSet, Ranked, Score, SearchRequest,
};
use eagleeye_strategy::{Evaluated, Proposer, StrategyError, Task, feasible, proposer};
use tch::TchError;

use crate::adapt::adapt;
use crate::doubt::{self, Doubt};
use crate::exec::ExecError;
use crate::fold::fold;
use crate::images::{Images, ImagesError};
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::observer::{Flow, Observer, Phase};
use crate::prune::{apply, importance, plan_by_importance};
use crate::rewrite::RewriteError;
use crate::score::score;
use crate::virtual_bn::VirtualBatchNorms;
use eagleeye_torchscript::tensors::reason;

/// Why a search ended early.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("cancelled")]
    Cancelled,
    #[error("the channel groups of the network cannot be determined: {0}")]
    Groups(#[from] GroupError),
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    #[error("a strategy does not fit the network: {0}")]
    Plan(#[from] PlanError),
    #[error(
        "the candidate has keep counts for {found} groups, but {expected} groups of the network can be pruned; it \
         was evaluated by another version, so the search must be run again"
    )]
    KeepCounts { expected: usize, found: usize },
    #[error("{0}")]
    Exec(ExecError),
    #[error("the pruned network is inconsistent: {0}")]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Images(#[from] ImagesError),
    /// The scores are not to be believed; what was evaluated stays.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<ExecError> for SearchError {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Cancelled => Self::Cancelled,
            other => Self::Exec(other),
        }
    }
}

impl From<TchError> for SearchError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Evaluates the strategies that the request's proposer proposes, in order of index, but for those in `evaluated`, which an
/// earlier call has evaluated.
///
/// `network` and `images` are on one device. The same network, images and request give the same candidates to the last digit
/// (but for `seconds`) on the same device with the same number of threads, whatever was evaluated before.
///
/// # Errors
/// [`SearchError::Strategy`] before anything is computed when the budget is out of reach; [`SearchError::Doubt`] before the
/// first candidate when the full network is no better than chance, and after the last when the best is above the full network
/// by more than the noise.
pub fn search(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    evaluated: &BTreeMap<u32, Evaluated>,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    let strategies = Strategies::new(network, request)?;
    observer.phase(Phase::Baseline, 0, 2);
    let pruner = Pruner::new(network, images, request, &|| observer.cancelled())?;
    observer.phase(Phase::Baseline, 1, 2);
    let baseline = pruner.baseline(&|| observer.cancelled())?;
    stop_or_go(observer.baseline(baseline))?;
    let labels = Labels::of(images)?;
    doubt::full_network(&baseline.score, labels.images, labels.classes)?;

    let total = strategies.most();
    let mut history: Vec<Evaluated> = Vec::new();
    let mut proposed = VecDeque::new();
    observer.phase(Phase::Candidates, evaluated.len() as u64, u64::from(total));
    for index in 0..total {
        if proposed.is_empty() {
            proposed.extend(strategies.next(&history)?);
        }
        let Some(strategy) = proposed.pop_front() else { break };
        history.push(match evaluated.get(&index) {
            Some(before) => before.clone(),
            None => {
                let (candidate, score) = pruner.evaluate(index, &strategy, &|| observer.cancelled())?;
                stop_or_go(observer.candidate(candidate))?;
                Evaluated { strategy, is_probe: false, score }
            }
        });
        observer.phase(Phase::Candidates, history.len() as u64, u64::from(total));
    }
    let ranked = (0..).zip(&history).map(|(index, evaluated)| Ranked { index, score: evaluated.score });
    let best = ranked.min_by(Ranked::best_first).map_or(0.0, |best| best.score.top1);
    Ok(doubt::best_candidate(baseline.score.top1, best, labels.images)?)
}

/// Where a search's strategies come from.
struct Strategies<'a> {
    request: &'a SearchRequest,
    proposer: &'static Proposer,
    prunable: PrunableSpace,
}

impl<'a> Strategies<'a> {
    /// # Errors
    /// Where no strategy of the request's space meets its budget, as the server says before it queues a search.
    fn new(network: &Network, request: &'a SearchRequest) -> Result<Self, SearchError> {
        let groups = channel_groups(&network.graph)?;
        let prunable = PrunableSpace::of(&network.graph, &groups);
        let strategies = Self { request, proposer: proposer(&request.strategy.0)?, prunable };
        strategies.with_task(|task| feasible(&request.strategy.0, task))?;
        Ok(strategies)
    }

    /// Candidates that are evaluated at most.
    fn most(&self) -> u32 {
        self.proposer.most.map_or(self.request.candidates, |most| most.min(self.request.candidates))
    }

    fn next(&self, history: &[Evaluated]) -> Result<Vec<Strategy>, StrategyError> {
        let proposed = self.with_task(|task| (self.proposer.propose)(task, history))?;
        Ok(proposed.into_iter().map(|proposal| proposal.strategy).collect())
    }

    fn with_task<T>(&self, use_it: impl FnOnce(&Task) -> T) -> T {
        let SearchRequest { seed, .. } = *self.request;
        use_it(&Task::new(&self.prunable, self.request.space(), &self.request.budget(), seed))
    }
}

/// What the scoring images can tell.
struct Labels {
    images: u64,
    /// Classes among them.
    classes: u64,
}

impl Labels {
    fn of(images: &Images) -> Result<Self, TchError> {
        let labels = Vec::<i64>::try_from(&images.labels)?;
        let classes: BTreeSet<i64> = labels.iter().copied().collect();
        Ok(Self { images: labels.len() as u64, classes: classes.len() as u64 })
    }
}

/// Makes a candidate's network again from its keep counts: pruned, with adapted statistics, under the uploaded names.
///
/// Needs the search's calibration images, no scoring images.
pub fn make_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    keep: &[usize],
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, SearchError> {
    let pruner = Pruner::new(network, images, request, cancelled)?;
    let (_, adapted) = pruner.prune_and_adapt(&stored_strategy(&pruner.groups, keep)?, cancelled)?;
    Ok(adapted)
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

fn stop_or_go(flow: Flow) -> Result<(), SearchError> {
    match flow {
        Flow::Go => Ok(()),
        Flow::Stop => Err(SearchError::Cancelled),
    }
}

/// What all candidates of a search have in common.
struct Pruner<'a> {
    network: &'a Network,
    images: &'a Images,
    request: &'a SearchRequest,
    groups: ChannelGroups,
    cost: CostModel,
    importance: Vec<Vec<f64>>,
    /// For networks without batch norms behind their convolutions.
    virtual_norms: Option<VirtualBatchNorms>,
}

impl<'a> Pruner<'a> {
    fn new(
        network: &'a Network,
        images: &'a Images,
        request: &'a SearchRequest,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, SearchError> {
        let groups = channel_groups(&network.graph)?;
        let cost = CostModel::new(&network.graph, &groups);
        let importance = importance(network, &groups)?;
        let virtual_norms = match batch_norm_state(&network.graph) {
            BatchNormState::Folded => {
                Some(VirtualBatchNorms::measure(network, &images.calibration, request.batch_size as usize, cancelled)?)
            }
            BatchNormState::Present | BatchNormState::Absent => None,
        };
        Ok(Self { network, images, request, groups, cost, importance, virtual_norms })
    }

    fn baseline(&self, cancelled: &dyn Fn() -> bool) -> Result<Baseline, SearchError> {
        let full = self.cost.full();
        let score = self.score(self.network, cancelled)?;
        Ok(Baseline { score, macs: self.cost.macs(&full), parameters: self.cost.parameters(&full) })
    }

    /// One candidate: pruning, adaptive BN, score. With the score that it is ranked by.
    fn evaluate(
        &self,
        index: u32,
        strategy: &Strategy,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Candidate, Score), SearchError> {
        let started = Instant::now();
        let (pruned, adapted) = self.prune_and_adapt(strategy, cancelled)?;
        let adapted = self.evaluation(EvaluationKind::Adapted, &adapted, started, cancelled)?;
        let unadapted = self.evaluation(EvaluationKind::Unadapted, &pruned, Instant::now(), cancelled)?;
        let score = adapted.score;
        let candidate = Candidate {
            index,
            groups: self.kept(strategy),
            macs: self.cost.macs(strategy),
            parameters: self.cost.parameters(strategy),
            evaluations: vec![adapted, unadapted],
            strategy: strategy.keep.iter().map(|&kept| kept as u32).collect(),
            seconds: started.elapsed().as_secs_f64(),
        };
        Ok((candidate, score))
    }

    /// Scores a network whose making began at `started`.
    fn evaluation(
        &self,
        kind: EvaluationKind,
        network: &Network,
        started: Instant,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Evaluation, SearchError> {
        let score = self.score(network, cancelled)?;
        let images = self.images.labels.numel() as u64;
        Ok(Evaluation { kind, image_set: ImageSet::Scoring, images, score, seconds: started.elapsed().as_secs_f64() })
    }

    /// The pruned network with the statistics of the unpruned one, and with its own.
    fn prune_and_adapt(
        &self,
        strategy: &Strategy,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Network, Network), SearchError> {
        let plan = plan_by_importance(&self.network.graph, &self.groups, &self.importance, strategy)?;
        let pruned = apply(self.network, plan.clone())?;
        let adapted = match &self.virtual_norms {
            None => self.adapt(&pruned, cancelled)?,
            Some(norms) => {
                let with_norms = norms.insert(&pruned, |weight| kept_outputs(&plan, weight))?;
                norms.remove(&self.adapt(&with_norms, cancelled)?)?
            }
        };
        Ok((pruned, adapted))
    }

    fn adapt(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Result<Network, ExecError> {
        let SearchRequest { batch_size, adaptation, .. } = *self.request;
        adapt(network, &self.images.calibration, batch_size as usize, adaptation, cancelled)
    }

    /// Batch norms are folded for scoring: the same function, and half the work on small networks.
    fn score(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Result<Score, SearchError> {
        let Images { scoring, labels, .. } = self.images;
        Ok(score(&fold(network)?, scoring, labels, self.request.batch_size as usize, cancelled)?)
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
    use std::cell::Cell;

    use super::*;
    use crate::exec::forward;
    use crate::testing::{classifier, images as random_images};

    fn request(candidates: u32) -> SearchRequest {
        let request = serde_json::json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "macs": 0.5, "candidates": candidates, "seed": 7, "batch_size": 16, "calibration_images": 64,
            "scoring_images": 96, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        serde_json::from_value(request).unwrap()
    }

    /// Random images with the full network's own answers as labels, so that there is an accuracy to lose.
    fn images(network: &Network) -> Images {
        let scoring = random_images(1, &[96, 1, 12, 12]);
        let labels = forward(network, &scoring).unwrap().argmax(1, false);
        Images { calibration: random_images(2, &[64, 1, 12, 12]), scoring, labels }
    }

    #[derive(Default)]
    struct Record {
        baseline: Option<Baseline>,
        candidates: Vec<Candidate>,
        phases: Vec<(Phase, u64, u64)>,
        stop_after: Option<usize>,
        asked: Cell<usize>,
        cancel_at: Option<usize>,
    }

    impl Observer for Record {
        fn cancelled(&self) -> bool {
            self.asked.set(self.asked.get() + 1);
            self.cancel_at.is_some_and(|at| self.asked.get() > at)
        }

        fn phase(&mut self, phase: Phase, done: u64, total: u64) {
            self.phases.push((phase, done, total));
        }

        fn baseline(&mut self, baseline: Baseline) -> Flow {
            self.baseline = Some(baseline);
            Flow::Go
        }

        fn candidate(&mut self, candidate: Candidate) -> Flow {
            let untimed = |&evaluation: &Evaluation| Evaluation { seconds: 0.0, ..evaluation };
            let evaluations = candidate.evaluations.iter().map(untimed).collect();
            self.candidates.push(Candidate { evaluations, seconds: 0.0, ..candidate });
            if self.stop_after == Some(self.candidates.len()) { Flow::Stop } else { Flow::Go }
        }
    }

    fn run(network: &Network, candidates: u32, evaluated: &[u32]) -> Record {
        let mut record = Record::default();
        let unknown =
            Evaluated { strategy: Strategy { keep: Vec::new() }, is_probe: false, score: Score::new(0.5, 1.0, 1.0) };
        let evaluated = evaluated.iter().map(|&index| (index, unknown.clone())).collect();
        search(network, &images(network), &request(candidates), &evaluated, &mut record).unwrap();
        record
    }

    fn score_of(candidate: &Candidate, kind: EvaluationKind) -> Score {
        eagleeye_spec::score_of(&candidate.evaluations, kind, ImageSet::Scoring).unwrap()
    }

    /// With adapted statistics, and with those of the unpruned network.
    fn scores(candidate: &Candidate) -> (Score, Score) {
        (score_of(candidate, EvaluationKind::Adapted), score_of(candidate, EvaluationKind::Unadapted))
    }

    fn keep(candidate: &Candidate) -> Vec<usize> {
        candidate.strategy.iter().map(|&kept| kept as usize).collect()
    }

    #[test]
    fn every_candidate_lands_on_the_budget_and_is_scored_twice() {
        let record = run(&classifier(1, true), 6, &[]);
        let baseline = record.baseline.unwrap();
        assert_eq!(baseline.score.top1, 1.0, "the labels are its own answers");
        assert_eq!(record.candidates.iter().map(|c| c.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        for candidate in &record.candidates {
            let share = candidate.macs as f64 / baseline.macs as f64;
            assert!((share - 0.5).abs() <= 0.005, "{share}");
            assert_eq!(candidate.groups.iter().map(|g| g.kept as u32).collect::<Vec<_>>(), candidate.strategy);
            assert_eq!(candidate.evaluations.iter().map(|e| e.images).collect::<Vec<_>>(), [96, 96]);
        }
        let differ = |candidate: &Candidate| scores(candidate).0 != scores(candidate).1;
        assert!(record.candidates.iter().any(differ));
        assert_eq!(record.phases.last(), Some(&(Phase::Candidates, 6, 6)));
    }

    #[test]
    fn a_search_that_goes_on_gives_what_an_undisturbed_one_gives() {
        let network = classifier(2, true);
        let whole = run(&network, 5, &[]).candidates;
        let rest = run(&network, 5, &[0, 3]).candidates;
        assert_eq!(rest, [whole[1].clone(), whole[2].clone(), whole[4].clone()]);
    }

    #[test]
    fn folded_batch_norms_are_replaced_by_virtual_ones() {
        let record = run(&classifier(3, false), 4, &[]);
        // Without virtual batch norms there would be nothing to adapt.
        let differ = |candidate: &Candidate| scores(candidate).0.cross_entropy != scores(candidate).1.cross_entropy;
        assert!(record.candidates.iter().all(differ));
    }

    #[test]
    fn a_candidate_is_made_again_exactly() {
        for batch_norms in [true, false] {
            let network = classifier(4, batch_norms);
            let images = images(&network);
            let candidate = run(&network, 3, &[0, 1]).candidates.remove(0);
            let made = make_candidate(&network, &images, &request(3), &keep(&candidate), &|| false).unwrap();
            let score = score(&fold(&made).unwrap(), &images.scoring, &images.labels, 16, &|| false).unwrap();
            assert_eq!(score, score_of(&candidate, EvaluationKind::Adapted));
            assert_eq!(eagleeye_graph::macs(&made.graph), candidate.macs);
            let names = |n: &Network| n.graph.parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&made), names(&network));
        }
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

    #[test]
    fn an_observer_that_says_stop_ends_the_search() {
        let network = classifier(5, true);
        let mut record = Record { stop_after: Some(2), ..Record::default() };
        let outcome = search(&network, &images(&network), &request(5), &BTreeMap::new(), &mut record);
        assert!(matches!(outcome, Err(SearchError::Cancelled)));
        assert_eq!(record.candidates.len(), 2);
    }

    #[test]
    fn a_cancel_is_noticed_inside_a_forward_pass() {
        let network = classifier(6, true);
        let mut record = Record { cancel_at: Some(40), ..Record::default() };
        let outcome = search(&network, &images(&network), &request(5), &BTreeMap::new(), &mut record);
        assert!(matches!(outcome, Err(SearchError::Cancelled)));
        assert_eq!((record.asked.get(), record.candidates.len()), (41, 0));
    }

    /// Images whose labels are drawn by lot: no network does better than chance on them.
    fn mislabelled() -> Images {
        let numbers = random_images(3, &[200]);
        let labels = ((numbers + 1.0) * 2.5).floor().clamp(0, 4).to_kind(tch::Kind::Int64);
        Images { calibration: random_images(2, &[64, 1, 12, 12]), scoring: random_images(1, &[200, 1, 12, 12]), labels }
    }

    #[test]
    fn a_full_network_at_chance_ends_the_search_before_the_first_candidate() {
        let mut record = Record::default();
        let (network, images) = (classifier(8, true), mislabelled());
        let outcome = search(&network, &images, &request(5), &BTreeMap::new(), &mut record);
        let Err(SearchError::Doubt(doubt)) = outcome else { panic!("{outcome:?}") };
        let Doubt::Chance { top1, images: 200, classes: 5 } = doubt else { panic!("{doubt:?}") };
        assert_eq!(record.baseline.unwrap().score.top1, top1, "the score is reported all the same");
        assert!(record.candidates.is_empty());
    }

    #[test]
    fn a_best_candidate_far_above_the_full_network_ends_the_search_without_success_and_keeps_the_candidates() {
        let network = classifier(1, true);
        let keep = keep(&run(&network, 1, &[]).candidates[0]);
        let made = make_candidate(&network, &images(&network), &request(1), &keep, &|| false).unwrap();
        // The labels are the candidate's answers, and on a fifth of the images the full network has others.
        let scoring = random_images(1, &[6000, 1, 12, 12]);
        let answers = |network: &Network| forward(network, &scoring).unwrap().argmax(1, false);
        let labels = answers(&made);
        let differ = labels.ne_tensor(&answers(&network));
        let (other, same) = (differ.nonzero().flatten(0, -1), differ.logical_not().nonzero().flatten(0, -1));
        let fifth = other.size()[0].min(same.size()[0] / 4);
        let chosen = tch::Tensor::cat(&[other.narrow(0, 0, fifth), same.narrow(0, 0, 4 * fifth)], 0);
        let (scoring, labels) = (scoring.index_select(0, &chosen), labels.index_select(0, &chosen));
        let images = Images { scoring, labels, ..images(&network) };

        let mut record = Record::default();
        let outcome = search(&network, &images, &request(2), &BTreeMap::new(), &mut record);
        let Err(SearchError::Doubt(Doubt::AboveFull { full, best, .. })) = outcome else { panic!("{outcome:?}") };
        assert_eq!((record.baseline.unwrap().score.top1, record.candidates.len()), (full, 2));
        assert_eq!(scores(&record.candidates[0]).0.top1, best);

        // A search that goes on knows it of a candidate that it did not evaluate itself, too.
        let before = Evaluated { strategy: Strategy { keep }, is_probe: false, score: Score::new(best, 1.0, 1.0) };
        let before = BTreeMap::from([(0, before)]);
        let outcome = search(&network, &images, &request(2), &before, &mut Record::default());
        assert!(matches!(outcome, Err(SearchError::Doubt(Doubt::AboveFull { .. }))), "{outcome:?}");
    }

    #[test]
    fn a_budget_out_of_reach_is_refused_with_the_range() {
        let network = classifier(7, true);
        let request = SearchRequest { macs: 0.0001, ..request(1) };
        let outcome = search(&network, &images(&network), &request, &BTreeMap::new(), &mut Record::default());
        let Err(SearchError::Strategy(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("between"), "{error}");
    }
}
