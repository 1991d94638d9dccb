//! What does not depend on the input is computed by libtorch while the network is read: masks, index tables, position grids,
//! arithmetic on sizes.
//!
//! Any operator of `aten` is computed whose schema says that it takes and gives tensors, numbers, texts and lists of them and
//! writes into none; [`rule`](super::rule) says which are not, and why. In-place forms are computed like their plain ones and
//! written back. Nothing here knows a single operator's meaning, with four exceptions: TorchScript's own `aten::tensor`, moves
//! to another device, the constructors that look at the shape of an activation alone, and what it costs.

use tch::{Kind, Tensor};

use super::folding::Folded;
use super::rule::{self, Cost};
use crate::batched::SAMPLES;
use crate::call::{Call, as_float};
use crate::error::TorchScriptError;
use crate::fault::{Fault, Lowered, unsupported};
use crate::ffi::compute::{self, ComputeError, Datum, Traits};
use crate::known::{content, known, known_whole};
use crate::lowering::{Lowering, MAX_COMPUTED};
use crate::tensors::by_number;
use crate::value::{Content, TensorRef, Value};

/// Elements of a tensor that the code makes; a mask of a large Swin has some 10^6.
const MAX_ELEMENTS: usize = 1 << 26;
/// Bytes that one operator may take: a tensor of the most elements, and as much on the way to it.
const MAX_BYTES: usize = 2 * 8 * MAX_ELEMENTS;
/// Parts that one operator may take a tensor apart into.
const MAX_PARTS: i64 = 1 << 16;

/// What libtorch says of sizes that are too large to multiply.
const OVERFLOWS: [&str; 2] = ["size calculation overflowed", "integer multiplication overflow"];

/// Arguments of which an operator looks at nothing but the shape and the element type.
const SHAPE_ALONE: &[(&str, usize)] = &[
    ("aten::zeros_like", 0),
    ("aten::ones_like", 0),
    ("aten::full_like", 0),
    ("aten::empty_like", 0),
    ("aten::new_zeros", 0),
    ("aten::new_ones", 0),
    ("aten::new_full", 0),
    ("aten::new_empty", 0),
    ("aten::new_tensor", 0),
    ("aten::expand_as", 1),
    ("aten::view_as", 1),
    ("aten::reshape_as", 1),
    ("aten::type_as", 1),
];

/// The operators of [`SHAPE_ALONE`].
pub fn of_shape_alone() -> Vec<&'static str> {
    SHAPE_ALONE.iter().map(|(name, _)| *name).collect()
}

/// Whether the operator looks at nothing but the shape and the element type of the argument.
pub(super) fn takes_shape_alone(operator: &str, argument: usize) -> bool {
    SHAPE_ALONE.contains(&(operator, argument))
}

/// Operators that libtorch does not compute.
pub const OPERATORS: &[Folded] = &[
    Folded::new("aten::tensor", |lo, call| literal(lo, call, call.at(0))),
    Folded::new("aten::as_tensor", |lo, call| literal(lo, call, call.at(0))),
    Folded::new("aten::new_tensor", |lo, call| literal(lo, call, call.at(1))),
    Folded::new("aten::cpu", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::cuda", |_, call| Ok(call.at(0).clone())),
];

/// Computes the call, or `None` where neither this code nor libtorch can.
pub fn evaluate(lowering: &mut Lowering, call: &Call) -> Option<Lowered> {
    if let Some(operator) = OPERATORS.iter().find(|operator| operator.name == call.operator) {
        return Some((operator.compute)(lowering, call));
    }
    let traits = match compute::traits(call.operator, call.overload) {
        Ok(traits) if traits.computes() => traits,
        _ => return None,
    };
    if let Some(reason) = rule::refusal(call.operator, traits) {
        return reason.map(unsupported);
    }
    Some(computed(lowering, call, traits))
}

/// What is known against an operator that the graph does not have either; empty for most.
pub fn known_against(call: &Call) -> &'static str {
    match compute::traits(call.operator, call.overload) {
        Ok(traits) => rule::refusal(call.operator, traits).flatten().unwrap_or_default(),
        Err(_) => "",
    }
}

/// `torch.tensor` of a number or of lists of numbers, which is TorchScript's own.
fn literal(lowering: &mut Lowering, call: &Call, data: &Value) -> Lowered {
    if let Value::Tensor(_) = data {
        return Ok(data.clone());
    }
    let mut entries = Vec::new();
    let mut shape = Vec::new();
    flatten(data, 0, &mut shape, &mut entries)?;
    lowering.charge(entries.len())?;
    let batched = entries.iter().any(depends_on_batch);
    let sample = |batch: i64| -> Lowered<Tensor> {
        let whole = |value: &Value| match value {
            Value::Int(count) => count.at(batch),
            Value::Bool(flag) => Some(i64::from(*flag)),
            Value::Tensor(tensor) => known_whole(tensor),
            _ => None,
        };
        let flat = match entries.iter().map(whole).collect::<Option<Vec<_>>>() {
            Some(numbers) if !numbers.is_empty() => Tensor::f_from_slice(&numbers)?,
            _ => {
                let numbers = entries.iter().map(as_float).collect::<Lowered<Vec<f64>>>()?;
                Tensor::f_from_slice(&numbers)?.f_to_kind(Kind::Float)?
            }
        };
        let bools = !entries.is_empty() && entries.iter().all(|entry| matches!(entry, Value::Bool(_)));
        let flat = if bools { flat.f_to_kind(Kind::Bool)? } else { flat };
        let shaped = flat.f_reshape(&shape[..])?;
        match kind(call)? {
            Some(kind) => Ok(shaped.f_to_kind(kind)?),
            None => Ok(shaped),
        }
    };
    let content = match batched {
        false => Content::Known(sample(SAMPLES[0])?),
        true => Content::Batched([sample(SAMPLES[0])?, sample(SAMPLES[1])?]),
    };
    Ok(Value::Tensor(TensorRef::new(content)))
}

