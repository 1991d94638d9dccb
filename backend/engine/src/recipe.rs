//! What it takes to make an adapted candidate again without an image: its statistics, some kilobytes, and which units it keeps
//! where that follows from images, too.

use std::collections::BTreeMap;

use eagleeye_graph::{Op, Plan, channel_groups, plan};
use eagleeye_spec::SearchRequest;
use eagleeye_spec::report::BatchNormState;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, TchError, Tensor};

use crate::maker::{Pruner, stored_strategy};
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::prune::apply;
use crate::rewrite::RewriteError;
use crate::search_error::SearchError;
use crate::virtual_bn::VirtualBatchNorms;
use eagleeye_torchscript::tensors::{reason, signed, sizes, to_data};

/// What the names of vectors and of kept units begin with, so that none can be taken for another.
const VECTOR: &str = "vector:";
const KEPT: &str = "kept:";

/// Vectors of a network's batch norms, by the names of their parameters.
pub(crate) type Vectors = BTreeMap<String, Tensor>;

/// Why a candidate cannot be made by a recipe.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    #[error("the recipe is no safetensors file: {0}")]
    Form(#[from] SafeTensorError),
    #[error("the recipe's tensor `{name}` does not fit the network: expected {expected}")]
    Tensor { name: String, expected: String },
    #[error("the recipe has vectors for {found} batch norms of {expected}")]
    Count { expected: usize, found: usize },
    #[error("the recipe keeps other units than the candidate: {0}")]
    Plan(#[from] eagleeye_graph::PlanError),
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for RecipeError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// The vectors of all batch norms that a network stores: what adapting changes, and what virtual ones have beside it.
pub(crate) fn vectors(network: &Network) -> Vectors {
    let graph = &network.graph;
    let norms = graph.nodes.iter().filter(|node| matches!(node.op, Op::BatchNorm { .. }));
    let stored = norms.flat_map(|node| &node.inputs[1..]).filter_map(|&input| graph.parameter_of(input));
    stored.map(|id| (graph.parameter(id).name.clone(), network.weight(id).shallow_clone())).collect()
}

/// The recipe of a candidate: a safetensors file.
///
/// `plan` says what it keeps, and is written where `keeps` says so.
pub(crate) fn recipe(vectors: &Vectors, plan: &Plan, keeps: bool) -> Result<Vec<u8>, RecipeError> {
    let data = vectors.values().map(|vector| to_data(&vector.f_detach()?)).collect::<Result<Vec<_>, _>>()?;
    let mut views: Vec<(String, TensorView)> = Vec::with_capacity(data.len());
    for (name, data) in vectors.keys().zip(&data) {
        views.push((format!("{VECTOR}{name}"), TensorView::new(Dtype::F32, data.shape.clone(), &data.bytes)?));
    }
    let kept = if keeps { &plan.kept_units[..] } else { &[] };
    let bytes = |units: &Vec<usize>| units.iter().flat_map(|&unit| (unit as u32).to_le_bytes()).collect::<Vec<u8>>();
    let kept: Vec<Vec<u8>> = kept.iter().map(bytes).collect();
    for (group, bytes) in kept.iter().enumerate() {
        views.push((format!("{KEPT}{group}"), TensorView::new(Dtype::U32, vec![bytes.len() / 4], bytes)?));
    }
    Ok(safetensors::serialize(views, None)?)
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
    let recipe = SafeTensors::deserialize(recipe).map_err(RecipeError::Form)?;
    let kept = kept_units(&recipe)?;
    let pruned = if kept.is_empty() {
        let pruner = Pruner::new(network, None, request, &|| false)?;
        let keep: Vec<usize> = keep.iter().map(|&kept| kept as usize).collect();
        pruner.pruned(&stored_strategy(&pruner.groups, &keep)?)?
    } else {
        let groups = channel_groups(&network.graph)?;
        apply(network, plan(&network.graph, &groups, &kept).map_err(RecipeError::Plan)?)?
    };
    Ok(with_vectors(network, &pruned, &recipe)?)
}

/// The units that each group keeps; none where the recipe leaves them out.
fn kept_units(recipe: &SafeTensors) -> Result<Vec<Vec<usize>>, RecipeError> {
    let count = recipe.names().iter().filter(|name| name.starts_with(KEPT)).count();
    let units = |group: usize| {
        let name = format!("{KEPT}{group}");
        let wrong = || RecipeError::Tensor { name: name.clone(), expected: "32-bit whole numbers".to_owned() };
        let view = recipe.tensor(&name).map_err(|_| wrong())?;
        if view.dtype() != Dtype::U32 {
            return Err(wrong());
        }
        let (units, _) = view.data().as_chunks::<4>();
        Ok(units.iter().map(|&unit| u32::from_le_bytes(unit) as usize).collect())
    };
    (0..count).map(units).collect()
}

fn with_vectors(full: &Network, pruned: &Network, recipe: &SafeTensors) -> Result<Network, RecipeError> {
    if batch_norm_state(&full.graph) != BatchNormState::Folded {
        return replaced(pruned, recipe);
    }
    let norms = VirtualBatchNorms::unmeasured(pruned)?;
    Ok(norms.remove(&replaced(&norms.insert(pruned, |_| None)?, recipe)?)?)
}

/// A network with the recipe's vectors in its batch norms.
fn replaced(network: &Network, recipe: &SafeTensors) -> Result<Network, RecipeError> {
    let own = vectors(network);
    let found = recipe.names().iter().filter(|name| name.starts_with(VECTOR)).count();
    if found != own.len() {
        return Err(RecipeError::Count { expected: own.len(), found });
    }
    let mut replaced = network.shallow_clone();
    for (parameter, weight) in network.graph.parameters.iter().zip(&mut replaced.weights) {
        if own.contains_key(&parameter.name) {
            *weight = vector(&parameter.name, weight, recipe)?;
        }
    }
    Ok(replaced)
}

fn vector(name: &str, own: &Tensor, recipe: &SafeTensors) -> Result<Tensor, RecipeError> {
    let expected = || format!("{} numbers in float32", own.numel());
    let wrong = || RecipeError::Tensor { name: name.to_owned(), expected: expected() };
    let view = recipe.tensor(&format!("{VECTOR}{name}")).map_err(|_| wrong())?;
    if view.dtype() != Dtype::F32 || view.shape() != sizes(own) {
        return Err(wrong());
    }
    Ok(Tensor::f_from_data_size(view.data(), &signed(view.shape()), Kind::Float)?.f_to_device(own.device())?)
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::Strategy;
    use eagleeye_spec::{Criterion, Importance, StrategyName};

    use super::*;
    use crate::images::Images;
    use crate::maker::Maker;
    use crate::testing::{classifier, images};

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
        let adaptation = maker.adaptation(&StrategyName::default());
        let adapted = maker.adapted(&plan, &pruned, adaptation, maker.all(), &|| false).unwrap();
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
