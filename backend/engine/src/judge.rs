//! How a search evaluates its candidates: on images, and against the full network.

use std::time::Instant;

use eagleeye_graph::Strategy;
use eagleeye_spec::{
    Baseline, Candidate, Evaluation, EvaluationKind, EvaluationPrecision, ImageSet, Intervals, Origin, RANKED_KIND,
    Rung, Score, SearchRequest, TuneOptions,
};
use tch::Tensor;

use crate::board::{Board, evaluation_on};
use crate::doubt::Labels;
use crate::exec::Passes;
use crate::fold::fold;
use crate::images::{Images, Part};
use crate::lanes::strategy_of;
use crate::maker::{Adapting, Made, Maker};
use crate::network::Network;
use crate::pictures::Pictures;
use crate::recipe::Recipe;
use crate::repair::{Follow, FullOutputs, RepairOptions};
use crate::score::{Reference, Scored, score};
use crate::search_error::SearchError;
use crate::tune::{TuneImages, TuneObserver, tune};

/// Images by which the epochs of a short training are followed; nothing is decided by them.
const SHORT_VALIDATION: usize = 256;

type Cancelled<'c> = &'c dyn Fn() -> bool;

/// What was found of a candidate, and by what it can be made again without images: after an evaluation on all calibration images.
pub struct Judged<T> {
    pub found: T,
    pub recipe: Option<Vec<u8>>,
}

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
pub struct Target<'a> {
    set: ImageSet,
    images: &'a Pictures,
    /// Their classes; the full network's own answers where the dataset has no labels.
    labels: Tensor,
    /// What the full network says of them.
    reference: Reference,
}

impl<'a> Target<'a> {
    fn new(
        set: ImageSet,
        full: &Network,
        part: &'a Part,
        batch_size: usize,
        cancelled: Cancelled,
    ) -> Result<Self, SearchError> {
        let reference = Reference::of(full, &part.images, batch_size, cancelled)?;
        let labels = match &part.labels {
            Some(labels) => labels.shallow_clone(),
            None => reference.answers()?,
        };
        Ok(Self { set, images: &part.images, labels, reference })
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
        let scoring = Target::new(ImageSet::Scoring, &folded, &images.scoring, batch_size, cancelled)?;
        let has_test = !images.test.is_empty();
        let test =
            has_test.then(|| Target::new(ImageSet::Test, &folded, &images.test, batch_size, cancelled)).transpose()?;
        let labels = Labels::of(&scoring.labels, &scoring.reference, images.scoring.labels.is_some())?;
        let groups = maker.pruner.groups.groups.iter().zip(&maker.pruner.importance);
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
        self.maker.pruner.request.rungs()
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
    ) -> Result<Judged<Candidate>, SearchError> {
        let started = Instant::now();
        let rung = self.rungs()[0];
        let mut candidate = self.candidate(board.next_index(), origin, strategy);
        if let Some(twin) = self.twin(board, &candidate, u64::from(rung.scoring)) {
            let is_first = |e: &&Evaluation| match e.kind {
                RANKED_KIND => e.images == u64::from(rung.scoring),
                kind => kind == EvaluationKind::Unadapted,
            };
            let evaluations = twin.evaluations.iter().filter(|e| e.image_set == ImageSet::Scoring).filter(is_first);
            candidate.evaluations = evaluations.map(|e| Evaluation { seconds: 0.0, ..e.clone() }).collect();
            return Ok(Judged { found: candidate, recipe: board.recipe(twin.index).cloned() });
        }
        let made = self.maker.make(strategy, self.how(&candidate, rung), cancelled)?;
        let network = &made.adapted.network;
        let adapted = self.evaluation(EvaluationKind::Adapted, &self.scoring, network, rung, started, cancelled)?;
        candidate.evaluations.push(adapted);
        let vanilla = self.maker.pruner.request.vanilla_images.min(self.maker.pruner.request.scoring_images);
        // A probe is looked at for what it says of its group, and cannot win.
        if vanilla > 0 && !candidate.origin.is_probe {
            let rung = Rung { calibration: 0, scoring: vanilla };
            let unadapted = self.evaluation(
                EvaluationKind::Unadapted,
                &self.scoring,
                &made.pruned,
                rung,
                Instant::now(),
                cancelled,
            )?;
            candidate.evaluations.push(unadapted);
        }
        candidate.seconds = started.elapsed().as_secs_f64();
        Ok(Judged { found: candidate, recipe: self.recipe(&made, rung)? })
    }

