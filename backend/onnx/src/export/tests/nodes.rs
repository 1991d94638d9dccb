//! The nodes that each operation becomes.

use eagleeye_graph::{Binary, Conv, Dim, Interpolation, Op, PadMode, Reduction, Unary};

use super::{Net, attribute, batched, floats, int64s, node, operators, single};
use crate::proto::GraphProto;

/// A network that is one operation on one input and parameters of the given shapes, named `p0`, `p1`, ...
fn with_parameters(sizes: &[usize], op: Op, parameters: &[&[usize]]) -> GraphProto {
    let mut net = Net::new();
    let mut inputs = vec![net.input("x", sizes)];
    for (i, shape) in parameters.iter().enumerate() {
        inputs.push(net.parameter(&format!("p{i}"), shape));
    }
    let y = net.push("op", op, &inputs);
    net.written(&[y])
}

#[test]
fn functions_of_one_element_are_operators_of_opset_17() {
    let cases: [(Unary, &[&str]); 25] = [
        (Unary::Relu, &["Relu"]),
        (Unary::Clamp(Some(0.0), Some(6.0)), &["Clip"]),
        (Unary::LeakyRelu(0.1), &["LeakyRelu"]),
        (Unary::Elu(1.0), &["Elu"]),
        (Unary::Selu, &["Selu"]),
        (Unary::Sigmoid, &["Sigmoid"]),
        (Unary::HardSigmoid { alpha: 0.2, beta: 0.5 }, &["HardSigmoid"]),
        (Unary::HardSwish, &["HardSwish"]),
        (Unary::Silu, &["Sigmoid", "Mul"]),
        (Unary::Gelu { tanh: false }, &["Div", "Erf", "Add", "Mul", "Mul"]),
        (Unary::Gelu { tanh: true }, &["Pow", "Mul", "Add", "Mul", "Tanh", "Add", "Mul", "Mul"]),
        (Unary::Mish, &["Softplus", "Tanh", "Mul"]),
        (Unary::Softplus, &["Softplus"]),
        (Unary::Tanh, &["Tanh"]),
        (Unary::Erf, &["Erf"]),
        (Unary::Exp, &["Exp"]),
        (Unary::Log, &["Log"]),
        (Unary::Sqrt, &["Sqrt"]),
        (Unary::Neg, &["Neg"]),
        (Unary::Abs, &["Abs"]),
        (Unary::Reciprocal, &["Reciprocal"]),
        (Unary::AddScalar(1.0), &["Add"]),
        (Unary::MulScalar(2.0), &["Mul"]),
        (Unary::PowScalar(-0.5), &["Pow"]),
        // Nothing to do, but an output of the network has to be made by a node.
        (Unary::Clamp(None, None), &["Identity"]),
    ];
    for (function, expected) in cases {
        let graph = single(&[3, 4], Op::Unary(function));
        assert_eq!(operators(&graph), expected, "{function:?}");
        assert_eq!(graph.output[0].name(), graph.node[graph.node.len() - 1].output[0]);
    }
}

#[test]
fn a_clamp_with_one_bound_leaves_the_other_out() {
    let graph = single(&[3], Op::Unary(Unary::Clamp(None, Some(6.0))));
    let clip = node(&graph, "Clip");
    assert_eq!((clip.input[1].as_str(), floats(&graph, clip, 2)), ("", vec![6.0]));
}

