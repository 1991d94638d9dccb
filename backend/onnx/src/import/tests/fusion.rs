//! Operations that exporters take apart.

use eagleeye_graph::{Op, Unary};

use super::*;

fn numbers(net: Net, numbers: &[(&str, f32)]) -> Net {
    numbers.iter().fold(net, |net, (name, value)| net.floats(name, &[], &[*value]))
}

fn unary(net: Net) -> Unary {
    match only(&net.graph()) {
        Op::Unary(function) => function,
        other => panic!("{other:?}"),
    }
}

#[test]
fn products_with_a_gate_are_activations() {
    let gated = |gate, attributes: &[AttributeProto]| {
        unary(Net::new(&[4]).node_with("g", gate, &["x"], attributes).node("y", "Mul", &["x", "g"]))
    };
    assert_eq!(gated("Sigmoid", &[]), Unary::Silu);
    assert_eq!(gated("HardSigmoid", &[float("alpha", 1.0 / 6.0)]), Unary::HardSwish);
    let mish = Net::new(&[4]).node("s", "Softplus", &["x"]).node("t", "Tanh", &["s"]).node("y", "Mul", &["t", "x"]);
    assert_eq!(unary(mish), Unary::Mish);
}

#[test]
fn a_gate_of_something_else_is_no_activation() {
    let net = Net::new(&[4]).node("r", "Relu", &["x"]).node("g", "Sigmoid", &["r"]).node("y", "Mul", &["x", "g"]);
    assert_eq!(ops(&net.graph()).len(), 3);
}

#[test]
fn an_activation_of_a_product_is_found() {
    let net = Net::new(&[4]).input("z", None, &[4]).node("p", "Mul", &["x", "z"]).node("g", "Sigmoid", &["p"]);
    let graph = net.node("y", "Mul", &["p", "g"]).graph();
    assert_eq!(ops(&graph)[1..], [Op::Unary(Unary::Silu)]);
}

#[test]
fn hard_activations_of_older_operator_sets() {
    let relu6 = |net: Net| {
        let net = numbers(net, &[("three", 3.0), ("six", 6.0), ("zero", 0.0)]);
        net.node("shifted", "Add", &["x", "three"]).node("g", "Clip", &["shifted", "zero", "six"])
    };
    let sigmoid = relu6(Net::new(&[4])).node("y", "Div", &["g", "six"]);
    assert_eq!(unary(sigmoid), Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 });
    let swish = relu6(Net::new(&[4])).node("p", "Mul", &["x", "g"]).node("y", "Div", &["p", "six"]);
    assert_eq!(unary(swish), Unary::HardSwish);
    let other_way = relu6(Net::new(&[4])).node("d", "Div", &["g", "six"]).node("y", "Mul", &["x", "d"]);
    assert_eq!(unary(other_way), Unary::HardSwish);
}

#[test]
fn gelu_by_the_error_function_in_any_order() {
    let cdf = || {
        let net = numbers(Net::new(&[4]), &[("root", std::f32::consts::SQRT_2), ("one", 1.0), ("half", 0.5)]);
        net.node("d", "Div", &["x", "root"]).node("e", "Erf", &["d"]).node("s", "Add", &["e", "one"])
    };
    let gelu = Unary::Gelu { tanh: false };
    assert_eq!(unary(cdf().node("p", "Mul", &["x", "s"]).node("y", "Mul", &["p", "half"])), gelu);
    assert_eq!(unary(cdf().node("h", "Mul", &["x", "half"]).node("y", "Mul", &["h", "s"])), gelu);
    assert_eq!(unary(cdf().node("h", "Mul", &["s", "half"]).node("y", "Mul", &["x", "h"])), gelu);
    // Without the half it is another function.
    assert_eq!(ops(&cdf().node("y", "Mul", &["x", "s"]).graph()).len(), 4);
}

