//! Small networks with random weights, for tests.

use eagleeye_graph::{Binary, Conv, Dim, ElementType, GraphBuilder, Op, ParameterKind, Reduction, Unary, ValueId};
use eagleeye_spec::Epoch;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::{Kind, Tensor};

use crate::network::{Format, Network};
use crate::observer::Flow;
use crate::tune::{Outset, Progress, Snapshot, TuneObserver, Wish};
use eagleeye_torchscript::tensors::signed;

/// Lets fine-tuning go on.
pub struct Quiet;

impl TuneObserver for Quiet {
    fn cancelled(&self) -> bool {
        false
    }

    fn begin(&mut self, _: &Outset) {}

    fn step(&mut self, _: &Progress) -> Wish {
        Wish::Continue
    }

    fn epoch(&mut self, _: &Epoch) -> Wish {
        Wish::Continue
    }

    fn snapshot(&mut self, _: &Snapshot) -> Flow {
        Flow::Go
    }
}

/// Uniform numbers in `[low, high)` that depend on the generator alone.
pub fn random(rng: &mut ChaCha8Rng, sizes: &[usize], low: f32, high: f32) -> Tensor {
    let count: usize = sizes.iter().product();
    let unit = |rng: &mut ChaCha8Rng| (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    let numbers: Vec<f32> = (0..count).map(|_| low + (high - low) * unit(rng)).collect();
    Tensor::from_slice(&numbers).reshape(signed(sizes))
}

/// Random images in `[-1, 1)`.
pub fn images(seed: u64, sizes: &[usize]) -> Tensor {
    random(&mut ChaCha8Rng::seed_from_u64(seed), sizes, -1.0, 1.0)
}

/// The largest difference, relative to the largest number of `expected`, as the zero oracle takes it.
pub fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    crate::verify::difference(found, expected).unwrap()
}

/// Builds a network layer by layer with random weights.
pub struct Layers {
    pub builder: GraphBuilder,
    weights: Vec<Tensor>,
    pub rng: ChaCha8Rng,
    count: usize,
}

impl Layers {
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { builder: GraphBuilder::new("test"), weights: Vec::new(), rng, count: 0 }
    }

    /// An image input `[N, channels, side, side]`.
    pub fn image(&mut self, channels: usize, side: usize) -> ValueId {
        let shape = vec![Dim::Batch(1), Dim::Fixed(channels), Dim::Fixed(side), Dim::Fixed(side)];
        self.builder.input("input", shape).unwrap()
    }

    fn name(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}{}", self.count)
    }

    pub fn size(&self, x: ValueId, axis: usize) -> usize {
        self.builder.shape(x)[axis].sample()
    }

    /// Stores a tensor with numbers in `[low, high)`.
    pub fn parameter(&mut self, name: &str, sizes: &[usize], range: (f32, f32), kind: ParameterKind) -> ValueId {
        self.weights.push(random(&mut self.rng, sizes, range.0, range.1));
        self.builder.parameter(name, sizes, ElementType::F32, kind).unwrap().1
    }

    pub fn push(&mut self, kind: &str, op: Op, inputs: &[ValueId]) -> ValueId {
        let name = self.name(kind);
        self.builder.push(&name, op, inputs).unwrap()
    }

    /// A convolution that keeps the size (divided by `stride`).
    pub fn conv(&mut self, x: ValueId, out: usize, kernel: usize, stride: usize, groups: usize, bias: bool) -> ValueId {
        let name = self.name("conv");
        let takes = self.size(x, 1) / groups;
        let bound = (3.0 / (takes * kernel * kernel) as f32).sqrt();
        let weight = format!("{name}.weight");
        let sizes = [out, takes, kernel, kernel];
        let mut inputs = vec![x, self.parameter(&weight, &sizes, (-bound, bound), ParameterKind::Parameter)];
        if bias {
            let name = format!("{name}.bias");
            inputs.push(self.parameter(&name, &[out], (-0.5, 0.5), ParameterKind::Parameter));
        }
        let padding = vec![(kernel / 2, kernel / 2); 2];
        let conv = Conv { stride: vec![stride; 2], padding, dilation: vec![1; 2], groups, transposed: None };
        self.builder.push(&name, Op::Conv(conv), &inputs).unwrap()
    }

    pub fn batch_norm(&mut self, x: ValueId) -> ValueId {
        let name = self.name("bn");
        let channels = self.size(x, 1);
        let parts = [
            ("weight", (0.5, 1.5), ParameterKind::Parameter),
            ("bias", (-0.5, 0.5), ParameterKind::Parameter),
            ("running_mean", (-0.3, 0.3), ParameterKind::Buffer),
            ("running_var", (0.5, 1.5), ParameterKind::Buffer),
        ];
        let mut inputs = vec![x];
        for (part, range, kind) in parts {
            inputs.push(self.parameter(&format!("{name}.{part}"), &[channels], range, kind));
        }
        self.builder.push(&name, Op::BatchNorm { epsilon: 1e-5 }, &inputs).unwrap()
    }

    pub fn linear(&mut self, x: ValueId, out: usize) -> ValueId {
        let name = self.name("fc");
        let takes = self.builder.shape(x).last().unwrap().sample();
        let bound = (3.0 / takes as f32).sqrt();
        let weight =
            self.parameter(&format!("{name}.weight"), &[out, takes], (-bound, bound), ParameterKind::Parameter);
        let bias = self.parameter(&format!("{name}.bias"), &[out], (-0.5, 0.5), ParameterKind::Parameter);
        self.builder.push(&name, Op::Linear { transposed: false }, &[x, weight, bias]).unwrap()
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.push("relu", Op::Unary(Unary::Relu), &[x])
    }

    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.push("add", Op::Binary(Binary::Add), &[a, b])
    }

    /// The mean over the image, `[N, C]` or `[N, C, 1, 1]`.
    pub fn global_mean(&mut self, x: ValueId, keep_dims: bool) -> ValueId {
        self.push("mean", Op::Reduce { kind: Reduction::Mean, axes: vec![2, 3], keep_dims }, &[x])
    }

    pub fn finish(self, output: ValueId) -> Network {
        Network {
            graph: self.builder.finish(&[output]).unwrap(),
            weights: self.weights.into_iter().map(|w| w.to_kind(Kind::Float)).collect(),
            format: Format::TorchScript,
            precision: Default::default(),
            metadata: Default::default(),
        }
    }
}

/// A small classifier with depthwise convolutions, `batch_norms` behind them or not: 1x12x12 images, 5 classes.
pub fn classifier(seed: u64, batch_norms: bool) -> Network {
    let mut net = Layers::new(seed);
    let mut x = net.image(1, 12);
    for (out, depthwise, stride) in [(8, false, 1), (8, true, 2), (12, false, 1), (12, true, 1), (16, false, 2)] {
        let groups = if depthwise { out } else { 1 };
        x = net.conv(x, out, 3, stride, groups, !batch_norms);
        if batch_norms {
            x = net.batch_norm(x);
        }
        x = net.relu(x);
    }
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    net.finish(y)
}
