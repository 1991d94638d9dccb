//! Lists, tuples, dicts and strings of the network's code.

use std::rc::Rc;

use eagleeye_graph::Count;

use super::truth;
use crate::call::{Call, as_int};
use crate::fault::{Fault, Lowered, unsupported};
use crate::value::Value;

pub const OPERATORS: &[&str] = &[
    "prim::ListConstruct",
    "prim::TupleConstruct",
    "prim::DictConstruct",
    "prim::ListUnpack",
    "prim::TupleUnpack",
    "prim::TupleIndex",
    "prim::TupleSlice",
    "aten::__getitem__",
    "aten::_set_item",
    "aten::append",
    "aten::extend",
    "aten::insert",
    "aten::pop",
    "aten::clear",
    "aten::reverse",
    "aten::list",
    "aten::copy",
    "aten::len",
    "aten::slice",
    "aten::add",
    "aten::mul",
    "aten::sum",
    "aten::eq",
    "aten::ne",
    "aten::__contains__",
    "aten::keys",
    "aten::values",
    "aten::items",
    "aten::format",
    "aten::percentFormat",
    "aten::str",
    "aten::join",
    "aten::lower",
    "aten::all",
    "aten::any",
    "prim::min",
    "prim::max",
    "prim::rangelist",
    "prim::type",
];

/// A list made by code is not longer than this; a hostile one could double itself for ever.
const MAX_LENGTH: usize = 1 << 16;

/// Whether the call only moves items from one container to another, whatever they are.
pub fn moves_items(call: &Call) -> bool {
    const MOVERS: [&str; 18] = [
        "prim::ListUnpack",
        "prim::TupleUnpack",
        "prim::TupleIndex",
        "prim::TupleSlice",
        "aten::__getitem__",
        "aten::extend",
        "aten::pop",
        "aten::clear",
        "aten::reverse",
        "aten::list",
        "aten::copy",
        "aten::len",
        "aten::slice",
        "aten::add",
        "aten::mul",
        "aten::keys",
        "aten::values",
        "aten::items",
    ];
    let container = matches!(call.at(0), Value::List(_) | Value::Tuple(_) | Value::Dict(_));
    container && MOVERS.contains(&call.operator)
}

/// Computes the call, or `None` where it is not about containers.
pub fn evaluate(call: &Call) -> Option<Lowered> {
    if let Some(result) = constructed(call) {
        return Some(result);
    }
    match call.at(0) {
        Value::List(_) | Value::Tuple(_) => sequence(call),
        Value::Dict(_) => dict(call),
        Value::String(_) => string(call),
        _ => None,
    }
}

fn constructed(call: &Call) -> Option<Lowered> {
    Some(Ok(match call.operator {
        "prim::ListConstruct" => Value::list(call.arguments.clone()),
        "prim::TupleConstruct" => Value::tuple(call.arguments.clone()),
        "prim::DictConstruct" => {
            let pairs = call.arguments.as_chunks::<2>().0.iter().map(|[key, value]| (key.clone(), value.clone()));
            Value::Dict(Rc::new(pairs.collect::<Vec<_>>().into()))
        }
        "aten::format" | "aten::percentFormat" | "aten::str" => Value::String("".into()),
        "prim::rangelist" => {
            let Ok(end @ 0..=0xffff) = as_int(call.at(0)) else {
                return Some(Err(Fault::Invalid("the range is too long".into())));
            };
            Value::list((0..end).map(Value::int).collect())
        }
        _ => return None,
    }))
}

fn sequence(call: &Call) -> Option<Lowered> {
    let items = call.at(0).items()?;
    Some(match call.operator {
        "prim::ListUnpack" | "prim::TupleUnpack" => Ok(Value::tuple(items)),
        "prim::TupleIndex" | "aten::__getitem__" => item(&items, call.at(1)),
        "aten::len" => Ok(Value::int(items.len() as i64)),
        "aten::list" | "aten::copy" => Ok(Value::list(items)),
        "aten::slice" | "prim::TupleSlice" => slice(call, &items),
        "aten::add" => concatenated(call, items),
        "aten::mul" => repeated(call, &items),
        "aten::sum" | "prim::min" | "prim::max" => return folded(call, &items),
        "aten::all" => quantified(&items, false),
        "aten::any" => quantified(&items, true),
        "aten::eq" | "aten::ne" => equal(call, &items),
        "aten::__contains__" => contains(&items, call.at(1)),
        "aten::append" | "aten::extend" | "aten::insert" | "aten::pop" | "aten::clear" | "aten::reverse"
        | "aten::_set_item" => change(call),
        _ => return None,
    })
}

