use std::cell::Cell;

use eagleeye_graph::{Binary, Conv, Dim, Op, ParameterKind, Unary, ValueId, channel_groups, plan};
use tch::{Kind, Tensor};

use super::*;
use crate::adapt::adapt;
use crate::exec::forward;
use crate::fold::fold;
use crate::prune::apply;
use crate::testing::{Layers, classifier, difference, images};

const QUIET: Follow = Follow { cancelled: &|| false, progress: &|_, _| {} };

/// A network, and itself without some units.
struct Case {
    full: Network,
    pruned: Network,
    groups: ChannelGroups,
    kept_units: Vec<Vec<usize>>,
    calibration: Tensor,
}

impl Case {
    /// Keeps the first `share` of the units of each prunable group.
    fn new(full: Network, share: f64, calibration: Tensor) -> Self {
        let groups = channel_groups(&full.graph).unwrap();
        let kept = |size: usize| ((size as f64 * share).ceil() as usize).max(1);
        let kept_units = groups.groups.iter().map(|g| (0..if g.prunable { kept(g.size) } else { g.size }).collect());
        let kept_units: Vec<Vec<usize>> = kept_units.collect();
        let pruned = apply(&full, plan(&full.graph, &groups, &kept_units).unwrap()).unwrap();
        Self { full, pruned, groups, kept_units, calibration }
    }

    fn outputs(&self) -> FullOutputs {
        FullOutputs::measure(&self.full, &self.calibration, 16, &|| false).unwrap()
    }

    fn repair(&self, options: RepairOptions, follow: &Follow) -> Result<Repaired, RepairError> {
        repair(&self.outputs(), &self.pruned, &self.groups, &self.kept_units, options, follow)
    }

    fn repaired(&self) -> Repaired {
        self.repair(RepairOptions::default(), &QUIET).unwrap()
    }

    /// The mean square of a network's distance from the full one, on images that it was not repaired on.
    fn distance(&self, network: &Network) -> f64 {
        let mut shape = self.calibration.size();
        shape[0] = 64;
        let sizes: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let x = images(99, &sizes);
        let missing = forward(network, &x).unwrap() - forward(&self.full, &x).unwrap();
        missing.square().mean(Kind::Double).double_value(&[])
    }

    /// The repaired network is closer to the full one than adaptive batch norm gets it, by this factor at least.
    fn improves(&self, factor: f64, what: &str) -> Vec<RepairedLayer> {
        let adapted = adapt(&self.pruned, &self.calibration, 16, Default::default(), &|| false).unwrap();
        let Repaired { network, layers } = self.repaired();
        let (before, after) = (self.distance(&adapted), self.distance(&network));
        assert!(after * factor < before, "{what}: {before} {after} {layers:#?}");
        layers
    }
}

fn bits(network: &Network) -> Vec<Vec<u32>> {
    let numbers = |w: &Tensor| Vec::<f32>::try_from(w.flatten(0, -1).to_kind(Kind::Float)).unwrap();
    network.weights.iter().map(|w| numbers(w).into_iter().map(f32::to_bits).collect()).collect()
}

fn fitted(layers: &[RepairedLayer]) -> usize {
    layers.iter().filter(|layer| matches!(layer.outcome, Outcome::Fitted { .. })).count()
}

