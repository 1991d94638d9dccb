//! Shapes that depend on the batch, as exporters compute or write them.

use eagleeye_graph::{Dim, Op, shape::fixed};

use super::*;

#[test]
fn arithmetic_over_shapes_folds_with_a_symbolic_batch() {
    // x.view(x.size(0), -1, 2 * x.size(1) // 4)
    let graph = Net::new(&[8, 6])
        .int("zero", 0)
        .int("one", 1)
        .int("two", 2)
        .int("four", 4)
        .ints("axes", &[0])
        .ints("rest", &[-1])
        .node("shape", "Shape", &["x"])
        .node("n", "Gather", &["shape", "zero"])
        .node("c", "Gather", &["shape", "one"])
        .node("twice", "Mul", &["c", "two"])
        .node("half", "Div", &["twice", "four"])
        .node("n_list", "Unsqueeze", &["n", "axes"])
        .node("half_list", "Unsqueeze", &["half", "axes"])
        .node_with("target", "Concat", &["n_list", "rest", "half_list"], &[int("axis", 0)])
        .node("y", "Reshape", &["x", "target"])
        .graph();
    assert_eq!(only(&graph), Op::Reshape { shape: batched(&[12, 4]) });
}

#[test]
fn windows_and_heads_multiply_the_batch() {
    let view = |target: &[i64]| {
        let net = Net::new(&[4, 8, 6]).ints("windows", target).node("w", "Reshape", &["x", "windows"]);
        let net = net.node("s", "Shape", &["w"]).int("zero", 0).node("n", "Gather", &["s", "zero"]).int("w8", 8);
        let net =
            net.node("images", "Div", &["n", "w8"]).ints("axes", &[0]).node("i", "Unsqueeze", &["images", "axes"]);
        let net = net.ints("rest", &[8, -1, 6]).node_with("back", "Concat", &["i", "rest"], &[int("axis", 0)]);
        net.node("y", "Reshape", &["w", "back"]).graph()
    };
    let graph = view(&[-1, 4, 6]);
    assert_eq!(graph.shape(graph.nodes[0].outputs[0])[0], Dim::Batch(8));
    assert_eq!(out(&graph), batched(&[8, 4, 6]));
}

#[test]
fn zero_keeps_an_axis_unless_zero_is_allowed() {
    let view = |target: &[i64], allow: i64| {
        let net = Net::new(&[4, 6]).ints("target", target);
        net.node_with("y", "Reshape", &["x", "target"], &[int("allowzero", allow)]).read()
    };
    assert_eq!(only(&view(&[0, -1], 0).unwrap().graph), Op::Reshape { shape: batched(&[24]) });
    assert!(view(&[0, -1], 1).is_err());
    assert!(view(&[-1, 5], 0).unwrap_err().to_string().contains("cannot view [N, 4, 6] as [-1, 5]"));
}

#[test]
fn a_class_token_is_repeated_over_the_batch() {
    // token.expand(x.size(0), -1, -1)
    let net = Net::new(&[5, 3])
        .weight("token", &[1, 1, 3])
        .int("zero", 0)
        .ints("axes", &[0])
        .ints("keep", &[-1, -1])
        .ints("minus", &[-1, -1, -1])
        .ints("ones", &[1, 1, 1])
        .node("shape", "Shape", &["x"])
        .node("n", "Gather", &["shape", "zero"])
        .node("n_list", "Unsqueeze", &["n", "axes"])
        .node_with("wanted", "Concat", &["n_list", "keep"], &[int("axis", 0)])
        .node("open", "Equal", &["wanted", "minus"])
        .node("target", "Where", &["open", "ones", "wanted"])
        .node("tokens", "Expand", &["token", "target"])
        .node_with("y", "Concat", &["tokens", "x"], &[int("axis", 1)]);
    let graph = net.graph();
    assert_eq!(ops(&graph), [Op::Expand { shape: batched(&[1, 3]) }, Op::Cat { axis: 1 }]);
    assert_eq!(out(&graph), batched(&[6, 3]));
}

