//! One operation as lines of TorchScript.

use eagleeye_graph::{Binary, Conv, Interpolation, Node, Op, PadMode, Pool, PoolKind, Reduction, Unary};

use super::{Writer, flag, list, number, spatial_axes};
use crate::error::TorchScriptError;
use crate::functions;
use crate::grid_sampler::sampling_codes;

/// Lines that compute a node's outputs.
pub(super) fn lines(writer: &Writer, node: &Node) -> Result<Vec<String>, TorchScriptError> {
    let outputs: Vec<String> = node.outputs.iter().map(|&id| writer.value(id)).collect();
    let expression = expression(writer, node)?;
    Ok(match &outputs[..] {
        [one] => vec![format!("{one} = {expression}")],
        several => vec![format!("{} = {expression}", several.join(", "))],
    })
}

fn expression(writer: &Writer, node: &Node) -> Result<String, TorchScriptError> {
    let x = writer.input(node, 0);
    let input = |index| writer.input(node, index);
    Ok(match &node.op {
        Op::Conv(conv) => convolution(writer, node, conv),
        Op::Linear { transposed: false } => format!("torch.linear({x}, {}, {})", input(1), input(2)),
        Op::Linear { transposed: true } if node.inputs.len() > 2 => {
            format!("torch.add(torch.matmul({x}, {}), {})", input(1), input(2))
        }
        Op::Linear { transposed: true } | Op::MatMul => format!("torch.matmul({x}, {})", input(1)),
        Op::BatchNorm { epsilon } => batch_norm(writer, node, *epsilon),
        Op::LayerNorm { axes, epsilon } => {
            let shape = writer.graph.shape(node.inputs[0]);
            let sizes = list(shape[shape.len() - axes..].iter().map(|d| d.sample()));
            format!("torch.layer_norm({x}, {sizes}, {}, {}, {})", input(1), input(2), number(*epsilon))
        }
        Op::GroupNorm { groups, epsilon } => {
            format!("torch.group_norm({x}, {groups}, {}, {}, {})", input(1), input(2), number(*epsilon))
        }
        Op::Unary(function) => unary(*function, &x),
        Op::PRelu => format!("torch.prelu({x}, {})", input(1)),
        Op::Binary(function @ (Binary::Less | Binary::LessOrEqual | Binary::Equal)) => {
            format!("torch.type_as(torch.{}({x}, {}), {x})", binary(*function), input(1))
        }
        Op::Binary(function) => format!("torch.{}({x}, {})", binary(*function), input(1)),
        Op::Select => format!("torch.where(torch.ne({x}, 0.0), {}, {})", input(1), input(2)),
        Op::Softmax { axis, log } => format!("torch.{}({x}, {axis})", if *log { "log_softmax" } else { "softmax" }),
        Op::Pool(pool) => return pooling(writer, node, pool),
        Op::AdaptivePool { max, output } => {
            let axes = spatial_axes(&node.op);
            if *max {
                format!("torch.adaptive_max_pool{axes}d({x}, {})[0]", list(output))
            } else {
                format!("torch.adaptive_avg_pool{axes}d({x}, {})", list(output))
            }
        }
        Op::Reduce { kind: Reduction::Product, axes, keep_dims } => {
            axes.iter().rev().fold(x, |x, axis| format!("torch.prod({x}, {axis}, {})", flag(*keep_dims)))
        }
        Op::Reduce { kind, axes, keep_dims } => {
            format!("torch.{}({x}, {}, {})", reduction(*kind), list(axes), flag(*keep_dims))
        }
        Op::Resize { mode, output } => resize(*mode, output, &x),
        Op::GridSample { mode, padding, align_corners } => {
            let (mode, padding) = sampling_codes(*mode, *padding);
            format!("torch.grid_sampler({x}, {}, {mode}, {padding}, {})", input(1), flag(*align_corners))
        }
        Op::Reshape { shape } => format!("torch.reshape({x}, {})", writer.open_shape(shape)),
        Op::Permute { order } => format!("torch.permute({x}, {})", list(order)),
        Op::Expand { shape } => format!("torch.expand({x}, {})", writer.full_shape(shape)),
        Op::Cat { axis } => {
            format!("torch.cat({}, {axis})", list((0..node.inputs.len()).map(input)))
        }
        Op::Split { axis, sizes } if sizes.len() == 1 => format!("torch.slice({x}, {axis}, 0, {}, 1)", sizes[0]),
        Op::Split { axis, sizes } => format!("torch.split_with_sizes({x}, {}, {axis})", list(sizes)),
        Op::Slice { axis, start, end, step } => format!("torch.slice({x}, {axis}, {start}, {end}, {step})"),
        Op::Gather { axis, indices } => {
            format!("torch.index_select({x}, {axis}, torch.tensor({}, dtype=4, device={x}.device))", list(indices))
        }
        Op::Pad { pads, mode } => padding(&x, pads, *mode),
        Op::Roll { shifts } => {
            let (by, axes) = (list(shifts.iter().map(|s| s.1)), list(shifts.iter().map(|s| s.0)));
            format!("torch.roll({x}, {by}, {axes})")
        }
    })
}

