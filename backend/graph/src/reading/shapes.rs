//! Input shapes: as metadata states them, as they are guessed, and as the graph has them.

use super::Refusal;
use crate::count::Count;
use crate::shape::{Dim, Shape};

/// Image sizes to try where none is known.
const SIDES: [usize; 12] = [224, 32, 64, 28, 96, 128, 160, 192, 256, 299, 384, 512];
/// The same for images of one channel.
const GREY_SIDES: [usize; 4] = [28, 32, 64, 224];

/// Shapes of images with these channels that a network may have been made for, each for a batch of one, usual ones first.
pub fn usual_images(channels: usize) -> Vec<Vec<usize>> {
    let sides: &[usize] = if channels == 1 { &GREY_SIDES } else { &SIDES };
    sides.iter().map(|&side| vec![1, channels, side, side]).collect()
}

/// `1,3,224,224`, several inputs separated by semicolons; `None` where the text is anything else.
pub fn parse(text: &str) -> Option<Vec<Vec<usize>>> {
    let shape = |part: &str| part.split(',').map(|size| size.trim().parse().ok()).collect::<Option<Vec<_>>>();
    text.split(';').map(shape).collect()
}

/// The shape of an input with its first axis as the batch; `None` without a further axis or with an axis of no entries.
pub fn batched(sizes: &[usize]) -> Option<Shape> {
    match sizes {
        [_, rest @ ..] if !rest.is_empty() && !sizes.contains(&0) => {
            Some([Dim::Batch(1)].into_iter().chain(rest.iter().map(|&size| Dim::Fixed(size))).collect())
        }
        _ => None,
    }
}

/// Computed sizes as a shape.
///
/// # Errors
/// A size that no axis can have for every batch.
pub fn from_counts(counts: &[Count]) -> Result<Shape, Refusal> {
    let dim = |count: &Count| {
        let reason = || format!("makes an axis of size {} * batch + {}", count.per_image, count.fixed);
        count.dim().ok_or_else(|| Refusal::Unsupported(reason()))
    };
    counts.iter().map(dim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stated_shapes_are_read_and_others_are_none() {
        assert_eq!(parse("1,3, 8,8;1,4"), Some(vec![vec![1, 3, 8, 8], vec![1, 4]]));
        assert_eq!([parse(""), parse("1,x"), parse("1,-3")], [None, None, None]);
    }

    #[test]
    fn the_first_axis_is_the_batch() {
        assert_eq!(batched(&[7, 3, 8]), Some(vec![Dim::Batch(1), Dim::Fixed(3), Dim::Fixed(8)]));
        assert_eq!([batched(&[1]), batched(&[]), batched(&[1, 0]), batched(&[0, 3])], [None, None, None, None]);
    }

    #[test]
    fn grey_images_are_small_first() {
        assert_eq!(
            (usual_images(1)[0].clone(), usual_images(3)[0].clone()),
            (vec![1, 1, 28, 28], vec![1, 3, 224, 224])
        );
    }

    #[test]
    fn sizes_must_be_those_of_an_axis() {
        assert_eq!(from_counts(&[Count::BATCH, Count::fixed(3)]).unwrap(), [Dim::Batch(1), Dim::Fixed(3)]);
        assert!(matches!(from_counts(&[Count { per_image: 1, fixed: 1 }]), Err(Refusal::Unsupported(_))));
    }
}
