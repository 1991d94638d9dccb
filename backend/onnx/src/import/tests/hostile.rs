//! Broken and hostile files: an error in bounded time and memory, never a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// What a file may take that is made to take much.
const TIME: Duration = Duration::from_secs(60);
const KILOBYTES: u64 = 6 << 20;

/// Reads a file, and looks at what that took. Memory is the most that the process ever had.
fn bounded<R>(read: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = read();
    assert!(start.elapsed() < TIME, "{:?}", start.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < KILOBYTES, "{peak} kB");
    result
}

/// A network with most kinds of operators.
fn varied() -> Net {
    let zero = tensor("value", floats("", &[1], &[0.0]));
    Net::new(&[4, 8, 8])
        .weight("w", &[6, 4, 3, 3])
        .weight("m", &[6, 5])
        .weight("b", &[5])
        .ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1])
        .ints("target", &[0, 6, -1])
        .ints("axes", &[0])
        .ints("tail", &[6])
        .int("zero", 0)
        .node("padded", "Pad", &["x", "pads"])
        .node_with("c", "Conv", &["padded", "w"], &[list("strides", &[2, 2])])
        .node("s", "Sigmoid", &["c"])
        .node("g", "Mul", &["c", "s"])
        .node_with("p", "MaxPool", &["g"], &[list("kernel_shape", &[2, 2])])
        .node("v", "Reshape", &["p", "target"])
        .node_with("t", "Transpose", &["v"], &[list("perm", &[0, 2, 1])])
        .push(node("parts", "Split", &["t"], &["one", "two"], &[int("axis", 1), list("split", &[4, 5])]))
        .node_with("joined", "Concat", &["two", "one"], &[int("axis", 1)])
        .node_with("mean", "ReduceMean", &["joined"], &[list("axes", &[1]), int("keepdims", 0)])
        .node("shape", "Shape", &["mean"])
        .node("n", "Gather", &["shape", "zero"])
        .node("n_list", "Unsqueeze", &["n", "axes"])
        .node_with("wanted", "Concat", &["n_list", "tail"], &[int("axis", 0)])
        .node_with("zeros", "ConstantOfShape", &["wanted"], &[zero])
        .node("sum", "Add", &["mean", "zeros"])
        .node("y", "Gemm", &["sum", "m", "b"])
}

fn read_bytes(bytes: Vec<u8>) -> Result<Imported, OnnxError> {
    file::decode(bytes.into(), PathBuf::new()).and_then(|model| import(&model, None))
}

#[test]
fn the_network_that_is_broken_here_is_sound() {
    assert_eq!(sizes(&varied().graph()), [3, 5]);
}

#[test]
fn tensors_that_nobody_provides_are_named() {
    let error = Net::new(&[4]).node("y", "Relu", &["lost"]).error();
    assert_eq!(error, "node `y` reads `lost`, which is not an input, an initializer or the output of an earlier node");
}

#[test]
fn cycles_are_refused() {
    let net = Net::new(&[4]).node("a", "Add", &["x", "b"]).node("b", "Relu", &["a"]);
    assert!(matches!(bounded(|| net.read()), Err(OnnxError::MissingTensor { .. })));
    let own = Net::new(&[4]).node("a", "Relu", &["a"]);
    assert!(matches!(bounded(|| own.read()), Err(OnnxError::MissingTensor { .. })));
}

#[test]
fn tensor_sizes_that_lie_are_refused() {
    let huge = 1i64 << 31;
    for dims in [vec![4], vec![6], vec![-5], vec![huge], vec![huge; 4], vec![5, 0, huge], vec![i64::MIN], vec![1; 40]] {
        let stored = Net::new(&[5]).floats("w", &dims, &[1.0; 5]).node("y", "Add", &["x", "w"]);
        assert!(bounded(|| stored.read()).is_err(), "{dims:?}");
        let attribute = tensor("value", floats("inner", &dims, &[1.0; 5]));
        let constant = Net::new(&[5]).node_with("c", "Constant", &[], &[attribute]).node("y", "Add", &["x", "c"]);
        assert!(bounded(|| constant.read()).is_err(), "{dims:?}");
    }
    let mut raw = floats("w", &[2, 3], &[]);
    raw.raw_data = Some(vec![0; 23].into());
    let mut net = Net::new(&[2, 3]).node("y", "Add", &["x", "w"]);
    net.graph.initializer.push(raw);
    assert!(net.error().contains("has 23 bytes"));
}

