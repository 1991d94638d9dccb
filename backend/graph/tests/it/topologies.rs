//! One small network for each way in which channels can hang together.

use eagleeye_graph::{Binary, Channels, Conv, Dim, Graph, Group, Op, PadMode, PlanError, Reduction, Role, plan};

use crate::net::{Net, convolution};
use crate::networks::{attention, channel_shuffle, vision_transformer};
use crate::oracle::{assert_prunes, groups};

/// Name and size of every prunable group.
fn prunable(graph: &Graph) -> Vec<(String, usize)> {
    assert_prunes(graph, 1).prunable().map(|g| (g.name.clone(), g.size)).collect()
}

fn named(sizes: &[(&str, usize)]) -> Vec<(String, usize)> {
    sizes.iter().map(|&(name, size)| (name.to_owned(), size)).collect()
}

fn group(graph: &Graph, name: &str) -> Group {
    groups(graph).groups.into_iter().find(|g| g.name == name).unwrap()
}

#[test]
fn layers_in_a_row_are_groups_of_their_own_and_the_classifier_is_locked() {
    let (mut net, x) = Net::image(3, 8);
    let x = net.block(["a", "a_bn"], x, 6, 3, 1, 1);
    let x = net.block(["b", "b_bn"], x, 4, 3, 2, 1);
    let graph = net.classifier(x, 5);
    assert_eq!(prunable(&graph), named(&[("a", 6), ("b", 4)]));
    let fc = group(&graph, "fc");
    assert_eq!((fc.prunable, fc.size), (false, 5));
    assert!(fc.reason.unwrap().starts_with("reaches the network's output"));
    let a = group(&graph, "a");
    let roles: Vec<(String, usize, Role)> =
        a.members.iter().map(|m| (graph.parameter(m.parameter).name.clone(), m.axis, m.role)).collect();
    let expected = [
        ("a.weight", 0, Role::Produces),
        ("a_bn.weight", 0, Role::Follows),
        ("a_bn.bias", 0, Role::Follows),
        ("a_bn.running_mean", 0, Role::Follows),
        ("a_bn.running_var", 0, Role::Follows),
        ("b.weight", 1, Role::Consumes),
    ];
    assert_eq!(roles, expected.map(|(name, axis, role)| (name.to_owned(), axis, role)));
}

#[test]
fn a_residual_makes_both_branches_one() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.block(["stem", "stem_bn"], x, 6, 3, 1, 1);
    let y = net.block(["inner", "inner_bn"], x, 4, 3, 1, 1);
    let y = net.conv("outer", y, 6, 3, 1);
    let x = net.add(x, y);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("stem", 6), ("inner", 4)]));
}

#[test]
fn a_residual_to_the_input_locks_the_branch() {
    let (mut net, x) = Net::image(3, 6);
    let y = net.conv("inner", x, 4, 3, 1);
    let y = net.conv("outer", y, 3, 3, 1);
    let x = net.add(x, y);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("inner", 4)]));
    let reason = group(&graph, "outer").reason.unwrap();
    assert!(reason.contains("the network's input `input`"), "{reason}");
}

#[test]
fn each_position_of_a_value_says_its_group_and_unit() {
    let (mut net, x) = Net::image(2, 6);
    let a = net.conv("a", x, 3, 3, 1);
    let b = net.conv("b", a, 2, 3, 1);
    let joined = net.cat(&[b, x, a]);
    let c = net.conv("c", joined, 5, 3, 1);
    let graph = net.classifier(c, 3);
    let groups = groups(&graph);
    let input = |weight: &str| {
        let is_weight = |&value: &_| graph.parameter_of(value).is_some_and(|p| graph.parameter(p).name == weight);
        graph.nodes.iter().find(|node| node.inputs.iter().any(is_weight)).unwrap().inputs[0]
    };
    let (first, second) = ([0, 1, 2].map(|unit| Some((0, unit))), [0, 1].map(|unit| Some((1, unit))));
    assert_eq!((groups.groups[0].name.as_str(), groups.groups[1].name.as_str()), ("a", "b"));
    let joined = [&second[..], &[None, None], &first[..]].concat();
    assert_eq!(groups.channels_of(input("c.weight")), Some(Channels { axis: 1, places: joined }));
    assert_eq!(groups.channels_of(input("a.weight")), None);
}

