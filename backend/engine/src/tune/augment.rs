//! A batch of training images, varied as the epoch's order says.

use std::ops::Range;

use tch::{Kind, TchError, Tensor};

use super::order::{Crop, Order};
use crate::pictures::Batches;

/// Of libtorch's `grid_sampler`.
const BILINEAR: i64 = 0;
const TO_THE_EDGE: i64 = 1;

/// Images of `range` of an epoch's order, of all `images`, `[n, C, H, W]`: cut, mirrored and shifted, channels last in memory. What
/// is missing at an edge is mirrored from the image.
pub(super) fn batch(images: &dyn Batches, order: &Order, range: Range<usize>) -> Result<Tensor, TchError> {
    let mut batch = images.chosen(&order.images[range.clone()])?;
    let device = batch.device();
    if !order.crops.is_empty() {
        batch = cut(&batch, &order.crops[range.clone()])?;
    }
    if !order.flips.is_empty() {
        let flips = Tensor::f_from_slice(&order.flips[range.clone()])?.f_to_device(device)?;
        batch = batch.f_flip([3i64])?.f_where_self(&flips.f_view([-1i64, 1, 1, 1])?, &batch)?;
    }
    if !order.shifts.is_empty() {
        let (rows, columns): (Vec<i64>, Vec<i64>) = order.shifts[range].iter().copied().unzip();
        batch = shifted(&shifted(&batch, 2, &rows)?, 3, &columns)?;
    }
    channels_last(&batch)
}

/// The classes of these images.
pub(super) fn labels(labels: &Tensor, order: &Order, range: Range<usize>) -> Result<Tensor, TchError> {
    labels.f_index_select(0, &Tensor::f_from_slice(&order.images[range])?.f_to_device(labels.device())?)
}

/// A rectangle of each image, enlarged to the image's size by bilinear interpolation between the middles of pixels.
fn cut(batch: &Tensor, crops: &[Crop]) -> Result<Tensor, TchError> {
    // From -1 to 1 over the result to the same over the image.
    let axis = |start: f64, length: f64| (length as f32, (2.0 * start + length - 1.0) as f32);
    let maps = crops.iter().flat_map(|crop| {
        let ((width, x), (height, y)) = (axis(crop.left, crop.width), axis(crop.top, crop.height));
        [width, 0.0, x, 0.0, height, y]
    });
    let maps = Tensor::f_from_slice(&maps.collect::<Vec<f32>>())?.f_view([-1i64, 2, 3])?;
    let maps = maps.f_to_device(batch.device())?.f_to_kind(batch.f_kind()?)?;
    let places = Tensor::f_affine_grid_generator(&maps, &batch.size()[..], false)?;
    batch.f_grid_sampler(&places, BILINEAR, TO_THE_EDGE, false)
}

/// Each image shifted along an axis by its own number of pixels.
fn shifted(batch: &Tensor, axis: i64, by: &[i64]) -> Result<Tensor, TchError> {
    let (sizes, device) = (batch.size(), batch.device());
    let length = sizes[axis as usize];
    let by = Tensor::f_from_slice(by)?.f_to_device(device)?.f_view([-1i64, 1])?;
    let places = Tensor::f_arange(length, (Kind::Int64, device))?.f_view([1i64, -1])?.f_add(&by)?;
    // Beyond an edge the image is mirrored about its outermost pixels.
    let before = places.f_abs()?;
    let behind = before.f_neg()?.f_add_scalar(2 * (length - 1))?;
    let places = before.f_minimum(&behind)?.f_clamp(0, length - 1)?;
    let mut shape = [sizes[0], 1, 1, 1];
    shape[axis as usize] = length;
    batch.f_gather(axis, &places.f_view(shape)?.f_expand(&sizes[..], false)?, false)
}

/// The same images with the channels of a pixel beside each other in memory, as libtorch's kernels for the CPU are faster with.
pub(super) fn channels_last(images: &Tensor) -> Result<Tensor, TchError> {
    if images.dim() != 4 {
        return Ok(images.shallow_clone());
    }
    images.f_permute([0i64, 2, 3, 1])?.f_contiguous()?.f_permute([0i64, 3, 1, 2])
}

/// `share` of each image and the rest of its neighbour in the batch, or the same of other tensors with an image a row.
pub(super) fn blended(rows: &Tensor, share: f64) -> Result<Tensor, TchError> {
    rows.f_mul_scalar(share)?.f_add(&neighbours(rows)?.f_mul_scalar(1.0 - share)?)
}

