//! The graph under construction, as the operators see it: tensors become graph values, nodes become operations.

mod tensors;

use std::collections::HashMap;
use std::rc::Rc;

use eagleeye_graph::{Binary, Compose, Count, Dim, GraphBuilder, Op, Reduction, Shape, Source, Unary, ValueId};

use super::call::{Call, Lowered, invalid, one, unsupported};
use super::external::Folder;
use super::known::{Known, MAX_RANK};
use super::{fuse, view};
use crate::error::OnnxError;
use tensors::{Stored, Weight};

/// Entries that all constant arithmetic of one network may compute. The attention masks of a large Swin need a few million.
const MAX_COMPUTED: usize = 1 << 25;

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
    stored: Vec<Stored<'a>>,
    /// The batch that the exporter wrote into the file, where it wrote a number.
    pub written_batch: Option<usize>,
    folder: &'a Folder,
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
    computed_weights: usize,
}

impl<'a> Lowering<'a> {
    pub fn new(name: &str, folder: &'a Folder) -> Self {
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
            computed_weights: 0,
        }
    }

    /// Counts entries that are computed while reading, so that no file can keep the importer busy.
    pub fn charge(&mut self, entries: usize) -> Lowered<()> {
        self.computed = self.computed.saturating_add(entries);
        if self.computed > MAX_COMPUTED {
            return Err(OnnxError::TooComplex(format!("constants of more than {MAX_COMPUTED} entries together")).into());
        }
        Ok(())
    }

    /// Counts entries of computed weights, which are larger than anything else that is computed; `false` beyond the limit.
    pub fn charge_weights(&mut self, entries: usize, limit: usize) -> bool {
        self.computed_weights = self.computed_weights.saturating_add(entries);
        self.computed_weights <= limit
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.builder.shape(id)
    }

    pub fn rank(&self, id: ValueId) -> usize {
        self.builder.shape(id).len()
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
        self.composer(call).times(x, factor)
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

/// Sizes as a shape.
pub(super) fn shape_from(counts: &[Count]) -> Lowered<Shape> {
    let dim = |count: &Count| match count.dim() {
        Some(dim) => Ok(dim),
        None => unsupported(format!("makes an axis of size {} * batch + {}", count.per_image, count.fixed)),
    };
    counts.iter().map(dim).collect()
}
