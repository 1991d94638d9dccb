//! What is the same for all channels, written out for each: expansion acts as broadcasting does.

use eagleeye_graph::{Binary, Dim, Graph, Group, Op, Reduction, Unary, ValueId};

use crate::net::{Net, convolution};
use crate::oracle::{assert_prunes, groups};

fn prunable(graph: &Graph) -> Vec<(String, usize)> {
    assert_prunes(graph, 1).prunable().map(|g| (g.name.clone(), g.size)).collect()
}

fn named(sizes: &[(&str, usize)]) -> Vec<(String, usize)> {
    sizes.iter().map(|&(name, size)| (name.to_owned(), size)).collect()
}

fn group(graph: &Graph, name: &str) -> Group {
    groups(graph).groups.into_iter().find(|g| g.name == name).unwrap()
}

fn expand(net: &mut Net, x: ValueId, like: ValueId) -> ValueId {
    let shape = net.builder.shape(like).clone();
    net.push(Op::Expand { shape }, &[x])
}

fn sum_of_squares(net: &mut Net, x: ValueId, axis: usize) -> ValueId {
    let squares = net.push(Op::Unary(Unary::PowScalar(2.0)), &[x]);
    net.push(Op::Reduce { kind: Reduction::Sum, axes: vec![axis], keep_dims: true }, &[squares])
}

#[test]
fn an_attention_map_expanded_over_channels_locks_none_of_them() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.block(["a", "a_bn"], x, 6, 3, 1, 1);
    let map = net.mean(x, &[1], true);
    let map = net.sigmoid(map);
    let map = expand(&mut net, map, x);
    let x = net.mul(x, map);
    let x = net.conv("b", x, 4, 3, 1);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6), ("b", 4)]));
}

#[test]
fn an_embedding_divided_by_its_expanded_norm_can_be_pruned() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.flatten(x);
    let x = net.linear("embed", x, 6);
    let norm = sum_of_squares(&mut net, x, 1);
    let norm = net.push(Op::Unary(Unary::Sqrt), &[norm]);
    let norm = net.push(Op::Unary(Unary::Clamp(Some(1e-12), None)), &[norm]);
    let norm = expand(&mut net, norm, x);
    let x = net.push(Op::Binary(Binary::Div), &[x, norm]);
    let x = net.linear("head", x, 3);
    assert_eq!(prunable(&net.finish(&[x])), named(&[("embed", 6)]));
}

#[test]
fn one_number_for_an_image_expands_along_the_channels_wherever_they_are() {
    for last in [false, true] {
        let (mut net, x) = Net::image(3, 4);
        let x = net.conv("a", x, 6, 3, 1);
        let x = if last { net.permute(x, &[0, 2, 3, 1]) } else { x };
        let squares = net.push(Op::Unary(Unary::PowScalar(2.0)), &[x]);
        let all = Op::Reduce { kind: Reduction::Sum, axes: vec![1, 2, 3], keep_dims: true };
        let energy = net.push(all, &[squares]);
        let energy = net.push(Op::Unary(Unary::AddScalar(1.0)), &[energy]);
        let energy = expand(&mut net, energy, x);
        let inverse = net.push(Op::Unary(Unary::Reciprocal), &[energy]);
        let x = net.mul(inverse, x);
        let x = if last { net.permute(x, &[0, 3, 1, 2]) } else { x };
        assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6)]), "channels last: {last}");
    }
}

#[test]
fn a_gate_of_each_channel_expanded_over_positions_keeps_its_channels() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let gate = net.global_pool(x);
    let gate = net.biased("gate", gate, 6, 1, 1);
    let gate = net.sigmoid(gate);
    let gate = expand(&mut net, gate, x);
    let x = net.mul(x, gate);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6)]));
}

#[test]
fn a_parameter_of_positions_expanded_over_channels_belongs_to_none_of_them() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let position = net.parameter("position", &[1, 1, 4, 4]);
    let position = net.push(Op::Expand { shape: [1, 6, 4, 4].map(Dim::Fixed).to_vec() }, &[position]);
    let x = net.add(x, position);
    let graph = net.classifier(x, 3);
    let found: Vec<(String, usize)> = groups(&graph).prunable().map(|g| (g.name.clone(), g.size)).collect();
    assert_eq!(found, named(&[("a", 6)]));
}

#[test]
fn copies_of_a_layers_only_channel_lock_it_and_nothing_else() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let map = net.conv("map", x, 1, 3, 1);
    let map = expand(&mut net, map, x);
    let x = net.mul(x, map);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    assert!(group(&graph, "map").reason.unwrap().contains("expands this channel to all others"));
}

#[test]
fn a_sum_of_copies_keeps_as_many_as_there_are() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let map = net.mean(x, &[1], true);
    let copies = expand(&mut net, map, x);
    let sum = net.push(Op::Reduce { kind: Reduction::Sum, axes: vec![1], keep_dims: true }, &[copies]);
    let x = net.mul(x, copies);
    let x = net.add(x, sum);
    let reason = group(&net.classifier(x, 3), "a").reason.unwrap();
    assert!(reason.contains("sums copies"), "{reason}");
}

#[test]
fn copies_of_real_channels_behind_each_other_go_together() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 4, 3, 1);
    let x = net.push(Op::Gather { axis: 1, indices: (0..12).map(|i| i % 4).collect() }, &[x]);
    let x = net.conv("b", x, 5, 3, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4), ("b", 5)]));
    assert_eq!(group(&graph, "a").members[1].units[1], [1, 5, 9]);
}

#[test]
fn a_group_of_one_unit_is_locked_and_says_why() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.block(["a", "a_bn"], x, 6, 3, 1, 1);
    let pooled = net.mean(x, &[1], true);
    let map = net.conv("map", pooled, 1, 3, 1);
    let map = net.sigmoid(map);
    let x = net.mul(x, map);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    assert!(group(&graph, "map").reason.is_some());

    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 1, 3, 1);
    let x = net.conv("b", x, 4, 3, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("b", 4)]));
    assert!(group(&graph, "a").is_one_unit());
    assert_eq!(group(&graph, "a").reason.as_deref(), Some("it is a single channel, and one unit is always kept"));
}

#[test]
fn a_layer_whose_weight_depends_on_the_input_is_listed_with_the_reason() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let kernel = net.parameter("kernel", &[5, 6, 3, 3]);
    let fixed = net.builder.input("temperature", vec![Dim::Fixed(1)]).unwrap();
    let kernel = net.mul(kernel, fixed);
    let x = net.push(Op::Conv(convolution(3, 1, 1)), &[x, kernel]);
    let graph = net.classifier(x, 3);
    let computed = groups(&graph).groups.into_iter().find(|g| g.members.is_empty()).unwrap();
    assert_eq!((computed.size, computed.prunable), (5, false));
    assert_eq!(computed.name, "node3");
    assert_eq!(computed.reason.as_deref(), Some("`node3` is a convolution with a computed weight"));
    assert!(!group(&graph, "a").prunable);
}
