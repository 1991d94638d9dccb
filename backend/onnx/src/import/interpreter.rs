//! Runs the nodes of a file symbolically: functions are entered, branches with a known condition are taken.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use eagleeye_graph::{ElementType, Unsupported};

use super::call::{Call, Lowered, Value, cut};
use super::fault::Fault;
use super::lowering::Lowering;
use super::operators;
use super::tensor;
use super::uses::Uses;
use crate::error::OnnxError;
use crate::proto::tensor_proto::DataType;
use crate::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// Nodes, inputs and attributes that are looked at at most, those of functions at every call. The largest networks in use have
/// some ten thousand nodes.
const MAX_STEPS: usize = 1 << 20;
/// Entries of the largest tensor that is looked through for different ones.
const MAX_UNIFORM: i64 = 1 << 16;
/// Functions that call functions, and branches within branches.
const MAX_DEPTH: usize = 32;
/// The operator sets whose operators are known to be read right.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=24;

type FunctionKey<'a> = (&'a str, &'a str, &'a str);

pub(super) struct Interpreter<'a> {
    pub lowering: Lowering<'a>,
    pub unsupported: Vec<Unsupported>,
    functions: HashMap<FunctionKey<'a>, &'a FunctionProto>,
    opset: i64,
    uses: &'a Uses<'a>,
    steps: usize,
}

/// Names and attributes that a function or the network itself sees.
pub(super) struct Frame<'a> {
    /// Innermost branch last.
    scopes: Vec<HashMap<&'a str, Value>>,
    attributes: BTreeMap<&'a str, &'a AttributeProto>,
    /// Element types of tensors that were cast: casts are no nodes of the graph.
    elements: HashMap<&'a str, ElementType>,
    opset: i64,
    /// In front of the names of nodes: the function's call.
    prefix: String,
    depth: usize,
}

impl<'a> Frame<'a> {
    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    /// The element type that a tensor was cast to.
    pub fn element(&self, name: &str) -> Option<ElementType> {
        self.elements.get(name).copied()
    }

    /// Gives a name to a tensor. No name has two meanings at one place.
    pub fn bind(&mut self, name: &'a str, value: Value) -> Result<(), OnnxError> {
        if self.get(name).is_some() {
            return Err(OnnxError::DuplicateName(name.to_owned()));
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name, value);
        }
        Ok(())
    }
}

impl<'a> Interpreter<'a> {
    pub fn new(model: &'a ModelProto, lowering: Lowering<'a>, uses: &'a Uses<'a>) -> Result<Self, OnnxError> {
        let key = |f: &'a FunctionProto| (f.domain(), f.name(), f.overload());
        Ok(Self {
            lowering,
            unsupported: Vec::new(),
            functions: model.functions.iter().map(|f| (key(f), f)).collect(),
            opset: opset(&model.opset_import)?,
            uses,
            steps: 0,
        })
    }

