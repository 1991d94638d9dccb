//! Windows, and what averages divide by.

use eagleeye_graph::{Op, Pool, PoolKind, ShapeError, output_shapes};

use super::{attribute, batched, floats, int64s, node, operators, single};
use crate::proto::GraphProto;

const AVERAGE: PoolKind = PoolKind::Average { count_include_pad: true };

fn pool(kind: PoolKind, kernel: usize, stride: usize, padding: (usize, usize), ceil: bool) -> Op {
    dilated(kind, kernel, stride, padding, 1, ceil)
}

fn dilated(kind: PoolKind, kernel: usize, stride: usize, padding: (usize, usize), dilation: usize, ceil: bool) -> Op {
    let (kernel, stride, padding, dilation) = (vec![kernel], vec![stride], vec![padding], vec![dilation]);
    Op::Pool(Pool { kind, kernel, stride, padding, dilation, ceil })
}

#[test]
fn pooling_that_rounds_up_pads_for_its_last_window_instead() {
    // Windows start at 0, 2, 4; the last one hangs over by one.
    let graph = single(&[2, 5], pool(PoolKind::Max, 2, 2, (0, 0), true));
    assert_eq!(attribute(node(&graph, "MaxPool"), "pads").ints, [0, 1]);
    // A window that would start behind the axis is dropped, as PyTorch does, and needs less than the network's padding.
    let graph = single(&[2, 4], pool(PoolKind::Max, 2, 3, (1, 1), true));
    assert_eq!(attribute(node(&graph, "MaxPool"), "pads").ints, [1, 0]);
    assert!(graph.node.iter().all(|n| n.attribute.iter().all(|a| a.name() != "ceil_mode")));
}

#[test]
fn an_average_counts_what_pytorch_counts() {
    let exclude = PoolKind::Average { count_include_pad: false };
    let graph = single(&[2, 5], pool(exclude, 2, 2, (0, 0), true));
    let average = node(&graph, "AveragePool");
    assert_eq!(
        (attribute(average, "count_include_pad").i(), attribute(average, "pads").ints.as_slice()),
        (0, &[0, 1][..])
    );
    // Padding that only makes the last window whole does not count, where the network's own padding does.
    let graph = single(&[2, 6], pool(AVERAGE, 3, 2, (1, 1), true));
    assert_eq!(operators(&graph), ["Pad", "AveragePool", "Mul"]);
    assert_eq!(floats(&graph, node(&graph, "Mul"), 1), [1.0, 1.0, 1.0, 1.5]);
}

#[test]
fn padding_as_large_as_the_window_is_a_node_of_its_own() {
    let graph = single(&[2, 6], pool(PoolKind::Max, 2, 1, (0, 2), false));
    assert_eq!(operators(&graph), ["Pad", "MaxPool"]);
    assert_eq!(floats(&graph, node(&graph, "Pad"), 2), [f32::NEG_INFINITY]);
    let graph = single(&[2, 6], pool(AVERAGE, 2, 1, (2, 0), false));
    assert_eq!(operators(&graph), ["Pad", "AveragePool", "Mul"]);
}

#[test]
fn adaptive_pooling_is_global_a_window_or_bins() {
    let adaptive = |sizes: &[usize], max, output: &[usize]| {
        let graph = single(sizes, Op::AdaptivePool { max, output: output.to_vec() });
        operators(&graph).join(" ")
    };
    assert_eq!(adaptive(&[3, 7, 7], false, &[1, 1]), "GlobalAveragePool");
    assert_eq!(adaptive(&[3, 7], true, &[1]), "GlobalMaxPool");
    assert_eq!(adaptive(&[3, 14, 8], false, &[7, 7]), "AveragePool");
    assert_eq!(adaptive(&[3, 1, 1], true, &[7, 7]), "Gather Gather");
    assert_eq!(adaptive(&[3, 7, 7], false, &[7, 7]), "Identity");
    let bins = "Slice ReduceMean Slice ReduceMean Slice ReduceMean Concat";
    assert_eq!(adaptive(&[3, 6, 5], false, &[3, 3]), format!("AveragePool {bins}"));
}

/// Size of the axis that a pooling node makes when it rounds down, from its own attributes and a node that pads before it.
fn rounded_down(graph: &GraphProto, size: usize) -> usize {
    let window = graph.node.iter().find(|n| n.op_type().ends_with("Pool")).unwrap();
    let numbers = |name: &str| -> Vec<usize> { attribute(window, name).ints.iter().map(|&n| n as usize).collect() };
    let padded_before = graph.node.iter().find(|n| n.op_type() == "Pad");
    let ends = padded_before.map_or(0, |pad| int64s(graph, pad, 1).iter().sum::<i64>() as usize);
    let dilation = if window.op_type() == "MaxPool" { numbers("dilations")[0] } else { 1 };
    let reach = dilation * (numbers("kernel_shape")[0] - 1) + 1;
    (size + ends + numbers("pads").iter().sum::<usize>() - reach) / numbers("strides")[0] + 1
}

#[test]
fn rounding_down_gives_the_networks_size_for_every_window() {
    let mut checked = 0;
    for size in 1..9 {
        for (kernel, stride) in (1..5).flat_map(|kernel| (1..5).map(move |stride| (kernel, stride))) {
            for padding in (0..3).flat_map(|before| (0..3).map(move |after| (before, after))) {
                for (dilation, ceil) in [(1, false), (1, true), (2, false), (2, true)] {
                    let kinds = if dilation == 1 { &[PoolKind::Max, AVERAGE][..] } else { &[PoolKind::Max] };
                    for &kind in kinds {
                        let op = dilated(kind, kernel, stride, padding, dilation, ceil);
                        let expected = match output_shapes(&op, &[&batched(&[2, size])]) {
                            Ok(shapes) => shapes[0][2].sample(),
                            Err(ShapeError::Window { .. }) => continue,
                            Err(error) => panic!("{op:?}: {error}"),
                        };
                        assert_eq!(rounded_down(&single(&[2, size], op.clone()), size), expected, "{op:?} on {size}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 5000, "{checked}");
}
