//! Which candidates of a search a study compares.

use std::collections::HashSet;

use eagleeye_spec::Candidate;

/// The strategy that every other one is judged against.
pub(crate) const UNIFORM: &str = "uniform";

/// Of each budget the uniform candidate and others, evenly from the first proposal to the last, `most` altogether, in the order of
/// the search. Probes and candidates without a budget are left out, and of several that keep the same all but the first.
pub fn members(candidates: &[Candidate], most: usize) -> Vec<&Candidate> {
    let mut seen = HashSet::new();
    let compared =
        candidates.iter().filter(|candidate| candidate.origin.budget.is_some() && !candidate.origin.is_probe);
    let distinct: Vec<&Candidate> =
        compared.filter(|candidate| seen.insert((candidate.origin.budget, &candidate.strategy))).collect();
    let mut budgets: Vec<_> = distinct.iter().map(|candidate| candidate.origin.budget).collect();
    budgets.sort_unstable();
    budgets.dedup();
    let mut chosen: Vec<&Candidate> = Vec::new();
    for budget in budgets {
        let own = distinct.iter().copied().filter(|candidate| candidate.origin.budget == budget);
        let (uniform, others): (Vec<&Candidate>, Vec<_>) = own.partition(|c| c.origin.strategy.0 == UNIFORM);
        let places = spread(others.len(), most.saturating_sub(uniform.len()));
        chosen.extend(uniform);
        chosen.extend(places.into_iter().map(|place| others[place]));
    }
    chosen.sort_by_key(|candidate| candidate.index);
    chosen
}

/// So many places of a list at most, evenly from its first to its last.
fn spread(of: usize, most: usize) -> Vec<usize> {
    if of <= most { (0..of).collect() } else { (0..most).map(|place| place * (of - 1) / (most - 1).max(1)).collect() }
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::{Origin, StrategyName};

    use super::*;

    fn candidate(index: u32, strategy: &str, budget: Option<u32>, kept: u32) -> Candidate {
        let strategy_name = StrategyName(strategy.to_owned());
        Candidate {
            index,
            origin: Origin { strategy: strategy_name, budget, number: index, is_probe: strategy == "probe" },
            strategy: vec![kept],
            groups: Vec::new(),
            macs: 1,
            parameters: 1,
            bytes: None,
            evaluations: Vec::new(),
            seconds: 0.0,
        }
    }

    fn indices(chosen: &[&Candidate]) -> Vec<u32> {
        chosen.iter().map(|candidate| candidate.index).collect()
    }

    #[test]
    fn each_budget_has_its_uniform_candidate_and_others_from_the_first_to_the_last() {
        let of = |index: u32, budget| candidate(index, if index % 20 == 7 { UNIFORM } else { "random" }, budget, index);
        let all: Vec<Candidate> = (0..40).map(|index| of(index, Some(index / 20))).collect();
        assert_eq!(indices(&members(&all, 5)), [0, 6, 7, 13, 19, 20, 26, 27, 33, 39]);
        assert_eq!(members(&all, 20).len(), 40);
        assert_eq!(members(&all, usize::MAX).len(), 40);
    }

    #[test]
    fn probes_and_what_is_the_same_network_are_left_out() {
        let all = [
            candidate(0, "probe", Some(0), 1),
            candidate(1, "random", Some(0), 2),
            candidate(2, "random", Some(0), 2),
            candidate(3, "random", None, 3),
            candidate(4, "random", Some(1), 2),
        ];
        assert_eq!(indices(&members(&all, 24)), [1, 4]);
        assert_eq!(members(&[], 24).len(), 0);
    }

    #[test]
    fn places_are_spread_each_once() {
        for (of, most) in [(0, 3), (1, 1), (7, 1), (7, 2), (100, 23), (24, 23), (2000, 199)] {
            let places = spread(of, most);
            assert_eq!(places.len(), of.min(most));
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
            assert!(most < 2 || places.last().copied() == of.checked_sub(1), "{places:?}");
        }
    }
}