    /// The frame of the network itself.
    pub fn frame(&self) -> Frame<'a> {
        Frame {
            scopes: vec![HashMap::new()],
            attributes: BTreeMap::new(),
            elements: HashMap::new(),
            opset: self.opset,
            prefix: String::new(),
            depth: 0,
        }
    }

    /// Makes a graph's initializers known in a frame.
    pub fn store(&mut self, graph: &'a GraphProto, frame: &mut Frame<'a>) -> Result<(), OnnxError> {
        if let Some(sparse) = graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().map_or("", |v| v.name()).to_owned();
            return Err(OnnxError::Tensor { name, reason: "is sparse, which is not supported".into() });
        }
        for tensor in &graph.initializer {
            let value = self.lowering.store(tensor, self.uses).map_err(|fault| fatal(fault, tensor.name()))?;
            frame.bind(tensor.name(), value)?;
        }
        Ok(())
    }

    /// Runs nodes in order.
    pub fn run(&mut self, nodes: &'a [NodeProto], frame: &mut Frame<'a>) -> Result<(), OnnxError> {
        for node in nodes {
            self.steps = self.steps.saturating_add(steps(node));
            if self.steps > MAX_STEPS {
                return Err(OnnxError::TooLong(MAX_STEPS));
            }
            self.step(node, frame)?;
        }
        Ok(())
    }

    fn step(&mut self, node: &'a NodeProto, frame: &mut Frame<'a>) -> Result<(), OnnxError> {
        let call = call(node, frame)?;
        for (name, value) in node.input.iter().zip(&call.inputs) {
            if let Value::Graph(id) = value {
                self.lowering.draft.builder.seen_as(*id, frame.element(name));
            }
        }
        let outputs = match self.outputs(node, &call, frame) {
            Ok(outputs) => outputs,
            Err(fault) => self.failed(fault, node, &call)?,
        };
        for (index, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let value = match outputs.get(index) {
                None | Some(Value::Unavailable) => missing(node, &call, index),
                Some(value) => value.clone(),
            };
            if let Some(element) = self.cast(node, &value, frame) {
                frame.elements.insert(name, element);
            }
            frame.bind(name, value)?;
        }
        Ok(())
    }

    /// The element type of a result that is the same graph value as the first input: what it was cast to, here or before.
    fn cast(&self, node: &NodeProto, value: &Value, frame: &Frame) -> Option<ElementType> {
        let Value::Graph(id) = value else { return None };
        match node.op_type() {
            "Cast" => {
                let to = node.attribute.iter().find(|attribute| attribute.name() == "to")?.i();
                tensor::element(DataType::try_from(i32::try_from(to).ok()?).ok()?)
            }
            "CastLike" => match frame.get(node.input.get(1)?)? {
                Value::Graph(like) => frame.element(&node.input[1]).or(self.lowering.draft.builder.element(*like)),
                _ => None,
            },
            _ => {
                let first = node.input.first()?;
                matches!(frame.get(first), Some(Value::Graph(input)) if input == id).then(|| frame.element(first))?
            }
        }
    }

    fn outputs(&mut self, node: &'a NodeProto, call: &Call<'a>, frame: &mut Frame<'a>) -> Lowered {
        if let Some(function) = self.functions.get(&(node.domain(), node.op_type(), node.overload())) {
            return self.function(function, call, frame);
        }
        if is_quantised(node.op_type()) {
            let (operator, node) = (cut(node.op_type()), call.name.clone());
            return Err(OnnxError::Quantised { operator, node }.into());
        }
        if !is_onnx(node.domain()) {
            return Err(Fault::Unsupported(foreign(node.domain()).to_owned()));
        }
        if call.operator == "If" {
            return self.branch(call, frame);
        }
        if call.operator == "Constant"
            && let (Some(name), Some(tensor)) = (node.output.first(), call.tensor("value"))
            && self.uses.weights.contains(name.as_str())
            && !self.is_uniform(tensor)?
        {
            return Ok(vec![self.lowering.store_as(name, tensor, self.uses)?]);
        }
        operators::lower(&mut self.lowering, call)
    }

    /// Whether all entries of a small tensor are the same: then somebody wrote out a norm without an affine.
    fn is_uniform(&self, tensor: &TensorProto) -> Lowered<bool> {
        let size = tensor.dims.iter().try_fold(1i64, |all, &size| all.checked_mul(size));
        let small = size.is_some_and(|size| (2..=MAX_UNIFORM).contains(&size));
        Ok(small && tensor::known(tensor, self.lowering.folder())?.is_uniform())
    }

    /// Enters a function of the file.
    fn function(&mut self, function: &'a FunctionProto, call: &Call<'a>, frame: &Frame<'a>) -> Lowered {
        let mut attributes: BTreeMap<&str, &AttributeProto> =
            function.attribute_proto.iter().map(|a| (a.name(), a)).collect();
        attributes.extend(&call.attributes);
        let opset = if function.opset_import.iter().any(|o| is_onnx(o.domain())) {
            opset(&function.opset_import)?
        } else {
            frame.opset
        };
        let prefix = cut(&format!("{}/", call.name));
        let mut inner = Frame {
            scopes: vec![HashMap::new()],
            attributes,
            elements: HashMap::new(),
            opset,
            prefix,
            depth: deeper(frame)?,
        };
        for (index, name) in function.input.iter().enumerate() {
            inner.bind(name, call.input(index).clone())?;
        }
        self.run(&function.node, &mut inner)?;
        results(function.output.iter().map(String::as_str), &inner, call)
    }

    /// Takes a branch whose condition is known. It sees all names around it.
    fn branch(&mut self, call: &Call<'a>, frame: &mut Frame<'a>) -> Lowered {
        let condition = self.lowering.known(call, 0)?.number();
        let taken = match condition {
            Some(condition) => {
                if condition != 0.0 {
                    "then_branch"
                } else {
                    "else_branch"
                }
            }
            None => return Err(Fault::Unsupported("a condition that is not a single boolean".into())),
        };
        let graph = call.attributes.get(taken).and_then(|a| a.g.as_ref());
        let graph = graph.ok_or_else(|| Fault::Invalid(format!("has no {taken}")))?;
        let depth = frame.depth;
        frame.depth = deeper(frame)?;
        frame.scopes.push(HashMap::new());
        let done = self.store(graph, frame).and_then(|()| self.run(&graph.node, frame));
        let results = match done {
            Ok(()) => results(graph.output.iter().map(|o| o.name()), frame, call),
            Err(error) => Err(error.into()),
        };
        frame.scopes.pop();
        frame.depth = depth;
        results
    }

    /// Notes what is unsupported and goes on, to find everything else that is.
    fn failed(&mut self, fault: Fault, node: &NodeProto, call: &Call) -> Result<Vec<Value>, OnnxError> {
        let operator = if is_onnx(node.domain()) {
            node.op_type().to_owned()
        } else {
            format!("{}::{}", node.domain(), node.op_type())
        };
        match fault {
            Fault::Unsupported(reason) => {
                let (operator, reason) = (cut(&operator), cut(&reason));
                self.unsupported.push(Unsupported { operator, node: call.name.clone(), reason });
            }
            Fault::Unknown => {}
            Fault::Missing(cause) => self.unsupported.push((*cause).clone()),
            Fault::Build(error) => return Err(OnnxError::Shape { shape: Vec::new(), error }),
            Fault::Invalid(reason) => return Err(OnnxError::Invalid { operator, node: call.name.clone(), reason }),
            Fault::Fatal(error) => return Err(*error),
        }
        Ok(vec![Value::Unknown; node.output.len()])
    }
}

