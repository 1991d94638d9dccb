//! The loss and the gradients of one batch, in a file, for whoever wants to compare them with another program's.

use std::path::Path;

use tch::{Kind, Tensor};

use super::augment::channels_last;
use super::error::TuneError;
use super::parameters::Parameters;
use super::trainer::Training;
use crate::exec;
use crate::network::Network;

/// Reads `x`, the network's input, and `labels`, `[n]` and `i64`, from a safetensors file, and writes the mean cross-entropy in
/// training mode as `loss`, and its gradients and the running statistics after the batch under the names of their tensors. It is
/// computed in the element type of `x`, `f32` or `f64`.
///
/// # Errors
/// Where a file is missing or has no such tensors, or the network cannot be trained on them.
pub fn write_gradients(network: &Network, batch: &Path, out: &Path) -> Result<(), TuneError> {
    let read = Tensor::read_safetensors(batch)?;
    let tensor = |name: &str| {
        let found = read.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor);
        found.ok_or_else(|| TuneError::Torch(format!("`{}` has no tensor `{name}`", batch.display())))
    };
    let (x, labels) = (tensor("x")?, tensor("labels")?);
    let weights = network.weights.iter().map(|weight| match weight.kind() {
        Kind::Float => weight.f_to_kind(x.kind()),
        _ => Ok(weight.shallow_clone()),
    });
    let network = network.with(network.graph.clone(), weights.collect::<Result<_, _>>()?);
    let mut parameters = Parameters::new(&network)?;
    let inputs = [channels_last(x)?];
    let logits = exec::run_with_gradients(&parameters.network, &inputs, &mut Training(&|| false))?;
    let logs = logits[0].f_flatten(1, -1)?.f_log_softmax(1, None::<Kind>)?;
    let loss = logs.f_gather(1, &labels.f_unsqueeze(1)?, false)?.f_mean(None::<Kind>)?.f_neg()?;
    parameters.take_gradients(&loss, true)?;
    let name = |id| network.graph.parameter(id).name.clone();
    let views = |names: Vec<String>, views: Vec<Tensor>| names.into_iter().zip(views);
    let gradients = parameters.trained.views(&parameters.gradients)?;
    let statistics = parameters.statistics.views(&parameters.statistics.values)?;
    let mut written = vec![("loss".to_owned(), loss.f_detach()?.f_view([1i64])?)];
    written.extend(views(parameters.trained.ids().map(name).collect(), gradients));
    written.extend(views(parameters.statistics.ids().map(name).collect(), statistics));
    let plain = written.into_iter().map(|(name, tensor)| Ok((name, tensor.f_contiguous()?)));
    Ok(Tensor::write_safetensors(&plain.collect::<Result<Vec<_>, TuneError>>()?, out)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{classifier, images};

    #[test]
    fn a_file_has_the_loss_the_gradients_and_the_statistics() {
        let network = classifier(1, true);
        let folder = tempfile::tempdir().unwrap();
        let (batch, out) = (folder.path().join("batch"), folder.path().join("out"));
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3]);
        Tensor::write_safetensors(&[("x", images(2, &[4, 1, 12, 12])), ("labels", labels)], &batch).unwrap();
        write_gradients(&network, &batch, &out).unwrap();
        let found = Tensor::read_safetensors(&out).unwrap();
        assert_eq!(found.len(), 1 + network.weights.len());
        for (name, tensor) in &found {
            let index = network.graph.parameters.iter().position(|parameter| parameter.name == *name);
            let sizes = index.map_or(vec![1], |index| network.weights[index].size());
            assert_eq!(tensor.size(), sizes, "{name}");
            assert!(tensor.abs().sum(Kind::Double).double_value(&[]) > 0.0, "{name}");
        }
        let error = write_gradients(&network, &out, &batch).unwrap_err();
        assert!(error.to_string().contains("no tensor `x`"), "{error}");
    }
}