#[test]
fn functions_of_two_tensors_are_one_operator() {
    let functions =
        [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min, Binary::Pow].map(|function| {
            let graph = with_parameters(&[3, 4], Op::Binary(function), &[&[3, 1]]);
            operators(&graph)[0].to_owned()
        });
    assert_eq!(functions, ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]);
    let comparisons = [Binary::Less, Binary::LessOrEqual, Binary::Equal].map(|function| {
        let graph = with_parameters(&[3, 4], Op::Binary(function), &[&[3, 1]]);
        operators(&graph).into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(comparisons, [["Less", "Cast"], ["LessOrEqual", "Cast"], ["Equal", "Cast"]]);
}

#[test]
fn a_convolution_lists_the_pads_before_all_axes_first() {
    let conv =
        Conv { stride: vec![2, 1], padding: vec![(0, 1), (2, 3)], dilation: vec![1, 2], groups: 2, transposed: None };
    let graph = with_parameters(&[4, 9, 9], Op::Conv(conv), &[&[6, 2, 3, 5], &[6]]);
    let conv = node(&graph, "Conv");
    assert_eq!(conv.input, ["x", "p0", "p1"]);
    assert_eq!(attribute(conv, "pads").ints, [0, 2, 1, 3]);
    assert_eq!(attribute(conv, "kernel_shape").ints, [3, 5]);
    assert_eq!(attribute(conv, "strides").ints, [2, 1]);
    assert_eq!(attribute(conv, "dilations").ints, [1, 2]);
    assert_eq!(attribute(conv, "group").i(), 2);
}

#[test]
fn a_transposed_convolution_has_its_output_padding() {
    let conv = Conv { stride: vec![2], padding: vec![(1, 1)], dilation: vec![1], groups: 1, transposed: Some(vec![1]) };
    let graph = with_parameters(&[4, 9], Op::Conv(conv), &[&[4, 6, 3]]);
    assert_eq!(attribute(node(&graph, "ConvTranspose"), "output_padding").ints, [1]);
}

#[test]
fn a_linear_layer_is_gemm_on_rank_2_and_a_product_otherwise_with_the_weight_as_stored() {
    let of = |sizes: &[usize], transposed| {
        let weight: &[usize] = if transposed { &[5, 7] } else { &[7, 5] };
        let graph = with_parameters(sizes, Op::Linear { transposed }, &[weight, &[7]]);
        assert_eq!(graph.initializer[0].dims, weight.iter().map(|&d| d as i64).collect::<Vec<_>>());
        graph
    };
    for transposed in [false, true] {
        let graph = of(&[5], transposed);
        assert_eq!(operators(&graph), ["Gemm"]);
        assert_eq!(attribute(node(&graph, "Gemm"), "transB").i(), i64::from(!transposed));
    }
    assert_eq!(operators(&of(&[4, 5], false)), ["Transpose", "MatMul", "Add"]);
    assert_eq!(operators(&of(&[4, 5], true)), ["MatMul", "Add"]);
}

#[test]
fn norms_without_affine_get_ones_and_zeros() {
    let graph = with_parameters(&[3, 4], Op::BatchNorm { epsilon: 0.5 }, &[&[3], &[3]]);
    let norm = node(&graph, "BatchNormalization");
    assert_eq!((floats(&graph, norm, 1), floats(&graph, norm, 2)), (vec![1.0; 3], vec![0.0; 3]));
    assert_eq!((&norm.input[3..], attribute(norm, "epsilon").f()), (&["p0".to_owned(), "p1".to_owned()][..], 0.5));

    let graph = single(&[3, 4], Op::LayerNorm { axes: 2, epsilon: 1e-5 });
    let norm = node(&graph, "LayerNormalization");
    assert_eq!((floats(&graph, norm, 1), attribute(norm, "axis").i()), (vec![1.0; 12], -2));
}

#[test]
fn a_group_norm_is_instance_norm_of_groups_then_scale_and_shift() {
    let graph = with_parameters(&[6, 4, 2], Op::GroupNorm { groups: 3, epsilon: 1e-5 }, &[&[6], &[6]]);
    assert_eq!(
        operators(&graph),
        ["Reshape", "InstanceNormalization", "Reshape", "Unsqueeze", "Mul", "Unsqueeze", "Add"]
    );
    assert_eq!(int64s(&graph, node(&graph, "Reshape"), 1), [-1, 3, 16]);
    assert_eq!(int64s(&graph, node(&graph, "Unsqueeze"), 1), [1, 2]);

    let graph = with_parameters(&[6, 4, 2], Op::GroupNorm { groups: 6, epsilon: 1e-5 }, &[&[6], &[6]]);
    assert_eq!(operators(&graph), ["InstanceNormalization"]);
    assert_eq!(node(&graph, "InstanceNormalization").input, ["x", "p0", "p1"]);
}

#[test]
fn a_slope_per_channel_is_aligned_with_the_channels() {
    assert_eq!(operators(&with_parameters(&[4, 5, 5], Op::PRelu, &[&[4]])), ["Unsqueeze", "PRelu"]);
    assert_eq!(operators(&with_parameters(&[4], Op::PRelu, &[&[4]])), ["PRelu"]);
    assert_eq!(operators(&with_parameters(&[4, 5, 5], Op::PRelu, &[&[1]])), ["PRelu"]);
}

#[test]
fn softmax_and_products_are_one_operator() {
    assert_eq!(operators(&single(&[3, 4], Op::Softmax { axis: 1, log: false })), ["Softmax"]);
    assert_eq!(operators(&single(&[3, 4], Op::Softmax { axis: 2, log: true })), ["LogSoftmax"]);
    let mut net = Net::new();
    let (a, b) = (net.input("a", &[3, 4]), net.input("b", &[4, 5]));
    let y = net.push("y", Op::MatMul, &[a, b]);
    assert_eq!(node(&net.written(&[y]), "MatMul").input, ["a", "b"]);
}

#[test]
fn reductions_take_their_axes_and_without_axes_do_nothing() {
    let reduce = |kind, axes: &[usize]| single(&[3, 4, 5], Op::Reduce { kind, axes: axes.to_vec(), keep_dims: true });
    for (kind, operator) in [
        (Reduction::Mean, "ReduceMean"),
        (Reduction::Max, "ReduceMax"),
        (Reduction::Min, "ReduceMin"),
        (Reduction::Product, "ReduceProd"),
    ] {
        assert_eq!(attribute(node(&reduce(kind, &[2, 3]), operator), "axes").ints, [2, 3]);
    }
    let graph = reduce(Reduction::Sum, &[2, 3]);
    let sum = node(&graph, "ReduceSum");
    assert_eq!((int64s(&graph, sum, 1), attribute(sum, "keepdims").i()), (vec![2, 3], 1));
    assert_eq!(operators(&reduce(Reduction::Mean, &[])), ["Identity"]);
}

#[test]
fn resizing_takes_sizes_and_leaves_no_rounding_to_the_runtime() {
    let resize = |mode, output: &[usize]| single(&[3, 4, 6], Op::Resize { mode, output: output.to_vec() });
    let graph = resize(Interpolation::Nearest, &[8, 3]);
    assert_eq!(operators(&graph), ["Shape", "Concat", "Resize"]);
    let mode = |graph: &GraphProto, name| attribute(node(graph, "Resize"), name).s().to_vec();
    assert_eq!(mode(&graph, "coordinate_transformation_mode"), b"asymmetric");
    assert_eq!(mode(&graph, "nearest_mode"), b"floor");
    let graph = resize(Interpolation::Linear { align_corners: true }, &[7, 9]);
    assert_eq!(mode(&graph, "coordinate_transformation_mode"), b"align_corners");
    let graph = resize(Interpolation::Linear { align_corners: false }, &[7, 9]);
    assert_eq!(mode(&graph, "coordinate_transformation_mode"), b"half_pixel");
    let graph = resize(Interpolation::Nearest, &[3, 6]);
    assert_eq!(operators(&graph), ["Gather"]);
    assert_eq!(int64s(&graph, node(&graph, "Gather"), 1), [0, 1, 2]);
}

#[test]
fn a_reshape_leaves_the_batch_to_the_runtime() {
    let graph = single(&[4, 6], Op::Reshape { shape: vec![Dim::Fixed(2), Dim::Batch(3), Dim::Fixed(4)] });
    assert_eq!(int64s(&graph, node(&graph, "Reshape"), 1), [2, -1, 4]);
}

#[test]
fn repeating_over_the_batch_computes_its_size_and_other_axes_need_none() {
    let mut net = Net::new();
    let x = net.input("x", &[3, 5]);
    let token = net.parameter("token", &[1, 5]);
    let windows = vec![Dim::Batch(2), Dim::Fixed(1), Dim::Fixed(5)];
    let a = net.push("a", Op::Expand { shape: batched(&[1, 5]) }, &[token]);
    let b = net.push("b", Op::Expand { shape: windows }, &[token]);
    let graph = net.written(&[a, b, x]);
    let expected = ["Shape", "Concat", "Expand", "Mul", "Concat", "Expand", "Identity"];
    assert_eq!(operators(&graph), expected);

    let graph = single(&[1, 5], Op::Expand { shape: batched(&[4, 5]) });
    assert_eq!(int64s(&graph, node(&graph, "Expand"), 1), [1, 4, 5]);
}

#[test]
fn what_only_moves_data_is_written_with_its_indices() {
    assert_eq!(
        attribute(node(&single(&[3, 4], Op::Permute { order: vec![0, 2, 1] }), "Transpose"), "perm").ints,
        [0, 2, 1]
    );
    let graph = single(&[7], Op::Split { axis: 1, sizes: vec![3, 4] });
    assert_eq!((int64s(&graph, node(&graph, "Split"), 1), graph.output.len()), (vec![3, 4], 2));
    assert_eq!(node(&graph, "Split").output, ["op.0", "op.1"]);
    let graph = single(&[9], Op::Slice { axis: 1, start: 1, end: 8, step: 3 });
    let numbers: Vec<i64> = (1..5).flat_map(|i| int64s(&graph, node(&graph, "Slice"), i)).collect();
    assert_eq!(numbers, [1, 8, 1, 3]);
    let graph = single(&[9], Op::Gather { axis: 1, indices: vec![8, 0, 0] });
    assert_eq!(int64s(&graph, node(&graph, "Gather"), 1), [8, 0, 0]);
    let mut net = Net::new();
    let x = net.input("x", &[3]);
    let y = net.push("y", Op::Cat { axis: 1 }, &[x, x]);
    assert_eq!(node(&net.written(&[y]), "Concat").input, ["x", "x"]);
}

#[test]
fn padding_pads_then_crops_and_goes_around_by_slices() {
    let pad = |mode, pads: (i64, i64)| single(&[2, 6], Op::Pad { pads: vec![(0, 0), (0, 0), pads], mode });
    let graph = pad(PadMode::Constant(0.5), (2, -1));
    assert_eq!(operators(&graph), ["Pad", "Slice"]);
    assert_eq!(int64s(&graph, node(&graph, "Pad"), 1), [0, 0, 2, 0, 0, 0]);
    let slice = node(&graph, "Slice");
    assert_eq!((int64s(&graph, slice, 1), int64s(&graph, slice, 2)), (vec![0], vec![7]));
    assert_eq!(attribute(node(&pad(PadMode::Reflect, (1, 1)), "Pad"), "mode").s(), b"reflect");
    assert_eq!(attribute(node(&pad(PadMode::Replicate, (1, 1)), "Pad"), "mode").s(), b"edge");
    assert_eq!(operators(&pad(PadMode::Circular, (1, 2))), ["Slice", "Slice", "Concat"]);
}

#[test]
fn a_roll_swaps_two_slices() {
    let graph = single(&[6, 7], Op::Roll { shifts: vec![(1, 6), (2, -3)] });
    assert_eq!(operators(&graph), ["Slice", "Slice", "Concat"]);
    assert_eq!(int64s(&graph, node(&graph, "Slice"), 1), [3]);
}
