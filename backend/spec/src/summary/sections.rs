//! What was found under each budget.

use std::collections::BTreeMap;

use super::candidates::{fraction, passes, ranked_hits, reported};
use super::input::ReportInput;
use super::types::{FrontPoint, ImageCount, ReportSection, ReportedStrategy, Ties};
use super::words::listed;
use crate::budget::{Budget, Measure};
use crate::budgets::Limits;
use crate::candidate::Candidate;
use crate::evaluation::evaluation_of;
use crate::paired::tied;
use crate::ranking::{RANKED_IMAGES, RANKED_KIND, Ranked};
use crate::request::StrategyName;

/// The strategy that every other is judged against.
const UNIFORM: &str = "uniform";

/// Indices of ties that are listed.
const LISTED: usize = 20;

/// A section for each budget of the search, and one for what is for none where there is any.
pub(super) fn sections(input: &ReportInput) -> Vec<ReportSection> {
    let budgets = input.request.budgets();
    let mut by_budget: BTreeMap<Option<u32>, Vec<&Candidate>> = BTreeMap::new();
    by_budget.extend((0..).zip(&budgets).map(|(place, _)| (Some(place), Vec::new())));
    for candidate in input.candidates {
        by_budget.entry(candidate.origin.budget).or_default().push(candidate);
    }
    let without = by_budget.remove(&None).unwrap_or_default();
    let mut sections: Vec<ReportSection> = by_budget
        .into_iter()
        .filter_map(|(place, candidates)| {
            let place = place?;
            Some(section(input, Some(place), budgets.get(place as usize), &candidates))
        })
        .collect();
    let is_asked = input.request.front || !input.request.manual.is_empty();
    if is_asked || without.iter().any(|candidate| !candidate.origin.is_probe) {
        sections.push(section(input, None, None, &without));
    }
    sections
}

fn section(
    input: &ReportInput,
    place: Option<u32>,
    budget: Option<&Budget>,
    candidates: &[&Candidate],
) -> ReportSection {
    let entrants = entrants(candidates.iter().copied());
    // Strategies that cost different things have no one uniform strategy to be judged against.
    let uniform = place.and_then(|_| entrants.iter().find(|(_, candidate)| candidate.origin.strategy.0 == UNIFORM));
    let uniform = uniform.map(|(_, candidate)| *candidate);
    let is_front = place.is_none() && input.request.front;
    ReportSection {
        budget: place,
        limits: budget.map(Limits::of),
        title: title(input, place, budget),
        winner: entrants.first().and_then(|(_, winner)| reported(input, winner, uniform)),
        strategies: strategies(input, &entrants, uniform),
        ties: ties(&entrants),
        evaluated: entrants.len() as u32,
        probes: candidates.iter().filter(|candidate| candidate.origin.is_probe).count() as u32,
        scored_on: scored_on(&entrants),
        passes: passes(input, candidates.iter().copied()),
        front: is_front.then(|| front(input, &self::entrants(input.candidates))),
        sentences: Vec::new(),
    }
}

fn title(input: &ReportInput, place: Option<u32>, budget: Option<&Budget>) -> String {
    match (budget, place) {
        (Some(budget), _) => budget.in_words(),
        (None, Some(place)) => format!("Budget {place}"),
        (None, None) => {
            let own = (!input.request.manual.is_empty()).then_some("strategies of your own");
            let front = input.request.front.then_some("the front");
            let parts: Vec<String> = own.into_iter().chain(front).map(str::to_owned).collect();
            if parts.is_empty() { "no budget".to_owned() } else { listed(&parts) }
        }
    }
}

