//! One operator, written in the ways of different operator sets and exporters.

use eagleeye_graph::{Binary, Interpolation, Op, PadMode, Reduction, Unary};

use super::*;

/// The graph of `operator` on `x` with a list as an attribute, and of the same with the list as an input.
fn both(operator: &str, sizes: &[i64], opsets: [i64; 2], attribute: &str, values: &[i64]) -> [Graph; 2] {
    let old = Net::new(sizes).opset(opsets[0]).node_with("y", operator, &["x"], &[list(attribute, values)]).graph();
    let new = Net::new(sizes).opset(opsets[1]).ints(attribute, values).node("y", operator, &["x", attribute]).graph();
    [old, new]
}

#[test]
fn axes_are_attributes_or_inputs() {
    for graph in both("ReduceMean", &[4, 5, 6], [17, 18], "axes", &[-1, 2]) {
        assert_eq!(only(&graph), Op::Reduce { kind: Reduction::Mean, axes: vec![2, 3], keep_dims: true });
    }
    for graph in both("Squeeze", &[4, 1, 6], [11, 13], "axes", &[2]) {
        assert_eq!(only(&graph), Op::Reshape { shape: batched(&[4, 6]) });
    }
    for graph in both("Unsqueeze", &[4], [11, 13], "axes", &[1, -1]) {
        assert_eq!(only(&graph), Op::Reshape { shape: batched(&[1, 4, 1]) });
    }
}

#[test]
fn an_axis_is_inserted_once_wherever_it_is_counted_from() {
    for twice in [[1, 1], [1, -3]] {
        let error = Net::new(&[4]).opset(13).ints("axes", &twice).node("y", "Unsqueeze", &["x", "axes"]).error();
        assert!(error.contains("name one of them twice"), "{error}");
    }
    let net = Net::new(&[4]).opset(13).ints("axes", &[1, 3]).node("y", "Unsqueeze", &["x", "axes"]);
    assert_eq!(only(&net.graph()), Op::Reshape { shape: batched(&[1, 4, 1]) }, "they need not be next to each other");
}

#[test]
fn pads_are_an_attribute_or_inputs_with_a_value_and_axes() {
    for graph in both("Pad", &[4, 5], [10, 11], "pads", &[0, 0, 1, 0, 0, -1]) {
        assert_eq!(only(&graph), Op::Pad { pads: vec![(0, 0), (0, 0), (1, -1)], mode: PadMode::Constant(0.0) });
    }
    let net = Net::new(&[4, 5]).opset(18).ints("pads", &[2, 1]).floats("value", &[], &[0.5]).ints("axes", &[-1]);
    let graph = net.node("y", "Pad", &["x", "pads", "value", "axes"]).graph();
    assert_eq!(only(&graph), Op::Pad { pads: vec![(0, 0), (0, 0), (2, 1)], mode: PadMode::Constant(0.5) });
    let modes = [("reflect", PadMode::Reflect), ("edge", PadMode::Replicate), ("wrap", PadMode::Circular)];
    for (name, mode) in modes {
        let net = Net::new(&[4, 5]).opset(19).ints("pads", &[0, 0, 1, 0, 0, 1]);
        let graph = net.node_with("y", "Pad", &["x", "pads"], &[text("mode", name)]).graph();
        assert_eq!(only(&graph), Op::Pad { pads: vec![(0, 0), (0, 0), (1, 1)], mode });
    }
}

#[test]
fn clip_has_its_bounds_as_attributes_or_inputs() {
    let relu6 = Op::Unary(Unary::Clamp(Some(0.0), Some(6.0)));
    let old = Net::new(&[4]).opset(10).node_with("y", "Clip", &["x"], &[float("min", 0.0), float("max", 6.0)]);
    assert_eq!(only(&old.graph()), relu6);
    let net = || Net::new(&[4]).floats("low", &[], &[0.0]).floats("high", &[], &[6.0]);
    assert_eq!(only(&net().node("y", "Clip", &["x", "low", "high"]).graph()), relu6);
    let upper = net().node("y", "Clip", &["x", "", "high"]).graph();
    assert_eq!(only(&upper), Op::Unary(Unary::Clamp(None, Some(6.0))));
    assert_eq!(only(&net().node("y", "Clip", &["x", "low"]).graph()), Op::Unary(Unary::Relu));
}

