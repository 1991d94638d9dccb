//! The closed set of operations. An importer that meets anything else refuses the model and names the node.

use serde::{Deserialize, Serialize};

use crate::shape::Dim;

/// Convolution over the axes behind batch and channels, 1 to 3 of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv {
    pub stride: Vec<usize>,
    /// Zeros before and after, per spatial axis.
    pub padding: Vec<(usize, usize)>,
    pub dilation: Vec<usize>,
    pub groups: usize,
    /// `Some(output_padding)` for a transposed convolution, whose weight is `[in, out / groups, kernel...]`.
    pub transposed: Option<Vec<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PoolKind {
    Max,
    /// `count_include_pad` as in PyTorch.
    Average {
        count_include_pad: bool,
    },
}

/// Pooling with a fixed window over the axes behind batch and channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub kind: PoolKind,
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<(usize, usize)>,
    pub dilation: Vec<usize>,
    pub ceil: bool,
}

/// Elementwise functions of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Unary {
    Relu,
    /// `min` and `max` of PyTorch's `clamp`; ReLU6 is `Clamp(Some(0), Some(6))`.
    Clamp(Option<f64>, Option<f64>),
    LeakyRelu(f64),
    Elu(f64),
    Selu,
    Sigmoid,
    /// `max(0, min(1, alpha * x + beta))`; PyTorch's hardsigmoid is alpha 1/6, beta 1/2.
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    /// `x * hardsigmoid(x)` with alpha 1/6, beta 1/2.
    HardSwish,
    Silu,
    Gelu {
        tanh: bool,
    },
    Mish,
    Softplus,
    Tanh,
    Erf,
    Exp,
    Log,
    Sqrt,
    Neg,
    Abs,
    Reciprocal,
    /// -1, 0 or 1.
    Sign,
    Floor,
    Ceil,
    /// To the nearest whole number; halves to the even one.
    Round,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
    /// `x + c`
    AddScalar(f64),
    /// `x * c`
    MulScalar(f64),
    /// `x ^ c`
    PowScalar(f64),
}

impl Unary {
    /// Whether the function maps zero to zero, so that a zeroed channel stays zero behind it.
    pub fn keeps_zero(self) -> bool {
        match self {
            Self::Relu | Self::LeakyRelu(_) | Self::Elu(_) | Self::Selu | Self::HardSwish | Self::Silu => true,
            Self::Gelu { .. } | Self::Mish | Self::Tanh | Self::Erf | Self::Sqrt | Self::Neg | Self::Abs => true,
            Self::Sign | Self::Floor | Self::Ceil | Self::Round => true,
            Self::Sin | Self::Tan | Self::Asin | Self::Atan | Self::Sinh | Self::Asinh | Self::Atanh => true,
            Self::MulScalar(_) => true,
            Self::Clamp(low, high) => low.is_none_or(|l| l <= 0.0) && high.is_none_or(|h| h >= 0.0),
            Self::PowScalar(c) => c > 0.0,
            Self::AddScalar(c) => c == 0.0,
            Self::Sigmoid | Self::HardSigmoid { .. } | Self::Softplus | Self::Exp | Self::Log | Self::Reciprocal => {
                false
            }
            Self::Cos | Self::Acos | Self::Cosh | Self::Acosh => false,
        }
    }
}

