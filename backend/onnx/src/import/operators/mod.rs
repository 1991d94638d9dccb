//! ONNX operators by family, and which family takes a node.
//!
//! To add an operator: write a function from a [`Call`] to its outputs in the family that fits and list it in that family's
//! `OPERATORS`. The list is also the data of `docs/operators.md`.

mod attention;
mod composer;
mod convolution;
mod folded;
mod functions;
mod indexing;
mod movement;
mod normalization;
mod per_image;
mod pointwise;
mod pooling;
mod reduction;
mod resize;
mod sampling;
mod selection;
mod writing;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use super::call::{Call, Lowered, Value};
use super::fault::{Fault, unsupported};
use super::lowering::Lowering;
use super::settle;

/// An operator that becomes nodes of the graph.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// ONNX's name.
    pub name: &'static str,
    /// What it becomes, and what about it is not supported.
    pub becomes: &'static str,
    pub(super) lower: for<'a> fn(&mut Lowering<'a>, &Call<'a>) -> Lowered,
}

/// The families with their titles, in the order of the documentation.
pub fn families() -> [(&'static str, &'static [Operator]); 13] {
    [
        ("Convolution and linear", convolution::OPERATORS),
        ("Normalisation", normalization::OPERATORS),
        ("Functions of each entry", functions::OPERATORS),
        ("Elementwise", pointwise::OPERATORS),
        ("Pooling", pooling::OPERATORS),
        ("Resizing", resize::OPERATORS),
        ("Sampling and windows", sampling::OPERATORS),
        ("Reduction", reduction::OPERATORS),
        ("Attention", attention::OPERATORS),
        ("Moving data", movement::OPERATORS),
        ("Indexing, splitting and joining", indexing::OPERATORS),
        ("Selection", selection::OPERATORS),
        ("Assignment to slices", writing::OPERATORS),
    ]
}

/// Operators that are computed while the network is read, because they work on shapes, numbers or tensors that do not depend
/// on the input.
pub fn folded_operators() -> Vec<&'static str> {
    folded::operators()
}

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Operator>> =
    LazyLock::new(|| families().into_iter().flat_map(|(_, operators)| operators).map(|o| (o.name, o)).collect());

/// Turns a node into nodes of the graph, or computes it where it does not depend on the input.
pub(super) fn lower<'a>(lowering: &mut Lowering<'a>, call: &Call<'a>) -> Lowered {
    if call.inputs.iter().any(|v| matches!(v, Value::Unknown)) {
        return if is_known(call.operator) { Err(Fault::Unknown) } else { unsupported("") };
    }
    let missing = |value: &Value| if let Value::Missing(cause) = value { Some(Rc::clone(cause)) } else { None };
    if let Some(cause) = call.inputs.iter().find_map(missing) {
        return if is_known(call.operator) { Err(Fault::Missing(cause)) } else { unsupported("") };
    }
    if let Some(result) = per_image::evaluate(lowering, call) {
        return result;
    }
    match folded::evaluate(lowering, call) {
        // Some constants for each image are easier for the graph.
        Some(Err(Fault::Unsupported(_))) if depends_on_batch(call) && BY_NAME.contains_key(call.operator) => {}
        Some(result) => return result,
        None => {}
    }
    let operator = BY_NAME.get(call.operator);
    if (operator.is_none() || FOR_MASKS.contains(&call.operator)) && folded::operators().contains(&call.operator) {
        let settled = settle::inputs(lowering, call)?;
        if let Some(result) = settled.and_then(|call| folded::evaluate(lowering, &call)) {
            return result;
        }
    }
    match operator {
        Some(operator) => (operator.lower)(lowering, call),
        None if is_known(call.operator) => unsupported("on a tensor that depends on the input"),
        None => unsupported(""),
    }
}

/// Operators whose results are masks, places and whole numbers: of weights alone, they are computed while reading, since what
/// takes them may have to know them.
const FOR_MASKS: [&str; 17] = [
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Sin",
    "Cos",
    "Mod",
    "Equal",
    "Less",
    "LessOrEqual",
    "GreaterOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "CumSum",
    "Trilu",
];

fn depends_on_batch(call: &Call) -> bool {
    call.inputs.iter().any(|v| matches!(v, Value::PerImage(_)))
}

fn is_known(operator: &str) -> bool {
    BY_NAME.contains_key(operator) || folded::operators().contains(&operator)
}

/// Every operator's name.
#[cfg(test)]
pub(super) fn all_names() -> Vec<&'static str> {
    BY_NAME.keys().copied().chain(folded::operators()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_listed_in_one_family() {
        let names: Vec<_> = families().into_iter().flat_map(|(_, o)| o).map(|o| o.name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }
}
