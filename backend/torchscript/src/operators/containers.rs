//! Lists, tuples, dicts and strings of the network's code.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

use eagleeye_graph::Count;

use super::folding::{Folded, FoldedFamily};
use super::truth;
use crate::call::{Call, as_int};
use crate::fault::{Fault, Lowered, unsupported};
use crate::value::Value;

pub const FAMILIES: [FoldedFamily; 5] = [
    FoldedFamily { title: "Making lists, tuples, dicts and strings", applies: |_| true, operators: MAKING },
    FoldedFamily { title: "Lists of numbers", applies: |call| is_sequence(call) && is_alone(call), operators: NUMBERS },
    FoldedFamily { title: "Lists and tuples", applies: is_sequence, operators: SEQUENCES },
    FoldedFamily { title: "Dicts", applies: |call| matches!(call.at(0), Value::Dict(_)), operators: DICTS },
    FoldedFamily { title: "Strings", applies: |call| matches!(call.at(0), Value::String(_)), operators: STRINGS },
];

const MAKING: &[Folded] = &[
    Folded::carrying("prim::ListConstruct", |_, call| Ok(Value::list(call.arguments.clone()))),
    Folded::carrying("prim::TupleConstruct", |_, call| Ok(Value::tuple(call.arguments.clone()))),
    Folded::carrying("prim::DictConstruct", |_, call| Ok(made_dict(call))),
    // Texts end up in messages and warnings alone, and what they say is not computed.
    Folded::new("aten::format", |_, _| Ok(Value::String("".into()))),
    Folded::new("aten::percentFormat", |_, _| Ok(Value::String("".into()))),
    Folded::new("aten::str", |_, _| Ok(Value::String("".into()))),
    Folded::new("prim::rangelist", |_, call| range(call)),
];

const NUMBERS: &[Folded] = &[
    Folded::new("aten::sum", |_, call| numbers(call, |ints| ints.iter().try_fold(0i64, |sum, &v| sum.checked_add(v)))),
    Folded::new("prim::min", |_, call| numbers(call, |ints| ints.iter().copied().min())),
    Folded::new("prim::max", |_, call| numbers(call, |ints| ints.iter().copied().max())),
];

const SEQUENCES: &[Folded] = &[
    Folded::carrying("prim::ListUnpack", |_, call| Ok(Value::tuple(items(call)))),
    Folded::carrying("prim::TupleUnpack", |_, call| Ok(Value::tuple(items(call)))),
    Folded::carrying("prim::TupleIndex", |_, call| item(&items(call), call.at(1))),
    Folded::carrying("prim::TupleSlice", |_, call| slice(call)),
    Folded::carrying("aten::__getitem__", |_, call| item(&items(call), call.at(1))),
    Folded::carrying("aten::len", |_, call| Ok(Value::int(items(call).len() as i64))),
    Folded::carrying("aten::list", |_, call| Ok(Value::list(items(call)))),
    Folded::carrying("aten::copy", |_, call| Ok(Value::list(items(call)))),
    Folded::carrying("aten::slice", |_, call| slice(call)),
    Folded::of_parts("aten::add", |_, call| concatenated(call)),
    Folded::carrying("aten::mul", |_, call| repeated(call)),
    Folded::new("aten::all", |_, call| quantified(call, |flags| !flags.contains(&false))),
    Folded::new("aten::any", |_, call| quantified(call, |flags| flags.contains(&true))),
    Folded::new("aten::eq", |_, call| equal(call).map(Value::Bool)),
    Folded::new("aten::ne", |_, call| equal(call).map(|same| Value::Bool(!same))),
    Folded::new("aten::__contains__", |_, call| contains(&items(call), call.at(1))),
    Folded::carrying("aten::append", |_, call| extended(call, vec![call.at(1).clone()])),
    Folded::carrying("aten::extend", |_, call| extended(call, added(call.at(1))?)),
    Folded::carrying("aten::insert", |_, call| inserted(call)),
    Folded::carrying("aten::pop", |_, call| popped(call)),
    Folded::carrying("aten::clear", |_, call| changed(call, |list| list.borrow_mut().clear())),
    Folded::carrying("aten::reverse", |_, call| changed(call, |list| list.borrow_mut().reverse())),
    Folded::carrying("aten::_set_item", |_, call| item_set(call)),
];

