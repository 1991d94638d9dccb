//! How a set of images is cut into batches.

use std::ops::Range;

/// Batches of `size` in order; a last batch of one image joins the batch before it, because the variance of one value,
/// which a 1x1 activation would ask for, does not exist.
pub fn batches(images: usize, size: usize) -> Vec<Range<usize>> {
    let size = size.max(1);
    let mut ranges: Vec<Range<usize>> = (0..images).step_by(size).map(|s| s..(s + size).min(images)).collect();
    if size > 1
        && let [.., before, last] = &mut ranges[..]
        && last.len() == 1
    {
        before.end = last.end;
        ranges.pop();
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_in_one_batch() {
        assert_eq!(batches(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(batches(8, 4), [0..4, 4..8]);
        assert_eq!(batches(3, 1), [0..1, 1..2, 2..3]);
        assert!(batches(0, 4).is_empty());
    }

    #[test]
    fn a_last_image_alone_joins_the_batch_before() {
        assert_eq!(batches(9, 4), [0..4, 4..9]);
        assert_eq!(batches(1, 4), std::iter::once(0..1).collect::<Vec<_>>());
    }
}
