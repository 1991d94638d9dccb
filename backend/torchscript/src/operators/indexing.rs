//! Taking tensors apart and putting them together.

use eagleeye_graph::reading::indices;
use eagleeye_graph::{Binary, Compose, Count, Dim, Op, ValueId};
use tch::{Kind, Tensor};

use super::Operator;
use super::convolution::fixed;
use super::movement::repeated;
use crate::batched::SAMPLES;
use crate::call::{Call, as_float, as_int};
use crate::fault::{Fault, Lowered, unsupported};
use crate::known::{content, known_entries, known_scalar};
use crate::lowering::{Lowering, fresh};
use crate::value::{Content, Cut, TensorRef, Value};

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::cat", becomes: "cat", lower: cat },
    Operator { name: "aten::concat", becomes: "cat", lower: cat },
    Operator { name: "aten::concatenate", becomes: "cat", lower: cat },
    Operator { name: "aten::hstack", becomes: "cat", lower: cat },
    Operator { name: "aten::column_stack", becomes: "cat; only tensors with two axes or more", lower: cat },
    Operator { name: "aten::dstack", becomes: "cat; only tensors with three axes or more", lower: cat },
    Operator { name: "aten::stack", becomes: "reshape and cat", lower: stack },
    Operator { name: "aten::chunk", becomes: "split", lower: chunk },
    Operator { name: "aten::unsafe_chunk", becomes: "split", lower: chunk },
    Operator { name: "aten::split", becomes: "split", lower: split },
    Operator { name: "aten::unsafe_split", becomes: "split", lower: split },
    Operator { name: "aten::split_with_sizes", becomes: "split", lower: split },
    Operator { name: "aten::unsafe_split_with_sizes", becomes: "split", lower: split },
    Operator { name: "aten::tensor_split", becomes: "split", lower: tensor_split },
    Operator { name: "aten::unbind", becomes: "split and reshape", lower: unbind },
    Operator { name: "aten::slice", becomes: "slice with constant bounds", lower: slice },
    Operator { name: "aten::narrow", becomes: "slice", lower: narrow },
    Operator { name: "aten::select", becomes: "slice and reshape; not along the batch axis", lower: select },
    Operator { name: "aten::index", becomes: "gather with constant indices along one axis", lower: index },
    Operator { name: "aten::index_select", becomes: "gather with constant indices", lower: index_select },
    Operator { name: "aten::embedding", becomes: "gather with constant indices", lower: embedding },
    Operator {
        name: "aten::repeat_interleave",
        becomes: "gather; reshape and expand along the batch",
        lower: repeat_interleave,
    },
    Operator { name: "aten::fill", becomes: "expand of a constant", lower: filled },
    Operator {
        name: "aten::zero",
        becomes: "expand of a constant; of a slice in place, mul with a constant mask",
        lower: filled,
    },
];

/// Parts that one operator may take a tensor apart into.
const MAX_PARTS: usize = 1 << 16;

fn cat(lo: &mut Lowering, call: &Call) -> Lowered {
    let tensors = call.tensors(0)?;
    let mut values = Vec::with_capacity(tensors.len());
    for tensor in &tensors {
        // An empty tensor adds nothing: one without axes, or the tokens before the first in `x[:, :0]`.
        if !lo.shape_of(tensor)?.contains(&Dim::Fixed(0)) {
            values.push(lo.value(call, tensor)?);
        }
    }
    let &first = values.first().ok_or_else(|| Fault::Invalid("concatenates an empty list of tensors".into()))?;
    let given = match call.operator {
        "aten::hstack" if lo.shape(first).len() == 1 => 0,
        "aten::hstack" | "aten::column_stack" => 1,
        "aten::dstack" => 2,
        _ => call.int_or("dim", 0)?,
    };
    let axis = indices::axis(given, lo.draft.rank(first))?;
    if values.len() == 1 {
        return Ok(fresh(first));
    }
    let parts = over_batch(lo, call, values, axis)?;
    lo.emit(call, Op::Cat { axis }, &parts)
}