const DICTS: &[Folded] = &[
    Folded::carrying("aten::len", |_, call| Ok(Value::int(dict(call)?.borrow().len() as i64))),
    Folded::carrying("aten::keys", |_, call| listed(call, |(key, _)| key.clone())),
    Folded::carrying("aten::values", |_, call| listed(call, |(_, value)| value.clone())),
    Folded::carrying("aten::items", |_, call| listed(call, |(k, v)| Value::tuple(vec![k.clone(), v.clone()]))),
    Folded::new("aten::__contains__", |_, call| Ok(Value::Bool(entry(call)?.is_some()))),
    Folded::carrying("aten::__getitem__", |_, call| match entry(call)? {
        Some(index) => Ok(dict(call)?.borrow()[index].1.clone()),
        None => Err(Fault::Invalid("the key is not in the dict".into())),
    }),
    Folded::carrying("aten::_set_item", |_, call| entry_set(call)),
];

const STRINGS: &[Folded] = &[
    Folded::new("aten::eq", |_, call| Ok(Value::Bool(same_text(call)))),
    Folded::new("aten::ne", |_, call| Ok(Value::Bool(!same_text(call)))),
    Folded::new("aten::__contains__", |_, call| {
        Ok(Value::Bool(matches!((call.at(0), call.at(1)), (Value::String(a), Value::String(b)) if a.contains(&**b))))
    }),
    Folded::new("aten::len", |_, call| Ok(Value::int(super::text(call.at(0)).unwrap_or_default().len() as i64))),
    Folded::new("aten::lower", |_, call| {
        Ok(Value::String(super::text(call.at(0)).unwrap_or_default().to_lowercase().into()))
    }),
    // A device is known by the name of its type.
    Folded::new("prim::type", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::add", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::join", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::__not__", |_, call| Ok(Value::Bool(truth(call.at(0)) != Some(true)))),
];

/// A list made by code is not longer than this; a hostile one could double itself for ever.
const MAX_LENGTH: usize = 1 << 16;

fn is_sequence(call: &Call) -> bool {
    matches!(call.at(0), Value::List(_) | Value::Tuple(_))
}

fn is_alone(call: &Call) -> bool {
    call.arguments.len() == 1
}

/// The items of the list or tuple that a call is about.
fn items(call: &Call) -> Vec<Value> {
    call.at(0).items().unwrap_or_default()
}

fn made_dict(call: &Call) -> Value {
    let pairs = call.arguments.as_chunks::<2>().0.iter().map(|[key, value]| (key.clone(), value.clone()));
    Value::Dict(Rc::new(pairs.collect::<Vec<_>>().into()))
}

fn range(call: &Call) -> Lowered {
    match as_int(call.at(0)) {
        Ok(end @ 0..=0xffff) => Ok(Value::list((0..end).map(Value::int).collect())),
        _ => Err(Fault::Invalid("the range is too long".into())),
    }
}

fn numbers(call: &Call, reduce: impl Fn(&[i64]) -> Option<i64>) -> Lowered {
    let ints = items(call).iter().map(as_int).collect::<Lowered<Vec<i64>>>()?;
    let reduced = reduce(&ints).map(Value::int);
    reduced.ok_or_else(|| Fault::Invalid("the list of numbers is empty, or its sum exceeds 64 bits".into()))
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

fn slice(call: &Call) -> Lowered {
    let items = items(call);
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

fn concatenated(call: &Call) -> Lowered {
    let mut items = items(call);
    let Some(other) = call.at(1).items() else {
        return Err(Fault::Invalid("concatenates a list with something that is not a list".into()));
    };
    bounded(items.len() + other.len())?;
    items.extend(other);
    Ok(Value::list(items))
}

fn repeated(call: &Call) -> Lowered {
    let items = items(call);
    let times = as_int(call.at(1))?.max(0) as usize;
    bounded(items.len().saturating_mul(times))?;
    Ok(Value::list(items.iter().cycle().take(items.len() * times).cloned().collect()))
}

fn bounded(length: usize) -> Lowered<()> {
    if length > MAX_LENGTH {
        Err(Fault::Invalid(format!("makes a list of more than {MAX_LENGTH} items")))
    } else {
        Ok(())
    }
}

fn equal(call: &Call) -> Lowered<bool> {
    let (items, other) = (items(call), call.at(1).items().unwrap_or_default());
    let mut same = items.len() == other.len();
    for (a, b) in items.iter().zip(&other) {
        same = same && equal_items(a, b)?;
    }
    Ok(same)
}

fn equal_items(a: &Value, b: &Value) -> Lowered<bool> {
    Ok(match (a, b) {
        (Value::Int(x), Value::Int(y)) => match x.compare(*y, Ordering::is_eq) {
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

fn quantified(call: &Call, holds: impl Fn(&[bool]) -> bool) -> Lowered {
    let known: Option<Vec<bool>> = items(call).iter().map(truth).collect();
    match known {
        Some(flags) => Ok(Value::Bool(holds(&flags))),
        None => unsupported("the condition depends on the input"),
    }
}

/// The list that a call changes. Tuples stay as they are.
fn list<'a>(call: &'a Call<'_>) -> Lowered<&'a RefCell<Vec<Value>>> {
    match call.at(0) {
        Value::List(list) => Ok(list),
        _ => Err(Fault::Invalid("modifies a tuple".into())),
    }
}

fn changed(call: &Call, change: impl Fn(&RefCell<Vec<Value>>)) -> Lowered {
    change(list(call)?);
    Ok(call.at(0).clone())
}

fn extended(call: &Call, added: Vec<Value>) -> Lowered {
    let list = list(call)?;
    bounded(list.borrow().len() + added.len())?;
    list.borrow_mut().extend(added);
    Ok(call.at(0).clone())
}

/// What a list is extended by. Something unknown is one unknown item, so that the list is no shorter one.
fn added(value: &Value) -> Lowered<Vec<Value>> {
    match value {
        Value::Unknown => Ok(vec![Value::Unknown]),
        other => other.items().ok_or_else(|| Fault::Invalid("extends a list by something that is not a list".into())),
    }
}

fn inserted(call: &Call) -> Lowered {
    let list = list(call)?;
    let length = list.borrow().len();
    bounded(length + 1)?;
    let index = as_int(call.at(1))?;
    let index = if index < 0 { (index + length as i64).max(0) } else { index.min(length as i64) };
    list.borrow_mut().insert(index as usize, call.at(2).clone());
    Ok(call.at(0).clone())
}

fn popped(call: &Call) -> Lowered {
    const LAST: Value = Value::Int(Count::fixed(-1));
    let list = list(call)?;
    let length = list.borrow().len();
    let index = position(if is_alone(call) { &LAST } else { call.at(1) }, length)?;
    Ok(list.borrow_mut().remove(index))
}

fn item_set(call: &Call) -> Lowered {
    let list = list(call)?;
    let index = position(call.at(1), list.borrow().len())?;
    list.borrow_mut()[index] = call.at(2).clone();
    Ok(call.at(0).clone())
}

type Entries = RefCell<Vec<(Value, Value)>>;

/// The dict that a call is about.
fn dict<'a>(call: &'a Call<'_>) -> Lowered<&'a Entries> {
    match call.at(0) {
        Value::Dict(dict) => Ok(dict),
        other => Err(Fault::Invalid(format!("argument 0 is {}, expected a dict", other.describe()))),
    }
}

fn listed(call: &Call, part: impl Fn(&(Value, Value)) -> Value) -> Lowered {
    Ok(Value::list(dict(call)?.borrow().iter().map(part).collect()))
}

/// Where the key of a call is in its dict.
fn entry(call: &Call) -> Lowered<Option<usize>> {
    for (index, (key, _)) in dict(call)?.borrow().iter().enumerate() {
        if equal_items(key, call.at(1))? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn entry_set(call: &Call) -> Lowered {
    let (dict, value) = (dict(call)?, call.at(2).clone());
    match entry(call)? {
        Some(index) => dict.borrow_mut()[index].1 = value,
        None => dict.borrow_mut().push((call.at(1).clone(), value)),
    }
    Ok(Value::None)
}

fn same_text(call: &Call) -> bool {
    matches!((call.at(0), call.at(1)), (Value::String(a), Value::String(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Lowering;

    fn on_two<'a>(name: &'a str, list: &Value, other: Value) -> (&'static Folded, Call<'a>) {
        let operator = SEQUENCES.iter().find(|operator| operator.name == name).unwrap();
        let arguments = vec![list.clone(), other];
        (operator, Call { operator: name, overload: "t", name: "n".into(), arguments, names: &[] })
    }

    #[test]
    fn something_unknown_that_is_put_into_a_list_makes_it_unknown_and_no_shorter() {
        let list = Value::list(vec![Value::int(1)]);
        let (add, call) = on_two("aten::add", &list, Value::Unknown);
        assert!(!add.takes_unknown(&call.arguments), "the sum is unknown as a whole");
        let (extend, call) = on_two("aten::extend", &list, Value::Unknown);
        assert!(extend.takes_unknown(&call.arguments));
        (extend.compute)(&mut Lowering::new("net"), &call).unwrap();
        assert!(list.is_unknown() && list.items().unwrap().len() == 2);
        let (extend, call) = on_two("aten::extend", &list, Value::int(3));
        assert!((extend.compute)(&mut Lowering::new("net"), &call).is_err(), "a number is not a list");
    }
}
