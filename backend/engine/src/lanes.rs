//! Whose turn it is to propose, and what each lane has proposed so far.

use std::collections::VecDeque;

use eagleeye_graph::{Activations, Strategy, channel_groups};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Candidate, ImageSet, LatencyModel, Origin, RANKED_KIND, Score, SearchRequest};
use eagleeye_strategy::{Evaluated, Lane, Proposal, feasible_lanes, limited, manual_strategies};

use crate::board::Board;
use crate::network::Network;
use crate::search_error::SearchError;

/// The lanes of a search.
pub struct Lanes<'a> {
    request: &'a SearchRequest,
    prunable: PrunableSpace,
    manual: Vec<Strategy>,
    lanes: Vec<Turn>,
    /// The lane that has the next turn.
    next: usize,
}

/// A lane and where it stands.
struct Turn {
    lane: Lane,
    history: Vec<Evaluated>,
    proposed: VecDeque<Proposal>,
    is_done: bool,
}

impl<'a> Lanes<'a> {
    /// # Errors
    /// Where no strategy of the request's space meets a budget, as the server says before it queues a search.
    pub fn new(
        network: &Network,
        request: &'a SearchRequest,
        latency: Option<&LatencyModel>,
    ) -> Result<Self, SearchError> {
        let groups = channel_groups(&network.graph)?;
        let mut prunable = limited(&PrunableSpace::of(&network.graph, &groups), &request.group_limits)?;
        if request.limits_latency() {
            let rates = latency.ok_or(SearchError::NoLatencyModel)?.rates();
            prunable.cost = prunable.cost.timed(Activations::new(&network.graph, &groups), rates);
        }
        let manual = manual_strategies(request, &prunable)?;
        let found = feasible_lanes(request, &prunable, &manual);
        let found =
            found.map_err(|faults| faults.into_iter().next().map_or(SearchError::NoLane, SearchError::Strategy))?;
        let turn = |lane| Turn { lane, history: Vec::new(), proposed: VecDeque::new(), is_done: false };
        Ok(Self { request, prunable, manual, lanes: found.into_iter().map(turn).collect(), next: 0 })
    }

    /// Proposals that are evaluated at most.
    pub fn most(&self) -> u32 {
        self.lanes.iter().map(|turn| turn.lane.most).sum()
    }

    /// Takes up what an earlier call has evaluated.
    pub fn take_up(&mut self, board: &Board) {
        for candidate in board.candidates() {
            self.note(candidate);
        }
    }

    /// The next proposal, if any lane has one. What it came to is to be noted before the next is asked for.
    pub fn next(&mut self, importance: &[Vec<f64>]) -> Result<Option<(Origin, Strategy)>, SearchError> {
        let count = self.lanes.len();
        for offset in 0..count {
            let place = (self.next + offset) % count;
            let turn = &mut self.lanes[place];
            let number = turn.history.len() as u32;
            if turn.is_done || number >= turn.lane.most {
                continue;
            }
            if turn.proposed.is_empty() {
                let task = turn.lane.task(self.request, &self.prunable, importance, &self.manual);
                turn.proposed.extend((turn.lane.proposer.propose)(&task, &turn.history)?);
            }
            let Some(Proposal { strategy, is_probe }) = turn.proposed.pop_front() else {
                turn.is_done = true;
                continue;
            };
            return Ok(Some((turn.lane.origin(number, is_probe), strategy)));
        }
        Ok(None)
    }

    /// Writes down how a lane's proposal did.
    pub fn note(&mut self, candidate: &Candidate) {
        let Some(place) = self.lanes.iter().position(|turn| turn.lane.has(&candidate.origin)) else { return };
        self.lanes[place].history.push(Evaluated {
            strategy: strategy_of(candidate),
            is_probe: candidate.origin.is_probe,
            score: first_score(candidate),
        });
        self.next = (place + 1) % self.lanes.len();
    }
}

/// A candidate's keep counts.
pub fn strategy_of(candidate: &Candidate) -> Strategy {
    Strategy { keep: candidate.strategy.iter().map(|&kept| kept as usize).collect() }
}

/// The score on the fewest images, which all candidates have in common.
fn first_score(candidate: &Candidate) -> Score {
    let scored = candidate.evaluations.iter().filter(|e| e.kind == RANKED_KIND && e.image_set == ImageSet::Scoring);
    scored.min_by_key(|e| e.images).map_or(Score::new(0.0, 0.0, f64::NAN), |e| e.score)
}