fn unary(function: Unary, x: &str) -> String {
    let plain = |name: &str| format!("torch.{name}({x})");
    let with = |name: &str, value: f64| format!("torch.{name}({x}, {})", number(value));
    let bound = |value: Option<f64>| value.map_or_else(|| "None".to_owned(), number);
    match function {
        Unary::Clamp(None, None) => x.to_owned(),
        Unary::Clamp(low, high) => format!("torch.clamp({x}, {}, {})", bound(low), bound(high)),
        Unary::LeakyRelu(slope) => with("leaky_relu", slope),
        Unary::Elu(alpha) => with("elu", alpha),
        Unary::HardSigmoid { alpha, beta } if (alpha - 1.0 / 6.0).abs() < 1e-9 && beta == 0.5 => plain("hardsigmoid"),
        Unary::HardSigmoid { alpha, beta } => {
            format!("torch.clamp(torch.add(torch.mul({x}, {}), {}), 0.0, 1.0)", number(alpha), number(beta))
        }
        Unary::Softplus => plain("softplus"),
        Unary::Gelu { tanh: false } => plain("gelu"),
        Unary::Gelu { tanh: true } => format!("torch.gelu({x}, approximate=\"tanh\")"),
        Unary::AddScalar(value) => with("add", value),
        Unary::MulScalar(value) => with("mul", value),
        Unary::PowScalar(-0.5) => plain("rsqrt"),
        Unary::PowScalar(value) => with("pow", value),
        // `aten::sin` is called `torch.sin`.
        other => plain(functions::name(other).unwrap_or(other.name()).trim_start_matches("aten::")),
    }
}

fn binary(function: Binary) -> &'static str {
    match function {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::Div => "div",
        Binary::Max => "maximum",
        Binary::Min => "minimum",
        Binary::Pow => "pow",
        Binary::Less => "lt",
        Binary::LessOrEqual => "le",
        Binary::Equal => "eq",
    }
}

fn reduction(kind: Reduction) -> &'static str {
    match kind {
        Reduction::Mean => "mean",
        Reduction::Sum => "sum",
        Reduction::Max => "amax",
        Reduction::Min => "amin",
        Reduction::Product => "prod",
    }
}

fn batch_norm(writer: &Writer, node: &Node, epsilon: f64) -> String {
    let input = |index| writer.input(node, index);
    let (weight, bias, mean, variance) = match node.inputs.len() {
        5 => (input(1), input(2), input(3), input(4)),
        _ => ("None".to_owned(), "None".to_owned(), input(1), input(2)),
    };
    let x = input(0);
    let epsilon = number(epsilon);
    format!("torch.batch_norm({x}, {weight}, {bias}, {mean}, {variance}, False, 0.1, {epsilon}, False)")
}

fn symmetric(padding: &[(usize, usize)]) -> bool {
    padding.iter().all(|(before, after)| before == after)
}

/// Pads for `constant_pad_nd`, which lists the last axis first.
fn spatial_pads(padding: &[(usize, usize)], sign: &str) -> String {
    list(padding.iter().rev().flat_map(|&(before, after)| [format!("{sign}{before}"), format!("{sign}{after}")]))
}

fn convolution(writer: &Writer, node: &Node, conv: &Conv) -> String {
    let (mut x, weight, bias) = (writer.input(node, 0), writer.input(node, 1), writer.input(node, 2));
    let axes = conv.stride.len();
    let (stride, dilation, groups) = (list(&conv.stride), list(&conv.dilation), conv.groups);
    let same = symmetric(&conv.padding);
    let padding = list(conv.padding.iter().map(|p| if same { p.0 } else { 0 }));
    match &conv.transposed {
        None => {
            if !same {
                x = format!("torch.constant_pad_nd({x}, {}, 0.0)", spatial_pads(&conv.padding, ""));
            }
            format!("torch.conv{axes}d({x}, {weight}, {bias}, {stride}, {padding}, {dilation}, {groups})")
        }
        Some(extra) => {
            let extra = list(extra);
            let full = format!(
                "torch.conv_transpose{axes}d({x}, {weight}, {bias}, {stride}, {padding}, {extra}, {groups}, {dilation})"
            );
            // A transposed convolution's padding crops its output.
            if same {
                full
            } else {
                format!("torch.constant_pad_nd({full}, {}, 0.0)", spatial_pads(&conv.padding, "-"))
            }
        }
    }
}

