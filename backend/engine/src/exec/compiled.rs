//! A network made ready for many passes on a processor of which nothing but the outputs and the batch norms is seen.
//!
//! A convolution, the sum that it goes into and the activation behind that are one operation of oneDNN, with weights laid out for
//! it once and channels beside each other in memory; a batch norm that adapts, a sum and the ReLU behind it are one loop. What comes out
//! is the same up to rounding. In `bf16` it is the same with convolutions in that type. On other devices, and for whoever sees
//! activations, passes are those of [`super::run`].

use eagleeye_graph::{Binary, Conv, Graph, Node, NodeId, Op, Unary, ValueId};
use eagleeye_spec::EvaluationPrecision;
use eagleeye_torchscript::tensors::signed;
use eagleeye_torchscript::{Activation, Convolution};
use tch::{Device, Kind, TchError, Tensor};

use super::convolution::symmetric;
use super::passes::{has_bfloat16, in_bfloat16};
use super::{ExecError, Hook, Passes, pass_through};
use crate::network::Network;

/// A network and how its nodes are computed.
#[derive(Debug)]
pub struct Compiled<'a> {
    network: &'a Network,
    /// The same network with convolutions in `bf16`, where they are asked for.
    half: Option<Network>,
    plan: Option<Plan>,
}

impl<'a> Compiled<'a> {
    /// For passes of so many images; fewer or more pass as well.
    ///
    /// # Errors
    /// libtorch's own.
    pub fn new(network: &'a Network, passes: Passes) -> Result<Self, ExecError> {
        let device = network.device();
        let is_half = match passes.precision {
            EvaluationPrecision::Float32 => false,
            EvaluationPrecision::Bfloat16 => network.kind() == Kind::Float && has_bfloat16(device)?,
        };
        let half = is_half.then(|| in_bfloat16(network)).transpose()?;
        let is_suited = device == Device::Cpu && network.kind() == Kind::Float && tch::utils::has_mkldnn();
        let computed = half.as_ref().unwrap_or(network);
        let plan = is_suited.then(|| Plan::new(computed, passes.batch_size)).transpose()?;
        Ok(Self { network, half, plan })
    }

    /// As [`super::run`]; outputs are `f32`.
    pub fn run(&self, inputs: &[Tensor], hook: &mut dyn Hook) -> Result<Vec<Tensor>, ExecError> {
        let _no_grad = tch::no_grad_guard();
        let plan = self.plan.as_ref().filter(|_| !hook.sees_activations());
        let Some(half) = &self.half else { return pass_through(self.network, inputs, plan, hook) };
        let outputs = pass_through(half, inputs, plan, hook)?;
        Ok(outputs.iter().map(|output| output.f_to_kind(Kind::Float)).collect::<Result<_, _>>()?)
    }
}

/// What becomes of each node, in their order.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// It is computed by itself.
    Alone,
    /// It is computed with a later node.
    Later,
    /// It is the last of nodes that are computed together.
    Last(Box<Chain>),
}

/// Nodes that are computed together, each the only reader of what the one before it gives.
#[derive(Debug)]
pub(super) struct Chain {
    /// The first is a convolution or a batch norm.
    pub nodes: Vec<NodeId>,
    pub addend: Option<ValueId>,
    pub head: Head,
}

#[derive(Debug)]
pub(super) enum Head {
    Convolution { layer: Convolution, weight: Tensor, bias: Option<Tensor> },
    BatchNorm { relu: bool },
}

impl Plan {
    fn new(network: &Network, batch: usize) -> Result<Self, TchError> {
        let graph = &network.graph;
        let mut steps: Vec<Step> = graph.nodes.iter().map(|_| Step::Alone).collect();
        let mut taken = vec![false; graph.nodes.len()];
        let readers = Readers::of(graph);
        // Of two convolutions whose outputs are added, the later one takes the sum, whose input need not be kept for it.
        for (id, node) in graph.nodes_with_ids().collect::<Vec<_>>().into_iter().rev() {
            let Some(chain) = chain(network, &readers, &taken, (id, node), batch)? else { continue };
            for node in &chain.nodes {
                taken[node.index()] = true;
                steps[node.index()] = Step::Later;
            }
            let last = chain.nodes.last().map_or(id, |&last| last);
            steps[last.index()] = Step::Last(Box::new(chain));
        }
        Ok(Self { steps })
    }

