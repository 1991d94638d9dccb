//! First-order Taylor: by how much the loss changes when a filter is set to zero (Molchanov et al., CVPR 2019).

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::{ChannelGroups, Group, Member, ParameterId, Role};
use eagleeye_spec::Criterion;
use eagleeye_torchscript::tensors::values;
use tch::{Device, Kind, TchError, Tensor};

use super::error::ImportanceError;
use super::subject::{Cancellable, LayerScores, Subject, finite, sum_along, unit_sums};
use crate::batches::batches;
use crate::exec;
use crate::network::Network;

/// Images that the gradients are taken on at most.
const IMAGES: usize = 256;
/// Images of one batch at most: all activations of a batch are kept for its gradients.
const BATCH: usize = 16;

/// For each layer that makes a group's channels, the mean over batches of `|sum of weight * gradient|` over a filter's weights,
/// the gradient being that of the batch's mean cross-entropy. A scale that a folded batch norm has left in the filter cancels
/// out of it.
///
/// Batch norms use their running statistics: with those of the batch, the loss would not depend on a filter's scale, and the
/// sums would all be 0. It is computed on the CPU, since cuDNN's gradients are not the same to the last digit each time.
pub(super) fn changes_of_loss(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    let images = subject.images(Criterion::Taylor)?;
    let count = images.count().min(IMAGES);
    let labels = labels(subject, images.count())?;
    let labels = labels.map(|labels| labels.f_narrow(0, 0, count as i64)?.f_to_device(Device::Cpu)).transpose()?;
    let images = images.batch(0..count)?.f_to_device(Device::Cpu)?;
    let mut changes = Changes::new(subject)?;
    for range in batches(count, subject.data.batch_size.min(BATCH)) {
        let (start, length) = (range.start as i64, range.len() as i64);
        let labels = labels.as_ref().map(|labels| labels.f_narrow(0, start, length)).transpose()?;
        let loss = loss(subject, &changes.network, images.f_narrow(0, start, length)?, labels)?;
        changes.add(&loss, length as f64 / count as f64)?;
    }
    subject.groups.groups.iter().map(|group| changes.of_group(group)).collect()
}

fn labels<'a>(subject: &Subject<'a>, images: usize) -> Result<Option<&'a Tensor>, ImportanceError> {
    let Some(labels) = subject.data.labels else { return Ok(None) };
    let labelled = labels.numel();
    if images == labelled { Ok(Some(labels)) } else { Err(ImportanceError::Labels { images, labels: labelled }) }
}

/// Mean cross-entropy of one batch.
fn loss(
    subject: &Subject,
    network: &Network,
    batch: Tensor,
    labels: Option<Tensor>,
) -> Result<Tensor, ImportanceError> {
    let mut hook = Cancellable(subject.data.cancelled);
    let logits = exec::run_with_gradients(network, &[batch], &mut hook)?.swap_remove(0).f_flatten(1, -1)?;
    let labels = labels.map_or_else(|| logits.f_detach()?.f_argmax(1, false), Ok)?;
    let log_likelihood = logits.f_log_softmax(1, None::<Kind>)?.f_gather(1, &labels.f_unsqueeze(1)?, false)?;
    Ok(log_likelihood.f_mean(None::<Kind>)?.f_neg()?)
}

/// The changes of the loss for the slices of weights, as far as they are summed up.
struct Changes {
    /// On the CPU, with gradients of the weights whose slices make channels.
    network: Network,
    /// By weight and axis.
    slices: BTreeMap<(ParameterId, usize), Tensor>,
}

impl Changes {
    fn new(subject: &Subject) -> Result<Self, TchError> {
        let mut network = subject.network.to_device(Device::Cpu)?;
        network.weights = network.weights.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
        let mut slices = BTreeMap::new();
        for (parameter, axis) in made_along(subject.groups) {
            let weight = &mut network.weights[parameter.index()];
            *weight = weight.f_set_requires_grad(true)?;
            slices.insert((parameter, axis), Tensor::f_zeros([weight.size()[axis]], (Kind::Double, Device::Cpu))?);
        }
        Ok(Self { network, slices })
    }

    /// Adds a batch's changes times `share`.
    fn add(&mut self, loss: &Tensor, share: f64) -> Result<(), TchError> {
        if !loss.requires_grad() {
            return Ok(());
        }
        let parameters: BTreeSet<ParameterId> = self.slices.keys().map(|&(parameter, _)| parameter).collect();
        let weights: Vec<&Tensor> = parameters.iter().map(|&parameter| self.network.weight(parameter)).collect();
        let gradients = Tensor::f_run_backward(&[loss], &weights, false, false)?;
        let gradients: BTreeMap<_, _> = parameters.iter().copied().zip(gradients).collect();
        for (&(parameter, axis), sum) in &mut self.slices {
            // None where the weight is for another output of the network than the first.
            let Some(gradient) = gradients.get(&parameter).filter(|gradient| gradient.defined()) else { continue };
            let products = self.network.weight(parameter).f_detach()?.f_mul(gradient)?;
            *sum = sum.f_add(&sum_along(&products, axis)?.f_abs()?.f_mul_scalar(share)?)?;
        }
        Ok(())
    }

    fn of_group(&self, group: &Group) -> Result<LayerScores, ImportanceError> {
        let mut layers = Vec::new();
        for member in makers(group) {
            let Some(slices) = self.slices.get(&(member.parameter, member.axis)) else { continue };
            layers.push(unit_sums(member, &values(slices)?));
        }
        finite(Criterion::Taylor, group, layers)
    }
}

