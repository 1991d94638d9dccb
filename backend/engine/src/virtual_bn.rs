//! Virtual batch norms, for networks whose exporter folded the real ones into the convolutions.
//!
//! Without batch norms adaptive BN has nothing to adapt. From the unpruned network on the calibration images each
//! convolution output's mean and deviation are taken; a batch norm with these as statistics and also as beta and gamma is
//! the identity. Behind a pruned convolution it is adapted like any other, which brings each channel back to the mean and
//! deviation that it had, and then folded away. For a folded batch norm this is algebraically the paper's method.

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, Node, NodeId, Op, ParameterId, ParameterKind};
use tch::{TchError, Tensor};

use crate::batches::batches;
use crate::exec::{self, ExecError, Hook};
use crate::fold::fold_added;
use crate::network::Network;
use crate::norms::virtual_sites;
use crate::pictures::Batches;
use crate::rewrite::{Rewrite, RewriteError, free_name};

/// Added to the variance under the root, as in PyTorch's batch norms.
const EPSILON: f64 = 1e-5;

/// Each convolution's output statistics in the unpruned network.
#[derive(Debug)]
pub struct VirtualBatchNorms {
    sites: BTreeMap<NodeId, Site>,
    /// How many parameters the network has; those of virtual batch norms come behind them.
    parameters: usize,
}

#[derive(Debug)]
struct Site {
    weight: ParameterId,
    mean: Tensor,
    variance: Tensor,
    batches: usize,
}

impl VirtualBatchNorms {
    /// Measures the unpruned network on `calibration`, `[n, C, H, W]`: per channel the mean over all batches of the batch's
    /// mean and unbiased variance, the same estimate that adaptive BN makes.
    pub fn measure(
        network: &Network,
        calibration: &dyn Batches,
        batch_size: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, ExecError> {
        let mut measuring = Measuring { weights: virtual_sites(&network.graph), sites: BTreeMap::new(), cancelled };
        for range in batches(calibration.count(), batch_size) {
            exec::run(network, &[calibration.batch(range)?], &mut measuring)?;
        }
        Ok(Self { sites: measuring.sites, parameters: network.graph.parameters.len() })
    }

    /// For a network whose weights come from elsewhere: batch norms that change nothing, at the places of measured ones.
    pub fn unmeasured(network: &Network) -> Result<Self, TchError> {
        let sites = virtual_sites(&network.graph).into_iter().map(|(node, weight)| {
            let channels = network.graph.shape(network.graph.node(node).outputs[0])[1].sample() as i64;
            let options = (tch::Kind::Float, network.weight(weight).device());
            let (mean, variance) = (Tensor::f_zeros([channels], options)?, Tensor::f_ones([channels], options)?);
            Ok((node, Site { weight, mean, variance, batches: 0 }))
        });
        Ok(Self { sites: sites.collect::<Result<_, TchError>>()?, parameters: network.graph.parameters.len() })
    }

    /// A network with a virtual batch norm behind every measured convolution. `pruned` is the measured network after
    /// pruning, with the same nodes; `kept` gives the kept output channels of a convolution by its weight (`None`: all).
    pub fn insert(
        &self,
        pruned: &Network,
        kept: impl Fn(ParameterId) -> Option<Vec<usize>>,
    ) -> Result<Network, RewriteError> {
        let mut rewrite = Rewrite::new(pruned, |_| true)?;
        for (id, node) in pruned.graph.nodes_with_ids() {
            rewrite.copy(node)?;
            let (Some(site), Some(convolved)) = (self.sites.get(&id), rewrite.value(node.outputs[0])) else { continue };
            let norm = insert_one(&mut rewrite, &pruned.graph, node, site, kept(site.weight), convolved)?;
            rewrite.replace(node.outputs[0], norm);
        }
        rewrite.finish()
    }

    /// Folds the virtual batch norms away: the uploaded network's parameters again, and a bias for each convolution.
    pub fn remove(&self, network: &Network) -> Result<Network, RewriteError> {
        fold_added(network, self.parameters)
    }
}

fn insert_one(
    rewrite: &mut Rewrite<'_>,
    graph: &Graph,
    node: &Node,
    site: &Site,
    kept: Option<Vec<usize>>,
    convolved: eagleeye_graph::ValueId,
) -> Result<eagleeye_graph::ValueId, RewriteError> {
    let select = |tensor: &Tensor| match &kept {
        None => Ok(tensor.shallow_clone()),
        Some(channels) => crate::prune::select(tensor, 0, channels),
    };
    let (mean, variance) = (select(&site.mean)?, select(&site.variance)?);
    let deviation = variance.f_add_scalar(EPSILON)?.f_sqrt()?;
    let stem = free_name(graph, &format!("{}.virtual_bn", node.name));
    let mut inputs = vec![convolved];
    let parts = [
        ("weight", deviation, ParameterKind::Parameter),
        ("bias", mean.f_detach_copy()?, ParameterKind::Parameter),
        ("running_mean", mean, ParameterKind::Buffer),
        ("running_var", variance, ParameterKind::Buffer),
    ];
    for (part, tensor, kind) in parts {
        inputs.push(rewrite.parameter(&free_name(graph, &format!("{stem}.{part}")), tensor, kind)?.1);
    }
    rewrite.push(&stem, Op::BatchNorm { epsilon: EPSILON }, &inputs)
}

struct Measuring<'a> {
    weights: BTreeMap<NodeId, ParameterId>,
    sites: BTreeMap<NodeId, Site>,
    cancelled: &'a dyn Fn() -> bool,
}

