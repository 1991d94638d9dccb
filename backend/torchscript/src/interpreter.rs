//! Runs the network's code symbolically: control flow is followed, numbers are computed, tensor operations become nodes.
//!
//! This is not libtorch's interpreter: no operator of the file is executed on activations or weights, every step is counted,
//! and what depends on an activation's values is refused. Following calls and loops here, instead of letting libtorch inline
//! and unroll them, keeps module paths as node names and bounds the work that a hostile file can ask for.

use std::collections::HashMap;
use std::rc::Rc;

use eagleeye_graph::Unsupported;
use tch::Tensor;

use super::call::{Call, note};
use super::description::{AttributeKind, Block, Description, Literal, Node};
use super::error::TorchScriptError;
use super::fault::Fault;
use super::known::known;
use super::lowering::Lowering;
use super::operators;
use super::value::{Content, TensorRef, Value};
use super::weight;
use crate::tensors::is_float;

/// Far more operations than any classifier has (EfficientNet-B7 takes some 20,000), far fewer than take a second.
const MAX_STEPS: usize = 3_000_000;
/// What a node of the graph counts: it is looked at again and again after reading.
const STEPS_OF_A_NODE: usize = 20;
/// Items of containers and characters of texts that are looked at in the time of an operation.
const ITEMS_IN_A_STEP: usize = 64;
/// Modules, functions and blocks inside each other.
const MAX_DEPTH: usize = 200;
/// Characters of the path of a module. One that holds itself has any number of paths.
const MAX_PATH: usize = 1 << 13;

pub(super) struct Interpreter<'a> {
    description: &'a Description,
    tensors: &'a [Tensor],
    /// Stored tensors by position, as the values that reading their attribute gives.
    stored: HashMap<usize, Value>,
    pub lowering: Lowering,
    pub unsupported: Vec<Unsupported>,
    /// Attributes that the code has set.
    changed: HashMap<(usize, String), Value>,
    frames: Vec<Frame>,
    steps: usize,
}

/// A module whose method runs.
struct Frame {
    path: Rc<str>,
    /// A module without submodules gives its own name to its operation.
    leaf: bool,
}

type Environment = HashMap<usize, Value>;

impl<'a> Interpreter<'a> {
    pub fn new(
        description: &'a Description,
        tensors: &'a [Tensor],
        stored: HashMap<usize, Value>,
        lowering: Lowering,
    ) -> Self {
        Self {
            description,
            tensors,
            stored,
            lowering,
            unsupported: Vec::new(),
            changed: HashMap::new(),
            frames: Vec::new(),
            steps: 0,
        }
    }

    /// Calls the network's `forward` with everything behind `self`.
    pub fn run(&mut self, inputs: Vec<Value>) -> Result<Value, TorchScriptError> {
        let network = Value::Object(0, "".into());
        self.method(&network, "forward", inputs)
    }

    fn method(&mut self, object: &Value, name: &str, rest: Vec<Value>) -> Result<Value, TorchScriptError> {
        let Value::Object(index, path) = object else {
            return Err(TorchScriptError::Missing { what: format!("method `{name}` of {}", object.describe()) });
        };
        let class = &self.object(*index)?.class;
        let leaf = !self.object(*index)?.attributes.iter().any(|(_, _, v)| matches!(v, Literal::Object(_)));
        self.frames.push(Frame { path: Rc::clone(path), leaf });
        let mut arguments = vec![object.clone()];
        arguments.extend(rest);
        let result = self.function(&format!("{class}.{name}"), arguments);
        self.frames.pop();
        result
    }

    fn function(&mut self, name: &str, arguments: Vec<Value>) -> Result<Value, TorchScriptError> {
        let found = self.description.functions.get(name);
        let function = found.ok_or_else(|| TorchScriptError::Missing { what: format!("function `{name}`") })?;
        let mut environment: Environment = function.body.inputs.iter().copied().zip(arguments).collect();
        self.block(&function.body, &mut environment, 0)?;
        let outputs =
            function.body.outputs.iter().map(|id| lookup(&environment, *id)).collect::<Result<Vec<_>, _>>()?;
        Ok(outputs.into_iter().next().unwrap_or(Value::None))
    }

    fn block(&mut self, block: &Block, environment: &mut Environment, depth: usize) -> Result<(), TorchScriptError> {
        if depth + self.frames.len() > MAX_DEPTH {
            return Err(TorchScriptError::TooComplex(format!("calls and blocks nested more than {MAX_DEPTH} deep")));
        }
        for node in &block.nodes {
            self.step()?;
            match node.kind.as_str() {
                "prim::If" => self.branch(node, environment, depth)?,
                "prim::Loop" => self.repeat(node, environment, depth)?,
                _ => {
                    let result = self.node(node, environment)?;
                    let result = if node.outputs.len() > 1 { self.spread(node, result) } else { result };
                    bind(node, result, environment);
                }
            }
        }
        Ok(())
    }

