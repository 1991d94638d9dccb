//! Changes messages of a model instead of its bytes: a byte that is changed in a message leaves no message in most cases, and
//! no import would get further than the decoder.

use prost::Message;

use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_shape_proto::Dimension;
use crate::proto::tensor_shape_proto::dimension::Value as Size;
use crate::proto::type_proto::Value as Type;
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, ValueInfoProto,
};
use crate::random::Random;
use crate::{initializers, nodes};

/// Changes in one mutation at most.
const CHANGES: usize = 5;
/// Graphs inside each other that a change looks into.
const DEPTH: usize = 40;

/// A model with some changes, of at most `most` bytes; `None` where the bytes are no model, the result is too long, or bytes
/// are to be changed for once.
pub fn mutated(bytes: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    if random.once_in(16) {
        return None;
    }
    let mut model = ModelProto::decode(bytes).ok()?;
    for _ in 0..=random.below(CHANGES) {
        change(&mut model, &mut random);
    }
    let bytes = model.encode_to_vec();
    (bytes.len() <= most).then_some(bytes)
}

fn change(model: &mut ModelProto, random: &mut Random) {
    match random.below(24) {
        0 => change_opset(&mut model.opset_import, random),
        1 => {
            let shape = ["1,3,8,8", "2,1,0,4", "1", "", "1,4294967296,8,8", "1,3,8,8;1,2", "99999999999999999999"];
            let value = random.pick(&shape).map(|s| (*s).to_owned());
            model.metadata_props = vec![StringStringEntryProto { key: Some("input_shape".into()), value }];
        }
        2 => make_function(model, random),
        3 => {
            if let Some(function) = random.pick_mut(&mut model.functions) {
                change_function(function, random);
            }
        }
        _ => {
            if let Some(graph) = &mut model.graph {
                change_graph(innermost(graph, random), random);
            }
        }
    }
}

fn change_opset(imports: &mut Vec<OperatorSetIdProto>, random: &mut Random) {
    let version = match random.below(8) {
        0 => random.number(),
        _ => 9 + random.below(16) as i64,
    };
    match random.pick_mut(imports) {
        Some(import) => import.version = Some(version),
        None => imports.push(OperatorSetIdProto { domain: None, version: Some(version) }),
    }
}

/// The graph itself, or one inside of it.
fn innermost<'a>(graph: &'a mut GraphProto, random: &mut Random) -> &'a mut GraphProto {
    let mut graph = graph;
    for _ in 0..DEPTH {
        let inner = |a: &AttributeProto| a.g.is_some();
        let inside: Vec<(usize, usize)> = (graph.node.iter().enumerate())
            .flat_map(|(n, node)| node.attribute.iter().enumerate().filter(|(_, a)| inner(a)).map(move |(a, _)| (n, a)))
            .collect();
        let Some(&(node, attribute)) = random.pick(&inside) else {
            return graph;
        };
        if random.once_in(3) {
            return graph;
        }
        let found = graph.node[node].attribute[attribute].g.get_or_insert_default();
        graph = found;
    }
    graph
}

fn change_graph(graph: &mut GraphProto, random: &mut Random) {
    let names = names(graph);
    match random.below(20) {
        0 | 1 => initializers::change(&mut graph.initializer, random),
        2 => initializers::add(&mut graph.initializer, random),
        3 => change_port(&mut graph.input, &names, random),
        4 => change_output(graph, &names, random),
        5 => branch(graph, random),
        6 | 7 => nodes::insert(&mut graph.node, &names, random),
        8..=12 => nodes::splice(graph, &names, random),
        13 => nodes::rearrange(&mut graph.node, random),
        _ => nodes::change(&mut graph.node, &names, random),
    }
}

/// Everything in a graph that has a name.
fn names(graph: &GraphProto) -> Vec<String> {
    let inputs = graph.input.iter().map(|i| i.name().to_owned());
    let stored = graph.initializer.iter().map(|t| t.name().to_owned());
    let made = graph.node.iter().flat_map(|n| n.output.iter().cloned());
    inputs.chain(stored).chain(made).collect()
}

