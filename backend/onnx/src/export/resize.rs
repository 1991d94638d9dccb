//! Interpolation to a given size.

use eagleeye_graph::{Interpolation, Node, SampleMode, SamplePadding};

use super::attribute::{float, int, text};
use super::error::ExportError;
use super::layout;
use super::writer::{Tensor, Writer};

/// Axes in front of the spatial ones: batch and channels.
const LEADING: usize = 2;

/// The parameter of PyTorch's cubic kernel.
const PYTORCH_CUBIC: f64 = -0.75;

pub(super) fn resize(writer: &mut Writer, node: &Node, mode: Interpolation, output: &[usize], x: Tensor) -> Tensor {
    let input: Vec<usize> = writer.graph.shape(node.inputs[0]).iter().skip(LEADING).map(|d| d.sample()).collect();
    match mode {
        _ if input == output => x,
        Interpolation::Nearest if input.iter().zip(output).any(|(&from, &to)| rounds(from, to)) => {
            nearest_by_index(writer, &input, output, x)
        }
        Interpolation::Nearest => to_sizes(writer, ["nearest", "asymmetric"], output, x),
        Interpolation::Linear { align_corners: true } => to_sizes(writer, ["linear", "align_corners"], output, x),
        Interpolation::Linear { align_corners: false } => to_sizes(writer, ["linear", "half_pixel"], output, x),
        Interpolation::Cubic { align_corners: true } => to_sizes(writer, ["cubic", "align_corners"], output, x),
        Interpolation::Cubic { align_corners: false } => to_sizes(writer, ["cubic", "half_pixel"], output, x),
    }
}

/// Opset 20 has other names for the modes. `inputs` are the image and the positions.
pub(super) fn grid_sample(
    writer: &mut Writer,
    mode: SampleMode,
    padding: SamplePadding,
    align_corners: bool,
    inputs: &[Tensor],
) -> Result<Tensor, ExportError> {
    writer.needs(16, "GridSample")?;
    let mode = match (mode, writer.has(20)) {
        (SampleMode::Linear, false) => "bilinear",
        (SampleMode::Linear, true) => "linear",
        (SampleMode::Nearest, _) => "nearest",
        (SampleMode::Cubic, false) => "bicubic",
        (SampleMode::Cubic, true) => "cubic",
    };
    let padding = match padding {
        SamplePadding::Zeros => "zeros",
        SamplePadding::Border => "border",
        SamplePadding::Reflection => "reflection",
    };
    let align_corners = int("align_corners", i64::from(align_corners));
    Ok(writer.call("GridSample", inputs, vec![text("mode", mode), text("padding_mode", padding), align_corners]))
}

/// Whether positions fall between entries, so that a runtime's rounding decides which one is nearest.
fn rounds(from: usize, to: usize) -> bool {
    !from.is_multiple_of(to) && !to.is_multiple_of(from)
}

/// Nearest entries at PyTorch's positions `floor(i * from / to)`, computed in single precision as PyTorch does.
fn nearest_by_index(writer: &mut Writer, input: &[usize], output: &[usize], mut x: Tensor) -> Tensor {
    for (i, (&from, &to)) in input.iter().zip(output).enumerate() {
        let scale = from as f32 / to as f32;
        let indices: Vec<usize> = (0..to).map(|i| ((i as f32 * scale) as usize).min(from - 1)).collect();
        if from != to {
            x = layout::gather(writer, x, i + LEADING, &indices);
        }
    }
    x
}

/// ONNX's own operator. It takes all sizes: those of batch and channels are computed from `x`.
fn to_sizes(writer: &mut Writer, [mode, coordinates]: [&'static str; 2], output: &[usize], x: Tensor) -> Tensor {
    let leading = writer.sizes(x, 0, LEADING);
    let spatial: Vec<i64> = output.iter().map(|&s| s as i64).collect();
    let spatial = writer.int64s("size", &spatial);
    let sizes = writer.call("Concat", &[leading, spatial], vec![int("axis", 0)]);
    let mut attributes = vec![text("coordinate_transformation_mode", coordinates), text("mode", mode)];
    if mode == "cubic" {
        attributes.push(float("cubic_coeff_a", PYTORCH_CUBIC));
    }
    if mode == "nearest" {
        attributes.push(text("nearest_mode", "floor"));
    }
    writer.call("Resize", &[x, Tensor::NONE, Tensor::NONE, sizes], attributes)
}