/// An output that the engine does not have.
fn missing(node: &NodeProto, call: &Call, index: usize) -> Value {
    let reason = format!("output {index} is used, but it is not computed");
    Value::Missing(Rc::new(Unsupported { operator: cut(node.op_type()), node: call.name.clone(), reason }))
}

/// What it costs to look at a node.
fn steps(node: &NodeProto) -> usize {
    let attribute = |a: &AttributeProto| 1 + a.ints.len() + a.floats.len();
    1 + node.input.len() + node.output.len() + node.attribute.iter().map(attribute).sum::<usize>()
}

/// The operator set of a list of versions.
fn opset(imports: &[crate::proto::OperatorSetIdProto]) -> Result<i64, OnnxError> {
    let found = imports.iter().filter(|o| is_onnx(o.domain())).map(|o| o.version()).max().unwrap_or(0);
    if OPSETS.contains(&found) {
        return Ok(found);
    }
    Err(OnnxError::Opset { found, oldest: *OPSETS.start(), newest: *OPSETS.end() })
}

/// Operators of quantised networks, in ONNX's own domain and that of ONNX Runtime.
fn is_quantised(operator: &str) -> bool {
    const PLAIN: [&str; 11] = [
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "ConvInteger",
        "QGemm",
        "QAttention",
        "MatMulNBits",
        "DequantizeBFP",
    ];
    PLAIN.contains(&operator) || operator.starts_with("QLinear")
}

/// What is known of an operator that is no part of the ONNX standard.
fn foreign(domain: &str) -> &'static str {
    match domain {
        _ if domain.starts_with("com.microsoft") => {
            "an operator that ONNX Runtime inserts when it optimises a network; upload the file from before the \
             optimisation"
        }
        "ai.onnx.ml" => "an ONNX-ML operator; ONNX-ML is for trees, tables and text, not for convolutional networks",
        _ => "a custom operator, which is not part of the ONNX standard",
    }
}

fn is_onnx(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// A node with its inputs and attributes; those of a function may come from its call.
fn call<'a>(node: &'a NodeProto, frame: &Frame<'a>) -> Result<Call<'a>, OnnxError> {
    let name = [node.name(), node.output.iter().find(|o| !o.is_empty()).map_or("", String::as_str), node.op_type()];
    let name = name.into_iter().find(|n| !n.is_empty()).unwrap_or_default();
    let name = cut(&format!("{}{name}", frame.prefix));
    let input = |tensor: &String| match tensor.as_str() {
        "" => Ok(Value::Absent),
        known => frame
            .get(known)
            .cloned()
            .ok_or_else(|| OnnxError::MissingTensor { node: name.clone(), tensor: cut(tensor) }),
    };
    let inputs = node.input.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    let attribute = |a: &'a AttributeProto| match a.ref_attr_name() {
        "" => Some((a.name(), a)),
        outer => frame.attributes.get(outer).map(|&given| (a.name(), given)),
    };
    Ok(Call {
        operator: node.op_type(),
        opset: frame.opset,
        inputs,
        input_names: &node.input,
        output_name: node.output.first().map_or("", String::as_str),
        outputs: node.output.iter().rposition(|o| !o.is_empty()).map_or(0, |last| last + 1),
        attributes: node.attribute.iter().filter_map(attribute).collect(),
        name,
    })
}

fn results<'a>(names: impl Iterator<Item = &'a str>, frame: &Frame, call: &Call) -> Lowered {
    let result = |name: &str| match frame.get(name) {
        Some(value) => Ok(value.clone()),
        None => Err(OnnxError::MissingTensor { node: call.name.clone(), tensor: cut(name) }.into()),
    };
    names.map(result).collect()
}

fn deeper(frame: &Frame) -> Result<usize, OnnxError> {
    if frame.depth < MAX_DEPTH { Ok(frame.depth + 1) } else { Err(OnnxError::TooDeep(MAX_DEPTH)) }
}

fn fatal(fault: Fault, name: &str) -> OnnxError {
    match fault {
        Fault::Fatal(error) => *error,
        Fault::Build(error) => OnnxError::Shape { shape: Vec::new(), error },
        Fault::Invalid(reason) | Fault::Unsupported(reason) => OnnxError::Tensor { name: name.to_owned(), reason },
        Fault::Missing(cause) => OnnxError::Unsupported(vec![(*cause).clone()]),
        Fault::Unknown => OnnxError::Tensor { name: name.to_owned(), reason: "is not known".into() },
    }
}
