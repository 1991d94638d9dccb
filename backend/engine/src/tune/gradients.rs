//! Gradients of every operation of the interpreter against central differences, in `f64`.

use eagleeye_graph::{
    Binary, Conv, Dim, ElementType, GraphBuilder, Interpolation, Op, PadMode, ParameterKind, Pool, PoolKind, Reduction,
    SampleMode, SamplePadding, Unary, ValueId,
};
use tch::{Device, Kind, Tensor};

use super::trainer::Training;
use crate::exec::run_with_gradients;
use crate::network::{Format, Network};

/// Numbers between `low` and `high` that keep their distance from each other and from whole numbers, so that no operation has a
/// kink near them.
fn numbers(sizes: &[usize], seed: f64, low: f64, high: f64) -> Tensor {
    let count: i64 = sizes.iter().product::<usize>() as i64;
    // The golden ratio's multiples lie evenly and never on each other.
    let unit = ((Tensor::arange(count, (Kind::Double, Device::Cpu)) + seed) * 0.618_033_988_749_894_9).frac();
    (unit * (high - low) + low).reshape(eagleeye_torchscript::tensors::signed(sizes))
}

/// A network of one operation. Every input is a parameter to which a batch of zeros is added, so that gradients of inputs are
/// those of parameters; further tensors are parameters as they are.
struct Case {
    op: Op,
    /// Sample shapes, without the batch.
    inputs: Vec<Vec<usize>>,
    parameters: Vec<Vec<usize>>,
    /// Range of all numbers.
    range: (f64, f64),
}

