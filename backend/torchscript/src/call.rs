//! One operator call of the network's code, with its arguments by position and by the schema's names.

use std::rc::Rc;

use eagleeye_graph::reading::indices;
use eagleeye_graph::{Count, Unsupported};

use super::error::TorchScriptError;
use super::fault::{Fault, Lowered, unsupported};
use super::known::{known_scalar, known_whole};
use super::value::{TensorRef, Value};

/// The call does what it does in training only.
pub(super) fn training<T>(call: &Call) -> Lowered<T> {
    let (operator, node) = (call.operator.to_owned(), call.name.clone());
    Err(Fault::Fatal(TorchScriptError::Training { operator, node }))
}

/// A call of an `aten` or `prim` operator.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Without the trailing underscore of in-place operators.
    pub operator: &'a str,
    /// Which of the operator's schemas it is.
    pub overload: &'a str,
    /// Name for the graph's node.
    pub name: String,
    pub arguments: Vec<Value>,
    pub names: &'a [String],
}

impl Call<'_> {
    /// An argument by position; `None` where the call has fewer.
    pub fn at(&self, index: usize) -> &Value {
        self.arguments.get(index).unwrap_or(&Value::None)
    }

    /// An argument by the schema's name; `None` where the operator has no such argument.
    pub fn get(&self, name: &str) -> &Value {
        let position = self.names.iter().position(|n| n == name);
        position.map_or(&Value::None, |index| self.at(index))
    }

    pub fn has(&self, name: &str) -> bool {
        !matches!(self.get(name), Value::None)
    }

    /// The first of several outputs, where the engine has no other. `others` says what they are: `indices`.
    pub fn only(&self, first: Value, count: usize, others: &str) -> Value {
        let cause = note(self.operator, &self.name, format!("its {others} are used, which is not supported"));
        let missing = Value::Missing(Rc::new(cause));
        Value::tuple([first].into_iter().chain(std::iter::repeat_n(missing, count - 1)).collect())
    }

    pub fn tensor(&self, index: usize) -> Lowered<TensorRef> {
        self.as_tensor(self.at(index), &format!("argument {index}"))
    }

    pub fn tensor_named(&self, name: &str) -> Lowered<TensorRef> {
        self.as_tensor(self.get(name), name)
    }

    fn as_tensor(&self, value: &Value, what: &str) -> Lowered<TensorRef> {
        match value {
            Value::Tensor(tensor) => Ok(tensor.clone()),
            Value::Unknown => Err(Fault::Unknown),
            Value::Missing(cause) => Err(Fault::Missing(Rc::clone(cause))),
            other => Err(Fault::Invalid(format!("{what} is {}, expected a tensor", other.describe()))),
        }
    }

    pub fn tensors(&self, index: usize) -> Lowered<Vec<TensorRef>> {
        let items = self.at(index).items();
        let items = items.ok_or_else(|| Fault::Invalid(format!("argument {index} is not a list of tensors")))?;
        items.iter().map(|v| self.as_tensor(v, "a list item")).collect()
    }

    pub fn int(&self, name: &str) -> Lowered<i64> {
        as_int(self.get(name)).map_err(|fault| wrong(fault, name))
    }

    pub fn int_or(&self, name: &str, default: i64) -> Lowered<i64> {
        if self.has(name) { self.int(name) } else { Ok(default) }
    }

    pub fn float(&self, name: &str) -> Lowered<f64> {
        as_float(self.get(name)).map_err(|fault| wrong(fault, name))
    }

    pub fn float_or(&self, name: &str, default: f64) -> Lowered<f64> {
        if self.has(name) { self.float(name) } else { Ok(default) }
    }

    pub fn optional_float(&self, name: &str) -> Lowered<Option<f64>> {
        if self.has(name) { self.float(name).map(Some) } else { Ok(None) }
    }

    /// A bool that is `false` where it is left out.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Value::Bool(true))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Value::String(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// A list of whole numbers; a single number is a list of one, `None` an empty list.
    pub fn ints(&self, name: &str) -> Lowered<Vec<i64>> {
        let value = self.get(name);
        match value.items() {
            Some(items) => items.iter().map(as_int).collect::<Lowered<_>>().map_err(|fault| wrong(fault, name)),
            None if matches!(value, Value::None) => Ok(Vec::new()),
            None => Ok(vec![self.int(name)?]),
        }
    }

    /// An axis of a tensor of this rank; negative ones count from the end.
    pub fn axis(&self, name: &str, rank: usize) -> Lowered<usize> {
        Ok(indices::axis(self.int(name)?, rank)?)
    }

    pub fn axis_or(&self, name: &str, default: i64, rank: usize) -> Lowered<usize> {
        Ok(indices::axis(self.int_or(name, default)?, rank)?)
    }

    pub fn axes(&self, name: &str, rank: usize) -> Lowered<Vec<usize>> {
        self.ints(name)?.iter().map(|&axis| Ok(indices::axis(axis, rank)?)).collect()
    }

    /// A list of sizes, which may depend on the batch.
    pub fn counts(&self, name: &str) -> Lowered<Vec<Count>> {
        counts(self.get(name)).map_err(|fault| wrong(fault, name))
    }

    /// A list of sizes for `axes` axes: one number stands for all, none for `default`.
    pub fn sizes(&self, name: &str, axes: usize, default: usize) -> Lowered<Vec<usize>> {
        let values = self.ints(name)?;
        let sizes = values.iter().map(|&v| usize::try_from(v)).collect::<Result<Vec<_>, _>>();
        let sizes = sizes.map_err(|_| Fault::Invalid(format!("{name} contains a negative number: {values:?}")))?;
        match sizes[..] {
            [] => Ok(vec![default; axes]),
            [one] => Ok(vec![one; axes]),
            _ if sizes.len() == axes => Ok(sizes),
            _ => Err(Fault::Invalid(format!("{name} has {} entries, expected {axes}", sizes.len()))),
        }
    }
}