/// For each row the one before it; for the first, the last.
pub(super) fn neighbours(rows: &Tensor) -> Result<Tensor, TchError> {
    rows.f_roll(1i64, 0i64)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn numbered() -> Tensor {
        Tensor::arange(2 * 3 * 4, (Kind::Float, Device::Cpu)).reshape([2, 1, 3, 4])
    }

    fn order(flips: &[bool], shifts: &[(i64, i64)]) -> Order {
        let (flips, shifts) = (flips.to_vec(), shifts.to_vec());
        Order { images: vec![1, 0], flips, shifts, crops: Vec::new(), shares: Vec::new() }
    }

    fn cropped(crops: &[Crop]) -> Order {
        Order { crops: crops.to_vec(), ..order(&[], &[]) }
    }

    const WHOLE: Crop = Crop { top: 0.0, left: 0.0, height: 1.0, width: 1.0 };

    fn rows(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.contiguous().flatten(0, -1)).unwrap()
    }

    #[test]
    fn images_come_in_the_order_of_the_epoch_and_are_mirrored_one_by_one() {
        let found = batch(&numbered(), &order(&[true, false], &[]), 0..2).unwrap();
        assert_eq!(rows(&found.get(0))[..4], [15.0, 14.0, 13.0, 12.0]);
        assert_eq!(rows(&found.get(1))[..4], [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(rows(&batch(&numbered(), &order(&[], &[]), 1..2).unwrap())[..4], [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn shifted_images_are_mirrored_at_their_edges() {
        let found = batch(&numbered(), &order(&[], &[(1, 0), (0, -2)]), 0..2).unwrap();
        assert_eq!(rows(&found.get(0)), [16., 17., 18., 19., 20., 21., 22., 23., 16., 17., 18., 19.]);
        assert_eq!(rows(&found.get(1))[..4], [2.0, 1.0, 0.0, 1.0]);
        let far = batch(&numbered(), &order(&[], &[(9, 9), (-9, -9)]), 0..2).unwrap();
        assert!(rows(&far).iter().all(|pixel| (0.0..24.0).contains(pixel)), "further than the image is large");
    }

    #[test]
    fn a_rectangle_is_enlarged_to_the_whole_image() {
        let left = Crop { width: 0.5, ..WHOLE };
        let found = batch(&numbered(), &cropped(&[left, WHOLE]), 0..2).unwrap();
        let close = |found: Tensor, wanted: &[f32]| {
            let found = rows(&found);
            assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-4), "{found:?}");
        };
        close(found.get(1), &rows(&numbered().get(0)));
        // Two columns become four; at its edge an image goes on as it ends.
        close(found.get(0), &[12.0, 12.25, 12.75, 13.25, 16.0, 16.25, 16.75, 17.25]);
        let one = batch(&numbered(), &cropped(&[WHOLE, left]), 1..2).unwrap();
        let both = batch(&numbered(), &cropped(&[WHOLE, left]), 0..2).unwrap();
        assert_eq!(rows(&both.narrow(0, 1, 1)), rows(&one), "in every batch alike");
    }

    #[test]
    fn a_place_has_the_same_image_in_every_batch() {
        let (images, order) = (numbered(), order(&[true, true], &[(1, 1), (-1, 0)]));
        let both = batch(&images, &order, 0..2).unwrap();
        assert_eq!(rows(&both.narrow(0, 1, 1)), rows(&batch(&images, &order, 1..2).unwrap()));
    }

    #[test]
    fn channels_lie_beside_each_other() {
        let images = Tensor::arange(2 * 3 * 2 * 2, (Kind::Float, Device::Cpu)).reshape([2, 3, 2, 2]);
        let found = channels_last(&images).unwrap();
        assert_eq!((found.stride(), rows(&found)), (vec![12, 1, 6, 3], rows(&images)));
    }

    #[test]
    fn blended_rows_have_a_share_of_their_neighbour() {
        let rows = Tensor::from_slice(&[0.0f32, 10.0, 20.0]).view([3, 1]);
        let found = Vec::<f32>::try_from(blended(&rows, 0.75).unwrap().flatten(0, -1)).unwrap();
        assert_eq!(found, [5.0, 7.5, 17.5]);
    }
}