/// The best of each strategy, best first.
fn strategies(
    input: &ReportInput,
    entrants: &[(Ranked, &Candidate)],
    uniform: Option<&Candidate>,
) -> Vec<ReportedStrategy> {
    let mut found: Vec<ReportedStrategy> = Vec::new();
    for (_, candidate) in entrants {
        let strategy: &StrategyName = &candidate.origin.strategy;
        match found.iter_mut().find(|known| known.strategy == *strategy) {
            Some(known) => known.evaluated += 1,
            None => found.extend(reported(input, candidate, uniform).map(|best| ReportedStrategy {
                strategy: strategy.clone(),
                evaluated: 1,
                best,
            })),
        }
    }
    found
}

fn ties(entrants: &[(Ranked, &Candidate)]) -> Ties {
    let Some(((winner, candidate), others)) = entrants.split_first() else { return Ties::default() };
    let Some(hits) = ranked_hits(candidate) else { return Ties::default() };
    let is_tied = |candidate: &Candidate| ranked_hits(candidate).is_some_and(|own| tied(hits, own));
    let level: Vec<&Ranked> =
        others.iter().filter(|(_, candidate)| is_tied(candidate)).map(|(ranked, _)| ranked).collect();
    Ties {
        count: level.len() as u32,
        on_fewer_images: level.iter().filter(|ranked| ranked.images < winner.images).count() as u32,
        indices: level.iter().take(LISTED).map(|ranked| ranked.index).collect(),
    }
}

fn scored_on(entrants: &[(Ranked, &Candidate)]) -> Vec<ImageCount> {
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for (ranked, _) in entrants {
        *counts.entry(ranked.images).or_default() += 1;
    }
    counts.into_iter().rev().map(|(images, candidates)| ImageCount { images, candidates }).collect()
}

/// Those that may win, the best first.
fn entrants<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> Vec<(Ranked, &'a Candidate)> {
    let may_win = candidates.into_iter().filter(|candidate| !candidate.origin.is_probe);
    let mut entrants: Vec<(Ranked, &Candidate)> =
        may_win.filter_map(|candidate| Some((candidate.ranked()?, candidate))).collect();
    entrants.sort_by(|(a, _), (b, _)| a.best_first(b));
    entrants
}

/// Of those that were scored on the most images: scores on different images are no front.
fn front(input: &ReportInput, entrants: &[(Ranked, &Candidate)]) -> Vec<FrontPoint> {
    let most = entrants.first().map_or(0, |(ranked, _)| ranked.images);
    let measure = input.request.budgets().first().and_then(|budget| Some(budget.constraints().first()?.measure));
    // Files have no size in searches of older versions, and not every candidate is measured.
    let is_known = |measure: &Measure| match measure {
        Measure::Bytes => input.baseline.bytes.is_some(),
        Measure::Latency => false,
        Measure::Macs | Measure::Parameters => true,
    };
    let measure = measure.filter(is_known).unwrap_or(Measure::Macs);
    let cost = |candidate: &Candidate| match measure {
        Measure::Parameters => candidate.parameters,
        Measure::Bytes => candidate.bytes.unwrap_or(u64::MAX),
        _ => candidate.macs,
    };
    let full = match measure {
        Measure::Parameters => input.baseline.parameters,
        Measure::Bytes => input.baseline.bytes.unwrap_or_default(),
        _ => input.baseline.macs,
    };
    let mut compared: Vec<&(Ranked, &Candidate)> =
        entrants.iter().filter(|(ranked, _)| ranked.images == most).collect();
    compared.sort_by(|(a, x), (b, y)| cost(x).cmp(&cost(y)).then_with(|| a.best_first(b)));
    let mut points: Vec<FrontPoint> = Vec::new();
    for (ranked, candidate) in compared {
        let Some(evaluation) = evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES) else { continue };
        if points.last().is_none_or(|before| before.top1 < ranked.score.top1) {
            points.push(FrontPoint {
                index: candidate.index,
                strategy: candidate.origin.strategy.clone(),
                measure,
                cost: cost(candidate),
                fraction: fraction(cost(candidate), full),
                top1: ranked.score.top1,
                interval: evaluation.intervals.top1,
                images: ranked.images,
            });
        }
    }
    points
}
