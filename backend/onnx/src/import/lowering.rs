//! The graph under construction, as the operators see it: tensors become graph values, nodes become operations.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use eagleeye_graph::{
    Binary, Dim, ElementType, GraphBuilder, Op, ParameterKind, Reduction, Shape, Source, TensorData, Unary, ValueId,
    shape,
};

use super::call::{Call, Fault, Lowered, Value, cut, invalid, one, unsupported};
use super::count::Count;
use super::known::{Known, MAX_KNOWN, MAX_RANK};
use super::uses::Uses;
use super::{fuse, tensor, view};
use crate::error::OnnxError;
use crate::proto::TensorProto;

/// Entries that all constant arithmetic of one network may compute. The attention masks of a large Swin need a few million.
const MAX_COMPUTED: usize = 1 << 25;
/// Entries of the largest tensor that exporters merge with others without anybody having meant it: biases and gammas.
const MAX_MERGED: usize = 1 << 16;

/// An initializer of the file.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub name: &'a str,
    pub tensor: &'a TensorProto,
    pub kind: ParameterKind,
    pub shape: Vec<usize>,
    /// Whether several nodes use it.
    shared: bool,
    /// Further names that the file gives it.
    aliases: Vec<&'a str>,
}

/// Where the entries of a parameter come from.
#[derive(Debug)]
enum Weight {
    Stored(usize),
    Known(Rc<Known>),
}

/// The operation that made a value.
#[derive(Debug)]
pub(super) struct Made {
    pub op: Op,
    pub inputs: Vec<ValueId>,
}

/// Builds the graph while the nodes of the file are read.
#[derive(Debug)]
pub(super) struct Lowering<'a> {
    pub builder: GraphBuilder,
    pub stored: Vec<Stored<'a>>,
    /// The batch that the exporter wrote into the file, where it wrote a number.
    pub written_batch: Option<usize>,
    folder: &'a Path,
    weights: Vec<Weight>,
    parameters: HashMap<usize, ValueId>,
    /// Constants in the graph, by the address of their entries, which `weights` keeps alive.
    constants: HashMap<*const Known, ValueId>,
    read: HashMap<usize, Rc<Known>>,
    made_by: HashMap<ValueId, Made>,
    /// What stands before the batch on its own axis, where anything does: see [`view`].
    before_batch: HashMap<ValueId, usize>,
    /// Names of parameters, and how often each was asked for.
    names: HashMap<String, usize>,
    computed: usize,
}

impl<'a> Lowering<'a> {
    pub fn new(name: &str, folder: &'a Path) -> Self {
        Self {
            builder: GraphBuilder::new(name),
            stored: Vec::new(),
            written_batch: None,
            folder,
            weights: Vec::new(),
            parameters: HashMap::new(),
            constants: HashMap::new(),
            read: HashMap::new(),
            made_by: HashMap::new(),
            before_batch: HashMap::new(),
            names: HashMap::new(),
            computed: 0,
        }
    }

    /// Adds an initializer. It becomes a parameter where a node needs it as one.
    pub fn store(&mut self, tensor: &'a TensorProto, uses: &Uses) -> Lowered<Value> {
        let (name, shape) = (tensor.name(), tensor::shape_of(tensor)?);
        let buffer = uses.buffers.contains(name);
        let kind = if buffer { ParameterKind::Buffer } else { ParameterKind::Parameter };
        self.stored.push(Stored { name, tensor, kind, shape, shared: uses.shared.contains(name), aliases: Vec::new() });
        Ok(Value::Stored(self.stored.len() - 1))
    }

    /// Notes a further name of an initializer.
    pub fn alias(&mut self, stored: usize, name: &'a str) {
        self.stored[stored].aliases.push(name);
    }

    /// The entries of the graph's parameters, in their order.
    pub fn weights(&self, used: impl Fn(usize) -> bool) -> Result<Vec<Option<TensorData>>, OnnxError> {
        let entries = |(index, weight): (usize, &Weight)| match weight {
            _ if !used(index) => Ok(None),
            Weight::Stored(stored) => tensor::weights(self.stored[*stored].tensor, self.folder).map(Some),
            Weight::Known(known) => Ok(Some(known_weights(known))),
        };
        self.weights.iter().enumerate().map(entries).collect()
    }