#[test]
fn a_batch_that_was_written_as_a_number_is_symbolic_all_the_same() {
    let view = |written: i64, target: &[i64]| {
        let net = Net::new(&[]).input("x", Some(written), &[4, 6]).ints("target", target);
        net.node("y", "Reshape", &["x", "target"]).read()
    };
    assert_eq!(out(&view(1, &[1, -1]).unwrap().graph), batched(&[24]));
    assert_eq!(out(&view(1, &[1, 2, 2, 6]).unwrap().graph), batched(&[2, 2, 6]));
    assert_eq!(out(&view(2, &[2, -1]).unwrap().graph), batched(&[24]));
    let windows = view(2, &[8, 6]).unwrap().graph;
    assert_eq!(out(&windows), [vec![Dim::Batch(4)], fixed(&[6])].concat());
    assert!(view(2, &[3, 16]).is_err());
}

#[test]
fn a_written_batch_is_found_behind_a_transposition() {
    let net = Net::new(&[]).input("x", Some(1), &[7, 6]).ints("target", &[7, 3, 2]).ints("flat", &[7, 6]);
    let net = net.node_with("t", "Transpose", &["x"], &[list("perm", &[1, 0, 2])]);
    let heads = net.clone().node("y", "Reshape", &["t", "target"]).graph();
    assert_eq!(out(&heads), [Dim::Fixed(7), Dim::Batch(3), Dim::Fixed(2)]);
    let flat = net.clone().node("y", "Reshape", &["t", "flat"]).graph();
    assert_eq!(out(&flat), [Dim::Batch(7), Dim::Fixed(6)]);
    // The batch is still inside of the joined axis.
    let apart = net.ints("apart", &[7, 1, 6]).node("f", "Reshape", &["t", "flat"]).node("r", "Relu", &["f"]);
    let apart = apart.node("y", "Reshape", &["r", "apart"]).graph();
    assert_eq!(out(&apart), [Dim::Fixed(7), Dim::Batch(1), Dim::Fixed(6)]);
}

#[test]
fn a_token_repeated_to_a_written_batch_is_repeated_over_every_batch() {
    let net = Net::new(&[]).input("x", Some(2), &[5, 3]).weight("token", &[1, 1, 3]).ints("target", &[2, -1, -1]);
    let net = net.ints("twice", &[2, 1, 3]).node("tokens", "Expand", &["token", "twice"]);
    let graph = net.node_with("y", "Concat", &["tokens", "x"], &[int("axis", 1)]).graph();
    assert_eq!(ops(&graph), [Op::Expand { shape: batched(&[1, 3]) }, Op::Cat { axis: 1 }]);
}

#[test]
fn padding_channels_by_zeros_for_every_image() {
    let zero = tensor("value", floats("", &[1], &[0.0]));
    let net = Net::new(&[4, 2, 2]).int("zero", 0).ints("axes", &[0]).ints("rest", &[3, 2, 2]);
    let net = net.node("shape", "Shape", &["x"]).node("n", "Gather", &["shape", "zero"]);
    let net = net.node("n_list", "Unsqueeze", &["n", "axes"]);
    let net = net.node_with("target", "Concat", &["n_list", "rest"], &[int("axis", 0)]);
    let net = net.node_with("zeros", "ConstantOfShape", &["target"], &[zero]);
    let graph = net.node_with("y", "Concat", &["x", "zeros"], &[int("axis", 1)]).graph();
    assert_eq!(out(&graph), batched(&[7, 2, 2]));
}