    /// A further evaluation of a candidate on more images; `None` where it has that.
    pub fn again(
        &self,
        board: &Board,
        index: u32,
        rung: Rung,
        cancelled: Cancelled,
    ) -> Result<Option<Judged<Evaluation>>, SearchError> {
        let Some(candidate) = board.get(index) else { return Ok(None) };
        let images = u64::from(rung.scoring);
        if evaluation_on(candidate, RANKED_KIND, ImageSet::Scoring, images).is_some() {
            return Ok(None);
        }
        let twin = self.twin(board, candidate, images);
        let known = |twin| Some((twin, evaluation_on(twin, RANKED_KIND, ImageSet::Scoring, images)?));
        if let Some((twin, known)) = twin.and_then(known) {
            let found = Evaluation { seconds: 0.0, ..known.clone() };
            return Ok(Some(Judged { found, recipe: board.recipe(twin.index).cloned() }));
        }
        self.adapted_on(candidate, rung, cancelled).map(Some)
    }

    /// A candidate, adapted with so many of the calibration images, on all scoring images.
    pub fn adapted_by(
        &self,
        candidate: &Candidate,
        calibration: u32,
        cancelled: Cancelled,
    ) -> Result<Evaluation, SearchError> {
        Ok(self.adapted_on(candidate, Rung { calibration, ..self.maker.all() }, cancelled)?.found)
    }

    fn adapted_on(
        &self,
        candidate: &Candidate,
        rung: Rung,
        cancelled: Cancelled,
    ) -> Result<Judged<Evaluation>, SearchError> {
        let started = Instant::now();
        let made = self.maker.make(&strategy_of(candidate), self.how(candidate, rung), cancelled)?;
        let network = &made.adapted.network;
        let found = self.evaluation(EvaluationKind::Adapted, &self.scoring, network, rung, started, cancelled)?;
        Ok(Judged { found, recipe: self.recipe(&made, rung)? })
    }

    /// How a candidate is adapted that is compared with others.
    pub(crate) fn how(&self, candidate: &Candidate, rung: Rung) -> Adapting {
        let adaptation = self.maker.adaptation(&candidate.origin.strategy);
        Adapting { adaptation, rung, precision: self.maker.pruner.request.precision }
    }

    /// An export is adapted with all calibration images and in `f32`, so that it has the statistics of a rung that has them all.
    fn recipe(&self, made: &Made, rung: Rung) -> Result<Option<Vec<u8>>, SearchError> {
        let is_final = rung.calibration == self.maker.all().calibration && self.is_in_float32();
        is_final.then(|| self.maker.recipe(made)).transpose()
    }

    fn is_in_float32(&self) -> bool {
        self.maker.pruner.request.precision == EvaluationPrecision::Float32
    }

    /// A candidate's evaluation on the test images, as its export would be scored: adapted with all calibration images, in `f32`.
    /// `None` where it has that.
    pub fn test(
        &self,
        board: &Board,
        index: u32,
        cancelled: Cancelled,
    ) -> Result<Option<Judged<Evaluation>>, SearchError> {
        let (Some(candidate), Some(test)) = (board.get(index), &self.test) else { return Ok(None) };
        if evaluation_on(candidate, RANKED_KIND, ImageSet::Test, test.len()).is_some() {
            return Ok(None);
        }
        let started = Instant::now();
        let (network, recipe) = self.finished(board, candidate, cancelled)?;
        let rung = self.on_all(test);
        let found = self.evaluation(RANKED_KIND, test, &network, rung, started, cancelled)?;
        Ok(Some(Judged { found, recipe: Some(recipe) }))
    }

    /// A candidate as it is exported, by its recipe where there is one, which is given with it.
    fn finished(
        &self,
        board: &Board,
        candidate: &Candidate,
        cancelled: Cancelled,
    ) -> Result<(Network, Vec<u8>), SearchError> {
        let strategy = strategy_of(candidate);
        if let Some(known) = board.recipe(candidate.index) {
            let (_, pruned) = self.maker.pruned(&strategy)?;
            return Ok((Recipe::read(known)?.adapted(self.maker.pruner.network, &pruned)?, known.clone()));
        }
        let made = self.maker.make(&strategy, self.maker.finally(&candidate.origin.strategy), cancelled)?;
        let recipe = self.maker.recipe(&made)?;
        Ok((made.adapted.network, recipe))
    }

