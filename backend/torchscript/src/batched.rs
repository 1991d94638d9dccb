//! Constants whose size follows the batch, as `zeros(x.shape[0], 1, h, w)`.
//!
//! What the code does with one is computed for batches of two sizes. Where it then meets an activation, the axis whose size
//! differs is the batch: the entries must be the same for every image, and those of one image become the constant of the graph.

use eagleeye_graph::{Dim, Shape};
use tch::Tensor;

use super::fault::{Lowered, unsupported};

/// The sizes of the batch that such constants are computed for. Halves and quarters of them, and their remainders, differ too.
pub(super) const SAMPLES: [i64; 2] = [2, 5];

/// The entries of a tensor that are the same for both batches.
pub(super) fn same(samples: &[Tensor; 2]) -> Option<Tensor> {
    let [few, many] = samples;
    (few.size() == many.size() && equal(few, many)).then(|| few.shallow_clone())
}

/// The shape with the batch in it.
pub(super) fn shape(samples: &[Tensor; 2]) -> Lowered<Shape> {
    let (few, many) = (samples[0].size(), samples[1].size());
    if few.len() != many.len() {
        return unsupported("makes a constant tensor whose rank depends on the batch size");
    }
    few.iter().zip(&many).map(|(&few, &many)| dim(few, many)).collect()
}

/// The size of an axis that has these sizes for the two batches.
fn dim(few: i64, many: i64) -> Lowered<Dim> {
    let per_image = few / SAMPLES[0];
    match usize::try_from(few) {
        Ok(size) if few == many => Ok(Dim::Fixed(size)),
        Ok(_) if per_image * SAMPLES[0] == few && per_image * SAMPLES[1] == many => Ok(Dim::Batch(per_image as usize)),
        _ => unsupported("makes a constant tensor with an axis that is not a multiple of the batch size"),
    }
}

/// A constant of which each image has the same part.
#[derive(Debug)]
pub(super) struct OneImage {
    /// The part of one image; the axis of the batch has as many entries as one image has.
    pub entries: Tensor,
    /// The axis of the batch and its entries for each image, where there is one.
    pub batch: Option<(usize, usize)>,
}

/// Takes a constant apart into the same part for each image.
pub(super) fn one_image(samples: &[Tensor; 2]) -> Lowered<OneImage> {
    let shape = shape(samples)?;
    let axes: Vec<(usize, usize)> = shape
        .iter()
        .enumerate()
        .filter_map(|(axis, dim)| if let Dim::Batch(per_image) = dim { Some((axis, *per_image)) } else { None })
        .collect();
    match axes[..] {
        [] => match same(samples) {
            Some(entries) => Ok(OneImage { entries, batch: None }),
            None => unsupported("makes a constant tensor whose entries depend on the batch size"),
        },
        [(axis, per_image)] => {
            let [few, many] = samples.each_ref().map(|sample| first_of_equals(sample, axis, per_image));
            let (few, many) = (few?, many?);
            match few.zip(many) {
                Some((few, many)) if equal(&few, &many) => {
                    Ok(OneImage { entries: few, batch: Some((axis, per_image)) })
                }
                _ => unsupported("makes a constant tensor that is not the same for every image of the batch"),
            }
        }
        _ => unsupported("makes a constant tensor in which more than one axis depends on the batch size"),
    }
}

/// The part of the first image, where all images have the same.
fn first_of_equals(sample: &Tensor, axis: usize, per_image: usize) -> Lowered<Option<Tensor>> {
    let axis = axis as i64;
    let images = sample.f_unflatten(axis, [-1, per_image as i64])?;
    let first = images.f_narrow(axis, 0, 1)?;
    let all = images.f_eq_tensor(&first)?.f_all()?;
    Ok(if all.f_int64_value(&[])? == 1 { Some(first.f_squeeze_dim(axis)?) } else { None })
}

fn equal(a: &Tensor, b: &Tensor) -> bool {
    a.f_equal(b).unwrap_or(false)
}
