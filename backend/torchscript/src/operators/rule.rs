//! Which operators libtorch computes while a network is read, and what that may cost.
//!
//! The rule is of kinds of operators. An operator is refused where libtorch trusts its arguments, because they come from other
//! operators of its own; where its result is not a function of its arguments; and where a number among its arguments says how
//! long it runs.

use crate::ffi::compute::Traits;

/// Operators that are refused by a part of their name, and what is said about them.
const REFUSED: &[(Part, &str)] = &[
    (Part::Start("_"), INTERNAL),
    (Part::Within("backward"), INTERNAL),
    (Part::Start("fbgemm_"), INTERNAL),
    (Part::Start("mkldnn_"), INTERNAL),
    (Part::Start("cudnn_"), INTERNAL),
    (Part::Start("miopen_"), INTERNAL),
    (Part::Start("mps_"), INTERNAL),
    (Part::Start("batch_norm_"), INTERNAL),
    (Part::Start("native_"), INTERNAL),
    (Part::Start("slow_conv"), INTERNAL),
    (Part::Start("thnn_"), INTERNAL),
    (Part::Start("lstm"), RECURRENT),
    (Part::Start("gru"), RECURRENT),
    (Part::Start("rnn_"), RECURRENT),
    (Part::Start("embedding_bag"), UNCHECKED),
    (Part::Start("segment_reduce"), UNCHECKED),
    (Part::Start("ctc_loss"), UNCHECKED),
    (Part::Start("fractional_max_pool"), UNCHECKED),
    (Part::Start("max_unpool"), UNCHECKED),
    (Part::Start("histogramdd"), UNCHECKED),
    (Part::Start("linalg_"), LAPACK),
    (Part::Start("cholesky"), LAPACK),
    (Part::Start("lu_"), LAPACK),
    (Part::Whole("nuclear_norm"), LAPACK),
    (Part::Whole("pinverse"), LAPACK),
    (Part::Whole("inverse"), LAPACK),
    (Part::Whole("matrix_power"), LAPACK),
    (Part::Whole("det"), LAPACK),
    (Part::Whole("logdet"), LAPACK),
    (Part::Whole("slogdet"), LAPACK),
    (Part::Whole("geqrf"), LAPACK),
    (Part::Whole("orgqr"), LAPACK),
    (Part::Whole("ormqr"), LAPACK),
    (Part::Whole("qr"), LAPACK),
    (Part::Whole("svd"), LAPACK),
    (Part::Whole("triangular_solve"), LAPACK),
    (Part::Start("quantize"), NOT_DENSE),
    (Part::Start("fake_quantize"), NOT_DENSE),
    (Part::Start("q_"), NOT_DENSE),
    (Part::Start("choose_qparams"), NOT_DENSE),
    (Part::Start("sparse_"), NOT_DENSE),
    (Part::Start("to_sparse"), NOT_DENSE),
    (Part::Start("to_mkldnn"), NOT_DENSE),
    (Part::Start("nested_"), NOT_DENSE),
    (Part::Start("empty_quantized"), NOT_DENSE),
    (Part::Start("hspmm"), NOT_DENSE),
    (Part::Start("sspaddmm"), NOT_DENSE),
    (Part::Start("smm"), NOT_DENSE),
    (Part::Start("from_file"), "reads a file"),
    (Part::Whole("pin_memory"), "concerns memory rather than values"),
    (Part::Whole("set"), "concerns memory rather than values"),
    (Part::Start("resize"), "concerns memory rather than values"),
    (Part::Within("_polynomial_"), BY_NUMBER),
    (Part::Whole("combinations"), BY_NUMBER),
    (Part::Whole("factorial"), BY_NUMBER),
    // On numbers, without the check for a divisor of zero that the operators on tensors have.
    (Part::Whole("gcd"), DIVIDES),
    (Part::Whole("lcm"), DIVIDES),
    (Part::Whole("divmod"), DIVIDES),
    (Part::Whole("floordiv"), DIVIDES),
    (Part::Whole("__round_to_zero_floordiv"), DIVIDES),
    (Part::Whole("remainder"), DIVIDES),
    (Part::Whole("fmod"), DIVIDES),
];

