//! Pooling to a given size, which ONNX only has for size 1.
//!
//! PyTorch's bin `i` of `n` covers the entries `floor(i * size / n) .. ceil((i + 1) * size / n)` of an axis. Bins of two
//! axes are rectangles, so the axes can be pooled one after the other.

use std::ops::Range;

use eagleeye_graph::{Node, Reduction};

use super::attribute::{int, ints};
use super::layout;
use super::reduction::reduce;
use super::writer::{Tensor, Writer};

/// Axes in front of the spatial ones: batch and channels.
const LEADING: usize = 2;

/// How the bins of one axis are made.
#[derive(Debug, PartialEq)]
enum Bins {
    /// A window that moves evenly; size and stride 1 change nothing.
    Even {
        kernel: usize,
        stride: usize,
    },
    /// Bins of one entry.
    Single(Vec<usize>),
    Uneven(Vec<Range<usize>>),
}

pub(super) fn adaptive(writer: &mut Writer, node: &Node, max: bool, output: &[usize], x: Tensor) -> Tensor {
    if output.iter().all(|&size| size == 1) {
        return writer.call(if max { "GlobalMaxPool" } else { "GlobalAveragePool" }, &[x], vec![]);
    }
    let sizes = writer.graph.shape(node.inputs[0]).iter().skip(LEADING).map(|d| d.sample());
    let bins: Vec<Bins> = sizes.zip(output).map(|(size, &output)| bins(size, output)).collect();
    let mut x = even(writer, max, &bins, x);
    for (i, bins) in bins.iter().enumerate() {
        let axis = i + LEADING;
        x = match bins {
            Bins::Even { .. } => x,
            Bins::Single(indices) => layout::gather(writer, x, axis, indices),
            Bins::Uneven(ranges) => uneven(writer, max, axis, ranges, x),
        };
    }
    x
}

fn bins(size: usize, output: usize) -> Bins {
    let ranges: Vec<Range<usize>> = (0..output).map(|i| i * size / output..((i + 1) * size).div_ceil(output)).collect();
    let kernel = ranges[0].len();
    let stride = ranges.get(1).map_or(1, |second| second.start);
    let evenly = ranges.iter().enumerate().all(|(i, r)| r.len() == kernel && r.start == i * stride);
    match kernel {
        _ if evenly && stride > 0 => Bins::Even { kernel, stride },
        _ if ranges.iter().all(|r| r.len() == 1) => Bins::Single(ranges.into_iter().map(|r| r.start).collect()),
        _ => Bins::Uneven(ranges),
    }
}

/// Pools all axes with even bins at once.
fn even(writer: &mut Writer, max: bool, bins: &[Bins], x: Tensor) -> Tensor {
    let windows = bins.iter().map(|bins| match bins {
        Bins::Even { kernel, stride } => (*kernel, *stride),
        Bins::Single(_) | Bins::Uneven(_) => (1, 1),
    });
    let (kernel, stride): (Vec<usize>, Vec<usize>) = windows.unzip();
    if kernel.iter().chain(&stride).all(|&n| n == 1) {
        return x;
    }
    let operator = if max { "MaxPool" } else { "AveragePool" };
    writer.call(operator, &[x], vec![ints("kernel_shape", kernel), ints("strides", stride)])
}

fn uneven(writer: &mut Writer, max: bool, axis: usize, ranges: &[Range<usize>], x: Tensor) -> Tensor {
    let kind = if max { Reduction::Max } else { Reduction::Mean };
    let parts: Vec<Tensor> = ranges
        .iter()
        .map(|range| {
            let part = layout::slice(writer, x, axis, [range.start, range.end, 1]);
            if range.len() == 1 { part } else { reduce(writer, kind, &[axis], true, part) }
        })
        .collect();
    writer.call("Concat", &parts, vec![int("axis", axis as i64)])
}

#[cfg(test)]
mod tests {
    use super::{Bins, bins};

    #[test]
    fn bins_that_move_evenly_are_a_window() {
        assert_eq!(bins(14, 7), Bins::Even { kernel: 2, stride: 2 });
        assert_eq!(bins(8, 7), Bins::Even { kernel: 2, stride: 1 });
        assert_eq!(bins(7, 7), Bins::Even { kernel: 1, stride: 1 });
        assert_eq!(bins(9, 1), Bins::Even { kernel: 9, stride: 1 });
    }

    #[test]
    fn an_axis_that_grows_repeats_entries() {
        assert_eq!(bins(1, 3), Bins::Single(vec![0, 0, 0]));
        assert_eq!(bins(2, 4), Bins::Single(vec![0, 0, 1, 1]));
    }

    #[test]
    fn other_bins_are_as_pytorch_cuts_them() {
        assert_eq!(bins(10, 4), Bins::Uneven(vec![0..3, 2..5, 5..8, 7..10]));
        assert_eq!(bins(5, 3), Bins::Uneven(vec![0..2, 1..4, 3..5]));
    }
}
