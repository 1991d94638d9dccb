//! Operators on tensors whose entries are known while the network is read: the arithmetic of shapes, indices and masks.

mod arithmetic;
mod movement;
mod reduction;
mod repeated;
mod scatter;

pub(super) use scatter::{scatter_places, slices};

use std::rc::Rc;

use eagleeye_graph::Count;

use crate::import::call::{Call, Lowered, Value, constant};
use crate::import::fault::{Fault, invalid, unsupported};
use crate::import::indices::{self, axis};
use crate::import::known::{Entries, Known, WholeType, size_of};
use crate::import::lowering::Lowering;
use crate::import::tensor;
use crate::proto::tensor_proto::DataType;

/// The known inputs of a node; `None` for those that were left out.
pub(super) struct Inputs(Vec<Option<Rc<Known>>>);

impl Inputs {
    fn get(&self, index: usize) -> Lowered<&Known> {
        self.optional(index).map_or_else(|| invalid(format!("input {index} is missing")), Ok)
    }

    fn optional(&self, index: usize) -> Option<&Known> {
        self.0.get(index).and_then(|k| k.as_deref())
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        self.0.iter().filter_map(|k| k.as_deref())
    }

    /// The same with another input, or one more behind the last.
    fn with(&self, index: usize, input: Known) -> Self {
        let mut inputs = self.0.clone();
        inputs.resize(inputs.len().max(index + 1), None);
        inputs[index] = Some(Rc::new(input));
        Self(inputs)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

type Fold = fn(&mut Lowering, &Call, &Inputs) -> Lowered;

/// Names and functions of all folded operators.
const FOLDED: &[&[(&str, Fold)]] =
    &[TENSORS, arithmetic::OPERATORS, movement::OPERATORS, reduction::OPERATORS, scatter::OPERATORS];

const TENSORS: &[(&str, Fold)] = &[
    ("Constant", stored_constant),
    ("ConstantOfShape", constant_of_shape),
    ("Range", range),
    ("Cast", cast),
    ("CastLike", cast_like),
    ("EyeLike", eye_like),
    ("OneHot", one_hot),
];

/// Operators that only look at their input's shape.
const OF_SHAPES: [&str; 2] = ["Shape", "Size"];

pub(super) fn operators() -> Vec<&'static str> {
    FOLDED.iter().flat_map(|family| family.iter().map(|(name, _)| *name)).chain(OF_SHAPES).collect()
}

/// Computes a node where everything that it needs is known; `None` where it becomes nodes of the graph.
pub(super) fn evaluate(lo: &mut Lowering, call: &Call) -> Option<Lowered> {
    if OF_SHAPES.contains(&call.operator) {
        return Some(of_shape(lo, call));
    }
    let (_, fold) = FOLDED.iter().flat_map(|family| family.iter()).find(|(name, _)| *name == call.operator)?;
    // What is written over a constant is one as well.
    let into_constant = call.operator.starts_with("Scatter") && matches!(call.input(0), Value::Known(_));
    let known = |value: &Value| match value {
        Value::Known(_) | Value::PerImage(_) | Value::Absent => true,
        Value::Stored(stored) => into_constant || lo.is_number(*stored),
        _ => false,
    };
    if !call.inputs.iter().all(known) {
        return None;
    }
    Some(if repeated::depends_on_batch(lo, call) {
        repeated::evaluate(lo, call, *fold)
    } else {
        inputs(lo, call).and_then(|inputs| fold(lo, call, &inputs))
    })
}

fn inputs(lo: &mut Lowering, call: &Call) -> Lowered<Inputs> {
    (0..call.inputs.len()).map(|index| lo.optional_known(call, index)).collect::<Lowered<_>>().map(Inputs)
}

fn of_shape(lo: &mut Lowering, call: &Call) -> Lowered {
    let shape = lo.shape_of(call.input(0))?;
    let sizes: Vec<Count> = shape.iter().map(|d| Count::of(*d)).collect();
    if call.operator == "Size" {
        let size = sizes.iter().try_fold(Count::fixed(1), |all, size| all.multiply(*size));
        let size = size.ok_or_else(|| Fault::Unsupported("a size that is not linear in the batch".into()))?;
        return Ok(constant(Known::ints(Vec::new(), vec![size])));
    }
    let rank = sizes.len() as i64;
    let bound = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank) as usize;
    let (start, end) = (bound(call.int_or("start", 0)?), bound(call.int_or("end", rank)?));
    Ok(constant(Known::list(sizes.get(start..end).unwrap_or_default().iter().copied())))
}

fn stored_constant(lo: &mut Lowering, call: &Call, _: &Inputs) -> Lowered {
    let single = |entry: Known| Ok(constant(entry));
    if let Some(stored) = call.tensor("value") {
        lo.charge(size_of(&tensor::shape_of(stored)?)?)?;
        return single(tensor::known(stored, lo.folder())?);
    }
    if let Some(value) = call.optional_int("value_int")? {
        return single(Known::ints(Vec::new(), vec![Count::fixed(value)]));
    }
    if let Some(value) = call.optional_float("value_float")? {
        return single(Known::floats(Vec::new(), vec![value], false));
    }
    if call.has_attribute("value_ints") {
        return single(Known::list(call.ints("value_ints")?.unwrap_or_default().into_iter().map(Count::fixed)));
    }
    if call.has_attribute("value_floats") {
        let values = call.floats("value_floats")?.unwrap_or_default();
        return single(Known::floats(vec![values.len()], values, false));
    }
    unsupported("a constant that is not a number, a list of numbers or a dense tensor")
}