#[test]
fn cascaded_concatenations_keep_each_part_a_group() {
    let (mut net, x) = Net::image(3, 6);
    let a = net.conv("a", x, 4, 3, 1);
    let b = net.conv("b", a, 3, 3, 1);
    let ab = net.cat(&[a, b]);
    let c = net.conv("c", ab, 5, 3, 1);
    let abc = net.cat(&[ab, c]);
    let x = net.norm("norm", abc);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 4), ("b", 3), ("c", 5)]));
}

#[test]
fn concatenation_then_split_elsewhere_cuts_groups_where_the_split_is() {
    let (mut net, x) = Net::image(3, 6);
    let a = net.conv("a", x, 4, 3, 1);
    let b = net.conv("b", x, 4, 3, 1);
    let x = net.cat(&[a, b]);
    let parts = net.nodes(Op::Split { axis: 1, sizes: vec![2, 6] }, &[x]);
    let c = net.conv("c", parts[0], 3, 1, 1);
    let d = net.conv("d", parts[1], 3, 1, 1);
    let x = net.add(c, d);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 2), ("a (2)", 2), ("b", 4), ("c", 3)]));
}

#[test]
fn halves_of_a_split_that_are_added_are_one() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 8, 3, 1);
    let halves = net.nodes(Op::Split { axis: 1, sizes: vec![4, 4] }, &[x]);
    let gate = net.sigmoid(halves[1]);
    let x = net.mul(halves[0], gate);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4)]));
    assert_eq!(group(&graph, "a").members[0].units[1], [1, 5]);
}

#[test]
fn a_slice_that_no_layer_reads_alone_never_becomes_empty() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 8, 3, 1);
    let slice = net.push(Op::Slice { axis: 1, start: 1, end: 3, step: 1 }, &[x]);
    let gate = net.mean(slice, &[1], true);
    let x = net.mul(x, gate);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6), ("a (2)", 2)]));
}

#[test]
fn slices_and_gathers_take_the_channels_that_stay() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 9, 3, 1);
    let even = net.push(Op::Slice { axis: 1, start: 0, end: 9, step: 2 }, &[x]);
    let picked = net.push(Op::Gather { axis: 1, indices: vec![8, 0, 3, 3] }, &[x]);
    let even = net.conv("b", even, 4, 1, 1);
    let picked = net.conv("c", picked, 4, 1, 1);
    let x = net.add(even, picked);
    let graph = net.classifier(x, 3);
    for seed in 0..20 {
        assert_prunes(&graph, seed);
    }
}

#[test]
fn a_grouped_convolution_keeps_its_groups_equal() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.block(["a", "a_bn"], x, 8, 3, 1, 1);
    let x = net.grouped("g", x, 12, 3, 1, 4);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 2), ("g", 3)]));
    assert_eq!(group(&graph, "a").members[0].units[1], [1, 3, 5, 7]);
}

#[test]
fn a_depthwise_convolution_passes_channels_through_with_any_multiplier() {
    for multiplier in [1, 3] {
        let (mut net, x) = Net::image(3, 6);
        let x = net.block(["a", "a_bn"], x, 5, 1, 1, 1);
        let x = net.block(["d", "d_bn"], x, 5 * multiplier, 3, 1, 5);
        let x = net.conv("b", x, 4, 1, 1);
        let graph = net.classifier(x, 3);
        assert_eq!(prunable(&graph), named(&[("a", 5), ("b", 4)]));
        let depthwise = &group(&graph, "a").members[5];
        assert_eq!((depthwise.role, depthwise.units[1].len()), (Role::Follows, multiplier));
    }
}

#[test]
fn groups_with_one_channel_out_are_removed_whole() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 8, 1, 1);
    let x = net.grouped("g", x, 4, 3, 1, 4);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4)]));
}

#[test]
fn a_channel_shuffle_keeps_its_groups_equal() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 12, 3, 1);
    let x = channel_shuffle(&mut net, x, 3);
    let x = net.conv("b", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4), ("b", 4)]));
    assert_eq!(group(&graph, "a").members[0].units[1], [1, 5, 9]);
}

#[test]
fn a_pixel_shuffle_keeps_the_channels_of_a_position_together() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 12, 3, 1);
    let x = net.reshape(x, &[3, 2, 2, 4, 4]);
    let x = net.permute(x, &[0, 1, 4, 2, 5, 3]);
    let x = net.reshape(x, &[3, 8, 8]);
    let x = net.conv("b", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 3), ("b", 4)]));
    assert_eq!(group(&graph, "a").members[0].units[1], [4, 5, 6, 7]);
}