    pub(super) fn step(&self, id: NodeId) -> &Step {
        &self.steps[id.index()]
    }
}

/// Who reads what.
struct Readers {
    nodes: Vec<Vec<NodeId>>,
    is_output: Vec<bool>,
}

impl Readers {
    fn of(graph: &Graph) -> Self {
        let mut is_output = vec![false; graph.values.len()];
        for output in &graph.outputs {
            is_output[output.index()] = true;
        }
        Self { nodes: graph.consumers(), is_output }
    }

    /// The node that alone reads a node's output.
    fn only(&self, node: &Node) -> Option<NodeId> {
        let &[output] = &node.outputs[..] else { return None };
        match self.nodes[output.index()][..] {
            [reader] if !self.is_output[output.index()] => Some(reader),
            _ => None,
        }
    }
}

/// The nodes that are computed with a convolution or a batch norm of images.
fn chain(
    network: &Network,
    readers: &Readers,
    taken: &[bool],
    (id, node): (NodeId, &Node),
    batch: usize,
) -> Result<Option<Chain>, TchError> {
    let graph = &network.graph;
    if graph.shape(node.inputs[0]).len() != 4 {
        return Ok(None);
    }
    match &node.op {
        Op::BatchNorm { .. } => {
            let mut chain = Follow::begin(graph, readers, taken, (id, node));
            let relu = chain.reader().filter(|&reader| matches!(graph.node(reader).op, Op::Unary(Unary::Relu)));
            chain.nodes.extend(relu);
            Ok(Some(chain.ended(Head::BatchNorm { relu: relu.is_some() })))
        }
        Op::Conv(conv) => {
            let Some(mut layer) = geometry(conv) else { return Ok(None) };
            let Some((weight, bias)) = stored(network, node) else { return Ok(None) };
            let mut chain = Follow::begin(graph, readers, taken, (id, node));
            let following = chain.reader().and_then(|reader| Some((reader, activation(&graph.node(reader).op)?)));
            // Behind a sum oneDNN is only known to compute a ReLU.
            let is_relu = |node: NodeId| matches!(graph.node(node).op, Op::Unary(Unary::Relu));
            if let Some((reader, activation)) =
                following.filter(|&(reader, _)| chain.addend.is_none() || is_relu(reader))
            {
                chain.nodes.push(reader);
                layer.activation = Some(activation);
            }
            let input: Vec<i64> = graph.shape(node.inputs[0]).iter().map(|dim| dim.at(batch) as i64).collect();
            let weight = laid_out(&layer, weight, input)?;
            Ok(Some(chain.ended(Head::Convolution { layer, weight, bias: bias.map(Tensor::shallow_clone) })))
        }
        _ => Ok(None),
    }
}

/// A chain under construction: its first node and, where there is one, the sum behind it.
struct Follow<'g> {
    graph: &'g Graph,
    readers: &'g Readers,
    taken: &'g [bool],
    nodes: Vec<NodeId>,
    addend: Option<ValueId>,
}

impl<'g> Follow<'g> {
    fn begin(graph: &'g Graph, readers: &'g Readers, taken: &'g [bool], (id, node): (NodeId, &Node)) -> Self {
        let mut chain = Self { graph, readers, taken, nodes: vec![id], addend: None };
        if let Some((sum, other)) = chain.reader().and_then(|sum| Some((sum, other_summand(graph, node, sum)?))) {
            chain.nodes.push(sum);
            chain.addend = Some(other);
        }
        chain
    }

    /// Who alone reads what the chain gives, and is in no other chain.
    fn reader(&self) -> Option<NodeId> {
        let last = self.graph.node(*self.nodes.last()?);
        self.readers.only(last).filter(|reader| !self.taken[reader.index()])
    }

    fn ended(self, head: Head) -> Chain {
        Chain { nodes: self.nodes, addend: self.addend, head }
    }
}

