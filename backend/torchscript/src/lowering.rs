//! The graph under construction, as operator families see it: tensors become graph values, operations become nodes.

use std::collections::{HashMap, HashSet};

use eagleeye_graph::reading::Draft;
use eagleeye_graph::{
    Binary, BuildError, Compose, Dim, ElementType, Op, ParameterKind, Reduction, Shape, Source, Unary, ValueId,
};
use tch::{Kind, Tensor};

use super::batched::{self, OneImage};
use super::call::Call;
use super::error::TorchScriptError;
use super::fault::{Fault, Lowered};
use super::file_constants::FileConstants;
use super::known::content;
use super::value::{Content, TensorRef, Value};
use crate::tensors::element;

/// Elements that all constants of one network may compute. The attention masks of the largest Swin need less than half.
pub(super) const MAX_COMPUTED: usize = 1 << 29;

/// Builds the graph while the interpreter runs the network's code.
#[derive(Debug)]
pub(super) struct Lowering {
    pub draft: Draft,
    /// Tensors by parameter.
    pub weights: Vec<Tensor>,
    /// Constants of truths.
    truths: HashSet<ValueId>,
    names: HashSet<String>,
    /// Constants of the code, by the name that they begin with.
    constants: HashMap<String, usize>,
    /// Tensors that the file stores with its code.
    pub file_constants: FileConstants,
    /// Groups of convolutions and group norms by their weights, where they are not those that the code says.
    pub groups: HashMap<ValueId, usize>,
    computed: usize,
    /// Nodes that were added.
    pub pushed: usize,
}

impl Lowering {
    pub fn new(name: &str) -> Self {
        Self {
            draft: Draft::new(name),
            weights: Vec::new(),
            truths: HashSet::new(),
            names: HashSet::new(),
            constants: HashMap::new(),
            file_constants: FileConstants::default(),
            groups: HashMap::new(),
            computed: 0,
            pushed: 0,
        }
    }

    /// Counts elements that are computed while reading, so that no file can keep the importer busy.
    pub fn charge(&mut self, elements: usize) -> Lowered<()> {
        self.computed = self.computed.saturating_add(elements);
        if self.computed > MAX_COMPUTED {
            let reason = format!("constants with more than {MAX_COMPUTED} elements in total");
            return Err(TorchScriptError::TooComplex(reason).into());
        }
        Ok(())
    }

    /// Elements that may still be computed.
    pub fn remaining(&self) -> usize {
        MAX_COMPUTED.saturating_sub(self.computed)
    }

    /// Adds a stored tensor. Reduced and double precision become `f32`, which the engine computes in.
    pub fn parameter(&mut self, name: &str, tensor: &Tensor, kind: ParameterKind) -> Lowered<ValueId> {
        let stored = element(tensor.kind()).filter(|e| e.is_float() && kind != ParameterKind::Constant);
        let tensor = to_engine_precision(tensor)?;
        let sizes: Vec<usize> = tensor.size().iter().map(|&s| s as usize).collect();
        let computed = element(tensor.kind()).ok_or_else(|| {
            Fault::Invalid(format!("tensor `{name}` has the unsupported element type {:?}", tensor.kind()))
        })?;
        let (_, value) = self.draft.builder.parameter(name, &sizes, computed, kind)?;
        if let Some(stored) = stored {
            self.draft.builder.stored_as(value, stored);
        }
        self.names.insert(name.to_owned());
        self.weights.push(tensor);
        Ok(value)
    }

    /// Gives a stored tensor a further name.
    pub fn alias(&mut self, id: ValueId, name: &str) -> Result<(), BuildError> {
        self.names.insert(name.to_owned());
        match self.draft.builder.source(id) {
            Source::Parameter(parameter) => self.draft.builder.alias(parameter, name),
            Source::Input(_) | Source::Node(..) => Ok(()),
        }
    }

    /// The graph value of a tensor. Known tensors become constants.
    pub fn value(&mut self, call: &Call, tensor: &TensorRef) -> Lowered<ValueId> {
        let (id, kind) = match content(tensor)? {
            Content::Graph(id) => {
                self.draft.builder.seen_as(id, tensor.element());
                return Ok(id);
            }
            Content::Known(known) => match self.file_constants.find(&known)? {
                Some(constant) => (self.file_constant(&constant, &known)?, known.kind()),
                // Constants take the type of what they are combined with: a file whose types fit has them so.
                None => (self.constant(call, &known.f_to_kind(Kind::Float)?)?, known.kind()),
            },
            Content::Batched(samples) => (self.repeated(call, &samples)?, samples[0].kind()),
        };
        if kind == Kind::Bool {
            self.truths.insert(id);
        }
        Ok(id)
    }

