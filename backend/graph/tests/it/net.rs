//! Builds networks layer by layer, with the parameter names that PyTorch would give.

use eagleeye_graph::{
    Binary, Conv, Dim, ElementType, Graph, GraphBuilder, Op, ParameterKind, Pool, PoolKind, Reduction, Unary, ValueId,
};

pub struct Net {
    pub builder: GraphBuilder,
    count: usize,
}

impl Net {
    pub fn new() -> Self {
        Self { builder: GraphBuilder::new("test"), count: 0 }
    }

    /// A network with one image input.
    pub fn image(channels: usize, side: usize) -> (Self, ValueId) {
        let mut net = Self::new();
        let x = net.input("input", &[channels, side, side]);
        (net, x)
    }

    pub fn input(&mut self, name: &str, sizes: &[usize]) -> ValueId {
        let shape = std::iter::once(Dim::Batch(1)).chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect();
        self.builder.input(name, shape).unwrap()
    }

    pub fn size(&self, x: ValueId, axis: usize) -> usize {
        self.builder.shape(x)[axis].sample()
    }

    pub fn parameter(&mut self, name: &str, sizes: &[usize]) -> ValueId {
        self.builder.parameter(name, sizes, ElementType::F32, ParameterKind::Parameter).unwrap().1
    }

    pub fn buffer(&mut self, name: &str, sizes: &[usize]) -> ValueId {
        self.builder.parameter(name, sizes, ElementType::F32, ParameterKind::Buffer).unwrap().1
    }