/// Tensors that do not depend on the batch are repeated over it where their neighbours do.
fn over_batch(lo: &mut Lowering, call: &Call, values: Vec<ValueId>, axis: usize) -> Lowered<Vec<ValueId>> {
    let batched =
        values.iter().find_map(|&v| lo.shape(v).iter().position(|d| matches!(d, Dim::Batch(_))).map(|a| (v, a)));
    let Some((with_batch, batch_axis)) = batched.filter(|&(_, a)| a != axis) else {
        return Ok(values);
    };
    let batch = lo.shape(with_batch)[batch_axis];
    let expand = |value: ValueId| {
        let mut shape = lo.shape(value).clone();
        if shape.get(batch_axis) != Some(&Dim::Fixed(1)) || batch != Dim::Batch(1) {
            return Ok(value);
        }
        shape[batch_axis] = batch;
        lo.push(call, Op::Expand { shape }, &[value])
    };
    values.into_iter().map(expand).collect()
}

fn stack(lo: &mut Lowering, call: &Call) -> Lowered {
    let tensors = call.tensors(0)?;
    let mut values = Vec::with_capacity(tensors.len());
    let mut axis = 0;
    for tensor in &tensors {
        let x = lo.value(call, tensor)?;
        let mut shape = lo.shape(x).clone();
        axis = call.axis_or("dim", 0, shape.len() + 1)?;
        shape.insert(axis, Dim::Fixed(1));
        values.push(lo.reshape(call, x, shape)?);
    }
    match values[..] {
        [] => Err(Fault::Invalid("stacks an empty list of tensors".into())),
        [one] => Ok(fresh(one)),
        _ => lo.emit(call, Op::Cat { axis }, &values),
    }
}

fn along(lo: &mut Lowering, call: &Call) -> Lowered<(TensorRef, ValueId, usize, usize)> {
    let tensor = call.tensor(0)?;
    let x = lo.value(call, &tensor)?;
    let axis = call.axis_or("dim", 0, lo.shape(x).len())?;
    let size = fixed(lo, x, axis)?;
    Ok((tensor, x, axis, size))
}

fn parts(lo: &mut Lowering, call: &Call, x: ValueId, axis: usize, sizes: Vec<usize>) -> Lowered<Vec<ValueId>> {
    few(sizes.len())?;
    if sizes.len() == 1 && lo.shape(x)[axis] == Dim::Fixed(sizes[0]) {
        return Ok(vec![x]);
    }
    Ok(lo.draft.builder.node(&call.name, Op::Split { axis, sizes }, &[x])?)
}

fn as_list(tensor: &TensorRef, ids: Vec<ValueId>) -> Value {
    Value::list(ids.into_iter().map(|id| Value::Tensor(tensor.part(Content::Graph(id)))).collect())
}

fn positive(value: i64, what: &str) -> Lowered<usize> {
    let positive = usize::try_from(value).ok().filter(|&v| v > 0);
    positive.ok_or_else(|| Fault::Invalid(format!("{what} must be positive, not {value}")))
}

/// Pieces of `length`, the last one shorter.
fn pieces(size: usize, length: usize) -> Lowered<Vec<usize>> {
    let count = few(size.div_ceil(length))?;
    Ok((0..count).map(|i| length.min(size - i * length)).collect())
}

/// A number of parts, unless there are more than a network has.
fn few(parts: usize) -> Lowered<usize> {
    if parts > MAX_PARTS { Err(Fault::Invalid(format!("splits a tensor into {parts} parts"))) } else { Ok(parts) }
}

fn chunk(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let chunks = positive(call.int("chunks")?, "the number of chunks")?;
    let ids = parts(lo, call, x, axis, pieces(size, size.div_ceil(chunks).max(1))?)?;
    Ok(as_list(&tensor, ids))
}

fn split(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let sizes = match call.at(1) {
        Value::Int(_) => pieces(size, positive(as_int(call.at(1))?, "the split size")?)?,
        _ => {
            let given = crate::call::counts(call.at(1))?;
            let known = given.iter().map(|c| c.known().and_then(|s| usize::try_from(s).ok())).collect();
            match known {
                Some(sizes) => sizes,
                None => return unsupported("sizes that are negative or depend on the batch size"),
            }
        }
    };
    let ids = parts(lo, call, x, axis, sizes)?;
    Ok(as_list(&tensor, ids))
}

