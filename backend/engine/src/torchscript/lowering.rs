//! The graph under construction, as operator families see it: tensors become graph values, operations become nodes.

use std::collections::{HashMap, HashSet};

use eagleeye_graph::{
    Binary, BuildError, Count, Dim, ElementType, GraphBuilder, Op, ParameterKind, Reduction, Shape, Source, Unary,
    ValueId,
};
use tch::{Kind, Tensor};

use super::call::{Call, Fault, Lowered, unsupported};
use super::error::TorchScriptError;
use super::value::{Content, TensorRef, Value};

/// Elements that all constants of one network may compute. The attention masks of the largest Swin need less than half.
const MAX_COMPUTED: usize = 1 << 29;

/// Builds the graph while the interpreter runs the network's code.
#[derive(Debug)]
pub(super) struct Lowering {
    pub builder: GraphBuilder,
    /// Tensors by parameter.
    pub weights: Vec<Tensor>,
    /// Node that made each value, for looking one operation back.
    made_by: HashMap<ValueId, (Op, ValueId)>,
    names: HashSet<String>,
    /// Constants of the code, by the name that they begin with.
    constants: HashMap<String, usize>,
    computed: usize,
    /// Nodes that were added.
    pub pushed: usize,
}

impl Lowering {
    pub fn new(name: &str) -> Self {
        Self {
            builder: GraphBuilder::new(name),
            weights: Vec::new(),
            made_by: HashMap::new(),
            names: HashSet::new(),
            constants: HashMap::new(),
            computed: 0,
            pushed: 0,
        }
    }

    /// Counts elements that are computed while reading, so that no file can keep the importer busy.
    pub fn charge(&mut self, elements: usize) -> Lowered<()> {
        self.computed = self.computed.saturating_add(elements);
        if self.computed > MAX_COMPUTED {
            let reason = format!("constants of more than {MAX_COMPUTED} elements together");
            return Err(TorchScriptError::TooComplex(reason).into());
        }
        Ok(())
    }

    /// Adds a stored tensor. Reduced and double precision become `f32`, which the engine computes in.
    pub fn parameter(&mut self, name: &str, tensor: &Tensor, kind: ParameterKind) -> Lowered<ValueId> {
        let tensor = to_engine_precision(tensor)?;
        let sizes: Vec<usize> = tensor.size().iter().map(|&s| s as usize).collect();
        let element = element_type(tensor.kind())
            .ok_or_else(|| Fault::Invalid(format!("tensor `{name}` has the element type {:?}", tensor.kind())))?;
        let (_, value) = self.builder.parameter(name, &sizes, element, kind)?;
        self.names.insert(name.to_owned());
        self.weights.push(tensor);
        Ok(value)
    }

    /// Gives a stored tensor a further name.
    pub fn alias(&mut self, id: ValueId, name: &str) -> Result<(), BuildError> {
        self.names.insert(name.to_owned());
        match self.builder.source(id) {
            Source::Parameter(parameter) => self.builder.alias(parameter, name),
            Source::Input(_) | Source::Node(..) => Ok(()),
        }
    }

    /// The graph value of a tensor. Known tensors become constants.
    pub fn value(&mut self, call: &Call, tensor: &TensorRef) -> Lowered<ValueId> {
        match content(tensor)? {
            Content::Graph(id) => Ok(id),
            Content::Known(known) => self.constant(call, &known.f_to_kind(Kind::Float)?),
        }
    }

    /// A tensor that the code itself makes.
    pub fn constant(&mut self, call: &Call, tensor: &Tensor) -> Lowered<ValueId> {
        self.charge(tensor.numel())?;
        let base = format!("{}.constant", call.name);
        let mut name = base.clone();
        while self.names.contains(&name) {
            let count = self.constants.entry(base.clone()).or_insert(1);
            *count += 1;
            name = format!("{base}_{count}");
        }
        self.parameter(&name, &tensor.copy(), ParameterKind::Constant)
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.builder.shape(id)
    }

    /// Shape of a tensor without making it a graph value.
    pub fn shape_of(&self, tensor: &TensorRef) -> Lowered<Shape> {
        match content(tensor)? {
            Content::Graph(id) => Ok(self.builder.shape(id).clone()),
            Content::Known(known) => Ok(known.size().iter().map(|&s| Dim::Fixed(s as usize)).collect()),
        }
    }