/// Elementwise functions of two tensors, with NumPy broadcasting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    Pow,
    /// 1 where `a < b`, else 0.
    Less,
    /// 1 where `a <= b`, else 0.
    LessOrEqual,
    /// 1 where `a == b`, else 0.
    Equal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    Mean,
    Sum,
    Max,
    Min,
    Product,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PadMode {
    Constant(f64),
    Reflect,
    Replicate,
    Circular,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpolation {
    Nearest,
    /// Linear over one axis, bilinear over two.
    Linear {
        align_corners: bool,
    },
    /// Bicubic, over two axes: Keys' kernel with -0.75, the border repeated.
    Cubic {
        align_corners: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleMode {
    Linear,
    Nearest,
    Cubic,
}

/// What lies around an image that is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SamplePadding {
    Zeros,
    Border,
    Reflection,
}

/// What a node does. Inputs are listed in order; `?` marks one that may be left out (only at the end of the list).
///
/// Axes are non-negative and count the batch axis. Shapes and sizes are those of the values, batch symbolic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// `x [N, in, ...]`, `weight [out, in / groups, kernel...]`, `bias? [out]`.
    Conv(Conv),
    /// `x [..., in]`, `weight [out, in]` (or `[in, out]` when `transposed`, as ONNX's MatMul stores it), `bias? [out]`.
    Linear { transposed: bool },
    /// `x [N, C, ...]`, `weight [C]`, `bias [C]`, `running_mean [C]`, `running_var [C]`; without affine: `x`, mean, variance.
    BatchNorm { epsilon: f64 },
    /// `x`, `weight?`, `bias?`: normalises over the trailing `axes` axes.
    LayerNorm { axes: usize, epsilon: f64 },
    /// `x [N, C, ...]`, `weight? [C]`, `bias? [C]`; instance norm is `groups == C`.
    GroupNorm { groups: usize, epsilon: f64 },
    /// `x`
    Unary(Unary),
    /// `x [N, C, ...]`, `slope [C]` or `[1]`.
    PRelu,
    /// `a`, `b`
    Binary(Binary),
    /// `condition`, `a`, `b`, with NumPy broadcasting: `a` where the condition is not 0, else `b`.
    Select,
    /// `a [..., n, k]`, `b [..., k, m]`: both activations, leading axes broadcast. A product with a parameter is `Linear`.
    MatMul,
    /// `x`
    Softmax { axis: usize, log: bool },
    /// `x [N, C, ...]`
    Pool(Pool),
    /// `x [N, C, ...]`: to the given spatial size, as PyTorch's adaptive pooling. Global pooling is size 1.
    AdaptivePool { max: bool, output: Vec<usize> },
    /// `x`: over `axes`, ascending.
    Reduce { kind: Reduction, axes: Vec<usize>, keep_dims: bool },
    /// `x [N, C, ...]`: to the given spatial size.
    Resize { mode: Interpolation, output: Vec<usize> },
    /// `x [N, C, H, W]`, `grid [N, h, w, 2]` with positions (x, y) between -1 and 1: `[N, C, h, w]`.
    GridSample { mode: SampleMode, padding: SamplePadding, align_corners: bool },
    /// `x`: at most one axis of `shape` depends on the batch.
    Reshape { shape: Vec<Dim> },
    /// `x`: axis `i` of the output is axis `order[i]` of the input.
    Permute { order: Vec<usize> },
    /// `x`: broadcast to `shape`, aligned at the last axis.
    Expand { shape: Vec<Dim> },
    /// One or more tensors.
    Cat { axis: usize },
    /// `x`: one output per size.
    Split { axis: usize, sizes: Vec<usize> },
    /// `x`: indices `start, start + step, ...` below `end` along `axis`.
    Slice { axis: usize, start: usize, end: usize, step: usize },
    /// `x`: the given indices along `axis`, in the given order, repeats allowed.
    Gather { axis: usize, indices: Vec<usize> },
    /// `x`: before and after, one pair per axis; negative values crop.
    Pad { pads: Vec<(i64, i64)>, mode: PadMode },
    /// `x`: `(axis, shift)` pairs, as PyTorch's `roll`.
    Roll { shifts: Vec<(usize, i64)> },
}

impl Op {
    /// Name used in reports and in `docs/operators.md`. `rank` is the rank of the first input.
    pub fn name(&self, rank: usize) -> &'static str {
        match self {
            Self::Conv(c) => match (c.transposed.is_some(), rank) {
                (false, 3) => "conv1d",
                (false, 5) => "conv3d",
                (false, _) => "conv2d",
                (true, 3) => "conv_transpose1d",
                (true, 5) => "conv_transpose3d",
                (true, _) => "conv_transpose2d",
            },
            Self::Linear { .. } => "linear",
            Self::BatchNorm { .. } => "batch_norm",
            Self::LayerNorm { .. } => "layer_norm",
            Self::GroupNorm { .. } => "group_norm",
            Self::Unary(u) => u.name(),
            Self::PRelu => "prelu",
            Self::Binary(b) => b.name(),
            Self::Select => "select",
            Self::MatMul => "matmul",
            Self::Softmax { log: false, .. } => "softmax",
            Self::Softmax { log: true, .. } => "log_softmax",
            Self::Pool(p) => match p.kind {
                PoolKind::Max => "max_pool",
                PoolKind::Average { .. } => "avg_pool",
            },
            Self::AdaptivePool { max: false, .. } => "adaptive_avg_pool",
            Self::AdaptivePool { max: true, .. } => "adaptive_max_pool",
            Self::Reduce { kind, .. } => match kind {
                Reduction::Mean => "reduce_mean",
                Reduction::Sum => "reduce_sum",
                Reduction::Max => "reduce_max",
                Reduction::Min => "reduce_min",
                Reduction::Product => "reduce_product",
            },
            Self::Resize { .. } => "resize",
            Self::GridSample { .. } => "grid_sample",
            Self::Reshape { .. } => "reshape",
            Self::Permute { .. } => "permute",
            Self::Expand { .. } => "expand",
            Self::Cat { .. } => "cat",
            Self::Split { .. } => "split",
            Self::Slice { .. } => "slice",
            Self::Gather { .. } => "gather",
            Self::Pad { .. } => "pad",
            Self::Roll { .. } => "roll",
        }
    }
}

impl Unary {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Clamp(..) => "clamp",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Elu(_) => "elu",
            Self::Selu => "selu",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid { .. } => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
            Self::Silu => "silu",
            Self::Gelu { .. } => "gelu",
            Self::Mish => "mish",
            Self::Softplus => "softplus",
            Self::Tanh => "tanh",
            Self::Erf => "erf",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Neg => "neg",
            Self::Abs => "abs",
            Self::Reciprocal => "reciprocal",
            Self::Sign => "sign",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tan => "tan",
            Self::Asin => "asin",
            Self::Acos => "acos",
            Self::Atan => "atan",
            Self::Sinh => "sinh",
            Self::Cosh => "cosh",
            Self::Asinh => "asinh",
            Self::Acosh => "acosh",
            Self::Atanh => "atanh",
            Self::AddScalar(_) => "add_scalar",
            Self::MulScalar(_) => "mul_scalar",
            Self::PowScalar(_) => "pow_scalar",
        }
    }
}

impl Binary {
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Max => "max",
            Self::Min => "min",
            Self::Pow => "pow",
            Self::Less => "less",
            Self::LessOrEqual => "less_or_equal",
            Self::Equal => "equal",
        }
    }
}
