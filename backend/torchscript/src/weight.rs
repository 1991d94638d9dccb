//! How large a value of the running code is: what it costs to look at all of it, and whether that ends.

use super::description::Literal;
use super::error::TorchScriptError;
use super::value::Value;

/// Containers inside each other. A list can hold itself.
const MAX_DEPTH: usize = 128;
/// Items of a value, counted again wherever they are held.
const MAX_ITEMS: usize = 1 << 20;

/// Items of all containers among these values and inside of them, and characters of all texts.
///
/// # Errors
/// Values of which nothing else should be asked: those that hold themselves, or few items in exponentially many places.
pub(super) fn of_values(values: &[Value]) -> Result<usize, TorchScriptError> {
    let mut count = 0;
    values.iter().try_for_each(|value| add(value, 0, &mut count))?;
    Ok(count)
}

fn add(value: &Value, depth: usize, count: &mut usize) -> Result<(), TorchScriptError> {
    if depth > MAX_DEPTH {
        return Err(TorchScriptError::TooComplex(format!("a value with more than {MAX_DEPTH} nested containers")));
    }
    *count += match value {
        Value::String(text) => text.len(),
        _ => 1,
    };
    if *count > MAX_ITEMS {
        return Err(TorchScriptError::TooComplex(format!("a value with more than {MAX_ITEMS} items")));
    }
    match value {
        Value::Tuple(items) => items.iter().try_for_each(|item| add(item, depth + 1, count)),
        Value::List(items) => items.borrow().iter().try_for_each(|item| add(item, depth + 1, count)),
        Value::Dict(entries) => entries.borrow().iter().try_for_each(|(key, item)| {
            add(key, depth + 1, count)?;
            add(item, depth + 1, count)
        }),
        _ => Ok(()),
    }
}

/// The same of a constant of the file, whose depth was bounded when it was read.
pub(super) fn of_literal(literal: &Literal) -> usize {
    match literal {
        Literal::String(text) => text.len(),
        Literal::Tuple(items) | Literal::List(items) => 1 + items.iter().map(of_literal).sum::<usize>(),
        Literal::Dict(entries) => {
            1 + entries.iter().map(|(key, item)| of_literal(key) + of_literal(item)).sum::<usize>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn everything_inside_counts() {
        let list = Value::list(vec![Value::int(1), Value::String("four".into())]);
        assert_eq!(of_values(&[list.clone(), list]).unwrap(), 12);
    }

    #[test]
    fn a_list_that_holds_itself_is_refused() {
        let list = Rc::new(std::cell::RefCell::new(Vec::new()));
        list.borrow_mut().push(Value::List(Rc::clone(&list)));
        let found = of_values(&[Value::List(Rc::clone(&list))]);
        list.borrow_mut().clear();
        assert!(matches!(found, Err(TorchScriptError::TooComplex(_))));
    }

    #[test]
    fn few_items_in_many_places_are_refused() {
        let doubled = (0..60).fold(Value::None, |value, _| Value::tuple(vec![value.clone(), value]));
        assert!(matches!(of_values(&[doubled]), Err(TorchScriptError::TooComplex(_))));
    }
}
