//! What is not written, and what is said about it.

use std::collections::BTreeMap;

use eagleeye_graph::{Dim, GraphBuilder, Op, PadMode, Pool, PoolKind, Precision, TensorData, Unary};
use prost::Message;

use super::{Net, batched};
use crate::export::{ExportError, Opset, write, write_at};
use crate::proto::ModelProto;

fn refused(sizes: &[usize], op: Op) -> String {
    let mut net = Net::new();
    let x = net.input("x", sizes);
    let y = net.push("layer3", op, &[x]);
    let error = net.write(&[y]).unwrap_err();
    assert!(matches!(error, ExportError::Operator { .. }));
    error.to_string()
}

#[test]
fn an_operation_that_onnx_does_not_have_is_refused_with_its_node() {
    let pool = Pool {
        kind: PoolKind::Average { count_include_pad: true },
        kernel: vec![2],
        stride: vec![1],
        padding: vec![(0, 0)],
        dilation: vec![2],
        ceil: false,
    };
    let said = "avg_pool at node `layer3` cannot be written as ONNX: average pooling with dilation [2] (must be 1)";
    assert_eq!(refused(&[3, 9], Op::Pool(pool)), said);
    let pads = vec![(0, 0), (0, 0), (7, 0)];
    assert!(refused(&[3, 6], Op::Pad { pads, mode: PadMode::Circular }).contains("an axis of 6 more than once"));
    let pads = vec![(0, 0), (0, 0), (2, -1)];
    assert!(refused(&[3, 6], Op::Pad { pads, mode: PadMode::Circular }).contains("also crops"));
}

#[test]
fn a_batch_that_no_input_has_is_refused() {
    let mut builder = GraphBuilder::new("test");
    let x = builder.input("x", vec![Dim::Fixed(1), Dim::Fixed(3)]).unwrap();
    let y = builder.push("y", Op::Expand { shape: batched(&[3]) }, &[x]).unwrap();
    let error = write(&builder.finish(&[y]).unwrap(), &[], &BTreeMap::new()).unwrap_err();
    let said = "expand at node `y` cannot be written as ONNX: its size depends on the batch, but none of the network's \
                inputs does";
    assert_eq!(error.to_string(), said);
}

#[test]
fn weights_that_are_not_the_networks_are_refused() {
    let build = || {
        let mut net = Net::new();
        let x = net.input("x", &[4]);
        let weight = net.parameter("fc.weight", &[2, 4]);
        let y = net.push("fc", Op::Linear { transposed: false }, &[x, weight]);
        net.push("end", Op::Unary(Unary::Relu), &[y]);
        net.finish(&[y])
    };
    let (graph, weights) = build();
    let refused = |weights: &[TensorData]| write(&graph, weights, &BTreeMap::new()).unwrap_err();
    assert_eq!(refused(&[]), ExportError::WeightCount { expected: 1, found: 0 });
    let name = || "fc.weight".to_owned();
    let other = TensorData { shape: vec![4, 2], ..weights[0].clone() };
    assert_eq!(refused(&[other]), ExportError::WeightShape { name: name(), expected: vec![2, 4], found: vec![4, 2] });
    let short = TensorData { bytes: vec![0; 31], ..weights[0].clone() };
    assert_eq!(refused(&[short]), ExportError::WeightBytes { name: name(), expected: 32, found: 31 });
}

#[test]
fn an_operator_that_came_later_is_refused_with_the_version_that_has_it() {
    let layer = |net: &mut Net| {
        let x = net.input("x", &[4, 8]);
        net.push("norm", Op::LayerNorm { axes: 1, epsilon: 1e-5 }, &[x])
    };
    let mut net = Net::new();
    let x = net.input("x", &[4]);
    let y = net.push("act", Op::Unary(Unary::HardSwish), &[x]);
    let (graph, weights) = net.finish(&[y]);
    let at = |version| {
        let opset = Opset::new(version).unwrap();
        write_at(opset, &graph, &weights, &Precision::default(), &BTreeMap::new()).map(drop).map_err(|e| e.to_string())
    };
    assert!(at(13).unwrap_err().contains("HardSwish came with operator set 14"));
    assert_eq!(at(14), Ok(()));
    for opset in Opset::all() {
        let mut net = Net::new();
        let y = layer(&mut net);
        let (graph, weights) = net.finish(&[y]);
        let written = write_at(opset, &graph, &weights, &Precision::default(), &BTreeMap::new());
        match written {
            Ok(bytes) => {
                assert!(opset.version() >= 17);
                let model = ModelProto::decode(&bytes[..]).unwrap();
                assert_eq!(model.opset_import[0].version(), i64::from(opset.version()));
            }
            Err(error) => {
                let text = error.to_string();
                assert!(opset.version() < 17 && text.contains("`norm`") && text.contains("operator set 17"), "{text}");
            }
        }
    }
    for version in [0, 12, 22] {
        assert!(Opset::new(version).unwrap_err().to_string().contains("13 to 21"));
    }
    assert_eq!(Opset::new(17), Ok(Opset::default()));
}