#[test]
fn channels_that_others_make_up_for_are_not_missed() {
    let mut net = Layers::new(1);
    let x = net.image(3, 8);
    let x = net.conv(x, 8, 3, 1, 1, true);
    let x = net.conv(x, 6, 3, 2, 1, true);
    let x = net.relu(x);
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    let full = net.finish(y);
    let mix = images(2, &[4, 4]);
    for weight in [0, 1] {
        let kept = full.weights[weight].narrow(0, 0, 4);
        let others = mix.matmul(&kept.flatten_from(1)).reshape(kept.size());
        full.weights[weight].narrow(0, 4, 4).copy_(&others);
    }
    let case = Case::new(full, 0.5, images(3, &[64, 3, 8, 8]));
    let names = case.groups.groups.iter().map(|g| g.name.clone()).collect::<Vec<_>>();
    assert_eq!(case.kept_units[0].len(), 4, "{names:?}");
    let mut kept_units = case.kept_units.clone();
    for (kept, group) in kept_units.iter_mut().zip(&case.groups.groups).skip(1) {
        *kept = (0..group.size).collect();
    }
    let pruned = apply(&case.full, plan(&case.full.graph, &case.groups, &kept_units).unwrap()).unwrap();
    let case = Case { pruned, kept_units, ..case };
    let Repaired { network, layers } = case.repaired();
    let x = images(4, &[8, 3, 8, 8]);
    let wanted = forward(&case.full, &x).unwrap();
    assert!(difference(&forward(&case.pruned, &x).unwrap(), &wanted) > 0.05);
    assert!(difference(&forward(&network, &x).unwrap(), &wanted) < 1e-3, "{layers:#?}");
}

trait FlattenFrom {
    fn flatten_from(&self, axis: i64) -> Tensor;
}

impl FlattenFrom for Tensor {
    /// `[n, everything else]`, also of a vector.
    fn flatten_from(&self, axis: i64) -> Tensor {
        if self.dim() as i64 > axis { self.flatten(axis, -1) } else { self.unsqueeze(axis) }
    }
}

#[test]
fn the_same_repair_has_the_same_bits_and_shares_nothing_that_it_changes() {
    let case = Case::new(classifier(5, true), 0.5, images(6, &[48, 1, 12, 12]));
    let before = (bits(&case.full), bits(&case.pruned));
    let outputs = case.outputs();
    let repaired = || {
        repair(&outputs, &case.pruned, &case.groups, &case.kept_units, RepairOptions::default(), &QUIET)
            .unwrap()
            .network
    };
    assert_eq!(bits(&repaired()), bits(&repaired()));
    assert_eq!((bits(&case.full), bits(&case.pruned)), before);
}

#[test]
fn without_memory_for_activations_the_result_is_the_same() {
    for batch_norms in [true, false] {
        let case = Case::new(classifier(7, batch_norms), 0.5, images(8, &[48, 1, 12, 12]));
        let without = case.repair(RepairOptions { memory_bytes: 0, ..RepairOptions::default() }, &QUIET).unwrap();
        assert_eq!(bits(&without.network), bits(&case.repaired().network));
    }
}

#[test]
fn a_repair_is_cancelled_wherever_it_is() {
    let case = Case::new(classifier(9, true), 0.5, images(10, &[32, 1, 12, 12]));
    let calls = Cell::new(0u64);
    let count = || {
        calls.set(calls.get() + 1);
        false
    };
    case.repair(RepairOptions::default(), &Follow { cancelled: &count, progress: &|_, _| {} }).unwrap();
    let all = calls.get();
    assert!(all > 30, "{all}");
    for stop_at in (1..=all).step_by(7).chain([all]) {
        calls.set(0);
        let cancelled = || {
            calls.set(calls.get() + 1);
            calls.get() >= stop_at
        };
        let result = case.repair(RepairOptions::default(), &Follow { cancelled: &cancelled, progress: &|_, _| {} });
        assert_eq!(result.unwrap_err(), RepairError::Exec(ExecError::Cancelled));
        assert_eq!(calls.get(), stop_at);
    }
    let measured = FullOutputs::measure(&case.full, &case.calibration, 16, &|| true);
    assert_eq!(measured.err(), Some(ExecError::Cancelled));
}

#[test]
fn progress_counts_layers() {
    let case = Case::new(classifier(11, true), 0.5, images(12, &[16, 1, 12, 12]));
    let told = std::cell::RefCell::new(Vec::new());
    let progress = |done, total| told.borrow_mut().push((done, total));
    case.repair(RepairOptions::default(), &Follow { cancelled: &|| false, progress: &progress }).unwrap();
    assert_eq!(told.into_inner(), (0..=6).map(|done| (done, 6)).collect::<Vec<_>>());
}

