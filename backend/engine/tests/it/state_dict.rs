//! `examples/mobilenet_v1.pt` as a `state_dict` for the class that it was traced from.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use eagleeye_engine::{
    Document, Format, Network, StateDictError, export, export_state_dict, forward, load, load_narrowed, prune_to,
};
use eagleeye_graph::{Conv, Dim, ElementType, GraphBuilder, Op, ParameterKind, Reduction};
use eagleeye_spec::Space;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::difference::difference;
use crate::example::path;

const SHAPE: [usize; 4] = [1, 1, 28, 28];

fn full() -> Network {
    load(&path(), Some(&SHAPE)).unwrap().network
}

fn pruned(full: &Network) -> Network {
    prune_to(full, 0.5, 7, 0, &Space::default()).unwrap().network
}

/// The archive of `pruned`, read again by the code of the file at `source`.
fn archived(source: &Path, full: &Network, pruned: &Network, out: &Path) -> Result<f64, StateDictError> {
    let documents = [Document { name: "card.md", text: "# A card\n".into() }];
    export_state_dict(full, pruned, &documents, out, |weights| load_narrowed(source, &SHAPE, weights))
}

fn entries(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.insert(entry.name().unwrap().into_owned(), bytes);
    }
    entries
}

#[test]
fn an_archive_has_the_weights_by_name_and_the_widths_of_the_modules() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.zip");
    let full = full();
    let pruned = pruned(&full);
    assert!(archived(&path(), &full, &pruned, &out).unwrap() < 1e-5);

    let entries = entries(&out);
    assert_eq!(entries.keys().collect::<Vec<_>>(), ["card.md", "rebuild.py", "weights.safetensors"]);
    let tensors = SafeTensors::deserialize(&entries["weights.safetensors"]).unwrap();
    for parameter in pruned.graph.parameters.iter().filter(|own| own.kind != ParameterKind::Constant) {
        assert_eq!(tensors.tensor(&parameter.name).unwrap().shape(), parameter.shape, "{}", parameter.name);
    }
    assert!(tensors.names().iter().any(|name| name.ends_with("num_batches_tracked")));

    let rebuild = String::from_utf8(entries["rebuild.py"].clone()).unwrap();
    let depthwise = full.graph.parameters.iter().zip(&pruned.graph.parameters);
    let depthwise = depthwise.filter(|(own, new)| own.name.ends_with(".0.0.weight") && own.shape != new.shape);
    let (name, kept) = depthwise.map(|(_, new)| (&new.name, new.shape[0])).nth(1).unwrap();
    let (conv, block) = (name.strip_suffix(".weight").unwrap(), name.strip_suffix(".0.weight").unwrap());
    let lines = [
        format!("    \"{conv}\": {{\"groups\": {kept}, \"in_channels\": {kept}, \"out_channels\": {kept}}},\n"),
        format!("    \"{block}.1\": {{\"num_features\": {kept}}},\n"),
        format!("    \"{name}\": [{kept}, 1, 3, 3],\n"),
    ];
    for line in lines {
        assert!(rebuild.contains(&line), "no {line} in\n{rebuild}");
    }
    assert!(!rebuild.contains('@'), "nothing of the template is left open");
}

#[test]
fn the_same_network_gives_the_same_archive() {
    let folder = tempfile::tempdir().unwrap();
    let full = full();
    let written = ["first.zip", "second.zip"].map(|name| {
        let out = folder.path().join(name);
        archived(&path(), &full, &pruned(&full), &out).unwrap();
        std::fs::read(out).unwrap()
    });
    assert!(written[0] == written[1]);
}

#[test]
fn the_files_own_code_answers_with_the_archives_weights_as_the_engine_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.zip");
    let full = full();
    let pruned = pruned(&full);
    archived(&path(), &full, &pruned, &out).unwrap();
    let weights = folder.path().join("weights.safetensors");
    std::fs::write(&weights, &entries(&out)["weights.safetensors"]).unwrap();
    let read = load_narrowed(&path(), &SHAPE, &weights).unwrap();
    tch::manual_seed(3);
    let images = Tensor::randn([2, 1, 28, 28], (Kind::Float, Device::Cpu));
    assert!(difference(&forward(&read, &images).unwrap(), &forward(&pruned, &images).unwrap()) < 1e-6);
}

