//! Functions of single entries that ONNX has under one name: read and written by this table.

use eagleeye_graph::Unary;

macro_rules! functions {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// ONNX's operator (opset 17 or before) and the function that it is.
        pub(crate) const FUNCTIONS: &[(&str, Unary)] = &[$(($name, Unary::$variant)),*];

        /// ONNX's operator for a function, where it is one without attributes.
        pub(crate) fn name(function: Unary) -> Option<&'static str> {
            match function {
                $(Unary::$variant => Some($name),)*
                Unary::Clamp(..) | Unary::LeakyRelu(_) | Unary::Elu(_) | Unary::HardSigmoid { .. } | Unary::Selu
                | Unary::Silu | Unary::Gelu { .. } | Unary::Mish | Unary::AddScalar(_) | Unary::MulScalar(_)
                | Unary::PowScalar(_) => None,
            }
        }
    };
}

functions! {
    Relu "Relu",
    Sigmoid "Sigmoid",
    HardSwish "HardSwish",
    Softplus "Softplus",
    Tanh "Tanh",
    Erf "Erf",
    Exp "Exp",
    Log "Log",
    Sqrt "Sqrt",
    Neg "Neg",
    Abs "Abs",
    Reciprocal "Reciprocal",
    Sign "Sign",
    Floor "Floor",
    Ceil "Ceil",
    Round "Round",
    Sin "Sin",
    Cos "Cos",
    Tan "Tan",
    Asin "Asin",
    Acos "Acos",
    Atan "Atan",
    Sinh "Sinh",
    Cosh "Cosh",
    Asinh "Asinh",
    Acosh "Acosh",
    Atanh "Atanh",
}

/// The function of an operator of ONNX.
pub(crate) fn named(operator: &str) -> Option<Unary> {
    FUNCTIONS.iter().find(|(name, _)| *name == operator).map(|(_, function)| *function)
}
