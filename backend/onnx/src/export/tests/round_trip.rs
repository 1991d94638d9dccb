//! Written files, read by the importer of this crate: the same network, with the same parameters.

use std::collections::BTreeMap;

use eagleeye_graph::{
    Binary, Conv, Dim, Graph, Interpolation, Op, PadMode, ParameterKind, Pool, PoolKind, Precision, Reduction,
    SampleMode, SamplePadding, TensorData, Unary, ValueId, macs,
};

use super::{Net, batched};
use crate::export::{ExportError, Opset, write_at};
use crate::{Imported, read};

fn written_and_read(graph: &Graph, weights: &[TensorData]) -> Imported {
    let imported = read_again(Opset::default(), graph, weights).unwrap();
    for opset in Opset::all() {
        match read_again(opset, graph, weights) {
            Ok(other) => assert_eq!(other.graph.operators(), imported.graph.operators(), "{opset:?}"),
            Err(ExportError::Operator { reason, .. }) => {
                assert!(opset < Opset::default() && reason.contains("came with operator set"), "{opset:?}: {reason}");
            }
            Err(error) => panic!("{opset:?}: {error}"),
        }
    }
    imported
}

fn read_again(opset: Opset, graph: &Graph, weights: &[TensorData]) -> Result<Imported, ExportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    let metadata = BTreeMap::from([("seed".to_owned(), "7".to_owned())]);
    std::fs::write(&path, write_at(opset, graph, weights, &Precision::default(), &metadata)?).unwrap();
    let imported = read(&path, None).unwrap();
    assert_eq!(imported.metadata, metadata);
    assert!(!imported.guessed_shape);
    Ok(imported)
}

fn shapes(graph: &Graph, values: &[ValueId]) -> Vec<Vec<Dim>> {
    values.iter().map(|&v| graph.shape(v).clone()).collect()
}

/// Every parameter is there with its entries; what is more is a constant that ONNX needed.
fn assert_same_parameters(read: &Imported, graph: &Graph, weights: &[TensorData]) {
    let expected: BTreeMap<_, _> = graph.parameters.iter().zip(weights).map(|(p, w)| (&p.name, w)).collect();
    let mut found = 0;
    for (parameter, data) in read.graph.parameters.iter().zip(&read.weights) {
        match expected.get(&parameter.name) {
            Some(&data_before) => assert_eq!(data, data_before, "{}", parameter.name),
            None => assert_eq!(parameter.kind, ParameterKind::Constant, "{}", parameter.name),
        }
        found += usize::from(expected.contains_key(&parameter.name));
    }
    assert_eq!(found, expected.len());
}

/// Writes and reads a network, and again what was read: operators, cost, shapes and parameters stay.
fn assert_survives(net: Net, outputs: &[ValueId]) {
    let (mut graph, mut weights) = net.finish(outputs);
    for _ in 0..2 {
        let read = assert_same_figures(&graph, &weights);
        assert_eq!(read.graph.operators(), graph.operators());
        (graph, weights) = (read.graph, read.weights);
    }
}

/// Writes and reads a network: cost, shapes and parameters stay.
fn assert_same_figures(graph: &Graph, weights: &[TensorData]) -> Imported {
    let read = written_and_read(graph, weights);
    assert_eq!(macs(&read.graph), macs(graph));
    assert_eq!(shapes(&read.graph, &read.graph.inputs), shapes(graph, &graph.inputs));
    assert_eq!(shapes(&read.graph, &read.graph.outputs), shapes(graph, &graph.outputs));
    assert_same_parameters(&read, graph, weights);
    read
}

fn convolution(kernel: usize, stride: usize, groups: usize) -> Conv {
    let padding = vec![(kernel / 2, kernel / 2); 2];
    Conv { stride: vec![stride; 2], padding, dilation: vec![1; 2], groups, transposed: None }
}

fn conv(net: &mut Net, name: &str, x: ValueId, out: usize, conv: Conv, bias: bool) -> ValueId {
    let channels = net.builder.shape(x)[1].sample();
    let shape = match conv.transposed {
        None => [out, channels / conv.groups, 3, 3],
        Some(_) => [channels, out / conv.groups, 3, 3],
    };
    let mut inputs = vec![x, net.parameter(&format!("{name}.weight"), &shape)];
    if bias {
        inputs.push(net.parameter(&format!("{name}.bias"), &[out]));
    }
    net.push(name, Op::Conv(conv), &inputs)
}

fn linear(net: &mut Net, name: &str, x: ValueId, out: usize) -> ValueId {
    let shape = net.builder.shape(x);
    let takes = shape[shape.len() - 1].sample();
    let weight = net.parameter(&format!("{name}.weight"), &[out, takes]);
    let bias = net.parameter(&format!("{name}.bias"), &[out]);
    net.push(name, Op::Linear { transposed: false }, &[x, weight, bias])
}

