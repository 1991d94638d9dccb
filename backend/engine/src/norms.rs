//! Which norms a network has, and what follows from that: what adaptive batch norm has to work with, and whether filters can
//! be judged by their own weights. The report and the search both ask here.

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, Node, NodeId, Op, ParameterId};
use eagleeye_spec::report::BatchNormState;

use crate::fold::batch_norms_behind_convolutions;
use crate::rewrite::parameter_uses;

/// What adaptive batch norm has to work with. A search inserts virtual batch norms where they are
/// [`Folded`](BatchNormState::Folded).
pub fn batch_norm_state(graph: &Graph) -> BatchNormState {
    let is_adaptable = !batch_norms_behind_convolutions(graph).is_empty();
    if !is_adaptable && !virtual_sites(graph).is_empty() {
        BatchNormState::Folded
    } else if has(graph, is_batch_norm) {
        BatchNormState::Present
    } else {
        BatchNormState::Absent
    }
}

/// Whether an exporter seems to have scaled the filters by batch norms: convolutions have biases and no norm of any kind is
/// left. A network that never had norms looks the same, and is treated alike; one with layer norms (ConvNeXt) never had
/// batch norms.
pub fn filters_are_scaled(graph: &Graph) -> bool {
    let is_other_norm = |node: &Node| matches!(node.op, Op::LayerNorm { .. } | Op::GroupNorm { .. });
    let has_bias = |node: &Node| matches!(node.op, Op::Conv(_)) && node.inputs.len() == 3;
    has(graph, has_bias) && !has(graph, is_batch_norm) && !has(graph, is_other_norm)
}

fn has(graph: &Graph, holds: impl Fn(&Node) -> bool) -> bool {
    graph.nodes.iter().any(holds)
}

fn is_batch_norm(node: &Node) -> bool {
    matches!(node.op, Op::BatchNorm { .. })
}