#[test]
fn gelu_by_tanh() {
    let net = numbers(
        Net::new(&[4]),
        &[("three", 3.0), ("kappa", 0.044715), ("beta", 0.797_884_6), ("one", 1.0), ("half", 0.5)],
    );
    let inner = |net: Net| {
        net.node("scaled", "Mul", &["cube", "kappa"])
            .node("sum", "Add", &["x", "scaled"])
            .node("inner", "Mul", &["sum", "beta"])
            .node("t", "Tanh", &["inner"])
            .node("s", "Add", &["t", "one"])
            .node("p", "Mul", &["x", "s"])
            .node("y", "Mul", &["half", "p"])
    };
    let gelu = Unary::Gelu { tanh: true };
    assert_eq!(unary(inner(net.clone().node("cube", "Pow", &["x", "three"]))), gelu);
    let products = net.node("square", "Mul", &["x", "x"]).node("cube", "Mul", &["square", "x"]);
    assert_eq!(unary(inner(products)), gelu);
}

fn layer_norm(net: Net, operator: &str) -> Net {
    let net = numbers(net, &[("two", 2.0), ("epsilon", 1e-6), ("minus_half", -0.5)]);
    let axes = [list("axes", &[-1])];
    let net = net.node_with("mean", "ReduceMean", &["x"], &axes).node("centred", "Sub", &["x", "mean"]);
    let net = net.node("square", "Pow", &["centred", "two"]).node_with("variance", "ReduceMean", &["square"], &axes);
    let net = net.node("shifted", "Add", &["variance", "epsilon"]);
    match operator {
        "Div" => net.node("deviation", "Sqrt", &["shifted"]).node("normed", "Div", &["centred", "deviation"]),
        _ => net.node("inverse", "Pow", &["shifted", "minus_half"]).node("normed", "Mul", &["inverse", "centred"]),
    }
}

#[test]
fn layer_norm_with_and_without_its_affine() {
    for operator in ["Div", "Mul"] {
        let plain = layer_norm(Net::new(&[5, 6]), operator).graph();
        let Op::LayerNorm { axes: 1, epsilon } = only(&plain) else { panic!("{:?}", plain.nodes) };
        assert!((epsilon - 1e-6).abs() < 1e-12);
        let net = layer_norm(Net::new(&[5, 6]).weight("gamma", &[6]).weight("beta", &[6]), operator);
        let affine = net.node("scaled", "Mul", &["normed", "gamma"]).node("y", "Add", &["scaled", "beta"]).graph();
        assert!(matches!(only(&affine), Op::LayerNorm { axes: 1, .. }));
        assert_eq!(last_inputs(&affine), ["x", "gamma", "beta"]);
    }
}

#[test]
fn the_parts_stay_where_somebody_else_uses_them() {
    let graph = layer_norm(Net::new(&[5, 6]), "Div").outputs(&["normed", "mean"]).graph();
    let operators = graph.operators();
    assert_eq!((operators["layer_norm"], operators["reduce_mean"], operators.len()), (1, 1, 2));
}

#[test]
fn group_norm_written_as_an_instance_norm_of_groups() {
    let net = |ones: f32| {
        let net = Net::new(&[6, 4, 4]).ints("groups", &[0, 2, -1]).weight("gamma", &[6, 1, 1]);
        let net = net.floats("scale", &[2], &[ones, ones]).floats("bias", &[2], &[0.0, 0.0]);
        let net = net.node("view", "Reshape", &["x", "groups"]);
        let net = net.node("norm", "InstanceNormalization", &["view", "scale", "bias"]);
        let net = net.node("shape", "Shape", &["x"]).node("back", "Reshape", &["norm", "shape"]);
        net.node("y", "Mul", &["back", "gamma"]).graph()
    };
    assert_eq!(ops(&net(1.0))[0], Op::GroupNorm { groups: 2, epsilon: 1e-5 });
    assert_eq!(net(1.0).nodes.len(), 2);
    assert_eq!(net(2.0).nodes.len(), 4);
}

