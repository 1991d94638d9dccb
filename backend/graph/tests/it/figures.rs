//! Group counts and costs of architectures that others have measured.

use std::time::{Duration, Instant};

use eagleeye_graph::{ChannelGroups, CostModel, Graph, channel_groups, macs};

use crate::networks;

/// Prunable groups, their units, and the names of the locked groups.
fn count(graph: &Graph) -> (usize, usize, Vec<String>) {
    let groups = channel_groups(graph).unwrap();
    let units = groups.prunable().map(|g| g.size).sum();
    (groups.prunable().count(), units, locked(&groups))
}

fn locked(groups: &ChannelGroups) -> Vec<String> {
    groups.groups.iter().filter(|g| !g.prunable).map(|g| g.name.clone()).collect()
}

#[test]
fn resnet18_has_12_groups_and_only_the_classifier_is_locked() {
    assert_eq!(count(&networks::resnet18(64)), (12, 2_880, vec!["fc".to_owned()]));
}

#[test]
fn resnet50_has_the_37_groups_of_the_papers_strategies() {
    assert_eq!(count(&networks::resnet50(224)), (37, 11_456, vec!["fc".to_owned()]));
}

#[test]
fn resnext50_keeps_its_groups_equal() {
    assert_eq!(count(&networks::resnext50(64)), (37, 4_376, vec!["fc".to_owned()]));
}

#[test]
fn vgg11_passes_channels_through_the_flatten() {
    assert_eq!(count(&networks::vgg11_bn(32)), (10, 10_944, vec!["classifier.6".to_owned()]));
}

#[test]
fn densenet121_has_a_group_for_every_layer_that_is_concatenated() {
    assert_eq!(count(&networks::densenet121(64)), (120, 10_240, vec!["fc".to_owned()]));
}

#[test]
fn shufflenet_passes_channels_through_its_shuffles() {
    // Three channels of the last stage hang together with no other as they do, and a single one cannot be pruned.
    let first = "stage3.0.branch1.2";
    let locked = [first, &format!("{first} (2)"), &format!("{first} (3)"), "fc"].map(str::to_owned);
    assert_eq!(count(&networks::shufflenet_v2_x0_5(64)), (33 - 3, 2_080 - 3, locked.to_vec()));
}

#[test]
fn mobilenet_v2_has_groups_for_its_bottlenecks_and_expansions() {
    assert_eq!(count(&networks::mobilenet_v2(64)), (25, 9_128, vec!["fc".to_owned()]));
}

#[test]
fn squeezenet_has_groups_for_every_part_of_its_concatenations() {
    assert_eq!(count(&networks::squeezenet1_1(64)), (25, 2_944, vec!["classifier.1".to_owned()]));
}

#[test]
fn convnext_has_groups_for_its_stages_and_hidden_layers() {
    assert_eq!(count(&networks::convnext_tiny(64)), (22, 27_936, vec!["classifier.2".to_owned()]));
}

#[test]
fn transformers_have_groups_for_widths_and_channels_of_heads() {
    // Each layer: 4 x 48 hidden units and 16 channels in every head; 48 of the residual stream.
    let packed = networks::vision_transformer(2, 48, 3, true);
    assert_eq!(count(&packed), (2 * 2 + 1, 2 * (192 + 16) + 48, vec!["head".to_owned()]));
    // Cut apart as three tensors, the values' channels need not follow the queries' and keys'.
    let apart = networks::vision_transformer(2, 48, 3, false);
    assert_eq!(count(&apart), (3 * 2 + 1, 2 * (192 + 32) + 48, vec!["head".to_owned()]));
}

#[test]
fn multiply_adds_are_those_that_are_published() {
    assert_eq!(macs(&networks::resnet50(224)), 4_089_184_256);
    assert_eq!(macs(&networks::mobilenet_v1(224)), 568_740_352);
    let graph = networks::resnet18(224);
    let cost = CostModel::new(&graph, &channel_groups(&graph).unwrap());
    assert_eq!(cost.macs(&cost.full()), 1_814_073_344);
    assert_eq!(cost.parameters(&cost.full()), 11_689_512);
}

#[test]
fn grouping_resnet50_at_224_takes_well_under_a_second() {
    let graph = networks::resnet50(224);
    let start = Instant::now();
    let groups = channel_groups(&graph).unwrap();
    println!("ResNet-50 at 224: {} groups in {:?}", groups.groups.len(), start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn grouping_costs_in_proportion_to_the_number_of_nodes() {
    let seconds = |repeats: usize| {
        let graph = networks::resnet([3, 4, 6, 3].map(|blocks| blocks * repeats), 4, 1, 64, 64);
        let runs = (0..3).map(|_| {
            let start = Instant::now();
            channel_groups(&graph).unwrap();
            start.elapsed().as_secs_f64()
        });
        (graph.nodes.len() as f64, runs.fold(f64::INFINITY, f64::min))
    };
    let (nodes, time) = seconds(1);
    let (more_nodes, more_time) = seconds(6);
    println!("{nodes} nodes in {time:.3} s, {more_nodes} nodes in {more_time:.3} s");
    // Quadratic cost would be six times this; the factor is for a busy machine.
    assert!(more_time / time < 3.0 * more_nodes / nodes);
}