    /// A number that no other call has given.
    pub fn constants(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    pub fn push(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        self.count += 1;
        self.builder.push(&format!("node{}", self.count), op, inputs).unwrap()
    }

    pub fn nodes(&mut self, op: Op, inputs: &[ValueId]) -> Vec<ValueId> {
        self.count += 1;
        self.builder.node(&format!("node{}", self.count), op, inputs).unwrap()
    }

    pub fn grouped(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> ValueId {
        let channels = self.size(x, 1) / groups;
        let weight = self.parameter(&format!("{name}.weight"), &[out, channels, kernel, kernel]);
        self.push(Op::Conv(convolution(kernel, stride, groups)), &[x, weight])
    }

    pub fn conv(&mut self, name: &str, x: ValueId, out: usize, kernel: usize, stride: usize) -> ValueId {
        self.grouped(name, x, out, kernel, stride, 1)
    }

    pub fn biased(&mut self, name: &str, x: ValueId, out: usize, kernel: usize, stride: usize) -> ValueId {
        let channels = self.size(x, 1);
        let weight = self.parameter(&format!("{name}.weight"), &[out, channels, kernel, kernel]);
        let bias = self.parameter(&format!("{name}.bias"), &[out]);
        self.push(Op::Conv(convolution(kernel, stride, 1)), &[x, weight, bias])
    }

    pub fn transposed(&mut self, name: &str, x: ValueId, out: usize, groups: usize) -> ValueId {
        let channels = self.size(x, 1);
        let weight = self.parameter(&format!("{name}.weight"), &[channels, out / groups, 2, 2]);
        let conv = Conv { padding: vec![(0, 0); 2], transposed: Some(vec![0, 0]), ..convolution(2, 2, groups) };
        self.push(Op::Conv(conv), &[x, weight])
    }

    pub fn norm(&mut self, name: &str, x: ValueId) -> ValueId {
        let channels = [self.size(x, 1)];
        let weight = self.parameter(&format!("{name}.weight"), &channels);
        let bias = self.parameter(&format!("{name}.bias"), &channels);
        let mean = self.buffer(&format!("{name}.running_mean"), &channels);
        let variance = self.buffer(&format!("{name}.running_var"), &channels);
        self.push(Op::BatchNorm { epsilon: 1e-5 }, &[x, weight, bias, mean, variance])
    }

    pub fn layer_norm(&mut self, name: &str, x: ValueId) -> ValueId {
        let last = self.builder.shape(x).len() - 1;
        let channels = [self.size(x, last)];
        let weight = self.parameter(&format!("{name}.weight"), &channels);
        let bias = self.parameter(&format!("{name}.bias"), &channels);
        self.push(Op::LayerNorm { axes: 1, epsilon: 1e-5 }, &[x, weight, bias])
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.push(Op::Unary(Unary::Relu), &[x])
    }

    pub fn sigmoid(&mut self, x: ValueId) -> ValueId {
        self.push(Op::Unary(Unary::Sigmoid), &[x])
    }

    /// Convolution, batch norm, ReLU.
    pub fn block(
        &mut self,
        [name, norm]: [&str; 2],
        x: ValueId,
        out: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> ValueId {
        let x = self.grouped(name, x, out, kernel, stride, groups);
        let x = self.norm(norm, x);
        self.relu(x)
    }

    pub fn linear(&mut self, name: &str, x: ValueId, out: usize) -> ValueId {
        let last = self.builder.shape(x).len() - 1;
        let weight = self.parameter(&format!("{name}.weight"), &[out, self.builder.shape(x)[last].sample()]);
        let bias = self.parameter(&format!("{name}.bias"), &[out]);
        self.push(Op::Linear { transposed: false }, &[x, weight, bias])
    }

    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.push(Op::Binary(Binary::Add), &[a, b])
    }

    pub fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.push(Op::Binary(Binary::Mul), &[a, b])
    }

    pub fn cat(&mut self, parts: &[ValueId]) -> ValueId {
        self.push(Op::Cat { axis: 1 }, parts)
    }

    pub fn permute(&mut self, x: ValueId, order: &[usize]) -> ValueId {
        self.push(Op::Permute { order: order.to_vec() }, &[x])
    }

    /// Sizes behind the batch axis, which stays.
    pub fn reshape(&mut self, x: ValueId, sizes: &[usize]) -> ValueId {
        let batch = self.builder.shape(x)[0];
        let shape: Vec<Dim> = std::iter::once(batch).chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect();
        self.reshape_all(x, &shape)
    }

    pub fn reshape_all(&mut self, x: ValueId, shape: &[Dim]) -> ValueId {
        self.push(Op::Reshape { shape: shape.to_vec() }, &[x])
    }

    pub fn flatten(&mut self, x: ValueId) -> ValueId {
        let size = self.builder.shape(x)[1..].iter().map(|d| d.sample()).product();
        self.reshape(x, &[size])
    }

    pub fn max_pool(&mut self, x: ValueId, kernel: usize, stride: usize, padding: usize) -> ValueId {
        let pool = Pool {
            kind: PoolKind::Max,
            kernel: vec![kernel; 2],
            stride: vec![stride; 2],
            padding: vec![(padding, padding); 2],
            dilation: vec![1; 2],
            ceil: false,
        };
        self.push(Op::Pool(pool), &[x])
    }

    pub fn global_pool(&mut self, x: ValueId) -> ValueId {
        self.push(Op::AdaptivePool { max: false, output: vec![1, 1] }, &[x])
    }

    pub fn mean(&mut self, x: ValueId, axes: &[usize], keep_dims: bool) -> ValueId {
        self.push(Op::Reduce { kind: Reduction::Mean, axes: axes.to_vec(), keep_dims }, &[x])
    }

    /// Global pooling and a linear layer.
    pub fn classifier(mut self, x: ValueId, classes: usize) -> Graph {
        let x = self.global_pool(x);
        let x = self.flatten(x);
        let x = self.linear("fc", x, classes);
        self.finish(&[x])
    }

    pub fn finish(self, outputs: &[ValueId]) -> Graph {
        self.builder.finish(outputs).unwrap()
    }
}

/// A convolution that keeps the size at stride 1 (odd kernels).
pub fn convolution(kernel: usize, stride: usize, groups: usize) -> Conv {
    Conv {
        stride: vec![stride; 2],
        padding: vec![((kernel - 1) / 2, (kernel - 1) / 2); 2],
        dilation: vec![1; 2],
        groups,
        transposed: None,
    }
}
