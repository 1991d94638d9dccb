//! Operators on tensors that do not depend on the input.

use super::*;

/// The entries of a constant that a chain of nodes makes, seen where it is added to the input.
fn folded(net: Net, result: &str) -> (Vec<usize>, Vec<f32>) {
    let imported = net.node("sum", "Add", &["x", result]).read().unwrap();
    let tensor = entries(&imported, result);
    (tensor.shape.clone(), tensor.to_f32().unwrap())
}

fn constant(name: &str, dims: &[i64], values: &[f32]) -> NodeProto {
    node(name, "Constant", &[], &[name], &[tensor("value", floats("", dims, values))])
}

fn net() -> Net {
    Net::new(&[2, 3]).push(constant("a", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
}

#[test]
fn entries_are_moved() {
    let transposed = folded(net().node("t", "Transpose", &["a"]).node("y", "Transpose", &["t"]), "y");
    assert_eq!(transposed, (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let gathered = net().ints("i", &[1, 0]).node("y", "Gather", &["a", "i"]);
    assert_eq!(folded(gathered, "y").1, [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    let sliced = net().ints("s", &[-1]).ints("e", &[-10]).ints("axis", &[1]).ints("step", &[-1]);
    let sliced = sliced.node("y", "Slice", &["a", "s", "e", "axis", "step"]);
    assert_eq!(folded(sliced, "y").1, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    let joined = net().push(node("parts", "Split", &["a"], &["p", "q"], &[]));
    let joined = joined.node_with("y", "Concat", &["q", "p"], &[int("axis", 0)]);
    assert_eq!(folded(joined, "y").1, [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    let repeated = net().push(constant("b", &[3], &[7.0, 8.0, 9.0])).ints("twice", &[2, 3]);
    assert_eq!(folded(repeated.node("y", "Expand", &["b", "twice"]), "y").1, [7.0, 8.0, 9.0, 7.0, 8.0, 9.0]);
    let tiled = net().push(constant("b", &[1, 3], &[7.0, 8.0, 9.0])).ints("twice", &[2, 1]);
    assert_eq!(folded(tiled.node("y", "Tile", &["b", "twice"]), "y").1, [7.0, 8.0, 9.0, 7.0, 8.0, 9.0]);
}

#[test]
fn entries_are_padded_and_cut() {
    let padded = Net::new(&[2, 3]).push(constant("b", &[1, 1], &[7.0])).ints("pads", &[1, 0, 0, 2]);
    assert_eq!(folded(padded.node("y", "Pad", &["b", "pads"]), "y").1, [0.0, 0.0, 0.0, 7.0, 0.0, 0.0]);
    let upper = net().node("y", "Trilu", &["a"]);
    assert_eq!(folded(upper, "y").1, [1.0, 2.0, 3.0, 0.0, 5.0, 6.0]);
    let lower = net().int("k", -1).node_with("y", "Trilu", &["a", "k"], &[int("upper", 0)]);
    assert_eq!(folded(lower, "y").1, [0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
}

#[test]
fn sums_and_products_broadcast() {
    let sums = net().push(constant("b", &[2, 1], &[10.0, 20.0])).node("y", "Add", &["a", "b"]);
    assert_eq!(folded(sums, "y").1, [11.0, 12.0, 13.0, 24.0, 25.0, 26.0]);
    let means = net().node_with("m", "ReduceMean", &["a"], &[list("axes", &[1])]).node("y", "Sub", &["a", "m"]);
    assert_eq!(folded(means, "y").1, [-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]);
    let running = net().int("axis", 1).node("y", "CumSum", &["a", "axis"]);
    assert_eq!(folded(running, "y").1, [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    let product = net().push(constant("i", &[2, 2], &[0.0, 1.0, 1.0, 0.0])).node("y", "MatMul", &["i", "a"]);
    assert_eq!(folded(product, "y").1, [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
}

#[test]
fn assignments_to_slices_are_written() {
    // a[1, :2] = 0, then where(a == 0, -100, 0)
    let net = net()
        .push(node("i", "Constant", &[], &["i"], &[tensor("value", ints("", &[2, 2], &[1, 0, 1, 1]))]))
        .push(constant("zeros", &[2], &[0.0, 0.0]))
        .push(constant("zero", &[], &[0.0]))
        .push(constant("low", &[], &[-100.0]))
        .node("written", "ScatterND", &["a", "i", "zeros"])
        .node("empty", "Equal", &["written", "zero"])
        .node("y", "Where", &["empty", "low", "zero"]);
    assert_eq!(folded(net, "y").1, [0.0, 0.0, 0.0, -100.0, -100.0, 0.0]);
}

/// A linear layer with something written over its bias.
fn written_bias(places: &[i64], updates: &[f32]) -> Imported {
    let count = places.len() as i64;
    let net = Net::new(&[4]).weight("w", &[6, 4]).weight("b", &[6]).floats("updates", &[count], updates);
    let places = tensor("value", ints("", &[count, 1], places));
    let net = net.push(node("i", "Constant", &[], &["i"], &[places])).node("bias", "ScatterND", &["b", "i", "updates"]);
    net.node_with("y", "Gemm", &["x", "w", "bias"], &[int("transB", 1)]).read().unwrap()
}

#[test]
fn a_number_written_over_a_part_of_a_stored_tensor_takes_no_constant() {
    let imported = written_bias(&[2, 3], &[0.0, 0.0]);
    let slice = |start, end| Op::Slice { axis: 0, start, end, step: 1 };
    let nothing = Op::Unary(eagleeye_graph::Unary::MulScalar(0.0));
    assert_eq!(ops(&imported.graph)[..5], [slice(0, 2), slice(2, 4), nothing, slice(4, 6), Op::Cat { axis: 0 }]);
    assert_eq!(imported.graph.parameters.len(), 2);
}

#[test]
fn other_constants_are_written_by_a_mask() {
    let imported = written_bias(&[4, 1], &[7.0, 8.0]);
    assert_eq!(entries(&imported, "bias.kept").to_f32().unwrap(), [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    assert_eq!(entries(&imported, "bias.written").to_f32().unwrap(), [0.0, 8.0, 0.0, 0.0, 7.0, 0.0]);
    assert_eq!(entries(&imported, "b").to_f32().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn ranges_casts_and_numbers() {
    let range = Net::new(&[2, 3]).int("start", 1).int("limit", 6).int("step", 2);
    let range = range.node("r", "Range", &["start", "limit", "step"]).node_with("y", "Cast", &["r"], &[int("to", 1)]);
    assert_eq!(folded(range, "y").1, [1.0, 3.0, 5.0]);
    let truncated = Net::new(&[2, 3]).push(constant("f", &[3], &[1.9, -1.9, 0.2]));
    let truncated = truncated.node_with("y", "Cast", &["f"], &[int("to", 7)]);
    assert_eq!(folded(truncated, "y").1, [1.0, -1.0, 0.0]);
    let rounded = Net::new(&[2, 3]).push(constant("f", &[3], &[0.5, 1.5, -0.7])).node("y", "Round", &["f"]);
    assert_eq!(folded(rounded, "y").1, [0.0, 2.0, -1.0]);
}

#[test]
fn one_hot_puts_a_new_axis_anywhere() {
    let net = |axis| {
        let net = Net::new(&[2, 3]).ints("i", &[2, -3]).int("depth", 3).push(constant("values", &[2], &[5.0, 7.0]));
        folded(net.node_with("y", "OneHot", &["i", "depth", "values"], &[int("axis", axis)]), "y")
    };
    assert_eq!(net(-1), (vec![2, 3], vec![5.0, 5.0, 7.0, 7.0, 5.0, 5.0]));
    let (shape, entries) = {
        let net = Net::new(&[3, 2]).ints("i", &[2, -3]).int("depth", 3).push(constant("values", &[2], &[5.0, 7.0]));
        folded(net.node_with("y", "OneHot", &["i", "depth", "values"], &[int("axis", 0)]), "y")
    };
    assert_eq!((shape, entries), (vec![3, 2], vec![5.0, 7.0, 5.0, 5.0, 7.0, 5.0]));
}

#[test]
fn functions_that_exist_only_while_reading_take_stored_tensors() {
    let net = Net::new(&[2]).floats("angles", &[4], &[0.0, 9.0, 1.0, 9.0]).floats("two", &[], &[2.0]);
    let net = net.ints("start", &[0]).ints("end", &[4]).ints("axis", &[0]).ints("step", &[2]);
    let net = net.node("half", "Div", &["angles", "two"]);
    let net = net.node("even", "Slice", &["half", "start", "end", "axis", "step"]).node("y", "Cos", &["even"]);
    assert_eq!(folded(net, "y").1, [1.0, 0.5f32.cos()]);
}

#[test]
fn constants_of_all_kinds_are_read() {
    let number = |attribute| {
        let net = Net::new(&[2, 3]).push(node("c", "Constant", &[], &["c"], &[attribute]));
        net.node("y", "Mul", &["x", "c"]).graph()
    };
    let times = |factor| Op::Unary(eagleeye_graph::Unary::MulScalar(factor));
    assert_eq!(only(&number(int("value_int", 3))), times(3.0));
    assert_eq!(only(&number(float("value_float", 0.1))), times(f64::from(0.1f32)));
    assert_eq!(only(&number(list("value_ints", &[3]))), times(3.0));
    let text = AttributeProto { s: Some(b"text".to_vec().into()), ..attribute("value_string", AttributeType::String) };
    let error = Net::new(&[2]).push(node("c", "Constant", &[], &["c"], &[text])).node("y", "Relu", &["x"]).error();
    assert!(error.contains("Constant at `c`"), "{error}");
}

#[test]
fn functions_of_each_entry_are_folded_from_one_table() {
    let values = [0.5f32, -0.25, 0.75];
    let net = || Net::new(&[3]).push(constant("a", &[3], &values));
    type Function = fn(f64) -> f64;
    let cases: [(&str, Function); 11] = [
        ("Sin", f64::sin),
        ("Cos", f64::cos),
        ("Tan", f64::tan),
        ("Asin", f64::asin),
        ("Acos", f64::acos),
        ("Atan", f64::atan),
        ("Sinh", f64::sinh),
        ("Cosh", f64::cosh),
        ("Asinh", f64::asinh),
        ("Atanh", f64::atanh),
        ("Softsign", |v| v / (1.0 + v.abs())),
    ];
    for (operator, function) in cases {
        let expected = values.map(|v| function(f64::from(v)) as f32);
        assert_eq!(folded(net().node("y", operator, &["a"]), "y").1, expected, "{operator}");
    }
    let sums = net().push(constant("b", &[1], &[1.0]));
    assert_eq!(folded(sums.clone().node("y", "Sum", &["a", "b", "b"]), "y").1, [2.5, 1.75, 2.75]);
    assert_eq!(folded(sums.node("y", "Mean", &["a", "b"]), "y").1, [0.75, 0.375, 0.875]);
}

#[test]
fn not_a_number_stays_what_it_is() {
    let net = || Net::new(&[3]).push(constant("a", &[3], &[f32::NAN, -2.0, 3.0])).push(constant("b", &[1], &[0.5]));
    let cases: [(Net, [f32; 2]); 5] = [
        (net().node("y", "Relu", &["a"]), [0.0, 3.0]),
        (net().node("y", "Max", &["a", "b"]), [0.5, 3.0]),
        (net().node("y", "Max", &["b", "a"]), [0.5, 3.0]),
        (net().node("y", "Min", &["b", "a"]), [-2.0, 0.5]),
        (net().node("y", "Clip", &["a", "b"]), [0.5, 3.0]),
    ];
    for (net, others) in cases {
        let found = folded(net, "y").1;
        assert!(found[0].is_nan() && found[1..] == others, "{found:?}");
    }
    let rows = Net::new(&[2]).push(constant("a", &[2, 2], &[1.0, f32::NAN, -2.0, 3.0]));
    let axes = AttributeProto { ints: vec![1], ..attribute("axes", AttributeType::Ints) };
    let largest = folded(rows.node_with("y", "ReduceMax", &["a"], &[axes, int("keepdims", 0)]), "y").1;
    assert!(largest[0].is_nan() && largest[1] == 3.0, "{largest:?}");
}

#[test]
fn running_sums_go_either_way_with_or_without_the_entry_itself() {
    let sums = |exclusive, reverse| {
        let net = net().int("axis", 1);
        let flags = [int("exclusive", exclusive), int("reverse", reverse)];
        folded(net.node_with("y", "CumSum", &["a", "axis"], &flags), "y").1
    };
    assert_eq!(sums(1, 0), [0.0, 1.0, 3.0, 0.0, 4.0, 9.0]);
    assert_eq!(sums(0, 1), [6.0, 5.0, 3.0, 15.0, 11.0, 6.0]);
    assert_eq!(sums(1, 1), [5.0, 3.0, 0.0, 11.0, 6.0, 0.0]);
}

#[test]
fn norms_and_places_of_constants_are_folded() {
    let reduced = |operator: &str| folded(net().node_with("y", operator, &["a"], &[list("axes", &[1])]), "y").1;
    assert_eq!(reduced("ReduceL1"), [6.0, 15.0]);
    assert_eq!(reduced("ReduceSumSquare"), [14.0, 77.0]);
    assert_eq!(reduced("ReduceL2"), [14f32.sqrt(), 77f32.sqrt()]);
    let place = |operator: &str, axis| {
        let net = net().node_with("p", operator, &["a"], &[int("axis", axis)]);
        folded(net.node_with("y", "Cast", &["p"], &[int("to", 1)]), "y")
    };
    assert_eq!(place("ArgMax", 0), (vec![1, 3], vec![1.0, 1.0, 1.0]));
    assert_eq!(place("ArgMin", 1), (vec![2, 1], vec![0.0, 0.0]));
}

#[test]
fn the_largest_entries_of_a_constant_and_their_places_are_folded() {
    let top = |axis, output: &str| {
        let net = Net::new(&[2, 1]).push(constant("a", &[2, 3], &[4.0, 1.0, 3.0, 2.0, 6.0, 5.0])).ints("k", &[2]);
        let net = net.push(node("t", "TopK", &["a", "k"], &["values", "places"], &[int("axis", axis)]));
        let net = net.node_with("y", "Cast", &[output], &[int("to", 1)]);
        folded(net.node_with("z", "ReduceSum", &["y"], &[list("axes", &[1]), int("keepdims", 1)]), "z").1
    };
    assert_eq!(top(1, "values"), [7.0, 11.0]);
    assert_eq!(top(1, "places"), [2.0, 3.0]);
    assert_eq!(top(0, "values"), [15.0, 6.0]);
    assert_eq!(top(0, "places"), [2.0, 1.0]);
}

#[test]
fn whole_numbers_are_calculated_with_bit_by_bit() {
    let bits = |operator: &str, attributes: &[AttributeProto]| {
        let net = Net::new(&[2]).ints("a", &[12, 5]).ints("b", &[2, 1]);
        let net = net.node_with("r", operator, &["a", "b"], attributes);
        folded(net.node_with("y", "Cast", &["r"], &[int("to", 1)]), "y").1
    };
    assert_eq!(bits("BitwiseAnd", &[]), [0.0, 1.0]);
    assert_eq!(bits("BitwiseOr", &[]), [14.0, 5.0]);
    assert_eq!(bits("BitwiseXor", &[]), [14.0, 4.0]);
    assert_eq!(bits("BitShift", &[text("direction", "RIGHT")]), [3.0, 2.0]);
    assert_eq!(bits("BitShift", &[text("direction", "LEFT")]), [48.0, 10.0]);
    let error = net().node("y", "BitwiseAnd", &["a", "a"]).node("sum", "Add", &["x", "y"]).error();
    assert!(error.contains("BitwiseAnd at `y`: needs integers"), "{error}");
}

#[test]
fn an_output_that_is_not_computed_is_no_matter_unless_it_is_used() {
    let pool = |used: &str| {
        let net = Net::new(&[1, 4, 4]);
        let attributes = [list("kernel_shape", &[2, 2]), list("strides", &[2, 2])];
        let net = net.push(node("pool", "MaxPool", &["x"], &["values", "places"], &attributes));
        net.node("y", "Relu", &[used]).read()
    };
    assert!(pool("values").is_ok());
    let error = pool("places").unwrap_err().to_string();
    assert!(error.contains("MaxPool at `pool` (output 1 is used, but it is not computed)"), "{error}");
}