#[test]
fn a_weight_that_is_computed_from_parameters_stays_so_for_whoever_knows_the_file_to_compute_it() {
    let net = Net::new(&[1, 2, 2]).floats("v", &[2, 1, 1, 2], &[1.0, 3.0, -4.0, 8.0]).weight("g", &[2, 1, 1, 1]);
    let axes = [list("axes", &[1, 2, 3])];
    let net = net.node_with("mean", "ReduceMean", &["v"], &axes).node("centred", "Sub", &["v", "mean"]);
    let graph = net.node("w", "Mul", &["g", "centred"]).node("y", "Conv", &["x", "w"]).graph();
    let conv = graph.nodes.last().unwrap();
    assert!(matches!(conv.op, Op::Conv(_)) && graph.producer(conv.inputs[1]).is_some());
    let names: Vec<&str> = graph.parameters.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["v", "g"]);
}

#[test]
fn a_product_with_a_computed_matrix_is_a_linear_layer() {
    for (operator, attributes) in [("MatMul", vec![]), ("Gemm", vec![int("transB", 1)])] {
        let net = Net::new(&[4]).weight("w", &[4, 4]).weight("g", &[4]).weight("b", &[4]).node("m", "Mul", &["w", "g"]);
        let net = net.node_with("z", operator, &["x", "m"], &attributes);
        let graph = net.node("y", "Add", &["z", "b"]).graph();
        assert!(matches!(graph.nodes.last().unwrap().op, Op::Linear { .. }), "{operator}: {:?}", graph.nodes);
    }
}

#[test]
fn a_batch_norm_in_training_mode_standardises_a_weight() {
    let net = Net::new(&[1, 2, 2]).floats("v", &[2, 1, 1, 2], &[1.0, 3.0, -4.0, 8.0]).ints("rows", &[1, 2, -1]);
    let net = net.weight("g", &[2]).floats("b", &[2], &[0.0, 5.0]).weight("m", &[2]).ints("kernel", &[2, 1, 1, 2]);
    let training = [int("training_mode", 1), float("epsilon", 0.0)];
    let net = net.node("view", "Reshape", &["v", "rows"]);
    let net = net.node_with("bn", "BatchNormalization", &["view", "g", "b", "m", "m"], &training);
    let graph = net.node("w", "Reshape", &["bn", "kernel"]).node("y", "Conv", &["x", "w"]).graph();
    assert!(graph.nodes.iter().all(|n| !matches!(n.op, Op::BatchNorm { .. })), "{:?}", graph.nodes);
    assert!(matches!(graph.nodes.last().unwrap().op, Op::Conv(_)));
}

#[test]
fn padding_in_front_of_a_max_pooling_is_its_own() {
    let pooled = |fill: f32, after: i64| {
        let net = Net::new(&[4, 8, 8]).ints("pads", &[0, 0, 1, 0, 0, 0, after, 1]).floats("fill", &[], &[fill]);
        let net = net.node("padded", "Pad", &["x", "pads", "fill"]);
        net.node_with("y", "MaxPool", &["padded"], &[list("kernel_shape", &[3, 3])]).graph()
    };
    let Op::Pool(pool) = only(&pooled(f32::NEG_INFINITY, 1)) else { panic!() };
    assert_eq!(pool.padding, [(1, 1), (0, 1)]);
    // Zeros can be larger than what is pooled, and two is more than half of the window.
    assert_eq!(pooled(0.0, 1).nodes.len(), 2);
    assert_eq!(pooled(f32::NEG_INFINITY, 2).nodes.len(), 2);
}

#[test]
fn both_ends_joined_the_other_way_round_are_a_roll() {
    let net = Net::new(&[5, 6]).ints("zero", &[0]).ints("two", &[2]).ints("end", &[i64::MAX]).ints("axis", &[1]);
    let net =
        net.node("back", "Slice", &["x", "two", "end", "axis"]).node("front", "Slice", &["x", "zero", "two", "axis"]);
    let graph = net.node_with("y", "Concat", &["back", "front"], &[int("axis", 1)]).graph();
    assert_eq!(only(&graph), Op::Roll { shifts: vec![(1, 3)] });
}
