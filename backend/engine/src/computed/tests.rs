//! Networks whose files compute a weight, written in both formats, read again, and pruned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eagleeye_graph::{Binary, Conv, Op, ParameterKind, Reduction, Unary, ValueId};
use eagleeye_spec::Space;
use eagleeye_spec::report::ModelDetails;
use tch::Tensor;

use crate::exec::forward;
use crate::export::export;
use crate::inspect::inspect;
use crate::load::{Loaded, load};
use crate::network::{Format, Network};
use crate::prune::{Pruned, prune_to};
use crate::testing::{Layers, difference, images};
use crate::verify::zero_oracle;
use eagleeye_torchscript as torchscript;
use eagleeye_torchscript::tensors::{signed, to_data};

const SPACE: Space = Space { round_to: Some(1), min_keep_ratio: 0.1 };
const LEARNED: ParameterKind = ParameterKind::Parameter;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Gain,
    Mask,
    Standardised,
    WeightNorm,
    Transposed,
    Flat,
}

const FORMS: [Form; 6] = [Form::Gain, Form::Mask, Form::Standardised, Form::WeightNorm, Form::Transposed, Form::Flat];

/// The weight `[out, takes, 3, 3]` of the layer `name` in one of these forms.
fn weight(net: &mut Layers, form: Form, name: &str, out: usize, takes: usize) -> ValueId {
    let full = [out, takes, 3, 3];
    let named = |part: &str| format!("{name}.{part}");
    let binary = |net: &mut Layers, f: Binary, a, b| net.push("weight", Op::Binary(f), &[a, b]);
    let reduce = |net: &mut Layers, kind: Reduction, x| {
        net.push("weight", Op::Reduce { kind, axes: vec![1, 2, 3], keep_dims: true }, &[x])
    };
    let unary = |net: &mut Layers, f: Unary, x| net.push("weight", Op::Unary(f), &[x]);
    match form {
        Form::Gain => {
            let w = net.parameter(&named("weight"), &full, (-0.5, 0.5), LEARNED);
            let gain = net.parameter(&named("gain"), &[out, 1, 1, 1], (0.5, 1.5), LEARNED);
            binary(net, Binary::Mul, w, gain)
        }
        Form::Mask => {
            let w = net.parameter(&named("weight_orig"), &full, (-0.5, 0.5), LEARNED);
            let mask = net.parameter(&named("weight_mask"), &full, (0.0, 1.0), ParameterKind::Buffer);
            binary(net, Binary::Mul, w, mask)
        }
        Form::Standardised => {
            let w = net.parameter(&named("weight"), &full, (-0.5, 0.5), LEARNED);
            let mean = reduce(net, Reduction::Mean, w);
            let centred = binary(net, Binary::Sub, w, mean);
            let squares = unary(net, Unary::PowScalar(2.0), centred);
            let variance = reduce(net, Reduction::Mean, squares);
            let deviation = unary(net, Unary::Sqrt, variance);
            let deviation = unary(net, Unary::AddScalar(1e-5), deviation);
            binary(net, Binary::Div, centred, deviation)
        }
        Form::WeightNorm => {
            let v = net.parameter(&named("weight_v"), &full, (-0.5, 0.5), LEARNED);
            let g = net.parameter(&named("weight_g"), &[out, 1, 1, 1], (0.5, 1.5), LEARNED);
            let squares = unary(net, Unary::PowScalar(2.0), v);
            let sum = reduce(net, Reduction::Sum, squares);
            let norm = unary(net, Unary::Sqrt, sum);
            let scale = binary(net, Binary::Div, g, norm);
            binary(net, Binary::Mul, v, scale)
        }
        Form::Transposed => {
            let w = net.parameter(&named("weight"), &[3, 3, takes, out], (-0.5, 0.5), LEARNED);
            net.push("weight", Op::Permute { order: vec![3, 2, 0, 1] }, &[w])
        }
        Form::Flat => {
            let w = net.parameter(&named("weight"), &[out, takes * 9], (-0.5, 0.5), LEARNED);
            let shape = eagleeye_graph::shape::fixed(&full);
            net.push("weight", Op::Reshape { shape }, &[w])
        }
    }
}

