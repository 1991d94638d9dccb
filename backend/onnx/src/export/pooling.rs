//! Pooling with a fixed window.
//!
//! Runtimes disagree about `ceil_mode`: whether a window may start in the padding behind the axis, and what an average
//! divides by where its window hangs over. It is not used: the number of windows is known, so the padding is chosen that
//! makes exactly that many without rounding.

use eagleeye_graph::{Node, Pool, PoolKind};

use super::attribute::{int, ints};
use super::convolution::begins_and_ends;
use super::error::ExportError;
use super::layout::pad_constant;
use super::writer::{Tensor, Writer};
use crate::proto::AttributeProto;

pub(super) fn pool(writer: &mut Writer, node: &Node, pool: &Pool, x: Tensor) -> Result<Tensor, ExportError> {
    let axes = axes(writer, node, pool);
    match pool.kind {
        PoolKind::Max => Ok(max(writer, &axes, x)),
        PoolKind::Average { .. } if axes.iter().any(|a| a.dilation != 1) => {
            writer.refused(format!("average pooling with dilation {:?} (must be 1)", pool.dilation))
        }
        PoolKind::Average { count_include_pad } => Ok(average(writer, &axes, count_include_pad, x)),
    }
}

/// The windows along one axis.
struct Axis {
    size: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    /// Padding behind the axis that the network asks for; counted by averages that include padding.
    after: usize,
    /// Padding behind the axis with which rounding down gives all windows.
    end: usize,
}

impl Axis {
    fn reach(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Entries that each window's sum is divided by: those inside the axis, or also inside its padding.
    fn counts(&self, include_pad: bool) -> impl Iterator<Item = usize> {
        let (first, last) = match include_pad {
            true => (0, self.before + self.size + self.after),
            false => (self.before, self.before + self.size),
        };
        let starts = (0..self.output).map(|i| i * self.stride);
        let kernel = self.kernel;
        starts.map(move |start| (start + kernel).min(last).saturating_sub(start.max(first)))
    }

    /// Runtimes refuse padding as large as the window.
    fn pads_less_than_window(&self) -> bool {
        self.before < self.kernel && self.end < self.kernel
    }
}

fn axes(writer: &Writer, node: &Node, pool: &Pool) -> Vec<Axis> {
    let sizes = writer.graph.shape(node.inputs[0]).iter().skip(2).map(|d| d.sample());
    let outputs = writer.graph.shape(node.outputs[0]).iter().skip(2).map(|d| d.sample());
    let along = sizes.zip(outputs).enumerate().map(|(i, (size, output))| {
        let (before, after) = pool.padding[i];
        let (kernel, stride, dilation) = (pool.kernel[i], pool.stride[i], pool.dilation[i]);
        let mut axis = Axis { size, output, kernel, stride, dilation, before, after, end: after };
        if pool.ceil {
            axis.end = ((output - 1) * stride + axis.reach()).saturating_sub(size + before);
        }
        axis
    });
    along.collect()
}

fn max(writer: &mut Writer, axes: &[Axis], x: Tensor) -> Tensor {
    let dilations = ints("dilations", axes.iter().map(|a| a.dilation));
    if axes.iter().all(Axis::pads_less_than_window) {
        return window(writer, "MaxPool", axes, Padded::ByWindow, dilations, x);
    }
    let padded = pad_behind_channels(writer, axes, f64::NEG_INFINITY, x);
    window(writer, "MaxPool", axes, Padded::Already, dilations, padded)
}

fn average(writer: &mut Writer, axes: &[Axis], include_pad: bool, x: Tensor) -> Tensor {
    let include = int("count_include_pad", i64::from(include_pad));
    let hangs_over = include_pad && axes.iter().any(|a| a.end > a.after);
    if axes.iter().all(Axis::pads_less_than_window) && !hangs_over {
        return window(writer, "AveragePool", axes, Padded::ByWindow, include, x);
    }
    // Averages over whole windows, then corrected to what each window really counts.
    let padded = pad_behind_channels(writer, axes, 0.0, x);
    let averages = window(writer, "AveragePool", axes, Padded::Already, include, padded);
    let factors = factors(axes, include_pad);
    let shape: Vec<usize> = [1, 1].into_iter().chain(axes.iter().map(|a| a.output)).collect();
    let factors = writer.floats("window_share", &shape, &factors);
    writer.call("Mul", &[averages, factors], vec![])
}

/// Window size over counted entries at every output position, row-major.
fn factors(axes: &[Axis], include_pad: bool) -> Vec<f32> {
    axes.iter().fold(vec![1.0], |factors, axis| {
        let along: Vec<f32> = axis.counts(include_pad).map(|count| axis.kernel as f32 / count as f32).collect();
        factors.iter().flat_map(|f| along.iter().map(move |a| f * a)).collect()
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Padded {
    ByWindow,
    /// By a node in front.
    Already,
}

fn window(
    writer: &mut Writer,
    operator: &'static str,
    axes: &[Axis],
    padded: Padded,
    attribute: AttributeProto,
    x: Tensor,
) -> Tensor {
    let padding: Vec<_> =
        axes.iter().map(|a| if padded == Padded::ByWindow { (a.before, a.end) } else { (0, 0) }).collect();
    let attributes = vec![
        ints("kernel_shape", axes.iter().map(|a| a.kernel)),
        ints("pads", begins_and_ends(&padding)),
        ints("strides", axes.iter().map(|a| a.stride)),
        attribute,
    ];
    writer.call(operator, &[x], attributes)
}

fn pad_behind_channels(writer: &mut Writer, axes: &[Axis], value: f64, x: Tensor) -> Tensor {
    let pads: Vec<_> = [(0, 0); 2].into_iter().chain(axes.iter().map(|a| (a.before, a.end))).collect();
    pad_constant(writer, &pads, value, x)
}
