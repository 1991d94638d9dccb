//! Changes of nodes: their operators, inputs, attributes and order.

use std::sync::LazyLock;

use crate::initializers;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::{AttributeProto, GraphProto, NodeProto};
use crate::random::Random;

/// Every operator that the importer knows, and some that it does not or that it treats apart.
static OPERATORS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let known = eagleeye_onnx::families().into_iter().flat_map(|(_, operators)| operators).map(|o| o.name);
    known.chain(eagleeye_onnx::folded_operators()).chain(["If", "Loop", "Scan", "NonMaxSuppression"]).collect()
});

const INTS: [&str; 17] = [
    "axis",
    "batch_dims",
    "blocksize",
    "ceil_mode",
    "count_include_pad",
    "end",
    "group",
    "k",
    "keepdims",
    "num_groups",
    "num_outputs",
    "p",
    "size",
    "start",
    "to",
    "upper",
    "transB",
];
const FLAGS: [&str; 9] = [
    "allowzero",
    "antialias",
    "exclude_outside",
    "exclusive",
    "fmod",
    "noop_with_empty_axes",
    "reverse",
    "training_mode",
    "transA",
];
const FLOATS: [&str; 8] = ["alpha", "beta", "bias", "cubic_coeff_a", "epsilon", "gamma", "value", "value_float"];
const LISTS: [&str; 11] = [
    "axes",
    "dilations",
    "kernel_shape",
    "output_padding",
    "output_shape",
    "pads",
    "perm",
    "split",
    "strides",
    "value_ints",
    "starts",
];
const TEXTS: [(&str, &[&str]); 8] = [
    ("approximate", &["none", "tanh"]),
    ("auto_pad", &["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    ("coordinate_transformation_mode", &["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]),
    (
        "equation",
        &["ij,jk->ik", "bij,bjk", "...ij->...ji", "ii->i", "a,b,c->abc", "->", ",,", "abcdefghijklmnopqrstuvwxyz"],
    ),
    ("keep_aspect_ratio_policy", &["stretch", "not_larger"]),
    ("mode", &["constant", "reflect", "edge", "nearest", "linear", "cubic", "DCR", "CRD", "wrap"]),
    ("nearest_mode", &["floor", "round_prefer_floor", "ceil"]),
    ("reduction", &["none", "add", "mul", "max"]),
];

/// Adds a node somewhere.
pub fn insert(nodes: &mut Vec<NodeProto>, names: &[String], random: &mut Random) {
    let inputs = (0..random.below(4)).filter_map(|_| random.pick(names).cloned()).collect();
    let place = random.below(nodes.len() + 1);
    nodes.insert(place, made(inputs, random));
}

/// Adds a node between another and its input, or behind the output of the graph.
pub fn splice(graph: &mut GraphProto, names: &[String], random: &mut Random) {
    let at = random.below(graph.node.len() + 1);
    let mut inputs = Vec::new();
    match graph.node.get(at) {
        Some(node) => inputs.extend(random.pick(&node.input).cloned()),
        None => inputs.extend(graph.output.first().map(|o| o.name().to_owned())),
    }
    for _ in 0..random.below(3) {
        inputs.extend(further(graph, names, random));
    }
    let node = made(inputs, random);
    let output = node.output.first().cloned().unwrap_or_default();
    match graph.node.get_mut(at) {
        Some(reader) => {
            if let Some(input) = reader.input.iter_mut().find(|i| node.input.first() == Some(*i)) {
                *input = output;
            }
        }
        None => {
            if let Some(port) = graph.output.first_mut() {
                port.name = Some(output);
            }
        }
    }
    graph.node.insert(at, node);
}

/// A further input: something that is there, nothing, or numbers of its own.
fn further(graph: &mut GraphProto, names: &[String], random: &mut Random) -> Option<String> {
    match random.below(4) {
        0 => random.pick(names).cloned(),
        1 => Some(String::new()),
        _ => {
            let name = format!("stored{}", random.bits() as u16);
            let mut tensor = initializers::whole_numbers(random);
            tensor.name = Some(name.clone());
            graph.initializer.push(tensor);
            Some(name)
        }
    }
}

