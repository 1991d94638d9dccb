//! Proposers: who says which strategies a search evaluates next.
//!
//! A proposer is a pure function of the task and of what has been evaluated, in order of index: a search that is taken up again
//! replays it, and proposes to the last count what it would have proposed without the interruption.

use eagleeye_graph::Strategy;
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Adaptation, Budget, DEFAULT_CANDIDATES, Score, SearchRequest, Space, StrategyName};

use crate::PROPOSERS;
use crate::error::StrategyError;

/// What strategies are proposed for.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    pub prunable: &'a PrunableSpace,
    pub space: Space,
    pub budget: &'a Budget,
    /// Everything random derives from it.
    pub seed: u64,
    /// Strategies that are evaluated at most, probes included.
    pub evaluations: u32,
    /// How important each unit of each prunable group is, larger is more; empty where the weights are not at hand.
    pub importance: &'a [Vec<f64>],
    /// Strategies that the user has written down.
    pub manual: &'a [Strategy],
    /// The smallest budget of a front: strategies lie anywhere between it and `budget`. `None`: they lie on `budget`.
    pub front: Option<&'a Budget>,
}

impl<'a> Task<'a> {
    /// A task on one budget, for proposers that need nothing but costs.
    pub fn new(prunable: &'a PrunableSpace, space: Space, budget: &'a Budget, seed: u64) -> Self {
        Self {
            prunable,
            space,
            budget,
            seed,
            evaluations: DEFAULT_CANDIDATES,
            importance: &[],
            manual: &[],
            front: None,
        }
    }
}

/// What a proposer asks to have evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub strategy: Strategy,
    /// Evaluated for what it says about other strategies; it need not meet the budget and cannot win.
    pub is_probe: bool,
}

impl From<Strategy> for Proposal {
    fn from(strategy: Strategy) -> Self {
        Self { strategy, is_probe: false }
    }
}

/// A proposal of before, and how it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    pub strategy: Strategy,
    pub is_probe: bool,
    /// The score of its first evaluation, which all proposals of a search have on the same images.
    pub score: Score,
}

/// A strategy of a number, for a task.
pub type Preview = fn(&Task, u64) -> Result<Strategy, StrategyError>;

/// A way to choose strategies.
#[derive(Debug)]
pub struct Proposer {
    /// What requests call it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The most strategies that it has to propose; `None`: as many as are asked for.
    pub most: Option<u32>,
    /// Whether its strategies are made for a budget. Those that the user has written down cost what they cost.
    pub has_budget: bool,
    /// Whether it can look for a front: strategies anywhere between two budgets.
    pub has_fronts: bool,
    /// Strategy `index` of those that are tried instead of its first proposals to tell whether the budget can be met: where its
    /// proposals begin with probes, or take long.
    pub preview: Option<Preview>,
    /// How its candidates' running statistics are computed, where it is not for the request to say.
    pub adaptation: Option<fn() -> Adaptation>,
    /// The next strategies, given all that were evaluated before; none when there is nothing left to propose.
    pub propose: fn(&Task, &[Evaluated]) -> Result<Vec<Proposal>, StrategyError>,
}

/// How the running statistics of a strategy's candidates are computed: as the request says, unless the strategy has a way of its
/// own.
pub fn adaptation_of(request: &SearchRequest, strategy: &StrategyName) -> Adaptation {
    let own = proposer(&strategy.0).ok().and_then(|proposer| proposer.adaptation);
    own.map_or(request.adaptation, |adaptation| adaptation())
}

/// The proposer of a name.
pub fn proposer(name: &str) -> Result<&'static Proposer, StrategyError> {
    let known = || PROPOSERS.iter().map(|proposer| proposer.name).collect();
    let found = PROPOSERS.iter().copied().find(|proposer| proposer.name == name);
    found.ok_or_else(|| StrategyError::Unknown { name: name.to_owned(), known: known() })
}
