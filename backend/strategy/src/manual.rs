//! Strategies that the user has written down.

use crate::error::StrategyError;
use crate::proposer::{Evaluated, Proposal, Proposer, Task};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "manual",
    summary: "Evaluates the keep counts that you write down, in their order, whatever they cost: to try an idea of your own, \
              or another search's candidate with changes.",
    most: None,
    has_budget: false,
    has_fronts: false,
    preview: None,
    adaptation: None,
    propose,
};

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    if task.manual.is_empty() {
        return Err(StrategyError::NothingManual);
    }
    (0..task.manual.len()).try_for_each(|index| check(task, index))?;
    let left = task.manual.iter().skip(history.len());
    Ok(left.cloned().map(Proposal::from).collect())
}

/// Refuses counts that the network does not have, or that a group is not to fall to. Multiples of channels and the least keep
/// ratio bind proposers, not the user.
fn check(task: &Task, index: usize) -> Result<(), StrategyError> {
    let (keep, groups) = (&task.manual[index].keep, &task.prunable.groups);
    if keep.len() != groups.len() {
        return Err(StrategyError::ManualGroups { index, expected: groups.len(), found: keep.len() });
    }
    for (group, &kept) in groups.iter().zip(keep) {
        let least = group.least.clamp(1, group.size);
        if !(least..=group.size).contains(&kept) {
            let name = group.name.clone();
            return Err(StrategyError::ManualCount { index, group: name, kept, least, size: group.size });
        }
    }
    Ok(())
}