#[test]
fn a_split_says_its_parts_or_their_number_or_neither() {
    let split = |attributes: &[AttributeProto], inputs: &[&str], outputs: &[&str]| {
        let net = Net::new(&[7]).opset(18).ints("sizes", &[3, 4]);
        let graph = net.push(node("y", "Split", inputs, outputs, attributes)).graph();
        match only(&graph) {
            Op::Split { axis: 1, sizes } => sizes,
            other => panic!("{other:?}"),
        }
    };
    let axis = int("axis", 1);
    assert_eq!(split(&[axis.clone(), list("split", &[5, 2])], &["x"], &["a", "b"]), [5, 2]);
    assert_eq!(split(std::slice::from_ref(&axis), &["x", "sizes"], &["a", "b"]), [3, 4]);
    assert_eq!(split(&[axis.clone(), int("num_outputs", 3)], &["x"], &["a", "b", "c"]), [3, 3, 1]);
    assert_eq!(split(&[axis], &["x"], &["a", "b"]), [4, 3]);
}

#[test]
fn a_slice_says_its_ranges_in_attributes_or_inputs() {
    let slice = Op::Slice { axis: 2, start: 1, end: 4, step: 1 };
    let old = [list("starts", &[1]), list("ends", &[-2]), list("axes", &[2])];
    assert_eq!(only(&Net::new(&[4, 6]).opset(9).node_with("y", "Slice", &["x"], &old).graph()), slice);
    let net = |start, end, step: i64| {
        let net =
            Net::new(&[4, 6]).ints("start", &[start]).ints("end", &[end]).ints("axis", &[-1]).ints("step", &[step]);
        net.node("y", "Slice", &["x", "start", "end", "axis", "step"]).graph()
    };
    assert_eq!(only(&net(1, -2, 1)), slice);
    assert_eq!(only(&net(0, i64::MAX, 2)), Op::Slice { axis: 2, start: 0, end: 5, step: 2 });
    assert_eq!(only(&net(-1, i64::MIN, -1)), Op::Gather { axis: 2, indices: vec![5, 4, 3, 2, 1, 0] });
    assert_eq!(net(0, 6, 1).nodes, []);
}

#[test]
fn softmax_flattened_its_axes_before_operator_set_13() {
    let softmax = |opset, attributes: &[AttributeProto]| {
        Net::new(&[4, 5]).opset(opset).node_with("y", "Softmax", &["x"], attributes).graph()
    };
    assert_eq!(only(&softmax(13, &[])), Op::Softmax { axis: 2, log: false });
    assert_eq!(only(&softmax(11, &[int("axis", 2)])), Op::Softmax { axis: 2, log: false });
    let flattened = softmax(11, &[]);
    let expected = [
        Op::Reshape { shape: batched(&[20]) },
        Op::Softmax { axis: 1, log: false },
        Op::Reshape { shape: batched(&[4, 5]) },
    ];
    assert_eq!(ops(&flattened), expected);
}