impl Hook for Measuring<'_> {
    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }

    fn convolution(&mut self, node: NodeId, output: &Tensor) -> Result<(), TchError> {
        let Some(&weight) = self.weights.get(&node) else { return Ok(()) };
        let axes: Vec<i64> = (0..output.dim() as i64).filter(|&axis| axis != 1).collect();
        let (variance, mean) = output.f_var_mean_dim(&axes[..], true, false)?;
        match self.sites.get_mut(&node) {
            None => {
                self.sites.insert(node, Site { weight, mean, variance, batches: 1 });
            }
            Some(site) => {
                site.batches += 1;
                let share = 1.0 / site.batches as f64;
                site.mean = site.mean.f_lerp(&mean, share)?;
                site.variance = site.variance.f_lerp(&variance, share)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eagleeye_spec::Adaptation;

    use crate::adapt::adapt;
    use crate::exec::forward;
    use crate::testing::{classifier, difference, images};

    fn never() -> bool {
        false
    }

    #[test]
    fn a_virtual_batch_norm_is_the_identity() {
        let network = classifier(2, false);
        let calibration = images(3, &[24, 1, 12, 12]);
        let virtual_norms = VirtualBatchNorms::measure(&network, &calibration, 8, &never).unwrap();
        let inserted = virtual_norms.insert(&network, |_| None).unwrap();
        assert_eq!(inserted.batch_norms(), 5);
        let x = images(4, &[2, 1, 12, 12]);
        assert!(difference(&forward(&inserted, &x).unwrap(), &forward(&network, &x).unwrap()) < 1e-5);
    }

    #[test]
    fn removing_them_leaves_the_uploaded_parameters() {
        let network = classifier(5, false);
        let calibration = images(6, &[24, 1, 12, 12]);
        let virtual_norms = VirtualBatchNorms::measure(&network, &calibration, 8, &never).unwrap();
        let inserted = virtual_norms.insert(&network, |_| None).unwrap();
        let adapted = adapt(&inserted, &images(7, &[16, 1, 12, 12]), 8, Adaptation::default(), &never).unwrap();
        let removed = virtual_norms.remove(&adapted).unwrap();
        assert_eq!(removed.graph.parameters, network.graph.parameters);
        assert_eq!(removed.batch_norms(), 0);
        let x = images(8, &[2, 1, 12, 12]);
        assert!(difference(&forward(&removed, &x).unwrap(), &forward(&adapted, &x).unwrap()) < 1e-5);
    }

    #[test]
    fn adapting_the_unpruned_network_to_the_same_images_changes_it_little() {
        let network = classifier(9, false);
        let calibration = images(10, &[256, 1, 12, 12]);
        let virtual_norms = VirtualBatchNorms::measure(&network, &calibration, 64, &never).unwrap();
        let inserted = virtual_norms.insert(&network, |_| None).unwrap();
        let adapted = adapt(&inserted, &calibration, 64, Adaptation::default(), &never).unwrap();
        let x = images(11, &[4, 1, 12, 12]);
        assert!(difference(&forward(&adapted, &x).unwrap(), &forward(&network, &x).unwrap()) < 0.05);
    }
}
