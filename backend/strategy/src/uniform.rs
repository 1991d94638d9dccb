//! One keep ratio for all channel groups: the reference that every other strategy has to beat.

use crate::error::StrategyError;
use crate::landing::land;
use crate::proposer::{Evaluated, Proposal, Proposer, Task};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "uniform",
    summary: "Keeps the same fraction of every channel group, as far as multiples of channels allow it: a single candidate, \
              which other strategies can be measured against.",
    most: Some(1),
    has_budget: true,
    has_fronts: false,
    preview: None,
    adaptation: None,
    propose,
};

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    if history.is_empty() { Ok(vec![land(task, 1, |groups| vec![1.0; groups])?.into()]) } else { Ok(Vec::new()) }
}
