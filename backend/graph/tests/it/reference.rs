//! A plain interpreter of graphs over `f64`, one image at a time: slow, short, and independent of the engine.

use eagleeye_graph::shape::sample;
use eagleeye_graph::{Binary, Conv, Graph, Node, Op, PadMode, Pool, PoolKind, Reduction, Source, Unary};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice, concatenate};

type Tensor = ArrayD<f64>;

/// The outputs of a graph for a batch of one.
pub fn run(graph: &Graph, parameters: &[Tensor], inputs: &[Tensor]) -> Vec<Tensor> {
    let mut values: Vec<Option<Tensor>> = graph
        .values
        .iter()
        .map(|v| match v.source {
            Source::Input(i) => Some(inputs[i].clone()),
            Source::Parameter(p) => Some(parameters[p.index()].clone()),
            Source::Node(..) => None,
        })
        .collect();
    for node in &graph.nodes {
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|i| values[i.index()].as_ref().unwrap()).collect();
        let outputs = outputs(node, &inputs);
        for (&id, output) in node.outputs.iter().zip(outputs) {
            assert_eq!(output.shape(), sample(graph.shape(id)), "output of `{}`", node.name);
            values[id.index()] = Some(output);
        }
    }
    graph.outputs.iter().map(|o| values[o.index()].clone().unwrap()).collect()
}

fn outputs(node: &Node, inputs: &[&Tensor]) -> Vec<Tensor> {
    let x = inputs[0];
    match &node.op {
        Op::Split { axis, sizes } => {
            let mut start = 0;
            let parts = sizes.iter().map(|&size| {
                start += size;
                x.slice_axis(Axis(*axis), Slice::from(start - size..start)).to_owned()
            });
            parts.collect()
        }
        op => vec![output(op, x, inputs)],
    }
}

