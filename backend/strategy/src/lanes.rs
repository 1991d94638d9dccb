//! A search's lanes: which strategy works under which budget.

use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, ManualStrategy, Measure, Origin, SearchRequest, StrategyName};

use eagleeye_graph::Strategy;

use crate::error::StrategyError;
use crate::feasible::feasible;
use crate::proposer::{Proposer, Task, proposer};
use crate::uniform;

/// One strategy under one budget: its proposals are a sequence of their own.
#[derive(Debug, Clone)]
pub struct Lane {
    pub proposer: &'static Proposer,
    /// Its place among the search's budgets; `None` where the strategies are for none of them.
    pub budget: Option<u32>,
    /// The limits, which are the largest ones of a front.
    limits: Budget,
    /// The smallest limits of a front.
    front: Option<Budget>,
    /// Proposals that are evaluated at most.
    pub most: u32,
    /// It is there as a reference, and nobody has asked for it: where it cannot meet the budget the search goes without it.
    is_reference: bool,
}

/// The lanes of a search, in the order in which they take turns. The uniform reference comes first under each budget.
///
/// # Errors
/// Where the request names a strategy that there is not.
pub fn lanes(request: &SearchRequest) -> Result<Vec<Lane>, StrategyError> {
    let budgets = request.budgets();
    let asked = request.strategies.iter().map(|name| proposer(&name.0)).collect::<Result<Vec<_>, _>>()?;
    let mut lanes = Vec::new();
    let is_asked = asked.iter().any(|proposer| proposer.name == uniform::PROPOSER.name);
    if request.uniform_reference && !is_asked {
        let references = under_each(&uniform::PROPOSER, &budgets, 1);
        lanes.extend(references.into_iter().map(|lane| Lane { is_reference: true, ..lane }));
    }
    for proposer in asked {
        let most = proposer.most.map_or(request.candidates, |most| most.min(request.candidates));
        if !proposer.has_budget {
            let most = request.manual.len() as u32;
            lanes.push(Lane {
                proposer,
                budget: None,
                limits: Budget(Vec::new()),
                front: None,
                most,
                is_reference: false,
            });
        } else if request.front && proposer.has_fronts {
            lanes.extend(front(&budgets).map(|(limits, least)| Lane {
                proposer,
                budget: None,
                limits,
                front: Some(least),
                most,
                is_reference: false,
            }));
        } else {
            lanes.extend(under_each(proposer, &budgets, most));
        }
    }
    Ok(lanes)
}

fn under_each(proposer: &'static Proposer, budgets: &[Budget], most: u32) -> Vec<Lane> {
    let each = (0..).zip(budgets).map(|(place, limits)| Lane {
        proposer,
        budget: Some(place),
        limits: limits.clone(),
        front: None,
        most,
        is_reference: false,
    });
    each.collect()
}

/// The largest and the smallest of the budgets, by their first limits; from one budget on, the front goes to the full network.
fn front(budgets: &[Budget]) -> Option<(Budget, Budget)> {
    let size = |budget: &&Budget| budget.constraints().first().map_or(1.0, |limit| limit.fraction);
    let least = budgets.iter().min_by(|a, b| size(a).total_cmp(&size(b)))?;
    let most = budgets.iter().max_by(|a, b| size(a).total_cmp(&size(b)))?;
    let mut largest = most.clone();
    if largest == *least {
        largest.0.iter_mut().for_each(|limit| limit.fraction = 1.0);
    }
    Some((largest, least.clone()))
}

impl Lane {
    /// Where the proposal of this number comes from.
    pub fn origin(&self, number: u32, is_probe: bool) -> Origin {
        Origin { strategy: StrategyName(self.proposer.name.to_owned()), budget: self.budget, number, is_probe }
    }

    /// Whether a candidate of this origin is one of the lane's.
    pub fn has(&self, origin: &Origin) -> bool {
        origin.strategy.0 == self.proposer.name && origin.budget == self.budget
    }

    /// The lane without limits of latency, where no network was measured yet: whether these can be met is told afterwards.
    fn as_far_as_told(&self, prunable: &PrunableSpace) -> Self {
        let told = |limits: &Budget| {
            let others = limits.without(Measure::Latency);
            let is_of_latency = !limits.constraints().is_empty() && others.constraints().is_empty();
            if is_of_latency { Budget::macs(1.0) } else { others }
        };
        match prunable.cost.is_timed() {
            true => self.clone(),
            false => Self { limits: told(&self.limits), front: self.front.as_ref().map(told), ..self.clone() },
        }
    }

    /// What its proposer is asked with.
    pub fn task<'a>(
        &'a self,
        request: &SearchRequest,
        prunable: &'a PrunableSpace,
        importance: &'a [Vec<f64>],
        manual: &'a [Strategy],
    ) -> Task<'a> {
        Task {
            prunable,
            space: request.space(),
            budget: &self.limits,
            seed: request.seed,
            evaluations: self.most,
            importance,
            manual,
            front: self.front.as_ref(),
        }
    }
}

/// The lanes that can propose something, of all of a search.
///
/// # Errors
/// What the search cannot be done for: the first fault of each lane that was asked for, with its place.
pub fn feasible_lanes(
    request: &SearchRequest,
    prunable: &PrunableSpace,
    manual: &[Strategy],
) -> Result<Vec<Lane>, Vec<StrategyError>> {
    let (mut feasible_lanes, mut faults) = (Vec::new(), Vec::new());
    for lane in lanes(request).map_err(|error| vec![error])? {
        let told = lane.as_far_as_told(prunable);
        match feasible(lane.proposer.name, &told.task(request, prunable, &[], manual)) {
            Ok(()) => feasible_lanes.push(lane),
            Err(_) if lane.is_reference => {}
            Err(fault) if faults.contains(&fault) => {}
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(feasible_lanes) } else { Err(faults) }
}

/// The strategies that the user has written down, as keep counts.
///
/// # Errors
/// [`StrategyError::Manual`] where one names a group that cannot be pruned, or keeps more or fewer units than there are.
pub fn manual_strategies(request: &SearchRequest, prunable: &PrunableSpace) -> Result<Vec<Strategy>, StrategyError> {
    (0..).zip(&request.manual).map(|(place, manual)| manual_strategy(place, manual, prunable)).collect()
}

fn manual_strategy(place: usize, manual: &ManualStrategy, prunable: &PrunableSpace) -> Result<Strategy, StrategyError> {
    let mut keep = prunable.cost.full().keep;
    for (name, &kept) in &manual.groups {
        let wrong = |reason: String| StrategyError::Manual { place, group: name.clone(), reason };
        let group = prunable.groups.iter().position(|group| group.name == *name);
        let group = group.ok_or_else(|| wrong("is no group that can be pruned".to_owned()))?;
        let size = prunable.groups[group].size;
        let wanted = "must keep from 1 to all of its units, or a fraction of them above 0";
        keep[group] = kept.units(size).ok_or_else(|| wrong(format!("has {size} units and {wanted}")))?;
    }
    Ok(Strategy { keep })
}