/// A field with a message in it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(u64::from(number) << 3 | 2, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

#[test]
fn nesting_bombs_are_refused() {
    // A node with a graph in an attribute, and in that a node again.
    let graphs = (0..5_000).fold(Vec::new(), |inner, _| field(1, &field(5, &field(6, &inner))));
    assert!(bounded(|| read_bytes([vec![0x08, 0x08], field(7, &graphs)].concat())).is_err());
    // Lists of lists, as the type of the input.
    let types = (0..10_000).fold(Vec::new(), |inner, _| field(4, &field(1, &inner)));
    let input = field(11, &field(2, &types));
    assert!(bounded(|| read_bytes([vec![0x08, 0x08], field(7, &input)].concat())).is_err());
}

#[test]
fn deep_recursion_is_refused() {
    let function = |name: String, next: String| FunctionProto {
        name: Some(name),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: vec![NodeProto { domain: Some("local".into()), ..node("n", &next, &["a"], &["b"], &[]) }],
        ..FunctionProto::default()
    };
    let call = NodeProto { domain: Some("local".into()), ..node("y", "f0", &["x"], &["y"], &[]) };
    let chain =
        (0..100_000).map(|i| function(format!("f{i}"), format!("f{}", i + 1))).fold(Net::new(&[4]), Net::function);
    let error = bounded(|| chain.push(call.clone()).read()).unwrap_err();
    assert!(matches!(error, OnnxError::TooDeep(_)), "{error}");
    let own = Net::new(&[4]).function(function("f0".into(), "f0".into())).push(call);
    let error = bounded(|| own.read()).unwrap_err();
    assert!(matches!(error, OnnxError::TooDeep(_)), "{error}");
}

#[test]
fn weights_that_grow_while_they_are_computed_stay_in_bounded_memory() {
    let net = Net::new(&[16384, 1, 1]).weight("w", &[1, 1, 1, 1]).ints("sizes", &[16384, 16384, 1, 1]);
    let net = net.node("v", "Expand", &["w", "sizes"]).node("u", "Exp", &["v"]).node("t", "Exp", &["u"]);
    let read = bounded(|| net.node("y", "Conv", &["x", "t"]).read());
    assert!(read.is_ok_and(|imported| imported.weights.iter().all(|weight| weight.bytes.len() == 4)));
}

#[test]
fn names_with_two_meanings_are_refused() {
    let twice = Net::new(&[4]).node("a", "Relu", &["x"]).node("a", "Tanh", &["x"]);
    assert_eq!(twice.error(), "two tensors are named `a`");
    let stored = Net::new(&[4]).weight("w", &[4]).weight("w", &[4]).node("y", "Add", &["x", "w"]);
    assert_eq!(stored.error(), "two tensors are named `w`");
}

#[test]
fn enormous_sizes_are_refused() {
    let huge = 1i64 << 31;
    assert!(bounded(|| Net::new(&[huge, huge]).node("y", "Relu", &["x"]).read()).is_err());
    let expanded = Net::new(&[1]).ints("target", &[1, huge]).node("y", "Expand", &["x", "target"]);
    assert!(matches!(bounded(|| expanded.read()), Err(OnnxError::Shape { .. })));
    let filled = Net::new(&[1]).ints("sizes", &[huge]).node("c", "ConstantOfShape", &["sizes"]);
    assert!(bounded(|| filled.node("y", "Add", &["x", "c"]).error()).contains("more than"));
    let range = Net::new(&[1]).int("a", 0).int("b", i64::MAX).int("c", 1).node("r", "Range", &["a", "b", "c"]);
    assert!(bounded(|| range.node("y", "Add", &["x", "r"]).error()).contains("more than"));
    let padded = Net::new(&[4]).ints("pads", &[0, i64::MAX, 0, i64::MAX]).node("y", "Pad", &["x", "pads"]);
    assert!(padded.read().is_err());
    let conv = Net::new(&[1, 4, 4]).weight("w", &[1, 1, 1, 1]);
    for attribute in ["strides", "dilations", "pads"] {
        let values = vec![i64::MAX; if attribute == "pads" { 4 } else { 2 }];
        let net = conv.clone().node_with("y", "Conv", &["x", "w"], &[list(attribute, &values)]);
        let _ = net.clone().read();
        let same = net.node_with("z", "ConvTranspose", &["y", "w"], &[list(attribute, &values)]);
        let _ = same.read();
    }
}