fn output(op: &Op, x: &Tensor, inputs: &[&Tensor]) -> Tensor {
    match op {
        Op::Conv(conv) if conv.transposed.is_some() => transposed(conv, x, inputs[1], inputs.get(2).copied()),
        Op::Conv(conv) => convolution(conv, x, inputs[1], inputs.get(2).copied()),
        Op::Linear { transposed } => linear(*transposed, x, inputs[1], inputs.get(2).copied()),
        Op::BatchNorm { epsilon } => {
            let of = |i: usize| per_channel(inputs[i], x.ndim());
            (x - &of(3)) / (of(4) + *epsilon).mapv(f64::sqrt) * of(1) + of(2)
        }
        Op::LayerNorm { axes, epsilon } => {
            let rows = x.shape()[..x.ndim() - axes].iter().product();
            affine(&normalised(x, rows, *epsilon), inputs.get(1).copied(), inputs.get(2).copied())
        }
        Op::GroupNorm { groups, epsilon } => {
            let channelwise = |i: usize| inputs.get(i).map(|p| per_channel(p, x.ndim()));
            affine(&normalised(x, *groups, *epsilon), channelwise(1).as_ref(), channelwise(2).as_ref())
        }
        Op::Unary(f) => x.mapv(|v| unary(*f, v)),
        Op::PRelu => {
            let slope = per_channel(inputs[1], x.ndim());
            x.mapv(|v| v.max(0.0)) + x.mapv(|v| v.min(0.0)) * slope
        }
        Op::Binary(f) => binary(*f, x, inputs[1]),
        Op::Select => {
            let shape = broadcast(inputs);
            let at = |i: usize| inputs[i].broadcast(IxDyn(&shape)).unwrap().to_owned();
            let (condition, a, b) = (at(0), at(1), at(2));
            ArrayD::from_shape_fn(IxDyn(&shape), |i| if condition[&i] != 0.0 { a[&i] } else { b[&i] })
        }
        Op::MatMul => matmul(x, inputs[1]),
        Op::Softmax { axis, .. } => {
            let largest = x.fold_axis(Axis(*axis), f64::NEG_INFINITY, |&a, &b| larger(a, b)).insert_axis(Axis(*axis));
            let exp = (x - &largest).mapv(f64::exp);
            let sum = exp.sum_axis(Axis(*axis)).insert_axis(Axis(*axis));
            exp / sum
        }
        Op::Pool(pool) => pooled(pool, x),
        Op::AdaptivePool { output, .. } => {
            let kernel: Vec<usize> = (0..2).map(|i| x.shape()[i + 2] / output[i]).collect();
            let kind = PoolKind::Average { count_include_pad: false };
            let pool = Pool {
                kind,
                stride: kernel.clone(),
                kernel,
                padding: vec![(0, 0); 2],
                dilation: vec![1; 2],
                ceil: false,
            };
            pooled(&pool, x)
        }
        Op::Resize { output, .. } => {
            let mut shape = x.shape().to_vec();
            shape[2..].copy_from_slice(output);
            ArrayD::from_shape_fn(IxDyn(&shape), |i| {
                x[[i[0], i[1], i[2] * x.shape()[2] / output[0], i[3] * x.shape()[3] / output[1]]]
            })
        }
        Op::Reduce { kind, axes, keep_dims } => reduced(*kind, axes, *keep_dims, x),
        Op::Reshape { shape } => reshaped(x.view(), &sample(shape)),
        Op::Permute { order } => x.view().permuted_axes(IxDyn(order)).to_owned(),
        Op::Expand { shape } => x.broadcast(IxDyn(&sample(shape))).unwrap().to_owned(),
        Op::Cat { axis } => {
            let views: Vec<_> = inputs.iter().map(|t| t.view()).collect();
            concatenate(Axis(*axis), &views).unwrap()
        }
        Op::Slice { axis, start, end, step } => {
            x.slice_axis(Axis(*axis), Slice::new(*start as isize, Some(*end as isize), *step as isize)).to_owned()
        }
        Op::Gather { axis, indices } => x.select(Axis(*axis), indices),
        Op::Pad { pads, mode: PadMode::Constant(value) } => {
            let size = |axis: usize| (x.shape()[axis] as i64 + pads[axis].0 + pads[axis].1) as usize;
            let shape: Vec<usize> = (0..x.ndim()).map(size).collect();
            ArrayD::from_shape_fn(IxDyn(&shape), |i| {
                let source: Vec<i64> = (0..x.ndim()).map(|axis| i[axis] as i64 - pads[axis].0).collect();
                let inside = source.iter().zip(x.shape()).all(|(&s, &n)| s >= 0 && (s as usize) < n);
                if inside { x[&source.iter().map(|&s| s as usize).collect::<Vec<_>>()[..]] } else { *value }
            })
        }
        Op::Roll { shifts } => shifts.iter().fold(x.clone(), |x, &(axis, shift)| {
            let n = x.shape()[axis];
            let back = n - shift.rem_euclid(n as i64) as usize;
            x.select(Axis(axis), &(0..n).map(|i| (i + back) % n).collect::<Vec<_>>())
        }),
        other => unreachable!("no test uses {other:?}"),
    }
}

fn reshaped(x: ArrayViewD<f64>, shape: &[usize]) -> Tensor {
    x.as_standard_layout().into_owned().into_shape_with_order(IxDyn(shape)).unwrap()
}

/// `[C]` as `[1, C, 1, ...]`.
fn per_channel(p: &Tensor, rank: usize) -> Tensor {
    let mut shape = vec![1; rank];
    shape[1] = p.len();
    reshaped(p.view(), &shape)
}

fn normalised(x: &Tensor, rows: usize, epsilon: f64) -> Tensor {
    let flat = reshaped(x.view(), &[rows, x.len() / rows]);
    let mean = flat.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
    let variance = flat.var_axis(Axis(1), 0.0).insert_axis(Axis(1));
    reshaped(((flat - mean) / (variance + epsilon).mapv(f64::sqrt)).view(), x.shape())
}