fn flatten(value: &Value, depth: usize, shape: &mut Vec<i64>, entries: &mut Vec<Value>) -> Lowered<()> {
    let Some(items) = value.items() else {
        entries.push(value.clone());
        return Ok(());
    };
    let length = items.len() as i64;
    match shape.get(depth) {
        None => shape.push(length),
        Some(&before) if before != length => {
            return Err(Fault::Invalid("makes a tensor from lists of different lengths".into()));
        }
        Some(_) => {}
    }
    items.iter().try_for_each(|item| flatten(item, depth + 1, shape, entries))
}

/// The element type that the code asks for.
fn kind(call: &Call) -> Lowered<Option<Kind>> {
    if !call.has("dtype") {
        return Ok(None);
    }
    let number = call.int("dtype")?;
    match by_number(number) {
        Some(kind) => Ok(Some(kind)),
        None => unsupported(format!("the element type {number}")),
    }
}

/// Runs the operator, or runs it for batches of two sizes where an argument depends on the batch.
fn computed(lowering: &mut Lowering, call: &Call, traits: Traits) -> Lowered {
    let depends = |(index, argument): (usize, &Value)| {
        let of_activation = takes_shape_alone(call.operator, index) && lowering.follows_batch(argument);
        of_activation || depends_on_batch(argument)
    };
    if !call.arguments.iter().enumerate().any(depends) {
        let result = run(lowering, call, traits, SAMPLES[0])?;
        return Ok(single(result));
    }
    let [few, many] = SAMPLES.map(|batch| run(lowering, call, traits, batch));
    both(few?, many?)
}

fn depends_on_batch(value: &Value) -> bool {
    match value {
        Value::Int(count) => count.known().is_none(),
        Value::Tensor(tensor) => matches!(tensor.content(), Some(Content::Batched(_))),
        other => other.items().is_some_and(|items| items.iter().any(depends_on_batch)),
    }
}

fn run(lowering: &mut Lowering, call: &Call, traits: Traits, batch: i64) -> Lowered<Datum> {
    let mut arguments = Vec::with_capacity(call.arguments.len());
    for (index, argument) in call.arguments.iter().enumerate() {
        arguments.push(match argument {
            Value::Tensor(tensor) if takes_shape_alone(call.operator, index) => stand_in(lowering, tensor, batch)?,
            _ => datum(argument, batch)?,
        });
    }
    if traits.gives_list() && arguments.iter().any(has_many_parts) {
        return Err(Fault::Invalid(format!("splits a constant tensor into more than {MAX_PARTS} parts")));
    }
    let given = arguments.iter().map(elements).fold(0, usize::saturating_add).max(1);
    let cost = rule::cost(call.operator, traits);
    let share = if cost == Cost::Product { given } else { 1 };
    let left = (lowering.remaining() / share).saturating_mul(8);
    let name = call.operator;
    let done = compute::compute(name, call.overload, &arguments, left.min(MAX_BYTES)).map_err(|error| match error {
        ComputeError::Exceeded if left < MAX_BYTES => {
            let reason = format!("constants with more than {MAX_COMPUTED} elements in total");
            Fault::Fatal(TorchScriptError::TooComplex(reason))
        }
        ComputeError::Exceeded => too_large(),
        ComputeError::Failed(message) if OVERFLOWS.iter().any(|part| message.contains(part)) => too_large(),
        ComputeError::Failed(message) => Fault::Invalid(message),
    })?;
    let made = done.taken.div_ceil(8);
    lowering.charge(match cost {
        Cost::View => made,
        Cost::Linear => made.saturating_add(given),
        Cost::Product => made.saturating_mul(given).saturating_add(given),
    })?;
    bounded(&done.result)?;
    Ok(done.result)
}

fn too_large() -> Fault {
    Fault::Invalid("makes a constant tensor that is too large".into())
}

fn bounded(result: &Datum) -> Lowered<()> {
    match result {
        Datum::Tensor(tensor) if tensor.numel() > MAX_ELEMENTS => Err(too_large()),
        Datum::List(items) => items.iter().try_for_each(bounded),
        _ => Ok(()),
    }
}