    fn branch(&mut self, node: &Node, environment: &mut Environment, depth: usize) -> Result<(), TorchScriptError> {
        let condition = lookup(environment, first(node)?)?;
        let [then, otherwise] = &node.blocks[..] else {
            return Err(TorchScriptError::Description("an `if` without both of its blocks".into()));
        };
        let Some(holds) = operators::truth(&condition) else {
            if let Some(cause) = condition.missing() {
                self.unsupported.push((*cause).clone());
            } else if !condition.is_unknown() {
                self.note(node, "branches on the values of an activation".into());
            }
            bind(node, Value::Unknown, environment);
            return Ok(());
        };
        let chosen = if holds { then } else { otherwise };
        self.block(chosen, environment, depth + 1)?;
        self.carry(&chosen.outputs, &node.outputs, environment)
    }

    fn repeat(&mut self, node: &Node, environment: &mut Environment, depth: usize) -> Result<(), TorchScriptError> {
        let ([most, condition, carried @ ..], [body]) = (&node.inputs[..], &node.blocks[..]) else {
            return Err(TorchScriptError::Description("a loop without a body".into()));
        };
        let most = lookup(environment, *most)?;
        let mut condition = operators::truth(&lookup(environment, *condition)?);
        let Value::Int(most) = most else {
            self.note(node, "loops a number of times that depends on the values of an activation".into());
            bind(node, Value::Unknown, environment);
            return Ok(());
        };
        let (Some(most), Some(inputs)) = (most.known(), body.inputs.get(1..)) else {
            self.note(node, "loops a number of times that depends on the batch size".into());
            bind(node, Value::Unknown, environment);
            return Ok(());
        };
        self.carry(carried, inputs, environment)?;
        let mut round = 0;
        while round < most && condition == Some(true) {
            environment.insert(body.inputs[0], Value::int(round));
            self.block(body, environment, depth + 1)?;
            let [next, results @ ..] = &body.outputs[..] else {
                return Err(TorchScriptError::Description("a loop body without a condition".into()));
            };
            condition = operators::truth(&lookup(environment, *next)?);
            self.carry(results, inputs, environment)?;
            round += 1;
            // A body can be empty.
            self.step()?;
        }
        if condition.is_none() {
            self.note(node, "loops on a condition that depends on the values of an activation".into());
            bind(node, Value::Unknown, environment);
            return Ok(());
        }
        self.carry(inputs, &node.outputs, environment)
    }

    /// Copies values from one list of names to another, all at once.
    fn carry(&self, from: &[usize], to: &[usize], environment: &mut Environment) -> Result<(), TorchScriptError> {
        let values = from.iter().map(|id| lookup(environment, *id)).collect::<Result<Vec<_>, _>>()?;
        environment.extend(to.iter().copied().zip(values));
        Ok(())
    }

    fn step(&mut self) -> Result<(), TorchScriptError> {
        self.charge(ITEMS_IN_A_STEP)
    }

    /// Counts work that grows with the size of a value.
    fn charge(&mut self, items: usize) -> Result<(), TorchScriptError> {
        self.steps += items / ITEMS_IN_A_STEP;
        if self.steps > MAX_STEPS { Err(TorchScriptError::TooLong(MAX_STEPS)) } else { Ok(()) }
    }

    fn node(&mut self, node: &Node, environment: &Environment) -> Result<Value, TorchScriptError> {
        let arguments = node.inputs.iter().map(|id| lookup(environment, *id)).collect::<Result<Vec<_>, _>>()?;
        let name = node.name.as_deref().unwrap_or_default();
        match node.kind.as_str() {
            "prim::Constant" => {
                let literal = node.value.as_ref().unwrap_or(&Literal::None);
                self.charge(weight::of_literal(literal))?;
                let value = self.literal(literal)?;
                if let (Literal::Tensor(tensor), Value::Tensor(copy)) = (literal, &value)
                    && let (Some(original), Some(Content::Known(copy))) =
                        (self.tensors.get(tensor.index), copy.content())
                {
                    self.lowering.file_constants.remember(tensor, original, &copy);
                }
                Ok(value)
            }
            "prim::GetAttr" => self.attribute(arguments.first().unwrap_or(&Value::None), name),
            "prim::SetAttr" => {
                if let [Value::Object(object, _), value] = &arguments[..] {
                    self.changed.insert((*object, name.to_owned()), value.clone());
                }
                Ok(Value::None)
            }
            "prim::CallMethod" => match arguments.split_first() {
                Some((Value::Unknown, _)) | None => Ok(Value::Unknown),
                Some((object, rest)) => self.method(object, name, rest.to_vec()),
            },
            "prim::CallFunction" => match arguments.split_first() {
                Some((Value::Function(function), rest)) => {
                    let function = Rc::clone(function);
                    self.frames.push(self.same_frame());
                    let result = self.function(&function, rest.to_vec());
                    self.frames.pop();
                    result
                }
                _ => Ok(Value::Unknown),
            },
            "prim::RaiseException" => Err(TorchScriptError::Raised {
                node: self.path().to_owned(),
                text: arguments.first().and_then(operators::text).unwrap_or_default(),
            }),
            _ => self.operator(node, arguments),
        }
    }

