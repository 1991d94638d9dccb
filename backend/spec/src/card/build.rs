//! A card is made from what is stored.

use super::input::{CardInput, CardSearch};
use super::repeat;
use super::types::{
    CARD_VERSION, CardCosts, CardData, CardNetwork, CardScore, CardStrategy, CardTuning, CardWeights, ModelCard,
};
use crate::adaptation::Adaptation;
use crate::budgets::Limits;
use crate::candidate::Candidate;
use crate::candidate_weights::CandidateWeights;
use crate::evaluation::{EvaluationKind, ImageSet, Intervals, Score, evaluation_of};
use crate::hits::Hits;
use crate::request::SearchRequest;
use crate::summary::MeasuredLatency;
use crate::summary::candidates::{is_labelled, shown};

impl ModelCard {
    /// The card of a candidate of a search, tuned or not.
    pub fn new(input: &CardInput) -> Self {
        let CardInput { search, .. } = input;
        let CardSearch { request, baseline, candidate, .. } = *search;
        Self {
            version: CARD_VERSION,
            producer: input.producer.to_owned(),
            file: Some(input.file.clone()),
            source: input.source.clone(),
            weights: input.weights,
            strategy: strategy(request, candidate),
            full: CardCosts { macs: baseline.macs, parameters: baseline.parameters, bytes: baseline.bytes },
            pruned: CardCosts { macs: candidate.macs, parameters: candidate.parameters, bytes: candidate.bytes },
            data: Some(CardData {
                name: search.dataset.to_owned(),
                hash: search.images_hash.to_owned(),
                labels_hash: search.labels_hash.map(str::to_owned),
                images: search.images,
                labelled: is_labelled(search.warnings),
                split: search.split,
                seed: request.seed,
                preprocessing: request.preprocessing.clone(),
                class_order: request.class_order.clone(),
            }),
            adaptation: adaptation(input),
            tuning: input.tuning.map(|(options, result)| CardTuning {
                options: options.clone(),
                epochs: result.epochs,
                training_images: result.training_images,
            }),
            scores: scores(input),
            latencies: search.latencies.iter().map(MeasuredLatency::from).collect(),
            warnings: search.warnings.to_vec(),
            repeat: repeat::of_candidate(input),
        }
    }
}

fn strategy(request: &SearchRequest, candidate: &Candidate) -> CardStrategy {
    let budgets = request.budgets();
    let budget = candidate.origin.budget.and_then(|place| budgets.get(place as usize));
    CardStrategy {
        name: candidate.origin.strategy.clone(),
        index: u64::from(candidate.index),
        seed: request.seed,
        budget: budget.map(Limits::of),
        importance: request.importance,
        groups: candidate.groups.clone(),
    }
}

/// What the running statistics are, or what training began with. A repair has a way of its own.
fn adaptation(input: &CardInput) -> Option<Adaptation> {
    let begins_adapted = input.tuning.is_some_and(|(options, _)| options.start == CandidateWeights::Adapted);
    let is_adapted = input.weights == CardWeights::Adapted || begins_adapted;
    is_adapted.then_some(input.search.adaptation)
}

/// The full network's, then the candidate's in the order of what was done to it.
fn scores(input: &CardInput) -> Vec<CardScore> {
    let CardSearch { baseline, split, candidate, .. } = input.search;
    let scored = baseline.hits.as_ref().map_or(split.scoring, Hits::len);
    let mut scores = vec![score(CardNetwork::Full, ImageSet::Scoring, scored, &baseline.score, baseline.intervals)];
    scores.extend(baseline.test.iter().map(|own| score(CardNetwork::Full, ImageSet::Test, split.test, own, None)));
    for kind in EvaluationKind::ALL {
        for set in ImageSet::ALL {
            let Some(own) = evaluation_of(&candidate.evaluations, kind, set) else { continue };
            scores.push(score(network(kind), set, own.images, &own.score, Some(own.intervals)));
        }
    }
    scores.sort_by_key(|score| score.network as u8);
    if let Some((_, result)) = input.tuning {
        let on = |set, images, own: &Score| score(CardNetwork::Tuned, set, images, own, None);
        scores.push(on(ImageSet::Scoring, result.validation_images, &result.validation));
        scores.extend(result.test.iter().map(|own| on(ImageSet::Test, result.test_images, own)));
    }
    scores
}

fn network(kind: EvaluationKind) -> CardNetwork {
    match kind {
        EvaluationKind::Adapted => CardNetwork::Adapted,
        EvaluationKind::Unadapted => CardNetwork::Unadapted,
        EvaluationKind::Repaired => CardNetwork::Repaired,
        EvaluationKind::ShortTuned => CardNetwork::ShortTuned,
    }
}

fn score(
    network: CardNetwork,
    image_set: ImageSet,
    images: u64,
    score: &Score,
    intervals: Option<Intervals>,
) -> CardScore {
    let intervals = intervals.unwrap_or_else(|| Intervals::of(score, images));
    CardScore { network, image_set, images, score: shown(score), intervals }
}
