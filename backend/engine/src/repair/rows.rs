//! Which rows of a layer's output it is fitted on: a row is one position of one image with all channels.

use std::ops::Range;

use eagleeye_graph::{Dim, Node, Op};
use tch::{TchError, Tensor};

/// Every so-many-th image is held back from the fit and decides about its strength.
pub(super) const HELD_BACK: usize = 8;

/// The rows of a layer's output, numbered over all axes but the channels. The batch is one of these axes, the first or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    /// Entries of the axes before the batch axis.
    outer: usize,
    /// Entries of the batch axis for one image.
    each: usize,
    /// Entries of the axes behind the batch axis.
    inner: usize,
}

impl Positions {
    /// `None` where no axis but the channels' depends on the batch.
    pub fn of(node: &Node, output: &[Dim]) -> Option<Self> {
        let channels = channel_axis(node, output.len());
        let axes: Vec<Dim> = output.iter().enumerate().filter(|(axis, _)| *axis != channels).map(|(_, d)| *d).collect();
        let batch = axes.iter().position(|dim| matches!(dim, Dim::Batch(_)))?;
        let product = |axes: &[Dim]| axes.iter().map(|dim| dim.sample()).product();
        Some(Self { outer: product(&axes[..batch]), each: axes[batch].sample(), inner: product(&axes[batch + 1..]) })
    }

    /// Rows of one image.
    pub fn per_image(&self) -> usize {
        self.outer * self.each * self.inner
    }

    /// The number of a row of a batch of `images`: the `position`-th of its image.
    fn row(&self, images: usize, image: usize, position: usize) -> usize {
        let (outer, rest) = (position / (self.each * self.inner), position % (self.each * self.inner));
        (outer * images + image) * self.each * self.inner + rest
    }

    /// Of the images `range` of a calibration set of `total`, which are one batch, the rows that a layer is fitted on, about
    /// `wanted` in the whole set: positions spread over each image, other ones in each. Where there are more images than are
    /// wanted rows, one row of some of them.
    pub fn sample(&self, range: Range<usize>, total: usize, wanted: usize) -> Rows {
        let (images, all) = (range.len(), self.per_image());
        let sampled = wanted.div_ceil(total.max(1)).clamp(1, all);
        // Images that are held back are in proportion among every so-many-th block of images.
        let step = (total / wanted.max(1)).max(1);
        let of = |held: bool| {
            let is_chosen = move |image: usize| is_held_back(image) == held && (image / HELD_BACK).is_multiple_of(step);
            let chosen = range.clone().enumerate().filter(move |(_, image)| is_chosen(*image));
            chosen.flat_map(move |(place, image)| {
                (0..sampled).map(move |number| {
                    let (start, end) = (number * all / sampled, (number + 1) * all / sampled);
                    let position = start + scatter(image as u64, number as u64) as usize % (end - start);
                    self.row(images, place, position) as i64
                })
            })
        };
        let mut index: Vec<i64> = of(false).collect();
        let fitted = index.len();
        index.extend(of(true));
        Rows { index, fitted }
    }
}

fn is_held_back(image: usize) -> bool {
    image % HELD_BACK == HELD_BACK - 1
}

/// A number that looks random and depends on the two numbers alone (SplitMix64).
fn scatter(image: u64, number: u64) -> u64 {
    let mut z = (image << 32 | number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 1
}

/// The axis of a layer's output that has its channels.
pub(super) fn channel_axis(node: &Node, rank: usize) -> usize {
    if matches!(node.op, Op::Linear { .. }) { rank - 1 } else { 1 }
}

/// Rows of one batch.
#[derive(Debug)]
pub(super) struct Rows {
    /// Their numbers, those of held-back images last.
    index: Vec<i64>,
    /// How many are not held back.
    pub fitted: usize,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Coordinates of the rows along axes of these sizes, the last axis fastest; the first one may have any size.
    pub fn coordinates(&self, sizes: &[i64], like: &Tensor) -> Result<Vec<Tensor>, TchError> {
        let mut rest = self.index.clone();
        let mut coordinates = Vec::with_capacity(sizes.len());
        for &size in sizes.iter().skip(1).rev() {
            let along: Vec<i64> = rest.iter().map(|row| row % size).collect();
            rest.iter_mut().for_each(|row| *row /= size);
            coordinates.push(Tensor::f_from_slice(&along)?.f_to_device(like.device())?);
        }
        coordinates.push(Tensor::f_from_slice(&rest)?.f_to_device(like.device())?);
        coordinates.reverse();
        Ok(coordinates)
    }

    /// These rows of a layer's output, or of a value of the same layout: `[rows, channels]`.
    pub fn of_output(&self, node: &Node, output: &Tensor) -> Result<Tensor, TchError> {
        if matches!(node.op, Op::Linear { .. }) {
            let channels = output.size().last().copied().unwrap_or(1);
            let index = Tensor::f_from_slice(&self.index)?.f_to_device(output.device())?;
            return output.f_reshape([-1, channels])?.f_index_select(0, &index);
        }
        let flat = output.f_flatten(2, -1)?.f_permute([0, 2, 1])?;
        let at = self.coordinates(&[0, flat.size()[1]], output)?;
        flat.f_index(&at.iter().map(Some).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const POSITIONS: Positions = Positions { outer: 1, each: 1, inner: 49 };

    fn sampled(images: usize, wanted: usize) -> (usize, usize) {
        let batches =
            (0..images).step_by(32).map(|start| POSITIONS.sample(start..(start + 32).min(images), images, wanted));
        batches.fold((0, 0), |(fitted, held), rows| (fitted + rows.fitted, held + rows.len() - rows.fitted))
    }

    #[test]
    fn no_row_is_sampled_twice_and_all_are_where_all_are_wanted() {
        let rows = POSITIONS.sample(0..16, 16, 16 * 49);
        assert_eq!(rows.index.iter().collect::<BTreeSet<_>>().len(), 16 * 49);
        let some = POSITIONS.sample(32..48, 64, 64 * 20);
        let distinct: BTreeSet<i64> = some.index.iter().copied().collect();
        assert_eq!((some.len(), distinct.len(), some.fitted), (16 * 20, 16 * 20, 14 * 20));
        assert!(distinct.iter().all(|&row| (0..16 * 49).contains(&row)));
    }

    #[test]
    fn an_eighth_is_held_back_and_the_number_of_rows_does_not_grow_with_the_images() {
        assert_eq!(sampled(1024, 8192), (896 * 8, 128 * 8));
        for images in [4096, 65_536] {
            let (fitted, held) = sampled(images, 2048);
            assert!((1500..=3000).contains(&(fitted + held)) && fitted == 7 * held, "{images}: {fitted} {held}");
        }
    }

    #[test]
    fn the_batch_may_be_another_axis_than_the_first() {
        let positions = Positions { outer: 3, each: 2, inner: 5 };
        let rows = positions.sample(0..8, 8, 8 * 30);
        let axes = rows.coordinates(&[3, 16, 5], &Tensor::from(0)).unwrap();
        let of_image = |at: usize| axes[1].int64_value(&[at as i64]) / 2;
        assert!((rows.fitted..rows.len()).all(|at| of_image(at) == 7));
        assert!((0..rows.fitted).all(|at| of_image(at) < 7));
    }
}