fn position(index: &Value, length: usize) -> Lowered<usize> {
    let index = as_int(index)?;
    let found = if index < 0 { index + length as i64 } else { index };
    let found = usize::try_from(found).ok().filter(|&i| i < length);
    found.ok_or_else(|| Fault::Invalid(format!("index {index} is out of range for a list of {length} items")))
}

fn item(items: &[Value], index: &Value) -> Lowered {
    Ok(items[position(index, items.len())?].clone())
}

fn slice(call: &Call, items: &[Value]) -> Lowered {
    let bound = |index: usize, default: i64| match call.at(index) {
        Value::None => Ok(default),
        value => as_int(value),
    };
    let length = items.len() as i64;
    let step = bound(3, 1)?;
    if step < 1 {
        return unsupported("slices a list backwards");
    }
    let clamp = |v: i64| if v < 0 { (v + length).max(0) } else { v.min(length) } as usize;
    let (start, end) = (clamp(bound(1, 0)?), clamp(bound(2, length)?));
    let kept: Vec<Value> = items.iter().take(end).skip(start).step_by(step as usize).cloned().collect();
    Ok(if matches!(call.at(0), Value::Tuple(_)) { Value::tuple(kept) } else { Value::list(kept) })
}

fn concatenated(call: &Call, mut items: Vec<Value>) -> Lowered {
    let other = call
        .at(1)
        .items()
        .ok_or_else(|| Fault::Invalid("concatenates a list with something that is not a list".into()))?;
    items.extend(other);
    bounded(items)
}

fn repeated(call: &Call, items: &[Value]) -> Lowered {
    let times = as_int(call.at(1))?.max(0) as usize;
    if items.len().saturating_mul(times) > MAX_LENGTH {
        return Err(Fault::Invalid("makes a list that is too long".into()));
    }
    Ok(Value::list(items.iter().cycle().take(items.len() * times).cloned().collect()))
}

fn bounded(items: Vec<Value>) -> Lowered {
    if items.len() > MAX_LENGTH {
        Err(Fault::Invalid("makes a list that is too long".into()))
    } else {
        Ok(Value::list(items))
    }
}

fn folded(call: &Call, items: &[Value]) -> Option<Lowered> {
    let ints: Lowered<Vec<i64>> = items.iter().map(as_int).collect();
    if call.operator != "aten::sum" && call.arguments.len() > 1 {
        return None;
    }
    Some(ints.and_then(|ints| {
        let result = match call.operator {
            "aten::sum" => ints.iter().try_fold(0i64, |sum, &v| sum.checked_add(v)),
            "prim::min" => ints.iter().copied().min(),
            _ => ints.iter().copied().max(),
        };
        result
            .map(Value::int)
            .ok_or_else(|| Fault::Invalid("the list of numbers is empty, or its sum exceeds 64 bits".into()))
    }))
}

fn equal(call: &Call, items: &[Value]) -> Lowered {
    let other = call.at(1).items().unwrap_or_default();
    let mut same = items.len() == other.len();
    for (a, b) in items.iter().zip(&other) {
        same = same && equal_items(a, b)?;
    }
    Ok(Value::Bool(same == (call.operator == "aten::eq")))
}

fn equal_items(a: &Value, b: &Value) -> Lowered<bool> {
    Ok(match (a, b) {
        (Value::Int(x), Value::Int(y)) => match x.compare(*y, std::cmp::Ordering::is_eq) {
            Some(same) => same,
            None => return unsupported("a comparison whose result depends on the batch size"),
        },
        (Value::String(x), Value::String(y)) => x == y,
        (Value::Float(x), Value::Float(y)) => x == y,
        _ => a.same(b),
    })
}

