//! Which parameters a graph has, and what they are called.

use eagleeye_graph::ParameterKind;

use super::*;

fn parameters(graph: &Graph) -> Vec<(&str, ParameterKind)> {
    graph.parameters.iter().map(|p| (p.name.as_str(), p.kind)).collect()
}

#[test]
fn initializers_keep_their_names_and_statistics_are_buffers() {
    let net = Net::new(&[2, 3, 3]).weight("conv.weight", &[4, 2, 1, 1]).weight("unused", &[9]);
    let names = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"];
    let net = names.iter().fold(net, |net, name| net.weight(name, &[4])).node("c", "Conv", &["x", "conv.weight"]);
    let inputs: Vec<&str> = ["c"].into_iter().chain(names).collect();
    let graph = net.node("y", "BatchNormalization", &inputs).graph();
    let (learned, buffer) = (ParameterKind::Parameter, ParameterKind::Buffer);
    let expected =
        [("conv.weight", learned), (names[0], learned), (names[1], learned), (names[2], buffer), (names[3], buffer)];
    assert_eq!(parameters(&graph), expected);
}

#[test]
fn a_tensor_in_the_code_is_a_constant() {
    let mask = tensor("value", floats("", &[2], &[1.0, 0.0]));
    let net = Net::new(&[2]).push(node("mask", "Constant", &[], &["mask"], &[mask])).node("y", "Mul", &["x", "mask"]);
    assert_eq!(parameters(&net.graph()), [("mask", ParameterKind::Constant)]);
}

#[test]
fn weights_in_constant_nodes_are_learned_and_have_their_nodes_names() {
    let value = |dims: &[i64]| {
        let size = dims.iter().product::<i64>();
        [tensor("value", floats("", dims, &(0..size).map(|i| i as f32).collect::<Vec<_>>()))]
    };
    let constant = |net: Net, name: &str, dims: &[i64]| net.push(node(name, "Constant", &[], &[name], &value(dims)));
    let net = [("w", &[3, 3, 4, 2][..]), ("b", &[4]), ("mean", &[4]), ("fc", &[5, 4])]
        .into_iter()
        .fold(Net::new(&[2, 6, 6]), |net, (name, dims)| constant(net, name, dims));
    let turned = [list("perm", &[2, 3, 0, 1])];
    let net = net.node_with("kernel", "Transpose", &["w"], &turned).node("c", "Conv", &["x", "kernel", "b"]);
    let net = net.node("n", "BatchNormalization", &["c", "b", "b", "mean", "b"]).node("p", "GlobalAveragePool", &["n"]);
    let net = net.node("f", "Flatten", &["p"]).node_with("matrix", "Transpose", &["fc"], &[list("perm", &[1, 0])]);
    let graph = net.node("y", "MatMul", &["f", "matrix"]).graph();
    let (learned, buffer) = (ParameterKind::Parameter, ParameterKind::Buffer);
    let found = parameters(&graph);
    for (name, kind) in [("w", learned), ("mean", buffer), ("fc", learned)] {
        assert!(found.contains(&(name, kind)), "{name}: {found:?}");
    }
    assert!(found.iter().all(|(_, kind)| *kind != ParameterKind::Constant), "{found:?}");
}

#[test]
fn a_shared_weight_has_all_of_its_names() {
    let net = Net::new(&[4]).weight("first.weight", &[4, 4]).node("second.weight", "Identity", &["first.weight"]);
    let net = net.node("a", "MatMul", &["x", "first.weight"]).node("b", "MatMul", &["a", "second.weight"]);
    let graph = net.graph();
    assert_eq!(parameters(&graph), [("first.weight", ParameterKind::Parameter)]);
    assert_eq!(graph.parameters[0].aliases, ["second.weight"]);
}

/// Two layers whose biases an exporter stored once, because they are equal.
fn with_equal_biases(entry: f32) -> Net {
    let net = Net::new(&[4]).weight("w", &[4, 4]).weight("v", &[4, 4]).floats("first.bias", &[4], &[entry; 4]);
    let net = net.node("second.bias", "Identity", &["first.bias"]);
    net.node("a", "Gemm", &["x", "w", "first.bias"]).node("b", "Gemm", &["a", "v", "second.bias"])
}

#[test]
fn equal_tensors_that_an_exporter_stored_once_get_apart_again() {
    let imported = with_equal_biases(0.5).read().unwrap();
    let (learned, constant) = (ParameterKind::Parameter, ParameterKind::Constant);
    let expected = [("w", learned), ("first.bias", constant), ("v", learned), ("second.bias", constant)];
    assert_eq!(parameters(&imported.graph), expected);
    assert_eq!(entries(&imported, "second.bias").to_f32().unwrap(), [0.5; 4]);
}

#[test]
fn equal_tensors_that_change_nothing_are_left_out() {
    let learned = ParameterKind::Parameter;
    assert_eq!(parameters(&with_equal_biases(0.0).graph()), [("w", learned), ("v", learned)]);
    let net = Net::new(&[4]).floats("ones", &[4], &[1.0; 4]).floats("zeros", &[4], &[0.0; 4]);
    let net = net.node("a", "LayerNormalization", &["x", "ones", "zeros"]).node("b", "Relu", &["a"]);
    let net = net.node("c", "LayerNormalization", &["b", "ones", "zeros"]).node("d", "Mul", &["c", "ones"]);
    let graph = net.node("y", "Add", &["zeros", "d"]).graph();
    assert_eq!((graph.nodes.len(), parameters(&graph)), (3, vec![]));
}

#[test]
fn all_unsupported_operators_are_named_with_their_nodes() {
    let unknown = NodeProto { domain: Some("com.microsoft".into()), ..node("fused", "FusedConv", &["a"], &["b"], &[]) };
    let net = Net::new(&[4, 4, 4]).node("a", "NonMaxSuppression", &["x"]).push(unknown);
    let net = net.node_with("c", "Resize", &["x"], &[text("keep_aspect_ratio_policy", "not_larger")]).node(
        "d",
        "Det",
        &["b"],
    );
    assert_eq!(
        net.node("y", "Relu", &["d"]).error(),
        "unsupported operators: Det at `d`; NonMaxSuppression at `a`; Resize at `c` (keeping the aspect ratio); \
         com.microsoft::FusedConv at `fused` (an operator that ONNX Runtime inserts when it optimises a network; upload \
         the file from before the optimisation)"
    );
}

#[test]
fn nodes_without_a_name_are_called_by_their_output() {
    let graph = Net::new(&[4]).push(node("", "Relu", &["x"], &["activated"], &[])).graph();
    assert_eq!(graph.nodes[0].name, "activated");
}
