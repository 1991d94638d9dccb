//! Axes, indices and sizes as a file writes them, checked.

use eagleeye_graph::reading::indices;

use super::fault::{Fault, invalid};
use super::known::MAX_RANK;

/// A size as it must be: not negative.
pub(super) fn size(value: i64, what: &str) -> Result<usize, Fault> {
    usize::try_from(value).or_else(|_| invalid(format!("{what} is negative: {value}")))
}

/// An axis as an index into a tensor of this rank; negative ones count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    Ok(indices::axis(axis, rank)?)
}

/// Several axes, ascending and each once.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    if list.len() > MAX_RANK {
        return invalid(format!("names {} axes", list.len()));
    }
    let mut axes = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, Fault>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

/// Where axes are inserted into a tensor of this rank, ascending; `list` counts in the result.
pub(super) fn new_axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    let found = axes(list, rank + list.len())?;
    if found.len() < list.len() {
        return invalid(format!("the axes {list:?} name one of them twice"));
    }
    Ok(found)
}

/// An index into an axis; negative ones count from the end.
pub(super) fn position(index: i64, size: usize) -> Result<usize, Fault> {
    Ok(indices::position(index, size)?)
}

/// First index and number of indices of a slice along an axis of `size` entries, as ONNX clamps them.
pub(super) fn bounds(start: i64, end: i64, step: i64, size: usize) -> Result<(usize, usize), Fault> {
    let length = i64::try_from(size).unwrap_or(i64::MAX);
    let from_end = |v: i64| if v < 0 { v.saturating_add(length) } else { v };
    let (start, end) = (from_end(start), from_end(end));
    let (start, reach) = match step {
        0 => return invalid("the step is 0"),
        1.. => (start.clamp(0, length), end.clamp(0, length)),
        _ => (start.clamp(0, (length - 1).max(0)), end.clamp(-1, (length - 1).max(0))),
    };
    let distance = if step > 0 { reach - start } else { start - reach };
    let count = if distance <= 0 || size == 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) as usize };
    Ok((start as usize, count))
}
