//! The figures of networks: scores, costs, latencies, comparisons.

use std::collections::BTreeMap;

use super::input::ReportInput;
use super::types::{
    Comparison, MeasuredLatency, Passes, ReportedCandidate, ReportedCosts, ReportedNetwork, ScoredOn, Standing,
};
use crate::candidate::Candidate;
use crate::evaluation::{Errors, Evaluation, EvaluationKind, ImageSet, Intervals, Score, evaluation_of};
use crate::hits::Hits;
use crate::latency::Latency;
use crate::paired::paired;
use crate::ranking::{RANKED_IMAGES, RANKED_KIND};
use crate::warning::{Warning, WarningCode};

/// Whether scores are accuracies.
pub(crate) fn is_labelled(warnings: &[Warning]) -> bool {
    warnings.iter().all(|warning| warning.code != WarningCode::Unlabelled)
}

pub(super) fn full_network(input: &ReportInput) -> ReportedNetwork {
    let (baseline, split) = (input.baseline, input.split);
    let images = baseline.hits.as_ref().map_or(split.scoring, Hits::len);
    let on = |score: &Score, images, intervals: Option<Intervals>| ScoredOn {
        images,
        calibration_images: Some(0),
        intervals: intervals.unwrap_or_else(|| Intervals::of(score, images)),
        score: shown(score),
    };
    ReportedNetwork {
        macs: baseline.macs,
        parameters: baseline.parameters,
        bytes: baseline.bytes,
        scoring: on(&baseline.score, images, baseline.intervals),
        test: baseline.test.as_ref().map(|score| on(score, split.test, None)),
    }
}

/// A candidate beside the uniform one of its budget; `None` where it has no score to be ranked by.
pub(super) fn reported(
    input: &ReportInput,
    candidate: &Candidate,
    uniform: Option<&Candidate>,
) -> Option<ReportedCandidate> {
    let ranked = evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES)?;
    let other = |kind, set| evaluation_of(&candidate.evaluations, kind, set).map(scored_on);
    let mut latencies: Vec<&Latency> = input.latencies.get(&candidate.index).into_iter().flatten().collect();
    // The first one is the one that tables show: where a budget limits latency, that which it is about.
    if input.request.limits_latency() {
        let limited = input.request.latency_of.among(latencies.iter().copied());
        latencies.sort_by_key(|latency| limited != Some(*latency));
    }
    let full = input.baseline.hits.as_ref().filter(|_| is_labelled(input.warnings));
    Some(ReportedCandidate {
        index: candidate.index,
        strategy: candidate.origin.strategy.clone(),
        groups: candidate.groups.clone(),
        costs: costs(input, candidate),
        scoring: scored_on(ranked),
        unadapted: other(EvaluationKind::Unadapted, RANKED_IMAGES),
        test: other(RANKED_KIND, ImageSet::Test),
        repaired: other(EvaluationKind::Repaired, RANKED_IMAGES),
        repaired_test: other(EvaluationKind::Repaired, ImageSet::Test),
        short_tuned: other(EvaluationKind::ShortTuned, RANKED_IMAGES),
        short_tuned_test: other(EvaluationKind::ShortTuned, ImageSet::Test),
        latencies: latencies.into_iter().map(MeasuredLatency::from).collect(),
        against_uniform: uniform.and_then(|uniform| against(candidate, uniform, RANKED_IMAGES)),
        against_uniform_on_test: uniform.and_then(|uniform| against(candidate, uniform, ImageSet::Test)),
        against_full: ranked.hits.as_ref().zip(full).map(|(own, full)| compared(own, full, None)),
    })
}

/// What the candidate has classified correctly of the images that it is ranked by.
pub(super) fn ranked_hits(candidate: &Candidate) -> Option<&Hits> {
    hits(candidate, RANKED_IMAGES)
}

/// The images that went through the networks of these candidates.
pub(super) fn passes<'a>(input: &ReportInput, candidates: impl IntoIterator<Item = &'a Candidate>) -> Passes {
    let all_calibration = input.request.used_calibration_images() as u64;
    let all = all_calibration + input.split.scoring;
    let mut networks: BTreeMap<_, BTreeMap<u64, u64>> = BTreeMap::new();
    for candidate in candidates {
        let ranked = candidate.evaluations.iter().filter(|e| e.kind == RANKED_KIND && e.image_set == RANKED_IMAGES);
        // The same network has the same first score; the same keep counts may be adapted in two ways.
        let Some(first) = ranked.clone().min_by_key(|e| e.images) else { continue };
        let cross_entropy = first.score.cross_entropy.map(f64::to_bits);
        let network = (&candidate.strategy, first.images, first.score.top1.to_bits(), cross_entropy);
        let by_images = networks.entry(network).or_default();
        by_images.extend(ranked.map(|e| (e.images, e.calibration_images.unwrap_or(all_calibration))));
    }
    let spent = networks.values().flatten().map(|(scoring, calibration)| scoring + calibration).sum();
    let of_all = networks.len() as u64 * all;
    Passes { spent, of_all, ratio: (of_all > 0).then(|| spent as f64 / of_all as f64) }
}

/// A part of a whole; 0 where there is no whole.
pub(crate) fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn costs(input: &ReportInput, candidate: &Candidate) -> ReportedCosts {
    let full = input.baseline;
    ReportedCosts {
        macs: candidate.macs,
        parameters: candidate.parameters,
        bytes: candidate.bytes,
        macs_fraction: fraction(candidate.macs, full.macs),
        parameters_fraction: fraction(candidate.parameters, full.parameters),
        bytes_fraction: candidate.bytes.zip(full.bytes).map(|(own, full)| fraction(own, full)),
    }
}

fn against(candidate: &Candidate, uniform: &Candidate, set: ImageSet) -> Option<Comparison> {
    let (own, other) = hits(candidate, set).zip(hits(uniform, set))?;
    let comparison = compared(own, other, Some(uniform.index));
    let is_same = candidate.index == uniform.index || (candidate.strategy == uniform.strategy && comparison.is_level());
    Some(if is_same { Comparison { standing: Standing::Same, ..comparison } } else { comparison })
}

impl Comparison {
    /// Whether both were right on the same images.
    fn is_level(&self) -> bool {
        self.difference == 0.0 && self.p_value == 1.0
    }
}

fn compared(own: &Hits, other: &Hits, with: Option<u32>) -> Comparison {
    let compared = paired(own, other);
    let standing = match compared {
        _ if compared.a_is_better() => Standing::Better,
        _ if compared.b_is_better() => Standing::Below,
        _ => Standing::Tied,
    };
    Comparison {
        with,
        images: compared.images,
        difference: compared.difference(),
        interval: compared.interval(),
        p_value: compared.p_value,
        standing,
    }
}

fn hits(candidate: &Candidate, set: ImageSet) -> Option<&Hits> {
    evaluation_of(&candidate.evaluations, RANKED_KIND, set)?.hits.as_ref()
}

fn scored_on(evaluation: &Evaluation) -> ScoredOn {
    ScoredOn {
        images: evaluation.images,
        calibration_images: evaluation.calibration_images,
        score: shown(&evaluation.score),
        intervals: evaluation.intervals,
    }
}

/// The figures that an answer has.
pub(crate) fn shown(score: &Score) -> Score {
    Score { errors: Errors::default(), ..*score }
}