fn tensor_split(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let sizes: Vec<usize> = if call.has("sections") {
        let sections = few(positive(call.int("sections")?, "the number of sections")?)?;
        (0..sections).map(|i| size / sections + usize::from(i < size % sections)).collect()
    } else {
        let indices = call.ints("indices")?;
        let from_start = |i: i64| if i < 0 { i.saturating_add(size as i64) } else { i };
        let ends = indices.iter().map(|&i| from_start(i).clamp(0, size as i64) as usize).chain([size]);
        let mut start = 0;
        ends.map(|end| {
            let part = end.saturating_sub(start);
            start = end;
            part
        })
        .collect()
    };
    let ids = parts(lo, call, x, axis, sizes)?;
    Ok(as_list(&tensor, ids))
}

fn unbind(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let ids = parts(lo, call, x, axis, vec![1; few(size)?])?;
    let mut shape = lo.shape(x).clone();
    shape.remove(axis);
    let ids = ids.into_iter().map(|id| lo.reshape(call, id, shape.clone())).collect::<Lowered<Vec<_>>>()?;
    Ok(as_list(&tensor, ids))
}

fn slice(lo: &mut Lowering, call: &Call) -> Lowered {
    let tensor = call.tensor(0)?;
    let x = lo.value(call, &tensor)?;
    let axis = call.axis_or("dim", 0, lo.shape(x).len())?;
    let step = positive(call.int_or("step", 1)?, "the step")?;
    let size = match lo.shape(x)[axis] {
        Dim::Fixed(size) => size,
        // `x[:]` along the batch is the tensor itself, and so is a slice up to the batch's own size.
        own @ Dim::Batch(_) => {
            let open = |name: &str, full: Count| match call.get(name) {
                Value::None => true,
                Value::Int(count) => *count == full || (full != Count::fixed(0) && *count == Count::fixed(i64::MAX)),
                _ => false,
            };
            let whole = Count::of(own);
            return if step == 1 && open("start", Count::fixed(0)) && open("end", whole) {
                Ok(Value::Tensor(tensor))
            } else {
                unsupported("slices along the batch axis")
            };
        }
    };
    let bound = |name: &str, default: i64| call.int_or(name, default);
    let clamp = |v: i64| if v < 0 { (v + size as i64).max(0) } else { v.min(size as i64) } as usize;
    let (start, end) = (clamp(bound("start", 0)?), clamp(bound("end", i64::MAX)?));
    if (start, end, step) == (0, size, 1) {
        return Ok(Value::Tensor(tensor));
    }
    if start >= end {
        return empty(lo, x, axis);
    }
    let id = lo.push(call, Op::Slice { axis, start, end, step }, &[x])?;
    Ok(Value::Tensor(tensor.slice(Content::Graph(id), Cut { axis, start, end, step, dropped: false })))
}

/// What is cut from a value between two equal places of an axis. The graph has no empty tensors, but joining skips them.
fn empty(lo: &Lowering, x: ValueId, axis: usize) -> Lowered {
    let mut shape = lo.shape(x).clone();
    shape[axis] = Dim::Fixed(0);
    let for_batch = |images: i64| {
        let sizes: Vec<i64> = shape.iter().map(|dim| dim.at(images as usize) as i64).collect();
        Tensor::f_zeros(sizes.as_slice(), (Kind::Float, tch::Device::Cpu))
    };
    let [few, many] = SAMPLES.map(for_batch);
    Ok(Value::Tensor(TensorRef::new(Content::Batched([few?, many?]))))
}

/// `x[start:end].zero_()`: the tensor that the slice was cut from is multiplied by a mask.
///
/// `None` where the tensor is no slice of an activation or a weight.
pub(super) fn zero_slice(lo: &mut Lowering, call: &Call) -> Lowered<Option<Value>> {
    let target = call.tensor(0)?;
    let Some((base, Cut { axis, start, end, step, .. })) = target.base().filter(|(base, _)| base.base().is_none())
    else {
        return Ok(None);
    };
    let Content::Graph(whole) = content(base)? else { return Ok(None) };
    let shape = lo.shape(whole);
    let (rank, size) = (shape.len(), shape[axis].sample());
    let mut mask = vec![1f32; size];
    for entry in mask[start..end].iter_mut().step_by(step) {
        *entry = 0.0;
    }
    // One axis of entries, aligned at the slice's axis.
    let aligned: Vec<i64> = (axis..rank).map(|a| if a == axis { size as i64 } else { 1 }).collect();
    let mask = lo.constant(call, &Tensor::f_from_slice(&mask)?.f_reshape(aligned)?)?;
    let masked = lo.binary(call, Binary::Mul, whole, mask)?;
    base.assign(Content::Graph(masked));
    Ok(Some(Value::Tensor(target)))
}

