//! Tensors that do not depend on the input: masks, index tables, position grids. They are computed while the network is read.

use tch::{Device, Kind, Tensor};

use super::elements::result_elements;
use super::indexing::few;
use crate::torchscript::call::{Call, Fault, Lowered, as_float, as_int, counts, unsupported};
use crate::torchscript::lowering::{Lowering, content, known};
use crate::torchscript::value::{Content, TensorRef, Value};

pub const OPERATORS: &[&str] = &[
    "aten::zeros",
    "aten::ones",
    "aten::full",
    "aten::empty",
    "aten::new_zeros",
    "aten::new_ones",
    "aten::new_full",
    "aten::zeros_like",
    "aten::ones_like",
    "aten::full_like",
    "aten::arange",
    "aten::linspace",
    "aten::tensor",
    "aten::lift_fresh",
    "aten::view",
    "aten::reshape",
    "aten::flatten",
    "aten::permute",
    "aten::transpose",
    "aten::t",
    "aten::unsqueeze",
    "aten::squeeze",
    "aten::slice",
    "aten::select",
    "aten::expand",
    "aten::contiguous",
    "aten::clone",
    "aten::detach",
    "aten::to",
    "aten::cat",
    "aten::stack",
    "aten::meshgrid",
    "aten::index",
    "aten::unbind",
    "aten::add",
    "aten::sub",
    "aten::rsub",
    "aten::mul",
    "aten::div",
    "aten::floor_divide",
    "aten::pow",
    "aten::neg",
    "aten::abs",
    "aten::sum",
    "aten::eq",
    "aten::ne",
    "aten::lt",
    "aten::le",
    "aten::gt",
    "aten::ge",
    "aten::logical_not",
    "aten::bitwise_not",
    "aten::masked_fill",
    "aten::fill",
    "aten::zero",
    "aten::copy",
    "aten::roll",
    "aten::triu",
    "aten::tril",
];

/// Elements of a tensor that the code makes; a mask of a large Swin has some 10^6.
const MAX_ELEMENTS: i64 = 1 << 26;

/// Computes the call, or `None` where it makes nodes all the same.
pub fn evaluate(lowering: &mut Lowering, call: &Call) -> Option<Lowered> {
    // Before anything is computed: it is the result that fills the memory.
    if let Err(fault) = result_elements(call).and_then(|elements| lowering.charge(elements)) {
        return Some(Err(fault));
    }
    made(call).map(|result| charged(lowering, result)).or_else(|| changed(call)).map(|result| result.and_then(bounded))
}

/// Counts what a constructor has made, whose sizes are bounded by themselves.
fn charged(lowering: &mut Lowering, result: Lowered) -> Lowered {
    let value = result?;
    if let Value::Tensor(tensor) = &value
        && let Content::Known(known) = content(tensor)?
    {
        lowering.charge(known.numel())?;
    }
    Ok(value)
}

fn bounded(value: Value) -> Lowered {
    if let Value::Tensor(tensor) = &value
        && let Ok(Content::Known(known)) = content(tensor)
        && known.numel() as i64 > MAX_ELEMENTS
    {
        return Err(Fault::Invalid("makes a constant tensor that is too large".into()));
    }
    Ok(value)
}

/// Ends an in-place operation on a known tensor: writes into its memory, which views of it share.
pub fn assign(call: &Call, result: Value) -> Lowered {
    let (Value::Tensor(result), target) = (&result, call.tensor(0)?) else {
        return Err(Fault::Invalid("an in-place operation without a tensor".into()));
    };
    let (Content::Known(mut old), Content::Known(new)) = (content(&target)?, content(result)?) else {
        return unsupported("writes an activation into a constant tensor");
    };
    old.f_copy_(&new)?;
    Ok(Value::Tensor(target))
}

fn sizes(value: &Value) -> Lowered<Vec<i64>> {
    let sizes = sizes_with_open(value)?;
    match sizes.iter().find(|size| **size < 0) {
        Some(negative) => Err(Fault::Invalid(format!("makes a constant tensor of size {negative}"))),
        None => Ok(sizes),
    }
}

/// Sizes of which some may be -1.
fn sizes_with_open(value: &Value) -> Lowered<Vec<i64>> {
    let known = counts(value)?.iter().map(|c| c.known()).collect::<Option<Vec<_>>>();
    let Some(sizes) = known else {
        return unsupported("makes a constant tensor whose size depends on the batch");
    };
    // An empty tensor may not have huge axes either: sizes are multiplied in any order.
    let elements = sizes.iter().try_fold(1i64, |n, &s| n.checked_mul(s.max(1)));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        return Err(Fault::Invalid("makes a constant tensor that is too large".into()));
    }
    Ok(sizes)
}