#[test]
fn a_pixel_unshuffle_repeats_each_channel() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 5, 3, 1);
    let x = net.reshape(x, &[5, 2, 2, 2, 2]);
    let x = net.permute(x, &[0, 3, 5, 1, 2, 4]);
    let x = net.reshape(x, &[20, 2, 2]);
    let x = net.conv("b", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 5), ("b", 4)]));
    assert_eq!(group(&graph, "a").members[1].units[1], [1, 6, 11, 16]);
}

#[test]
fn transposed_convolutions_have_their_axes_the_other_way_round() {
    for (groups, expected) in [(1, [("a", 6), ("up", 4)]), (2, [("a", 3), ("up", 2)])] {
        let (mut net, x) = Net::image(3, 4);
        let x = net.conv("a", x, 6, 3, 1);
        let x = net.transposed("up", x, 4, groups);
        let x = net.norm("bn", x);
        let graph = net.classifier(x, 3);
        assert_eq!(prunable(&graph), named(&expected));
    }
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let x = net.transposed("depthwise", x, 12, 6);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6)]));
}

#[test]
fn layers_that_share_a_weight_share_their_channels() {
    let (mut net, x) = Net::image(3, 6);
    let a = net.conv("a", x, 4, 3, 1);
    let b = net.conv("b", x, 4, 3, 1);
    let weight = net.parameter("shared.weight", &[5, 4, 3, 3]);
    let shared = Op::Conv(convolution(3, 1, 1));
    let a = net.push(shared.clone(), &[a, weight]);
    let b = net.push(shared, &[b, weight]);
    let x = net.cat(&[a, b]);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4), ("shared", 5)]));
    assert_eq!(group(&graph, "shared").members[1].units[2], [2, 7]);
}

#[test]
fn several_inputs_and_outputs_lock_what_reaches_them() {
    let mut net = Net::new();
    let left = net.input("left", &[3, 6, 6]);
    let right = net.input("right", &[2, 6, 6]);
    let a = net.conv("a", left, 4, 3, 1);
    let b = net.conv("b", right, 4, 3, 1);
    let x = net.add(a, b);
    let features = net.conv("features", x, 5, 3, 1);
    let y = net.global_pool(features);
    let y = net.flatten(y);
    let y = net.linear("fc", y, 3);
    let graph = net.finish(&[y, features]);
    assert_eq!(prunable(&graph), named(&[("a", 4)]));
    assert!(!group(&graph, "features").prunable && !group(&graph, "fc").prunable);
}

#[test]
fn parameters_that_no_node_reads_stay_as_they_are() {
    let (mut net, x) = Net::image(3, 6);
    net.parameter("unused", &[7]);
    let x = net.conv("a", x, 4, 3, 1);
    let graph = net.classifier(x, 3);
    assert_prunes(&graph, 3);
    let plan = plan(&graph, &groups(&graph), &[vec![1], vec![0, 1, 2]]).unwrap();
    assert!(plan.slices[0].is_empty());
    assert_eq!(plan.graph.parameters[0].shape, [7]);
    assert_eq!(plan.slices[1][&0], [1]);
}

#[test]
fn a_single_channel_that_gates_all_others_is_locked() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 6, 3, 1);
    let gate = net.conv("gate", x, 1, 1, 1);
    let gate = net.sigmoid(gate);
    let x = net.mul(x, gate);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    let reason = group(&graph, "gate").reason.unwrap();
    assert!(reason.contains("for all channels"), "{reason}");
}

#[test]
fn squeeze_and_excite_gates_belong_to_the_channels_that_they_gate() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.block(["a", "a_bn"], x, 6, 3, 1, 1);
    let gate = net.mean(x, &[2, 3], true);
    let gate = net.biased("squeeze", gate, 2, 1, 1);
    let gate = net.relu(gate);
    let gate = net.biased("excite", gate, 6, 1, 1);
    let gate = net.sigmoid(gate);
    let x = net.mul(gate, x);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6), ("squeeze", 2)]));
}

#[test]
fn spatial_attention_over_a_mean_of_channels_leaves_the_channels_free() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 6, 3, 1);
    let mean = net.mean(x, &[1], true);
    let max = net.push(Op::Reduce { kind: Reduction::Max, axes: vec![1], keep_dims: true }, &[x]);
    let gate = net.cat(&[mean, max]);
    let gate = net.conv("gate", gate, 1, 3, 1);
    let gate = net.sigmoid(gate);
    let x = net.mul(x, gate);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    assert!(group(&graph, "a").normalised_by.is_some());
}

