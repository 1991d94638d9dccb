//! What it takes to make an adapted candidate again without an image: its statistics, some kilobytes, and which units it keeps
//! where that follows from images, too.

use std::collections::BTreeMap;

use eagleeye_graph::{Op, Plan};
use eagleeye_spec::report::BatchNormState;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, TchError, Tensor};

use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::rewrite::RewriteError;
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

/// A recipe that was read.
pub(crate) struct Recipe<'r> {
    tensors: SafeTensors<'r>,
    /// The units that each group keeps; none where they follow from the network alone.
    pub kept: Vec<Vec<usize>>,
}

impl<'r> Recipe<'r> {
    pub fn read(bytes: &'r [u8]) -> Result<Self, RecipeError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let kept = kept_units(&tensors)?;
        Ok(Self { tensors, kept })
    }

    /// The pruned network of a full one, adapted.
    pub fn adapted(&self, full: &Network, pruned: &Network) -> Result<Network, RecipeError> {
        with_vectors(full, pruned, &self.tensors)
    }
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
