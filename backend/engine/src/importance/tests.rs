//! What holds for every criterion and aggregate.

use eagleeye_graph::channel_groups;
use eagleeye_spec::Space;
use tch::Tensor;

use super::*;
use crate::exec::ExecError;
use crate::prune::{PruneError, prune_by};
use crate::testing::{classifier, images};
use crate::verify::zero_oracle;

const SPACE: Space = Space { round_to: Some(1), min_keep_ratio: 0.1 };

fn all() -> impl Iterator<Item = Importance> {
    let with = |criterion| Aggregate::ALL.map(|aggregate| Importance { criterion, aggregate });
    Criterion::ALL.into_iter().flat_map(with)
}

fn judge(network: &Network, images: &Tensor, how: Importance) -> Result<Vec<Vec<f64>>, ImportanceError> {
    let groups = channel_groups(&network.graph).unwrap();
    let data = ImportanceData { images: Some(images), labels: None, batch_size: 8, seed: 3, cancelled: &|| false };
    importance(network, &groups, how, &data)
}

#[test]
fn every_unit_has_a_finite_value_and_the_same_one_again() {
    let images = images(2, &[20, 1, 12, 12]);
    for (network, how) in [true, false].into_iter().flat_map(|bn| all().map(move |how| (classifier(1, bn), how))) {
        let values = judge(&network, &images, how).unwrap();
        let sizes: Vec<usize> = values.iter().map(Vec::len).collect();
        let groups = channel_groups(&network.graph).unwrap();
        assert_eq!(sizes, groups.groups.iter().map(|group| group.size).collect::<Vec<_>>(), "{how:?}");
        assert!(values.iter().flatten().all(|value| value.is_finite() && *value >= 0.0), "{how:?}: {values:?}");
        let told_apart = groups.groups.iter().zip(&values).filter(|(group, _)| group.prunable);
        assert!(told_apart.into_iter().all(|(_, values)| values.iter().any(|value| *value != values[0])), "{how:?}");
        assert_eq!(values, judge(&network, &images, how).unwrap(), "{how:?}");
    }
}

#[test]
fn what_is_pruned_by_any_criterion_is_the_full_network_without_the_removed_channels() {
    let images = images(4, &[20, 1, 12, 12]);
    let data = ImportanceData { images: Some(&images), labels: None, batch_size: 8, seed: 3, cancelled: &|| false };
    for (network, how) in [true, false].into_iter().flat_map(|bn| all().map(move |how| (classifier(5, bn), how))) {
        let pruned = prune_by(&network, 0.5, 7, 0, &SPACE, how, &data).unwrap();
        assert!(pruned.report.groups.iter().any(|group| group.kept < group.size));
        let difference = zero_oracle(&network, &pruned).unwrap();
        assert!(difference < 1e-5, "{how:?}: {difference}");
        let values = judge(&network, &images, how).unwrap();
        for (values, kept) in values.iter().zip(&pruned.kept_units) {
            let least = kept.iter().map(|&unit| values[unit]).fold(f64::INFINITY, f64::min);
            let gone = (0..values.len()).filter(|unit| !kept.contains(unit)).map(|unit| values[unit]);
            assert!(
                gone.into_iter().all(|value| value <= least),
                "{how:?}: a unit more important than {least} is gone"
            );
        }
    }
}

#[test]
fn criteria_that_need_images_are_refused_without_them() {
    let network = classifier(1, true);
    let no_images = images(1, &[0, 1, 12, 12]);
    for criterion in Criterion::ALL {
        let how = Importance { criterion, aggregate: Aggregate::Sum };
        let pruned = prune_by(&network, 0.5, 7, 0, &SPACE, how, &ImportanceData::without_images(7));
        let judged = judge(&network, &no_images, how);
        if criterion.needs_images() {
            let error = ImportanceError::NeedsImages(criterion);
            let says = error.to_string();
            assert!(says.contains(&format!("`{}`", criterion.name())) && says.ends_with("`random`"), "{says}");
            assert_eq!(pruned.unwrap_err(), PruneError::Importance(error.clone()));
            assert_eq!(judged, Err(error));
        } else {
            assert!(pruned.is_ok() && judged.is_ok(), "{how:?}");
        }
    }
}

#[test]
fn cancelling_ends_what_runs_the_network() {
    let (network, images) = (classifier(1, true), images(1, &[6, 1, 12, 12]));
    let groups = channel_groups(&network.graph).unwrap();
    let data = ImportanceData { images: Some(&images), labels: None, batch_size: 4, seed: 0, cancelled: &|| true };
    for criterion in Criterion::ALL.into_iter().filter(|criterion| criterion.needs_images()) {
        let how = Importance { criterion, aggregate: Aggregate::Sum };
        let ended = importance(&network, &groups, how, &data).unwrap_err();
        assert_eq!(ended, ImportanceError::Exec(ExecError::Cancelled), "{}", criterion.name());
    }
}

#[test]
fn layers_are_added_up_averaged_or_left_out() {
    let layers = || vec![vec![1.0, 3.0], vec![30.0, 10.0], vec![0.0, 0.0]];
    assert_eq!(combine(Aggregate::Sum, layers(), 2), [31.0, 13.0]);
    assert_eq!(combine(Aggregate::Mean, layers(), 2), [(0.5 + 1.5) / 3.0, (1.5 + 0.5) / 3.0]);
    assert_eq!(combine(Aggregate::Leading, layers(), 2), [1.0, 3.0]);
    for aggregate in Aggregate::ALL {
        assert_eq!(combine(aggregate, Vec::new(), 2), [0.0, 0.0]);
    }
}
