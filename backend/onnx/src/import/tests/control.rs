//! Functions of the file, and branches.

use eagleeye_graph::{Op, Unary};

use super::*;

fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: Some(name.into()),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: nodes,
        ..FunctionProto::default()
    }
}

fn call(name: &str, function: &str, input: &str, attributes: &[AttributeProto]) -> NodeProto {
    NodeProto { domain: Some("local".into()), ..node(name, function, &[input], &[name], attributes) }
}

#[test]
fn functions_are_entered_with_their_attributes() {
    let slope = AttributeProto { ref_attr_name: Some("slope".into()), ..attribute("alpha", AttributeType::Float) };
    let mut leaky = function("leaky", vec![node("inner", "LeakyRelu", &["a"], &["b"], &[slope])]);
    leaky.attribute_proto = vec![float("slope", 0.3)];
    let net = Net::new(&[4]).function(leaky);
    let graph = net.push(call("p", "leaky", "x", &[float("slope", 0.2)])).push(call("q", "leaky", "p", &[])).graph();
    assert_eq!(ops(&graph), [Op::Unary(Unary::LeakyRelu(0.2)), Op::Unary(Unary::LeakyRelu(0.3))]);
    assert_eq!(graph.nodes[0].name, "p/inner");
}

#[test]
fn functions_that_call_each_other_without_end_are_refused() {
    let net = Net::new(&[4]).function(function("f", vec![call("b", "f", "a", &[])]));
    assert!(net.push(call("y", "f", "x", &[])).error().contains("more than 32 levels deep"));
}

#[test]
fn functions_that_multiply_are_refused_in_bounded_time() {
    let level = |i: usize| {
        let calls = ["p", "q", "r", "b"].windows(2).map(|w| call(w[1], &format!("f{}", i + 1), w[0], &[]));
        let first = call("p", &format!("f{}", i + 1), "a", &[]);
        function(&format!("f{i}"), [first].into_iter().chain(calls).collect())
    };
    let net = (0..30).map(level).fold(Net::new(&[4]), Net::function);
    let last = function("f30", vec![node("", "Identity", &["a"], &["b"], &[])]);
    let error = net.function(last).push(call("y", "f0", "x", &[])).read().unwrap_err();
    assert!(matches!(error, OnnxError::TooLong(_)), "{error}");
}

fn branch(name: &str, operator: &str) -> AttributeProto {
    let graph = GraphProto {
        node: vec![node("", operator, &["x"], &["inside"], &[])],
        output: vec![info("inside", None, &[])],
        ..GraphProto::default()
    };
    AttributeProto { g: Some(graph), ..attribute(name, AttributeType::Graph) }
}

#[test]
fn a_branch_is_taken_where_its_condition_is_known() {
    let net = |condition: &str| {
        let net = Net::new(&[4]).int("one", 1).int("rank", 2).node("shape", "Shape", &["x"]);
        let net = net.node("axes", "Size", &["shape"]).node("flat", "Equal", &["axes", "rank"]);
        net.node_with("y", "If", &[condition], &[branch("then_branch", "Relu"), branch("else_branch", "Tanh")])
    };
    assert_eq!(only(&net("flat").graph()), Op::Unary(Unary::Relu));
    let error = net("x").error();
    assert!(error.starts_with("unsupported operators: If at `y`"), "{error}");
}