/// A whole number that must not depend on the batch.
pub(super) fn as_int(value: &Value) -> Lowered<i64> {
    match value {
        Value::Int(count) => match count.known() {
            Some(known) => Ok(known),
            None => unsupported("depends on the batch size"),
        },
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Unknown => Err(Fault::Unknown),
        Value::Missing(cause) => Err(Fault::Missing(Rc::clone(cause))),
        // Traced code keeps sizes in tensors without axes.
        Value::Tensor(tensor) if known_whole(tensor).is_some() => known_whole(tensor).ok_or(Fault::Unknown),
        other => Err(Fault::Invalid(format!("is {}, expected an int", other.describe()))),
    }
}

pub(super) fn as_float(value: &Value) -> Lowered<f64> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Tensor(tensor) if known_scalar(tensor).is_some() => known_scalar(tensor).ok_or(Fault::Unknown),
        other => as_int(other).map(|n| n as f64),
    }
}

/// Sizes, which may depend on the batch.
pub(super) fn counts(value: &Value) -> Lowered<Vec<Count>> {
    let items = value.items().unwrap_or_else(|| vec![value.clone()]);
    let count = |item: &Value| match item {
        Value::Int(count) => Ok(*count),
        other => as_int(other).map(Count::fixed),
    };
    items.iter().map(count).collect()
}

fn wrong(fault: Fault, name: &str) -> Fault {
    match fault {
        Fault::Invalid(reason) => Fault::Invalid(format!("{name} {reason}")),
        Fault::Unsupported(reason) => Fault::Unsupported(format!("{name} {reason}")),
        other => other,
    }
}

/// An entry of the list of all unsupported operators.
pub(super) fn note(operator: &str, node: &str, reason: String) -> Unsupported {
    Unsupported { operator: operator.to_owned(), node: node.to_owned(), reason }
}
