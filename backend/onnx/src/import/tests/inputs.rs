//! Where the input shape comes from, several inputs and outputs, external data.

use super::*;
use crate::proto::StringStringEntryProto;

fn network(net: Net) -> Net {
    let net = net.weight("w", &[4, 3, 3, 3]).weight("m", &[4 * 26 * 26, 5]).node("c", "Conv", &["x", "w"]);
    net.node("f", "Flatten", &["c"]).node("y", "MatMul", &["f", "m"])
}

fn with_metadata(mut net: Net, value: &str) -> Net {
    let entry = StringStringEntryProto { key: Some("input_shape".into()), value: Some(value.into()) };
    net.model.metadata_props.push(entry);
    net
}

/// A network whose file leaves the image size open.
fn open() -> Net {
    let mut net = network(Net::new(&[3, 28, 28]));
    let Some(Type::TensorType(tensor)) = net.graph.input[0].r#type.as_mut().unwrap().value.as_mut() else { panic!() };
    tensor.shape.as_mut().unwrap().dim[3].value = Some(Size::DimParam("width".into()));
    net
}

#[test]
fn the_given_shape_comes_first_then_the_files_then_its_metadata_then_a_guess() {
    let shape = |net: Net, given: Option<&[usize]>| {
        import(&net.decoded(), given).map(|imported| (imported.graph.input_shape(1), imported.guessed_shape))
    };
    let described = || with_metadata(network(Net::new(&[3, 28, 28])), "1,3,30,30");
    assert_eq!(shape(described(), None).unwrap(), (vec![1, 3, 28, 28], false));
    assert!(matches!(shape(described(), Some(&[1, 3, 30, 30])), Err(OnnxError::Shape { .. })));
    assert_eq!(shape(open(), Some(&[7, 3, 28, 28])).unwrap(), (vec![1, 3, 28, 28], false));
    assert_eq!(shape(with_metadata(open(), "1,3,28,28"), None).unwrap(), (vec![1, 3, 28, 28], false));
    assert_eq!(shape(open(), None).unwrap(), (vec![1, 3, 28, 28], true));
}

/// A network whose file says nothing about its input.
fn silent(net: Net) -> Net {
    let mut net = net;
    net.graph.input[0].r#type = None;
    net
}

#[test]
fn the_first_layer_that_is_run_says_the_channels() {
    let guessed = |net: Net| net.read().map(|imported| imported.graph.input_shape(1));
    let net = silent(Net::new(&[])).weight("later", &[2, 6, 1, 1]).weight("first", &[6, 1, 3, 3]);
    let net = net.node_with("c", "Conv", &["x", "first"], &[int("group", 6)]).node("y", "Conv", &["c", "later"]);
    assert_eq!(guessed(net).unwrap(), [1, 6, 224, 224]);
    let grey = silent(Net::new(&[])).weight("w", &[6, 1, 3, 3]).node("y", "Conv", &["x", "w"]);
    assert_eq!(guessed(grey).unwrap(), [1, 1, 28, 28]);
    let flat = silent(Net::new(&[])).weight("w", &[6, 4]).node_with("y", "Gemm", &["x", "w"], &[int("transB", 1)]);
    assert_eq!(guessed(flat).unwrap(), [1, 4]);
    assert!(matches!(guessed(silent(Net::new(&[])).node("y", "Relu", &["x"])), Err(OnnxError::NoInputShape { .. })));
}

#[test]
fn a_guess_that_never_fits_says_what_was_tried() {
    let mut net = open();
    net.graph.initializer[1] = floats("m", &[7, 5], &[0.0; 35]);
    let error = net.error();
    assert!(error.contains("none of the usual ones works ([1, 3, 224, 224], [1, 3, 32, 32]"), "{error}");
    assert!(error.contains("linear at node `y`: expects 7 channels"), "{error}");
}

#[test]
fn a_shape_without_a_batch_or_with_empty_axes_is_refused() {
    for shape in [&[1][..], &[1, 3, 0, 28]] {
        let error = import(&network(Net::new(&[3, 28, 28])).decoded(), Some(shape)).unwrap_err();
        assert!(matches!(error, OnnxError::InputShape(_)), "{error}");
    }
}

#[test]
fn several_inputs_and_outputs_keep_their_names() {
    let net = Net::new(&[4]).input("z", None, &[4]).node("sum", "Add", &["x", "z"]).node("more", "Relu", &["sum"]);
    let graph = net.outputs(&["sum", "more"]).graph();
    let names = |ids: &[eagleeye_graph::ValueId]| ids.iter().map(|&i| graph.value(i).name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&graph.inputs), names(&graph.outputs)),
        (vec!["x".into(), "z".into()], vec!["sum".into(), "more".into()])
    );
}

#[test]
fn initializers_that_are_listed_as_inputs_are_none() {
    let net = network(Net::new(&[3, 28, 28])).input("w", Some(4), &[3, 3, 3]);
    assert_eq!(net.graph().inputs.len(), 1);
}

#[test]
fn outputs_that_are_constant_or_missing_are_refused() {
    let net = || Net::new(&[4]).weight("w", &[4]).node("y", "Relu", &["x"]);
    assert_eq!(net().outputs(&["w"]).error(), "the network's output `w` does not depend on the network's input");
    assert_eq!(net().outputs(&["nothing"]).error(), "the network's output `nothing` is not the output of any node");
}

#[test]
fn weights_beside_the_file_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    std::fs::write(folder.path().join("net.onnx.data"), &bytes).unwrap();
    let mut net = Net::new(&[2]).weight("w", &[2, 2]).node("y", "MatMul", &["x", "w"]);
    let entry =
        |(key, value): (&str, &str)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    net.graph.initializer[0] = TensorProto {
        float_data: Vec::new(),
        external_data: [("location", "net.onnx.data"), ("offset", "8"), ("length", "16")].map(entry).to_vec(),
        data_location: Some(1),
        ..net.graph.initializer[0].clone()
    };
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, net.bytes()).unwrap();
    let imported = crate::read(&path, None).unwrap();
    assert_eq!(entries(&imported, "w").to_f32().unwrap(), [2.0, 3.0, 4.0, 5.0]);
    std::fs::remove_file(folder.path().join("net.onnx.data")).unwrap();
    let error = crate::read(&path, None).unwrap_err().to_string();
    assert!(error.contains("`w` is stored next to the model in `net.onnx.data`, which is missing"), "{error}");
}