/// The axes of weights whose slices make channels.
fn made_along(groups: &ChannelGroups) -> BTreeSet<(ParameterId, usize)> {
    groups.groups.iter().flat_map(makers).map(|member| (member.parameter, member.axis)).collect()
}

fn makers(group: &Group) -> impl Iterator<Item = &Member> {
    group.members.iter().filter(|member| member.role == Role::Produces)
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::channel_groups;
    use eagleeye_spec::{Aggregate, Importance};

    use super::*;
    use crate::exec::forward;
    use crate::importance::{ImportanceData, importance};
    use crate::testing::{classifier, images};

    const HOW: Importance = Importance { criterion: Criterion::Taylor, aggregate: Aggregate::Leading };

    fn judge(network: &Network, images: &Tensor, labels: Option<&Tensor>) -> Result<Vec<Vec<f64>>, ImportanceError> {
        let groups = channel_groups(&network.graph).unwrap();
        let data = ImportanceData { images: Some(images), labels, batch_size: 8, seed: 0, cancelled: &|| false };
        importance(network, &groups, HOW, &data)
    }

    /// Mean cross-entropy in `f64`.
    fn cross_entropy(network: &Network, images: &Tensor, labels: &Tensor) -> f64 {
        let likelihoods = forward(network, images).unwrap().log_softmax(1, Kind::Double);
        -likelihoods.gather(1, &labels.unsqueeze(1), false).mean(Kind::Double).double_value(&[])
    }

    /// How the loss changes with a factor on one filter, by central differences.
    fn slope(network: &Network, weight: usize, filter: i64, images: &Tensor, labels: &Tensor) -> f64 {
        let step = 1e-5;
        let at = |factor: f64| {
            let mut scaled = network.shallow_clone();
            scaled.weights[weight] = network.weights[weight].copy();
            let mut slice = scaled.weights[weight].get(filter);
            slice *= factor;
            cross_entropy(&scaled, images, labels)
        };
        (at(1.0 + step) - at(1.0 - step)) / (2.0 * step)
    }

    #[test]
    fn a_value_is_the_slope_of_the_loss_along_the_filter_averaged_over_batches() {
        for batch_norms in [true, false] {
            let single = classifier(4, batch_norms);
            let weights = single.weights.iter().map(|weight| weight.to_kind(Kind::Double)).collect();
            let network = single.with(single.graph.clone(), weights);
            let images = images(5, &[20, 1, 12, 12]).to_kind(Kind::Double);
            let labels = Tensor::from_slice(&(0..20).map(|image| image % 5).collect::<Vec<i64>>());
            let found = judge(&network, &images, Some(&labels)).unwrap();
            let conv = network.graph.parameters.iter().position(|p| p.name == "conv1.weight").unwrap();
            for filter in 0..8 {
                let of_batch = |start: i64, length: i64| {
                    let (images, labels) = (images.narrow(0, start, length), labels.narrow(0, start, length));
                    slope(&network, conv, filter, &images, &labels).abs() * length as f64 / 20.0
                };
                let expected = of_batch(0, 8) + of_batch(8, 8) + of_batch(16, 4);
                let found = found[0][filter as usize];
                assert!((found - expected).abs() < 1e-6 * expected.max(1e-2), "{filter}: {found} {expected}");
            }
        }
    }

    #[test]
    fn without_labels_the_networks_own_answers_are_the_labels() {
        let (network, images) = (classifier(6, true), images(7, &[20, 1, 12, 12]));
        let answers = forward(&network, &images).unwrap().argmax(1, false);
        let own = judge(&network, &images, None).unwrap();
        assert_eq!(own, judge(&network, &images, Some(&answers)).unwrap());
        assert_ne!(own, judge(&network, &images, Some(&answers.zeros_like())).unwrap());
    }

    #[test]
    fn images_beyond_the_first_256_do_not_count() {
        let network = classifier(8, true);
        let many = images(9, &[300, 1, 12, 12]);
        let labels = Tensor::zeros([300], (Kind::Int64, Device::Cpu));
        let of_many = judge(&network, &many, Some(&labels)).unwrap();
        assert_eq!(of_many, judge(&network, &many.narrow(0, 0, 256), Some(&labels.narrow(0, 0, 256))).unwrap());
    }

    #[test]
    fn labels_for_other_images_are_refused() {
        let labels = Tensor::zeros([5], (Kind::Int64, Device::Cpu));
        let refused = judge(&classifier(1, true), &images(1, &[6, 1, 12, 12]), Some(&labels)).unwrap_err();
        assert_eq!(refused, ImportanceError::Labels { images: 6, labels: 5 });
    }

    #[test]
    fn numbers_that_are_none_are_refused_and_the_group_is_named() {
        let broken = images(1, &[6, 1, 12, 12]) * f64::NAN;
        let refused = judge(&classifier(1, true), &broken, None).unwrap_err();
        assert_eq!(refused, ImportanceError::NotFinite { criterion: Criterion::Taylor, group: "conv1".to_owned() });
    }

    #[test]
    fn the_weights_stay_as_they_are_and_need_no_gradients() {
        let network = classifier(3, true);
        let before: Vec<Tensor> = network.weights.iter().map(Tensor::copy).collect();
        judge(&network, &images(1, &[6, 1, 12, 12]), None).unwrap();
        assert_eq!(network.weights, before);
        assert!(network.weights.iter().all(|weight| !weight.requires_grad()));
    }
}
