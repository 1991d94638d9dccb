//! Why no strategy can be proposed.

use eagleeye_spec::{Budget, Constraint, Measure, Space};

/// Why no strategy can be proposed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrategyError {
    #[error("the network has no channel group that can be pruned")]
    NothingToPrune,
    #[error("with {} nothing can be pruned{}", in_words(.0), less(.0))]
    NothingWithin(Space),
    #[error(
        "the limits leave all channel groups alone, so that nothing can be pruned; at least one group must be free"
    )]
    AllLeftAlone,
    #[error("round_to is {0}, but must be at least 1")]
    RoundTo(usize),
    #[error("min_keep_ratio is {0}, but must be from 0 to 1")]
    MinKeepRatio(f64),
    #[error("strategy is `{name}`, but must be one of {}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str> },
    #[error("strategy {place} of `manual`: group `{group}` {reason}")]
    Manual { place: usize, group: String, reason: String },
    #[error("no channel group and no layer is called `{pattern}`{}", near_names(near))]
    NoSuchGroup {
        /// The name or pattern that was asked for.
        pattern: String,
        /// Names of groups and layers that are spelt like it, the nearest first.
        near: Vec<String>,
    },
    #[error("the limit of `{pattern}` is {keep}, but must be from 0 to 1")]
    Limit { pattern: String, keep: f64 },
    #[error("strategy `manual` evaluates the strategies that the request lists, and it lists none")]
    NothingManual,
    #[error(
        "manual strategy {index} has keep counts for {found} groups, but {expected} groups of the network can be pruned"
    )]
    ManualGroups { index: usize, expected: usize, found: usize },
    #[error(
        "manual strategy {index} keeps {kept} of the {size} units of `{group}`, but must keep from {least} to {size}"
    )]
    ManualCount { index: usize, group: String, kept: usize, least: usize, size: usize },
    #[error(
        "{} out of reach: with {}, {} can be kept{}",
        wanted(unmet), in_words(space), ranges(unmet), further(space, unmet, *limited)
    )]
    OutOfReach {
        /// Each limit that cannot be met.
        unmet: Vec<Unmet>,
        space: Space,
        /// Whether single groups are held to a least number of units.
        limited: bool,
    },
    #[error(
        "no strategy with {} comes within 1% of a budget of {wanted}{}{}",
        in_words(space), instead(nearest), if space.round_to == Some(1) { "" } else { "; a smaller round_to reaches more" }
    )]
    TooCoarse {
        wanted: Budget,
        /// The nearest budgets that can be met, the smaller one first: what a strategy below and one above keep of each cost
        /// that the budget limits.
        nearest: Vec<Vec<Constraint>>,
        space: Space,
    },
}

/// A limit that no strategy of a space meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unmet {
    pub wanted: Constraint,
    /// The fraction of the cost that is kept at least.
    pub smallest: f64,
    /// What could be kept at least with `round_to` 1 and `min_keep_ratio` 0.
    pub finest: f64,
}

impl StrategyError {
    /// The costs whose limits cannot be met.
    pub fn measures(&self) -> Vec<Measure> {
        let mut measures: Vec<Measure> = match self {
            Self::OutOfReach { unmet, .. } => unmet.iter().map(|limit| limit.wanted.measure).collect(),
            Self::TooCoarse { wanted, .. } => wanted.constraints().iter().map(|c| c.measure).collect(),
            Self::NothingToPrune
            | Self::NothingWithin(_)
            | Self::AllLeftAlone
            | Self::RoundTo(_)
            | Self::MinKeepRatio(_)
            | Self::Unknown { .. }
            | Self::NoSuchGroup { .. }
            | Self::Limit { .. }
            | Self::NothingManual
            | Self::Manual { .. }
            | Self::ManualGroups { .. }
            | Self::ManualCount { .. } => Vec::new(),
        };
        measures.dedup();
        measures
    }
}

fn in_words(space: &Space) -> String {
    let ratio = format!("min_keep_ratio {}", space.min_keep_ratio);
    match space.round_to {
        Some(multiple) => format!("round_to {multiple} and {ratio}"),
        None => ratio,
    }
}

/// What to change about a space that leaves nothing to prune.
fn less(space: &Space) -> &'static str {
    match space.round_to {
        Some(2..) => "; a smaller round_to or min_keep_ratio leaves more within reach",
        _ => "; a smaller min_keep_ratio leaves more within reach",
    }
}

fn near_names(near: &[String]) -> String {
    let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { String::new() } else { format!("; names like it are {}", quoted.join(", ")) }
}

fn wanted(unmet: &[Unmet]) -> String {
    let each: Vec<String> = unmet.iter().map(|limit| limit.wanted.to_string()).collect();
    match &each[..] {
        [one] => format!("a budget of {one} is"),
        several => format!("budgets of {} are", several.join(" and ")),
    }
}

/// One for each cost: two budgets of a front may limit the same.
fn by_measure(unmet: &[Unmet]) -> Vec<&Unmet> {
    let is_first = |(position, limit): &(usize, &Unmet)| {
        !unmet[..*position].iter().any(|earlier| earlier.wanted.measure == limit.wanted.measure)
    };
    unmet.iter().enumerate().filter(is_first).map(|(_, limit)| limit).collect()
}

/// What can be kept of the costs that are out of reach.
fn ranges(unmet: &[Unmet]) -> String {
    let range = |limit: &&Unmet| {
        let (smallest, measure) = (rounded_up(limit.smallest), limit.wanted.measure);
        if smallest >= 1.0 {
            format!("nothing less than all of the {measure}")
        } else {
            format!("between {smallest:.4} and 1 of the {measure}")
        }
    };
    by_measure(unmet).iter().map(range).collect::<Vec<_>>().join(" and ")
}

/// What to change about a space that does not reach far enough.
fn further(space: &Space, unmet: &[Unmet], limited: bool) -> String {
    let further: Vec<_> = by_measure(unmet).into_iter().filter(|limit| limit.finest < limit.smallest).collect();
    if further.is_empty() {
        return if limited { "; lower limits for single groups reach further".to_owned() } else { String::new() };
    }
    let changes = match space.round_to {
        None | Some(1) => "a smaller min_keep_ratio reaches",
        Some(_) => "a smaller round_to or min_keep_ratio reaches",
    };
    let several = further.len() > 1;
    let down_to = further.iter().map(|limit| {
        let of = if several { format!(" of the {}", limit.wanted.measure) } else { String::new() };
        format!("{:.4}{of}", rounded_up(limit.finest))
    });
    format!("; {changes} further, down to {}", down_to.collect::<Vec<_>>().join(" and "))
}

/// The budgets that can be met instead.
fn instead(nearest: &[Vec<Constraint>]) -> String {
    let budget = |kept: &Vec<Constraint>| {
        let each = kept.iter().map(|kept| format!("{:.4} of the {}", rounded_up(kept.fraction), kept.measure));
        each.collect::<Vec<_>>().join(" and ")
    };
    match &nearest.iter().map(budget).collect::<Vec<_>>()[..] {
        [] => String::new(),
        [one] => format!("; the nearest budget within reach is {one}"),
        several => format!("; the nearest budgets within reach are {}", several.join(", or ")),
    }
}

/// To the four places that are printed, so that what is read there can be asked for.
fn rounded_up(fraction: f64) -> f64 {
    (fraction * 1e4).ceil() / 1e4
}