fn batch_norm(net: &mut Net, name: &str, x: ValueId) -> ValueId {
    let channels = [net.builder.shape(x)[1].sample()];
    let affine = ["weight", "bias", "running_mean", "running_var"];
    let inputs: Vec<ValueId> =
        std::iter::once(x).chain(affine.map(|part| net.parameter(&format!("{name}.{part}"), &channels))).collect();
    net.push(name, Op::BatchNorm { epsilon: 1e-3 }, &inputs)
}

#[test]
fn a_convolutional_network_survives() {
    let mut net = Net::new();
    let x = net.input("image", &[3, 16, 16]);
    let x = conv(&mut net, "conv1", x, 8, convolution(3, 2, 1), false);
    let x = batch_norm(&mut net, "bn1", x);
    let x = net.push("relu1", Op::Unary(Unary::Relu), &[x]);
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: vec![3, 2],
        stride: vec![2, 2],
        padding: vec![(1, 1), (0, 1)],
        dilation: vec![1, 1],
        ceil: false,
    };
    let x = net.push("pool1", Op::Pool(pool.clone()), &[x]);
    let y = conv(&mut net, "conv2", x, 8, convolution(3, 1, 8), true);
    let y = net.push("relu6", Op::Unary(Unary::Clamp(Some(0.0), Some(6.0))), &[y]);
    let gate = net.push("squeeze", Op::AdaptivePool { max: false, output: vec![1, 1] }, &[y]);
    let gate = net.push("gate", Op::Unary(Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }), &[gate]);
    let y = net.push("scale", Op::Binary(Binary::Mul), &[y, gate]);
    let x = net.push("residual", Op::Binary(Binary::Add), &[x, y]);
    let up = Conv { transposed: Some(vec![1, 1]), ..convolution(3, 2, 2) };
    let x = conv(&mut net, "up", x, 6, up, true);
    let average = Pool { kind: PoolKind::Average { count_include_pad: false }, ..pool };
    let x = net.push("average", Op::Pool(average), &[x]);
    let x = net.push(
        "resize",
        Op::Resize { mode: Interpolation::Linear { align_corners: false }, output: vec![9, 9] },
        &[x],
    );
    let x = net.push("mean", Op::Reduce { kind: Reduction::Mean, axes: vec![2, 3], keep_dims: false }, &[x]);
    let x = linear(&mut net, "fc", x, 5);
    assert_survives(net, &[x]);
}

#[test]
fn a_transformer_survives() {
    let mut net = Net::new();
    let image = net.input("image", &[4, 6, 6]);
    let x = net.push("tokens", Op::Reshape { shape: batched(&[4, 36]) }, &[image]);
    let x = net.push("last", Op::Permute { order: vec![0, 2, 1] }, &[x]);
    let token = net.parameter("class_token", &[1, 1, 4]);
    let token = net.push("token", Op::Expand { shape: batched(&[1, 4]) }, &[token]);
    let x = net.push("cat", Op::Cat { axis: 1 }, &[token, x]);
    let (weight, bias) = (net.parameter("ln.weight", &[4]), net.parameter("ln.bias", &[4]));
    let y = net.push("ln", Op::LayerNorm { axes: 1, epsilon: 1e-6 }, &[x, weight, bias]);
    let y = linear(&mut net, "qkv", y, 12);
    let parts = net.builder.node("split", Op::Split { axis: 2, sizes: vec![4, 4, 4] }, &[y]).unwrap();
    let key = net.push("key", Op::Permute { order: vec![0, 2, 1] }, &[parts[1]]);
    let scores = net.push("scores", Op::MatMul, &[parts[0], key]);
    let scores = net.push("scaled", Op::Unary(Unary::MulScalar(0.5)), &[scores]);
    let weights = net.push("weights", Op::Softmax { axis: 2, log: false }, &[scores]);
    let y = net.push("attended", Op::MatMul, &[weights, parts[2]]);
    let y = linear(&mut net, "proj", y, 4);
    let x = net.push("residual", Op::Binary(Binary::Add), &[x, y]);
    let y = linear(&mut net, "mlp", x, 8);
    let y = net.push("gelu", Op::Unary(Unary::Gelu { tanh: false }), &[y]);
    let y = net.push("first", Op::Slice { axis: 1, start: 0, end: 1, step: 1 }, &[y]);
    let y = net.push("flat", Op::Reshape { shape: batched(&[8]) }, &[y]);
    let y = net.push("probability", Op::Softmax { axis: 1, log: true }, &[y]);
    assert_survives(net, &[y]);
}

