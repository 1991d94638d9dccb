//! Networks in other element types than `f32`.

use eagleeye_graph::Precision;

use super::*;
use crate::export::write_in;
use crate::proto::tensor_proto::DataType;
use crate::proto::type_proto::Value as Type;

/// A linear layer with an activation behind it, whose weights, nodes and ports are in `element`.
fn written(element: ElementType) -> GraphProto {
    let mut net = Net::new();
    let x = net.input("x", &[4]);
    let weight = net.parameter("w", &[3, 4]);
    let y = net.push("fc", Op::Linear { transposed: false }, &[x, weight]);
    let y = net.push("add", Op::Unary(eagleeye_graph::Unary::AddScalar(0.5)), &[y]);
    let (graph, mut weights) = net.finish(&[y]);
    weights[0] = TensorData { element, shape: vec![3, 4], bytes: vec![0; 12 * element.size()] };
    let precision = Precision {
        parameters: [("w".to_owned(), element)].into(),
        nodes: ["fc", "add"].map(|name| (name.to_owned(), element)).into(),
        inputs: vec![Some(element)],
        outputs: vec![Some(element)],
    };
    let bytes = write_in(&graph, &weights, &precision, &BTreeMap::new()).unwrap();
    let graph = ModelProto::decode(&bytes[..]).unwrap().graph.unwrap();
    assert_well_formed(&graph);
    graph
}

fn casts(graph: &GraphProto) -> usize {
    graph.node.iter().filter(|node| node.op_type() == "Cast").count()
}

fn types(graph: &GraphProto) -> Vec<DataType> {
    let ports = graph.input.iter().chain(&graph.output).map(|port| {
        let Some(Type::TensorType(tensor)) = port.r#type.as_ref().unwrap().value.as_ref() else { panic!() };
        tensor.elem_type()
    });
    let stored = graph.initializer.iter().map(|tensor| tensor.data_type());
    ports.chain(stored).map(|kind| DataType::try_from(kind).unwrap()).collect()
}

#[test]
fn half_precision_is_computed_in_half_precision() {
    let graph = written(ElementType::F16);
    assert_eq!(types(&graph), [DataType::Float16; 3]);
    assert_eq!(casts(&graph), 0);
    let constant = graph.node.iter().find(|node| node.op_type() == "Constant" && node.output[0].contains("scalar"));
    assert_eq!(constant.unwrap().attribute[0].t.as_ref().unwrap().data_type(), DataType::Float16 as i32);
}

#[test]
fn types_that_runtimes_cannot_compute_in_are_stored_and_cast() {
    for (element, kind) in [(ElementType::Bf16, DataType::Bfloat16), (ElementType::F64, DataType::Double)] {
        let graph = written(element);
        assert_eq!(types(&graph), [kind; 3]);
        assert_eq!(casts(&graph), 3, "of the input, the weight and the output");
    }
}
