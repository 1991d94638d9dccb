//! How important each unit of each channel group is: which units a candidate keeps, once a strategy has said how many.
//!
//! A criterion gives each layer's value for each unit of a group; those of several layers then become one. A new criterion is a
//! file of its own here and an arm of [`scores`].

mod activation;
mod batch_norm;
mod error;
mod geometric_median;
mod magnitude;
mod random;
mod subject;
mod taylor;

use eagleeye_graph::ChannelGroups;
use eagleeye_spec::{Aggregate, Criterion, Importance};

use crate::network::Network;
use subject::{LayerScores, Subject};

pub use error::ImportanceError;
pub use subject::ImportanceData;

/// A value for each unit of each group, in the order of `groups.groups`; the larger, the more important. Groups whose channels
/// no layer makes or reads have zeros.
///
/// `network` and the images and labels of `data` are on one device. The same arguments give the same values to the last digit
/// on the same device with the same number of threads.
///
/// # Errors
/// [`ImportanceError::NeedsImages`] where the criterion needs images and `data` has none, [`ImportanceError::Labels`] where there
/// are labels for other than all images, [`ImportanceError::NotFinite`] where the network does not compute finite numbers on the
/// images, [`ImportanceError::Exec`] where it cannot be run or `data.cancelled` says so.
pub fn importance(
    network: &Network,
    groups: &ChannelGroups,
    how: Importance,
    data: &ImportanceData,
) -> Result<Vec<Vec<f64>>, ImportanceError> {
    let scores = scores(how.criterion, &Subject::new(network, groups, data))?;
    let units = groups.groups.iter().zip(scores).map(|(group, layers)| combine(how.aggregate, layers, group.size));
    Ok(units.collect())
}

/// What each layer of each group says.
fn scores(criterion: Criterion, subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    match criterion {
        Criterion::L1 => magnitude::l1(subject),
        Criterion::L2 => magnitude::l2(subject),
        Criterion::BnScale => batch_norm::scales(subject),
        Criterion::Fpgm => geometric_median::distances(subject),
        Criterion::Taylor => taylor::changes_of_loss(subject),
        Criterion::Activation => activation::second_moments(subject),
        Criterion::Random => random::uniform(subject),
    }
}

/// One value for each of a group's units from those of its layers.
fn combine(aggregate: Aggregate, layers: LayerScores, units: usize) -> Vec<f64> {
    match aggregate {
        Aggregate::Sum => sum(&layers, units),
        Aggregate::Mean => {
            let count = layers.len().max(1) as f64;
            let relative: LayerScores = layers.into_iter().map(relative_to_mean).collect();
            sum(&relative, units).into_iter().map(|value| value / count).collect()
        }
        Aggregate::Leading => layers.into_iter().next().unwrap_or_else(|| vec![0.0; units]),
    }
}

fn sum(layers: &LayerScores, units: usize) -> Vec<f64> {
    let mut sums = vec![0.0; units];
    for layer in layers {
        sums.iter_mut().zip(layer).for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// A layer's values divided by their mean; as they are where all of them are 0.
fn relative_to_mean(layer: Vec<f64>) -> Vec<f64> {
    let mean = layer.iter().sum::<f64>() / layer.len() as f64;
    if mean > 0.0 { layer.into_iter().map(|value| value / mean).collect() } else { layer }
}

#[cfg(test)]
mod tests;
