//! Label tensors: which channel each entry of a value belongs to.

use ndarray::{Array1, ArrayD, Axis, ErrorKind, IxDyn, ShapeError, Slice, concatenate};

/// One label per entry of a value, for a batch of one.
///
/// Labels hardly ever vary along more than one axis, so an axis along which they do not is stored with size 1: the labels of
/// a `[1, 2048, 7, 7]` activation are 2,048 numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    shape: Vec<usize>,
    /// Same rank as `shape`; every axis is as long as there, or 1.
    entries: ArrayD<u32>,
}

fn misfit() -> ShapeError {
    ShapeError::from_kind(ErrorKind::IncompatibleShape)
}

impl Labels {
    /// The same label everywhere.
    pub fn uniform(shape: Vec<usize>, label: u32) -> Self {
        let entries = ArrayD::from_elem(IxDyn(&vec![1; shape.len()]), label);
        Self { shape, entries }
    }

    /// Labels that vary along one axis; `labels` is as long as that axis.
    pub fn along(shape: Vec<usize>, axis: usize, labels: Vec<u32>) -> Self {
        let mut entries = Array1::from(labels).into_dyn();
        for _ in 0..axis {
            entries = entries.insert_axis(Axis(0));
        }
        for _ in axis + 1..shape.len() {
            let last = entries.ndim();
            entries = entries.insert_axis(Axis(last));
        }
        Self { shape, entries }.compact()
    }

    /// Labels given entry by entry, in row-major order.
    pub fn dense(shape: Vec<usize>, labels: Vec<u32>) -> Result<Self, ShapeError> {
        let entries = ArrayD::from_shape_vec(IxDyn(&shape), labels)?;
        Ok(Self { shape, entries }.compact())
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of stored labels.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.entries.iter().copied()
    }

    /// Axes along which labels vary.
    pub fn varying(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|&axis| self.entries.shape()[axis] > 1).collect()
    }

    /// The labels along an axis, at the first position of all others.
    pub fn vector(&self, axis: usize) -> Vec<u32> {
        let mut lane = self.entries.view();
        for other in (0..self.shape.len()).filter(|&other| other != axis) {
            lane.slice_axis_inplace(Axis(other), Slice::from(0..1));
        }
        let stored: Vec<u32> = lane.iter().copied().collect();
        if stored.len() == self.shape[axis] { stored } else { vec![stored[0]; self.shape[axis]] }
    }

    /// Every label replaced.
    pub fn map(&self, mut f: impl FnMut(u32) -> u32) -> Self {
        Self { shape: self.shape.clone(), entries: self.entries.map(|&label| f(label)) }.compact()
    }

    /// The same labels on a shape that differs only along axes where they do not vary.
    pub fn resized(&self, shape: Vec<usize>) -> Self {
        Self { shape, entries: self.entries.clone() }
    }

    /// Without the given axes, along which labels must not vary.
    pub fn without_axes(&self, axes: &[usize]) -> Self {
        let mut result = self.clone();
        for axis in axes.iter().copied().rev() {
            result.shape.remove(axis);
            result.entries.index_axis_inplace(Axis(axis), 0);
        }
        result
    }

    /// Broadcast to a shape of the same or a higher rank, aligned at the last axis.
    pub fn expand(&self, shape: Vec<usize>) -> Self {
        let mut entries = self.entries.clone();
        while entries.ndim() < shape.len() {
            entries = entries.insert_axis(Axis(0));
        }
        Self { shape, entries }
    }

    /// The labels at two positions along an axis, joined pairwise down to one position.
    pub fn fold(&self, axis: usize, mut join: impl FnMut(u32, u32) -> u32) -> Self {
        let mut first = self.entries.index_axis(Axis(axis), 0).to_owned();
        for i in 1..self.entries.len_of(Axis(axis)) {
            first.zip_mut_with(&self.entries.index_axis(Axis(axis), i), |a, &b| *a = join(*a, b));
        }
        Self { shape: self.shape.clone(), entries: first.insert_axis(Axis(axis)) }
    }

    /// Joins the labels of two tensors of the same shape entry by entry.
    pub fn zip(&self, other: &Self, mut join: impl FnMut(u32, u32) -> u32) -> Result<Self, ShapeError> {
        let common: Vec<usize> =
            self.entries.shape().iter().zip(other.entries.shape()).map(|(&a, &b)| a.max(b)).collect();
        let left = self.entries.broadcast(IxDyn(&common)).ok_or_else(misfit)?;
        let right = other.entries.broadcast(IxDyn(&common)).ok_or_else(misfit)?;
        let mut entries = left.to_owned();
        entries.zip_mut_with(&right, |a, &b| *a = join(*a, b));
        Ok(Self { shape: self.shape.clone(), entries }.compact())
    }

    /// The given positions along an axis.
    pub fn take(&self, axis: usize, positions: &[usize]) -> Self {
        let mut shape = self.shape.clone();
        shape[axis] = positions.len();
        if self.entries.len_of(Axis(axis)) <= 1 {
            return self.resized(shape);
        }
        Self { shape, entries: self.entries.select(Axis(axis), positions) }.compact()
    }

    pub fn permute(&self, order: &[usize]) -> Self {
        let shape = order.iter().map(|&axis| self.shape[axis]).collect();
        let entries = self.entries.view().permuted_axes(IxDyn(order)).as_standard_layout().into_owned();
        Self { shape, entries }
    }

    /// Row-major reinterpretation as another shape. Only axes that are merged or split *and* vary are written out.
    pub fn reshape(&self, shape: Vec<usize>) -> Result<Self, ShapeError> {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (old, new) in blocks(&self.shape, &shape) {
            let varies = old.clone().any(|axis| self.entries.shape()[axis] > 1);
            from.extend(old.map(|axis| if varies { self.shape[axis] } else { 1 }));
            to.extend(new.map(|axis| if varies { shape[axis] } else { 1 }));
        }
        let full = self.entries.broadcast(IxDyn(&from)).ok_or_else(misfit)?;
        let full = full.as_standard_layout().into_owned();
        Ok(Self { shape, entries: full.into_shape_with_order(IxDyn(&to))? }.compact())
    }

    pub fn concatenate(axis: usize, parts: &[&Self]) -> Result<Self, ShapeError> {
        let first = parts.first().ok_or_else(misfit)?;
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|p| p.shape[axis]).sum();
        let same = |p: &&Self| p.entries.len_of(Axis(axis)) == 1 && p.entries == first.entries;
        if parts.iter().all(same) {
            return Ok(first.resized(shape));
        }
        let mut common = vec![1; shape.len()];
        for part in parts {
            common.iter_mut().zip(part.entries.shape()).for_each(|(size, &own)| *size = (*size).max(own));
        }
        let mut views = Vec::with_capacity(parts.len());
        for part in parts {
            common[axis] = part.shape[axis];
            views.push(part.entries.broadcast(IxDyn(&common)).ok_or_else(misfit)?);
        }
        Ok(Self { shape, entries: concatenate(Axis(axis), &views)? }.compact())
    }

    /// Stores axes along which nothing varies with size 1.
    fn compact(mut self) -> Self {
        for axis in (0..self.shape.len()).map(Axis) {
            let size = self.entries.len_of(axis);
            if size > 1 {
                let first = self.entries.index_axis(axis, 0);
                if (1..size).all(|i| self.entries.index_axis(axis, i) == first) {
                    self.entries.slice_axis_inplace(axis, Slice::from(0..1));
                }
            }
        }
        if !self.entries.is_standard_layout() {
            self.entries = self.entries.as_standard_layout().into_owned();
        }
        self
    }
}