fn affine(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
    let x = weight.map_or_else(|| x.clone(), |w| x * w);
    bias.map_or_else(|| x.clone(), |b| &x + b)
}

/// The larger of two numbers; not-a-number where one of them is, which `f64::max` would pass over.
pub fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn unary(f: Unary, v: f64) -> f64 {
    match f {
        Unary::Relu => larger(v, 0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        Unary::Tanh | Unary::Gelu { .. } => v.tanh(),
        Unary::MulScalar(c) => v * c,
        Unary::AddScalar(c) => v + c,
        Unary::PowScalar(c) => v.powf(c),
        Unary::Neg => -v,
        Unary::Abs => v.abs(),
        Unary::Sqrt => v.sqrt(),
        Unary::Cos => v.cos(),
        Unary::Reciprocal => v.recip(),
        Unary::Clamp(low, high) => {
            -larger(-larger(v, low.unwrap_or(f64::NEG_INFINITY)), -high.unwrap_or(f64::INFINITY))
        }
        other => unreachable!("no test uses {other:?}"),
    }
}

fn binary(f: Binary, a: &Tensor, b: &Tensor) -> Tensor {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Less => {
            let shape = broadcast(&[a, b]);
            let (a, b) = (a.broadcast(IxDyn(&shape)).unwrap(), b.broadcast(IxDyn(&shape)).unwrap());
            ArrayD::from_shape_fn(IxDyn(&shape), |i| f64::from(u8::from(a[&i] < b[&i])))
        }
        other => unreachable!("no test uses {other:?}"),
    }
}

/// The sizes that tensors have together.
fn broadcast(tensors: &[&Tensor]) -> Vec<usize> {
    let rank = tensors.iter().map(|t| t.ndim()).max().unwrap();
    let at = |t: &Tensor, axis: usize| (axis + t.ndim()).checked_sub(rank).map_or(1, |own| t.shape()[own]);
    (0..rank).map(|axis| tensors.iter().map(|t| at(t, axis)).max().unwrap()).collect()
}

fn linear(transposed: bool, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let weight = if transposed { weight.clone() } else { weight.t().to_owned() };
    let last = x.ndim() - 1;
    let rows = x.len() / x.shape()[last];
    let flat = reshaped(x.view(), &[rows, x.shape()[last]]).into_dimensionality::<ndarray::Ix2>().unwrap();
    let y = flat.dot(&weight.into_dimensionality::<ndarray::Ix2>().unwrap()).into_dyn();
    let mut shape = x.shape().to_vec();
    shape[last] = y.shape()[1];
    affine(&reshaped(y.view(), &shape), None, bias)
}

fn matmul(a: &Tensor, b: &Tensor) -> Tensor {
    let (n, k, m) = (a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1], b.shape()[b.ndim() - 1]);
    let batches = a.len() / n / k;
    let mut shape = a.shape().to_vec();
    shape[a.ndim() - 1] = m;
    let (a, b) = (reshaped(a.view(), &[batches, n, k]), reshaped(b.view(), &[batches, k, m]));
    let y = ArrayD::from_shape_fn(IxDyn(&[batches, n, m]), |i| {
        (0..k).map(|j| a[[i[0], i[1], j]] * b[[i[0], j, i[2]]]).sum()
    });
    reshaped(y.view(), &shape)
}

fn convolution(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (w, s) = (weight.shape(), x.shape());
    let size = |i: usize| {
        (s[i + 2] + conv.padding[i].0 + conv.padding[i].1 - conv.dilation[i] * (w[i + 2] - 1) - 1) / conv.stride[i] + 1
    };
    let each_out = w[0] / conv.groups;
    ArrayD::from_shape_fn(IxDyn(&[1, w[0], size(0), size(1)]), |o| {
        let mut sum = bias.map_or(0.0, |b| b[[o[1]]]);
        for c in 0..w[1] {
            for (i, j) in (0..w[2]).flat_map(|i| (0..w[3]).map(move |j| (i, j))) {
                let row = (o[2] * conv.stride[0] + i * conv.dilation[0]).wrapping_sub(conv.padding[0].0);
                let column = (o[3] * conv.stride[1] + j * conv.dilation[1]).wrapping_sub(conv.padding[1].0);
                if row < s[2] && column < s[3] {
                    sum += weight[[o[1], c, i, j]] * x[[0, o[1] / each_out * w[1] + c, row, column]];
                }
            }
        }
        sum
    })
}

