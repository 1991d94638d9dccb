//! What a search has to say beside its scores: found in the full network's answers, in single candidates and in the winners.

use eagleeye_spec::confusion::{accuracy_under, answers_of};
use eagleeye_spec::warning::{AgainstUniform, Moment, against_uniform, few_calibration_images, few_scoring_images};
use eagleeye_spec::{
    Baseline, Candidate, Hits, RANKED_IMAGES, RANKED_KIND, Score, SearchRequest, Warning, best_assignment,
    best_permutation_gain, class_order_is_suspect, evaluation_of, one_answer,
};

use crate::batches::batches;
use crate::board::Board;
use crate::doubt::{self, Labels};

/// What the full network's answers say, before the first candidate. `labels` and `full`, its score, may be of a sample of the
/// request's scoring images; classes have `names`, as many as are known.
pub fn before(labels: &Labels, request: &SearchRequest, full: &Score, names: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (top1, scoring) = (full.top1, u64::from(request.scoring_images));
    if !labels.are_given {
        warnings.push(Warning::unlabelled(scoring));
    }
    if doubt::full_network(labels, full).is_err() {
        warnings.push(Warning::near_chance(top1, labels.images, labels.classes));
    }
    let confusion = &labels.confusion;
    let labelled: Vec<u64> = confusion.iter().map(|row| row.iter().sum()).collect();
    if let Some(answer) = one_answer(&answers_of(confusion), &labelled) {
        warnings.push(Warning::one_answer(answer, names.get(answer.class).map(String::as_str)));
    }
    if labels.are_given && class_order_is_suspect(confusion) {
        let assignment = best_assignment(confusion);
        let (current, _) = best_permutation_gain(confusion);
        let best = accuracy_under(confusion, &assignment);
        let moved = assignment.iter().enumerate().filter(|&(label, &answer)| label != answer).count() as u64;
        warnings.push(Warning::class_order_suspect(current, best, labels.images, moved, confusion.len() as u64));
    }
    if few_scoring_images(top1, scoring) {
        warnings.push(Warning::few_scoring_images(top1, scoring));
    }
    let calibration = request.used_calibration_images();
    let count = batches(calibration, request.batch_size as usize).len() as u64;
    if few_calibration_images(calibration as u64, count) {
        warnings.push(Warning::few_calibration_images(calibration as u64, count));
    }
    warnings
}

/// A candidate that is above the full network by more than the noise, on the images that it was scored on.
pub fn above_full(labels: &Labels, baseline: &Baseline, candidate: &Candidate) -> Option<Warning> {
    let (score, images) = doubt::scored(candidate)?;
    let full = doubt::full_on(baseline, images);
    let is_above = labels.are_given && doubt::not_above(full, score.top1, images).is_err();
    is_above.then(|| Warning::above_full_network(full, score.top1, images).found(Moment::During))
}

/// How the winner of each budget does against the uniform strategy.
pub fn after(board: &Board, request: &SearchRequest) -> Vec<Warning> {
    let budgets = request.budgets();
    let mut warnings = Vec::new();
    for (budget, candidates) in board.by_budget() {
        let Some(budget) = budget.and_then(|place| budgets.get(place as usize)) else { continue };
        let uniform = candidates.iter().copied().find(|candidate| candidate.origin.strategy.0 == UNIFORM);
        let Some((winner, uniform)) = Board::best(candidates.iter().copied()).zip(uniform) else { continue };
        if winner.strategy == uniform.strategy {
            continue;
        }
        let Some((winner, uniform)) = hits(winner).zip(hits(uniform)) else { continue };
        let warning = match against_uniform(winner, uniform) {
            AgainstUniform::Better => continue,
            AgainstUniform::Tied => Warning::winner_ties_with_uniform(winner, uniform),
            AgainstUniform::Below => Warning::winner_below_uniform(winner, uniform),
        };
        let message = if budgets.len() > 1 { format!("At {budget}: {}", warning.message) } else { warning.message };
        warnings.push(Warning { message, ..warning });
    }
    warnings
}

/// The strategy that every other is judged against.
const UNIFORM: &str = "uniform";

fn hits(candidate: &Candidate) -> Option<&Hits> {
    evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES)?.hits.as_ref()
}