fn narrow(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let start = call.int("start")?;
    let start = if start < 0 { start + size as i64 } else { start };
    let start =
        usize::try_from(start).map_err(|_| Fault::Invalid("the start is before the first entry of the axis".into()))?;
    let end = start.saturating_add(usize::try_from(call.int("length")?).unwrap_or(0));
    let id = lo.push(call, Op::Slice { axis, start, end, step: 1 }, &[x])?;
    Ok(Value::Tensor(tensor.slice(Content::Graph(id), Cut { axis, start, end, step: 1, dropped: false })))
}

fn select(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x, axis, size) = along(lo, call)?;
    let index = call.int("index")?;
    let index = if index < 0 { index + size as i64 } else { index };
    let start = usize::try_from(index).map_err(|_| Fault::Invalid(format!("index {index} is outside the axis")))?;
    let one = if size == 1 { x } else { lo.push(call, Op::Slice { axis, start, end: start + 1, step: 1 }, &[x])? };
    let mut shape = lo.shape(one).clone();
    shape.remove(axis);
    let id = lo.reshape(call, one, shape)?;
    Ok(Value::Tensor(tensor.slice(Content::Graph(id), Cut { axis, start, end: start + 1, step: 1, dropped: true })))
}

/// Whole numbers of a constant tensor; a mask stands for the positions where it is true.
fn positions(tensor: &TensorRef, size: usize) -> Lowered<(Vec<usize>, Vec<usize>)> {
    let Some(known) = known_entries(tensor) else {
        return unsupported("indices that depend on the input");
    };
    if known.kind() == Kind::Bool && known.dim() != 1 {
        return unsupported("indexing with a mask of more than one axis");
    }
    let known = if known.kind() == Kind::Bool { known.f_nonzero()?.f_flatten(0, -1)? } else { known };
    let shape = known.size().iter().map(|&s| s as usize).collect();
    let flat = Vec::<i64>::try_from(known.f_to_kind(Kind::Int64)?.f_flatten(0, -1)?)?;
    let position = |&i: &i64| usize::try_from(if i < 0 { i + size as i64 } else { i });
    let indices = flat.iter().map(position).collect::<Result<Vec<_>, _>>();
    Ok((indices.map_err(|_| Fault::Invalid("an index before the axis".into()))?, shape))
}

/// Gathers along `axis` and puts the axes of the indices in its place.
fn gather(lo: &mut Lowering, call: &Call, x: ValueId, axis: usize, indices: &TensorRef) -> Lowered {
    let size = fixed(lo, x, axis)?;
    let (indices, index_shape) = positions(indices, size)?;
    let whole = indices.len() == size && indices.iter().enumerate().all(|(i, &index)| i == index);
    let y = if whole { x } else { lo.push(call, Op::Gather { axis, indices }, &[x])? };
    let mut shape = lo.shape(x).clone();
    shape.splice(axis..=axis, index_shape.iter().map(|&s| Dim::Fixed(s)));
    Ok(fresh(lo.reshape(call, y, shape)?))
}

fn index(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let items = call.at(1).items().unwrap_or_default();
    let given: Vec<(usize, &TensorRef)> = items
        .iter()
        .enumerate()
        .filter_map(|(axis, item)| if let Value::Tensor(tensor) = item { Some((axis, tensor)) } else { None })
        .collect();
    match given[..] {
        [(axis, indices)] => gather(lo, call, x, axis, indices),
        _ => unsupported("indexing along more than one axis"),
    }
}

fn index_select(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let axis = call.axis("dim", lo.shape(x).len())?;
    gather(lo, call, x, axis, &call.tensor_named("index")?)
}

fn embedding(lo: &mut Lowering, call: &Call) -> Lowered {
    let table = lo.value(call, &call.tensor(0)?)?;
    gather(lo, call, table, 0, &call.tensor(1)?)
}