    /// An axis argument as an index into a tensor of this rank; negative ones count from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Lowered<usize> {
        let index = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        let index = index.and_then(|i| usize::try_from(i).ok()).filter(|&i| i < rank);
        index.ok_or_else(|| Fault::Invalid(format!("axis {axis} is outside a tensor of rank {rank}")))
    }

    /// Adds a node with one output.
    pub fn push(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        if let Op::Gather { indices, .. } = &op {
            self.charge(indices.len())?;
        }
        let id = self.builder.push(&call.name, op.clone(), inputs)?;
        self.pushed += 1;
        self.made_by.insert(id, (op, inputs[0]));
        Ok(id)
    }

    /// Adds a node and wraps its output as a tensor with memory of its own.
    pub fn emit(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered {
        Ok(fresh(self.push(call, op, inputs)?))
    }

    /// Adds a node of one tensor.
    pub fn emit_unary(&mut self, call: &Call, function: Unary) -> Lowered {
        let x = call.tensor(0)?;
        let x = self.value(call, &x)?;
        self.emit(call, Op::Unary(function), &[x])
    }

    pub fn unary(&mut self, call: &Call, function: Unary, x: ValueId) -> Lowered<ValueId> {
        self.push(call, Op::Unary(function), &[x])
    }

    pub fn binary(&mut self, call: &Call, function: Binary, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        self.push(call, Op::Binary(function), &[a, b])
    }

    pub fn reduce(&mut self, call: &Call, kind: Reduction, axes: &[usize], keep: bool, x: ValueId) -> Lowered<ValueId> {
        self.push(call, Op::Reduce { kind, axes: axes.to_vec(), keep_dims: keep }, &[x])
    }

    /// Reshapes unless the shape is there already.
    pub fn reshape(&mut self, call: &Call, x: ValueId, shape: Shape) -> Lowered<ValueId> {
        if *self.shape(x) == shape {
            return Ok(x);
        }
        if shape.iter().filter(|d| matches!(d, Dim::Batch(_))).count() > 1 {
            return unsupported("makes a shape in which several axes depend on the batch");
        }
        self.push(call, Op::Reshape { shape }, &[x])
    }

    pub fn permute(&mut self, call: &Call, x: ValueId, order: Vec<usize>) -> Lowered<ValueId> {
        if order.iter().enumerate().all(|(i, &axis)| i == axis) && order.len() == self.shape(x).len() {
            return Ok(x);
        }
        self.push(call, Op::Permute { order }, &[x])
    }

    pub fn is_parameter(&self, id: ValueId) -> bool {
        matches!(self.builder.source(id), Source::Parameter(_))
    }

    /// The operation that made a value, and its first input; `None` for inputs, parameters and parts of a split.
    pub fn made_by(&self, id: ValueId) -> Option<(&Op, ValueId)> {
        self.made_by.get(&id).map(|(op, input)| (op, *input))
    }

    /// The input of the transposition that made a matrix, if one did.
    pub fn untransposed(&self, id: ValueId) -> Option<ValueId> {
        match self.made_by.get(&id)? {
            (Op::Permute { order }, input) if *order == [1, 0] => Some(*input),
            _ => None,
        }
    }
}

/// A tensor with memory of its own.
pub(super) fn fresh(id: ValueId) -> Value {
    Value::Tensor(TensorRef::new(Content::Graph(id)))
}

/// A result that shares its input's memory: `id` may be the input itself.
pub(super) fn view(of: &TensorRef, id: ValueId) -> Value {
    match of.content() {
        Some(Content::Graph(same)) if same == id => Value::Tensor(of.clone()),
        _ => Value::Tensor(of.view(Content::Graph(id))),
    }
}

pub(super) fn known(tensor: Tensor) -> Value {
    Value::Tensor(TensorRef::new(Content::Known(tensor)))
}

pub(super) fn content(tensor: &TensorRef) -> Lowered<Content> {
    match tensor.content() {
        Some(content) => Ok(content),
        None => unsupported("reads a tensor that was changed in place through another view of its memory"),
    }
}

/// The number in a known tensor of one element.
pub(super) fn known_scalar(tensor: &TensorRef) -> Option<f64> {
    match tensor.content()? {
        Content::Known(known) if known.numel() == 1 => known.f_double_value(&vec![0; known.dim()]).ok(),
        _ => None,
    }
}

/// Sizes as a shape.
pub(super) fn shape_from(counts: &[Count]) -> Lowered<Shape> {
    let dim = |count: &Count| match count.dim() {
        Some(dim) => Ok(dim),
        None => unsupported(format!("makes an axis of size {} * batch + {}", count.per_image, count.fixed)),
    };
    counts.iter().map(dim).collect()
}

pub(super) fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double)
}

fn to_engine_precision(tensor: &Tensor) -> Lowered<Tensor> {
    let tensor = match tensor.kind() {
        Kind::Half | Kind::BFloat16 | Kind::Double => tensor.f_to_kind(Kind::Float)?,
        _ => tensor.shallow_clone(),
    };
    Ok(tensor.f_contiguous()?)
}

fn element_type(kind: Kind) -> Option<ElementType> {
    Some(match kind {
        Kind::Float => ElementType::F32,
        Kind::Uint8 => ElementType::U8,
        Kind::Int8 => ElementType::I8,
        Kind::Int16 => ElementType::I16,
        Kind::Int => ElementType::I32,
        Kind::Int64 => ElementType::I64,
        Kind::Bool => ElementType::Bool,
        _ => return None,
    })
}
