//! TorchScript operators by family, and which family takes a call.
//!
//! To add an operator: write a function from a [`Call`] to a [`Value`] in the family that fits and list it in that family's
//! table. The tables are also the data of `docs/operators.md`.

/// An operator that is one function of each entry.
macro_rules! unary {
    ($name:literal, $becomes:literal, $function:expr) => {
        Operator { name: $name, becomes: $becomes, lower: |lo, call| lo.emit_unary(call, $function) }
    };
}

/// An operator that is a composition of one tensor alone.
macro_rules! composed {
    ($name:literal, $becomes:literal, $make:expr) => {
        Operator {
            name: $name,
            becomes: $becomes,
            lower: |lo, call| {
                let x = lo.operand(call, 0)?;
                Ok($crate::lowering::fresh($make(&mut lo.composer(call), x)?))
            },
        }
    };
}

mod activations;
mod attention;
mod composer;
mod constants;
mod containers;
mod convolution;
mod folding;
mod functions;
mod indexing;
mod masks;
mod movement;
mod normalization;
mod pointwise;
mod pooling;
mod products;
mod reduction;
mod rule;
mod sampling;
mod scalars;
mod selection;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use folding::{Folded, FoldedFamily};

use super::call::Call;
use super::fault::{Fault, Lowered, unsupported};
use super::known::{content, known_scalar};
use super::lowering::Lowering;
use super::value::{Content, TensorRef, Value};

/// An operator that becomes nodes of the graph.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// TorchScript's name; its in-place form with a trailing underscore is supported with it.
    pub name: &'static str,
    /// What it becomes, and what about it is not supported.
    pub becomes: &'static str,
    pub(super) lower: fn(&mut Lowering, &Call) -> Lowered,
}

/// The families with their titles, in the order of the documentation.
pub fn families() -> [(&'static str, &'static [Operator]); 13] {
    [
        ("Convolution and linear", convolution::OPERATORS),
        ("Products over axes", products::OPERATORS),
        ("Normalisation", normalization::OPERATORS),
        ("Functions of each entry", functions::OPERATORS),
        ("Activations", activations::OPERATORS),
        ("Arithmetic", pointwise::OPERATORS),
        ("Comparing and choosing", selection::OPERATORS),
        ("Pooling", pooling::OPERATORS),
        ("Resizing, sampling and windows", sampling::OPERATORS),
        ("Reduction", reduction::OPERATORS),
        ("Attention", attention::OPERATORS),
        ("Moving data", movement::OPERATORS),
        ("Indexing, splitting and joining", indexing::OPERATORS),
    ]
}

/// Operators that are computed while the network is read, by what they work on, in the order in which they are tried.
pub fn folded_families() -> Vec<FoldedFamily> {
    containers::FAMILIES.into_iter().chain(scalars::FAMILIES).collect()
}

/// Operators on constant tensors that libtorch does not compute.
pub fn constant_operators() -> &'static [Folded] {
    constants::OPERATORS
}

/// Operators of which libtorch computes the result where it depends on nothing but the shape of an activation.
pub fn of_shape_alone() -> Vec<&'static str> {
    constants::of_shape_alone()
}

/// Operators of `aten` that are not computed while the network is read, and why.
pub fn refused_operators() -> Vec<(String, &'static str)> {
    rule::refused()
}

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Operator>> =
    LazyLock::new(|| families().into_iter().flat_map(|(_, operators)| operators).map(|o| (o.name, o)).collect());

/// Whether a call is about what an operator works on, and the operator.
type Applicable = (fn(&Call) -> bool, &'static Folded);

/// The operators of [`folded_families`] by name.
static FOLDED: LazyLock<BTreeMap<&'static str, Vec<Applicable>>> = LazyLock::new(|| {
    let mut by_name = BTreeMap::<_, Vec<_>>::new();
    for FoldedFamily { applies, operators, .. } in folded_families() {
        for operator in operators {
            by_name.entry(operator.name).or_default().push((applies, operator));
        }
    }
    by_name
});

