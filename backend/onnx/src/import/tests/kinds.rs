//! Kinds of files that are not a float32 network in evaluation mode with one input.

use super::*;
use eagleeye_graph::ElementType::{F16, F32};

fn convolution() -> Net {
    Net::new(&[3, 8, 8]).weight("w", &[4, 3, 3, 3]).node("c", "Conv", &["x", "w"])
}

/// What reading the file says.
fn refusal(net: Net) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, net.bytes()).unwrap();
    crate::read(&path, None).unwrap_err().to_string()
}

fn typed(mut tensor: TensorProto, kind: DataType) -> TensorProto {
    let halves = tensor.float_data.iter().map(|&v| i32::from(half::f16::from_f32(v).to_bits())).collect();
    (tensor.int32_data, tensor.float_data, tensor.data_type) = (halves, Vec::new(), Some(kind.into()));
    tensor
}

fn input_of_type(mut net: Net, kind: DataType) -> Net {
    let Some(Type::TensorType(tensor)) = net.graph.input[0].r#type.as_mut().unwrap().value.as_mut() else { panic!() };
    tensor.elem_type = Some(kind.into());
    net
}

#[test]
fn dropout_in_training_mode_is_refused_with_the_cure() {
    let mut on = ints("on", &[], &[1]);
    (on.int64_data, on.int32_data, on.data_type) = (Vec::new(), vec![1], Some(DataType::Bool.into()));
    let mut net = convolution().floats("half", &[], &[0.5]);
    net.graph.initializer.push(on);
    let error = refusal(net.node("y", "Dropout", &["c", "half", "on"]));
    assert!(error.contains("training mode: Dropout at `y`") && error.contains("model.eval()"), "{error}");
}

#[test]
fn quantised_networks_are_refused_in_one_sentence() {
    for operator in ["QLinearConv", "QuantizeLinear", "DequantizeLinear", "MatMulInteger", "DynamicQuantizeLinear"] {
        let error = refusal(convolution().node("y", operator, &["c", "w"]));
        assert!(error.starts_with("the network is quantised") && error.contains(operator), "{error}");
    }
    let gemm = NodeProto { domain: Some("com.microsoft".into()), ..node("q", "QGemm", &["c"], &["y"], &[]) };
    assert!(refusal(convolution().push(gemm)).contains("quantised"));
}

#[test]
fn operators_of_other_domains_say_what_they_are() {
    let of = |domain: &str| {
        let custom = NodeProto { domain: Some(domain.into()), ..node("q", "Own", &["c"], &["y"], &[]) };
        refusal(convolution().push(custom))
    };
    assert!(of("com.microsoft.nchwc").contains("ONNX Runtime inserts"));
    assert!(of("ai.onnx.ml").contains("ONNX-ML"));
    assert!(of("own.domain").contains("custom operator"));
}

#[test]
fn an_older_operator_set_names_the_converter() {
    let error = refusal(convolution().opset(8));
    assert!(error.contains("operator set 8") && error.contains("onnx.version_converter"), "{error}");
}

#[test]
fn several_inputs_are_named_and_initializers_feed_them() {
    let net = || convolution().input("scale", Some(4), &[1, 1]).node("y", "Mul", &["c", "scale"]);
    let error = refusal(net());
    assert!(error.contains("2 inputs (`x`, `scale`)") && error.contains("images"), "{error}");
    assert_eq!(net().weight("scale", &[4, 1, 1]).graph().inputs.len(), 1);
}

#[test]
fn an_input_of_whole_numbers_is_refused() {
    let error = refusal(input_of_type(convolution(), DataType::Int64));
    assert!(error.contains("`x` contains INT64"), "{error}");
}

#[test]
fn the_element_types_of_a_file_are_known() {
    let mut net = input_of_type(convolution(), DataType::Float16);
    net.graph.initializer[0] = typed(net.graph.initializer[0].clone(), DataType::Float16);
    let net = net.node_with("s", "Cast", &["c"], &[int("to", 1)]);
    let net = net.node_with("y", "Softmax", &["s"], &[int("axis", 1)]);
    let imported = net.read().unwrap();
    let precision = imported.precision;
    assert_eq!((precision.parameters["w"], precision.nodes["c"], precision.nodes["y"]), (F16, F16, F32));
    assert_eq!((precision.inputs, precision.outputs), (vec![Some(F16)], vec![Some(F32)]));
    assert!(imported.weights.iter().all(|weight| weight.element == F32));
    assert_eq!(convolution().read().unwrap().precision, eagleeye_graph::Precision::default());
}