#[test]
fn a_stored_matrix_makes_a_linear_layer() {
    let net = || Net::new(&[4]).weight("w", &[4, 3]).weight("t", &[3, 4]).weight("b", &[3]);
    let gemm =
        |inputs: &[&str], attributes: &[AttributeProto]| net().node_with("y", "Gemm", inputs, attributes).graph();
    let (linear, transposed) = (Op::Linear { transposed: false }, Op::Linear { transposed: true });
    assert_eq!(only(&gemm(&["x", "t", "b"], &[int("transB", 1)])), linear);
    assert_eq!(only(&gemm(&["x", "w", "b"], &[])), transposed);
    let scaled = gemm(&["x", "w", "b"], &[float("alpha", 0.5), float("beta", 2.0)]);
    let (half, double) = (Op::Unary(Unary::MulScalar(0.5)), Op::Unary(Unary::MulScalar(2.0)));
    assert_eq!(ops(&scaled), [transposed.clone(), half, double, Op::Binary(Binary::Add)]);
    let product = net().node("p", "MatMul", &["x", "w"]).node("y", "Add", &["b", "p"]).graph();
    assert_eq!((only(&product), last_inputs(&product)), (transposed, vec!["x", "w", "b"]));
    let turned = net().node("turned", "Transpose", &["t"]).node("y", "MatMul", &["x", "turned"]).graph();
    assert_eq!((only(&turned), last_inputs(&turned)), (linear, vec!["x", "t"]));
}

#[test]
fn other_products_are_of_two_activations() {
    let graph = Net::new(&[4, 5]).node_with("t", "Transpose", &["x"], &[list("perm", &[0, 2, 1])]);
    assert_eq!(ops(&graph.node("y", "MatMul", &["t", "x"]).graph())[1..], [Op::MatMul]);
    let einsum = |equation| {
        let net = Net::new(&[2, 7, 3]).input("k", None, &[2, 5, 3]);
        net.node_with("y", "Einsum", &["x", "k"], &[text("equation", equation)]).graph()
    };
    let scores = einsum("bhqd, bhkd -> bhqk");
    assert_eq!(ops(&scores), [Op::Permute { order: vec![0, 1, 3, 2] }, Op::MatMul]);
    assert_eq!(sizes(&scores), [3, 2, 7, 5]);
    assert_eq!(sizes(&einsum("bhqd,bhkd->bqhk")), [3, 7, 2, 5]);
}

#[test]
fn numbers_become_part_of_the_operation() {
    let net = |operator, inputs: &[&str]| {
        let net = Net::new(&[4]).floats("two", &[], &[2.0]).floats("one_axis", &[1], &[2.0]);
        net.push(node("c", "Constant", &[], &["c"], &[tensor("value", floats("", &[1], &[2.0]))]))
            .node("y", operator, inputs)
            .graph()
    };
    assert_eq!(only(&net("Mul", &["x", "two"])), Op::Unary(Unary::MulScalar(2.0)));
    assert_eq!(only(&net("Add", &["c", "x"])), Op::Unary(Unary::AddScalar(2.0)));
    assert_eq!(only(&net("Div", &["x", "two"])), Op::Unary(Unary::MulScalar(0.5)));
    assert_eq!(only(&net("Pow", &["x", "two"])), Op::Unary(Unary::PowScalar(2.0)));
    assert_eq!(only(&net("Max", &["x", "two"])), Op::Unary(Unary::Clamp(Some(2.0), None)));
    assert_eq!(ops(&net("Sub", &["two", "x"])), [Op::Unary(Unary::Neg), Op::Unary(Unary::AddScalar(2.0))]);
    // An initializer with an axis can be learned.
    assert_eq!(only(&net("Mul", &["x", "one_axis"])), Op::Binary(Binary::Mul));
}

