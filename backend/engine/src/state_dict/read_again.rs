//! The uploaded file's own code with the tensors of an archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use eagleeye_graph::TensorData;
use eagleeye_graph::reading::Narrowed;
use safetensors::tensor::SafeTensors;

use super::GROUPS;
use super::error::StateDictError;
use crate::export::element_of;
use crate::load::{LoadError, load_with};
use crate::network::Network;

/// Reads a model file with the tensors of an archive's weights in the places of its own, and with the groups that go with them.
///
/// # Errors
/// [`StateDictError::MoreThanWidths`] where the file's code does not run with them.
pub fn load_narrowed(path: &Path, input_shape: &[usize], weights: &Path) -> Result<Network, StateDictError> {
    match load_with(path, Some(input_shape), Some(narrowed(weights)?)) {
        Ok(loaded) => Ok(loaded.network),
        // The file itself has been read before.
        Err(error @ (LoadError::Open { .. } | LoadError::UnknownFormat | LoadError::WrongKind { .. })) => {
            Err(error.into())
        }
        Err(error) => Err(StateDictError::MoreThanWidths(Box::new(error))),
    }
}

/// What a weights file of an archive stands in for.
fn narrowed(path: &Path) -> Result<Narrowed, StateDictError> {
    let bytes = fs::read(path).map_err(|source| StateDictError::Read { path: path.to_owned(), source })?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let groups = header.metadata().as_ref().and_then(|metadata| metadata.get(GROUPS));
    let groups = groups.map(|groups| serde_json::from_str(groups)).transpose()?.unwrap_or_default();
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        // A type that networks cannot store is none of this archive.
        let Some(element) = element_of(view.dtype()) else { continue };
        tensors.insert(name, TensorData { element, shape: view.shape().to_vec(), bytes: view.data().to_vec() });
    }
    Ok(Narrowed { tensors, groups })
}