type Span = std::ops::Range<usize>;

/// Splits two shapes with the same number of elements into the shortest runs of axes that hold the same number of elements.
fn blocks(from: &[usize], to: &[usize]) -> Vec<(Span, Span)> {
    let mut result = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (start_i, start_j) = (i, j);
        let (mut left, mut right) = (1usize, 1usize);
        // At least one axis of each side, so that axes of size 1 do not stay alone where their neighbour is cut.
        if i < from.len() {
            left = from[i];
            i += 1;
        }
        if j < to.len() {
            right = to[j];
            j += 1;
        }
        while left != right {
            if left < right && i < from.len() {
                left *= from[i];
                i += 1;
            } else if j < to.len() {
                right *= to[j];
                j += 1;
            } else {
                i = from.len();
                break;
            }
        }
        result.push((start_i..i, start_j..j));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_that_does_not_vary_takes_no_room() {
        let labels = Labels::along(vec![1, 3, 4, 4], 1, vec![7, 8, 9]);
        assert_eq!((labels.len(), labels.varying()), (3, vec![1]));
        assert_eq!(labels.vector(1), [7, 8, 9]);
        assert_eq!(labels.vector(2), [7; 4]);
    }

    #[test]
    fn flattening_repeats_each_channel_for_its_positions() {
        let labels = Labels::along(vec![1, 2, 1, 3], 1, vec![5, 6]);
        let flat = labels.reshape(vec![1, 6]).unwrap();
        assert_eq!(flat.vector(1), [5, 5, 5, 6, 6, 6]);
    }

    #[test]
    fn reshape_writes_out_only_the_axes_that_are_cut() {
        let labels = Labels::along(vec![1, 56, 56, 96], 3, (0..96).collect());
        let windows = labels.reshape(vec![1, 8, 7, 8, 7, 96]).unwrap();
        assert_eq!((windows.len(), windows.varying()), (96, vec![5]));
        let split = labels.reshape(vec![1, 56, 56, 3, 32]).unwrap();
        assert_eq!((split.len(), split.varying()), (96, vec![3, 4]));
    }

    #[test]
    fn shuffling_channels_is_a_reshape_and_a_permutation() {
        let labels = Labels::along(vec![1, 4, 2, 2], 1, vec![0, 1, 2, 3]);
        let split = labels.reshape(vec![1, 2, 2, 2, 2]).unwrap();
        let shuffled = split.permute(&[0, 2, 1, 3, 4]).reshape(vec![1, 4, 2, 2]).unwrap();
        assert_eq!(shuffled.vector(1), [0, 2, 1, 3]);
    }

    #[test]
    fn concatenation_keeps_axes_compact_where_all_parts_agree() {
        let class_token = Labels::along(vec![1, 1, 3], 2, vec![1, 2, 3]);
        let patches = Labels::along(vec![1, 9, 3], 2, vec![1, 2, 3]);
        assert_eq!(Labels::concatenate(1, &[&class_token, &patches]).unwrap().len(), 3);
        let other = Labels::along(vec![1, 9, 3], 2, vec![4, 5, 6]);
        assert_eq!(Labels::concatenate(1, &[&class_token, &other]).unwrap().varying(), [1, 2]);
    }

    #[test]
    fn shapes_of_another_size_are_refused() {
        assert!(Labels::along(vec![6], 0, (0..6).collect()).reshape(vec![4]).is_err());
    }
}