/// The convolutions behind which a search can insert a virtual batch norm and fold it away again: nothing else reads their
/// weight, which is given with them.
pub fn virtual_sites(graph: &Graph) -> BTreeMap<NodeId, ParameterId> {
    let uses = parameter_uses(graph);
    let mut sites = BTreeMap::new();
    for (id, node) in graph.nodes_with_ids() {
        let Op::Conv(conv) = &node.op else { continue };
        let bias_is_stored = node.inputs.get(2).is_none_or(|&b| graph.parameter_of(b).is_some());
        // Which outputs of a grouped transposed convolution stay is not readable from its weight's slices alone.
        let readable = conv.transposed.is_none() || conv.groups == 1;
        if let Some(weight) = graph.parameter_of(node.inputs[1])
            && uses[weight.index()] == 1
            && bias_is_stored
            && readable
        {
            sites.insert(id, weight);
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{ParameterKind, Role, ValueId, channel_groups};
    use eagleeye_spec::{Baseline, Candidate, Evaluation, Importance, SearchRequest, Space, StrategyName, Warning};
    use tch::Tensor;

    use super::*;
    use crate::exec::forward;
    use crate::images::Images;
    use crate::importance::{ImportanceData, importance};
    use crate::load::Loaded;
    use crate::made_again::make_candidate;
    use crate::network::Network;
    use crate::observer::{Flow, Observer, Phase};
    use crate::testing::{Layers, images};
    use crate::{Known, inspect, search};

    /// Two convolutions and a classifier of 1x8x8 images; `between` makes of each convolution's output what the next layer
    /// reads.
    fn network(biases: bool, between: impl Fn(&mut Layers, ValueId) -> ValueId) -> Network {
        let mut net = Layers::new(11);
        let mut x = net.image(1, 8);
        for out in [16, 24] {
            x = net.conv(x, out, 3, 1, 1, biases);
            x = between(&mut net, x);
            x = net.relu(x);
        }
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        net.finish(y)
    }

    /// Layer norm over channels, as ConvNeXt has it.
    fn layer_norm(net: &mut Layers, x: ValueId) -> ValueId {
        let x = net.push("to_last", Op::Permute { order: vec![0, 2, 3, 1] }, &[x]);
        let x = net.push("layer_norm", Op::LayerNorm { axes: 1, epsilon: 1e-6 }, &[x]);
        net.push("to_second", Op::Permute { order: vec![0, 3, 1, 2] }, &[x])
    }

    /// A batch norm whose input something else reads too: not one that could have been folded.
    fn beside(net: &mut Layers, x: ValueId) -> ValueId {
        let y = net.batch_norm(x);
        net.add(x, y)
    }

    /// Linear layers alone, with a batch norm between them or without.
    fn perceptron(batch_norm: bool) -> Network {
        let mut net = Layers::new(12);
        let x = net.image(3, 8);
        let x = net.global_mean(x, false);
        let x = net.linear(x, 32);
        let x = if batch_norm { net.batch_norm(x) } else { x };
        let x = net.relu(x);
        let y = net.linear(x, 5);
        net.finish(y)
    }

    fn all() -> Vec<(&'static str, Network, BatchNormState, bool)> {
        use BatchNormState::{Absent, Folded, Present};
        let none = |_: &mut Layers, x| x;
        let mixed = |net: &mut Layers, x| match net.size(x, 1) {
            16 => net.batch_norm(x),
            _ => layer_norm(net, x),
        };
        let layer_and_beside = |net: &mut Layers, x| match net.size(x, 1) {
            16 => beside(net, x),
            _ => layer_norm(net, x),
        };
        vec![
            ("batch norms", network(false, Layers::batch_norm), Present, false),
            ("folded batch norms", network(true, none), Folded, true),
            ("neither norms nor biases", network(false, none), Folded, false),
            ("layer norms", network(true, layer_norm), Folded, false),
            ("a batch norm and a layer norm", network(true, mixed), Present, false),
            ("batch norms that cannot be folded", network(true, beside), Folded, false),
            ("one of these and a layer norm", network(true, layer_and_beside), Folded, false),
            ("linear layers with a batch norm", perceptron(true), Present, false),
            ("linear layers", perceptron(false), Absent, false),
        ]
    }

    #[test]
    fn norms_are_told_apart() {
        for (what, network, state, scaled_filters) in all() {
            let graph = &network.graph;
            assert_eq!((batch_norm_state(graph), filters_are_scaled(graph)), (state, scaled_filters), "{what}");
        }
    }

    fn request() -> SearchRequest {
        let request = serde_json::json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "strategies": ["random"], "macs": 0.5, "candidates": 1, "uniform_reference": false, "seed": 7, "batch_size": 16, "round_to": 1, "calibration_images": 48,
            "scoring_images": 48, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        serde_json::from_value(request).unwrap()
    }

    #[derive(Default)]
    struct First(Option<Candidate>);

    impl Observer for First {
        fn cancelled(&self) -> bool {
            false
        }

        fn phase(&mut self, _: Phase, _: u64, _: u64) {}

        fn baseline(&mut self, _: Baseline) -> Flow {
            Flow::Go
        }

        fn candidate(&mut self, candidate: Candidate) -> Flow {
            self.0 = Some(candidate);
            Flow::Stop
        }

        fn evaluation(&mut self, _: u32, _: Evaluation) -> Flow {
            Flow::Stop
        }

        fn warning(&mut self, _: Warning) -> Flow {
            Flow::Go
        }
    }

    /// What a search's first candidate shows of the way in which its statistics were adapted.
    #[derive(Debug, PartialEq)]
    struct Seen {
        /// Stored running statistics are others than the unpruned network's.
        own_statistics: bool,
        /// Filters are others than the unpruned network's: virtual batch norms were folded into them.
        virtual_norms: bool,
    }

    fn seen(network: &Network) -> Seen {
        let channels = network.graph.shape(network.graph.inputs[0])[1].sample();
        let scoring = images(1, &[48, channels, 8, 8]);
        let labels = forward(network, &scoring).unwrap().argmax(1, false);
        let images = Images::of(images(2, &[48, channels, 8, 8]), scoring, labels);
        let mut first = First::default();
        search(network, &images, &request(), Known::default(), &mut first).unwrap_err();
        let keep: Vec<usize> = first.0.unwrap().strategy.iter().map(|&kept| kept as usize).collect();
        let made = make_candidate(network, &images, &request(), &StrategyName::default(), &keep, &|| false).unwrap();
        let changed = |kind: ParameterKind, rank: usize| {
            let weights = made.graph.parameters.iter().zip(&made.weights).zip(&network.weights);
            let of_kind = weights.filter(|((p, made), _)| p.kind == kind && made.dim() == rank);
            of_kind.into_iter().any(|((_, made), full)| !is_part(made, full))
        };
        Seen { own_statistics: changed(ParameterKind::Buffer, 1), virtual_norms: changed(ParameterKind::Parameter, 4) }
    }

    /// Whether every number of one tensor is among those of another.
    fn is_part(part: &Tensor, whole: &Tensor) -> bool {
        let numbers = |tensor: &Tensor| Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap();
        let whole = numbers(whole);
        numbers(part).iter().all(|number| whole.contains(number))
    }

    #[test]
    fn the_report_says_what_a_search_adapts() {
        for (what, network, ..) in all() {
            let has_own = network.batch_norms() > 0;
            let seen = seen(&network);
            let loaded = Loaded { network, guessed_shape: false };
            let expected = match inspect(&loaded, &Space::default()).unwrap().report.details.batch_norm_state {
                BatchNormState::Present => Seen { own_statistics: true, virtual_norms: false },
                BatchNormState::Folded => Seen { own_statistics: has_own, virtual_norms: true },
                BatchNormState::Absent => Seen { own_statistics: false, virtual_norms: false },
            };
            assert_eq!(seen, expected, "{what}");
        }
    }

    #[test]
    fn scaled_filters_are_judged_by_what_reads_them() {
        for (what, network, _, scaled_filters) in all() {
            let groups = channel_groups(&network.graph).unwrap();
            let data = ImportanceData::without_images(0);
            let norms = importance(&network, &groups, Importance::default(), &data).unwrap();
            for (group, norms) in groups.groups.iter().zip(&norms).filter(|(group, _)| group.prunable) {
                let role = if scaled_filters { Role::Consumes } else { Role::Produces };
                let member = group.members.iter().find(|member| member.role == role).unwrap();
                let axis = member.axis as i64;
                let slices = network.weight(member.parameter).transpose(0, axis).flatten(1, -1).abs().sum_dim_intlist(
                    1,
                    false,
                    tch::Kind::Double,
                );
                let slices = Vec::<f64>::try_from(slices).unwrap();
                assert_eq!(norms.len(), slices.len(), "{what}: {}", group.name);
                assert!(norms.iter().zip(&slices).all(|(a, b)| (a - b).abs() < 1e-9 * b), "{what}: {}", group.name);
            }
        }
    }
}
