//! How images go through a network: how many at a time, and in which numbers.

use std::collections::BTreeSet;

use eagleeye_graph::{Op, ParameterId};
use eagleeye_spec::EvaluationPrecision;
use eagleeye_torchscript::computes_bfloat16;
use tch::{Device, Kind, TchError, Tensor};

use crate::network::Network;

/// Images at a time, and the numbers that convolutions are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    pub batch_size: usize,
    pub precision: EvaluationPrecision,
}

/// So many images at a time in `f32`.
impl From<usize> for Passes {
    fn from(batch_size: usize) -> Self {
        Self { batch_size, precision: EvaluationPrecision::default() }
    }
}

/// Whether a device computes convolutions in `bf16` itself.
///
/// # Errors
/// libtorch's own.
pub fn has_bfloat16(device: Device) -> Result<bool, TchError> {
    match device {
        Device::Cpu => Ok(tch::utils::has_mkldnn() && computes_bfloat16()?),
        // Cards from before 2020 convert on the way.
        Device::Cuda(_) => Ok(true),
        _ => Ok(false),
    }
}

/// A network whose convolutions are in `bf16`, with channels beside each other in memory, as a GPU's matrix units want them.
pub(super) fn in_bfloat16(network: &Network) -> Result<Network, TchError> {
    let convolutions = network.graph.nodes.iter().filter(|node| matches!(node.op, Op::Conv(_)));
    let read = convolutions.flat_map(|node| &node.inputs[1..]);
    let converted: BTreeSet<ParameterId> = read.filter_map(|&input| network.graph.parameter_of(input)).collect();
    let mut half = network.shallow_clone();
    for id in converted {
        let weight = &mut half.weights[id.index()];
        *weight = beside_each_other(&weight.f_to_kind(Kind::BFloat16)?)?;
    }
    Ok(half)
}

/// The same numbers, the second axis of four the innermost in memory.
fn beside_each_other(weight: &Tensor) -> Result<Tensor, TchError> {
    match weight.dim() {
        4 => weight.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2]),
        _ => Ok(weight.shallow_clone()),
    }
}

/// An operation's inputs in one element type: a convolution's in that of its weight, others' in `f32` unless all are in `bf16` and
/// the operation loses nothing by it.
pub(super) fn agreed(op: &Op, inputs: &[&Tensor]) -> Result<Vec<Tensor>, TchError> {
    let is_half = |x: &Tensor| x.kind() == Kind::BFloat16;
    let is_number = |x: &Tensor| x.kind() == Kind::Float || is_half(x);
    let target = match op {
        Op::Conv(_) => inputs[1].kind(),
        _ if passes_on(op) && inputs.iter().filter(|x| is_number(x)).all(|x| is_half(x)) => Kind::BFloat16,
        _ => Kind::Float,
    };
    let converted = |x: &&Tensor| if is_number(x) { x.f_to_kind(target) } else { Ok(x.shallow_clone()) };
    inputs.iter().map(converted).collect()
}

/// Operations whose results in `bf16` are the rounded ones of `f32`.
fn passes_on(op: &Op) -> bool {
    matches!(
        op,
        Op::BatchNorm { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Pool(_)
            | Op::Reshape { .. }
            | Op::Permute { .. }
            | Op::Expand { .. }
            | Op::Cat { .. }
            | Op::Slice { .. }
            | Op::Split { .. }
            | Op::Gather { .. }
            | Op::Pad { .. }
    )
}
