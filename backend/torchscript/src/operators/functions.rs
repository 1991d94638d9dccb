//! Functions of each entry that have one name in PyTorch and in the graph.

use eagleeye_graph::Op;

use super::Operator;
use crate::call::Call;
use crate::fault::{Lowered, unsupported};
use crate::functions::{FUNCTIONS, named};
use crate::lowering::Lowering;

pub const OPERATORS: &[Operator] = &TABLE;

const TABLE: [Operator; FUNCTIONS.len()] = {
    let mut operators = [Operator { name: "", becomes: "", lower: apply }; FUNCTIONS.len()];
    let mut i = 0;
    while i < FUNCTIONS.len() {
        operators[i] = Operator { name: FUNCTIONS[i].0, becomes: FUNCTIONS[i].1.name(), lower: apply };
        i += 1;
    }
    operators
};

fn apply(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.has("decimals") && call.int("decimals")? != 0 {
        return unsupported("rounds to a given number of decimals");
    }
    let Some(function) = named(call.operator) else {
        return unsupported("");
    };
    let x = lo.operand(call, 0)?;
    lo.emit(call, Op::Unary(function), &[x])
}
