//! Limits of single groups, made part of a space.

use std::collections::BTreeSet;

use eagleeye_spec::GroupLimit;
use eagleeye_spec::report::{PrunableGroup, PrunableSpace};

use crate::error::StrategyError;

/// Names that a refusal suggests.
const SUGGESTED: usize = 5;

/// A space whose groups keep at least what the limits say. The exact name of a group means this group; other names and patterns
/// mean every group whose name, or one of whose layers, they match.
///
/// # Errors
/// [`StrategyError::NoSuchGroup`] where a limit matches nothing, [`StrategyError::Limit`] where it is no fraction, and
/// [`StrategyError::AllLeftAlone`] where no group is left to prune.
pub fn limited(prunable: &PrunableSpace, limits: &[GroupLimit]) -> Result<PrunableSpace, StrategyError> {
    let mut limited = prunable.clone();
    for limit in limits {
        if !(0.0..=1.0).contains(&limit.keep) {
            return Err(StrategyError::Limit { pattern: limit.group.clone(), keep: limit.keep });
        }
        let mut is_used = false;
        let is_group = prunable.groups.iter().any(|group| group.name == limit.group);
        let is_meant = |group: &PrunableGroup| {
            if is_group { group.name == limit.group } else { names(group).any(|name| limit.matches(name)) }
        };
        for group in limited.groups.iter_mut().filter(|group| is_meant(group)) {
            // Products of fractions are a little above or below what was meant.
            let least = (limit.keep * group.size as f64 - 1e-9).ceil() as usize;
            group.least = group.least.max(least);
            is_used = true;
        }
        if !is_used {
            let near = near(prunable, &limit.group);
            return Err(StrategyError::NoSuchGroup { pattern: limit.group.clone(), near });
        }
    }
    let is_alone = |group: &PrunableGroup| group.least >= group.size;
    if !limits.is_empty() && limited.groups.iter().all(is_alone) {
        return Err(StrategyError::AllLeftAlone);
    }
    Ok(limited)
}

fn names(group: &PrunableGroup) -> impl Iterator<Item = &str> {
    std::iter::once(group.name.as_str()).chain(group.layers.iter().map(String::as_str))
}

/// The names that are spelt most like a pattern, the nearest first.
fn near(prunable: &PrunableSpace, pattern: &str) -> Vec<String> {
    let known: BTreeSet<&str> = prunable.groups.iter().flat_map(names).collect();
    let asked = pattern.replace('*', "").to_lowercase();
    let mut names: Vec<(usize, &str)> =
        known.into_iter().map(|name| (strsim::damerau_levenshtein(&asked, &name.to_lowercase()), name)).collect();
    names.sort();
    names.into_iter().take(SUGGESTED).map(|(_, name)| name.to_owned()).collect()
}