fn case(op: Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Case {
    let owned = |shapes: &[&[usize]]| shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { op, inputs: owned(inputs), parameters: owned(parameters), range: (-1.9, 1.9) }
}

const BATCH: i64 = 2;

impl Case {
    fn within(self, low: f64, high: f64) -> Self {
        Self { range: (low, high), ..self }
    }

    fn network(&self) -> Network {
        let mut builder = GraphBuilder::new("one operation");
        let mut weights = Vec::new();
        let mut values = Vec::new();
        let (low, high) = self.range;
        let mut parameter = |builder: &mut GraphBuilder, sizes: &[usize], kind| -> ValueId {
            let name = format!("p{}", weights.len());
            weights.push(numbers(sizes, 0.37 + 100.0 * weights.len() as f64, low, high));
            builder.parameter(&name, sizes, ElementType::F64, kind).unwrap().1
        };
        let first: Vec<Dim> =
            std::iter::once(Dim::Batch(1)).chain(self.inputs[0].iter().map(|&size| Dim::Fixed(size))).collect();
        let x = builder.input("x", first).unwrap();
        for (index, sizes) in self.inputs.iter().enumerate() {
            // Each image of the batch has numbers of its own where the batch matters.
            let p = parameter(&mut builder, &[&[1], &sizes[..]].concat(), ParameterKind::Parameter);
            let sum = if index == 0 || self.inputs[index] == self.inputs[0] {
                builder.push(&format!("sum{index}"), Op::Binary(Binary::Add), &[x, p]).unwrap()
            } else {
                let shape = std::iter::once(Dim::Batch(1)).chain(sizes.iter().map(|&size| Dim::Fixed(size))).collect();
                builder.push(&format!("wide{index}"), Op::Expand { shape }, &[p]).unwrap()
            };
            values.push(sum);
        }
        for (index, sizes) in self.parameters.iter().enumerate() {
            let is_statistic = matches!(self.op, Op::BatchNorm { .. }) && index + 2 >= self.parameters.len();
            let kind = if is_statistic { ParameterKind::Buffer } else { ParameterKind::Parameter };
            values.push(parameter(&mut builder, sizes, kind));
        }
        let outputs = builder.node("layer", self.op.clone(), &values).unwrap();
        Network {
            graph: builder.finish(&outputs).unwrap(),
            weights,
            format: Format::Onnx,
            precision: Default::default(),
            metadata: Default::default(),
        }
    }
}

/// A sum of all outputs, each with a weight of its own.
fn loss(network: &Network) -> Tensor {
    let shape: Vec<i64> =
        network.graph.shape(network.graph.inputs[0]).iter().map(|d| d.at(BATCH as usize) as i64).collect();
    let offsets = Tensor::arange(BATCH, (Kind::Double, Device::Cpu)) * 0.0123;
    let mut wide = vec![1; shape.len()];
    wide[0] = BATCH;
    let x = offsets.reshape(&wide[..]).expand(&shape[..], false).contiguous();
    let statistics: Vec<Tensor> = network.weights.iter().map(|weight| weight.copy()).collect();
    let mut copy = network.shallow_clone();
    for (index, parameter) in network.graph.parameters.iter().enumerate() {
        if parameter.kind == ParameterKind::Buffer {
            copy.weights[index] = statistics[index].shallow_clone();
        }
    }
    let outputs = run_with_gradients(&copy, &[x], &mut Training(&|| false)).unwrap();
    let mut sum = Tensor::zeros([], (Kind::Double, Device::Cpu));
    for (index, output) in outputs.iter().enumerate() {
        let sizes: Vec<usize> = output.size().iter().map(|&size| size as usize).collect();
        sum += (output * numbers(&sizes, 7.7 + index as f64, -1.0, 1.0)).sum(Kind::Double);
    }
    sum
}

/// The largest difference between gradient and central difference over all numbers, relative to the largest of either.
fn worst(case: &Case) -> f64 {
    let mut network = case.network();
    let trained: Vec<usize> =
        (0..network.weights.len()).filter(|&i| network.graph.parameters[i].kind == ParameterKind::Parameter).collect();
    for &index in &trained {
        network.weights[index] = network.weights[index].detach().set_requires_grad(true);
    }
    let weights: Vec<&Tensor> = trained.iter().map(|&index| &network.weights[index]).collect();
    let loss_here = loss(&network);
    let gradients: Vec<Tensor> = if loss_here.requires_grad() {
        Tensor::run_backward(&[loss_here], &weights, false, false)
    } else {
        weights.iter().map(|weight| weight.zeros_like()).collect()
    };
    let step = 1e-6;
    let (mut difference, mut largest) = (0.0f64, 1e-3f64);
    let _no_grad = tch::no_grad_guard();
    for (&index, gradient) in trained.iter().zip(&gradients) {
        let plain = network.weights[index].detach().copy();
        for place in 0..plain.numel() as i64 {
            let at = |by: f64| {
                let changed = plain.copy();
                let _ = changed.view([-1i64]).get(place).g_add_scalar_(by);
                let mut other = network.shallow_clone();
                other.weights[index] = changed;
                loss(&other).double_value(&[])
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let found = if gradient.defined() { gradient.reshape([-1i64]).double_value(&[place]) } else { 0.0 };
            difference = difference.max((found - slope).abs());
            largest = largest.max(slope.abs()).max(found.abs());
        }
    }
    difference / largest
}

fn check(cases: Vec<Case>) {
    for case in cases {
        let worst = worst(&case);
        assert!(worst < 1e-6, "{:?}: {worst:e}", case.op);
    }
}

fn conv(axes: usize, stride: usize, padding: (usize, usize), groups: usize, transposed: bool) -> Op {
    let transposed = transposed.then(|| vec![0; axes]);
    Op::Conv(Conv {
        stride: vec![stride; axes],
        padding: vec![padding; axes],
        dilation: vec![1; axes],
        groups,
        transposed,
    })
}

#[test]
fn convolutions_and_linear_layers() {
    check(vec![
        case(conv(1, 1, (1, 1), 1, false), &[&[2, 5]], &[&[3, 2, 3], &[3]]),
        case(conv(2, 2, (1, 1), 1, false), &[&[2, 4, 4]], &[&[3, 2, 3, 3], &[3]]),
        case(conv(2, 1, (0, 1), 2, false), &[&[2, 3, 3]], &[&[4, 1, 2, 2]]),
        case(conv(3, 1, (1, 1), 1, false), &[&[1, 2, 3, 2]], &[&[2, 1, 3, 3, 3]]),
        case(conv(2, 2, (1, 1), 1, true), &[&[2, 2, 2]], &[&[2, 3, 3, 3], &[3]]),
        case(conv(2, 2, (0, 1), 1, true), &[&[2, 2, 2]], &[&[2, 2, 3, 3]]),
        case(Op::Linear { transposed: false }, &[&[3, 4]], &[&[5, 4], &[5]]),
        case(Op::Linear { transposed: true }, &[&[4]], &[&[4, 5]]),
        case(Op::MatMul, &[&[2, 3, 4], &[2, 4, 2]], &[]),
    ]);
}

#[test]
fn norms_in_training_mode() {
    check(vec![
        case(Op::BatchNorm { epsilon: 1e-5 }, &[&[3, 2, 2]], &[&[3], &[3], &[3], &[3]]).within(0.3, 1.9),
        case(Op::BatchNorm { epsilon: 1e-3 }, &[&[2, 3, 3]], &[&[2], &[2]]).within(0.3, 1.9),
        case(Op::LayerNorm { axes: 1, epsilon: 1e-5 }, &[&[2, 4]], &[&[4], &[4]]),
        case(Op::LayerNorm { axes: 2, epsilon: 1e-5 }, &[&[2, 4]], &[]),
        case(Op::GroupNorm { groups: 2, epsilon: 1e-5 }, &[&[4, 2, 2]], &[&[4], &[4]]),
    ]);
}

#[test]
fn functions_of_one_tensor() {
    use Unary::*;
    let anywhere = [
        Relu,
        Clamp(Some(-0.7), Some(0.9)),
        Clamp(Some(-0.7), None),
        Clamp(None, Some(0.9)),
        Clamp(None, None),
        LeakyRelu(0.2),
        Elu(1.5),
        Selu,
        Sigmoid,
        HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
        HardSwish,
        Silu,
        Gelu { tanh: false },
        Gelu { tanh: true },
        Mish,
        Softplus,
        Tanh,
        Erf,
        Exp,
        Neg,
        Abs,
        Sign,
        Floor,
        Ceil,
        Round,
        Sin,
        Cos,
        Atan,
        Sinh,
        Cosh,
        Asinh,
        AddScalar(0.3),
        MulScalar(-1.7),
        PowScalar(2.0),
    ];
    check(anywhere.into_iter().map(|unary| case(Op::Unary(unary), &[&[2, 5]], &[])).collect());
    for (unary, low, high) in [
        (Log, 0.2, 1.9),
        (Sqrt, 0.2, 1.9),
        (Reciprocal, 0.2, 1.9),
        (PowScalar(0.5), 0.2, 1.9),
        (Tan, -1.0, 1.0),
        (Asin, -0.9, 0.9),
        (Acos, -0.9, 0.9),
        (Atanh, -0.9, 0.9),
        (Acosh, 1.1, 1.9),
    ] {
        check(vec![case(Op::Unary(unary), &[&[2, 5]], &[]).within(low, high)]);
    }
    check(vec![
        case(Op::PRelu, &[&[3, 4]], &[&[3]]),
        case(Op::Softmax { axis: 2, log: false }, &[&[2, 5]], &[]),
        case(Op::Softmax { axis: 1, log: true }, &[&[4, 2]], &[]),
    ]);
}

#[test]
fn functions_of_several_tensors() {
    use Binary::*;
    for binary in [Add, Sub, Mul, Max, Min, Less, LessOrEqual, Equal] {
        check(vec![case(Op::Binary(binary), &[&[2, 3], &[2, 3]], &[]), case(Op::Binary(binary), &[&[2, 3]], &[&[3]])]);
    }
    check(vec![
        case(Op::Binary(Div), &[&[2, 3], &[2, 3]], &[]).within(0.4, 1.9),
        case(Op::Binary(Pow), &[&[2, 3], &[2, 3]], &[]).within(0.4, 1.9),
        case(Op::Select, &[&[2, 3], &[2, 3], &[2, 3]], &[]),
        case(Op::Cat { axis: 1 }, &[&[2, 3], &[1, 3]], &[]),
    ]);
}

#[test]
fn a_relu_over_a_tensor_that_it_may_overwrite() {
    let overwritten = |build: &dyn Fn(&mut GraphBuilder, ValueId, ValueId) -> ValueId| {
        let mut builder = GraphBuilder::new("relu");
        let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(2), Dim::Fixed(3), Dim::Fixed(3)]).unwrap();
        let sizes = [2, 2, 3, 3];
        let (_, w) = builder.parameter("w", &sizes, ElementType::F64, ParameterKind::Parameter).unwrap();
        let y = build(&mut builder, x, w);
        let y = builder.push("relu", Op::Unary(Unary::Relu), &[y]).unwrap();
        let y = builder.push("double", Op::Binary(Binary::Mul), &[y, y]).unwrap();
        let weight = numbers(&sizes, 0.7, -1.9, 1.9).set_requires_grad(true);
        let network = Network {
            graph: builder.finish(&[y]).unwrap(),
            weights: vec![weight.shallow_clone()],
            format: Format::Onnx,
            precision: Default::default(),
            metadata: Default::default(),
        };
        let x = numbers(&[2, 2, 3, 3], 3.0, -1.9, 1.9);
        let run = |network: &Network| {
            run_with_gradients(network, &[x.shallow_clone()], &mut Training(&|| false))
                .unwrap()
                .remove(0)
                .sum(Kind::Double)
        };
        let gradient = Tensor::run_backward(&[run(&network)], &[&weight], false, false).remove(0);
        for place in [0, 7, 20, 35] {
            let at = |by: f64| {
                let changed = weight.detach().copy();
                let _ = changed.view([-1i64]).get(place).g_add_scalar_(by);
                run(&network.with(network.graph.clone(), vec![changed])).double_value(&[])
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            let found = gradient.reshape([-1i64]).double_value(&[place]);
            assert!((found - slope).abs() < 1e-6 * slope.abs().max(1.0), "{place}: {found} {slope}");
        }
    };
    overwritten(&|builder, x, w| builder.push("conv", conv(2, 1, (1, 1), 1, false), &[x, w]).unwrap());
    for binary in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div] {
        overwritten(&|builder, x, w| {
            let convolved = builder.push("conv", conv(2, 1, (1, 1), 1, false), &[x, w]).unwrap();
            builder.push("binary", Op::Binary(binary), &[convolved, x]).unwrap()
        });
    }
}

