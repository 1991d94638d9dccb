//! One node of the file as the operators see it: its inputs, its attributes, its operator set.

use std::collections::BTreeMap;
use std::rc::Rc;

use eagleeye_graph::{Unsupported, ValueId};

use super::fault::{Fault, invalid};
use super::known::Known;
use crate::error::OnnxError;
use crate::proto::{AttributeProto, TensorProto, attribute_proto::AttributeType};

/// Strides, pads and the like are no larger, so that sums and products of two of them do not overflow.
const MAX_SIZE: usize = i32::MAX as usize;
/// Names are for people: longer ones are cut, so that no file can make them grow.
const MAX_NAME: usize = 160;

/// What is known about a tensor of the file.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// An optional input or output that was left out.
    Absent,
    /// A value of the graph: an activation, or something computed from weights.
    Graph(ValueId),
    /// Entries that do not depend on the input.
    Known(Rc<Known>),
    /// An initializer, by its position among the stored tensors.
    Stored(usize),
    /// The same entries for each image, or indices that count the images of the batch.
    PerImage(PerImage),
    /// Places in tensors with a batch, `[1, sizes..., axes]` for the first image: the first coordinate is the number of the
    /// image, the others are the same for each.
    Places(Rc<Known>),
    /// Where an activation is greater than a number: a comparison, made where something else than a selection reads it.
    Greater { x: ValueId, than: f64 },
    /// Where an activation is not a number.
    NotANumber(ValueId),
    /// A result that the engine does not have, for example the indices of a max pooling. Reading it is not supported.
    Unavailable,
    /// The same, bound to its name, with what is said where it is read.
    Missing(Rc<Unsupported>),
    /// The result of something unsupported that was already noted.
    Unknown,
}

/// A tensor `[batch, ...]` whose entries for image `n` are `n * stride + each`.
#[derive(Clone, Debug)]
pub(super) struct PerImage {
    /// 0 for a tensor that is the same for every image, and may then have any entries; else its entries are whole numbers.
    pub stride: i64,
    /// The entries of the first image; its first axis is 1.
    pub each: Rc<Known>,
}

/// The outputs of a node, or why it has none.
pub(super) type Lowered<T = Vec<Value>> = Result<T, Fault>;

/// The node does what it does in training only.
pub(super) fn training<T>(call: &Call) -> Lowered<T> {
    let (operator, node) = (call.operator.to_owned(), call.name.clone());
    Err(OnnxError::Training { operator, node }.into())
}

/// The only output of a node.
pub(super) fn one(id: ValueId) -> Vec<Value> {
    vec![Value::Graph(id)]
}

/// The only output of a node that was computed while reading.
pub(super) fn constant(known: Known) -> Vec<Value> {
    vec![Value::Known(Rc::new(known))]
}

/// A node with its inputs.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub operator: &'a str,
    /// Of the graph nodes that it becomes, and for messages.
    pub name: String,
    /// Version of the operator set that the node is written for.
    pub opset: i64,
    pub inputs: Vec<Value>,
    pub input_names: &'a [String],
    /// Name of the first output.
    pub output_name: &'a str,
    /// How many outputs are named.
    pub outputs: usize,
    pub attributes: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Call<'a> {
    /// An input; [`Value::Absent`] where it was left out.
    pub fn input(&self, index: usize) -> &Value {
        self.inputs.get(index).unwrap_or(&Value::Absent)
    }

    pub fn has(&self, index: usize) -> bool {
        !matches!(self.input(index), Value::Absent)
    }

    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub fn int_or(&self, name: &str, default: i64) -> Lowered<i64> {
        self.typed(name, AttributeType::Int, |a| a.i).map(|found| found.unwrap_or(default))
    }

    pub fn flag(&self, name: &str) -> Lowered<bool> {
        Ok(self.int_or(name, 0)? != 0)
    }

    pub fn optional_int(&self, name: &str) -> Lowered<Option<i64>> {
        self.typed(name, AttributeType::Int, |a| a.i)
    }

    pub fn optional_float(&self, name: &str) -> Lowered<Option<f64>> {
        Ok(self.typed(name, AttributeType::Float, |a| a.f)?.map(shortest))
    }

    pub fn float_or(&self, name: &str, default: f64) -> Lowered<f64> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    /// A list of whole numbers, or `None` where the attribute is not there.
    pub fn ints(&self, name: &str) -> Lowered<Option<Vec<i64>>> {
        self.typed(name, AttributeType::Ints, |a| (!a.ints.is_empty()).then(|| a.ints.clone()))
    }

    /// A list of numbers, or `None` where the attribute is not there.
    pub fn floats(&self, name: &str) -> Lowered<Option<Vec<f64>>> {
        let floats = |a: &AttributeProto| a.floats.iter().map(|&v| shortest(v)).collect::<Vec<_>>();
        self.typed(name, AttributeType::Floats, |a| (!a.floats.is_empty()).then(|| floats(a)))
    }

    /// A text, or `""` where the attribute is not there.
    pub fn text(&self, name: &str) -> Lowered<&'a str> {
        let Some(attribute) = self.attributes.get(name) else {
            return Ok("");
        };
        let bytes: &'a [u8] = attribute.s.as_deref().unwrap_or_default();
        std::str::from_utf8(bytes).or_else(|_| invalid(format!("attribute `{name}` is not a string")))
    }

    pub fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attributes.get(name).and_then(|a| a.t.as_ref())
    }

    /// An attribute of a stated type. Some writers leave out numbers that are zero.
    fn typed<T: Default>(
        &self,
        name: &str,
        kind: AttributeType,
        get: impl Fn(&AttributeProto) -> Option<T>,
    ) -> Lowered<Option<T>> {
        let Some(attribute) = self.attributes.get(name) else {
            return Ok(None);
        };
        match get(attribute) {
            Some(value) => Ok(Some(value)),
            None if attribute.r#type() == kind => Ok(Some(T::default())),
            None => invalid(format!("attribute `{name}` is not of type {}", kind.as_str_name())),
        }
    }

    /// Sizes from an attribute, one for each of `axes` axes; `default` for all where it is not there.
    pub fn sizes(&self, name: &str, axes: usize, default: usize) -> Lowered<Vec<usize>> {
        let Some(values) = self.ints(name)? else {
            return Ok(vec![default; axes]);
        };
        if values.len() != axes {
            return invalid(format!("{name} has {} entries, expected {axes}", values.len()));
        }
        let sizes = values.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v <= MAX_SIZE)).collect();
        let sizes: Option<Vec<usize>> = sizes;
        sizes.map_or_else(|| invalid(format!("{name} is negative or too large: {values:?}")), Ok)
    }
}

/// The `f64` that was meant by an `f32` which was written in decimals: 0.1 and not 0.10000000149.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// A name for messages and nodes, cut where it is too long.
pub(super) fn cut(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}
