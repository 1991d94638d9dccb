//! Operators that both importers compose: what of them can be pruned, and that it is right.

use eagleeye_graph::compose::patches::{Window, from_columns, to_columns};
use eagleeye_graph::compose::sampling::{interpolate_widened, linear};
use eagleeye_graph::compose::{arithmetic, einsum::einsum};
use eagleeye_graph::{BuildError, Compose, Dim, Graph, Interpolation, Op, SampleMode, SamplePadding, Shape, ValueId};

use crate::net::Net;
use crate::oracle::{assert_prunes, groups};

impl Compose for Net {
    type Fault = BuildError;

    fn shape(&self, id: ValueId) -> &Shape {
        self.builder.shape(id)
    }

    fn push(&mut self, op: Op, inputs: &[ValueId]) -> Result<ValueId, BuildError> {
        Ok(Net::push(self, op, inputs))
    }

    fn constant(&mut self, sizes: &[usize], entries: Vec<f64>) -> Result<ValueId, BuildError> {
        let name = format!("constant {} of {}", entries.len(), self.constants());
        Ok(self.buffer(&name, sizes))
    }

    fn product(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, BuildError> {
        Ok(Net::push(self, Op::MatMul, &[a, b]))
    }

    fn is_parameter(&self, id: ValueId) -> bool {
        matches!(self.builder.source(id), eagleeye_graph::Source::Parameter(_))
    }

    fn made_by(&self, _: ValueId) -> Option<(&Op, &[ValueId])> {
        None
    }

    fn holds_truths(&self, _: ValueId) -> bool {
        false
    }

    fn unsupported(reason: String) -> BuildError {
        panic!("{reason}")
    }

    fn invalid(reason: String) -> BuildError {
        panic!("{reason}")
    }
}

fn prunable(graph: &Graph) -> Vec<(String, usize)> {
    for seed in 0..8 {
        assert_prunes(graph, seed);
    }
    groups(graph).prunable().map(|g| (g.name.clone(), g.size)).collect()
}

fn named(sizes: &[(&str, usize)]) -> Vec<(String, usize)> {
    sizes.iter().map(|&(name, size)| (name.to_owned(), size)).collect()
}

#[test]
fn a_layer_written_as_an_equation_has_groups_like_a_convolution() {
    for (equation, sizes) in [("nchw,oc->nohw", [4, 6]), ("nchw,co->nohw", [6, 4]), ("oc,nchw->nohw", [4, 6])] {
        let (mut net, x) = Net::image(3, 4);
        let x = net.conv("a", x, 6, 3, 1);
        let weight = net.parameter("layer.weight", &sizes);
        let operands = if equation.starts_with("oc") { [weight, x] } else { [x, weight] };
        let x = einsum(&mut net, equation, &operands).unwrap();
        assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 6), ("layer", 4)]), "{equation}");
    }
}

#[test]
fn the_windows_of_a_channel_go_with_it() {
    let window = |kernel, stride| Window { kernel, stride, dilation: 1, padding: (0, 0) };
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 5, 3, 1);
    let x = to_columns(&mut net, x, [window(2, 2), window(2, 2)]).unwrap();
    let x = net.reshape(x, &[20, 2, 2]);
    let x = net.conv("b", x, 4, 1, 1);
    assert_eq!(prunable(&net.classifier(x, 3)), named(&[("a", 5), ("b", 4)]));
}

#[test]
fn windows_that_overlap_are_summed_by_channel() {
    let window = Window { kernel: 3, stride: 1, dilation: 1, padding: (1, 1) };
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 5, 3, 1);
    let x = to_columns(&mut net, x, [window; 2]).unwrap();
    let x = from_columns(&mut net, x, [4, 4], [window; 2]).unwrap();
    let x = net.conv("b", x, 4, 1, 1);
    let graph = net.classifier(x, 3);
    assert_eq!(groups(&graph).prunable().map(|g| g.size).collect::<Vec<_>>(), [5, 4]);
}

#[test]
fn a_widened_kernel_is_computed_a_few_times_for_each_entry() {
    let (mut net, x) = Net::image(1, 64);
    let calls = std::cell::Cell::new(0);
    let kernel = |distance: f64| {
        calls.set(calls.get() + 1);
        linear(distance)
    };
    interpolate_widened(&mut net, x, 2, 32, 2.0, (&kernel, 64.0)).unwrap();
    assert!((64 * 32..=2 * 64 * 32).contains(&calls.get()), "{}", calls.get());
}

#[test]
fn what_is_chosen_between_belongs_together_with_the_condition() {
    let (mut net, x) = Net::image(3, 4);
    let (a, b) = (net.conv("a", x, 6, 3, 1), net.conv("b", x, 6, 3, 1));
    let condition = net.conv("c", x, 6, 3, 1);
    let bound = net.parameter("bound", &[6, 1, 1]);
    let above = arithmetic::compare(&mut net, arithmetic::Comparison::Greater, condition, bound).unwrap();
    let x = arithmetic::select(&mut net, above, a, b).unwrap();
    let graph = net.classifier(x, 3);
    assert_eq!(groups(&graph).prunable().map(|g| (g.name.as_str(), g.size)).collect::<Vec<_>>(), [("a", 6)]);
    let members: Vec<&str> =
        groups(&graph).groups[0].members.iter().map(|m| graph.parameter(m.parameter).name.as_str()).collect();
    assert_eq!(members, ["a.weight", "b.weight", "c.weight", "bound", "fc.weight"]);
    prunable(&graph);
}

#[test]
fn numbers_to_choose_from_do_not_make_channels_one() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let (bound, low, high) = (net.number(0.1).unwrap(), net.number(0.2).unwrap(), net.number(0.3).unwrap());
    let above = arithmetic::compare(&mut net, arithmetic::Comparison::Less, x, bound).unwrap();
    let x = arithmetic::select(&mut net, above, low, high).unwrap();
    let graph = net.classifier(x, 3);
    assert_eq!(groups(&graph).prunable().map(|g| g.size).collect::<Vec<_>>(), [6]);
}

#[test]
fn positions_to_sample_at_are_locked_and_the_channels_that_are_sampled_are_not() {
    let (mut net, x) = Net::image(3, 4);
    let x = net.conv("a", x, 6, 3, 1);
    let theta = net.mean(x, &[2, 3], false);
    let theta = net.linear("positions", theta, 32);
    let grid = net.reshape_all(theta, &[Dim::Batch(1), Dim::Fixed(4), Dim::Fixed(4), Dim::Fixed(2)]);
    let sample = Op::GridSample { mode: SampleMode::Linear, padding: SamplePadding::Zeros, align_corners: false };
    let x = Net::push(&mut net, sample, &[x, grid]);
    let x = Net::push(
        &mut net,
        Op::Resize { mode: Interpolation::Cubic { align_corners: false }, output: vec![8, 8] },
        &[x],
    );
    let graph = net.classifier(x, 3);
    let found = groups(&graph);
    assert_eq!(found.prunable().map(|g| (g.name.as_str(), g.size)).collect::<Vec<_>>(), [("a", 6)]);
    let positions = found.groups.iter().find(|g| g.name == "positions").unwrap();
    assert!(positions.reason.as_ref().unwrap().contains("as sampling positions"), "{:?}", positions.reason);
}