/// The operator's name without the underscore that marks in-place forms.
pub(super) fn base_name(kind: &str) -> &str {
    match kind.strip_suffix('_') {
        Some(base) if !base.ends_with('_') => base,
        _ => kind,
    }
}

/// Whether a condition holds, where that is known.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Int(count) => count.known().map(|n| n != 0),
        Value::Float(number) => Some(*number != 0.0),
        Value::Tensor(tensor) => known_scalar(tensor).map(|n| n != 0.0),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Turns a call into nodes, or computes it where it does not depend on the input.
pub(super) fn lower(lowering: &mut Lowering, kind: &str, call: &Call) -> Lowered {
    let folded = FOLDED.get(call.operator).and_then(|named| named.iter().find(|(applies, _)| applies(call)));
    if !folded.is_some_and(|(_, operator)| operator.takes_unknown(&call.arguments)) {
        if call.arguments.iter().any(Value::is_unknown) {
            return Err(Fault::Unknown);
        }
        if let Some(cause) = call.arguments.iter().find_map(Value::missing) {
            return Err(Fault::Missing(cause));
        }
    }
    if let Some((_, operator)) = folded {
        return (operator.compute)(lowering, call);
    }
    let in_place = base_name(kind) != kind;
    if !depends_on_input(call)?
        && let Some(result) = constants::evaluate(lowering, call)
    {
        return if in_place { constants::assign(call, &result?) } else { result };
    }
    if kind == "aten::zero_"
        && let Some(result) = indexing::zero_slice(lowering, call)?
    {
        return Ok(result);
    }
    let Some(operator) = BY_NAME.get(call.operator) else {
        return unsupported(constants::known_against(call));
    };
    let result = (operator.lower)(lowering, call)?;
    if in_place { assign(lowering, call, &result) } else { Ok(result) }
}

/// Whether the call looks at the entries of an activation or a weight.
fn depends_on_input(call: &Call) -> Lowered<bool> {
    let is_graph = |tensor: &TensorRef| Ok(matches!(content(tensor)?, Content::Graph(_)));
    for (index, argument) in call.arguments.iter().enumerate() {
        let depends = match argument {
            Value::Tensor(_) if constants::takes_shape_alone(call.operator, index) => false,
            Value::Tensor(tensor) => is_graph(tensor)?,
            other => {
                let items = other.items().unwrap_or_default();
                let tensors = items.iter().filter_map(|v| if let Value::Tensor(t) = v { Some(t) } else { None });
                tensors.map(is_graph).collect::<Lowered<Vec<_>>>()?.contains(&true)
            }
        };
        if depends {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends an in-place operation: its first argument is the result from now on.
fn assign(lowering: &mut Lowering, call: &Call, result: &Value) -> Lowered {
    let (Value::Tensor(result), target) = (result, call.tensor(0)?) else {
        return Err(Fault::Invalid("the target of an in-place operation is not a tensor".into()));
    };
    let changed = content(result)?;
    match (content(&target)?, &changed) {
        (Content::Known(_) | Content::Batched(_), Content::Graph(_)) => {
            return unsupported("writes an activation into a constant tensor");
        }
        (Content::Graph(old), Content::Graph(new)) if lowering.draft.is_parameter(old) && old != *new => {
            return unsupported("modifies a stored tensor in place");
        }
        (_, Content::Graph(new)) => {
            let wholes = indexing::written_back(lowering, call, &target, *new);
            target.assign(changed);
            for (whole, id) in wholes {
                whole.refresh(Content::Graph(id));
            }
        }
        _ => target.assign(changed),
    }
    Ok(Value::Tensor(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_listed_once_and_sorted_into_one_family() {
        let names: Vec<_> = families().into_iter().flat_map(|(_, o)| o).map(|o| o.name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        assert!(names.iter().all(|name| name.contains("::") && base_name(name) == *name));
    }
}