/// Operators that are computed although a part of their name is among the above.
const COMPUTED: &[&str] = &["linalg_vector_norm", "linalg_matmul", "linalg_cross", "linalg_vecdot"];

const INTERNAL: &str = "is internal to libtorch and not evaluated while a network is read";
const RECURRENT: &str = "is a recurrent layer";
const UNCHECKED: &str = "takes indices that libtorch does not check";
const LAPACK: &str = "is linear algebra, which may fail or never finish for some matrices";
const NOT_DENSE: &str = "concerns tensors that are not dense";
const BY_NUMBER: &str = "has a running time that one of its arguments sets";
const DIVIDES: &str = "divides integers without a check for zero or overflow";

#[derive(Clone, Copy, Debug)]
enum Part {
    Whole(&'static str),
    Start(&'static str),
    Within(&'static str),
}

impl Part {
    fn is_of(self, name: &str) -> bool {
        match self {
            Self::Whole(whole) => name == whole,
            // Python's own operators, `__and__`.
            Self::Start("_") => name.starts_with('_') && !name.starts_with("__"),
            Self::Start(start) => name.starts_with(start),
            Self::Within(part) => name.contains(part),
        }
    }
}

/// Whether an operator is refused. `Some(None)` where the graph may have it, in the form that it has for activations.
pub(super) fn refusal(operator: &str, traits: Traits) -> Option<Option<&'static str>> {
    let name = operator.strip_prefix("aten::")?;
    let found = REFUSED.iter().find(|(part, reason)| {
        let of_tensors = *reason == DIVIDES && !traits.is_of_numbers();
        part.is_of(name) && !of_tensors && !COMPUTED.contains(&name)
    });
    let reason = match found {
        Some((_, reason)) => reason,
        None if traits.draws_random_numbers() => "draws random numbers",
        None => return None,
    };
    // What the graph has divides floating point numbers, which these are not.
    let refused = reason == DIVIDES || !super::BY_NAME.contains_key(operator);
    Some(refused.then_some(reason))
}

/// What bounds the time that an operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// What it makes, if anything: otherwise its result shares the memory of its first argument.
    View,
    /// What it is given and what it makes.
    Linear,
    /// The product of both, as of a matrix product or a window that slides.
    Product,
}

/// Operators that look at each entry a few times, besides those that libtorch says it of.
const LINEAR: &[&str] = &[
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "broadcast_tensors",
    "cat",
    "clone",
    "concat",
    "concatenate",
    "constant_pad_nd",
    "copy",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "diag",
    "diag_embed",
    "diff",
    "div",
    "eye",
    "fill",
    "flip",
    "full",
    "full_like",
    "gather",
    "hstack",
    "index",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_select",
    "linspace",
    "logspace",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "max",
    "mean",
    "meshgrid",
    "min",
    "mul",
    "nonzero",
    "norm",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pow",
    "prod",
    "reflection_pad1d",
    "reflection_pad2d",
    "repeat",
    "repeat_interleave",
    "replication_pad1d",
    "replication_pad2d",
    "roll",
    "rot90",
    "rsub",
    "scatter",
    "scatter_add",
    "select_scatter",
    "slice_scatter",
    "softmax",
    "sort",
    "stack",
    "std",
    "std_mean",
    "sub",
    "sum",
    "take",
    "take_along_dim",
    "tile",
    "topk",
    "tril",
    "triu",
    "var",
    "var_mean",
    "vstack",
    "where",
    "zero",
    "zeros",
    "zeros_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_empty",
    "empty",
    "empty_like",
];

pub(super) fn cost(operator: &str, traits: Traits) -> Cost {
    let name = operator.strip_prefix("aten::").unwrap_or(operator);
    match traits {
        _ if traits.is_view() => Cost::View,
        _ if traits.is_pointwise() || LINEAR.contains(&name) => Cost::Linear,
        _ => Cost::Product,
    }
}

/// What [`refusal`] refuses, for the documentation: names with `*` for the rest, and why.
pub(super) fn refused() -> Vec<(String, &'static str)> {
    let form = |part: &Part| match part {
        Part::Whole(name) => format!("aten::{name}"),
        Part::Start(start) => format!("aten::{start}*"),
        Part::Within(part) => format!("aten::*{part}*"),
    };
    REFUSED.iter().map(|(part, reason)| (form(part), *reason)).collect()
}