#[test]
fn pooling_and_sampling() {
    let pool = |kind, padding, ceil| {
        Op::Pool(Pool {
            kind,
            kernel: vec![2, 3],
            stride: vec![2, 2],
            padding: vec![padding; 2],
            dilation: vec![1; 2],
            ceil,
        })
    };
    let average = |count_include_pad| PoolKind::Average { count_include_pad };
    check(vec![
        case(pool(PoolKind::Max, (1, 1), false), &[&[2, 4, 5]], &[]),
        case(pool(PoolKind::Max, (0, 1), true), &[&[2, 4, 5]], &[]),
        case(pool(average(true), (1, 1), true), &[&[2, 4, 5]], &[]),
        case(pool(average(false), (1, 0), false), &[&[2, 4, 5]], &[]),
        case(Op::AdaptivePool { max: false, output: vec![2, 2] }, &[&[2, 5, 3]], &[]),
        case(Op::AdaptivePool { max: true, output: vec![2, 2] }, &[&[2, 5, 3]], &[]),
        case(Op::AdaptivePool { max: false, output: vec![1] }, &[&[2, 5]], &[]),
    ]);
    for mode in [
        Interpolation::Nearest,
        Interpolation::Linear { align_corners: false },
        Interpolation::Linear { align_corners: true },
        Interpolation::Cubic { align_corners: false },
        Interpolation::Cubic { align_corners: true },
    ] {
        check(vec![case(Op::Resize { mode, output: vec![5, 3] }, &[&[2, 3, 4]], &[])]);
    }
    for mode in [SampleMode::Linear, SampleMode::Nearest, SampleMode::Cubic] {
        for padding in [SamplePadding::Zeros, SamplePadding::Border, SamplePadding::Reflection] {
            let sample = Op::GridSample { mode, padding, align_corners: false };
            check(vec![case(sample, &[&[2, 4, 4], &[2, 3, 2]], &[]).within(-0.93, 0.87)]);
        }
    }
}

