//! A card is made from what is stored.

use super::input::{CardInput, CardSearch};
use super::repeat;
use super::types::{CARD_VERSION, CardCosts, CardData, CardNetwork, CardScore, CardStrategy, CardTuning, ModelCard};
use crate::budget::{Budget, Measure};
use crate::budgets::Limits;
use crate::candidate::Candidate;
use crate::evaluation::{Errors, EvaluationKind, ImageSet, Intervals, Score};
use crate::hits::Hits;
use crate::request::SearchRequest;
use crate::summary::MeasuredLatency;
use crate::warning::WarningCode;

impl ModelCard {
    /// The card of a candidate of a search, tuned or not.
    pub fn new(input: &CardInput) -> Self {
        let CardInput { search, .. } = input;
        let CardSearch { request, baseline, candidate, .. } = *search;
        let labelled = search.warnings.iter().all(|warning| warning.code != WarningCode::Unlabelled);
        Self {
            version: CARD_VERSION,
            producer: input.producer.to_owned(),
            file: input.file.clone(),
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
                labelled,
                split: search.split,
                seed: request.seed,
                preprocessing: request.preprocessing.clone(),
                class_order: request.class_order.clone(),
            }),
            adaptation: Some(search.adaptation),
            tuning: input.tuning.map(|(start, options, result)| CardTuning {
                start,
                options: options.clone(),
                epochs: result.epochs,
                training_images: result.training_images,
            }),
            scores: scores(input),
            latencies: search
                .latencies
                .iter()
                .map(|latency| MeasuredLatency { latency: latency.clone(), speedup: latency.speedup() })
                .collect(),
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
        budget: budget.map(limits),
        importance: request.importance,
        groups: candidate.groups.clone(),
    }
}

fn limits(budget: &Budget) -> Limits {
    let of = |measure| budget.limit(measure);
    Limits {
        macs: of(Measure::Macs),
        parameters: of(Measure::Parameters),
        bytes: of(Measure::Bytes),
        latency: of(Measure::Latency),
    }
}

/// The full network's, then the candidate's in the order of what was done to it.
fn scores(input: &CardInput) -> Vec<CardScore> {
    let CardSearch { baseline, split, candidate, .. } = input.search;
    let scored = baseline.hits.as_ref().map_or(split.scoring, Hits::len);
    let mut scores = vec![score(CardNetwork::Full, ImageSet::Scoring, scored, &baseline.score, baseline.intervals)];
    scores.extend(baseline.test.iter().map(|own| score(CardNetwork::Full, ImageSet::Test, split.test, own, None)));
    for kind in EvaluationKind::ALL {
        for set in ImageSet::ALL {
            let own = candidate.evaluations.iter().filter(|own| own.kind == kind && own.image_set == set);
            let Some(own) = own.max_by_key(|own| own.images) else { continue };
            scores.push(score(network(kind), set, own.images, &own.score, Some(own.intervals)));
        }
    }
    scores.sort_by_key(|score| score.network as u8);
    if let Some((_, _, result)) = input.tuning {
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
    CardScore { network, image_set, images, score: Score { errors: Errors::default(), ..*score }, intervals }
}