    fn operator(&mut self, node: &Node, arguments: Vec<Value>) -> Result<Value, TorchScriptError> {
        self.charge(weight::of_values(&arguments)?)?;
        let short = node.kind.rsplit("::").next().unwrap_or(&node.kind);
        let call = Call {
            operator: operators::base_name(&node.kind),
            overload: &node.overload,
            name: self.node_name(short.trim_end_matches('_')),
            arguments,
            names: &node.arguments,
        };
        let before = self.lowering.pushed;
        let result = operators::lower(&mut self.lowering, &node.kind, &call);
        self.steps += (self.lowering.pushed - before) * STEPS_OF_A_NODE;
        match result {
            Ok(value) => Ok(value),
            Err(Fault::Unknown) => Ok(Value::Unknown),
            Err(Fault::Missing(cause)) => {
                self.unsupported.push((*cause).clone());
                Ok(Value::Unknown)
            }
            Err(Fault::Unsupported(reason)) => {
                self.unsupported.push(note(&node.kind, &call.name, reason));
                Ok(Value::Unknown)
            }
            Err(Fault::Build(error)) => Err(TorchScriptError::Shape { shape: Vec::new(), error }),
            Err(Fault::Invalid(reason)) => {
                Err(TorchScriptError::Invalid { operator: node.kind.clone(), node: call.name, reason })
            }
            Err(Fault::Fatal(error)) => Err(error),
        }
    }

    /// The outputs of a node that has several. Those that the engine does not have are not there to be used; the others are.
    fn spread(&mut self, node: &Node, result: Value) -> Value {
        let unpacked =
            result.items().filter(|items| node.kind.ends_with("Unpack") && items.len() != node.outputs.len());
        if let Some(items) = unpacked {
            self.note(node, format!("unpacks {} items into {}", items.len(), node.outputs.len()));
            return Value::Unknown;
        }
        let mut items = match &result {
            Value::Tensor(_) => vec![result.clone()],
            Value::Tuple(items) if !matches!(items[..], [Value::Unknown, ..]) => items.to_vec(),
            _ => return result,
        };
        if !node.kind.starts_with("aten::") {
            return result;
        }
        let short = node.kind.rsplit("::").next().unwrap_or(&node.kind);
        let reason = "an output other than its first is used, which is not supported".to_owned();
        let missing = Value::Missing(Rc::new(note(&node.kind, &self.node_name(short), reason)));
        items.resize(node.outputs.len(), missing.clone());
        for item in items.iter_mut().filter(|item| matches!(item, Value::Unknown)) {
            *item = missing.clone();
        }
        Value::tuple(items)
    }

    fn attribute(&mut self, object: &Value, name: &str) -> Result<Value, TorchScriptError> {
        let Value::Object(index, path) = object else {
            return match object {
                Value::Unknown => Ok(Value::Unknown),
                other => Err(TorchScriptError::Missing { what: format!("attribute `{name}` of {}", other.describe()) }),
            };
        };
        if let Some(value) = self.changed.get(&(*index, name.to_owned())) {
            return Ok(value.clone());
        }
        let object = self.object(*index)?;
        let found = object.attributes.iter().find(|(attribute, _, _)| attribute == name);
        let (_, kind, literal) =
            found.ok_or_else(|| TorchScriptError::Missing { what: format!("attribute `{path}.{name}`") })?;
        match literal {
            // The network is read as `eval()` leaves it.
            Literal::Bool(_) if name == "training" && object.module => Ok(Value::Bool(false)),
            Literal::Object(_) if path.len() > MAX_PATH => {
                Err(TorchScriptError::TooComplex(format!("a module path of more than {MAX_PATH} characters")))
            }
            Literal::Object(child) => Ok(Value::Object(*child, joined(path, name))),
            Literal::Tensor(tensor) => match self.stored.get(&tensor.index) {
                Some(value) => Ok(value.clone()),
                None => self.literal(literal),
            },
            other if *kind == AttributeKind::Attribute => {
                self.charge(weight::of_literal(other))?;
                let value = self.literal(other)?;
                // Lists and dicts of a module have identity.
                self.changed.insert((*index, name.to_owned()), value.clone());
                Ok(value)
            }
            other => {
                self.charge(weight::of_literal(other))?;
                self.literal(other)
            }
        }
    }

