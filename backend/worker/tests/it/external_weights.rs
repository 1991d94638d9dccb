//! An ONNX file with its weights in a file beside it, as `torch.onnx.export(dynamo=True)` writes: alone, together, zipped.

use std::io::Write;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::protobuf::{field, number};
use crate::support::{refusal, report, text};

const DATA: &str = "model.onnx.data";
/// Convolution `[8, 1, 3, 3]`, linear `[8, 10]`.
const WEIGHTS: [(&str, [u8; 4], usize); 2] = [("conv", [8, 1, 3, 3], 4), ("linear", [8, 10, 0, 0], 2)];

/// A value `[1, ..]` of the graph, f32.
fn value(name: &str, sizes: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = sizes.iter().flat_map(|&size| field(1, &number(1, size))).collect();
    let tensor = field(1, &[number(1, 1), field(2, &dims)].concat());
    [field(1, name.as_bytes()), field(2, &tensor)].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    [inputs, field(2, output.as_bytes()), field(3, output.as_bytes()), field(4, operator.as_bytes())].concat()
}

/// A tensor whose bytes are in the file of weights.
fn external(name: &str, sizes: &[u8], offset: usize, length: usize) -> Vec<u8> {
    let entry = |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
    let dims: Vec<u8> = sizes.iter().flat_map(|&size| number(1, size)).collect();
    let (offset, length) = (offset.to_string(), length.to_string());
    let place = [entry("location", DATA), entry("offset", &offset), entry("length", &length), number(14, 1)].concat();
    [dims, number(2, 1), field(8, name.as_bytes()), place].concat()
}

/// `x [1,1,4,4] -> convolution -> mean -> linear -> y [1,10]`, opset 17, by the numbers of the ONNX specification; and its
/// weights.
fn model() -> (Vec<u8>, Vec<u8>) {
    let nodes = [
        node("Conv", &["x", "conv"], "convolved"),
        node("GlobalAveragePool", &["convolved"], "pooled"),
        node("Flatten", &["pooled"], "flat"),
        node("MatMul", &["flat", "linear"], "y"),
    ];
    let mut graph: Vec<u8> = nodes.iter().flat_map(|node| field(1, node)).collect();
    graph.extend(field(2, b"g"));
    let mut data: Vec<u8> = Vec::new();
    for (name, sizes, rank) in WEIGHTS {
        let sizes = &sizes[..rank];
        let count: usize = sizes.iter().map(|&size| usize::from(size)).product();
        graph.extend(field(5, &external(name, sizes, data.len(), 4 * count)));
        data.extend((0..count).flat_map(|i| (i as f32 * 0.01 - 0.3).to_le_bytes()));
    }
    graph.extend([field(11, &value("x", &[1, 1, 4, 4])), field(12, &value("y", &[1, 10]))].concat());
    let opset = [field(1, b""), number(2, 17)].concat();
    ([number(1, 8), field(7, &graph), field(8, &opset)].concat(), data)
}

fn zipped(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn a_model_and_its_weights_are_read_together_or_from_a_zip_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, weights) = model();
    let (onnx, zip) = (folder.path().join("model.onnx"), folder.path().join("model.zip"));
    std::fs::write(&onnx, &graph).unwrap();
    std::fs::write(folder.path().join(DATA), &weights).unwrap();
    zipped(&zip, &[("net/model.onnx", &graph), ("net/model.onnx.data", &weights)]);

    let found = report(&["inspect", text(&onnx)]);
    assert_eq!((found["format"].as_str(), found["macs"].as_u64()), (Some("onnx"), Some(8 * 9 * 4 + 8 * 10)));
    assert_eq!(report(&["inspect", text(&zip)]), found);

    let prune = |model: &Path, out: &Path| {
        report(&["prune", text(model), "--macs", "0.5", "--min-keep-ratio", "0.2", "--out", text(out)])
    };
    let (from_onnx, from_zip) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
    assert_eq!(prune(&onnx, &from_onnx)["groups"], prune(&zip, &from_zip)["groups"]);
}

#[test]
fn a_model_without_its_weights_says_which_file_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, _) = model();
    let (onnx, zip) = (folder.path().join("model.onnx"), folder.path().join("model.zip"));
    std::fs::write(&onnx, &graph).unwrap();
    zipped(&zip, &[("model.onnx", &graph)]);
    for path in [&onnx, &zip] {
        let reason = refusal(&["inspect", text(path)]);
        assert!(reason.contains(DATA) && reason.contains("missing"), "{reason}");
    }
}