fn repeat_interleave(lo: &mut Lowering, call: &Call) -> Lowered {
    if !call.has("dim") {
        return unsupported("repeats the flattened tensor");
    }
    let x = lo.operand(call, 0)?;
    let axis = call.axis("dim", lo.shape(x).len())?;
    let repeats = positive(call.int("repeats")?, "the number of repeats")?;
    let shape = lo.shape(x).clone();
    match shape[axis] {
        Dim::Fixed(size) => {
            let indices = (0..repeated(size, repeats)?).map(|i| i / repeats).collect();
            lo.emit(call, Op::Gather { axis, indices }, &[x])
        }
        // The repeats of an image stay together, so each image has as many entries more.
        Dim::Batch(of_image) => {
            let with = |dims: &[Dim]| [&shape[..axis], dims, &shape[axis + 1..]].concat();
            let mut composer = lo.composer(call);
            let apart = composer.reshape(x, with(&[Dim::Batch(of_image), Dim::Fixed(1)]))?;
            let wide = with(&[Dim::Batch(of_image), Dim::Fixed(repeats)]);
            let repeated_each = composer.push(Op::Expand { shape: wide }, &[apart])?;
            let together = composer.reshape(repeated_each, with(&[Dim::Batch(repeated(of_image, repeats)?)]))?;
            Ok(fresh(together))
        }
    }
}

/// A tensor of one number in place of another tensor.
fn filled(lo: &mut Lowering, call: &Call) -> Lowered {
    let shape = lo.shape_of(&call.tensor(0)?)?;
    let value = match call.at(1) {
        Value::None => Some(0.0),
        Value::Tensor(tensor) => known_scalar(tensor),
        number => as_float(number).ok(),
    };
    let Some(value) = value else {
        return unsupported("fills with a value that is not a constant");
    };
    let number = lo.composer(call).number(value)?;
    lo.emit(call, Op::Expand { shape }, &[number])
}

/// The tensors that a part was cut from, as they are once the part is `new`. Those that are constants, or were changed through
/// another view, are left out: they can no longer be read.
pub(super) fn written_back(
    lo: &mut Lowering,
    call: &Call,
    part: &TensorRef,
    mut new: ValueId,
) -> Vec<(TensorRef, ValueId)> {
    let mut changed = Vec::new();
    let mut part = part;
    while let Some((base, cut)) = part.base() {
        let Some(Content::Graph(whole)) = base.content() else { break };
        if lo.draft.is_parameter(whole) {
            break;
        }
        let Ok(replaced) = replaced(lo, call, whole, cut, new) else { break };
        changed.push((base.clone(), replaced));
        (part, new) = (base, replaced);
    }
    changed
}

/// A tensor of which one part is replaced.
fn replaced(lo: &mut Lowering, call: &Call, whole: ValueId, cut: Cut, part: ValueId) -> Lowered<ValueId> {
    let Cut { axis, start, end, step, dropped } = cut;
    let size = fixed(lo, whole, axis)?;
    let taken: Vec<usize> = (start..end).step_by(step).collect();
    let mut shape = lo.shape(part).clone();
    if dropped {
        shape.insert(axis, Dim::Fixed(1));
    }
    let part = lo.reshape(call, part, shape)?;
    let mut wanted = lo.shape(whole).clone();
    wanted[axis] = Dim::Fixed(taken.len());
    if *lo.shape(part) != wanted {
        return Err(Fault::Invalid("assigns a tensor of a different shape".into()));
    }
    if taken.len() == size {
        return Ok(part);
    }
    if step != 1 {
        let both = lo.push(call, Op::Cat { axis }, &[whole, part])?;
        let source = |i: usize| taken.binary_search(&i).map_or(i, |place| size + place);
        return lo.push(call, Op::Gather { axis, indices: (0..size).map(source).collect() }, &[both]);
    }
    let mut parts = vec![part];
    if start > 0 {
        parts.insert(0, lo.push(call, Op::Slice { axis, start: 0, end: start, step: 1 }, &[whole])?);
    }
    if end < size {
        parts.push(lo.push(call, Op::Slice { axis, start: end, end: size, step: 1 }, &[whole])?);
    }
    lo.push(call, Op::Cat { axis }, &parts)
}