/// The element type that the code asks for.
fn kind(call: &Call, default: Kind) -> Kind {
    match as_int(call.get("dtype")) {
        Ok(0) => Kind::Uint8,
        Ok(1..=4) => Kind::Int64,
        Ok(11) => Kind::Bool,
        Ok(_) => Kind::Float,
        Err(_) => default,
    }
}

fn natural(value: &Value) -> Kind {
    match value {
        Value::Int(_) => Kind::Int64,
        Value::Bool(_) => Kind::Bool,
        _ => Kind::Float,
    }
}

/// A tensor of one number. tch panics where an operator that takes a `Scalar` fails, so none that can fail is used here.
fn full(sizes: &[i64], value: f64, kind: Kind) -> Lowered {
    let number = Tensor::f_from_slice(&[value])?.f_reshape([0i64; 0])?;
    Ok(known(Tensor::f_empty(sizes, (kind, Device::Cpu))?.f_fill_tensor_(&number)?))
}

/// Constructors.
fn made(call: &Call) -> Option<Lowered> {
    let filled = |size: &Value, value: f64, kind: Kind| -> Lowered { full(&sizes(size)?, value, kind) };
    let like = |value: f64, kind: Kind| -> Lowered {
        let shape = tensor(call, 0)?.size();
        full(&shape, value, kind)
    };
    Some(match call.operator {
        "aten::zeros" | "aten::empty" => filled(call.at(0), 0.0, kind(call, Kind::Float)),
        "aten::ones" => filled(call.at(0), 1.0, kind(call, Kind::Float)),
        "aten::full" => as_float(call.at(1)).and_then(|v| filled(call.at(0), v, kind(call, natural(call.at(1))))),
        "aten::zeros_like" => like(0.0, kind(call, Kind::Float)),
        "aten::ones_like" => like(1.0, kind(call, Kind::Float)),
        "aten::full_like" => as_float(call.at(1)).and_then(|v| like(v, kind(call, Kind::Float))),
        "aten::arange" => arange(call),
        "aten::linspace" => linspace(call),
        "aten::tensor" | "aten::as_tensor" => literal(call),
        _ => return None,
    })
}

/// Constructors that take only the type of their first argument, which may be an activation.
pub fn made_like(lowering: &mut Lowering, call: &Call) -> Option<Lowered> {
    let value = match call.operator {
        "aten::new_zeros" | "aten::new_empty" => Ok(0.0),
        "aten::new_ones" => Ok(1.0),
        "aten::new_full" => as_float(call.get("fill_value")),
        _ => return None,
    };
    let make = |value: f64| full(&sizes(call.at(1))?, value, kind(call, Kind::Float));
    Some(charged(lowering, value.and_then(make)))
}

fn arange(call: &Call) -> Lowered {
    let (start, step) = (call.float_or("start", 0.0)?, call.float_or("step", 1.0)?);
    let length = (call.float("end")? - start) / step;
    if !(0.0..=MAX_ELEMENTS as f64).contains(&length) || !step.is_finite() {
        return Err(Fault::Invalid("a range that is too long, or leads away from its end".into()));
    }
    let whole = ["start", "end", "step"].iter().all(|n| !matches!(call.get(n), Value::Float(_)));
    let default = if whole { Kind::Int64 } else { Kind::Float };
    let entries: Vec<f64> = (0..length.ceil() as usize).map(|i| start + i as f64 * step).collect();
    Ok(known(Tensor::f_from_slice(&entries)?.f_to_kind(kind(call, default))?))
}

fn linspace(call: &Call) -> Lowered {
    let steps = call.int("steps")?;
    if !(0..=MAX_ELEMENTS).contains(&steps) {
        return Err(Fault::Invalid("a range that is too long".into()));
    }
    let (start, end) = (call.float("start")?, call.float("end")?);
    let most = f64::from(f32::MAX);
    if !(-most..=most).contains(&start) || !(-most..=most).contains(&end) {
        return Err(Fault::Invalid("a range without end".into()));
    }
    Ok(known(Tensor::f_linspace(start, end, steps, (Kind::Float, Device::Cpu))?))
}

/// `torch.tensor` of a number or a list of numbers.
fn literal(call: &Call) -> Lowered {
    let items = call.at(0).items();
    let values = items.clone().unwrap_or_else(|| vec![call.at(0).clone()]);
    if values.iter().any(|v| matches!(v, Value::List(_) | Value::Tuple(_))) {
        return unsupported("a constant of several axes made from lists");
    }
    let default = values.first().map_or(Kind::Float, natural);
    let numbers = values.iter().map(as_float).collect::<Lowered<Vec<_>>>()?;
    let flat = Tensor::f_from_slice(&numbers)?.f_to_kind(kind(call, default))?;
    Ok(known(if items.is_some() { flat } else { flat.f_reshape([0i64; 0])? }))
}