#[test]
fn a_resize_says_sizes_or_scales() {
    let sizes_input = [1, 4, 10, 10];
    let resize = |attributes: &[AttributeProto], scales: &[f32], sizes: &[i64]| {
        let net = Net::new(&[4, 5, 5]).floats("scales", &[scales.len() as i64], scales).ints("sizes", sizes);
        let inputs = if sizes.is_empty() { vec!["x", "", "scales"] } else { vec!["x", "", "", "sizes"] };
        net.node_with("y", "Resize", &inputs, attributes).read()
    };
    let floor = [text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")];
    let nearest = Op::Resize { mode: Interpolation::Nearest, output: vec![10, 10] };
    assert_eq!(only(&resize(&floor, &[1.0, 1.0, 2.0, 2.0], &[]).unwrap().graph), nearest);
    // The default coordinates are others, but the same entries.
    assert_eq!(only(&resize(&[], &[1.0, 1.0, 2.0, 2.0], &[]).unwrap().graph), nearest);
    let odd = resize(&[], &[1.0, 1.0, 1.0, 0.6], &[]).unwrap().graph;
    assert_eq!(only(&odd), Op::Gather { axis: 3, indices: vec![0, 2, 4] });
    let linear = Op::Resize { mode: Interpolation::Linear { align_corners: false }, output: vec![10, 10] };
    assert_eq!(only(&resize(&[text("mode", "linear")], &[1.0, 1.0, 2.0, 2.0], &[]).unwrap().graph), linear);
    let by_sizes = Net::new(&[4, 5, 5]).input("x", Some(1), &[4, 5, 5]).ints("sizes", &sizes_input);
    let by_sizes = by_sizes.node_with("y", "Resize", &["x", "", "", "sizes"], &floor).graph();
    assert_eq!(only(&by_sizes), nearest);
}

#[test]
fn other_interpolation_is_a_product_along_each_axis() {
    let resize = |attributes: &[AttributeProto], scale: f32| {
        let net = Net::new(&[1, 4]).floats("scales", &[3], &[1.0, 1.0, scale]);
        net.node_with("y", "Resize", &["x", "", "scales"], attributes).read().unwrap()
    };
    let cubic = resize(&[text("mode", "cubic")], 2.0);
    assert_eq!(only(&cubic.graph), Op::Linear { transposed: false });
    let weights = entries(&cubic, "y.constant").to_f32().unwrap();
    // The border is repeated to the left of the first entry; every row sums to one.
    let near = |found: &[f32], wanted: [f32; 4]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&weights[..4], [1.105_468_8, -0.105_468_75, 0.0, 0.0]), "{weights:?}");
    assert!(near(&weights[12..16], [-0.105_468_75, 0.878_906_25, 0.261_718_75, -0.035_156_25]), "{weights:?}");
    assert!(weights.chunks(4).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    let linear = resize(&[text("mode", "linear"), text("coordinate_transformation_mode", "asymmetric")], 1.6);
    let weights = entries(&linear, "y.constant").to_f32().unwrap();
    assert!(near(&weights[4..8], [0.375, 0.625, 0.0, 0.0]), "{weights:?}");
}

#[test]
fn blocks_are_moved_by_views_and_a_permutation() {
    let moved = |operator, mode: &str, sizes: &[i64]| {
        let net = Net::new(sizes).node_with("y", operator, &["x"], &[int("blocksize", 2), text("mode", mode)]);
        let graph = net.graph();
        let Op::Permute { order } = &graph.nodes[1].op else { panic!("{:?}", graph.nodes) };
        (order.clone(), super::sizes(&graph))
    };
    assert_eq!(moved("DepthToSpace", "DCR", &[8, 3, 5]), (vec![0, 3, 4, 1, 5, 2], vec![3, 2, 6, 10]));
    assert_eq!(moved("DepthToSpace", "CRD", &[8, 3, 5]), (vec![0, 1, 4, 2, 5, 3], vec![3, 2, 6, 10]));
    assert_eq!(moved("SpaceToDepth", "", &[2, 6, 10]), (vec![0, 3, 5, 1, 2, 4], vec![3, 8, 3, 5]));
}

#[test]
fn a_gather_keeps_the_axes_of_its_indices() {
    let gather = |net: Net| net.node_with("y", "Gather", &["x", "i"], &[int("axis", 1)]).graph();
    let one = gather(Net::new(&[4, 5]).int("i", -1));
    assert_eq!(ops(&one), [Op::Slice { axis: 1, start: 3, end: 4, step: 1 }, Op::Reshape { shape: batched(&[5]) }]);
    let several = gather(Net::new(&[4, 5]).ints("i", &[2, 0, 2]));
    assert_eq!(only(&several), Op::Gather { axis: 1, indices: vec![2, 0, 2] });
}