#[test]
fn flattening_into_a_linear_gives_each_channel_its_positions() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 5, 3, 1);
    let x = net.flatten(x);
    let x = net.linear("b", x, 7);
    let x = net.linear("c", x, 3);
    let graph = net.finish(&[x]);
    assert_eq!(prunable(&graph), named(&[("a", 5), ("b", 7)]));
    let consumed = &group(&graph, "a").members[1];
    assert_eq!(consumed.units[1], (16..32).collect::<Vec<u32>>());
}

#[test]
fn channels_last_with_layer_norm_and_layer_scale() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.biased("stem", x, 6, 3, 1);
    let y = net.grouped("dw", x, 6, 3, 1, 6);
    let y = net.permute(y, &[0, 2, 3, 1]);
    let y = net.layer_norm("norm", y);
    let y = net.linear("up", y, 12);
    let y = net.relu(y);
    let y = net.linear("down", y, 6);
    let y = net.permute(y, &[0, 3, 1, 2]);
    let scale = net.parameter("layer_scale", &[6, 1, 1]);
    let y = net.mul(scale, y);
    let x = net.add(x, y);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("stem", 6), ("up", 12)]));
    let stem = group(&graph, "stem");
    assert_eq!(stem.normalised_by.as_deref().map(|by| by.contains("normalises")), Some(true));
    let scale = stem.members.iter().find(|m| graph.parameter(m.parameter).name == "layer_scale").unwrap();
    assert_eq!((scale.axis, scale.role), (0, Role::Follows));
}

#[test]
fn attention_keeps_its_heads_and_prunes_their_channels() {
    let mut net = Net::new();
    let x = net.input("tokens", &[5, 8]);
    let x = net.linear("embed", x, 12);
    let y = attention(&mut net, "attn", x, 3, false);
    let x = net.add(x, y);
    let x = net.mean(x, &[1], false);
    let x = net.linear("head", x, 2);
    let graph = net.finish(&[x]);
    assert_eq!(prunable(&graph), named(&[("embed", 12), ("attn.qkv", 4), ("attn.qkv (2)", 4)]));
    let queries = group(&graph, "attn.qkv");
    assert_eq!(queries.members[0].units[1], [1, 5, 9, 13, 17, 21]);
}

#[test]
fn vision_transformers_prune_with_their_class_token_and_position_embedding() {
    for packed in [true, false] {
        let graph = vision_transformer(2, 12, 3, packed);
        let groups = assert_prunes(&graph, 5);
        let stream = groups.groups.iter().find(|g| g.name == "conv_proj").unwrap();
        let axes: Vec<(&str, usize)> =
            stream.members.iter().map(|m| (graph.parameter(m.parameter).name.as_str(), m.axis)).collect();
        assert!(axes.contains(&("class_token", 2)) && axes.contains(&("pos_embedding", 2)), "{axes:?}");
    }
}

#[test]
fn a_relative_position_bias_leaves_the_heads_fixed() {
    let mut net = Net::new();
    let x = net.input("tokens", &[4, 8]);
    let q = net.linear("q", x, 8);
    let q = net.reshape(q, &[4, 2, 4]);
    let q = net.permute(q, &[0, 2, 1, 3]);
    let k = net.permute(q, &[0, 1, 3, 2]);
    let scores = net.push(Op::MatMul, &[q, k]);
    let table = net.parameter("table", &[7, 2]);
    let index: Vec<usize> = (0..16).map(|i| 3 + i / 4 - i % 4).collect();
    let bias = net.push(Op::Gather { axis: 0, indices: index }, &[table]);
    let bias = net.push(Op::Reshape { shape: vec![Dim::Fixed(4), Dim::Fixed(4), Dim::Fixed(2)] }, &[bias]);
    let bias = net.permute(bias, &[2, 0, 1]);
    let scores = net.add(scores, bias);
    let weights = net.push(Op::Softmax { axis: 3, log: false }, &[scores]);
    let y = net.push(Op::MatMul, &[weights, q]);
    let y = net.permute(y, &[0, 2, 1, 3]);
    let y = net.reshape(y, &[32]);
    let y = net.linear("head", y, 2);
    let graph = net.finish(&[y]);
    assert_eq!(prunable(&graph), named(&[("q", 4)]));
}

