//! Why a node cannot be read.

use std::rc::Rc;

use eagleeye_graph::reading::Refusal;
use eagleeye_graph::{BuildError, Unsupported};

use crate::error::OnnxError;

/// Why a node cannot be turned into graph nodes.
#[derive(Debug)]
pub(super) enum Fault {
    /// The engine does not have this form of the operator. All of them are collected.
    Unsupported(String),
    /// The node is wrong for the given input shape.
    Build(Box<BuildError>),
    Invalid(String),
    /// A result of something that was already noted.
    Unknown,
    /// A result that another operator does not give.
    Missing(Rc<Unsupported>),
    Fatal(Box<OnnxError>),
}

impl From<BuildError> for Fault {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
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

impl From<OnnxError> for Fault {
    fn from(error: OnnxError) -> Self {
        Self::Fatal(Box::new(error))
    }
}

pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unsupported(reason.into()))
}

pub(super) fn invalid<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Invalid(reason.into()))
}