fn geometry(conv: &Conv) -> Option<Convolution> {
    if conv.transposed.is_some() {
        return None;
    }
    Some(Convolution {
        padding: symmetric(&conv.padding)?,
        stride: signed(&conv.stride),
        dilation: signed(&conv.dilation),
        groups: conv.groups as i64,
        activation: None,
    })
}

/// Weight and bias, where they are no one's results.
fn stored<'n>(network: &'n Network, node: &Node) -> Option<(&'n Tensor, Option<&'n Tensor>)> {
    let parameter = |id: ValueId| network.graph.parameter_of(id).map(|parameter| network.weight(parameter));
    let weight = parameter(node.inputs[1])?;
    match node.inputs.get(2) {
        Some(&bias) => Some((weight, Some(parameter(bias)?))),
        None => Some((weight, None)),
    }
}

/// The weight as oneDNN wants it for such an input.
fn laid_out(layer: &Convolution, weight: &Tensor, input: Vec<i64>) -> Result<Tensor, TchError> {
    let weight = weight.f_contiguous()?.f_to_mkldnn(None::<Kind>)?;
    weight.f_mkldnn_reorder_conv2d_weight(
        &layer.padding[..],
        &layer.stride[..],
        &layer.dilation[..],
        layer.groups,
        input,
    )
}

/// What a node's output is added to, another activation of the same shape.
fn other_summand(graph: &Graph, first: &Node, sum: NodeId) -> Option<ValueId> {
    let sum = graph.node(sum);
    let (&[own], &[a, b]) = (&first.outputs[..], &sum.inputs[..]) else { return None };
    let other = if a == own { b } else { a };
    let is_same = matches!(sum.op, Op::Binary(Binary::Add)) && graph.shape(other) == graph.shape(own);
    (is_same && other != own && graph.parameter_of(other).is_none()).then_some(other)
}