/// Two convolutions with computed weights and a classifier.
fn network(form: Form) -> Network {
    let mut net = Layers::new(11);
    let mut x = net.image(3, 8);
    for (name, takes, out) in [("first", 3, 8), ("second", 8, 6)] {
        let weight = weight(&mut net, form, name, out, takes);
        let bias = net.parameter(&format!("{name}.bias"), &[out], (-0.5, 0.5), LEARNED);
        let padding = vec![(1, 1); 2];
        let conv = Conv { stride: vec![1; 2], padding, dilation: vec![1; 2], groups: 1, transposed: None };
        x = net.push(name, Op::Conv(conv), &[x, weight, bias]);
        x = net.relu(x);
    }
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    net.finish(y)
}

/// Writes the network as it is and reads it as people's files are read.
fn through(network: &Network, format: Format) -> (Loaded, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("network");
    match format {
        Format::TorchScript => {
            torchscript::write(&network.graph, &network.weights, &BTreeMap::new(), &path).unwrap();
        }
        _ => {
            let weights: Vec<_> = network.weights.iter().map(|w| to_data(w).unwrap()).collect();
            let bytes = eagleeye_onnx::export::write(&network.graph, &weights, &BTreeMap::new()).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
    }
    (load(&path, Some(&[1, 3, 8, 8])).unwrap(), folder)
}

fn report(loaded: &Loaded) -> ModelDetails {
    inspect(loaded, &SPACE).unwrap().report.details
}

#[test]
fn a_weight_that_the_file_computes_is_pruned_like_a_stored_one() {
    let x = images(2, &[3, 3, 8, 8]);
    for (form, format) in FORMS.into_iter().flat_map(|form| [(form, Format::TorchScript), (form, Format::Onnx)]) {
        let network = network(form);
        let (loaded, folder) = through(&network, format);
        let case = format!("{form:?} as {}", format.name());
        let read = &loaded.network;
        let found = difference(&forward(read, &x).unwrap(), &forward(&network, &x).unwrap());
        assert!(found < 1e-5, "{case}: {found}");
        assert_eq!(read.graph.operators().get("conv2d"), Some(&2), "{case}");
        let prunable: Vec<u64> = report(&loaded).groups.iter().filter(|g| g.prunable).map(|g| g.size).collect();
        assert_eq!(prunable, [8, 6], "{case}");
        let pruned = prune_to(read, 0.5, 7, 0, &SPACE).unwrap();
        assert!(zero_oracle(read, &pruned).unwrap() < 1e-5, "{case}");
        for format in [Format::TorchScript, Format::Onnx, Format::Safetensors] {
            let path = folder.path().join("pruned").with_extension(format.extension());
            assert!(export(&pruned.network, format, &path).unwrap() < 1e-4, "{case}");
        }
    }
}

/// The network as it was uploaded, with zeros in its own tensors wherever the report says that slices are removed.
fn zeroed(network: &Network, pruned: &Pruned) -> Network {
    let mut zeroed = network.shallow_clone();
    for member in pruned.report.groups.iter().flat_map(|g| &g.members).filter(|m| !m.removed.is_empty()) {
        let named = |p: &eagleeye_graph::Parameter| p.name == member.parameter;
        let id = network.graph.parameters.iter().position(named).unwrap_or_else(|| panic!("{}", member.parameter));
        let removed: Vec<usize> = member.removed.iter().map(|&i| i as usize).collect();
        let indices = Tensor::from_slice(&signed(&removed));
        zeroed.weights[id] = zeroed.weights[id].index_fill(member.axis as i64, &indices, 0.0);
    }
    zeroed
}

#[test]
fn zeroing_what_the_report_names_in_the_files_own_tensors_is_pruning() {
    let x = images(3, &[3, 3, 8, 8]);
    for (form, format) in FORMS.into_iter().flat_map(|form| [(form, Format::TorchScript), (form, Format::Onnx)]) {
        let network = network(form);
        let (loaded, _folder) = through(&network, format);
        let pruned = prune_to(&loaded.network, 0.5, 7, 0, &SPACE).unwrap();
        let wanted = forward(&zeroed(&network, &pruned), &x).unwrap();
        let found = difference(&forward(&pruned.network, &x).unwrap(), &wanted);
        assert!(found < 1e-4, "{form:?} as {}: {found}", format.name());
    }
}

#[test]
fn only_tensors_whose_zeros_are_the_weights_zeros_are_members_and_all_are_named() {
    let (loaded, _folder) = through(&network(Form::WeightNorm), Format::TorchScript);
    let report = report(&loaded);
    let members: Vec<(&str, u64)> = report.groups[0].members.iter().map(|m| (m.parameter.as_str(), m.axis)).collect();
    assert_eq!(members, [("first.weight_g", 0), ("first.bias", 0)]);
    let computed = &report.groups[0].computed;
    let found: Vec<(&str, u64)> = computed.iter().map(|c| (c.weight.as_str(), c.axis)).collect();
    assert_eq!(found, [("first.weight", 0), ("second.weight", 1)]);
    assert_eq!(computed[1].from, ["second.weight_v", "second.weight_g"]);
    let names: Vec<&str> = loaded.network.graph.parameters.iter().map(|p| p.name.as_str()).collect();
    assert!(names.contains(&"first.weight") && !names.iter().any(|name| name.ends_with("_v")), "{names:?}");
}

#[test]
fn a_tensor_that_something_else_reads_stays_and_stands_for_no_slices() {
    let mut net = Layers::new(5);
    let x = net.image(4, 8);
    let w = net.parameter("shared.weight", &[4, 4, 1, 1], (-0.5, 0.5), LEARNED);
    let gain = net.parameter("second.gain", &[4, 1, 1, 1], (0.5, 1.5), LEARNED);
    let scaled = net.push("scaled", Op::Binary(Binary::Mul), &[w, gain]);
    let conv =
        || Conv { stride: vec![1; 2], padding: vec![(0, 0); 2], dilation: vec![1; 2], groups: 1, transposed: None };
    let y = net.push("first", Op::Conv(conv()), &[x, w]);
    let y = net.push("second", Op::Conv(conv()), &[y, scaled]);
    let y = net.global_mean(y, false);
    let y = net.linear(y, 3);
    let network = super::store_computed_weights(net.finish(y)).unwrap();
    let names: Vec<&str> = network.graph.parameters.iter().map(|p| p.name.as_str()).take(2).collect();
    assert!(names.contains(&"shared.weight"), "{names:?}");
    let computed = network.graph.parameters.iter().find_map(|p| p.computed.as_ref()).unwrap();
    assert_eq!(computed.from, ["shared.weight", "second.gain"]);
    assert!(computed.slices.iter().all(|s| s.tensor == "second.gain"), "{computed:?}");
}

#[test]
fn a_product_with_a_masked_matrix_is_a_linear_layer() {
    let mut net = Layers::new(6);
    let x = net.image(3, 4);
    let x = net.conv(x, 6, 3, 1, 1, true);
    let x = net.global_mean(x, false);
    let w = net.parameter("fc.weight_orig", &[5, 6], (-0.5, 0.5), LEARNED);
    let mask = net.parameter("fc.weight_mask", &[5, 6], (0.0, 1.0), ParameterKind::Buffer);
    let masked = net.push("masked", Op::Binary(Binary::Mul), &[w, mask]);
    let turned = net.push("turned", Op::Permute { order: vec![1, 0] }, &[masked]);
    let y = net.push("product", Op::MatMul, &[x, turned]);
    let network = net.finish(y);
    let x = images(4, &[2, 3, 4, 4]);
    let wanted = forward(&network, &x).unwrap();
    let stored = super::store_computed_weights(network).unwrap();
    assert!(difference(&forward(&stored, &x).unwrap(), &wanted) < 1e-6);
    assert_eq!(stored.graph.operators().get("linear"), Some(&1));
    assert!(stored.graph.parameters.iter().any(|p| p.name == "fc.weight" && p.computed.is_some()));
}

#[test]
fn a_weight_that_takes_more_work_than_any_real_one_stays_computed_and_locks_its_layer() {
    let mut net = Layers::new(7);
    let x = net.image(1 << 12, 1);
    let w = net.parameter("w", &[1, 1, 1, 1], (0.5, 1.5), LEARNED);
    let shape = eagleeye_graph::shape::fixed(&[1 << 14, 1 << 12, 1, 1]);
    let mut wide = net.push("wide", Op::Expand { shape }, &[w]);
    for _ in 0..2 {
        wide = net.push("scaled", Op::Unary(Unary::MulScalar(0.5)), &[wide]);
    }
    let conv = Conv { stride: vec![1; 2], padding: vec![(0, 0); 2], dilation: vec![1; 2], groups: 1, transposed: None };
    let y = net.push("layer", Op::Conv(conv), &[x, wide]);
    let network = super::store_computed_weights(net.finish(y)).unwrap();
    assert_eq!(network.graph.parameters.len(), 1);
    let report = report(&Loaded { network, guessed_shape: false });
    let layer = report.groups.iter().find(|g| g.size == 1 << 14).unwrap();
    assert!(!layer.prunable && layer.reason.as_ref().unwrap().contains("computed weight"), "{layer:?}");
}