fn tensor(call: &Call, index: usize) -> Lowered<Tensor> {
    match content(&call.tensor(index)?)? {
        Content::Known(known) => Ok(known),
        Content::Graph(_) => Err(Fault::Invalid("expected a constant tensor".into())),
    }
}

/// A tensor operand; numbers become tensors without axes.
fn operand(call: &Call, index: usize) -> Lowered<Tensor> {
    match call.at(index) {
        Value::Tensor(_) => tensor(call, index),
        number => {
            let whole = matches!(number, Value::Int(_) | Value::Bool(_));
            let scalar = Tensor::f_from_slice(&[as_float(number)?])?.f_reshape([0i64; 0])?;
            Ok(scalar.f_to_kind(if whole { Kind::Int64 } else { Kind::Float })?)
        }
    }
}

/// Operators on known tensors.
fn changed(call: &Call) -> Option<Lowered> {
    views(call).or_else(|| copies(call)).or_else(|| elementwise(call))
}

/// Results that share memory with the first argument.
fn views(call: &Call) -> Option<Lowered> {
    let shared = |make: &dyn Fn(&Tensor) -> Lowered<Tensor>| -> Lowered {
        let base = call.tensor(0)?;
        Ok(Value::Tensor(base.view(Content::Known(make(&tensor(call, 0)?)?))))
    };
    let axis = |name: &str| call.int_or(name, 0);
    Some(match call.operator {
        "aten::view" => shared(&|x| Ok(x.f_view(&sizes_after(call)?[..])?)),
        "aten::reshape" => shared(&|x| Ok(x.f_reshape(sizes_after(call)?)?)),
        "aten::flatten" => shared(&|x| Ok(x.f_flatten(call.int_or("start_dim", 0)?, call.int_or("end_dim", -1)?)?)),
        "aten::permute" => shared(&|x| Ok(x.f_permute(call.ints("dims")?)?)),
        "aten::transpose" => shared(&|x| Ok(x.f_transpose(call.int("dim0")?, call.int("dim1")?)?)),
        "aten::t" => shared(&|x| Ok(x.f_tr()?)),
        "aten::unsqueeze" => shared(&|x| Ok(x.f_unsqueeze(axis("dim")?)?)),
        "aten::squeeze" if call.has("dim") => shared(&|x| Ok(x.f_squeeze_dims(call.ints("dim")?)?)),
        "aten::squeeze" => shared(&|x| Ok(x.f_squeeze()?)),
        "aten::slice" => shared(&|x| {
            let bound = |name: &str| if call.has(name) { call.int(name).map(Some) } else { Ok(None) };
            Ok(x.f_slice(axis("dim")?, bound("start")?, bound("end")?, call.int_or("step", 1)?)?)
        }),
        "aten::select" => shared(&|x| Ok(x.f_select(axis("dim")?, call.int("index")?)?)),
        "aten::expand" => shared(&|x| Ok(x.f_expand(sizes_after(call)?, false)?)),
        "aten::unbind" => tensor(call, 0).and_then(|x| {
            let axis = axis("dim")?;
            let size = usize::try_from(if axis < 0 { axis + x.dim() as i64 } else { axis }).ok();
            let parts = size.and_then(|axis| usize::try_from(*x.size().get(axis)?).ok());
            few(parts.ok_or_else(|| Fault::Invalid("takes a constant tensor apart along no axis of it".into()))?)?;
            let parts = x.f_unbind(axis)?;
            Ok(Value::list(parts.into_iter().map(known).collect()))
        }),
        "aten::contiguous" | "aten::detach" | "aten::lift_fresh" | "aten::cpu" | "aten::alias" => {
            Ok(call.at(0).clone())
        }
        _ => return None,
    })
}

fn sizes_after(call: &Call) -> Lowered<Vec<i64>> {
    sizes_with_open(call.at(1))
}

