//! The tensors that are trained, one behind the other in one buffer, so that an optimizer's step, an average and a snapshot are a
//! few operations whatever the network.

use std::collections::BTreeSet;

use eagleeye_graph::{Graph, Op, ParameterId, ParameterKind};
use tch::{Kind, TchError, Tensor};

use super::error::TuneError;
use crate::network::Network;

/// Tensors begin at multiples of so many elements, since kernels are faster on aligned memory, and the same only there.
const ALIGNMENT: i64 = 16;

/// Tensors of a network as views of one buffer.
pub(super) struct Buffer {
    /// `[n]`; zero between the tensors.
    pub values: Tensor,
    slots: Vec<Slot>,
}

struct Slot {
    id: ParameterId,
    offset: i64,
    sizes: Vec<i64>,
    /// Of `sizes`, in the buffer.
    strides: Vec<i64>,
}

impl Buffer {
    /// Copies the tensors of `ids` into a new buffer, in this order.
    pub fn of(network: &Network, ids: &[ParameterId]) -> Result<Self, TchError> {
        let mut slots = Vec::new();
        let mut end = 0;
        for &id in ids {
            let sizes = network.weight(id).size();
            let count: i64 = sizes.iter().product();
            slots.push(Slot { id, offset: end, strides: strides(&sizes), sizes });
            end += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        let values = Tensor::f_zeros([end], (network.kind(), network.device()))?;
        let buffer = Self { values, slots };
        for (slot, mut view) in buffer.slots.iter().zip(buffer.views(&buffer.values)?) {
            view.f_copy_(network.weight(slot.id))?;
        }
        Ok(buffer)
    }

    /// Views of `values`, which is as this buffer, in the order of the tensors.
    pub fn views(&self, values: &Tensor) -> Result<Vec<Tensor>, TchError> {
        let view = |slot: &Slot| values.f_as_strided(&slot.sizes[..], &slot.strides[..], slot.offset);
        self.slots.iter().map(view).collect()
    }

    /// Numbers of all tensors together.
    pub fn count(&self) -> i64 {
        self.slots.iter().map(|slot| slot.sizes.iter().product::<i64>()).sum()
    }

    pub fn ids(&self) -> impl Iterator<Item = ParameterId> {
        self.slots.iter().map(|slot| slot.id)
    }

    /// Gives a network views of `values`, which is as this buffer, in place of its own tensors.
    pub fn put(&self, values: &Tensor, network: &mut Network) -> Result<(), TchError> {
        for (slot, view) in self.slots.iter().zip(self.views(values)?) {
            network.weights[slot.id.index()] = view;
        }
        Ok(())
    }
}

/// Convolution kernels over images have their channels last, which libtorch's kernels for the CPU are faster with.
fn strides(sizes: &[i64]) -> Vec<i64> {
    if let &[_, channels, height, width] = sizes {
        return vec![channels * height * width, 1, width * channels, channels];
    }
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    strides
}

/// What is trained of a network, and the running statistics that go with it.
pub(super) struct Parameters {
    pub trained: Buffer,
    pub statistics: Buffer,
    /// As `trained`.
    pub gradients: Tensor,
    /// Elements at the beginning of `trained` that decay: weights of convolutions, linear layers and matrix products.
    pub decayed: i64,
    /// Views of `gradients`.
    gradient_views: Vec<Tensor>,
    /// Views of `trained` from which gradients are taken.
    leaves: Vec<Tensor>,
    /// The network with these leaves and with views of `statistics`.
    pub network: Network,
}

impl Parameters {
    pub fn new(network: &Network) -> Result<Self, TuneError> {
        let statistics = statistics(&network.graph);
        let (decayed, others) = trained(network, &statistics);
        if decayed.is_empty() && others.is_empty() {
            return Err(TuneError::NoWeights);
        }
        let decayed_size = Buffer::of(network, &decayed)?.values.numel() as i64;
        let trained = Buffer::of(network, &[decayed, others].concat())?;
        let statistics = Buffer::of(network, &statistics.into_iter().collect::<Vec<_>>())?;
        let gradients = trained.values.f_zeros_like()?;
        let gradient_views = trained.views(&gradients)?;
        let mut copy = network.shallow_clone();
        statistics.put(&statistics.values, &mut copy)?;
        let leaf = |view: Tensor| view.f_detach()?.f_set_requires_grad(true);
        let leaves = trained.views(&trained.values)?.into_iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
        for (id, leaf) in trained.ids().zip(&leaves) {
            copy.weights[id.index()] = leaf.shallow_clone();
        }
        Ok(Self { trained, statistics, gradients, decayed: decayed_size, gradient_views, leaves, network: copy })
    }

    /// Adds the gradients of `loss`, or begins with them.
    pub fn take_gradients(&mut self, loss: &Tensor, is_first: bool) -> Result<(), TchError> {
        let gradients = Tensor::f_run_backward(&[loss], &self.leaves, false, false)?;
        for (sum, gradient) in self.gradient_views.iter_mut().zip(&gradients) {
            match (gradient.defined(), is_first) {
                (true, true) => sum.f_copy_(gradient)?,
                (true, false) => _ = sum.f_add_(gradient)?,
                (false, true) => _ = sum.f_zero_()?,
                (false, false) => (),
            }
        }
        Ok(())
    }

    /// Copies of what is trained and of the statistics in a network with the same parameters, one behind the other.
    pub fn buffers_of(&self, network: &Network) -> Result<(Tensor, Tensor), TchError> {
        let of = |buffer: &Buffer| Buffer::of(network, &buffer.ids().collect::<Vec<_>>()).map(|copy| copy.values);
        Ok((of(&self.trained)?, of(&self.statistics)?))
    }

    /// A network with copies of `values` and `statistics`.
    pub fn network_of(&self, values: &Tensor, statistics: &Tensor) -> Result<Network, TchError> {
        let mut network = self.network.shallow_clone();
        self.trained.put(&values.f_detach_copy()?, &mut network)?;
        self.statistics.put(&statistics.f_detach_copy()?, &mut network)?;
        Ok(network)
    }
}

/// The stored running means and variances of all batch norms.
fn statistics(graph: &Graph) -> BTreeSet<ParameterId> {
    let mut found = BTreeSet::new();
    for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::BatchNorm { .. })) {
        let stored = node.inputs.iter().rev().take(2).map(|&input| graph.parameter_of(input));
        found.extend(stored.flatten());
    }
    found
}

/// What is trained: first what decays, then the rest.
fn trained(network: &Network, statistics: &BTreeSet<ParameterId>) -> (Vec<ParameterId>, Vec<ParameterId>) {
    let graph = &network.graph;
    let (mut used, mut weights) = (BTreeSet::new(), BTreeSet::new());
    for node in &graph.nodes {
        let read = node.inputs.iter().map(|&input| graph.parameter_of(input));
        used.extend(read.clone().flatten());
        if matches!(node.op, Op::Conv(_) | Op::Linear { .. } | Op::MatMul) {
            weights.extend(read.skip(1).take(1).flatten());
        }
    }
    let is_trained = |id: &ParameterId| {
        let is_number = matches!(network.weight(*id).kind(), Kind::Float | Kind::Double);
        graph.parameter(*id).kind == ParameterKind::Parameter && is_number && !statistics.contains(id)
    };
    used.into_iter().filter(is_trained).partition(|id| weights.contains(id))
}