/// Sizes of a tensor that is made while reading.
fn sizes(counts: &[Count]) -> Lowered<Vec<usize>> {
    let size = |count: &Count| match count.known().map(usize::try_from) {
        Some(Ok(size)) => Ok(size),
        Some(Err(_)) => invalid("has a negative size"),
        None => unsupported("a size that depends on the batch size"),
    };
    counts.iter().map(size).collect()
}

/// A tensor of the given shape, filled with the node's value.
fn constant_of_shape(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let shape = sizes(&inputs.get(0)?.counts()?)?;
    let size = size_of(&shape)?;
    lo.charge(size)?;
    let value = match call.tensor("value") {
        Some(stored) if size_of(&tensor::shape_of(stored)?)? != 1 => return invalid("fills with more than one value"),
        Some(stored) => tensor::known(stored, lo.folder())?,
        None => Known::floats(vec![1], vec![0.0], false),
    };
    Ok(constant(value.take(shape, &vec![0; size])))
}

fn range(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (start, limit, delta) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
    let number = |k: &Known| k.number().map_or_else(|| unsupported("a range that depends on the batch size"), Ok);
    let (first, last, step) = (number(start)?, number(limit)?, number(delta)?);
    let count = ((last - first) / step).ceil().max(0.0);
    if !count.is_finite() {
        return invalid(format!("has a step of {step}"));
    }
    let count = size_of(&[count as usize])?;
    lo.charge(count)?;
    if start.is_float() {
        let entries = (0..count).map(|i| first + i as f64 * step).collect();
        return Ok(constant(Known::floats(vec![count], entries, start.double)));
    }
    let entry = |i: usize| (i as i64).checked_mul(step as i64)?.checked_add(first as i64).map(Count::fixed);
    match (0..count).map(entry).collect::<Option<Vec<_>>>() {
        Some(entries) => Ok(constant(Known::list(entries).in_type(start.whole_type)?)),
        None => invalid("has numbers that are too large"),
    }
}

fn cast(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let to = i32::try_from(call.int_or("to", 0)?).ok().and_then(|to| DataType::try_from(to).ok());
    let Some(to) = to else {
        return invalid("casts to an unknown type");
    };
    converted(lo, inputs.get(0)?, to)
}

fn cast_like(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (x, like) = (inputs.get(0)?, inputs.get(1)?);
    match (&like.entries, like.double) {
        (Entries::Float(_), true) => converted(lo, x, DataType::Double),
        (Entries::Float(_), false) => converted(lo, x, DataType::Float),
        (Entries::Bool(_), _) => converted(lo, x, DataType::Bool),
        (Entries::Int(_), _) => {
            lo.charge(x.len())?;
            Ok(constant(as_whole(x, like.whole_type)?))
        }
    }
}

fn converted(lo: &mut Lowering, known: &Known, to: DataType) -> Lowered {
    lo.charge(known.len())?;
    let shape = known.shape.clone();
    if let Some(whole_type) = WholeType::of(to) {
        return Ok(constant(as_whole(known, whole_type)?));
    }
    Ok(constant(match to {
        DataType::Float | DataType::Float16 | DataType::Bfloat16 => Known::floats(shape, known.numbers()?, false),
        DataType::Double => Known::floats(shape, known.numbers()?, true),
        DataType::Bool => Known::bools(shape, known.truths()?),
        other => return unsupported(format!("casts to {}", other.as_str_name())),
    }))
}

fn as_whole(known: &Known, whole_type: WholeType) -> Lowered<Known> {
    let counts = match &known.entries {
        Entries::Float(v) => v.iter().map(|v| Count::fixed(*v as i64)).collect(),
        _ => known.counts()?,
    };
    Known::ints(known.shape.clone(), counts).in_type(whole_type)
}

fn eye_like(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let [rows, columns] = inputs.get(0)?.shape[..] else {
        return invalid("needs a matrix");
    };
    lo.charge(size_of(&[rows, columns])?)?;
    let shift = call.int_or("k", 0)?;
    let entries = (0..rows as i64).flat_map(|row| {
        (0..columns as i64).map(move |column| f64::from(u8::from(row.checked_add(shift) == Some(column))))
    });
    Ok(constant(Known::floats(vec![rows, columns], entries.collect(), false)))
}

/// A new axis with one value where the index is, and another elsewhere.
fn one_hot(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (indices, values) = (inputs.get(0)?, inputs.get(2)?);
    let depth = match inputs.get(1)?.whole()?[..] {
        [depth] => indices::size(depth, "the depth")?,
        _ => return invalid("the depth is not a single number"),
    };
    if values.len() != 2 {
        return invalid("needs two values");
    }
    let mut shape = indices.shape.clone();
    let new = axis(call.int_or("axis", -1)?, shape.len() + 1)?;
    shape.insert(new, depth);
    lo.charge(size_of(&shape)?)?;
    let inner: usize = indices.shape[new..].iter().product();
    let hot = indices.whole()?;
    let place = |position: usize| {
        let (outer, class, rest) = (position / (inner * depth), position / inner % depth, position % inner);
        let index = hot[outer * inner + rest];
        let from_start = if index < 0 { index.saturating_add(depth as i64) } else { index };
        usize::from(from_start == class as i64)
    };
    let places: Vec<usize> = (0..shape.iter().product()).map(place).collect();
    Ok(constant(values.take(shape, &places)))
}