/// Activations that oneDNN computes with a convolution.
fn activation(op: &Op) -> Option<Activation> {
    let Op::Unary(unary) = op else { return None };
    let plain = |name| Activation { name, scalars: [0.0; 2], takes: 0, algorithm: None };
    match *unary {
        Unary::Relu => Some(plain("relu")),
        Unary::Sigmoid => Some(plain("sigmoid")),
        Unary::Tanh => Some(plain("tanh")),
        Unary::Silu => Some(plain("swish")),
        Unary::HardSwish => Some(plain("hardswish")),
        Unary::Clamp(Some(low), Some(high)) => Some(Activation { scalars: [low, high], takes: 2, ..plain("hardtanh") }),
        Unary::LeakyRelu(slope) => Some(Activation { scalars: [slope, 0.0], takes: 1, ..plain("leaky_relu") }),
        Unary::Gelu { tanh } => {
            Some(Activation { algorithm: Some(if tanh { "tanh" } else { "none" }), ..plain("gelu") })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::adapt;
    use crate::exec::{Inference, run};
    use crate::testing::{Layers, classifier, difference, images};
    use eagleeye_spec::Adaptation;

    /// Sees nothing but the batch norms, which it leaves as they are.
    struct Blind;

    impl Hook for Blind {
        fn sees_activations(&self) -> bool {
            false
        }
    }

    fn difference_of_passes(network: &Network, x: &Tensor) -> f64 {
        let plain = run(network, std::slice::from_ref(x), &mut Inference).unwrap().remove(0);
        let compiled = Compiled::new(network, (x.size()[0] as usize).into()).unwrap();
        assert!(compiled.plan.is_some());
        let fused = compiled.run(std::slice::from_ref(x), &mut Blind).unwrap().remove(0);
        difference(&fused, &plain)
    }

    fn chains(network: &Network) -> Vec<usize> {
        let plan = Plan::new(network, 4).unwrap();
        let length = |step: &Step| if let Step::Last(chain) = step { Some(chain.nodes.len()) } else { None };
        plan.steps.iter().filter_map(length).collect()
    }

    #[test]
    fn a_convolution_and_its_activation_are_one_and_compute_the_same() {
        let network = classifier(1, false);
        assert_eq!(chains(&network), [2; 5]);
        assert!(difference_of_passes(&network, &images(2, &[6, 1, 12, 12])) < 1e-5);
    }

    #[test]
    fn a_batch_norm_and_its_relu_are_one_and_compute_the_same() {
        let network = classifier(1, true);
        assert_eq!(chains(&network), [1, 2].repeat(5));
        assert!(difference_of_passes(&network, &images(2, &[6, 1, 12, 12])) < 1e-5);
    }

    #[test]
    fn every_activation_that_onednn_knows_is_the_same() {
        let slope = Unary::LeakyRelu(0.2);
        let gelus = [Unary::Gelu { tanh: false }, Unary::Gelu { tanh: true }];
        let plain = [Unary::Relu, Unary::Sigmoid, Unary::Tanh, Unary::Silu, Unary::HardSwish, slope];
        let clamped = Unary::Clamp(Some(0.0), Some(0.6));
        for unary in plain.into_iter().chain(gelus).chain([clamped]) {
            let mut net = Layers::new(3);
            let x = net.image(3, 8);
            let y = net.conv(x, 6, 3, 1, 1, true);
            let y = net.push("activation", Op::Unary(unary), &[y]);
            let network = net.finish(y);
            assert_eq!(chains(&network), [2], "{unary:?}");
            assert!(difference_of_passes(&network, &images(4, &[5, 3, 8, 8])) < 1e-5, "{unary:?}");
        }
    }

    #[test]
    fn of_two_convolutions_that_are_added_one_takes_the_sum() {
        let mut net = Layers::new(5);
        let x = net.image(3, 10);
        let stem = net.conv(x, 8, 3, 1, 1, true);
        let stem = net.relu(stem);
        let main = net.conv(stem, 12, 3, 2, 1, true);
        let shortcut = net.conv(stem, 12, 1, 2, 1, true);
        let sum = net.add(main, shortcut);
        let y = net.relu(sum);
        let network = net.finish(y);
        assert_eq!(chains(&network), [2, 1, 3]);
        assert!(difference_of_passes(&network, &images(6, &[5, 3, 10, 10])) < 1e-5);
    }

    #[test]
    fn of_two_batch_norms_that_are_added_one_takes_the_sum() {
        let mut net = Layers::new(15);
        let x = net.image(3, 10);
        let stem = net.conv(x, 8, 3, 1, 1, false);
        let main = net.batch_norm(stem);
        let shortcut = net.conv(stem, 8, 1, 1, 1, false);
        let shortcut = net.batch_norm(shortcut);
        let sum = net.add(main, shortcut);
        let y = net.relu(sum);
        let network = net.finish(y);
        assert_eq!(chains(&network), [1, 1, 1, 3]);
        let x = images(16, &[5, 3, 10, 10]);
        assert!(difference_of_passes(&network, &x) < 1e-5);
        let plain = run(&network, std::slice::from_ref(&x), &mut Watching::default()).unwrap().remove(0);
        let fused = Compiled::new(&network, 5.into()).unwrap().run(&[x], &mut Unseeing).unwrap().remove(0);
        assert!(difference(&fused, &plain) < 1e-5);
    }

    /// Batch norms in training mode, whose statistics it forgets.
    struct Unseeing;

    impl Hook for Unseeing {
        fn sees_activations(&self) -> bool {
            false
        }

        fn batch_norm(&mut self, norm: &crate::exec::BatchNormInputs) -> Result<Option<Tensor>, TchError> {
            norm.training(&norm.mean.copy(), &norm.variance.copy(), 1.0).map(Some)
        }
    }

    #[test]
    fn a_sum_does_not_overwrite_what_others_read() {
        let mut net = Layers::new(7);
        let x = net.image(3, 10);
        let stem = net.conv(x, 8, 3, 1, 1, true);
        let inner = net.conv(stem, 8, 3, 1, 8, true);
        let sum = net.add(inner, stem);
        // The summand is read again, and a batch norm's input as well.
        let norm = net.batch_norm(stem);
        let norm = net.relu(norm);
        let both = net.push("cat", Op::Cat { axis: 1 }, &[sum, norm, stem]);
        let y = net.conv(both, 4, 3, 2, 1, false);
        let network = net.finish(y);
        let x = images(8, &[5, 3, 10, 10]);
        assert!(difference_of_passes(&network, &x) < 1e-5);
        let again = x.copy();
        let _ = difference_of_passes(&network, &x);
        assert_eq!(x, again);
    }

    /// What a node has made may be seen through a view by others.
    #[test]
    fn nothing_that_a_view_shows_is_overwritten() {
        for fused in [false, true] {
            let mut net = Layers::new(17);
            let x = net.image(3, 10);
            let stem = net.conv(x, 8, 3, 1, 1, true);
            let half = net.push("slice", Op::Slice { axis: 1, start: 0, end: 4, step: 1 }, &[stem]);
            let later = if fused {
                let inner = net.conv(x, 8, 3, 1, 1, true);
                net.add(inner, stem)
            } else {
                net.relu(stem)
            };
            let both = net.push("cat", Op::Cat { axis: 1 }, &[later, half]);
            let y = net.push("neg", Op::Unary(Unary::Neg), &[both]);
            let network = net.finish(y);
            let x = images(18, &[5, 3, 10, 10]);
            let weights = |name: &str| {
                let place = network.graph.parameters.iter().position(|parameter| parameter.name == name).unwrap();
                network.weights[place].shallow_clone()
            };
            let convolved = |of: usize| {
                let bias = Some(weights(&format!("conv{of}.bias")));
                x.conv2d(&weights(&format!("conv{of}.weight")), bias, [1i64, 1], [1i64, 1], [1i64, 1], 1)
            };
            let stem = convolved(1);
            let later = if fused { convolved(3) + &stem } else { stem.relu() };
            let expected = Tensor::cat(&[later, stem.narrow(1, 0, 4)], 1).neg();
            let plain = run(&network, std::slice::from_ref(&x), &mut Inference).unwrap().remove(0);
            assert!(difference(&plain, &expected) < 1e-5, "plain, {fused}");
            assert!(difference_of_passes(&network, &x) < 1e-5, "compiled, {fused}");
        }
    }

    /// What is computed in `bf16` is near to what is computed in `f32`, whatever stands between the convolutions.
    #[test]
    fn convolutions_in_bfloat16_are_near_to_those_in_float32() {
        let passes = Passes { batch_size: 6, precision: EvaluationPrecision::Bfloat16 };
        let gated = {
            let mut net = Layers::new(19);
            let x = net.image(3, 12);
            let stem = net.conv(x, 8, 3, 1, 1, true);
            let mean = net.global_mean(stem, true);
            let gate = net.conv(mean, 8, 1, 1, 1, true);
            let gate = net.push("sigmoid", Op::Unary(Unary::Sigmoid), &[gate]);
            let gated = net.push("mul", Op::Binary(Binary::Mul), &[stem, gate]);
            let inner = net.conv(gated, 8, 3, 1, 8, false);
            let sum = net.add(inner, stem);
            let shape = vec![eagleeye_graph::Dim::Batch(1), eagleeye_graph::Dim::Fixed(8 * 12 * 12)];
            let flat = net.push("flatten", Op::Reshape { shape }, &[sum]);
            let hidden = net.linear(flat, 9);
            let normed = net.push("softmax", Op::Softmax { axis: 1, log: false }, &[hidden]);
            let y = net.linear(normed, 5);
            net.finish(y)
        };
        for (network, channels) in [(classifier(1, true), 1), (classifier(1, false), 1), (gated, 3)] {
            let x = images(20, &[6, channels, 12, 12]);
            let plain = run(&network, std::slice::from_ref(&x), &mut Inference).unwrap().remove(0);
            let compiled = Compiled::new(&network, passes).unwrap();
            let half = compiled.run(&[x], &mut Blind).unwrap().remove(0);
            assert_eq!(half.kind(), Kind::Float);
            let largest = plain.abs().max().double_value(&[]);
            let found = difference(&half, &plain);
            assert!(found < 0.03 * largest, "{found} of {largest}");
            let computes = has_bfloat16(Device::Cpu).unwrap();
            assert_eq!(computes, found > 0.0, "it was computed in the one or the other");
            assert!(network.weights.iter().all(|weight| weight.kind() == Kind::Float), "the network is as it was");
        }
    }

    #[test]
    fn statistics_in_bfloat16_are_near_to_those_in_float32() {
        let network = classifier(21, true);
        let x = images(22, &[40, 1, 12, 12]);
        let adapted = |precision| {
            let passes = Passes { batch_size: 16, precision };
            adapt(&network, &x, passes, Adaptation::default(), &|| false).unwrap()
        };
        let [half, whole] = [EvaluationPrecision::Bfloat16, EvaluationPrecision::Float32].map(adapted);
        for (parameter, (half, whole)) in network.graph.parameters.iter().zip(half.weights.iter().zip(&whole.weights)) {
            assert_eq!(half.kind(), Kind::Float);
            let scale = whole.abs().max().double_value(&[]).max(0.1);
            assert!(difference(half, whole) < 0.03 * scale, "{}", parameter.name);
        }
    }

    #[test]
    fn what_is_in_no_chain_gets_what_it_needs() {
        let mut net = Layers::new(9);
        let x = net.image(1, 16);
        let stem = net.conv(x, 8, 3, 1, 1, false);
        let stem = net.batch_norm(stem);
        let mean = net.global_mean(stem, true);
        let gate = net.conv(mean, 8, 1, 1, 1, true);
        let gate = net.push("sigmoid", Op::Unary(Unary::Sigmoid), &[gate]);
        let gated = net.push("mul", Op::Binary(Binary::Mul), &[stem, gate]);
        let shape = vec![eagleeye_graph::Dim::Batch(1), eagleeye_graph::Dim::Fixed(8 * 16 * 16)];
        let flat = net.push("flatten", Op::Reshape { shape }, &[gated]);
        let y = net.linear(flat, 5);
        let network = net.finish(y);
        assert!(difference_of_passes(&network, &images(10, &[3, 1, 16, 16])) < 1e-5);
    }

    /// The same statistics as libtorch's own batch norm finds, for channel counts that fill registers and that do not.
    #[test]
    fn adapting_finds_the_statistics_that_libtorch_finds() {
        for channels in [1, 7, 8, 24, 35] {
            let mut net = Layers::new(channels as u64);
            let x = net.image(3, 20);
            let y = net.conv(x, channels, 3, 1, 1, false);
            let y = net.batch_norm(y);
            let y = net.relu(y);
            let y = net.conv(y, 9, 3, 2, 1, false);
            let y = net.batch_norm(y);
            let network = net.finish(y);
            let x = images(11, &[40, 3, 20, 20]) * 3.0 + 50.0;
            let adapted = adapt(&network, &x, 16, Adaptation::default(), &|| false).unwrap();
            let mut plain = Watching::default();
            for batch in x.split(16, 0) {
                run(&network, &[batch], &mut plain).unwrap();
            }
            assert_eq!(plain.means.len(), 6);
            for (index, place) in [(0, "bn2"), (1, "bn5")] {
                let parts: Vec<Tensor> = plain.means.iter().skip(index).step_by(2).map(Tensor::shallow_clone).collect();
                let mean = Tensor::stack(&parts, 0).mean_dim(0, false, Kind::Float);
                let name = format!("{place}.running_mean");
                let stored = network.graph.parameters.iter().position(|p| p.name == name);
                let found = &adapted.weights[stored.unwrap_or_else(|| panic!("{name}"))];
                assert!(difference(found, &mean) < 1e-5, "{channels} channels, {name}");
            }
        }
    }

    /// The means of batches, by libtorch's batch norm in training mode.
    #[derive(Default)]
    struct Watching {
        means: Vec<Tensor>,
    }

    impl Hook for Watching {
        fn batch_norm(&mut self, norm: &crate::exec::BatchNormInputs) -> Result<Option<Tensor>, TchError> {
            let (mean, variance) = (norm.mean.copy(), norm.variance.copy());
            let y = norm.training(&mean, &variance, 1.0)?;
            self.means.push(mean);
            Ok(Some(y))
        }
    }
}