fn pooling(writer: &Writer, node: &Node, pool: &Pool) -> Result<String, TorchScriptError> {
    let x = writer.input(node, 0);
    let axes = pool.kernel.len();
    let (kernel, stride, ceil) = (list(&pool.kernel), list(&pool.stride), flag(pool.ceil));
    // PyTorch pads both sides alike and by half a window at most; anything else is padded before.
    let fits = symmetric(&pool.padding) && pool.padding.iter().zip(&pool.kernel).all(|(p, k)| 2 * p.0 <= *k);
    let padding = list(pool.padding.iter().map(|p| if fits { p.0 } else { 0 }));
    let padded = |value: &str| format!("torch.constant_pad_nd({x}, {}, {value})", spatial_pads(&pool.padding, ""));
    // Rounding up, PyTorch leaves out windows that begin in its own padding on the right, but not in one made before.
    let trimmed = |pooled: String| {
        let sizes = writer.graph.shape(node.outputs[0]).iter().skip(2).map(|d| format!(":{}", d.sample()));
        if fits || !pool.ceil { pooled } else { format!("({pooled})[:, :, {}]", sizes.collect::<Vec<_>>().join(", ")) }
    };
    match pool.kind {
        PoolKind::Max => {
            let x = if fits { x.clone() } else { padded("float(\"-inf\")") };
            let dilation = list(&pool.dilation);
            Ok(trimmed(format!("torch.max_pool{axes}d({x}, {kernel}, {stride}, {padding}, {dilation}, {ceil})")))
        }
        PoolKind::Average { .. } if pool.dilation.iter().any(|&d| d != 1) => {
            writer.refused(node, "average pooling has no dilation in PyTorch")
        }
        PoolKind::Average { count_include_pad } => {
            let average = |x: &str, count: bool| {
                format!("torch.avg_pool{axes}d({x}, {kernel}, {stride}, {padding}, {ceil}, {})", flag(count))
            };
            if fits {
                return Ok(average(&x, count_include_pad));
            }
            let all = average(&padded("0.0"), true);
            if count_include_pad {
                return Ok(trimmed(all));
            }
            let ones = format!("torch.constant_pad_nd(torch.ones_like({x}), {}, 0.0)", spatial_pads(&pool.padding, ""));
            Ok(trimmed(format!("torch.div({all}, {})", average(&ones, true))))
        }
    }
}

fn resize(mode: Interpolation, output: &[usize], x: &str) -> String {
    let (axes, size) = (output.len(), list(output));
    match mode {
        Interpolation::Nearest => format!("torch.upsample_nearest{axes}d({x}, {size})"),
        Interpolation::Linear { align_corners } => {
            let name = ["linear", "bilinear", "trilinear"].get(axes.saturating_sub(1)).copied().unwrap_or("bilinear");
            format!("torch.upsample_{name}{axes}d({x}, {size}, {})", flag(align_corners))
        }
        Interpolation::Cubic { align_corners } => {
            format!("torch.upsample_bicubic{axes}d({x}, {size}, {})", flag(align_corners))
        }
    }
}

fn padding(x: &str, pads: &[(i64, i64)], mode: PadMode) -> String {
    // Reflection works on as many axes as are listed: leave out the leading ones without padding.
    let first = pads.iter().position(|&p| p != (0, 0)).unwrap_or(pads.len());
    let sizes = list(pads[first..].iter().rev().flat_map(|&(before, after)| [before, after]));
    match mode {
        PadMode::Constant(value) => format!("torch.constant_pad_nd({x}, {sizes}, {})", number(value)),
        PadMode::Reflect => format!("torch.pad({x}, {sizes}, \"reflect\")"),
        PadMode::Replicate => format!("torch.pad({x}, {sizes}, \"replicate\")"),
        PadMode::Circular => format!("torch.pad({x}, {sizes}, \"circular\")"),
    }
}