    /// On which sets a candidate has no evaluation of this kind that it is to have: on the scoring images, and a finalist on
    /// the test images.
    pub fn lacking(&self, kind: EvaluationKind, board: &Board, index: u32, is_finalist: bool) -> Vec<&Target<'a>> {
        let Some(candidate) = board.get(index) else { return Vec::new() };
        let wanted = std::iter::once(&self.scoring).chain(self.test.as_ref().filter(|_| is_finalist));
        wanted.filter(|target| evaluation_on(candidate, kind, target.set, target.len()).is_none()).collect()
    }

    /// What another candidate, which is the same network, has of this kind.
    pub fn of_twin(&self, kind: EvaluationKind, board: &Board, index: u32, target: &Target) -> Option<Evaluation> {
        let (candidate, set, images) = (board.get(index)?, target.set, target.len());
        let adaptation = |of: &Candidate| self.maker.adaptation(&of.origin.strategy);
        // How a candidate is adapted makes no difference to its repair.
        let is_same =
            |other: &Candidate| kind == EvaluationKind::Repaired || adaptation(other) == adaptation(candidate);
        let twins = board.candidates().iter().filter(|other| other.strategy == candidate.strategy && is_same(other));
        let known = twins.filter_map(|twin| evaluation_on(twin, kind, set, images)).next()?;
        Some(Evaluation { seconds: 0.0, ..known.clone() })
    }

    /// What candidates are repaired by.
    pub fn full_outputs(&self, cancelled: Cancelled) -> Result<FullOutputs, SearchError> {
        self.maker.pruner.full_outputs(&self.maker.images.calibration, cancelled)
    }

    /// A candidate, repaired with all calibration images.
    pub fn repaired(&self, full: &FullOutputs, candidate: &Candidate, follow: &Follow) -> Result<Network, SearchError> {
        let (pruner, strategy) = (&self.maker.pruner, strategy_of(candidate));
        let pruned = pruner.pruned(&strategy)?;
        Ok(pruner.repair(full, &pruned, &strategy, RepairOptions::default(), follow)?.network)
    }

    /// A candidate, adapted as it was and then trained on the calibration images.
    pub fn short_tuned(&self, candidate: &Candidate, observer: &mut dyn TuneObserver) -> Result<Network, SearchError> {
        let Maker { pruner, images, .. } = &self.maker;
        let options = short_tuning(pruner.request);
        let (strategy, how) = (strategy_of(candidate), self.maker.finally(&candidate.origin.strategy));
        let adapted = self.maker.make(&strategy, how, &|| observer.cancelled())?.adapted.network;
        let validation = images.scoring.head(SHORT_VALIDATION)?;
        let images = TuneImages { train: &images.calibration, validation: &validation, test: None };
        Ok(tune(&adapted, Some(pruner.network), images, &options, None, observer)?.network)
    }

    /// The evaluation of a network, whose making began at `started`, on all images of a set.
    pub fn made_on(
        &self,
        kind: EvaluationKind,
        target: &Target,
        network: &Network,
        started: Instant,
        cancelled: Cancelled,
    ) -> Result<Evaluation, SearchError> {
        self.evaluation(kind, target, network, self.on_all(target), started, cancelled)
    }

    /// All images of a set, and all calibration images.
    fn on_all(&self, target: &Target) -> Rung {
        Rung { scoring: target.len() as u32, ..self.maker.all() }
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

    /// Scores a network whose making began at `started` on a rung's number of a set's images.
    fn evaluation(
        &self,
        kind: EvaluationKind,
        target: &Target,
        network: &Network,
        rung: Rung,
        started: Instant,
        cancelled: Cancelled,
    ) -> Result<Evaluation, SearchError> {
        let images = u64::from(rung.scoring);
        let Scored { score, hits } = self.score(network, target, images, cancelled)?;
        Ok(Evaluation {
            calibration_images: Some(u64::from(rung.calibration)),
            seconds: started.elapsed().as_secs_f64(),
            hits: Some(hits),
            ..Evaluation::new(kind, target.set, images, score)
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
        let SearchRequest { batch_size, precision, .. } = *self.maker.pruner.request;
        let precision = if target.set == ImageSet::Test { EvaluationPrecision::Float32 } else { precision };
        let passes = Passes { batch_size: batch_size as usize, precision };
        Ok(score(&fold(network)?, target.images, &labels, Some(&target.reference), passes, cancelled)?)
    }
}

/// How candidates are trained that are judged by a short training: without a change of the images, whatever they show.
fn short_tuning(request: &SearchRequest) -> TuneOptions {
    TuneOptions { epochs: Some(request.short_tune_epochs), flip: false, seed: request.seed, ..TuneOptions::default() }
}