/// A tensor of the activation's shape that takes no memory.
fn stand_in(lowering: &Lowering, tensor: &TensorRef, batch: i64) -> Lowered<Datum> {
    let Content::Graph(id) = content(tensor)? else { return datum(&Value::Tensor(tensor.clone()), batch) };
    let size = |dim: &eagleeye_graph::Dim| dim.at(usize::try_from(batch).unwrap_or(1)) as i64;
    let sizes: Vec<i64> = lowering.shape(id).iter().map(size).collect();
    let elements = sizes.iter().try_fold(1i64, |all, &size| all.checked_mul(size.max(1)));
    if elements.is_none_or(|all| all > MAX_ELEMENTS as i64) {
        return Err(too_large());
    }
    Ok(Datum::Tensor(Tensor::f_from_slice(&[0f32])?.f_expand(&sizes[..], false)?))
}

/// An argument as libtorch takes it, for a batch of so many images.
fn datum(value: &Value, batch: i64) -> Lowered<Datum> {
    Ok(match value {
        Value::None => Datum::None,
        Value::Bool(flag) => Datum::Bool(*flag),
        Value::Int(count) => {
            let number = count.at(batch);
            Datum::Int(number.ok_or_else(|| Fault::Invalid("computes with an integer that exceeds 64 bits".into()))?)
        }
        Value::Float(number) => Datum::Float(*number),
        Value::String(text) => Datum::Text(text.to_string()),
        Value::Tensor(tensor) => match content(tensor)? {
            Content::Known(known) => Datum::Tensor(known),
            Content::Batched([few, many]) => Datum::Tensor(if batch == SAMPLES[0] { few } else { many }),
            Content::Graph(_) => return unsupported("takes a tensor that depends on the input"),
        },
        other => match other.items() {
            Some(items) => Datum::List(items.iter().map(|item| datum(item, batch)).collect::<Lowered<_>>()?),
            None => return Err(Fault::Invalid(format!("computes with {}", other.describe()))),
        },
    })
}

/// Elements of the tensors in an argument.
fn elements(argument: &Datum) -> usize {
    match argument {
        Datum::Tensor(tensor) => tensor.numel(),
        Datum::List(items) => items.iter().map(elements).fold(0, usize::saturating_add),
        _ => 0,
    }
}

/// Whether an axis or a number is larger than the most parts that a tensor is taken apart into.
fn has_many_parts(argument: &Datum) -> bool {
    match argument {
        Datum::Tensor(tensor) => tensor.size().iter().any(|&size| size > MAX_PARTS),
        Datum::Int(number) => *number > MAX_PARTS,
        Datum::List(items) => items.iter().any(has_many_parts),
        _ => false,
    }
}

/// A result that does not depend on the batch.
fn single(result: Datum) -> Value {
    match result {
        Datum::None => Value::None,
        Datum::Bool(flag) => Value::Bool(flag),
        Datum::Int(number) => Value::int(number),
        Datum::Float(number) => Value::Float(number),
        Datum::Text(text) => Value::String(text.into()),
        Datum::Tensor(tensor) => known(tensor),
        Datum::List(items) => Value::list(items.into_iter().map(single).collect()),
    }
}

/// Results for batches of two sizes as one.
fn both(few: Datum, many: Datum) -> Lowered {
    Ok(match (few, many) {
        (Datum::Tensor(few), Datum::Tensor(many)) => Value::Tensor(TensorRef::new(Content::Batched([few, many]))),
        (Datum::List(few), Datum::List(many)) if few.len() == many.len() => {
            let items = few.into_iter().zip(many).map(|(few, many)| both(few, many));
            Value::list(items.collect::<Lowered<_>>()?)
        }
        (Datum::None, Datum::None) => Value::None,
        // Two batches do not tell that a number is linear in the batch.
        _ => return unsupported("computes a number that depends on the batch size but is not a multiple of it"),
    })
}

/// Ends an in-place operation on a constant: writes into its memory, which views of it share.
pub fn assign(call: &Call, result: &Value) -> Lowered {
    let (Value::Tensor(result), target) = (result, call.tensor(0)?) else {
        return Err(Fault::Invalid("the target of an in-place operation is not a tensor".into()));
    };
    match (content(&target)?, content(result)?) {
        // Operators that only change the shape leave the memory as it is.
        (Content::Known(old), new @ Content::Known(_)) if old.size() != sizes(&new) => target.assign(new),
        (Content::Known(mut old), Content::Known(new)) => old.f_copy_(&new)?,
        (Content::Batched([mut few, mut many]), Content::Batched([new_few, new_many]))
            if few.size() == new_few.size() && many.size() == new_many.size() =>
        {
            few.f_copy_(&new_few)?;
            many.f_copy_(&new_many)?;
        }
        (Content::Batched(_), new @ Content::Batched(_)) => target.assign(new),
        (Content::Known(_), Content::Batched(_)) => {
            return unsupported("writes values that depend on the batch size into a constant tensor");
        }
        _ => return unsupported("writes an activation into a constant tensor"),
    }
    Ok(Value::Tensor(target))
}

fn sizes(content: &Content) -> Vec<i64> {
    match content {
        Content::Known(tensor) => tensor.size(),
        _ => Vec::new(),
    }
}
