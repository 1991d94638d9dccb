//! The module as the C++ shim describes it: objects with attributes, and code as nested blocks of nodes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Everything that is read from a file besides the tensors.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    pub metadata: BTreeMap<String, String>,
    /// Code by qualified name, `class.method` or the name of a function.
    pub functions: BTreeMap<String, Function>,
    /// The first is the network.
    pub objects: Vec<Object>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function {
    /// Names of the arguments, `self` first in methods.
    pub names: Vec<String>,
    /// Kinds of the arguments' types, for example `TensorType`.
    pub types: Vec<String>,
    pub defaults: Vec<Literal>,
    pub body: Block,
}

#[derive(Debug, Deserialize)]
pub(super) struct Block {
    pub inputs: Vec<usize>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    /// For example `aten::conv2d` or `prim::If`.
    pub kind: String,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// The attribute of `prim::GetAttr`, the method of `prim::CallMethod`.
    pub name: Option<String>,
    /// Of `prim::Constant`.
    pub value: Option<Literal>,
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// Names of the inputs by the operator's schema.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Which of the operator's schemas it is.
    #[serde(default)]
    pub overload: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub class: String,
    pub module: bool,
    pub attributes: Vec<(String, AttributeKind, Literal)>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum AttributeKind {
    Parameter,
    Buffer,
    Attribute,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Literal {
    None,
    Bool(bool),
    Int(i64),
    /// Bits of the number.
    Float(i64),
    String(String),
    Tensor(TensorLiteral),
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
    /// Index into [`Description::objects`].
    Object(usize),
    Function(String),
    /// A kind of value that a network does not need to be understood, for example a random generator.
    Other(String),
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct TensorLiteral {
    /// Position among the tensors that cross beside the description.
    pub index: usize,
    /// Address, offset and strides: two names with the same are one tensor.
    pub identity: Vec<i64>,
}