fn copies(call: &Call) -> Option<Lowered> {
    let all = || -> Lowered<Vec<Tensor>> {
        let known = |t: &TensorRef| match content(t)? {
            Content::Known(known) => Ok(known),
            Content::Graph(_) => Err(Fault::Invalid("expected a constant tensor".into())),
        };
        call.tensors(0)?.iter().map(known).collect()
    };
    let of = |make: &dyn Fn(Tensor) -> Lowered<Tensor>| tensor(call, 0).and_then(make).map(known);
    Some(match call.operator {
        "aten::clone" => of(&|x| Ok(x.f_detach_copy()?)),
        "aten::to" | "aten::type_as" => of(&|x| {
            let kind = kind(call, x.kind());
            Ok(x.f_to_kind(kind)?.f_detach_copy()?)
        }),
        "aten::float" => of(&|x| Ok(x.f_to_kind(Kind::Float)?)),
        "aten::cat" => all().and_then(|t| Ok(known(Tensor::f_cat(&t, call.int_or("dim", 0)?)?))),
        "aten::stack" => all().and_then(|t| Ok(known(Tensor::f_stack(&t, call.int_or("dim", 0)?)?))),
        "aten::meshgrid" => all().and_then(|t| {
            let grids = Tensor::f_meshgrid_indexing(&t, &call.text("indexing").unwrap_or_else(|| "ij".into()))?;
            Ok(Value::list(grids.into_iter().map(known).collect()))
        }),
        "aten::roll" => of(&|x| Ok(x.f_roll(call.ints("shifts")?, call.ints("dims")?)?)),
        "aten::triu" => of(&|x| Ok(x.f_triu(call.int_or("diagonal", 0)?)?)),
        "aten::tril" => of(&|x| Ok(x.f_tril(call.int_or("diagonal", 0)?)?)),
        "aten::index" => of(&|x| {
            let items = call.at(1).items().unwrap_or_default();
            let index = |item: &Value| match item {
                Value::Tensor(t) => match content(t)? {
                    Content::Known(known) => Ok(Some(known)),
                    Content::Graph(_) => unsupported("indices that depend on the input"),
                },
                _ => Ok(None),
            };
            let indices = items.iter().map(index).collect::<Lowered<Vec<_>>>()?;
            Ok(x.f_index(&indices)?)
        }),
        "aten::sum" if call.has("dim") => {
            of(&|x| Ok(x.f_sum_dim_intlist(call.ints("dim")?, call.flag("keepdim"), None::<Kind>)?))
        }
        "aten::sum" => of(&|x| Ok(x.f_sum(None::<Kind>)?)),
        "aten::copy" => tensor(call, 0).and_then(|x| Ok(known(operand(call, 1)?.f_expand_as(&x)?))),
        "aten::fill" => tensor(call, 0).and_then(|x| Ok(known(operand(call, 1)?.f_expand_as(&x)?))),
        "aten::zero" => of(&|x| Ok(x.f_zeros_like()?)),
        "aten::masked_fill" => tensor(call, 0).and_then(|x| {
            Ok(known(x.f_masked_fill_tensor(&tensor(call, 1)?, &operand(call, 2)?.f_to_kind(x.kind())?)?))
        }),
        _ => return None,
    })
}

fn elementwise(call: &Call) -> Option<Lowered> {
    let two = |make: &dyn Fn(Tensor, Tensor) -> Lowered<Tensor>| -> Lowered {
        Ok(known(make(operand(call, 0)?, operand(call, 1)?)?))
    };
    let one = |make: &dyn Fn(Tensor) -> Lowered<Tensor>| tensor(call, 0).and_then(make).map(known);
    let alpha = || call.float_or("alpha", 1.0);
    let scaled = |y: Tensor| -> Lowered<Tensor> {
        let alpha = alpha()?;
        Ok(if alpha == 1.0 { y } else { y.f_mul_scalar(alpha)? })
    };
    Some(match call.operator {
        "aten::add" => two(&|x, y| Ok(x.f_add(&scaled(y)?)?)),
        "aten::sub" => two(&|x, y| Ok(x.f_sub(&scaled(y)?)?)),
        "aten::rsub" => two(&|x, y| Ok(y.f_sub(&scaled(x)?)?)),
        "aten::mul" => two(&|x, y| Ok(x.f_mul(&y)?)),
        "aten::div" => match call.text("rounding_mode") {
            Some(mode) => two(&|x, y| Ok(x.f_div_tensor_mode(&y, mode.as_str())?)),
            None => two(&|x, y| Ok(x.f_div(&y)?)),
        },
        "aten::floor_divide" => two(&|x, y| Ok(x.f_floor_divide(&y)?)),
        "aten::remainder" => two(&|x, y| Ok(x.f_remainder_tensor(&y)?)),
        "aten::pow" => two(&|x, y| Ok(x.f_pow(&y)?)),
        "aten::eq" => two(&|x, y| Ok(x.f_eq_tensor(&y)?)),
        "aten::ne" => two(&|x, y| Ok(x.f_ne_tensor(&y)?)),
        "aten::lt" => two(&|x, y| Ok(x.f_lt_tensor(&y)?)),
        "aten::le" => two(&|x, y| Ok(x.f_le_tensor(&y)?)),
        "aten::gt" => two(&|x, y| Ok(x.f_gt_tensor(&y)?)),
        "aten::ge" => two(&|x, y| Ok(x.f_ge_tensor(&y)?)),
        "aten::logical_not" => one(&|x| Ok(x.f_logical_not()?)),
        "aten::bitwise_not" => one(&|x| Ok(x.f_bitwise_not()?)),
        "aten::neg" => one(&|x| Ok(x.f_neg()?)),
        "aten::abs" => one(&|x| Ok(x.f_abs()?)),
        _ => return None,
    })
}
