//! Activations in oneDNN's own layouts, on a processor.
//!
//! There a convolution wants its channels in blocks: given a plain tensor, oneDNN rearranges what goes in and what comes out of every
//! single one, and libtorch's own batch norm and ReLU run over the plain result. Between operations that know the blocked layout
//! nothing is rearranged; all others get a plain tensor. The results are the same up to rounding.

use eagleeye_graph::{Binary, Conv, Node, Op, Pool, PoolKind, Unary};
use tch::{Device, Kind, TchError, Tensor};

use super::convolution::symmetric;
use super::pooling::native_padding;
use crate::network::Network;
use eagleeye_torchscript::tensors::signed;

/// Whether passes through this network may keep activations so.
pub(super) fn suits(network: &Network) -> bool {
    network.device() == Device::Cpu && network.kind() == Kind::Float && tch::utils::has_mkldnn()
}

/// Whether a node that is given these takes its activations in blocks, the first input above all, and gives them so.
pub(super) fn suits_node(node: &Node, inputs: &[&Tensor]) -> bool {
    let is_image = inputs.first().is_some_and(|x| x.dim() == 4);
    let is_blocked = inputs.first().is_some_and(|x| x.is_mkldnn());
    match &node.op {
        Op::Conv(conv) => is_image && is_plain(conv),
        // Without an affine part oneDNN has no batch norm.
        Op::BatchNorm { .. } => is_blocked && inputs.len() == 5,
        Op::Unary(Unary::Relu) => is_blocked,
        Op::Binary(Binary::Add) => {
            inputs.iter().all(|x| x.is_mkldnn()) && inputs.windows(2).all(|pair| pair[0].size() == pair[1].size())
        }
        Op::Pool(pool) => is_blocked && is_image && pool.kind == PoolKind::Max && is_symmetric_max(pool),
        _ => false,
    }
}

/// Max pooling that needs no padding made before it.
fn is_symmetric_max(pool: &Pool) -> bool {
    !pool.ceil && pool.dilation.iter().all(|&d| d == 1) && native_padding(pool).is_some()
}

fn is_plain(conv: &Conv) -> bool {
    conv.transposed.is_none() && symmetric(&conv.padding).is_some()
}

/// A convolution of an `x` in blocks.
pub(super) fn convolution(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let padding: Vec<i64> = conv.padding.iter().map(|&(before, _)| before as i64).collect();
    x.f_mkldnn_convolution(weight, bias, padding, signed(&conv.stride), signed(&conv.dilation), conv.groups as i64)
}

/// In blocks, if it is not.
pub(super) fn blocked(x: &Tensor) -> Result<Tensor, TchError> {
    if x.is_mkldnn() { Ok(x.shallow_clone()) } else { x.f_contiguous()?.f_to_mkldnn(None::<Kind>) }
}

/// Plain, if it is not.
pub(super) fn plain(x: &Tensor) -> Result<Tensor, TchError> {
    if x.is_mkldnn() { x.f_to_dense(None::<Kind>, false) } else { Ok(x.shallow_clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{Hook, run};
    use crate::testing::{Layers, classifier, difference, images};

    struct Sees(bool);

    impl Hook for Sees {
        fn sees_activations(&self) -> bool {
            self.0
        }
    }

    fn difference_of_layouts(network: &Network, x: &Tensor) -> f64 {
        let run = |sees| run(network, std::slice::from_ref(x), &mut Sees(sees)).unwrap().remove(0);
        let (plain, blocked) = (run(true), run(false));
        assert!(!blocked.is_mkldnn());
        difference(&blocked, &plain)
    }

    #[test]
    fn a_chain_of_layers_computes_the_same() {
        let network = classifier(1, true);
        assert!(suits(&network));
        assert!(difference_of_layouts(&network, &images(2, &[6, 1, 12, 12])) < 1e-5);
    }

    #[test]
    fn what_knows_no_blocks_and_what_needs_two_of_a_kind_computes_the_same() {
        let mut net = Layers::new(3);
        let x = net.image(3, 16);
        let stem = net.conv(x, 8, 3, 1, 1, true);
        let stem = net.batch_norm(stem);
        let stem = net.relu(stem);
        // A residual, whose sum and whose ReLU have further readers.
        let inner = net.conv(stem, 8, 3, 1, 8, false);
        let inner = net.batch_norm(inner);
        let sum = net.add(inner, stem);
        let sum = net.relu(sum);
        // A gate, which is computed plain and broadcast.
        let mean = net.global_mean(sum, true);
        let gate = net.conv(mean, 8, 1, 1, 1, true);
        let gate = net.push("sigmoid", Op::Unary(Unary::Sigmoid), &[gate]);
        let gated = net.push("mul", Op::Binary(Binary::Mul), &[sum, gate]);
        let shifted = net.add(gated, gate);
        let both = net.push("cat", Op::Cat { axis: 1 }, &[shifted, sum]);
        let last = net.conv(both, 12, 3, 2, 1, false);
        let pooled = net.global_mean(last, false);
        let y = net.linear(pooled, 5);
        let network = net.finish(y);
        assert!(difference_of_layouts(&network, &images(4, &[5, 3, 16, 16])) < 1e-5);
    }

    #[test]
    fn no_weights_are_in_blocks_afterwards() {
        let network = classifier(5, true);
        let _ = difference_of_layouts(&network, &images(6, &[2, 1, 12, 12]));
        assert!(network.weights.iter().all(|weight| !weight.is_mkldnn()));
    }
}
