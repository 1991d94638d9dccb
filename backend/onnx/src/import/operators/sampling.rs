//! Sampling at computed positions, and sums of windows.

use eagleeye_graph::compose::patches::{Window, from_columns};
use eagleeye_graph::compose::sampling::affine_grid;
use eagleeye_graph::{Op, SampleMode, SamplePadding};

use super::Operator;
use crate::import::call::{Call, Lowered, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::size;
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "GridSample", becomes: "grid_sample; images only", lower: grid_sample },
    Operator { name: "AffineGrid", becomes: "permute, matmul and reshape; images only", lower: grid },
    Operator {
        name: "Col2Im",
        becomes: "reshape and permute where windows do not overlap, else conv_transpose; images only",
        lower: from_windows,
    },
];

fn grid_sample(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, grid) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let mode = match call.text("mode")? {
        "" | "bilinear" | "linear" => SampleMode::Linear,
        "nearest" => SampleMode::Nearest,
        "bicubic" | "cubic" => SampleMode::Cubic,
        other => return unsupported(format!("the mode `{other}`")),
    };
    let padding = match call.text("padding_mode")? {
        "" | "zeros" => SamplePadding::Zeros,
        "border" => SamplePadding::Border,
        "reflection" => SamplePadding::Reflection,
        other => return unsupported(format!("padding by `{other}`")),
    };
    if lo.rank(x) != 4 {
        return unsupported("on a tensor that is not [batch, channels, height, width]");
    }
    lo.emit(call, Op::GridSample { mode, padding, align_corners: call.flag("align_corners")? }, &[x, grid])
}

fn grid(lo: &mut Lowering, call: &Call) -> Lowered {
    let theta = lo.value(call, 0)?;
    let sizes = lo.known(call, 1)?.counts()?;
    let along = |index: usize| sizes.get(index).and_then(|c| c.known()).and_then(|n| usize::try_from(n).ok());
    let (Some(height), Some(width), 4) = (along(2), along(3), sizes.len()) else {
        return unsupported("a size that is not [batch, channels, height, width], with the last two constant");
    };
    let align_corners = call.flag("align_corners")?;
    Ok(one(affine_grid(&mut lo.composer(call), theta, [height, width], align_corners)?))
}

fn from_windows(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let mut sizes = |index: usize| {
        let known = lo.known(call, index)?.whole()?;
        known.iter().map(|&v| size(v, "a size")).collect::<Lowered<Vec<_>>>()
    };
    let (output, kernel) = (sizes(1)?, sizes(2)?);
    let ([height, width], [_, _]) = (&output[..], &kernel[..]) else {
        return invalid("image_shape and block_shape must have two entries each");
    };
    let (stride, dilation) = (call.sizes("strides", 2, 1)?, call.sizes("dilations", 2, 1)?);
    let pads = call.sizes("pads", 4, 0)?;
    let windows = [0, 1].map(|i| Window {
        kernel: kernel[i],
        stride: stride[i],
        dilation: dilation[i],
        padding: (pads[i], pads[i + 2]),
    });
    Ok(one(from_columns(&mut lo.composer(call), x, [*height, *width], windows)?))
}