#[test]
fn a_box_of_every_image_is_written() {
    // y = x; y[:, 1:3] = -x[:, :2], with the places of all entries as exporters write them
    let net = Net::new(&[4, 5])
        .int("zero", 0)
        .int("one", 1)
        .int("three", 3)
        .ints("first_two", &[0, 1])
        .ints("column", &[-1, 1])
        .ints("last", &[-1])
        .node("shape", "Shape", &["x"])
        .node("n", "Gather", &["shape", "zero"])
        .node("images", "Range", &["zero", "n", "one"])
        .node("channels", "Range", &["one", "three", "one"])
        .node("rows", "Reshape", &["images", "column"])
        .node("grid", "Add", &["rows", "channels"])
        .node("sizes", "Shape", &["grid"])
        .node("i", "Expand", &["rows", "sizes"])
        .node("j", "Expand", &["channels", "sizes"])
        .node("i1", "Unsqueeze", &["i", "last"])
        .node("j1", "Unsqueeze", &["j", "last"])
        .node_with("places", "Concat", &["i1", "j1"], &[int("axis", -1)])
        .node_with("front", "Gather", &["x", "first_two"], &[int("axis", 1)])
        .node("new", "Neg", &["front"]);
    let graph = net.clone().node("y", "ScatterND", &["x", "places", "new"]).graph();
    let kept = |start, end| Op::Slice { axis: 1, start, end, step: 1 };
    assert_eq!(ops(&graph)[2..], [kept(0, 1), kept(3, 4), Op::Cat { axis: 1 }]);
    let inputs: Vec<_> = graph.nodes.last().unwrap().inputs.iter().map(|&i| graph.shape(i)[1]).collect();
    assert_eq!(inputs, [Dim::Fixed(1), Dim::Fixed(2), Dim::Fixed(1)]);
    let misfit = net.node("y", "ScatterND", &["x", "places", "x"]).error();
    assert!(misfit.contains("updates that do not match their positions"), "{misfit}");
}

#[test]
fn what_is_made_for_each_image_is_computed_for_one() {
    // cumsum(ones(N, 3), dim=1) / 3, as position tables are made
    let net = Net::new(&[3]).int("zero", 0).int("one", 1).ints("axes", &[0]).ints("rest", &[3]);
    let net = net.floats("three", &[], &[3.0]).node("shape", "Shape", &["x"]).node("n", "Gather", &["shape", "zero"]);
    let net = net.node("n_list", "Unsqueeze", &["n", "axes"]);
    let net = net.node_with("target", "Concat", &["n_list", "rest"], &[int("axis", 0)]);
    let ones = tensor("value", floats("", &[1], &[1.0]));
    let net = net.node_with("ones", "ConstantOfShape", &["target"], &[ones]).node("sums", "CumSum", &["ones", "one"]);
    let imported =
        net.clone().node("table", "Div", &["sums", "three"]).node("y", "Add", &["x", "table"]).read().unwrap();
    assert_eq!(ops(&imported.graph)[0], Op::Expand { shape: batched(&[3]) });
    assert_eq!(entries(&imported, "table").to_f32().unwrap(), [1.0 / 3.0, 2.0 / 3.0, 1.0]);
    // Along the batch, every image gets another sum.
    let error = net.node("counts", "CumSum", &["ones", "zero"]).node("y", "Add", &["x", "counts"]).error();
    assert!(error.contains("not the same for every image"), "{error}");
}

#[test]
fn a_view_with_strides_counts_the_images() {
    // as_strided: index[n, c] = n * 6 + c
    let net = Net::new(&[6, 1])
        .int("zero", 0)
        .int("one", 1)
        .int("six", 6)
        .ints("flat", &[-1])
        .ints("axes", &[1])
        .node("entries", "Reshape", &["x", "flat"])
        .node("shape", "Shape", &["x"])
        .node("n", "Gather", &["shape", "zero"])
        .node("images", "Range", &["zero", "n", "one"])
        .node("starts", "Mul", &["images", "six"])
        .node("column", "Unsqueeze", &["starts", "axes"]);
    let offsets = tensor("value", ints("", &[1, 6], &[0, 1, 2, 3, 4, 5]));
    let net = net.push(node("offsets", "Constant", &[], &["offsets"], &[offsets]));
    let graph = net.node("index", "Add", &["column", "offsets"]).node("y", "Gather", &["entries", "index"]).graph();
    assert_eq!(out(&graph), batched(&[6]));
    assert!(ops(&graph).iter().all(|op| matches!(op, Op::Reshape { .. })));
}

#[test]
fn what_mixes_images_is_refused() {
    let reduce = Net::new(&[4]).node_with("y", "ReduceMean", &["x"], &[list("axes", &[0])]).error();
    assert_eq!(reduce, "unsupported operators: ReduceMean at `y` (reduces over the batch)");
    let net = Net::new(&[4]).ints("start", &[1]).ints("end", &[9]).ints("axis", &[0]);
    let slice = net.node("y", "Slice", &["x", "start", "end", "axis"]).error();
    assert_eq!(slice, "unsupported operators: Slice at `y` (slices the batch)");
}