#[test]
fn operations_that_onnx_has_not_are_found_again_in_their_parts() {
    let functions = [
        Unary::Silu,
        Unary::Mish,
        Unary::HardSwish,
        Unary::Gelu { tanh: false },
        Unary::Gelu { tanh: true },
        Unary::Softplus,
        Unary::Selu,
        Unary::Elu(0.5),
        Unary::LeakyRelu(0.25),
        Unary::Erf,
        Unary::AddScalar(0.5),
        Unary::PowScalar(3.0),
        Unary::Sign,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::Sin,
        Unary::Cos,
        Unary::Tan,
        Unary::Asin,
        Unary::Acos,
        Unary::Atan,
        Unary::Sinh,
        Unary::Cosh,
        Unary::Asinh,
        Unary::Acosh,
        Unary::Atanh,
    ];
    for function in functions {
        let mut net = Net::new();
        let x = net.input("x", &[4, 6, 6]);
        let y = net.push("function", Op::Unary(function), &[x]);
        assert_survives(net, &[y]);
    }
}

#[test]
fn layouts_survive() {
    let operations = [
        Op::Slice { axis: 2, start: 1, end: 6, step: 2 },
        Op::Gather { axis: 1, indices: vec![3, 0, 0] },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (2, 0)], mode: PadMode::Constant(0.5) },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (2, 0)], mode: PadMode::Reflect },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (2, 0)], mode: PadMode::Replicate },
        Op::Roll { shifts: vec![(2, 2)] },
        Op::Reshape { shape: vec![Dim::Batch(4), Dim::Fixed(36)] },
        Op::Permute { order: vec![0, 2, 3, 1] },
        Op::Expand { shape: batched(&[4, 6, 6]) },
        Op::Resize { mode: Interpolation::Nearest, output: vec![12, 18] },
        Op::Resize { mode: Interpolation::Linear { align_corners: true }, output: vec![11, 5] },
        Op::Resize { mode: Interpolation::Cubic { align_corners: false }, output: vec![11, 5] },
        Op::Resize { mode: Interpolation::Cubic { align_corners: true }, output: vec![11, 5] },
        Op::Reduce { kind: Reduction::Product, axes: vec![2, 3], keep_dims: false },
        Op::Reduce { kind: Reduction::Sum, axes: vec![1], keep_dims: true },
        Op::Reduce { kind: Reduction::Max, axes: vec![2, 3], keep_dims: false },
        Op::AdaptivePool { max: true, output: vec![1, 1] },
    ];
    for op in operations {
        let mut net = Net::new();
        let sizes = if matches!(op, Op::Expand { .. }) { [4, 1, 6] } else { [4, 6, 6] };
        let x = net.input("x", &sizes);
        let y = net.push("op", op, &[x]);
        assert_survives(net, &[y]);
    }
}

#[test]
fn selections_and_samples_survive() {
    let mut net = Net::new();
    let (x, y) = (net.input("x", &[4, 6, 6]), net.parameter("y", &[4, 1, 1]));
    let small = net.push("small", Op::Binary(Binary::Less), &[x, y]);
    let chosen = net.push("chosen", Op::Select, &[small, x, y]);
    let same = net.push("same", Op::Binary(Binary::Equal), &[chosen, x]);
    assert_survives(net, &[same]);
    for (mode, padding, align_corners) in [
        (SampleMode::Linear, SamplePadding::Zeros, false),
        (SampleMode::Nearest, SamplePadding::Border, true),
        (SampleMode::Cubic, SamplePadding::Reflection, false),
    ] {
        let mut net = Net::new();
        let x = net.input("x", &[4, 6, 6]);
        let positions = net.push("positions", Op::Slice { axis: 1, start: 0, end: 2, step: 1 }, &[x]);
        let grid = net.push("grid", Op::Permute { order: vec![0, 2, 3, 1] }, &[positions]);
        let y = net.push("sampled", Op::GridSample { mode, padding, align_corners }, &[x, grid]);
        assert_survives(net, &[y]);
    }
}

#[test]
fn norms_without_affine_survive() {
    for groups in [1, 2, 4] {
        let mut net = Net::new();
        let x = net.input("x", &[4, 6, 6]);
        let y = net.push("norm", Op::GroupNorm { groups, epsilon: 1e-5 }, &[x]);
        assert_survives(net, &[y]);
    }
    let mut net = Net::new();
    let x = net.input("x", &[4, 6, 6]);
    let y = net.push("norm", Op::LayerNorm { axes: 3, epsilon: 1e-5 }, &[x]);
    assert_survives(net, &[y]);
}

#[test]
fn parameters_that_are_viewed_for_broadcasting_keep_their_names_and_shapes() {
    let mut net = Net::new();
    let x = net.input("x", &[4, 6, 6]);
    let slope = net.parameter("act.weight", &[4]);
    let x = net.push("act", Op::PRelu, &[x, slope]);
    let (weight, bias) = (net.parameter("norm.weight", &[4]), net.parameter("norm.bias", &[4]));
    let y = net.push("norm", Op::GroupNorm { groups: 2, epsilon: 1e-5 }, &[x, weight, bias]);
    let (graph, weights) = net.finish(&[y]);
    let operators = assert_same_figures(&graph, &weights).graph.operators();
    assert_eq!((operators["prelu"], operators["group_norm"]), (1, 1));
}