    /// Where external data lies.
    pub fn folder(&self) -> &'a Path {
        self.folder
    }

    /// Counts entries that are computed while reading, so that no file can keep the importer busy.
    pub fn charge(&mut self, entries: usize) -> Lowered<()> {
        self.computed = self.computed.saturating_add(entries);
        if self.computed > MAX_COMPUTED {
            return Err(OnnxError::TooComplex(format!("constants of more than {MAX_COMPUTED} entries together")).into());
        }
        Ok(())
    }

    /// A tensor as a value of the graph. Known tensors become constants, in floats.
    pub fn value(&mut self, call: &Call, index: usize) -> Lowered<ValueId> {
        match call.input(index) {
            Value::Graph(id) => Ok(*id),
            Value::Stored(stored) if self.is_float(*stored) && !self.is_merged(*stored) => self.parameter(*stored),
            Value::Stored(stored) if self.is_float(*stored) => {
                let merged = self.read(*stored)?;
                self.charge(merged.len())?;
                let own = Rc::new(Known::clone(&merged));
                self.constant(&used_name(call, index), &own)
            }
            Value::Stored(_) | Value::Known(_) => {
                let known = self.known(call, index)?;
                self.constant(&used_name(call, index), &known)
            }
            Value::PerImage(_) => unsupported("computes with the number of the image"),
            Value::Greater { .. } | Value::NotANumber(_) => unsupported("computes with a comparison of activations"),
            Value::Absent => invalid(format!("input {index} is missing")),
            Value::Unavailable => unsupported("reads a result that is not computed"),
            Value::Unknown => Err(Fault::Unknown),
        }
    }

    /// A tensor with entries that do not depend on the network's input.
    pub fn known(&mut self, call: &Call, index: usize) -> Lowered<Rc<Known>> {
        match call.input(index) {
            Value::Known(known) => Ok(Rc::clone(known)),
            Value::Stored(stored) => self.read(*stored),
            Value::Graph(_) => {
                let name = call.input_names.get(index).map_or("", String::as_str);
                unsupported(format!("`{}` must be a constant, but depends on the network's input", cut(name)))
            }
            Value::PerImage(_) => unsupported("computes with the number of the image"),
            Value::Greater { .. } | Value::NotANumber(_) => unsupported("computes with a comparison of activations"),
            Value::Absent => invalid(format!("input {index} is missing")),
            Value::Unavailable => unsupported("reads a result that is not computed"),
            Value::Unknown => Err(Fault::Unknown),
        }
    }

    /// As [`Self::known`], or `None` where the input was left out.
    pub fn optional_known(&mut self, call: &Call, index: usize) -> Lowered<Option<Rc<Known>>> {
        if call.has(index) { self.known(call, index).map(Some) } else { Ok(None) }
    }

    /// Whole numbers from an input, or, as in older operator sets, from an attribute.
    pub fn ints(&mut self, call: &Call, index: usize, attribute: &str) -> Lowered<Option<Vec<i64>>> {
        match self.optional_known(call, index)? {
            Some(known) => known.whole().map(Some),
            None => call.ints(attribute),
        }
    }

    /// The number in a tensor of one entry, where it is known. Learned numbers are not.
    pub fn number(&mut self, value: &Value) -> Option<f64> {
        match value {
            Value::Known(known) => known.number(),
            Value::Stored(stored) if self.is_number(*stored) => self.read(*stored).ok()?.number(),
            _ => None,
        }
    }

    /// Whether an initializer is taken for a number of the code: whole numbers, and floats without axes.
    pub fn is_number(&self, stored: usize) -> bool {
        let Stored { tensor, shape, .. } = &self.stored[stored];
        shape.is_empty() || !tensor::is_float(tensor)
    }

    pub fn read(&mut self, stored: usize) -> Lowered<Rc<Known>> {
        if let Some(known) = self.read.get(&stored) {
            return Ok(Rc::clone(known));
        }
        let Stored { tensor, shape, .. } = &self.stored[stored];
        if shape.iter().product::<usize>() > MAX_KNOWN {
            return unsupported(format!("computes with the {shape:?} entries of `{}` while reading", tensor.name()));
        }
        let size = shape.iter().product::<usize>();
        self.charge(size)?;
        let known = Rc::new(tensor::known(self.stored[stored].tensor, self.folder)?);
        self.read.insert(stored, Rc::clone(&known));
        Ok(known)
    }

    /// Whether an initializer has floats, and not sizes or indices.
    pub fn is_float(&self, stored: usize) -> bool {
        tensor::is_float(self.stored[stored].tensor)
    }

    /// Whether an initializer is several tensors in one: exporters store equal tensors once, and those that nobody trained
    /// are equal by chance. They have no name of their own in the file, and nothing in common but their size.
    fn is_merged(&mut self, stored: usize) -> bool {
        let Stored { shape, shared, .. } = &self.stored[stored];
        let small = shape.iter().product::<usize>() <= MAX_MERGED;
        *shared && small && self.read(stored).is_ok_and(|known| known.is_uniform())
    }

    fn parameter(&mut self, stored: usize) -> Lowered<ValueId> {
        if let Some(&id) = self.parameters.get(&stored) {
            return Ok(id);
        }
        let Stored { name, kind, .. } = self.stored[stored];
        let name = self.unique(name);
        let (parameter, id) = self.builder.parameter(&name, &self.stored[stored].shape, ElementType::F32, kind)?;
        for alias in std::mem::take(&mut self.stored[stored].aliases) {
            if !self.names.contains_key(alias) {
                self.names.insert(alias.to_owned(), 1);
                self.builder.alias(parameter, alias)?;
            }
        }
        self.weights.push(Weight::Stored(stored));
        self.parameters.insert(stored, id);
        Ok(id)
    }

    /// A tensor that the code of the network makes, as a parameter.
    pub fn constant(&mut self, name: &str, known: &Rc<Known>) -> Lowered<ValueId> {
        if let Some(&id) = self.constants.get(&Rc::as_ptr(known)) {
            return Ok(id);
        }
        known.numbers()?;
        let name = self.unique(name);
        let (_, id) = self.builder.parameter(&name, &known.shape, ElementType::F32, ParameterKind::Constant)?;
        self.weights.push(Weight::Known(Rc::clone(known)));
        self.constants.insert(Rc::as_ptr(known), id);
        Ok(id)
    }

    /// A name that no parameter has. Names of initializers are unique in a graph, but not across its branches.
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.names.contains_key(&unique) {
            let count = self.names.entry(name.to_owned()).or_insert(0);
            *count += 1;
            unique = format!("{name}_{count}");
        }
        self.names.insert(unique.clone(), 1);
        unique
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.builder.shape(id)
    }

    pub fn rank(&self, id: ValueId) -> usize {
        self.builder.shape(id).len()
    }

    /// Shape of a tensor without making it a graph value.
    pub fn shape_of(&self, value: &Value) -> Lowered<Shape> {
        match value {
            Value::Graph(id) | Value::Greater { x: id, .. } | Value::NotANumber(id) => {
                Ok(self.builder.shape(*id).clone())
            }
            Value::Known(known) => Ok(shape::fixed(&known.shape)),
            Value::Stored(stored) => Ok(shape::fixed(&self.stored[*stored].shape)),
            Value::PerImage(indices) => {
                let each = shape::fixed(&indices.each.shape[1..]);
                Ok([Dim::Batch(1)].into_iter().chain(each).collect())
            }
            Value::Absent => invalid("an input is missing"),
            Value::Unavailable => unsupported("reads a result that is not computed"),
            Value::Unknown => Err(Fault::Unknown),
        }
    }

    /// Number of entries along an axis that must not depend on the batch.
    pub fn fixed(&self, id: ValueId, axis: usize) -> Lowered<usize> {
        match self.shape(id).get(axis) {
            Some(Dim::Fixed(size)) => Ok(*size),
            Some(Dim::Batch(_)) => unsupported("works along the batch axis"),
            None => invalid(format!("axis {axis} is outside a tensor of rank {}", self.rank(id))),
        }
    }

    /// Adds an operation with one output, or the one that it completes: see [`fuse`].
    pub fn push(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        if let Some((op, inputs)) = fuse::combine(self, &op, inputs) {
            return self.push(call, op, &inputs);
        }
        let id = self.builder.push(&call.name, op.clone(), inputs)?;
        if self.rank(id) > MAX_RANK {
            return invalid(format!("makes a tensor of {} axes", self.rank(id)));
        }
        self.note_batch(id, &op, inputs);
        self.made_by.insert(id, Made { op, inputs: inputs.to_vec() });
        Ok(id)
    }

    /// How many entries stand before the batch on its own axis.
    pub fn before_batch(&self, id: ValueId) -> usize {
        self.before_batch.get(&id).copied().unwrap_or(1)
    }

    fn note_batch(&mut self, id: ValueId, op: &Op, inputs: &[ValueId]) {
        let before = match op {
            Op::Reshape { shape } => view::before_batch(self.shape(inputs[0]), self.before_batch(inputs[0]), shape),
            _ => inputs.iter().map(|&input| self.before_batch(input)).max().unwrap_or(1),
        };
        if before > 1 {
            self.before_batch.insert(id, before);
        }
    }

    /// Adds an operation that is the only output of a node.
    pub fn emit(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered {
        Ok(one(self.push(call, op, inputs)?))
    }

    pub fn unary(&mut self, call: &Call, function: Unary, x: ValueId) -> Lowered<ValueId> {
        self.push(call, Op::Unary(function), &[x])
    }

    pub fn binary(&mut self, call: &Call, function: Binary, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        self.push(call, Op::Binary(function), &[a, b])
    }

    /// `x * factor`, unless the factor is 1.
    pub fn times(&mut self, call: &Call, x: ValueId, factor: f64) -> Lowered<ValueId> {
        if factor == 1.0 { Ok(x) } else { self.unary(call, Unary::MulScalar(factor), x) }
    }

    pub fn reduce(&mut self, call: &Call, kind: Reduction, axes: &[usize], keep: bool, x: ValueId) -> Lowered<ValueId> {
        if axes.iter().any(|&axis| matches!(self.shape(x).get(axis), Some(Dim::Batch(_)))) {
            return unsupported("reduces over the batch");
        }
        self.push(call, Op::Reduce { kind, axes: axes.to_vec(), keep_dims: keep }, &[x])
    }

    /// Reshapes unless the shape is there already.
    pub fn reshape(&mut self, call: &Call, x: ValueId, shape: Shape) -> Lowered<ValueId> {
        if *self.shape(x) == shape {
            return Ok(x);
        }
        let batch_axes = |shape: &Shape| shape.iter().filter(|d| matches!(d, Dim::Batch(_))).count();
        if batch_axes(&shape) > 1 {
            return unsupported("makes a shape in which several axes depend on the batch");
        }
        if batch_axes(&shape) != batch_axes(self.shape(x)) {
            return invalid(format!("cannot view {} as {}", in_words(self.shape(x)), in_words(&shape)));
        }
        self.push(call, Op::Reshape { shape }, &[x])
    }

    pub fn permute(&mut self, call: &Call, x: ValueId, order: Vec<usize>) -> Lowered<ValueId> {
        if order.iter().enumerate().all(|(i, &axis)| i == axis) && order.len() == self.rank(x) {
            return Ok(x);
        }
        self.push(call, Op::Permute { order }, &[x])
    }

    /// `x` with its last two axes swapped.
    pub fn swapped(&mut self, call: &Call, x: ValueId) -> Lowered<ValueId> {
        let rank = self.rank(x);
        if rank < 2 {
            return invalid("needs a tensor of rank 2 or more");
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.permute(call, x, order)
    }

    pub fn is_parameter(&self, id: ValueId) -> bool {
        matches!(self.builder.source(id), Source::Parameter(_))
    }

    /// The operation that made a value; `None` for inputs, parameters and parts of a split.
    pub fn made_by(&self, id: ValueId) -> Option<&Made> {
        self.made_by.get(&id)
    }

    /// The input of the transposition that made a matrix, if one did.
    pub fn untransposed(&self, id: ValueId) -> Option<ValueId> {
        match self.made_by(id)? {
            Made { op: Op::Permute { order }, inputs } if *order == [1, 0] => inputs.first().copied(),
            _ => None,
        }
    }
}

/// The name by which a node calls one of its inputs.
fn used_name(call: &Call, index: usize) -> String {
    let name = call.input_names.get(index).filter(|n| !n.is_empty());
    name.map_or_else(|| format!("{}.constant", call.name), |name| cut(name))
}

/// Sizes as a shape.
pub(super) fn shape_from(counts: &[Count]) -> Lowered<Shape> {
    let dim = |count: &Count| match count.dim() {
        Some(dim) => Ok(dim),
        None => unsupported(format!("makes an axis of size {} * batch + {}", count.per_image, count.fixed)),
    };
    counts.iter().map(dim).collect()
}

/// A shape for messages: `[N, 64, 7, 7]`.
pub(super) fn in_words(shape: &Shape) -> String {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Batch(1) => "N".into(),
        Dim::Batch(each) => format!("{each} * N"),
    };
    format!("[{}]", shape.iter().map(size).collect::<Vec<_>>().join(", "))
}

fn known_weights(known: &Known) -> TensorData {
    let numbers = known.numbers().unwrap_or_default();
    let bytes = numbers.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect();
    TensorData { element: ElementType::F32, shape: known.shape.clone(), bytes }
}