#[test]
fn a_constant_condition_selects_by_products() {
    let mask = TensorProto {
        dims: vec![2],
        data_type: Some(DataType::Bool.into()),
        int32_data: vec![1, 0],
        ..TensorProto::default()
    };
    let net = Net::new(&[2]).push(node("m", "Constant", &[], &["m"], &[tensor("value", mask)]));
    let imported = net.floats("low", &[], &[f32::NEG_INFINITY]).node("y", "Where", &["m", "x", "low"]).read().unwrap();
    assert_eq!(ops(&imported.graph), [Op::Binary(Binary::Mul), Op::Binary(Binary::Add)]);
    assert_eq!(entries(&imported, "y.taken").to_f32().unwrap(), [1.0, 0.0]);
    assert_eq!(entries(&imported, "y.other").to_f32().unwrap(), [0.0, f32::NEG_INFINITY]);
}

#[test]
fn prelu_slopes_are_for_channels_or_for_all() {
    let prelu = |dims: &[i64]| Net::new(&[4, 3, 3]).weight("s", dims).node("y", "PRelu", &["x", "s"]).read();
    assert_eq!(ops(&prelu(&[4, 1, 1]).unwrap().graph).last(), Some(&Op::PRelu));
    assert_eq!(only(&prelu(&[1]).unwrap().graph), Op::PRelu);
    for dims in [&[4, 3, 3][..], &[3]] {
        assert_eq!(ops(&prelu(dims).unwrap().graph).last(), Some(&Op::Binary(Binary::Sub)));
    }
}

#[test]
fn places_along_several_axes_are_gathered_from_one() {
    let net = Net::new(&[2, 3]).push(node(
        "i",
        "Constant",
        &[],
        &["i"],
        &[tensor("value", ints("", &[3, 1, 2], &[1, 2, 0, 0, -1, 1]))],
    ));
    let net = net.node_with("t", "Transpose", &["x"], &[list("perm", &[1, 2, 0])]).node("y", "GatherND", &["t", "i"]);
    let graph = net.graph();
    assert!(ops(&graph).contains(&Op::Gather { axis: 0, indices: vec![5, 0, 4] }));
    assert_eq!(sizes(&graph), [3, 1, 3]);
}

#[test]
fn slices_of_activations_are_written_by_taking_them() {
    let net = Net::new(&[4]).ints("rows", &[0, 1]).push(node(
        "i",
        "Constant",
        &[],
        &["i"],
        &[tensor("value", ints("", &[2, 1], &[3, -4]))],
    ));
    let net = net.node("t", "Transpose", &["x"]).node("two", "Gather", &["t", "rows"]);
    let graph = net.node("y", "ScatterND", &["t", "i", "two"]).graph();
    let taken = Op::Gather { axis: 0, indices: vec![5, 1, 2, 4] };
    assert_eq!(ops(&graph)[2..], [Op::Cat { axis: 0 }, taken]);
}

#[test]
fn a_selection_by_size_is_an_activation() {
    let net = |threshold: f32| Net::new(&[4]).floats("t", &[], &[threshold]).node("above", "Greater", &["x", "t"]);
    let softplus = net(20.0).node("s", "Softplus", &["x"]).node("y", "Where", &["above", "x", "s"]).graph();
    assert_eq!(only(&softplus), Op::Unary(Unary::Softplus));
    let relu = net(0.0).node("y", "Where", &["above", "x", "t"]).graph();
    assert_eq!(only(&relu), Op::Unary(Unary::Relu));
    let other = net(1.0).node("s", "Softplus", &["x"]).node("y", "Where", &["above", "x", "s"]).graph();
    assert_eq!(ops(&other), [Op::Unary(Unary::Softplus), Op::Binary(Binary::Less), Op::Select]);
    let comparison = net(1.0).node("y", "Relu", &["above"]).graph();
    assert_eq!(ops(&comparison), [Op::Binary(Binary::Less), Op::Unary(Unary::Relu)]);
}