fn transposed(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (w, s) = (weight.shape(), x.shape());
    let size = |i: usize| (s[i + 2] - 1) * conv.stride[i] + w[i + 2] - conv.padding[i].0 - conv.padding[i].1;
    let mut y = ArrayD::zeros(IxDyn(&[1, w[1] * conv.groups, size(0), size(1)]));
    let each_in = w[0] / conv.groups;
    for ((_, c, h, v), (o, i, j)) in indices(s)
        .flat_map(|p| (0..w[1] * w[2] * w[3]).map(move |q| (p, q)))
        .map(|(p, q)| (p, (q / (w[2] * w[3]), q / w[3] % w[2], q % w[3])))
    {
        let (row, column) = (h * conv.stride[0] + i, v * conv.stride[1] + j);
        let (row, column) = (row.wrapping_sub(conv.padding[0].0), column.wrapping_sub(conv.padding[1].0));
        if row < size(0) && column < size(1) {
            y[[0, c / each_in * w[1] + o, row, column]] += x[[0, c, h, v]] * weight[[c, o, i, j]];
        }
    }
    bias.map_or(y.clone(), |b| &y + &per_channel(b, 4))
}

fn indices(s: &[usize]) -> impl Iterator<Item = (usize, usize, usize, usize)> + use<> {
    let (channels, height, width) = (s[1], s[2], s[3]);
    (0..channels).flat_map(move |c| (0..height).flat_map(move |h| (0..width).map(move |v| (0, c, h, v))))
}

fn pooled(pool: &Pool, x: &Tensor) -> Tensor {
    let s = x.shape();
    let size = |i: usize| (s[i + 2] + pool.padding[i].0 + pool.padding[i].1 - pool.kernel[i]) / pool.stride[i] + 1;
    ArrayD::from_shape_fn(IxDyn(&[1, s[1], size(0), size(1)]), |o| {
        let window = (0..pool.kernel[0]).flat_map(|i| (0..pool.kernel[1]).map(move |j| (i, j)));
        let inside = window.filter_map(|(i, j)| {
            let row = (o[2] * pool.stride[0] + i).wrapping_sub(pool.padding[0].0);
            let column = (o[3] * pool.stride[1] + j).wrapping_sub(pool.padding[1].0);
            (row < s[2] && column < s[3]).then(|| x[[0, o[1], row, column]])
        });
        let entries: Vec<f64> = inside.collect();
        match pool.kind {
            PoolKind::Max => entries.into_iter().fold(f64::NEG_INFINITY, larger),
            PoolKind::Average { .. } => entries.iter().sum::<f64>() / entries.len() as f64,
        }
    })
}

fn reduced(kind: Reduction, axes: &[usize], keep_dims: bool, x: &Tensor) -> Tensor {
    let mut y = x.clone();
    for &axis in axes.iter().rev() {
        y = match kind {
            Reduction::Mean => y.mean_axis(Axis(axis)).unwrap(),
            Reduction::Sum => y.sum_axis(Axis(axis)),
            Reduction::Max => y.fold_axis(Axis(axis), f64::NEG_INFINITY, |&a, &b| larger(a, b)),
            Reduction::Min => y.fold_axis(Axis(axis), f64::INFINITY, |&a, &b| -larger(-a, -b)),
            Reduction::Product => y.fold_axis(Axis(axis), 1.0, |a, &b| a * b),
        };
        if keep_dims {
            y = y.insert_axis(Axis(axis));
        }
    }
    y
}
