//! What a network is made of and what can be pruned: the report at upload, and `eagleeye-worker inspect --json`.

use eagleeye_graph::{Graph, Group, GroupError, ValueId, channel_groups};
use eagleeye_spec::report::{
    ChannelGroup, GroupMember, Layer, ModelDetails, ModelFigures, ModelFormat, ModelInspection, ModelReport, Port,
    PrunableSpace, Reachable,
};
use eagleeye_spec::{Budget, Measure, Space, StrategyName};
use eagleeye_strategy::{Task, feasible, reachable};
use tch::TchError;

use crate::drawing::drawn;
use crate::load::Loaded;
use crate::members;
use crate::network::Format;
use crate::norms::batch_norm_state;
use crate::own_cost::{OwnCost, operator, own_costs, sizes};
use crate::tensors::summaries;

/// Why a network that could be read cannot be reported on.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("the channel groups of the network cannot be determined: {0}")]
    Groups(#[from] GroupError),
    #[error("a {0} file has weights but no network; a TorchScript or ONNX file has both")]
    NoNetwork(&'static str),
    #[error("libtorch cannot read a tensor of the network: {0}")]
    Tensor(#[from] TchError),
}

/// Reports on a network. How far it can be pruned depends on what may be drawn, which is `space`.
pub fn inspect(loaded: &Loaded, space: &Space) -> Result<ModelInspection, InspectError> {
    let network = &loaded.network;
    let graph = &network.graph;
    let groups = channel_groups(graph)?;
    let prunable = PrunableSpace::of(graph, &groups);
    let budgets = reachable(&prunable, space, Measure::Macs);
    let costs = own_costs(graph);
    let figures = ModelFigures {
        format: format(network.format)?,
        guessed_shape: loaded.guessed_shape,
        macs: eagleeye_graph::macs(graph),
        parameters: graph.parameter_count(),
        batch_norms: network.batch_norms() as u32,
        reachable: Reachable { min: *budgets.start(), max: *budgets.end() },
        classes: graph.classes().map(|classes| classes as u32),
    };
    let details = ModelDetails {
        element_type: network.precision.main().name().to_owned(),
        notices: network.precision_notices(),
        batch_norm_state: batch_norm_state(graph),
        operators: graph.operators().into_iter().map(|(name, count)| (name.to_owned(), count as u64)).collect(),
        layers: layers(graph, &costs),
        groups: groups.groups.iter().map(|group| channel_group(graph, group)).collect(),
    };
    let (inputs, outputs) = (ports(graph, &graph.inputs), ports(graph, &graph.outputs));
    let report = ModelReport { figures, inputs, outputs, details };
    let drawn = drawn(graph, &groups, &costs);
    let tensors = summaries(network)?;
    Ok(ModelInspection { report, space: Some(prunable), graph: Some(drawn), tensors: Some(tensors), unmet: None })
}

fn format(format: Format) -> Result<ModelFormat, InspectError> {
    match format {
        Format::TorchScript => Ok(ModelFormat::TorchScript),
        Format::Onnx => Ok(ModelFormat::Onnx),
        Format::Safetensors => Err(InspectError::NoNetwork(format.name())),
    }
}

/// Why strategies of `space` cannot meet a budget, in words, or `None` where the first draws of the seed do.
pub fn unmet(loaded: &Loaded, space: &Space, budget: &Budget, seed: u64) -> Result<Option<String>, InspectError> {
    let graph = &loaded.network.graph;
    let groups = channel_groups(graph)?;
    let prunable = PrunableSpace::of(graph, &groups);
    let task = Task::new(&prunable, *space, budget, seed);
    Ok(feasible(&StrategyName::default().0, &task).err().map(|error| error.to_string()))
}

fn ports(graph: &Graph, ids: &[ValueId]) -> Vec<Port> {
    let port = |id: &ValueId| Port { name: graph.value(*id).name.clone(), shape: sizes(graph, *id) };
    ids.iter().map(port).collect()
}

fn layers(graph: &Graph, costs: &[OwnCost]) -> Vec<Layer> {
    let layers = graph.nodes.iter().zip(costs).filter(|(_, cost)| cost.is_layer);
    let layers = layers.map(|(node, cost)| Layer {
        name: node.name.clone(),
        operator: operator(graph, node),
        shape: sizes(graph, node.outputs[0]),
        macs: cost.macs,
        parameters: cost.parameters,
    });
    layers.collect()
}

fn channel_group(graph: &Graph, group: &Group) -> ChannelGroup {
    let members = members::stored(graph, group);
    let members = members.into_iter().map(|m| GroupMember { parameter: m.parameter.to_owned(), axis: m.axis as u64 });
    ChannelGroup {
        name: group.name.clone(),
        size: group.size as u64,
        prunable: group.prunable,
        reason: group.reason.clone(),
        normalised_by: group.normalised_by.clone(),
        members: members.collect(),
        computed: members::computed(graph, group),
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::{Baseline, Candidate, Evaluation, SearchRequest, Warning};

    use super::*;
    use crate::images::Images;
    use crate::observer::{Flow, Observer, Phase};
    use crate::search::{Known, search};
    use crate::search_error::SearchError;
    use crate::testing::{classifier, images};

    fn report(batch_norms: bool) -> ModelReport {
        inspect(&Loaded { network: classifier(1, batch_norms), guessed_shape: false }, &Space::default())
            .unwrap()
            .report
    }

    #[test]
    fn a_space_with_higher_floors_reaches_less() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let smallest = |space: Space| inspect(&loaded, &space).unwrap().report.figures.reachable.min;
        let low = smallest(Space::default());
        let high = smallest(Space { min_keep_ratio: 0.8, ..Space::default() });
        assert!(low < high && high < 1.0, "{low}, {high}");
    }

    #[test]
    fn a_budget_between_two_multiples_is_unmet() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let said = |round_to| {
            let space = Space { round_to, min_keep_ratio: 0.1 };
            unmet(&loaded, &space, &Budget::macs(0.83), 7).unwrap()
        };
        assert_eq!(said(Some(1)), None);
        assert_eq!(said(None), None);
        let coarse = said(Some(1024));
        assert!(coarse.as_ref().is_some_and(|reason| reason.contains("a smaller round_to")), "{coarse:?}");
    }

    #[test]
    fn the_space_that_is_stored_counts_as_the_network_does() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let found = inspect(&loaded, &Space::default()).unwrap();
        let stored = ModelInspection::from_stored(found.to_stored().unwrap()).unwrap();
        assert_eq!(stored, found);
        let PrunableSpace { cost, groups } = stored.space.unwrap();
        let ModelFigures { macs, parameters, .. } = found.report.figures;
        assert_eq!((cost.macs(&cost.full()), cost.parameters(&cost.full())), (macs, parameters));
        let prunable = found.report.details.groups.iter().filter(|group| group.prunable);
        let prunable: Vec<(&str, u64)> = prunable.map(|group| (group.name.as_str(), group.size)).collect();
        assert_eq!(groups.iter().map(|g| (g.name.as_str(), g.size as u64)).collect::<Vec<_>>(), prunable);
        assert!(groups.iter().all(|group| group.channels_per_unit >= 1));
    }

    #[test]
    fn layers_add_up_to_the_whole() {
        let report = report(true);
        assert_eq!(report.details.layers.iter().map(|l| l.macs).sum::<u64>(), report.figures.macs);
        assert_eq!(report.details.layers.iter().map(|l| l.parameters).sum::<u64>(), report.figures.parameters);
        assert_eq!(report.details.operators["conv2d"], 5);
    }

    #[test]
    fn only_the_classifier_is_locked_and_says_why() {
        let report = report(true);
        let locked: Vec<&ChannelGroup> = report.details.groups.iter().filter(|g| !g.prunable).collect();
        assert!(locked.iter().all(|g| g.reason.is_some()));
        assert_eq!(locked.iter().map(|g| g.size).sum::<u64>(), u64::from(report.figures.classes.unwrap()));
    }

    /// Ends a search before its first forward pass.
    struct Cancelled;

    impl Observer for Cancelled {
        fn cancelled(&self) -> bool {
            true
        }

        fn phase(&mut self, _: Phase, _: u64, _: u64) {}

        fn baseline(&mut self, _: Baseline) -> Flow {
            Flow::Stop
        }

        fn candidate(&mut self, _: Candidate) -> Flow {
            Flow::Stop
        }

        fn evaluation(&mut self, _: u32, _: Evaluation) -> Flow {
            Flow::Stop
        }

        fn warning(&mut self, _: Warning) -> Flow {
            Flow::Stop
        }
    }

    #[test]
    fn a_search_refuses_what_the_stored_space_refuses() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let stored = inspect(&loaded, &Space::default()).unwrap().to_stored().unwrap();
        let prunable = ModelInspection::from_stored(stored).unwrap().space.unwrap();
        let labels = tch::Tensor::zeros([4], (tch::Kind::Int64, tch::Device::Cpu));
        let images = Images::of(images(1, &[4, 1, 12, 12]), images(2, &[4, 1, 12, 12]), labels);
        let mut answers = (0, 0);
        for round_to in [None, Some(1), Some(4), Some(8), Some(12), Some(64)] {
            for hundredths in (2..100).step_by(7) {
                let request: SearchRequest = serde_json::from_value(serde_json::json!({
                    "model_id": "00000000-0000-0000-0000-000000000000",
                    "dataset_id": "00000000-0000-0000-0000-000000000000", "macs": f64::from(hundredths) / 100.0,
                    "strategies": ["random"], "round_to": round_to, "candidates": 2, "uniform_reference": false, "seed": 3, "batch_size": 4, "calibration_images": 4,
                    "scoring_images": 4, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
                }))
                .unwrap();
                let (space, budget) = (request.space(), request.budgets().remove(0));
                let task = Task::new(&prunable, space, &budget, request.seed);
                let server = feasible("random", &task).err();
                let engine = match search(&loaded.network, &images, &request, Known::default(), &mut Cancelled) {
                    Err(SearchError::Strategy(error)) => Some(error),
                    Err(SearchError::Cancelled) => None,
                    other => panic!("{other:?}"),
                };
                assert_eq!(server, engine, "{round_to:?}, {hundredths}");
                *(if server.is_none() { &mut answers.0 } else { &mut answers.1 }) += 1;
            }
        }
        assert!(answers.0 > 10 && answers.1 > 10, "{answers:?}");
    }
}
