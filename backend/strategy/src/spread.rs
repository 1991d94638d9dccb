//! Strategies of many sizes and shapes, for measuring what pruned networks have in common.

use eagleeye_graph::Strategy;
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Space};

use crate::proposer::Task;
use crate::random::draw;
use crate::uniform;

/// The parts of the multiply-adds that are kept.
const FRACTIONS: [f64; 6] = [0.8, 0.6, 0.45, 0.3, 0.2, 0.1];

/// The full network, and uniform and random strategies from large to small, each once: 13 at most. What the space does not reach
/// is left out.
pub fn spread(prunable: &PrunableSpace, space: Space, seed: u64) -> Vec<Strategy> {
    let mut found = vec![prunable.cost.full()];
    for (index, fraction) in (0..).zip(FRACTIONS) {
        let budget = Budget::macs(fraction);
        let task = Task::new(prunable, space, &budget, seed);
        let uniform = (uniform::PROPOSER.propose)(&task, &[]).into_iter().flatten().map(|proposal| proposal.strategy);
        for strategy in uniform.chain(draw(&task, index)) {
            if !found.contains(&strategy) {
                found.push(strategy);
            }
        }
    }
    found
}