/// A convolution with a batch norm and a classifier, whose code states no sizes.
fn small() -> Network {
    let mut builder = GraphBuilder::new("small");
    let mut weights = Vec::new();
    let mut parameter = |builder: &mut GraphBuilder, name: &str, sizes: &[usize], kind| {
        let signed: Vec<i64> = sizes.iter().map(|&size| size as i64).collect();
        weights.push(Tensor::rand(&signed[..], (Kind::Float, Device::Cpu)) + 0.1);
        builder.parameter(name, sizes, ElementType::F32, kind).unwrap().1
    };
    let (learned, buffer) = (ParameterKind::Parameter, ParameterKind::Buffer);
    let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(1), Dim::Fixed(28), Dim::Fixed(28)]).unwrap();
    let weight = parameter(&mut builder, "conv.weight", &[32, 1, 3, 3], learned);
    let [stride, dilation] = [vec![1; 2], vec![1; 2]];
    let conv = Conv { stride, padding: vec![(0, 0); 2], dilation, groups: 1, transposed: None };
    let x = builder.push("conv", Op::Conv(conv), &[x, weight]).unwrap();
    let mut inputs = vec![x];
    for (part, kind) in [("weight", learned), ("bias", learned), ("running_mean", buffer), ("running_var", buffer)] {
        inputs.push(parameter(&mut builder, &format!("bn.{part}"), &[32], kind));
    }
    let x = builder.push("bn", Op::BatchNorm { epsilon: 1e-5 }, &inputs).unwrap();
    let mean = Op::Reduce { kind: Reduction::Mean, axes: vec![2, 3], keep_dims: false };
    let x = builder.push("mean", mean, &[x]).unwrap();
    let weight = parameter(&mut builder, "fc.weight", &[10, 32], learned);
    let bias = parameter(&mut builder, "fc.bias", &[10], learned);
    let y = builder.push("fc", Op::Linear { transposed: false }, &[x, weight, bias]).unwrap();
    let graph = builder.finish(&[y]).unwrap();
    let (precision, metadata) = Default::default();
    Network { graph, weights, precision, format: Format::Onnx, metadata }
}

#[test]
fn an_onnx_file_with_its_names_kept_has_a_state_dict_too_and_counters_are_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let (source, out) = (folder.path().join("full.onnx"), folder.path().join("pruned.zip"));
    export(&small(), Format::Onnx, &source).unwrap();
    let full = load(&source, Some(&SHAPE)).unwrap().network;
    assert!(archived(&source, &full, &pruned(&full), &out).unwrap() < 1e-5);
    let entries = entries(&out);
    let tensors = SafeTensors::deserialize(&entries["weights.safetensors"]).unwrap();
    let counter = tensors.tensor("bn.num_batches_tracked").unwrap();
    assert_eq!((counter.dtype(), counter.shape(), counter.data()), (Dtype::I64, &[][..], &[0; 8][..]));
    assert_eq!(tensors.names().len(), 8);
}

#[test]
fn weights_that_answer_differently_are_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.zip");
    let full = full();
    let pruned = pruned(&full);
    let other = export_state_dict(&full, &pruned, &[], &out, |weights| {
        let mut read = load_narrowed(&path(), &SHAPE, weights)?;
        read.weights[0] = &read.weights[0] * 1.01;
        Ok(read)
    });
    assert!(matches!(other, Err(StateDictError::ComputesElse(_))), "{other:?}");
    assert!(!out.exists());
}

/// The network with something that is not of its class, and why it is refused.
fn refusal(change: impl FnOnce(&mut Network, &mut Network)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pruned.zip");
    let mut full = full();
    let mut pruned = pruned(&full);
    change(&mut full, &mut pruned);
    let refused = archived(&path(), &full, &pruned, &out).unwrap_err();
    assert!(!out.exists());
    refused.to_string()
}

#[test]
fn what_needs_more_than_other_widths_is_refused_and_the_node_is_named() {
    // A tensor that has lost slices.
    let changed = |full: &Network, pruned: &Network| {
        let mut parts = full.graph.parameters.iter().zip(&pruned.graph.parameters);
        parts.position(|(own, new)| own.shape != new.shape).unwrap()
    };
    let computed = refusal(|full, pruned| {
        let from = vec!["features.0.0.v".to_owned(), "features.0.0.g".to_owned()];
        let index = changed(full, pruned);
        full.graph.parameters[index].computed = Some(eagleeye_graph::Computed { from, slices: Vec::new() });
    });
    assert!(computed.contains("features.0.0.v and features.0.0.g"), "{computed}");
    let unnamed = refusal(|full, pruned| {
        for network in [full, pruned] {
            network.format = Format::Onnx;
            network.graph.parameters[0].name = "onnx::Conv_12".into();
        }
    });
    assert!(unnamed.contains("`onnx::Conv_12`") && unnamed.contains("folds batch norms"), "{unnamed}");
    let constant = refusal(|full, pruned| {
        let index = changed(full, pruned);
        for network in [full, pruned] {
            network.graph.parameters[index].kind = ParameterKind::Constant;
        }
    });
    assert!(constant.contains("contains the constant"), "{constant}");
    let added = refusal(|_, pruned| pruned.graph.parameters[0].name = "features.0.0.bias".into());
    assert!(added.contains("`features.0.0.bias`") && added.contains("no place"), "{added}");
}

#[test]
fn code_with_sizes_of_its_own_is_refused_where_it_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (source, out) = (folder.path().join("full.pt"), folder.path().join("pruned.zip"));
    // EagleEye's own files state every size: that of the flattened channels in front of the classifier, too.
    let mut full = full();
    let fc = full.graph.nodes.iter().position(|node| matches!(node.op, Op::Linear { .. })).unwrap();
    assert!(full.graph.nodes[..fc].iter().any(|node| matches!(node.op, Op::Reshape { .. })), "nothing is flattened");
    export(&full, Format::TorchScript, &source).unwrap();
    full = load(&source, Some(&SHAPE)).unwrap().network;
    let refused = archived(&source, &full, &pruned(&full), &out).unwrap_err();
    assert!(matches!(refused, StateDictError::MoreThanWidths(_)), "{refused}");
    assert!(refused.to_string().contains("reshape") || refused.to_string().contains('`'), "{refused}");
}