fn contains(items: &[Value], wanted: &Value) -> Lowered {
    for item in items {
        if equal_items(item, wanted)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn change(call: &Call) -> Lowered {
    let Value::List(list) = call.at(0) else {
        return Err(Fault::Invalid("changes a tuple".into()));
    };
    let length = list.borrow().len();
    if length >= MAX_LENGTH {
        return Err(Fault::Invalid("makes a list that is too long".into()));
    }
    match call.operator {
        "aten::append" => list.borrow_mut().push(call.at(1).clone()),
        "aten::extend" => {
            let added = call.at(1).items().unwrap_or_default();
            if length + added.len() > MAX_LENGTH {
                return Err(Fault::Invalid("makes a list that is too long".into()));
            }
            list.borrow_mut().extend(added);
        }
        "aten::insert" => {
            let index = as_int(call.at(1))?;
            let index = if index < 0 { (index + length as i64).max(0) } else { index.min(length as i64) };
            list.borrow_mut().insert(index as usize, call.at(2).clone());
        }
        "aten::pop" => {
            let index = position(if call.arguments.len() > 1 { call.at(1) } else { &Value::Int(LAST) }, length)?;
            return Ok(list.borrow_mut().remove(index));
        }
        "aten::clear" => list.borrow_mut().clear(),
        "aten::reverse" => list.borrow_mut().reverse(),
        _ => {
            let index = position(call.at(1), length)?;
            list.borrow_mut()[index] = call.at(2).clone();
        }
    }
    Ok(call.at(0).clone())
}

const LAST: Count = Count::fixed(-1);

fn dict(call: &Call) -> Option<Lowered> {
    let Value::Dict(dict) = call.at(0) else {
        return None;
    };
    let find = || -> Lowered<Option<usize>> {
        for (index, (key, _)) in dict.borrow().iter().enumerate() {
            if equal_items(key, call.at(1))? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    };
    Some(match call.operator {
        "aten::len" => Ok(Value::int(dict.borrow().len() as i64)),
        "aten::keys" => Ok(Value::list(dict.borrow().iter().map(|(key, _)| key.clone()).collect())),
        "aten::values" => Ok(Value::list(dict.borrow().iter().map(|(_, value)| value.clone()).collect())),
        "aten::items" => {
            let pair = |(key, value): &(Value, Value)| Value::tuple(vec![key.clone(), value.clone()]);
            Ok(Value::list(dict.borrow().iter().map(pair).collect()))
        }
        "aten::__contains__" => find().map(|found| Value::Bool(found.is_some())),
        "aten::__getitem__" => find().and_then(|found| match found {
            Some(index) => Ok(dict.borrow()[index].1.clone()),
            None => Err(Fault::Invalid("the key is not in the dict".into())),
        }),
        "aten::_set_item" => find().map(|found| {
            match found {
                Some(index) => dict.borrow_mut()[index].1 = call.at(2).clone(),
                None => dict.borrow_mut().push((call.at(1).clone(), call.at(2).clone())),
            }
            Value::None
        }),
        _ => return None,
    })
}

/// Whether any item is true, or else whether all are.
fn quantified(items: &[Value], any: bool) -> Lowered {
    let known: Option<Vec<bool>> = items.iter().map(truth).collect();
    match known {
        Some(flags) if any => Ok(Value::Bool(flags.contains(&true))),
        Some(flags) => Ok(Value::Bool(!flags.contains(&false))),
        None => unsupported("a condition that depends on the input"),
    }
}

fn string(call: &Call) -> Option<Lowered> {
    let (Value::String(a), b) = (call.at(0), call.at(1)) else {
        return None;
    };
    let same = matches!(b, Value::String(b) if a == b);
    Some(Ok(match call.operator {
        "aten::eq" => Value::Bool(same),
        "aten::ne" => Value::Bool(!same),
        "aten::__contains__" => Value::Bool(matches!(b, Value::String(b) if a.contains(&**b))),
        "aten::len" => Value::int(a.len() as i64),
        "aten::lower" => Value::String(a.to_lowercase().into()),
        // A device is known by the name of its type.
        "prim::type" => Value::String(a.clone()),
        "aten::add" | "aten::join" => Value::String(a.clone()),
        "aten::__not__" => Value::Bool(truth(call.at(0)) != Some(true)),
        _ => return None,
    }))
}