#[test]
fn folded_batch_norms_are_repaired_as_real_ones() {
    let calibration = images(13, &[256, 1, 12, 12]);
    let network = classifier(14, true);
    let full = adapt(&network, &calibration, 256, Default::default(), &|| false).unwrap();
    let folded = Case::new(fold(&full).unwrap(), 0.5, calibration.shallow_clone());
    let kept = Case::new(full, 0.5, calibration);
    assert_eq!(folded.full.batch_norms(), 0);
    let x = images(15, &[16, 1, 12, 12]);
    let (folded, kept) = (folded.repaired().network, kept.repaired().network);
    let apart = difference(&forward(&folded, &x).unwrap(), &forward(&kept, &x).unwrap());
    assert!(apart < 0.05, "{apart}");
}

/// Three branches that are added, one of them without a layer of its own.
fn residual(batch_norms: bool) -> Network {
    let mut net = Layers::new(16);
    let norm = |net: &mut Layers, x| if batch_norms { net.batch_norm(x) } else { x };
    let x = net.image(3, 10);
    let x = net.conv(x, 12, 3, 1, 1, !batch_norms);
    let x = norm(&mut net, x);
    let mut x = net.relu(x);
    for _ in 0..2 {
        let y = net.conv(x, 16, 3, 1, 1, !batch_norms);
        let y = norm(&mut net, y);
        let y = net.relu(y);
        let y = net.conv(y, 12, 3, 1, 1, !batch_norms);
        let y = norm(&mut net, y);
        let sum = net.add(y, x);
        x = net.relu(sum);
    }
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    net.finish(y)
}

#[test]
fn residual_networks_improve_and_sums_are_made_up_for() {
    for batch_norms in [true, false] {
        let calibration = images(17, &[128, 3, 10, 10]);
        let full = adapt(&residual(batch_norms), &calibration, 128, Default::default(), &|| false).unwrap();
        let case = Case::new(full, 0.6, calibration);
        let layers = case.improves(1.5, "residual");
        let sums = layers.iter().filter(|layer| matches!(layer.outcome, Outcome::Fitted { to_sum: true, .. })).count();
        assert_eq!((sums, fitted(&layers)), (2, 5), "{layers:#?}");
    }
}

/// Two convolutions around `between`, and a classifier.
fn around(between: impl Fn(&mut Layers, ValueId) -> ValueId) -> Network {
    let mut net = Layers::new(18);
    let x = net.image(3, 10);
    let x = net.conv(x, 16, 3, 1, 1, true);
    let x = net.relu(x);
    let x = between(&mut net, x);
    let x = net.relu(x);
    let x = net.conv(x, 8, 1, 1, 1, true);
    let x = net.relu(x);
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    net.finish(y)
}

#[test]
fn grouped_depthwise_and_transposed_convolutions_improve() {
    let grouped = around(|net, x| net.conv(x, 16, 3, 1, 4, true));
    let depthwise = around(|net, x| {
        let x = net.conv(x, 16, 1, 1, 1, true);
        let x = net.relu(x);
        net.conv(x, 16, 3, 2, 16, true)
    });
    let transposed = around(|net, x| {
        let weight = net.parameter("up.weight", &[16, 12, 3, 3], (-0.3, 0.3), ParameterKind::Parameter);
        let bias = net.parameter("up.bias", &[12], (-0.5, 0.5), ParameterKind::Parameter);
        let conv = Conv {
            stride: vec![2; 2],
            padding: vec![(1, 1); 2],
            dilation: vec![1; 2],
            groups: 1,
            transposed: Some(vec![1; 2]),
        };
        net.push("up", Op::Conv(conv), &[x, weight, bias])
    });
    for (what, network, layers) in [("grouped", grouped, 3), ("depthwise", depthwise, 4), ("transposed", transposed, 3)]
    {
        let found = Case::new(network, 0.5, images(19, &[96, 3, 10, 10])).improves(1.5, what);
        assert_eq!(fitted(&found), layers, "{what}: {found:#?}");
    }
}