#[test]
fn padded_channels_follow_the_branch_that_they_are_added_to() {
    let (mut net, x) = Net::image(3, 6);
    let x = net.conv("a", x, 4, 3, 1);
    let y = net.conv("b", x, 8, 3, 2);
    let short = net.push(Op::Slice { axis: 2, start: 0, end: 6, step: 2 }, &[x]);
    let short = net.push(Op::Slice { axis: 3, start: 0, end: 6, step: 2 }, &[short]);
    let pads = vec![(0, 0), (2, 2), (0, 0), (0, 0)];
    let short = net.push(Op::Pad { pads, mode: PadMode::Constant(0.0) }, &[short]);
    let x = net.add(y, short);
    let graph = net.classifier(x, 3);
    for seed in 0..10 {
        assert_prunes(&graph, seed);
    }
    assert_eq!(prunable(&graph), named(&[("a", 4), ("b", 4)]));
}

#[test]
fn rolled_channels_keep_their_order() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 7, 3, 1);
    let x = net.push(Op::Roll { shifts: vec![(1, 3), (2, 1)] }, &[x]);
    let x = net.conv("b", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    for seed in 0..10 {
        assert_prunes(&graph, seed);
    }
    assert_eq!(prunable(&graph), named(&[("a", 7), ("b", 4)]));
}

#[test]
fn norms_over_groups_keep_the_groups_equal_and_instance_norms_do_not_care() {
    for (groups, size) in [(1, 6), (3, 2), (6, 6)] {
        let (mut net, x) = Net::image(3, 4);
        let x = net.conv("a", x, 6, 3, 1);
        let weight = net.parameter("norm.weight", &[6]);
        let x = net.push(Op::GroupNorm { groups, epsilon: 1e-5 }, &[x, weight]);
        let slope = net.parameter("slope", &[6]);
        let x = net.push(Op::PRelu, &[x, slope]);
        let graph = net.classifier(x, 3);
        assert_eq!(prunable(&graph), named(&[("a", size)]));
        assert_eq!(group(&graph, "a").normalised_by.is_none(), groups == 6);
    }
}

#[test]
fn a_linear_along_positions_lets_the_channels_pass() {
    let mut net = Net::new();
    let x = net.input("tokens", &[5, 8]);
    let x = net.linear("embed", x, 6);
    let y = net.permute(x, &[0, 2, 1]);
    let y = net.linear("mix", y, 5);
    let y = net.permute(y, &[0, 2, 1]);
    let x = net.add(x, y);
    let x = net.mean(x, &[1], false);
    let x = net.linear("head", x, 2);
    let graph = net.finish(&[x]);
    assert_eq!(prunable(&graph), named(&[("embed", 6)]));
    assert_eq!(group(&graph, "mix").reason.as_deref(), Some("`node3` mixes positions, not channels"));
}

#[test]
fn a_convolution_that_slides_over_channels_locks_them() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let gate = net.mean(x, &[2, 3], false);
    let gate = net.reshape(gate, &[1, 6]);
    let weight = net.parameter("eca.weight", &[1, 1, 3]);
    let conv = Conv { stride: vec![1], padding: vec![(1, 1)], dilation: vec![1], groups: 1, transposed: None };
    let gate = net.push(Op::Conv(conv), &[gate, weight]);
    let gate = net.sigmoid(gate);
    let gate = net.reshape(gate, &[6, 1, 1]);
    let x = net.mul(x, gate);
    let graph = net.classifier(x, 3);
    let reason = group(&graph, "a").reason.unwrap();
    assert!(reason.contains("slides a convolution along these channels"), "{reason}");
}

#[test]
fn a_depthwise_convolution_of_the_input_is_locked_and_says_so() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.grouped("first", x, 6, 3, 1, 3);
    let x = net.conv("a", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 4)]));
    assert_eq!(group(&graph, "first").reason.as_deref(), Some("`node1` filters a fixed channel"));
}

#[test]
fn a_layer_behind_a_single_shuffled_channel_can_be_pruned() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 4, 3, 2);
    let x = net.reshape(x, &[1, 2, 2, 2, 2]);
    let x = net.permute(x, &[0, 1, 4, 2, 5, 3]);
    let x = net.reshape(x, &[1, 4, 4]);
    let x = net.conv("b", x, 4, 3, 1);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("b", 4)]));
}

