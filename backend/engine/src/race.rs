//! The race: the better candidates are evaluated again on more images, rung by rung (successive halving).

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_spec::racing::{Round, rounds};
use eagleeye_spec::{Candidate, Ranked, Rung, StrategyName};

use crate::board::Board;
use crate::judge::{Judge, Judged};
use crate::observer::{Observer, Phase};
use crate::search_error::{SearchError, stop_or_go};

/// Evaluates under each budget the better candidates of each rung on the next one. The best of each strategy always goes on, so
/// that strategies are compared on all images.
pub fn race(judge: &Judge, board: &mut Board, observer: &mut dyn Observer) -> Result<(), SearchError> {
    let rungs = judge.rungs();
    if rungs.len() > 1 {
        // Those that an earlier version has evaluated on other sets of images take part like all others.
        let images = u64::from(rungs[0].scoring);
        let is_missing = |c: &&Candidate| !c.origin.is_probe && Board::ranked_on(c, images).is_none();
        let missing: Vec<u32> = board.candidates().iter().filter(is_missing).map(|c| c.index).collect();
        let total = missing.len() as u64;
        for (done, index) in (0..).zip(missing) {
            observer.phase(Phase::Race, done, total);
            again(judge, board, index, rungs[0], observer)?;
        }
    }
    for place in 1..rungs.len() {
        let rung = rungs[place];
        let chosen = chosen(board, place, &rungs);
        let total = chosen.len() as u64;
        for (done, index) in (0..).zip(chosen) {
            observer.phase(Phase::Race, done, total);
            again(judge, board, index, rung, observer)?;
        }
        observer.phase(Phase::Race, total, total);
    }
    Ok(())
}

/// Evaluates a candidate on a rung, if it has not been.
fn again(
    judge: &Judge,
    board: &mut Board,
    index: u32,
    rung: Rung,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    if let Some(Judged { found: evaluation, recipe }) = judge.again(board, index, rung, &|| observer.cancelled())? {
        board.add(index, evaluation.clone());
        stop_or_go(observer.evaluation(index, evaluation))?;
        give(recipe, index, board, observer)?;
    }
    Ok(())
}

/// Indices of the candidates that go on to the rung at `place`, the best first under each budget.
fn chosen(board: &Board, place: usize, rungs: &[Rung]) -> Vec<u32> {
    let mut chosen = Vec::new();
    for (budget, candidates) in board.by_budget() {
        let round = rounds(candidates.len(), rungs).into_iter().find(|round| round.to == place);
        let Some(Round { from, candidates: count, .. }) = round else { continue };
        let images = u64::from(rungs[from].scoring);
        let of_all = ranked(&candidates, images);
        let mut going: BTreeSet<u32> = match budget {
            Some(_) => of_all.iter().take(count).map(|ranked| ranked.index).collect(),
            // Those that cost different things are compared with both in view.
            None => front(&candidates, images, count),
        };
        going.extend(best_of_each(&candidates, images).into_values());
        chosen.extend(of_all.iter().map(|ranked| ranked.index).filter(|index| going.contains(index)));
    }
    chosen
}

/// Those that have been evaluated on so many images, best first.
fn ranked(candidates: &[&Candidate], images: u64) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = candidates.iter().filter_map(|c| Board::ranked_on(c, images)).collect();
    ranked.sort_by(Ranked::best_first);
    ranked
}

/// The best of each strategy.
fn best_of_each(candidates: &[&Candidate], images: u64) -> BTreeMap<StrategyName, u32> {
    let mut by_strategy: BTreeMap<StrategyName, Vec<&Candidate>> = BTreeMap::new();
    for &candidate in candidates {
        by_strategy.entry(candidate.origin.strategy.clone()).or_default().push(candidate);
    }
    let best = by_strategy
        .into_iter()
        .filter_map(|(strategy, candidates)| Some((strategy, ranked(&candidates, images).first()?.index)));
    best.collect()
}

/// Candidates of which none is both cheaper and better, and then those behind them, up to `count`; the first front goes whole.
fn front(candidates: &[&Candidate], images: u64, count: usize) -> BTreeSet<u32> {
    let mut open: Vec<(u32, u64, f64)> =
        candidates.iter().filter_map(|c| Some((c.index, c.macs, Board::ranked_on(c, images)?.score.top1))).collect();
    let mut going = BTreeSet::new();
    while !open.is_empty() && (going.is_empty() || going.len() < count) {
        let beats = |a: &(u32, u64, f64), b: &(u32, u64, f64)| {
            a.1 <= b.1 && a.2 >= b.2 && (a.1 < b.1 || a.2 > b.2 || a.0 < b.0)
        };
        let first: BTreeSet<u32> = open
            .iter()
            .filter(|one| !open.iter().any(|other| other.0 != one.0 && beats(other, one)))
            .map(|c| c.0)
            .collect();
        open.retain(|one| !first.contains(&one.0));
        going.extend(first);
    }
    going
}

/// Of each budget, candidates whose recipes are given. Who is asked for later is nearly always among them.
const RECIPES: usize = 16;

/// Gives a candidate's recipe, where it is among the best so far. Whoever is among the best in the end is so when it is evaluated.
pub fn give(
    recipe: Option<Vec<u8>>,
    index: u32,
    board: &mut Board,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    match recipe {
        Some(recipe) if leading(board, RECIPES).contains(&index) => {
            board.keep_recipe(index, recipe.clone());
            stop_or_go(observer.recipe(index, recipe))
        }
        _ => Ok(()),
    }
}

/// How many of a budget's candidates are its leaders.
const LEADERS: usize = 5;

/// Indices of the candidates at the top of each budget's leaderboard, in order of index.
pub fn leaders(board: &Board) -> Vec<u32> {
    leading(board, LEADERS)
}

/// Indices of the best so many candidates of each budget, in order of index.
pub fn leading(board: &Board, count: usize) -> Vec<u32> {
    let mut leading: BTreeSet<u32> = BTreeSet::new();
    for candidates in board.by_budget().into_values() {
        let mut ranked: Vec<Ranked> = candidates.iter().filter_map(|candidate| candidate.ranked()).collect();
        ranked.sort_by(Ranked::best_first);
        leading.extend(ranked.iter().take(count).map(|ranked| ranked.index));
    }
    leading.into_iter().collect()
}

/// Indices of the best candidate of each strategy under each budget, and of the best of each budget, in order of index.
pub fn finalists(board: &Board) -> Vec<u32> {
    let mut finalists = BTreeSet::new();
    for candidates in board.by_budget().into_values() {
        let mut strategies: BTreeSet<&StrategyName> = BTreeSet::new();
        strategies.extend(candidates.iter().map(|candidate| &candidate.origin.strategy));
        for strategy in strategies {
            let of_strategy = candidates.iter().copied().filter(|candidate| candidate.origin.strategy == *strategy);
            finalists.extend(Board::best(of_strategy).map(|best| best.index));
        }
    }
    finalists.into_iter().collect()
}
