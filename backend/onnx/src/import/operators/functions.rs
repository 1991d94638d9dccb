//! Functions of each entry that have one name in ONNX and in the graph.

use eagleeye_graph::Op;

use super::Operator;
use crate::functions::{FUNCTIONS, named};
use crate::import::call::{Call, Lowered};
use crate::import::fault::unsupported;
use crate::import::lowering::Lowering;

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
    let Some(function) = named(call.operator) else {
        return unsupported("");
    };
    let x = lo.value(call, 0)?;
    lo.emit(call, Op::Unary(function), &[x])
}