#[test]
fn a_softmax_over_channels_locks_them_but_one_over_branches_does_not() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let pooled = net.mean(x, &[2, 3], false);
    let locked = net.push(Op::Softmax { axis: 1, log: false }, &[pooled]);
    let locked = net.linear("head", locked, 3);
    assert!(!group(&net.finish(&[locked]), "a").prunable);

    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let gate = net.mean(x, &[2, 3], false);
    let gate = net.linear("gate", gate, 12);
    let gate = net.reshape(gate, &[2, 6]);
    let gate = net.push(Op::Softmax { axis: 1, log: false }, &[gate]);
    let gate = net.push(Op::Reduce { kind: Reduction::Max, axes: vec![1], keep_dims: false }, &[gate]);
    let gate = net.reshape(gate, &[6, 1, 1]);
    let x = net.mul(x, gate);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    assert_eq!(group(&graph, "a").members.iter().map(|m| m.units[1].len()).collect::<Vec<_>>(), [1, 2, 1, 2, 1]);
}

#[test]
fn a_scalar_parameter_belongs_to_no_channel() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let scale = net.parameter("scale", &[1]);
    let x = net.push(Op::Binary(Binary::Mul), &[x, scale]);
    let graph = net.classifier(x, 3);
    assert_eq!(prunable(&graph), named(&[("a", 6)]));
    let members = group(&graph, "a").members.len();
    assert_eq!(members, 2);
}

#[test]
fn units_that_do_not_exist_or_may_not_go_are_refused() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let graph = net.classifier(x, 2);
    let groups = groups(&graph);
    let error = |units: &[&[usize]]| {
        let units: Vec<Vec<usize>> = units.iter().map(|u| u.to_vec()).collect();
        plan(&graph, &groups, &units).unwrap_err()
    };
    assert_eq!(error(&[&[0]]), PlanError::GroupCount { expected: 2, found: 1 });
    assert_eq!(error(&[&[0, 6], &[0, 1]]), PlanError::UnknownUnit { group: "a".into(), unit: 6, last: 5 });
    assert_eq!(error(&[&[1, 0], &[0, 1]]), PlanError::Order { group: "a".into() });
    assert_eq!(error(&[&[], &[0, 1]]), PlanError::NothingKept { group: "a".into() });
    assert!(matches!(error(&[&[0], &[0]]), PlanError::Locked { group, .. } if group == "fc"));
}

#[test]
fn a_mask_of_windows_neither_costs_nor_locks_the_channels_of_the_heads() {
    let mut net = Net::new();
    let x = net.input("tokens", &[8, 6]);
    let x = net.linear("embed", x, 6);
    let split = |net: &mut Net, x| {
        let x = net.push(Op::Reshape { shape: vec![Dim::Batch(2), Dim::Fixed(4), Dim::Fixed(2), Dim::Fixed(3)] }, &[x]);
        net.permute(x, &[0, 2, 1, 3])
    };
    let [q, k, v] = ["q", "k", "v"].map(|name| net.linear(name, x, 6));
    let [q, k, v] = [q, k, v].map(|x| split(&mut net, x));
    let k = net.permute(k, &[0, 1, 3, 2]);
    let scores = net.push(Op::MatMul, &[q, k]);
    let scores = net.reshape_all(scores, &[Dim::Batch(1), Dim::Fixed(2), Dim::Fixed(2), Dim::Fixed(4), Dim::Fixed(4)]);
    let mask = net.buffer("mask", &[2, 4, 4]);
    let mask = net.reshape_all(mask, &[1, 2, 1, 4, 4].map(Dim::Fixed));
    let scores = net.add(scores, mask);
    let scores = net.reshape_all(scores, &[Dim::Batch(2), Dim::Fixed(2), Dim::Fixed(4), Dim::Fixed(4)]);
    let weights = net.push(Op::Softmax { axis: 3, log: false }, &[scores]);
    let y = net.push(Op::MatMul, &[weights, v]);
    let y = net.permute(y, &[0, 2, 1, 3]);
    let y = net.reshape_all(y, &[Dim::Batch(1), Dim::Fixed(8), Dim::Fixed(6)]);
    let y = net.linear("proj", y, 6);
    let x = net.add(x, y);
    let x = net.flatten(x);
    let x = net.linear("head", x, 2);
    let graph = net.finish(&[x]);
    assert_eq!(prunable(&graph), named(&[("embed", 6), ("q", 3), ("v", 3)]));
}