fn made(input: Vec<String>, random: &mut Random) -> NodeProto {
    let outputs = if random.once_in(6) { 1 + random.below(4) } else { 1 };
    let first = random.bits() as u16;
    NodeProto {
        op_type: random.pick(&OPERATORS).map(|o| (*o).to_owned()),
        input,
        output: (0..outputs).map(|i| format!("made{first}_{i}")).collect(),
        attribute: (0..random.below(3)).map(|_| attribute(random)).collect(),
        ..NodeProto::default()
    }
}

/// Removes, repeats or exchanges nodes.
pub fn rearrange(nodes: &mut Vec<NodeProto>, random: &mut Random) {
    if nodes.is_empty() {
        return;
    }
    let (a, b) = (random.below(nodes.len()), random.below(nodes.len()));
    match random.below(4) {
        0 => drop(nodes.remove(a)),
        1 => nodes.swap(a, b),
        // The same with another output.
        2 => {
            let mut copy = nodes[a].clone();
            copy.output.iter_mut().for_each(|o| o.push('x'));
            nodes.insert(b, copy);
        }
        _ => {
            let copy = nodes[a].clone();
            nodes.insert(b, copy);
        }
    }
}

/// Changes one node.
pub fn change(nodes: &mut [NodeProto], names: &[String], random: &mut Random) {
    let Some(node) = random.pick_mut(nodes) else {
        return;
    };
    match random.below(12) {
        0 => node.op_type = random.pick(&OPERATORS).map(|o| (*o).to_owned()),
        1 | 2 => {
            if let (Some(input), Some(name)) = (random.pick_mut(&mut node.input), random.pick(names)) {
                name.clone_into(input);
            }
        }
        3 => node.input.push(random.pick(names).cloned().unwrap_or_default()),
        4 => drop(node.input.pop()),
        5 => match random.below(3) {
            0 => node.output.push(format!("made{}", random.bits() as u16)),
            1 => drop(node.output.pop()),
            _ => node.output.iter_mut().take(1).for_each(|o| *o = random.pick(names).cloned().unwrap_or_default()),
        },
        6 | 7 => {
            let added = attribute(random);
            node.attribute.retain(|a| a.name != added.name);
            node.attribute.push(added);
        }
        8 => drop(node.attribute.pop()),
        _ => {
            if let Some(attribute) = random.pick_mut(&mut node.attribute) {
                change_attribute(attribute, random);
            }
        }
    }
}

fn change_attribute(attribute: &mut AttributeProto, random: &mut Random) {
    if let Some(number) = &mut attribute.i {
        *number = random.number();
    }
    if let Some(number) = &mut attribute.f {
        *number = random.real();
    }
    match random.below(4) {
        0 if !attribute.ints.is_empty() => attribute.ints.push(random.number()),
        1 => drop(attribute.ints.pop()),
        2 if random.once_in(8) => attribute.ref_attr_name = Some("axis".into()),
        _ => {
            if let Some(entry) = random.pick_mut(&mut attribute.ints) {
                *entry = random.number();
            }
        }
    }
    if let Some(tensor) = &mut attribute.t {
        initializers::change(std::slice::from_mut(tensor), random);
    }
}

fn attribute(random: &mut Random) -> AttributeProto {
    let named = |name: &str, kind: AttributeType| AttributeProto {
        name: Some(name.into()),
        r#type: Some(kind.into()),
        ..AttributeProto::default()
    };
    let name = |names: &[&'static str], random: &mut Random| random.pick(names).copied().unwrap_or_default();
    match random.below(8) {
        0 | 1 => AttributeProto { i: Some(random.number()), ..named(name(&INTS, random), AttributeType::Int) },
        2 => AttributeProto { i: Some(random.below(2) as i64), ..named(name(&FLAGS, random), AttributeType::Int) },
        3 => AttributeProto { f: Some(random.real()), ..named(name(&FLOATS, random), AttributeType::Float) },
        4 | 5 => {
            let values = (0..random.below(6)).map(|_| random.number()).collect();
            AttributeProto { ints: values, ..named(name(&LISTS, random), AttributeType::Ints) }
        }
        6 => {
            let (key, values) = TEXTS[random.below(TEXTS.len())];
            let value = name(values, random).as_bytes().to_vec();
            AttributeProto { s: Some(value), ..named(key, AttributeType::String) }
        }
        _ => {
            let tensor = initializers::whole_numbers(random);
            AttributeProto { t: Some(tensor), ..named("value", AttributeType::Tensor) }
        }
    }
}
