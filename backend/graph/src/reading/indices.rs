//! Axes and indices as files write them: negative ones count from the end.

use super::Refusal;

/// An axis as an index into the shape of a tensor of this rank.
///
/// # Errors
/// An axis outside of `-rank..rank`.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let outside = || Refusal::Invalid(format!("axis {axis} is out of range for a tensor of rank {rank}"));
    from_start(axis, rank).ok_or_else(outside)
}

/// An index into an axis of `size` entries, counted from its start.
///
/// # Errors
/// An index outside of `-size..size`.
pub fn position(index: i64, size: usize) -> Result<usize, Refusal> {
    let outside = || Refusal::Invalid(format!("index {index} is out of range for an axis of {size}"));
    from_start(index, size).ok_or_else(outside)
}

fn from_start(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(i64::try_from(length).ok()?)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_ones_count_from_the_end() {
        assert_eq!([0, 3, -1, -4].map(|given| axis(given, 4).unwrap()), [0, 3, 3, 0]);
        assert_eq!([0, -5].map(|given| position(given, 5).unwrap()), [0, 0]);
        for outside in [4, -5, i64::MIN, i64::MAX] {
            assert!(matches!(axis(outside, 4), Err(Refusal::Invalid(_))), "{outside}");
        }
        let Err(Refusal::Invalid(reason)) = position(0, 0) else { panic!("an axis without entries has no index") };
        assert_eq!(reason, "index 0 is out of range for an axis of 0");
    }
}
