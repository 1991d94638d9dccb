//! Why no strategy can be proposed.

use eagleeye_spec::{Budget, Constraint, Measure, Space};

/// Why no strategy can be proposed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrategyError {
    #[error("the network has no channel group that can be pruned")]
    NothingToPrune,
    #[error("with {} nothing can be pruned{}", in_words(.0), less(.0))]
    NothingWithin(Space),
    #[error("round_to is {0}, but must be at least 1")]
    RoundTo(usize),
    #[error("min_keep_ratio is {0}, but must be from 0 to 1")]
    MinKeepRatio(f64),
    #[error("strategy is `{name}`, but must be one of {}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str> },
    #[error(
        "a budget of {wanted} is out of reach: with {}, between {:.4} and 1 of the {} can be kept{}",
        in_words(space), rounded_up(*smallest), wanted.measure, further(space, *smallest, *finest)
    )]
    OutOfReach {
        wanted: Constraint,
        smallest: f64,
        space: Space,
        /// What could be kept at least with `round_to` 1 and `min_keep_ratio` 0.
        finest: f64,
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

impl StrategyError {
    /// The costs whose limits cannot be met.
    pub fn measures(&self) -> Vec<Measure> {
        match self {
            Self::OutOfReach { wanted, .. } => vec![wanted.measure],
            Self::TooCoarse { wanted, .. } => wanted.constraints().iter().map(|c| c.measure).collect(),
            Self::NothingToPrune
            | Self::NothingWithin(_)
            | Self::RoundTo(_)
            | Self::MinKeepRatio(_)
            | Self::Unknown { .. } => Vec::new(),
        }
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

/// What to change about a space that does not reach far enough.
fn further(space: &Space, smallest: f64, finest: f64) -> String {
    if finest >= smallest {
        return String::new();
    }
    let changes = match space.round_to {
        None | Some(1) => "a smaller min_keep_ratio reaches",
        Some(_) => "a smaller round_to or min_keep_ratio reaches",
    };
    format!("; {changes} further, down to {:.4}", rounded_up(finest))
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
