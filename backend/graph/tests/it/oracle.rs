//! The zero oracle: a pruned network answers like the full one whose removed slices are zero.

use eagleeye_graph::shape::sample;
use eagleeye_graph::{ChannelGroups, Graph, Plan, channel_groups, plan};
use ndarray::{ArrayD, Axis, IxDyn};
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::reference::{larger, run};

pub fn groups(graph: &Graph) -> ChannelGroups {
    channel_groups(graph).unwrap()
}

/// Prunes about half of every prunable group and compares with the zeroed network.
///
/// Groups that an operator normalises together are pruned too, but where there is one the answers may differ: then only the
/// other groups are pruned for the comparison.
pub fn assert_prunes(graph: &Graph, seed: u64) -> ChannelGroups {
    let groups = groups(graph);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let all = plan(graph, &groups, &random_units(&groups, &mut rng, |_| true)).unwrap();
    assert_runs(&all, &mut rng);
    let exact = random_units(&groups, &mut rng, |group| groups.groups[group].normalised_by.is_none());
    assert_like_zeroed(graph, &groups, &plan(graph, &groups, &exact).unwrap(), &mut rng);
    groups
}

pub fn random_units(groups: &ChannelGroups, rng: &mut ChaCha8Rng, prune: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let kept = groups.groups.iter().enumerate().map(|(number, group)| {
        if !group.prunable || !prune(number) {
            return (0..group.size).collect();
        }
        let count = rng.random_range(1..=group.size.div_ceil(2));
        let mut units = index::sample(rng, group.size, count).into_vec();
        units.sort_unstable();
        units
    });
    kept.collect()
}

fn random(sizes: &[usize], rng: &mut ChaCha8Rng, low: f64) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(sizes), |_| rng.random_range(low..1.0))
}

fn inputs(graph: &Graph, rng: &mut ChaCha8Rng) -> Vec<ArrayD<f64>> {
    graph.inputs.iter().map(|&i| random(&sample(graph.shape(i)), rng, -1.0)).collect()
}

fn weights(graph: &Graph, rng: &mut ChaCha8Rng) -> Vec<ArrayD<f64>> {
    let positive = |name: &str| name.ends_with("running_var");
    graph.parameters.iter().map(|p| random(&p.shape, rng, if positive(&p.name) { 0.5 } else { -1.0 })).collect()
}

fn assert_runs(plan: &Plan, rng: &mut ChaCha8Rng) {
    let weights = weights(&plan.graph, rng);
    let inputs = inputs(&plan.graph, rng);
    let finite = run(&plan.graph, &weights, &inputs).iter().all(|y| y.iter().all(|v| v.is_finite()));
    assert!(finite, "the pruned network computes numbers");
}

fn assert_like_zeroed(graph: &Graph, groups: &ChannelGroups, plan: &Plan, rng: &mut ChaCha8Rng) {
    let mut zeroed = weights(graph, rng);
    let inputs = inputs(graph, rng);
    let mut sliced = zeroed.clone();
    for (tensor, slices) in sliced.iter_mut().zip(&plan.slices) {
        for (&axis, kept) in slices {
            *tensor = tensor.select(Axis(axis), kept);
        }
    }
    for (group, kept) in groups.groups.iter().zip(&plan.kept_units) {
        for member in &group.members {
            for index in member.removed(kept) {
                let tensor = &mut zeroed[member.parameter.index()];
                tensor.index_axis_mut(Axis(member.axis), index as usize).fill(0.0);
            }
        }
    }
    let wanted = run(graph, &zeroed, &inputs);
    let found = run(&plan.graph, &sliced, &inputs);
    assert_eq!(wanted.len(), found.len(), "outputs");
    for (wanted, found) in wanted.iter().zip(&found) {
        let difference = difference(wanted, found);
        assert!(difference <= 1e-9, "differs by {difference} of the largest number");
    }
}

/// The largest difference, relative to the largest number that is wanted. Nothing equals not-a-number, and nothing a tensor of
/// another shape.
fn difference(wanted: &ArrayD<f64>, found: &ArrayD<f64>) -> f64 {
    if wanted.shape() != found.shape() {
        return f64::INFINITY;
    }
    let size = |start: f64, tensor: &ArrayD<f64>| tensor.iter().fold(start, |most, v| larger(most, v.abs()));
    let relative = size(0.0, &(wanted - found)) / size(1e-9, wanted);
    if relative.is_nan() { f64::INFINITY } else { relative }
}

#[test]
fn not_a_number_or_another_shape_is_a_difference() {
    let numbers = |entries: &[f64]| ArrayD::from_shape_vec(IxDyn(&[entries.len()]), entries.to_vec()).unwrap();
    assert_eq!(difference(&numbers(&[1.0, 2.0]), &numbers(&[1.0, 1.0])), 0.5);
    for wrong in [[f64::NAN, 2.0], [1.0, f64::NAN], [f64::INFINITY, 2.0]] {
        assert_eq!(difference(&numbers(&[1.0, 2.0]), &numbers(&wrong)), f64::INFINITY);
        assert_eq!(difference(&numbers(&wrong), &numbers(&[1.0, 2.0])), f64::INFINITY);
        assert_eq!(difference(&numbers(&wrong), &numbers(&wrong)), f64::INFINITY, "both wrong in the same way");
    }
    assert_eq!(difference(&numbers(&[1.0, 1.0]), &numbers(&[1.0])), f64::INFINITY);
}
