//! Why an operator call cannot be read.

use std::rc::Rc;

use eagleeye_graph::reading::Refusal;
use eagleeye_graph::{BuildError, Unsupported};

use super::error::TorchScriptError;
use super::value::Value;

/// Why a call cannot be turned into graph nodes.
#[derive(Debug)]
pub(super) enum Fault {
    /// The engine does not have this form of the operator. All of them are collected.
    Unsupported(String),
    /// The call is wrong for the given input shape.
    Build(BuildError),
    Invalid(String),
    /// A result of something that was already noted.
    Unknown,
    /// A result that another operator does not give.
    Missing(Rc<Unsupported>),
    Fatal(TorchScriptError),
}

impl From<BuildError> for Fault {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unsupported(reason) => Self::Unsupported(reason),
            Refusal::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

impl From<tch::TchError> for Fault {
    fn from(error: tch::TchError) -> Self {
        Self::Invalid(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

impl From<TorchScriptError> for Fault {
    fn from(error: TorchScriptError) -> Self {
        Self::Fatal(error)
    }
}

pub(super) type Lowered<T = Value> = Result<T, Fault>;

pub(super) fn unsupported<T>(reason: impl Into<String>) -> Lowered<T> {
    Err(Fault::Unsupported(reason.into()))
}
