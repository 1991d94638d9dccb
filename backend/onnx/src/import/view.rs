//! The shape that a reshape makes, and where the batch is in it.
//!
//! Exporters that were given one batch write it into the file as a number. It is found again by its place in the order of the
//! entries, which a view does not change.

use eagleeye_graph::count::in_words;
use eagleeye_graph::reading::shapes;
use eagleeye_graph::{Count, Dim, Shape};

use super::fault::{Fault, invalid, unsupported};

/// A tensor that is viewed in another shape.
pub(super) struct Viewed<'s> {
    pub shape: &'s Shape,
    /// What stands before the batch on its own axis: see [`before_batch`].
    pub before_batch: usize,
    /// The batch that the exporter wrote into the file, where it wrote a number.
    pub written_batch: Option<usize>,
}

/// The shape that a reshape makes: 0 keeps the input's size, unless it is allowed as a size; -1 takes what is left.
pub(super) fn target_shape(viewed: &Viewed, target: &[Count], allow_zero: bool) -> Result<Shape, Fault> {
    let from = viewed.shape;
    let mut sizes = target.to_vec();
    for (axis, size) in sizes.iter_mut().enumerate().filter(|(_, s)| **s == Count::fixed(0) && !allow_zero) {
        *size = match from.get(axis) {
            Some(dim) => Count::of(*dim),
            None => return invalid(format!("keeps axis {axis} of a tensor of rank {}", from.len())),
        };
    }
    match (viewed.written_batch, Place::of(from, viewed.before_batch)) {
        (Some(written), Some(place)) if sizes.iter().all(|s| s.known().is_some()) => {
            place.find(&completed(sizes, from, Some(written as i64))?, written)
        }
        _ => shape_from(&completed(sizes, from, None)?),
    }
}

/// Replaces -1 by what is left, for one batch where `at` says so.
fn completed(mut sizes: Vec<Count>, from: &Shape, at: Option<i64>) -> Result<Vec<Count>, Fault> {
    let wildcard = sizes.iter().position(|s| *s == Count::fixed(-1));
    let size = |dim: &Dim| match at {
        Some(batch) => Count::of(*dim).at(batch).map(Count::fixed),
        None => Some(Count::of(*dim)),
    };
    let total = from.iter().try_fold(Count::fixed(1), |all, dim| all.multiply(size(dim)?));
    let others = sizes.iter().enumerate().filter(|(axis, _)| Some(*axis) != wildcard);
    let given = others.map(|(_, size)| *size).try_fold(Count::fixed(1), Count::multiply);
    let (Some(total), Some(given)) = (total, given) else {
        return unsupported("makes a shape that is not linear in the batch");
    };
    let rest = match wildcard {
        Some(_) => total.truncated_divide(given).filter(|rest| rest.multiply(given) == Some(total)),
        None => (total == given).then_some(Count::fixed(1)),
    };
    let Some(rest) = rest else {
        return invalid(format!("cannot view {} as {}", in_words(from), in_words(&sizes)));
    };
    if let Some(axis) = wildcard {
        sizes[axis] = rest;
    }
    Ok(sizes)
}

/// Where the batch is in the order of the entries.
struct Place {
    /// Number of entries in front of it: the product of the sizes before, and of what stands before it on its own axis.
    before: usize,
    /// The size right behind it.
    behind: usize,
}

impl Place {
    /// `None` for a tensor that does not depend on the batch. `inside` is what stands before the batch on its own axis.
    fn of(shape: &Shape, inside: usize) -> Option<Self> {
        let axis = shape.iter().position(|d| matches!(d, Dim::Batch(_)))?;
        let before = shape[..axis].iter().map(|d| d.sample()).product::<usize>().saturating_mul(inside);
        let behind = match shape[axis].sample() / inside.max(1) {
            0 | 1 => shape.get(axis + 1).map_or(1, |d| d.sample()),
            rest => rest,
        };
        Some(Self { before, behind })
    }

    /// The shape of these sizes with the batch where it belongs.
    fn find(&self, sizes: &[Count], written: usize) -> Result<Shape, Fault> {
        let sizes = sizes.iter().map(|s| s.known().and_then(|s| usize::try_from(s).ok())).collect::<Option<Vec<_>>>();
        let Some(sizes) = sizes else {
            return invalid("has a negative size");
        };
        let axis = if written == 1 { self.axis_of_one(&sizes) } else { self.axis(&sizes) };
        let mut shape: Shape = sizes.iter().map(|&s| Dim::Fixed(s)).collect();
        match axis {
            Some(axis) if written > 0 && sizes[axis].is_multiple_of(written) => {
                shape[axis] = Dim::Batch(sizes[axis] / written);
                Ok(shape)
            }
            _ => unsupported(format!("a shape with a fixed batch of {written}; export with a dynamic batch size")),
        }
    }

    /// The axis whose entries are the batch's.
    fn axis(&self, sizes: &[usize]) -> Option<usize> {
        let mut axes = starts(sizes).zip(sizes);
        axes.position(|(start, &size)| start <= self.before && self.before < start.saturating_mul(size))
    }

    /// A batch of one leaves no trace in the order of the entries: it lies between those before and those behind it. It has
    /// an axis of its own, or goes with the first part of an axis behind it that was split (heads), else with the axis before.
    fn axis_of_one(&self, sizes: &[usize]) -> Option<usize> {
        match starts(sizes).position(|start| start == self.before) {
            Some(axis) if axis > 0 && sizes[axis] != 1 && sizes[axis] >= self.behind => Some(axis - 1),
            Some(axis) => Some(axis),
            None => self.axis(sizes).or(sizes.len().checked_sub(1)),
        }
    }
}

/// How many entries stand before the batch on its own axis after a view of `from` as `to`, where `inside` stood there.
pub(super) fn before_batch(from: &Shape, inside: usize, to: &Shape) -> usize {
    let axis = to.iter().position(|d| matches!(d, Dim::Batch(_)));
    let (Some(place), Some(axis)) = (Place::of(from, inside), axis) else {
        return 1;
    };
    let start = to[..axis].iter().map(|d| d.sample()).product::<usize>();
    if start > 0 && place.before.is_multiple_of(start) { (place.before / start).max(1) } else { 1 }
}

/// Sizes as a shape.
pub(super) fn shape_from(counts: &[Count]) -> Result<Shape, Fault> {
    Ok(shapes::from_counts(counts)?)
}

/// Number of entries in front of each axis: the product of the sizes before it.
fn starts(sizes: &[usize]) -> impl Iterator<Item = usize> {
    sizes.iter().scan(1usize, |start, &size| {
        let this = *start;
        *start = start.saturating_mul(size);
        Some(this)
    })
}
