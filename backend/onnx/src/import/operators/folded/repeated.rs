//! Tensors that are the same for each image: masks and position tables that the network makes with the batch's size.
//!
//! What an operator makes of them is found by running it for a batch of two and of three images. If every image gets the same in
//! both, it does for any batch.

use std::rc::Rc;

use eagleeye_graph::Count;

use super::{Fold, inputs};
use crate::import::call::{Call, Lowered, PerImage, Value};
use crate::import::fault::{Fault, unsupported};
use crate::import::known::{Entries, Known, size_of};
use crate::import::lowering::Lowering;

/// Whether a node makes or uses tensors whose shape depends on the batch.
pub(super) fn depends_on_batch(lo: &mut Lowering, call: &Call) -> bool {
    let sizes = match call.operator {
        _ if call.inputs.iter().any(|v| matches!(v, Value::PerImage(_))) => return true,
        "ConstantOfShape" => 0,
        "Expand" | "Tile" => 1,
        _ => return false,
    };
    lo.known(call, sizes).and_then(|sizes| sizes.counts()).is_ok_and(|c| c.iter().any(|c| c.known().is_none()))
}

pub(super) fn evaluate(lo: &mut Lowering, call: &Call, fold: Fold) -> Lowered {
    let (two, three) = (run(lo, call, fold, 2)?, run(lo, call, fold, 3)?);
    let outputs = two.iter().zip(&three).map(|pair| match pair {
        (Value::Known(two), Value::Known(three)) if two == three => Ok(Value::Known(Rc::clone(two))),
        (Value::Known(two), Value::Known(three)) => match (first_of(two, 2), first_of(three, 3)) {
            (Some(each), Some(other)) if each == other => {
                Ok(Value::PerImage(PerImage { stride: 0, each: Rc::new(each) }))
            }
            _ => unsupported("makes a constant that is not the same for every image"),
        },
        _ => unsupported("makes a constant that is not the same for every image"),
    });
    outputs.collect()
}

/// Runs the node for a batch of this size.
fn run(lo: &mut Lowering, call: &Call, fold: Fold, batch: usize) -> Lowered {
    let mut sized = call.clone();
    for index in 0..sized.inputs.len() {
        let known = match &sized.inputs[index] {
            Value::PerImage(PerImage { stride: 0, each }) => repeated(lo, each, batch)?,
            Value::PerImage(_) => return unsupported("on image indices"),
            Value::Absent => continue,
            _ => at(&*lo.known(call, index)?, batch)?,
        };
        sized.inputs[index] = Value::Known(Rc::new(known));
    }
    let inputs = inputs(lo, &sized)?;
    fold(lo, &sized, &inputs)
}

fn repeated(lo: &mut Lowering, each: &Known, batch: usize) -> Lowered<Known> {
    let mut shape = each.shape.clone();
    if let Some(first) = shape.first_mut() {
        *first = batch;
    }
    lo.charge(size_of(&shape)?)?;
    let places: Vec<usize> = (0..batch).flat_map(|_| 0..each.len()).collect();
    Ok(each.take(shape, &places))
}

/// Sizes for a batch.
fn at(known: &Known, batch: usize) -> Lowered<Known> {
    let Entries::Int(counts) = &known.entries else {
        return Ok(known.clone());
    };
    let sized = counts.iter().map(|c| c.at(batch as i64).map(Count::fixed)).collect::<Option<Vec<_>>>();
    let sized = sized.ok_or_else(|| Fault::Invalid("a size that is too large".into()))?;
    Known::ints(known.shape.clone(), sized).in_type(known.whole_type)
}

/// The entries of the first image, where all images have the same.
fn first_of(known: &Known, batch: usize) -> Option<Known> {
    let each = known.len() / batch;
    if known.shape.first() != Some(&batch) {
        return None;
    }
    let mut shape = known.shape.clone();
    shape[0] = 1;
    let image = |index: usize| known.take(shape.clone(), &(index * each..(index + 1) * each).collect::<Vec<_>>());
    let first = image(0);
    (1..batch).all(|index| image(index) == first).then_some(first)
}
