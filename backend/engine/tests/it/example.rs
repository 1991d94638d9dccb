//! `examples/mobilenet_v1.pt`: a trained MobileNetV1 of width 0.5 on 28x28 grey images.

use std::path::PathBuf;

use eagleeye_engine::{Format, Loaded, Network, export, forward, inspect, load, prune_to};
use eagleeye_graph::{Op, Unary, shape};
use eagleeye_spec::Space;
use eagleeye_spec::report::ModelReport;
use tch::{Device, Kind, Tensor};

use crate::difference::difference;

pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/mobilenet_v1.pt")
}

fn example() -> Loaded {
    load(&path(), Some(&[1, 1, 28, 28])).unwrap()
}

fn images(count: i64) -> Tensor {
    tch::manual_seed(1);
    Tensor::randn([count, 1, 28, 28], (Kind::Float, Device::Cpu))
}

#[test]
fn the_report_names_layers_groups_and_what_is_locked() {
    let ModelReport { figures, inputs, details: report, .. } = inspect(&example(), &Space::default()).unwrap().report;
    assert_eq!((figures.format.name(), inputs[0].shape.as_slice()), ("torchscript", &[1, 1, 28, 28][..]));
    assert_eq!((figures.classes, figures.batch_norms, figures.parameters), (Some(10), 27, 823_434));
    assert_eq!((report.operators["conv2d"], report.operators["linear"]), (27, 1));
    let prunable: Vec<_> = report.groups.iter().filter(|g| g.prunable).collect();
    assert_eq!((prunable.len(), prunable.iter().map(|g| g.size).sum::<u64>()), (14, 2_992));
    let locked: Vec<_> = report.groups.iter().filter(|g| !g.prunable).map(|g| g.name.as_str()).collect();
    assert_eq!(locked, ["fc"]);
    assert_eq!(report.groups[0].members[0].parameter, "features.0.0.weight");
}

#[test]
fn multiply_adds_differ_from_torch_prunings_by_the_layers_that_are_no_multiply_adds() {
    let network = example().network;
    let graph = &network.graph;
    let elements = |wanted: fn(&Op) -> bool| -> usize {
        let nodes = graph.nodes.iter().filter(|n| wanted(&n.op));
        nodes.map(|n| shape::sample(graph.shape(n.outputs[0])).iter().product::<usize>()).sum()
    };
    let batch_norms = elements(|op| matches!(op, Op::BatchNorm { .. }));
    let relus = elements(|op| matches!(op, Op::Unary(Unary::Relu)));
    let own = eagleeye_graph::macs(graph);
    assert_eq!(own, 15_666_752);
    // Torch-Pruning's counter adds two operations an element of an affine batch norm, one an element of a ReLU, and one for
    // each bias of the linear layer; it says 16,242,186.
    let linear_bias = 10;
    assert_eq!(own + 2 * batch_norms as u64 + relus as u64 + linear_bias, 16_242_186);
}

#[test]
fn libtorch_running_the_file_itself_answers_the_same() {
    let module = tch::CModule::load(path()).unwrap();
    for count in [1, 5] {
        let x = images(count);
        let expected = tch::no_grad(|| module.forward_ts(std::slice::from_ref(&x))).unwrap();
        assert!(difference(&forward(&example().network, &x).unwrap(), &expected) < 1e-5);
    }
}

#[test]
fn the_input_shape_is_found_without_being_given() {
    let found = load(&path(), None).unwrap();
    assert_eq!(found.network.graph.input_shape(1), [1, 1, 28, 28]);
}

#[test]
fn a_wrong_number_of_channels_names_the_layer_at_fault() {
    let error = load(&path(), Some(&[1, 3, 28, 28])).unwrap_err().to_string();
    assert!(error.contains("features.0.0") && error.contains("channels"), "{error}");
}

#[test]
fn pruned_files_of_every_format_hold_the_uploaded_names() {
    let folder = tempfile::tempdir().unwrap();
    let network = example().network;
    let names = |n: &Network| {
        let mut names: Vec<String> = n.graph.parameters.iter().map(|p| p.name.clone()).collect();
        names.sort();
        names
    };
    for round_to in [1, 8] {
        let space = Space { round_to: Some(round_to), min_keep_ratio: 0.1 };
        let pruned = prune_to(&network, 0.5, 7, 0, &space).unwrap();
        let share = pruned.report.macs.after as f64 / pruned.report.macs.before as f64;
        assert!((share / 0.5 - 1.0).abs() < 0.01, "{share}");
        assert!(pruned.report.groups.iter().filter(|g| g.name != "fc").all(|g| g.kept % round_to == 0));
        for format in [Format::TorchScript, Format::Onnx, Format::Safetensors] {
            let file = folder.path().join("pruned").with_extension(format.extension());
            export(&pruned.network, format, &file).unwrap();
        }
        let read = load(&folder.path().join("pruned.pt"), None).unwrap().network;
        assert_eq!(names(&read), names(&network));
        let read = load(&folder.path().join("pruned.onnx"), None).unwrap().network;
        // Nothing reads the counters of batches, and ONNX keeps only what is read.
        let kept: Vec<String> = names(&network).into_iter().filter(|n| !n.ends_with("num_batches_tracked")).collect();
        assert_eq!(names(&read), kept);
    }
}