/// Another input, or an input with another shape.
fn change_port(ports: &mut Vec<ValueInfoProto>, names: &[String], random: &mut Random) {
    if random.once_in(6) {
        ports.extend(random.pick(ports).cloned().map(|port| ValueInfoProto { name: Some("more".into()), ..port }));
        return;
    }
    let Some(port) = random.pick_mut(ports) else {
        return;
    };
    if random.once_in(10) {
        port.name = random.pick(names).cloned();
    }
    let Some(Type::TensorType(tensor)) = port.r#type.as_mut().and_then(|t| t.value.as_mut()) else {
        return;
    };
    let dims = &mut tensor.shape.get_or_insert_with(TensorShapeProto::default).dim;
    let size = match random.below(6) {
        0 => None,
        1 => Some(Size::DimParam("N".into())),
        _ => Some(Size::DimValue(random.number())),
    };
    let dim = Dimension { value: size, denotation: None };
    match random.below(6) {
        0 => dims.push(dim),
        1 => drop(dims.pop()),
        _ => {
            if let Some(changed) = random.pick_mut(dims) {
                *changed = dim;
            }
        }
    }
}

fn change_output(graph: &mut GraphProto, names: &[String], random: &mut Random) {
    let named = |name: Option<String>| ValueInfoProto { name, ..ValueInfoProto::default() };
    match random.below(4) {
        0 => graph.output.push(named(random.pick(names).cloned())),
        1 if graph.output.len() > 1 => drop(graph.output.pop()),
        _ => {
            if let Some(last) = graph.output.first_mut() {
                last.name = names.last().cloned();
            }
        }
    }
}

/// Puts a copy of the graph's nodes into a branch of an `If`, so that graphs nest.
fn branch(graph: &mut GraphProto, random: &mut Random) {
    let mut inner = GraphProto {
        node: graph.node.iter().take(random.below(6)).cloned().collect(),
        output: graph.output.iter().take(1).cloned().collect(),
        ..GraphProto::default()
    };
    let fresh = random.once_in(2);
    for node in &mut inner.node {
        for name in &mut node.output {
            if fresh {
                name.push('_');
            }
        }
    }
    if let (Some(made), Some(output)) = (inner.node.last().and_then(|n| n.output.first()), inner.output.first_mut()) {
        output.name = Some(made.clone());
    }
    let attribute = |name: &str| AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Graph.into()),
        g: Some(inner.clone()),
        ..AttributeProto::default()
    };
    let condition = graph.initializer.iter().map(|t| t.name().to_owned()).collect::<Vec<_>>();
    let node = NodeProto {
        op_type: Some("If".into()),
        input: random.pick(&condition).cloned().into_iter().collect(),
        output: vec![format!("branch{}", random.below(1000))],
        attribute: vec![attribute("then_branch"), attribute("else_branch")],
        ..NodeProto::default()
    };
    let place = random.below(graph.node.len() + 1);
    graph.node.insert(place, node);
}

/// Makes a function of a few nodes and calls it; some functions call themselves.
fn make_function(model: &mut ModelProto, random: &mut Random) {
    let Some(graph) = &mut model.graph else {
        return;
    };
    let start = random.below(graph.node.len());
    let body: Vec<NodeProto> = graph.node.iter().skip(start).take(1 + random.below(3)).cloned().collect();
    let (Some(first), Some(last)) = (body.first(), body.last()) else {
        return;
    };
    let name = format!("function{}", random.below(4));
    let function = FunctionProto {
        name: Some(name.clone()),
        domain: Some("own".into()),
        input: first.input.clone(),
        output: last.output.clone(),
        opset_import: model.opset_import.clone(),
        node: body.clone(),
        ..FunctionProto::default()
    };
    let call = NodeProto {
        op_type: Some(name),
        domain: Some("own".into()),
        input: first.input.clone(),
        output: last.output.clone(),
        ..NodeProto::default()
    };
    graph.node.splice(start..start + body.len(), [call]);
    model.functions.push(function);
}

fn change_function(function: &mut FunctionProto, random: &mut Random) {
    let made = function.node.iter().flat_map(|n| n.output.iter().cloned());
    let names: Vec<String> = function.input.iter().cloned().chain(made).collect();
    match random.below(4) {
        0 => {
            let call = NodeProto {
                op_type: function.name.clone(),
                domain: function.domain.clone(),
                input: function.input.clone(),
                output: vec!["again".into()],
                ..NodeProto::default()
            };
            function.node.insert(0, call);
        }
        1 => change_opset(&mut function.opset_import, random),
        _ => nodes::change(&mut function.node, &names, random),
    }
}