    /// A tensor that the file stores with its code, once for all of its uses.
    fn file_constant(&mut self, name: &str, tensor: &Tensor) -> Lowered<ValueId> {
        if let Some(id) = self.file_constants.lowered(name) {
            return Ok(id);
        }
        self.charge(tensor.numel())?;
        let id = self.parameter(name, &tensor.copy(), ParameterKind::Constant)?;
        if let Some(stored) = element(tensor.kind()) {
            self.draft.builder.stored_as(id, stored);
        }
        self.file_constants.lower(name, id);
        Ok(id)
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

    /// The value of the graph that repeats the part of one image over the batch.
    pub fn repeated(&mut self, call: &Call, samples: &[Tensor; 2]) -> Lowered<ValueId> {
        let OneImage { entries, batch } = batched::one_image(samples)?;
        let entries = entries.f_to_kind(Kind::Float)?;
        let Some((axis, per_image)) = batch else { return self.constant(call, &entries) };
        let separate = entries.f_unsqueeze(axis as i64)?;
        let mut repeated: Shape = separate.size().iter().map(|&size| Dim::Fixed(size as usize)).collect();
        repeated[axis] = Dim::Batch(1);
        let every: Vec<usize> = (0..repeated.len()).collect();
        let stored = self.collapsed(&separate, &every)?;
        if per_image == 1 {
            // No axis for the part of each image.
            repeated.remove(axis + 1);
            let stored = self.constant(call, &stored.f_squeeze_dim(axis as i64 + 1)?)?;
            return self.push(call, Op::Expand { shape: repeated }, &[stored]);
        }
        let stored = self.constant(call, &stored)?;
        let value = self.push(call, Op::Expand { shape: repeated.clone() }, &[stored])?;
        repeated.splice(axis..axis + 2, [Dim::Batch(per_image)]);
        self.reshape(call, value, repeated)
    }

    /// A constant without the repeats along those of the axes where all entries are the same.
    pub fn collapsed(&mut self, tensor: &Tensor, axes: &[usize]) -> Lowered<Tensor> {
        let mut tensor = tensor.shallow_clone();
        for &axis in axes {
            if tensor.size()[axis] > 1 {
                self.charge(tensor.numel())?;
                let first = tensor.f_narrow(axis as i64, 0, 1)?;
                if tensor.f_eq_tensor(&first)?.f_all()?.f_int64_value(&[])? == 1 {
                    tensor = first;
                }
            }
        }
        Ok(tensor)
    }

    /// The element type that a tensor has in the file, where that is known.
    pub fn element_of(&self, tensor: &TensorRef) -> Option<ElementType> {
        tensor.element().or_else(|| match tensor.content()? {
            Content::Graph(id) => self.draft.builder.element(id),
            Content::Known(known) | Content::Batched([known, _]) => element(known.kind()),
        })
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.draft.shape(id)
    }

    /// Shape of a tensor without making it a graph value.
    pub fn shape_of(&self, tensor: &TensorRef) -> Lowered<Shape> {
        match content(tensor)? {
            Content::Graph(id) => Ok(self.draft.shape(id).clone()),
            Content::Known(known) => Ok(known.size().iter().map(|&s| Dim::Fixed(s as usize)).collect()),
            Content::Batched(samples) => batched::shape(&samples),
        }
    }

    /// Whether a value is an activation whose shape depends on the batch.
    pub fn follows_batch(&self, value: &Value) -> bool {
        let Value::Tensor(tensor) = value else { return false };
        match tensor.content() {
            Some(Content::Graph(id)) => self.shape(id).iter().any(|dim| matches!(dim, Dim::Batch(_))),
            _ => false,
        }
    }

    /// Adds a node with one output.
    pub fn push(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        if let Op::Gather { indices, .. } = &op {
            self.charge(indices.len())?;
        }
        let id = self.draft.push(&call.name, op, inputs)?;
        self.pushed += 1;
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
        self.composer(call).reduce(kind, axes, keep, x)
    }

    /// Reshapes unless the shape is there already.
    pub fn reshape(&mut self, call: &Call, x: ValueId, shape: Shape) -> Lowered<ValueId> {
        self.composer(call).reshape(x, shape)
    }

    pub fn permute(&mut self, call: &Call, x: ValueId, order: Vec<usize>) -> Lowered<ValueId> {
        self.composer(call).permute(x, order)
    }

    /// Whether a value is a constant of truths.
    pub fn holds_truths(&self, id: ValueId) -> bool {
        self.truths.contains(&id)
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

fn to_engine_precision(tensor: &Tensor) -> Lowered<Tensor> {
    let tensor = match tensor.kind() {
        Kind::Half | Kind::BFloat16 | Kind::Double => tensor.f_to_kind(Kind::Float)?,
        _ => tensor.shallow_clone(),
    };
    Ok(tensor.f_contiguous()?)
}
