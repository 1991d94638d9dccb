//! The tensors of the file: which of them become parameters of the graph, and which are read.

use std::rc::Rc;

use eagleeye_graph::compose::arithmetic::{Comparison, compare};
use eagleeye_graph::{Compose, Dim, ElementType, Op, ParameterKind, Shape, Source, TensorData, ValueId, shape};

use super::Lowering;
use crate::error::OnnxError;
use crate::import::call::{Call, Lowered, PerImage, Value, cut};
use crate::import::external::Folder;
use crate::import::fault::{Fault, invalid, unsupported};
use crate::import::known::{Known, MAX_KNOWN};
use crate::import::uses::Uses;
use crate::import::{external, tensor};
use crate::proto::TensorProto;

/// Entries of the largest tensor that exporters merge with others without anybody having meant it: biases and gammas.
const MAX_MERGED: usize = 1 << 16;

/// An initializer of the file, or a `Constant` node that holds a weight.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    name: &'a str,
    tensor: &'a TensorProto,
    kind: ParameterKind,
    shape: Vec<usize>,
    /// Whether several nodes use it.
    shared: bool,
    /// Further names that the file gives it.
    aliases: Vec<&'a str>,
}

/// Where the entries of a parameter come from.
#[derive(Debug)]
pub(super) enum Weight {
    Stored(usize),
    Known(Rc<Known>),
}

impl<'a> Lowering<'a> {
    /// Adds an initializer. It becomes a parameter where a node needs it as one.
    pub fn store(&mut self, tensor: &'a TensorProto, uses: &Uses) -> Lowered<Value> {
        self.store_as(tensor.name(), tensor, uses)
    }

    /// Adds a stored tensor that the nodes know by this name.
    pub fn store_as(&mut self, name: &'a str, tensor: &'a TensorProto, uses: &Uses) -> Lowered<Value> {
        let shape = tensor::shape_of(tensor)?;
        let buffer = uses.buffers.contains(name);
        let kind = if buffer { ParameterKind::Buffer } else { ParameterKind::Parameter };
        self.stored.push(Stored { name, tensor, kind, shape, shared: uses.shared.contains(name), aliases: Vec::new() });
        Ok(Value::Stored(self.stored.len() - 1))
    }

    /// Notes a further name of an initializer.
    pub fn alias(&mut self, stored: usize, name: &'a str) -> Lowered<()> {
        self.stored[stored].aliases.push(name);
        self.name_parameter(stored)
    }

