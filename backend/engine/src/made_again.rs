//! Candidates that are made again from what is stored of them, for exports, fine-tunings and measurements.

use std::path::Path;

use eagleeye_graph::{ChannelGroups, Strategy, channel_groups, plan};
use eagleeye_spec::report::BatchNormState;
use eagleeye_spec::{CandidateWeights, Importance, SearchRequest, StrategyName};

use crate::images::{Images, Part};
use crate::importance::{ImportanceData, importance};
use crate::maker::{Maker, Pruner};
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::prune::{apply, plan_by_importance};
use crate::recipe::{Recipe, RecipeError};
use crate::repair::{Follow, RepairOptions};
use crate::search_error::SearchError;
use crate::virtual_bn::VirtualBatchNorms;
use crate::weights::{WeightsError, with_weights};

/// Makes a candidate's network again from what its row says of it, with the weights that are asked for.
pub fn make_again(
    weights: CandidateWeights,
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    strategy: &StrategyName,
    keep: &[u32],
    follow: &Follow,
) -> Result<Network, SearchError> {
    let keep: Vec<usize> = keep.iter().map(|&kept| kept as usize).collect();
    match weights {
        CandidateWeights::Adapted => make_candidate(network, images, request, strategy, &keep, follow.cancelled),
        CandidateWeights::Repaired => make_repaired(network, &images.calibration, request, &keep, follow),
    }
}

/// Makes a candidate's network again from its keep counts: pruned, with adapted statistics, under the uploaded names.
///
/// Needs the search's calibration images, no others.
pub(crate) fn make_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    strategy: &StrategyName,
    keep: &[usize],
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, SearchError> {
    let maker = Maker::new(network, images, request, cancelled)?;
    let keep = stored_strategy(&maker.pruner.groups, keep)?;
    Ok(maker.make(&keep, maker.finally(strategy), cancelled)?.adapted.network)
}

/// Makes an adapted candidate again by the recipe that the search has given for it: the same network to the last bit.
///
/// # Errors
/// Where the recipe is of another candidate.
pub fn make_by_recipe(
    network: &Network,
    request: &SearchRequest,
    keep: &[u32],
    recipe: &[u8],
) -> Result<Network, SearchError> {
    let recipe = Recipe::read(recipe)?;
    let pruned = if recipe.kept.is_empty() {
        let pruner = Pruner::new(network, None, request, &|| false)?;
        let keep: Vec<usize> = keep.iter().map(|&kept| kept as usize).collect();
        pruner.pruned(&stored_strategy(&pruner.groups, &keep)?)?
    } else {
        let groups = channel_groups(&network.graph)?;
        apply(network, plan(&network.graph, &groups, &recipe.kept).map_err(RecipeError::Plan)?)?
    };
    Ok(recipe.adapted(network, &pruned)?)
}

/// [`make_candidate`], repaired instead of adapted. How the search adapts its candidates makes no difference.
pub(crate) fn make_repaired(
    network: &Network,
    calibration: &Part,
    request: &SearchRequest,
    keep: &[usize],
    follow: &Follow,
) -> Result<Network, SearchError> {
    let pruner = Pruner::new(network, Some(calibration), request, follow.cancelled)?;
    let strategy = stored_strategy(&pruner.groups, keep)?;
    let full = pruner.full_outputs(calibration, follow.cancelled)?;
    Ok(pruner.repair(&full, &pruner.pruned(&strategy)?, &strategy, RepairOptions::default(), follow)?.network)
}

