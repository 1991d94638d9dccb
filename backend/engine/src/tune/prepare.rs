//! What is trained of a network whose exporter folded the batch norms away: the network with virtual ones, and the way back.

use eagleeye_graph::Op;
use eagleeye_spec::report::BatchNormState;

use super::error::TuneError;
use crate::network::Network;
use crate::norms::batch_norm_state;
use crate::pictures::Batches;
use crate::virtual_bn::VirtualBatchNorms;

const BATCH: usize = 128;

/// A network in the form in which it is trained.
pub(super) struct Prepared {
    pub network: Network,
    norms: Option<VirtualBatchNorms>,
}

impl Prepared {
    /// Batch norms that were folded away come back as the identity, measured on `calibration`. A network with layer or group
    /// norms never had any.
    pub fn new(network: &Network, calibration: &dyn Batches, cancelled: &dyn Fn() -> bool) -> Result<Self, TuneError> {
        let graph = &network.graph;
        let has_other_norms = graph.nodes.iter().any(|n| matches!(n.op, Op::LayerNorm { .. } | Op::GroupNorm { .. }));
        if batch_norm_state(graph) != BatchNormState::Folded || has_other_norms {
            return Ok(Self { network: network.shallow_clone(), norms: None });
        }
        let norms = VirtualBatchNorms::measure(network, calibration, BATCH, cancelled)?;
        Ok(Self { network: norms.insert(network, |_| None)?, norms: Some(norms) })
    }

    /// A trained network with the parameters that it was given with. Kernels are in libtorch's usual order in memory again.
    pub fn finished(&self, trained: &Network) -> Result<Network, TuneError> {
        let _no_grad = tch::no_grad_guard();
        let removed = self.norms.as_ref().map(|norms| norms.remove(trained)).transpose()?;
        let network = removed.unwrap_or_else(|| trained.shallow_clone());
        let plain = network.weights.iter().map(|weight| weight.f_detach()?.f_contiguous());
        let weights = plain.collect::<Result<_, _>>()?;
        Ok(network.with(network.graph.clone(), weights))
    }
}
