//! A network's weights as a file, and a network with the weights of a file. Every tensor is stored as the engine has it, so that
//! they come back to the last bit; an export is in the element types of the uploaded file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eagleeye_graph::Parameter;
use safetensors::SafeTensorError;
use safetensors::tensor::{SafeTensors, TensorView};
use tch::{TchError, Tensor};

use crate::export::dtype;
use crate::network::Network;
use eagleeye_torchscript::tensors::{element, kind, reason, signed, to_data};

/// Why weights cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("safetensors: {0}")]
    Form(#[from] SafeTensorError),
    #[error("found {found} tensors for {parameters} parameters")]
    Count { found: usize, parameters: usize },
    #[error("tensor `{name}` is of another size or type than the network's: expected {expected:?}")]
    Tensor { name: String, expected: Vec<i64> },
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for WeightsError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Writes the tensors of `network` under the names of its parameters, in the safetensors format.
pub fn write_weights(network: &Network, path: &Path) -> Result<(), WeightsError> {
    let data = network.weights.iter().map(|weight| to_data(&weight.f_detach()?)).collect::<Result<Vec<_>, _>>()?;
    let views = network.graph.parameters.iter().zip(&data).map(|(parameter, data)| {
        let view = TensorView::new(dtype(data.element), data.shape.clone(), &data.bytes);
        view.map(|view| (parameter.name.as_str(), view))
    });
    let bytes = safetensors::serialize(views.collect::<Result<Vec<_>, _>>()?, None)?;
    fs::write(path, bytes).map_err(|source| WeightsError::Write { path: path.to_owned(), source })
}

/// `network` with the tensors that [`write_weights`] has written of one with the same graph, on the same device.
///
/// # Errors
/// Where the file has other tensors than the network.
pub fn with_weights(network: &Network, path: &Path) -> Result<Network, WeightsError> {
    let bytes = fs::read(path).map_err(|source| WeightsError::Read { path: path.to_owned(), source })?;
    let stored = SafeTensors::deserialize(&bytes)?;
    let (found, parameters) = (stored.len(), network.graph.parameters.len());
    if found != parameters {
        return Err(WeightsError::Count { found, parameters });
    }
    let read = |(parameter, own): (&Parameter, &Tensor)| -> Result<Tensor, WeightsError> {
        let (view, size) = (stored.tensor(&parameter.name)?, own.size());
        let of_type = element(own.kind()).filter(|&element| dtype(element) == view.dtype());
        let Some(element) = of_type.filter(|_| signed(view.shape()) == size) else {
            return Err(WeightsError::Tensor { name: parameter.name.clone(), expected: size });
        };
        Ok(Tensor::f_from_data_size(view.data(), &size, kind(element))?.f_to_device(own.device())?)
    };
    let weights = network.graph.parameters.iter().zip(&network.weights).map(read).collect::<Result<_, _>>()?;
    Ok(network.with(network.graph.clone(), weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::classifier;

    #[test]
    fn weights_come_back_to_the_last_bit_and_those_of_another_network_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let (network, other) = (classifier(1, true), classifier(2, true));
        write_weights(&network, &path).unwrap();
        let read = with_weights(&other, &path).unwrap();
        assert_eq!(read.graph, other.graph);
        for (own, read) in network.weights.iter().zip(&read.weights) {
            assert_eq!((own, own.kind()), (read, read.kind()));
        }
        let error = with_weights(&classifier(1, false), &path).unwrap_err();
        assert!(matches!(error, WeightsError::Count { .. }), "{error}");
        let mut wider = classifier(1, true);
        wider.weights[0] = Tensor::f_cat(&[&wider.weights[0], &wider.weights[0]], 0).unwrap();
        let error = with_weights(&wider, &path).unwrap_err();
        assert!(matches!(error, WeightsError::Tensor { .. }), "{error}");
    }
}