/// [`make_candidate`] with the weights that fine-tuning has given it, from a file of [`write_weights`](crate::write_weights).
///
/// # Errors
/// Among others where the request's criterion needs images and `calibration` is `None`.
pub fn make_tuned(
    network: &Network,
    calibration: Option<&Part>,
    request: &SearchRequest,
    keep: &[usize],
    weights: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, SearchError> {
    let pruner = Pruner::new(network, calibration, request, cancelled)?;
    let strategy = stored_strategy(&pruner.groups, keep)?;
    let pruned = pruner.pruned(&strategy)?;
    match with_weights(&pruned, weights) {
        // Virtual batch norms have left a bias with each convolution.
        Err(WeightsError::Count { .. }) if batch_norm_state(&pruned.graph) == BatchNormState::Folded => {
            let norms = VirtualBatchNorms::unmeasured(&pruned)?;
            let with_biases = norms.remove(&norms.insert(&pruned, |_| None)?)?;
            Ok(with_weights(&with_biases, weights)?)
        }
        outcome => Ok(outcome?),
    }
}

/// A network of the size that keep counts leave, for measuring how long it takes: its statistics are the unpruned network's.
pub fn pruned_to(network: &Network, keep: &[usize]) -> Result<Network, SearchError> {
    let groups = channel_groups(&network.graph)?;
    let strategy = stored_strategy(&groups, keep)?;
    Ok(pruned_to_each(network, &groups, &[strategy])?.remove(0))
}

/// [`pruned_to`] for several strategies.
pub(crate) fn pruned_to_each(
    network: &Network,
    groups: &ChannelGroups,
    strategies: &[Strategy],
) -> Result<Vec<Network>, SearchError> {
    let importance = importance(network, groups, Importance::default(), &ImportanceData::without_images(0))?;
    let pruned =
        |strategy: &Strategy| Ok(apply(network, plan_by_importance(&network.graph, groups, &importance, strategy)?)?);
    strategies.iter().map(pruned).collect()
}

/// The strategy of stored keep counts. Earlier versions counted groups of one unit among those that can be pruned.
pub(crate) fn stored_strategy(groups: &ChannelGroups, keep: &[usize]) -> Result<Strategy, SearchError> {
    let prunable = groups.prunable().count();
    if keep.len() == prunable {
        return Ok(Strategy { keep: keep.to_vec() });
    }
    let counted: Vec<_> = groups.groups.iter().filter(|group| group.prunable || group.is_one_unit()).collect();
    if keep.len() != counted.len() {
        return Err(SearchError::KeepCounts { expected: prunable, found: keep.len() });
    }
    let kept = counted.iter().zip(keep).filter(|(group, _)| group.prunable);
    Ok(Strategy { keep: kept.map(|(_, &kept)| kept).collect() })
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::{Criterion, TuneOptions};
    use tch::Tensor;

    use super::*;
    use crate::exec::forward;
    use crate::recipe::{recipe, vectors};
    use crate::testing::{Layers, Quiet, classifier, difference, images};
    use crate::tune::{TuneImages, tune};
    use crate::weights::write_weights;

    fn part(seed: u64, count: usize) -> Part {
        let labels = (0..count as i64).map(|image| image % 3).collect::<Vec<_>>();
        Part { images: images(seed, &[count, 1, 12, 12]).into(), labels: Some(tch::Tensor::from_slice(&labels)) }
    }

    /// Batch norms or none; without them convolutions have biases or not.
    fn network(batch_norms: bool, biases: bool) -> Network {
        let mut net = Layers::new(9);
        let mut x = net.image(1, 12);
        for out in [8, 12] {
            x = net.conv(x, out, 3, 1, 1, biases);
            if batch_norms {
                x = net.batch_norm(x);
            }
            x = net.relu(x);
        }
        let x = net.global_mean(x, false);
        let y = net.linear(x, 3);
        net.finish(y)
    }

    #[test]
    fn a_tuned_candidate_is_made_of_its_weights_alone_however_it_began() {
        let request: SearchRequest = serde_json::from_value(serde_json::json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "macs": 0.5, "calibration_images": 32, "scoring_images": 16, "batch_size": 16,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        }))
        .unwrap();
        let images = Images { calibration: part(1, 32), scoring: part(2, 16), test: part(3, 0) };
        let options = TuneOptions { epochs: Some(1), batch_size: 8, ..TuneOptions::default() };
        let sets = TuneImages { train: &images.calibration, validation: &images.scoring, test: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        for (batch_norms, biases) in [(true, false), (false, true), (false, false)] {
            let full = network(batch_norms, biases);
            let keep = [4, 6];
            let follow = Follow { cancelled: &|| false, progress: &|_, _| {} };
            let adapted = make_candidate(&full, &images, &request, &StrategyName::default(), &keep, &|| false).unwrap();
            let repaired = make_repaired(&full, &images.calibration, &request, &keep, &follow).unwrap();
            for begin in [adapted, repaired] {
                let tuned = tune(&begin, Some(&full), sets, &options, None, &mut Quiet).unwrap().network;
                write_weights(&tuned, &path).unwrap();
                let made = make_tuned(&full, None, &request, &keep, &path, &|| false).unwrap();
                assert_eq!(made.graph.parameters, tuned.graph.parameters);
                assert_eq!(made.weights, tuned.weights, "{batch_norms} {biases}");
                let answer = |network: &Network| forward(network, &images.scoring.images.all().unwrap()).unwrap();
                assert!(difference(&answer(&made), &answer(&tuned)) < 1e-5, "{batch_norms} {biases}");
            }
        }
        let taylor = SearchRequest {
            importance: Importance { criterion: eagleeye_spec::Criterion::Taylor, ..Importance::default() },
            ..request
        };
        let refused = make_tuned(&network(true, false), None, &taylor, &[4, 6], &path, &|| false);
        assert!(matches!(refused, Err(SearchError::Importance(_))), "{refused:?}");
    }

    #[test]
    fn keep_counts_that_list_groups_of_one_unit_are_read_without_them() {
        let mut net = crate::testing::Layers::new(8);
        let x = net.image(1, 12);
        let x = net.conv(x, 6, 3, 1, 1, true);
        let x = net.conv(x, 1, 3, 1, 1, true);
        let x = net.conv(x, 4, 3, 1, 1, true);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 3);
        let groups = channel_groups(&net.finish(y).graph).unwrap();
        assert_eq!(stored_strategy(&groups, &[3, 1, 2]).unwrap().keep, [3, 2]);
        assert_eq!(stored_strategy(&groups, &[3, 2]).unwrap().keep, [3, 2]);
        let error = stored_strategy(&groups, &[3]).unwrap_err();
        assert!(matches!(error, SearchError::KeepCounts { expected: 2, found: 1 }), "{error}");
    }

    fn request(criterion: Criterion) -> SearchRequest {
        let id = "00000000-0000-0000-0000-000000000000";
        let request = serde_json::json!({
            "model_id": id, "dataset_id": id, "macs": 0.5, "candidates": 1, "calibration_images": 32, "scoring_images": 8,
            "batch_size": 16, "preprocessing": { "mean": [0.5], "deviation": [0.5] },
        });
        let request: SearchRequest = serde_json::from_value(request).unwrap();
        SearchRequest { importance: Importance { criterion, ..Importance::default() }, ..request }
    }

    /// The candidate that a search makes, and what comes of its recipe.
    fn made_twice(network: &Network, criterion: Criterion) -> (Network, Network, usize) {
        let request = request(criterion);
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 0, 1, 2]);
        let mut images = Images::of(images(1, &[32, 1, 12, 12]), images(2, &[8, 1, 12, 12]), labels);
        images.calibration.labels = Some(Tensor::from_slice(&[0i64, 1, 2, 3].repeat(8)));
        let maker = Maker::new(network, &images, &request, &|| false).unwrap();
        let half: Vec<u32> = maker.pruner.groups.prunable().map(|group| (group.size / 2).max(1) as u32).collect();
        let strategy = Strategy { keep: half.iter().map(|&kept| kept as usize).collect() };
        let (plan, pruned) = maker.pruned(&strategy).unwrap();
        let adapted = maker.adapted(&plan, &pruned, maker.finally(&StrategyName::default()), &|| false).unwrap();
        let recipe = recipe(&adapted.vectors, &plan, criterion.needs_images()).unwrap();
        let again = make_by_recipe(network, &request, &half, &recipe).unwrap();
        (adapted.network, again, recipe.len())
    }

    #[test]
    fn the_network_is_the_same_to_the_last_bit() {
        for batch_norms in [true, false] {
            for criterion in [Criterion::L1, Criterion::Taylor] {
                let (adapted, again, bytes) = made_twice(&classifier(3, batch_norms), criterion);
                assert_eq!(adapted.graph, again.graph, "{batch_norms} {criterion:?}");
                assert_eq!(adapted.weights, again.weights, "{batch_norms} {criterion:?}");
                assert!(bytes < 8000, "{bytes} bytes");
            }
        }
    }

    #[test]
    fn a_recipe_of_another_candidate_is_refused_by_the_name_of_what_does_not_fit() {
        let network = classifier(3, true);
        let request = request(Criterion::L1);
        let groups = channel_groups(&network.graph).unwrap();
        let all: Vec<u32> = groups.prunable().map(|group| group.size as u32).collect();
        let of_full =
            recipe(&vectors(&network), &plan(&network.graph, &groups, &full_units(&groups)).unwrap(), false).unwrap();
        assert!(make_by_recipe(&network, &request, &all, &of_full).is_ok());
        let fewer: Vec<u32> = all.iter().map(|&size| size / 2).collect();
        let error = make_by_recipe(&network, &request, &fewer, &of_full).unwrap_err().to_string();
        assert!(error.contains("bn2.") && error.contains("numbers in float32"), "{error}");
        let error = make_by_recipe(&classifier(3, false), &request, &all, &of_full).unwrap_err().to_string();
        assert!(error.contains("does not fit the network"), "{error}");
        assert!(make_by_recipe(&network, &request, &all, &of_full[..of_full.len() - 1]).is_err());
    }

    fn full_units(groups: &eagleeye_graph::ChannelGroups) -> Vec<Vec<usize>> {
        groups.groups.iter().map(|group| (0..group.size).collect()).collect()
    }
}