#[test]
fn constants_that_multiply_are_refused_in_bounded_memory() {
    let net = Net::new(&[1]).ints("twice", &[1 << 22]).node("c", "ConstantOfShape", &["twice"]);
    let net = (0..64).fold(net, |net, i| net.node(&format!("c{i}"), "Neg", &["c"]));
    assert!(matches!(bounded(|| net.node("y", "Relu", &["x"]).read()), Err(OnnxError::TooComplex(_))));
}

#[test]
fn long_names_do_not_grow_the_graph() {
    let long = "n".repeat(1 << 16);
    let graph = Net::new(&[4]).push(node(&long, "Relu", &["x"], &["y"], &[])).graph();
    assert!(graph.nodes[0].name.len() < 200);
}

#[test]
fn operator_sets_that_are_not_known_are_refused() {
    assert!(matches!(Net::new(&[4]).opset(8).node("y", "Relu", &["x"]).read(), Err(OnnxError::Opset { found: 8, .. })));
    assert!(matches!(Net::new(&[4]).opset(99).node("y", "Relu", &["x"]).read(), Err(OnnxError::Opset { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes(bytes);
    }

    #[test]
    fn changed_bytes_never_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = varied().bytes();
        for (index, value) in changes {
            let length = bytes.len();
            bytes[index.index(length)] = value;
        }
        let _ = read_bytes(bytes);
    }

    #[test]
    fn files_cut_short_never_panic(cut in any::<proptest::sample::Index>()) {
        let mut bytes = varied().bytes();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(read_bytes(bytes).is_err());
    }

    /// Numbers where they hurt: attributes, shapes and constants of an otherwise sound file.
    #[test]
    fn changed_numbers_never_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), number()), 1..4)
    ) {
        let mut net = varied();
        for (place, entry, value) in changes {
            let mut lists: Vec<&mut Vec<i64>> = Vec::new();
            lists.extend(net.graph.initializer.iter_mut().map(|t| &mut t.int64_data));
            lists.extend(net.graph.node.iter_mut().flat_map(|n| &mut n.attribute).map(|a| &mut a.ints));
            lists.retain(|list| !list.is_empty());
            let count = lists.len();
            let list = &mut lists[place.index(count)];
            let length = list.len();
            list[entry.index(length)] = value;
        }
        let _ = net.read();
    }

    #[test]
    fn changed_inputs_and_operators_never_panic(
        node in any::<proptest::sample::Index>(),
        source in any::<proptest::sample::Index>(),
        operator in proptest::sample::select(super::super::operators::all_names()),
    ) {
        let mut net = varied();
        let names: Vec<String> = net.graph.initializer.iter().map(|t| t.name().to_owned())
            .chain(net.graph.node.iter().map(|n| n.output[0].clone())).collect();
        let index = node.index(net.graph.node.len());
        let changed = &mut net.graph.node[index];
        changed.op_type = Some(operator.into());
        changed.input[0] = source.get(&names).clone();
        let _ = net.read();
    }
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        Just(-1),
        Just(i64::MAX),
        Just(i64::MIN),
        Just(1 << 31),
        Just(1 << 40),
        -20..20i64,
        any::<i64>(),
    ]
}

#[test]
fn compositions_that_would_fill_the_memory_are_refused_before_they_do() {
    let causal = Net::new(&[1, 1 << 20, 1]).opset(23);
    let causal = causal.node_with("y", "Attention", &["x", "x", "x"], &[int("is_causal", 1)]);
    let error = bounded(|| causal.error());
    assert!(error.contains("mask of 1048576 x 1048576"), "{error}");
    let columns = Net::new(&[1 << 15, 1]).opset(18).ints("image", &[256, 128]).ints("window", &[256, 128]);
    let error = bounded(|| columns.node("y", "Col2Im", &["x", "image", "window"]).error());
    assert!(error.contains("sums windows of 32768"), "{error}");
    for antialias in [0, 1] {
        let net = Net::new(&[1, 4, 4]).opset(18).ints("sizes", &[1 << 40]);
        let attributes = [
            list("axes", &[3]),
            text("mode", "linear"),
            text("coordinate_transformation_mode", if antialias == 1 { "half_pixel" } else { "asymmetric" }),
            int("antialias", antialias),
        ];
        let net = net.node_with("y", "Resize", &["x", "", "", "sizes"], &attributes);
        let error = bounded(|| net.error());
        assert!(error.contains("entries in total"), "{error}");
    }
}