#[test]
fn reductions_and_data_movements() {
    for kind in [Reduction::Mean, Reduction::Sum, Reduction::Max, Reduction::Min, Reduction::Product] {
        check(vec![case(Op::Reduce { kind, axes: vec![2, 3], keep_dims: false }, &[&[2, 3, 2]], &[])]);
    }
    let dims = |sizes: &[usize]| {
        std::iter::once(Dim::Batch(1)).chain(sizes.iter().map(|&size| Dim::Fixed(size))).collect::<Vec<_>>()
    };
    let ops = [
        Op::Reshape { shape: dims(&[2, 2, 16]) },
        Op::Permute { order: vec![0, 2, 3, 1] },
        Op::Expand { shape: dims(&[4, 4, 4]) },
        Op::Slice { axis: 1, start: 1, end: 4, step: 2 },
        Op::Gather { axis: 1, indices: vec![3, 0, 0] },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (0, 1)], mode: PadMode::Reflect },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (0, 1)], mode: PadMode::Replicate },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (0, 1)], mode: PadMode::Circular },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, -1), (0, 1)], mode: PadMode::Constant(0.5) },
        Op::Roll { shifts: vec![(2, 1), (3, -1)] },
        Op::Split { axis: 1, sizes: vec![1, 3] },
    ];
    check(ops.into_iter().map(|op| case(op, &[&[4, 4, 4]], &[])).collect());
}
