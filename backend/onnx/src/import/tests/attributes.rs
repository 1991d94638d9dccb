//! Attributes of layers.

use eagleeye_graph::{Conv, Op, Pool, PoolKind};

use super::*;

fn conv(attributes: &[AttributeProto]) -> Graph {
    Net::new(&[4, 9, 10]).weight("w", &[6, 4, 3, 3]).node_with("y", "Conv", &["x", "w"], attributes).graph()
}

fn padding(graph: &Graph) -> Vec<(usize, usize)> {
    match &graph.nodes[0].op {
        Op::Conv(Conv { padding, .. }) | Op::Pool(Pool { padding, .. }) => padding.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_convolution_takes_all_of_its_attributes() {
    let net = Net::new(&[4, 9, 10]).weight("w", &[6, 2, 3, 2]).weight("b", &[6]);
    let attributes = [
        list("strides", &[2, 1]),
        list("dilations", &[1, 2]),
        list("pads", &[0, 1, 2, 3]),
        list("kernel_shape", &[3, 2]),
        int("group", 2),
    ];
    let graph = net.node_with("y", "Conv", &["x", "w", "b"], &attributes).graph();
    let expected =
        Conv { stride: vec![2, 1], padding: vec![(0, 2), (1, 3)], dilation: vec![1, 2], groups: 2, transposed: None };
    assert_eq!(only(&graph), Op::Conv(expected));
    assert_eq!(last_inputs(&graph), ["x", "w", "b"]);
    assert_eq!(sizes(&graph), [3, 6, 5, 12]);
}

#[test]
fn automatic_padding_is_computed_from_the_input() {
    let same = |rule| conv(&[text("auto_pad", rule), list("strides", &[2, 2])]);
    assert_eq!(padding(&same("SAME_UPPER")), [(1, 1), (0, 1)]);
    assert_eq!(padding(&same("SAME_LOWER")), [(1, 1), (1, 0)]);
    assert_eq!(sizes(&same("SAME_UPPER")), [3, 6, 5, 5]);
    assert_eq!(padding(&conv(&[text("auto_pad", "VALID")])), [(0, 0), (0, 0)]);
}

#[test]
fn a_kernel_that_is_not_the_weights_is_refused() {
    let net = Net::new(&[4, 9, 9]).weight("w", &[6, 4, 3, 3]);
    let error = net.node_with("y", "Conv", &["x", "w"], &[list("kernel_shape", &[5, 5])]).error();
    assert_eq!(error, "Conv at `y`: kernel_shape is [5, 5], but the weight's kernel is [3, 3]");
}

#[test]
fn channels_that_do_not_fit_are_refused_with_the_node() {
    let error = Net::new(&[5, 9, 9]).weight("w", &[6, 4, 3, 3]).node("features.0", "Conv", &["x", "w"]).error();
    assert!(error.contains("conv2d at node `features.0`: expects 4 channels, but its input has 5"), "{error}");
}

fn transposed(attributes: &[AttributeProto]) -> Graph {
    let net = Net::new(&[4, 5, 5]).weight("w", &[4, 3, 3, 3]);
    net.node_with("y", "ConvTranspose", &["x", "w"], &[&[list("strides", &[2, 2])], attributes].concat()).graph()
}

#[test]
fn a_transposed_convolution_states_its_padding_or_its_output() {
    let stated = transposed(&[list("pads", &[1, 1, 1, 1]), list("output_padding", &[1, 1])]);
    assert_eq!((padding(&stated), sizes(&stated)), (vec![(1, 1), (1, 1)], vec![3, 3, 10, 10]));
    let by_output = transposed(&[list("output_shape", &[10, 8])]);
    assert_eq!((padding(&by_output), sizes(&by_output)), (vec![(1, 0), (2, 1)], vec![3, 3, 10, 8]));
    let same = transposed(&[text("auto_pad", "SAME_UPPER")]);
    assert_eq!((padding(&same), sizes(&same)), (vec![(0, 1), (0, 1)], vec![3, 3, 10, 10]));
}

#[test]
fn pooling_takes_all_of_its_attributes() {
    let attributes =
        [list("kernel_shape", &[3, 2]), list("strides", &[2, 2]), list("pads", &[1, 0, 1, 1]), int("ceil_mode", 1)];
    let max = Net::new(&[4, 9, 9]).node_with("y", "MaxPool", &["x"], &attributes).graph();
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: vec![3, 2],
        stride: vec![2, 2],
        padding: vec![(1, 1), (0, 1)],
        dilation: vec![1, 1],
        ceil: true,
    };
    assert_eq!(only(&max), Op::Pool(pool.clone()));
    let attributes = [&attributes[..], &[int("count_include_pad", 1)]].concat();
    let average = Net::new(&[4, 9, 9]).node_with("y", "AveragePool", &["x"], &attributes).graph();
    assert_eq!(only(&average), Op::Pool(Pool { kind: PoolKind::Average { count_include_pad: true }, ..pool }));
    let global = Net::new(&[4, 9, 9]).node("y", "GlobalAveragePool", &["x"]).graph();
    assert_eq!(only(&global), Op::AdaptivePool { max: false, output: vec![1, 1] });
}

#[test]
fn the_indices_of_a_max_pooling_are_not_computed() {
    let pool = node("pool", "MaxPool", &["x"], &["y", "indices"], &[list("kernel_shape", &[2, 2])]);
    assert!(Net::new(&[4, 8, 8]).push(pool.clone()).outputs(&["y"]).read().is_ok());
    let error = Net::new(&[4, 8, 8]).push(pool).node("z", "Relu", &["indices"]).error();
    assert_eq!(error, "unsupported operators: MaxPool at `pool` (output 1 is used, but it is not computed)");
}

#[test]
fn norms_take_their_epsilon_and_axes() {
    let norm = |operator, count: usize, attributes: &[AttributeProto]| {
        let names: Vec<String> = (0..count).map(|i| format!("p{i}")).collect();
        let net = names.iter().fold(Net::new(&[6, 5, 5]), |net, name| net.weight(name, &[6]));
        let inputs: Vec<&str> = ["x"].into_iter().chain(names.iter().map(String::as_str)).collect();
        only(&net.node_with("y", operator, &inputs, attributes).graph())
    };
    let epsilon = 0.001;
    let stated = [float("epsilon", 0.001)];
    assert_eq!(norm("BatchNormalization", 4, &stated), Op::BatchNorm { epsilon });
    assert_eq!(norm("BatchNormalization", 4, &[]), Op::BatchNorm { epsilon: 1e-5 });
    assert_eq!(norm("InstanceNormalization", 2, &stated), Op::GroupNorm { groups: 6, epsilon });
    let net = Net::new(&[6, 4, 5]).weight("g", &[4, 5]).weight("b", &[4, 5]);
    let graph =
        net.node_with("y", "LayerNormalization", &["x", "g", "b"], &[int("axis", 2), stated[0].clone()]).graph();
    assert_eq!(only(&graph), Op::LayerNorm { axes: 2, epsilon });
}

#[test]
fn group_norm_had_its_affine_by_group_before_operator_set_21() {
    let net = |opset, size| {
        let net = Net::new(&[6, 4, 4]).opset(opset).weight("g", &[size]).weight("b", &[size]);
        net.node_with("y", "GroupNormalization", &["x", "g", "b"], &[int("num_groups", 2)]).graph()
    };
    assert_eq!(only(&net(21, 6)), Op::GroupNorm { groups: 2, epsilon: 1e-5 });
    let repeated = Op::Gather { axis: 0, indices: vec![0, 0, 0, 1, 1, 1] };
    assert_eq!(ops(&net(18, 2)), [repeated.clone(), repeated, Op::GroupNorm { groups: 2, epsilon: 1e-5 }]);
}

#[test]
fn a_batch_norm_in_training_mode_is_refused() {
    let net = ["a", "b", "c", "d"].iter().fold(Net::new(&[6, 5, 5]), |net, name| net.weight(name, &[6]));
    let error =
        net.node_with("y", "BatchNormalization", &["x", "a", "b", "c", "d"], &[int("training_mode", 1)]).error();
    assert_eq!(
        error,
        "the file was exported in training mode: BatchNormalization at `y` behaves as in training; call model.eval() \
         and omit training= in torch.onnx.export"
    );
}