#[test]
fn linear_layers_on_sequences_improve() {
    let mut net = Layers::new(20);
    let x = net.image(3, 8);
    let x = net.conv(x, 12, 2, 2, 1, true);
    let shape = vec![Dim::Batch(1), Dim::Fixed(12), Dim::Fixed(net.size(x, 2) * net.size(x, 3))];
    let x = net.push("tokens", Op::Reshape { shape }, &[x]);
    let x = net.push("last", Op::Permute { order: vec![0, 2, 1] }, &[x]);
    let hidden = net.linear(x, 24);
    let hidden = net.push("gelu", Op::Unary(Unary::Gelu { tanh: false }), &[hidden]);
    let back = net.linear(hidden, 12);
    let x = net.push("residual", Op::Binary(Binary::Add), &[x, back]);
    let reduce = Op::Reduce { kind: eagleeye_graph::Reduction::Mean, axes: vec![1], keep_dims: false };
    let x = net.push("mean", reduce, &[x]);
    let y = net.linear(x, 5);
    let case = Case::new(net.finish(y), 0.5, images(21, &[128, 3, 8, 8]));
    let layers = case.improves(1.5, "sequence");
    assert_eq!(fitted(&layers), 3, "{layers:#?}");
}

#[test]
fn layers_that_cannot_be_fitted_are_listed_with_the_reason() {
    let mut net = Layers::new(22);
    let x = net.image(4, 8);
    let x = net.conv(x, 4, 3, 1, 1, true);
    let weight = net.builder.parameter_value(eagleeye_graph::ParameterId(0));
    let conv = Conv { stride: vec![1; 2], padding: vec![(1, 1); 2], dilation: vec![1; 2], groups: 1, transposed: None };
    let x = net.push("again", Op::Conv(conv), &[x, weight]);
    let x = net.global_mean(x, false);
    let y = net.linear(x, 3);
    let layers = Case::new(net.finish(y), 1.0, images(23, &[32, 4, 8, 8])).repaired().layers;
    let reasons: Vec<bool> =
        layers.iter().map(|l| matches!(&l.outcome, Outcome::Left { reason } if reason.contains("several"))).collect();
    assert_eq!(reasons, [true, true, false], "{layers:#?}");
}

#[test]
fn the_rows_of_many_images_are_no_more_than_those_of_few() {
    let full = classifier(24, true);
    let rows = |count: usize| -> usize {
        let outputs = FullOutputs::measure(&full, &images(25, &[count, 1, 12, 12]), 64, &|| false).unwrap();
        let of_batch = |batch| outputs.rows(outputs.sites[0].node, batch).map_or(0, |rows| rows.len());
        (0..outputs.batches.len()).map(of_batch).sum()
    };
    let (some, more) = (rows(512), rows(1024));
    assert!(more <= some + 1024, "{some} {more}");
}

#[test]
fn weights_that_are_not_finite_are_never_accepted() {
    for batch_norms in [true, false] {
        // Squares of what the layers read are too large for their type.
        let calibration = images(26, &[48, 1, 12, 12]) * 1e25;
        let case = Case::new(classifier(27, batch_norms), 0.5, calibration);
        let Repaired { network, layers } = case.repaired();
        for (parameter, weight) in network.graph.parameters.iter().zip(&network.weights) {
            assert!(weight.isfinite().all().int64_value(&[]) != 0, "{} {layers:#?}", parameter.name);
        }
        let errors = layers.iter().filter_map(|layer| match layer.outcome {
            Outcome::Fitted { before, after, .. } => Some((before, after)),
            Outcome::Left { .. } => None,
        });
        assert!(errors.clone().all(|(before, after)| after < before), "{layers:#?}");
        assert!(errors.count() < layers.len(), "{layers:#?}");
    }
}
