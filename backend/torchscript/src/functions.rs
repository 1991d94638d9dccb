//! Functions of single entries that PyTorch has under one name: read, computed and written by this table.

use eagleeye_graph::Unary;
use tch::{TchError, Tensor};

macro_rules! functions {
    ($($variant:ident $name:literal $method:ident),* $(,)?) => {
        /// PyTorch's operator and the function that it is.
        pub const FUNCTIONS: &[(&str, Unary)] = &[$(($name, Unary::$variant)),*];

        /// The function's values, or an error for a function with parameters of its own.
        pub fn compute(function: Unary, x: &Tensor) -> Result<Tensor, TchError> {
            match function {
                $(Unary::$variant => x.$method(),)*
                Unary::Softplus
                | Unary::Clamp(..) | Unary::LeakyRelu(_) | Unary::Elu(_) | Unary::HardSigmoid { .. }
                | Unary::Gelu { .. } | Unary::AddScalar(_) | Unary::MulScalar(_) | Unary::PowScalar(_) => {
                    Err(TchError::Kind(format!("{} needs its parameters", function.name())))
                }
            }
        }
    };
}

functions! {
    Relu "aten::relu" f_relu,
    Sigmoid "aten::sigmoid" f_sigmoid,
    HardSwish "aten::hardswish" f_hardswish,
    Silu "aten::silu" f_silu,
    Selu "aten::selu" f_selu,
    Mish "aten::mish" f_mish,
    Tanh "aten::tanh" f_tanh,
    Erf "aten::erf" f_erf,
    Exp "aten::exp" f_exp,
    Log "aten::log" f_log,
    Sqrt "aten::sqrt" f_sqrt,
    Neg "aten::neg" f_neg,
    Abs "aten::abs" f_abs,
    Reciprocal "aten::reciprocal" f_reciprocal,
    Sign "aten::sign" f_sign,
    Floor "aten::floor" f_floor,
    Ceil "aten::ceil" f_ceil,
    Round "aten::round" f_round,
    Sin "aten::sin" f_sin,
    Cos "aten::cos" f_cos,
    Tan "aten::tan" f_tan,
    Asin "aten::asin" f_asin,
    Acos "aten::acos" f_acos,
    Atan "aten::atan" f_atan,
    Sinh "aten::sinh" f_sinh,
    Cosh "aten::cosh" f_cosh,
    Asinh "aten::asinh" f_asinh,
    Acosh "aten::acosh" f_acosh,
    Atanh "aten::atanh" f_atanh,
}

/// The function of an operator of PyTorch.
pub fn named(operator: &str) -> Option<Unary> {
    FUNCTIONS.iter().find(|(name, _)| *name == operator).map(|(_, function)| *function)
}

/// PyTorch's operator for a function without parameters.
pub fn name(function: Unary) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(_, found)| *found == function).map(|(name, _)| *name)
}
