//! Whether a proposer finds strategies for a task: asked before a search is queued, and when it begins.

use eagleeye_spec::{Errors, Score};

use crate::error::StrategyError;
use crate::proposer::{Evaluated, Proposal, Task, proposer};
use crate::reach::check;

/// Strategies that are tried before a search begins. Rounding spoils most of them, or none.
const TRIED: usize = 4;

/// Of strategies that were not evaluated.
const UNKNOWN: Score = Score {
    top1: 0.0,
    top5: 0.0,
    cross_entropy: None,
    agreement: None,
    kl: None,
    errors: Errors { cross_entropy: None, kl: None },
};

/// Whether the named proposer finds strategies for the task: the first ones that a search would evaluate meet its budget.
///
/// # Errors
/// What a search with the same settings would end with.
pub fn feasible(name: &str, task: &Task) -> Result<(), StrategyError> {
    let proposer = proposer(name)?;
    if !proposer.has_budget {
        return (proposer.propose)(task, &[]).map(drop);
    }
    check(task)?;
    if let Some(preview) = proposer.preview {
        return (0..TRIED as u64).try_for_each(|index| preview(task, index).map(drop));
    }
    let mut history: Vec<Evaluated> = Vec::new();
    while history.len() < TRIED {
        let next = (proposer.propose)(task, &history)?;
        if next.is_empty() {
            break;
        }
        history.extend(next.into_iter().map(|Proposal { strategy, is_probe }| Evaluated {
            strategy,
            is_probe,
            score: UNKNOWN,
        }));
    }
    Ok(())
}
