//! The graph under construction, as the operators see it: tensors become graph values, nodes become operations.

mod tensors;

use std::collections::HashMap;
use std::rc::Rc;

use eagleeye_graph::reading::{Draft, Made};
use eagleeye_graph::{Binary, Compose, Count, Dim, Op, Reduction, Shape, Unary, ValueId};

use super::call::{Call, Lowered, one};
use super::external::Folder;
use super::fault::{invalid, unsupported};
use super::fuse;
use super::known::{Known, MAX_RANK};
use super::view::{self, Viewed};
use crate::error::OnnxError;
use tensors::{Stored, Weight};

/// Entries that all constant arithmetic of one network may compute. The attention masks of a large Swin need a few million.
const MAX_COMPUTED: usize = 1 << 25;

/// Builds the graph while the nodes of the file are read.
#[derive(Debug)]
pub(super) struct Lowering<'a> {
    pub draft: Draft,
    stored: Vec<Stored<'a>>,
    /// The batch that the exporter wrote into the file, where it wrote a number.
    pub written_batch: Option<usize>,
    folder: &'a Folder,
    weights: Vec<Weight>,
    parameters: HashMap<usize, ValueId>,
    /// Constants in the graph, by the address of their entries, which `weights` keeps alive.
    constants: HashMap<*const Known, ValueId>,
    read: HashMap<usize, Rc<Known>>,
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
            draft: Draft::new(name),
            stored: Vec::new(),
            written_batch: None,
            folder,
            weights: Vec::new(),
            parameters: HashMap::new(),
            constants: HashMap::new(),
            read: HashMap::new(),
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
            let what = format!("constants with more than {MAX_COMPUTED} entries in total");
            return Err(OnnxError::TooComplex(what).into());
        }
        Ok(())
    }

    /// Counts entries of computed weights, which are larger than anything else that is computed; `false` beyond the limit.
    pub fn charge_weights(&mut self, entries: usize, limit: usize) -> bool {
        self.computed_weights = self.computed_weights.saturating_add(entries);
        self.computed_weights <= limit
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.draft.shape(id)
    }

    pub fn rank(&self, id: ValueId) -> usize {
        self.draft.rank(id)
    }

    /// Number of entries along an axis that must not depend on the batch.
    pub fn fixed(&self, id: ValueId, axis: usize) -> Lowered<usize> {
        match self.shape(id).get(axis) {
            Some(Dim::Fixed(size)) => Ok(*size),
            Some(Dim::Batch(_)) => unsupported("works along the batch axis"),
            None => invalid(format!("axis {axis} is out of range for a tensor of rank {}", self.rank(id))),
        }
    }

    /// Adds an operation with one output, or the one that it completes: see [`fuse`].
    pub fn push(&mut self, call: &Call, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        if let Some((op, inputs)) = fuse::combine(&self.draft, &op, inputs) {
            return self.push(call, op, &inputs);
        }
        let id = self.draft.push(&call.name, op.clone(), inputs)?;
        if self.rank(id) > MAX_RANK {
            return invalid(format!("makes a tensor of rank {}", self.rank(id)));
        }
        self.note_batch(id, &op, inputs);
        Ok(id)
    }

    /// The shape that a reshape of `x` makes: see [`view`].
    pub fn target_shape(&self, x: ValueId, target: &[Count], allow_zero: bool) -> Lowered<Shape> {
        let (shape, before_batch, written_batch) = (self.shape(x), self.before_batch(x), self.written_batch);
        view::target_shape(&Viewed { shape, before_batch, written_batch }, target, allow_zero)
    }

    /// How many entries stand before the batch on its own axis.
    fn before_batch(&self, id: ValueId) -> usize {
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
        self.draft.is_parameter(id)
    }

    /// The operation that made a value; `None` for inputs, parameters and parts of a split.
    pub fn made_by(&self, id: ValueId) -> Option<&Made> {
        self.draft.made_by(id)
    }

    /// The input of the transposition that made a matrix, if one did.
    pub fn untransposed(&self, id: ValueId) -> Option<ValueId> {
        self.draft.untransposed(id)
    }
}