    fn literal(&self, literal: &Literal) -> Result<Value, TorchScriptError> {
        let all = |items: &[Literal]| items.iter().map(|item| self.literal(item)).collect::<Result<Vec<_>, _>>();
        Ok(match literal {
            Literal::None => Value::None,
            Literal::Bool(flag) => Value::Bool(*flag),
            Literal::Int(number) => Value::int(*number),
            Literal::Float(bits) => Value::Float(f64::from_bits(bits.cast_unsigned())),
            Literal::String(text) => Value::String(text.as_str().into()),
            // A copy, because the code may change it in place.
            Literal::Tensor(tensor) => match self.tensors.get(tensor.index) {
                Some(stored) => known(stored.f_detach_copy()?),
                None => return Err(TorchScriptError::Missing { what: format!("tensor {}", tensor.index) }),
            },
            Literal::Tuple(items) => Value::tuple(all(items)?),
            Literal::List(items) => Value::list(all(items)?),
            Literal::Dict(items) => {
                let entry = |(key, value): &(Literal, Literal)| Ok((self.literal(key)?, self.literal(value)?));
                let items = items.iter().map(entry).collect::<Result<Vec<_>, TorchScriptError>>()?;
                Value::Dict(Rc::new(items.into()))
            }
            Literal::Object(index) => Value::Object(*index, format!("object{index}").into()),
            Literal::Function(name) => Value::Function(name.as_str().into()),
            Literal::Other(kind) => Value::Other(kind.as_str().into()),
        })
    }

    fn object(&self, index: usize) -> Result<&'a super::description::Object, TorchScriptError> {
        let found = self.description.objects.get(index);
        found.ok_or_else(|| TorchScriptError::Missing { what: format!("object {index}") })
    }

    fn path(&self) -> &str {
        self.frames.last().map_or("", |frame| &frame.path)
    }

    fn same_frame(&self) -> Frame {
        match self.frames.last() {
            Some(frame) => Frame { path: Rc::clone(&frame.path), leaf: frame.leaf },
            None => Frame { path: "".into(), leaf: false },
        }
    }

    /// `layer1.0.conv1` for what a leaf module does, `layer1.0.add` for what a module does between its submodules.
    fn node_name(&self, operator: &str) -> String {
        match self.frames.last() {
            Some(frame) if !frame.path.is_empty() && frame.leaf => frame.path.to_string(),
            Some(frame) if !frame.path.is_empty() => format!("{}.{operator}", frame.path),
            _ => operator.to_owned(),
        }
    }

    fn note(&mut self, node: &Node, reason: String) {
        let short = node.kind.rsplit("::").next().unwrap_or(&node.kind);
        let name = self.node_name(short);
        self.unsupported.push(note(&node.kind, &name, reason));
    }
}

fn joined(path: &str, name: &str) -> Rc<str> {
    if path.is_empty() { name.into() } else { format!("{path}.{name}").into() }
}

fn first(node: &Node) -> Result<usize, TorchScriptError> {
    let found = node.inputs.first().copied();
    found.ok_or_else(|| TorchScriptError::Description(format!("{} without an input", node.kind)))
}

fn lookup(environment: &Environment, id: usize) -> Result<Value, TorchScriptError> {
    let found = environment.get(&id).cloned();
    found.ok_or_else(|| TorchScriptError::Description(format!("value {id} is used before it is defined")))
}

/// Gives a node's result to its outputs; several outputs take a tuple apart.
fn bind(node: &Node, result: Value, environment: &mut Environment) {
    match (&node.outputs[..], result) {
        ([], _) => {}
        ([one], value) => {
            environment.insert(*one, value);
        }
        (several, value) => {
            let items = value.items().filter(|items| items.len() == several.len());
            let items = items.unwrap_or_else(|| vec![Value::Unknown; several.len()]);
            environment.extend(several.iter().copied().zip(items));
        }
    }
}

/// The values that reading a stored tensor gives: float tensors are graph values, others can also be computed with.
pub(super) fn stored_value(id: eagleeye_graph::ValueId, tensor: &Tensor) -> Value {
    if is_float(tensor.kind()) {
        Value::Tensor(TensorRef::new(Content::Graph(id)))
    } else {
        Value::Tensor(TensorRef::new(Content::Known(tensor.copy())))
    }
}

/// A default argument that is not a tensor.
pub(super) fn plain(literal: &Literal) -> Option<Value> {
    Some(match literal {
        Literal::None => Value::None,
        Literal::Bool(flag) => Value::Bool(*flag),
        Literal::Int(number) => Value::int(*number),
        Literal::Float(bits) => Value::Float(f64::from_bits(bits.cast_unsigned())),
        Literal::String(text) => Value::String(text.as_str().into()),
        _ => return None,
    })
}