#[test]
fn truths_are_zeros_and_ones_that_casts_leave_alone() {
    let to = |kind: DataType| int("to", i64::from(kind as i32));
    let net = Net::new(&[4]).node("a", "LessOrEqual", &["x", "x"]).node("b", "Not", &["a"]);
    let graph = net.node_with("y", "Cast", &["b"], &[to(DataType::Float)]).graph();
    assert_eq!(ops(&graph), [Op::Binary(Binary::LessOrEqual), Op::Unary(Unary::Neg), Op::Unary(Unary::AddScalar(1.0))]);
    let graph = Net::new(&[4]).node_with("y", "Cast", &["x"], &[to(DataType::Bool)]).graph();
    assert_eq!(ops(&graph)[0], Op::Binary(Binary::Equal));
    let net = Net::new(&[4]).floats("t", &[], &[0.5]).node("a", "Greater", &["x", "t"]);
    let net = net.node_with("b", "Cast", &["a"], &[to(DataType::Bool)]);
    let graph = net.node_with("y", "Cast", &["b"], &[to(DataType::Int64)]).graph();
    assert_eq!(ops(&graph), [Op::Binary(Binary::Less)]);
}

#[test]
fn an_equation_with_a_stored_matrix_is_a_linear_layer() {
    let equation = |equation: &str, dims: &[i64]| {
        Net::new(&[4, 3, 3]).weight("w", dims).node_with("y", "Einsum", &["x", "w"], &[text("equation", equation)])
    };
    let linear = |graph: &Graph| ops(graph).into_iter().find(|op| matches!(op, Op::Linear { .. }));
    let graph = equation("nchw,oc->nohw", &[5, 4]).graph();
    assert_eq!((linear(&graph), sizes(&graph)), (Some(Op::Linear { transposed: false }), vec![3, 5, 3, 3]));
    let graph = equation("nchw,co->nohw", &[4, 5]).graph();
    assert_eq!((linear(&graph), sizes(&graph)), (Some(Op::Linear { transposed: true }), vec![3, 5, 3, 3]));
    let error = equation("ncww,oc->now", &[5, 4]).error();
    assert!(error.contains("takes a diagonal along `w`"), "{error}");
}

#[test]
fn a_local_response_norm_is_an_average_over_neighbouring_channels() {
    let graph = Net::new(&[6, 3, 4]).node_with("y", "LRN", &["x"], &[int("size", 4), float("beta", 0.5)]).graph();
    let pool = graph.nodes.iter().find_map(|n| if let Op::Pool(pool) = &n.op { Some(pool) } else { None }).unwrap();
    assert_eq!((&pool.kernel[..], &pool.padding[..]), (&[4, 1][..], &[(1, 2), (0, 0)][..]));
    assert_eq!(graph.shape(graph.nodes[1].outputs[0]), &batched(&[1, 6, 12]));
    assert_eq!(graph.nodes.last().unwrap().op, Op::Binary(Binary::Div));
}

#[test]
fn a_sum_of_exponentials_does_not_overflow() {
    let graph = Net::new(&[6]).node_with("y", "ReduceLogSumExp", &["x"], &[list("axes", &[1])]).graph();
    let reduce = |kind| Op::Reduce { kind, axes: vec![1], keep_dims: true };
    let (sub, exp) = (Op::Binary(Binary::Sub), Op::Unary(Unary::Exp));
    assert_eq!(ops(&graph)[..4], [reduce(Reduction::Max), sub, exp, reduce(Reduction::Sum)]);
    assert_eq!(sizes(&graph), [3, 1]);
}