    /// The entries of the graph's parameters that are used, in their order.
    pub fn weights(&self, used: impl Fn(usize) -> bool) -> Result<Vec<TensorData>, OnnxError> {
        let stored = self.weights.iter().enumerate().filter(|(index, _)| used(*index)).filter_map(|(_, w)| match w {
            Weight::Stored(stored) => Some(self.stored[*stored].tensor),
            Weight::Known(_) => None,
        });
        external::check_sizes(stored, self.folder)?;
        let entries = |(index, weight): (usize, &Weight)| match weight {
            _ if !used(index) => Ok(None),
            Weight::Stored(stored) => tensor::weights(self.stored[*stored].tensor, self.folder).map(Some),
            Weight::Known(known) => Ok(Some(known_weights(known))),
        };
        Ok(self.weights.iter().enumerate().map(entries).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Where external data lies.
    pub fn folder(&self) -> &'a Folder {
        self.folder
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
            Value::PerImage(PerImage { stride: 0, each }) => {
                let id = self.constant(&used_name(call, index), each)?;
                let mut shape = self.shape(id).clone();
                shape[0] = Dim::Batch(1);
                self.push(call, Op::Expand { shape }, &[id])
            }
            Value::PerImage(_) | Value::Places(_) => unsupported("computes with the index of the image"),
            Value::Greater { x, than } => {
                let than = self.composer(call).number(*than)?;
                compare(&mut self.composer(call), Comparison::Greater, *x, than)
            }
            Value::NotANumber(x) => compare(&mut self.composer(call), Comparison::NotEqual, *x, *x),
            Value::Absent => invalid(format!("input {index} is missing")),
            Value::Unavailable => unsupported("reads a result that has not been computed"),
            Value::Missing(cause) => Err(Fault::Missing(Rc::clone(cause))),
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
            Value::PerImage(_) | Value::Places(_) => unsupported("computes with the index of the image"),
            Value::Greater { .. } | Value::NotANumber(_) => unsupported("computes with a comparison of activations"),
            Value::Absent => invalid(format!("input {index} is missing")),
            Value::Unavailable => unsupported("reads a result that has not been computed"),
            Value::Missing(cause) => Err(Fault::Missing(Rc::clone(cause))),
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

    /// The entries of an initializer.
    pub fn read(&mut self, stored: usize) -> Lowered<Rc<Known>> {
        if let Some(known) = self.read.get(&stored) {
            return Ok(Rc::clone(known));
        }
        let Stored { name, shape, .. } = &self.stored[stored];
        let size = shape.iter().product::<usize>();
        if size > MAX_KNOWN {
            return unsupported(format!("computes with the {shape:?} entries of `{}` while reading", cut(name)));
        }
        self.charge(size)?;
        let known = Rc::new(tensor::known(self.stored[stored].tensor, self.folder)?);
        self.read.insert(stored, Rc::clone(&known));
        Ok(known)
    }

    /// The entries of a parameter of the graph; `None` for any other value.
    pub fn parameter_entries(&self, id: ValueId) -> Lowered<Option<Known>> {
        let Source::Parameter(parameter) = self.draft.builder.source(id) else {
            return Ok(None);
        };
        Ok(match self.weights.get(parameter.index()) {
            Some(Weight::Stored(stored)) => Some(tensor::known(self.stored[*stored].tensor, self.folder)?),
            Some(Weight::Known(known)) => Some(Known::floats(known.shape.clone(), known.numbers()?, known.double)),
            None => None,
        })
    }

    /// Whether a value is a constant of truths.
    pub fn holds_truths(&self, id: ValueId) -> bool {
        let Source::Parameter(parameter) = self.draft.builder.source(id) else { return false };
        matches!(self.weights.get(parameter.index()), Some(Weight::Known(known)) if known.is_bool())
    }

    /// Whether an initializer has floats, and not sizes or indices.
    pub fn is_float(&self, stored: usize) -> bool {
        tensor::is_float(self.stored[stored].tensor)
    }

    /// Whether an initializer is several tensors in one: exporters store equal tensors once, and those that nobody trained
    /// are equal by chance. They have no name of their own in the file, and nothing in common but their size.
    fn is_merged(&mut self, stored: usize) -> bool {
        let Stored { shape, shared, .. } = &self.stored[stored];
        let several = (2..=MAX_MERGED).contains(&shape.iter().product());
        *shared && several && self.read(stored).is_ok_and(|known| known.is_uniform())
    }

    /// The number that stands in every entry of a merged tensor: all that is known of the tensors that it was.
    pub fn merged_number(&mut self, value: &Value) -> Option<f64> {
        let &Value::Stored(stored) = value else { return None };
        if !self.is_float(stored) || !self.is_merged(stored) {
            return None;
        }
        self.read(stored).ok()?.uniform()
    }

    /// Gamma and beta of a norm, from these inputs: what changes nothing is left out, beta alone is never given.
    pub fn affine(&mut self, call: &Call, gamma: usize, beta: usize) -> Lowered<Vec<ValueId>> {
        let no_beta = !call.has(beta) || self.merged_number(call.input(beta)) == Some(0.0);
        if no_beta && self.merged_number(call.input(gamma)) == Some(1.0) {
            return Ok(Vec::new());
        }
        let gamma = self.value(call, gamma)?;
        Ok(if no_beta { vec![gamma] } else { vec![gamma, self.value(call, beta)?] })
    }

    fn parameter(&mut self, stored: usize) -> Lowered<ValueId> {
        if let Some(&id) = self.parameters.get(&stored) {
            return Ok(id);
        }
        let Stored { name, kind, .. } = self.stored[stored];
        let name = self.unique(name);
        let (_, id) = self.draft.builder.parameter(&name, &self.stored[stored].shape, ElementType::F32, kind)?;
        if let Some(element) = tensor::element_of(self.stored[stored].tensor) {
            self.draft.builder.stored_as(id, element);
        }
        self.weights.push(Weight::Stored(stored));
        self.parameters.insert(stored, id);
        self.name_parameter(stored)?;
        Ok(id)
    }

    /// Gives a parameter its further names, where the initializer is one already.
    fn name_parameter(&mut self, stored: usize) -> Lowered<()> {
        let Some(Source::Parameter(parameter)) = self.parameters.get(&stored).map(|&id| self.draft.builder.source(id))
        else {
            return Ok(());
        };
        for alias in std::mem::take(&mut self.stored[stored].aliases) {
            if !self.names.contains_key(alias) {
                self.names.insert(alias.to_owned(), 1);
                self.draft.builder.alias(parameter, alias)?;
            }
        }
        Ok(())
    }

    /// A tensor that the code of the network makes, as a parameter.
    pub fn constant(&mut self, name: &str, known: &Rc<Known>) -> Lowered<ValueId> {
        if let Some(&id) = self.constants.get(&Rc::as_ptr(known)) {
            return Ok(id);
        }
        known.numbers()?;
        let name = self.unique(name);
        let (_, id) = self.draft.builder.parameter(&name, &known.shape, ElementType::F32, ParameterKind::Constant)?;
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

    /// Shape of a tensor without making it a graph value.
    pub fn shape_of(&self, value: &Value) -> Lowered<Shape> {
        match value {
            Value::Graph(id) | Value::Greater { x: id, .. } | Value::NotANumber(id) => {
                Ok(self.draft.builder.shape(*id).clone())
            }
            Value::Known(known) => Ok(shape::fixed(&known.shape)),
            Value::Stored(stored) => Ok(shape::fixed(&self.stored[*stored].shape)),
            Value::PerImage(PerImage { each, .. }) | Value::Places(each) => {
                let each = shape::fixed(&each.shape[1..]);
                Ok([Dim::Batch(1)].into_iter().chain(each).collect())
            }
            Value::Absent => invalid("an input is missing"),
            Value::Unavailable => unsupported("reads a result that has not been computed"),
            Value::Missing(cause) => Err(Fault::Missing(Rc::clone(cause))),
            Value::Unknown => Err(Fault::Unknown),
        }
    }
}

/// The name by which a node calls one of its inputs.
fn used_name(call: &Call, index: usize) -> String {
    let name = call.input_names.get(index).filter(|n| !n.is_empty());
    name.map_or_else(|| format!("{}.constant", call.name), |name| cut(name))
}

fn known_weights(known: &Known) -> TensorData {
    let numbers = known.numbers().unwrap_or_default();
    let bytes = numbers.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect();
    TensorData { element: ElementType::F32, shape: known.shape.clone(), bytes }
}
