//! How many elements operators on known tensors make, before they make them.

use crate::torchscript::call::{Call, Lowered};
use crate::torchscript::lowering::content;
use crate::torchscript::value::{Content, Value};

/// The most elements that the result of an operator on known tensors has.
pub(super) fn result_elements(call: &Call) -> Lowered<usize> {
    let arguments = call.arguments.iter().map(known_sizes).collect::<Lowered<Vec<_>>>()?;
    let sizes = arguments.concat();
    let elements = |sizes: &[i64]| sizes.iter().fold(1usize, |n, &size| n.saturating_mul(size.max(0) as usize));
    Ok(match call.operator {
        "aten::cat" | "aten::stack" => sizes.iter().fold(0, |sum, sizes| sum.saturating_add(elements(sizes))),
        "aten::meshgrid" => sizes.iter().map(|sizes| elements(sizes)).fold(sizes.len(), usize::saturating_mul),
        "aten::index" => {
            let (taken, kept) = sizes.split_first().map_or((&[][..], &[][..]), |(x, indices)| (x.as_slice(), indices));
            // A mask takes at most everything; indices stand in place of the axes that they index.
            let rest = taken.iter().skip(kept.len()).copied().collect::<Vec<_>>();
            elements(&broadcast(kept)).saturating_mul(elements(&rest)).max(elements(taken))
        }
        _ => elements(&broadcast(&sizes)),
    })
}

/// Sizes of the known tensors in an argument.
fn known_sizes(value: &Value) -> Lowered<Vec<Vec<i64>>> {
    let of = |value: &Value| match value {
        Value::Tensor(tensor) => match content(tensor)? {
            Content::Known(known) => Ok(Some(known.size())),
            Content::Graph(_) => Ok(None),
        },
        _ => Ok(None),
    };
    let items = value.items().unwrap_or_else(|| vec![value.clone()]);
    let sizes = items.iter().map(of).collect::<Lowered<Vec<_>>>()?;
    Ok(sizes.into_iter().flatten().collect())
}

/// The sizes that tensors have together, where they fit.
fn broadcast(all: &[Vec<i64>]) -> Vec<i64> {
    let rank = all.iter().map(Vec::len).max().unwrap_or(0);
    let size = |sizes: &Vec<i64>, axis: usize| (axis + sizes.len()).checked_sub(rank).map_or(1, |own| sizes[own]);
    (0..rank).map(|axis| all.iter().map(|sizes| size(sizes, axis)).max().unwrap_or(1)).collect()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::torchscript::lowering::known;

    fn zeros(sizes: &[i64]) -> Value {
        known(Tensor::zeros(sizes, (Kind::Float, Device::Cpu)))
    }

    fn elements(operator: &str, arguments: Vec<Value>) -> usize {
        result_elements(&Call { operator, name: String::new(), arguments, names: &[] }).unwrap()
    }

    #[test]
    fn operands_that_broadcast_make_more_than_each_of_them_has() {
        assert_eq!(elements("aten::mul", vec![zeros(&[5, 1]), zeros(&[3, 1, 4])]), 60);
        assert_eq!(elements("aten::neg", vec![zeros(&[7])]), 7);
        assert_eq!(elements("aten::mul", vec![zeros(&[2, 3]), Value::int(2)]), 6);
    }

    #[test]
    fn lists_add_up_and_grids_multiply() {
        let list = || vec![Value::list(vec![zeros(&[2, 3]), zeros(&[4])])];
        assert_eq!(elements("aten::cat", list()), 10);
        assert_eq!(elements("aten::meshgrid", list()), 48);
    }

    #[test]
    fn indices_stand_in_place_of_axes() {
        assert_eq!(elements("aten::index", vec![zeros(&[4, 3]), Value::list(vec![zeros(&[10])])]), 30);
        assert_eq!(elements("aten::index", vec![zeros(&[4, 3]), Value::list(vec![zeros(&[2]), zeros(&[2])])]), 12);
    }
}
