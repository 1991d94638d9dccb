use eagleeye_graph::shape::fixed;
use eagleeye_graph::{
    Binary, Conv, Dim, ElementType, GraphBuilder, Interpolation, Op, PadMode, ParameterKind, Pool, PoolKind, Reduction,
    Unary,
};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::network::Format;

fn image(channels: usize, height: usize, width: usize) -> Vec<Dim> {
    vec![Dim::Batch(1), Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)]
}

fn numbers(sizes: &[i64]) -> Tensor {
    let count: i64 = sizes.iter().product();
    (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.7).sin().reshape(sizes)
}

/// A network of one operation whose further inputs are parameters, and its answer to a batch of two.
fn answer(op: Op, input: Vec<Dim>, parameters: &[Tensor]) -> Result<Tensor, ExecError> {
    let mut builder = GraphBuilder::new("one operation");
    let x = builder.input("x", input.clone()).unwrap();
    let mut inputs = vec![x];
    for (i, p) in parameters.iter().enumerate() {
        let sizes = eagleeye_torchscript::tensors::sizes(p);
        inputs.push(builder.parameter(&format!("p{i}"), &sizes, ElementType::F32, ParameterKind::Parameter).unwrap().1);
    }
    let y = builder.push("layer", op, &inputs).unwrap();
    let shape = builder.shape(y).clone();
    let network = Network {
        graph: builder.finish(&[y]).unwrap(),
        weights: parameters.iter().map(Tensor::shallow_clone).collect(),
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    let sizes: Vec<i64> = input.iter().map(|d| d.at(2) as i64).collect();
    let y = forward(&network, &numbers(&sizes))?;
    assert_eq!(
        eagleeye_torchscript::tensors::sizes(&y),
        shape.iter().map(|d| d.at(2)).collect::<Vec<_>>(),
        "inferred and real shape"
    );
    Ok(y)
}

fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.size(), b.size());
    let difference = (a - b).abs().max().double_value(&[]);
    assert!(difference < 1e-5, "difference {difference}");
}

fn conv(padding: Vec<(usize, usize)>, transposed: Option<Vec<usize>>) -> Op {
    let axes = padding.len();
    Op::Conv(Conv { stride: vec![2; axes], padding, dilation: vec![1; axes], groups: 1, transposed })
}

#[test]
fn uneven_padding_is_a_window_into_even_padding() {
    let weight = numbers(&[3, 2, 3, 3]);
    let uneven = answer(conv(vec![(0, 1), (0, 1)], None), image(2, 8, 8), &[weight.shallow_clone()]).unwrap();
    let x = numbers(&[2, 2, 8, 8]).pad([0i64, 1, 0, 1], "constant", 0.0);
    assert_close(&uneven, &x.conv2d(&weight, None::<Tensor>, [2i64, 2], [0i64, 0], [1i64, 1], 1));
}

#[test]
fn a_transposed_convolution_crops_unevenly() {
    let weight = numbers(&[2, 3, 3, 3]);
    let uneven =
        answer(conv(vec![(0, 1), (1, 0)], Some(vec![0, 0])), image(2, 4, 4), &[weight.shallow_clone()]).unwrap();
    let none = None::<Tensor>;
    let whole = numbers(&[2, 2, 4, 4]).conv_transpose2d(&weight, none, [2i64, 2], [0i64, 0], [0i64, 0], 1, [1i64, 1]);
    assert_close(&uneven, &whole.narrow(2, 0, 8).narrow(3, 1, 8));
}

#[test]
fn average_pooling_with_uneven_padding_counts_only_the_image() {
    let pool = Pool {
        kind: PoolKind::Average { count_include_pad: false },
        kernel: vec![2, 2],
        stride: vec![2, 2],
        padding: vec![(0, 1), (0, 1)],
        dilation: vec![1, 1],
        ceil: false,
    };
    let y = answer(Op::Pool(pool), image(1, 3, 3), &[]).unwrap();
    let x = numbers(&[2, 1, 3, 3]);
    assert_close(&y.narrow(2, 1, 1).narrow(3, 1, 1), &x.narrow(2, 2, 1).narrow(3, 2, 1));
}

#[test]
fn max_pooling_with_uneven_padding_ignores_it() {
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: vec![2, 2],
        stride: vec![2, 2],
        padding: vec![(0, 1), (0, 1)],
        dilation: vec![1, 1],
        ceil: false,
    };
    let y = answer(Op::Pool(pool), image(1, 3, 3), &[]).unwrap();
    assert_close(&y.narrow(2, 1, 1).narrow(3, 1, 1), &numbers(&[2, 1, 3, 3]).narrow(2, 2, 1).narrow(3, 2, 1));
}

#[test]
fn rounding_up_leaves_out_windows_that_begin_in_padding() {
    for kind in [PoolKind::Max, PoolKind::Average { count_include_pad: false }] {
        let (kernel, stride, padding) = (vec![2, 2], vec![2, 2], vec![(0, 1), (0, 1)]);
        let pool = Pool { kind, kernel, stride, padding, dilation: vec![1, 1], ceil: true };
        let y = answer(Op::Pool(pool), image(1, 4, 4), &[]).unwrap();
        assert_eq!(y.size(), [2, 1, 2, 2]);
    }
}

#[test]
fn activations_with_parameters_of_their_own_follow_their_definition() {
    let x = numbers(&[2, 3]);
    let input = vec![Dim::Batch(1), Dim::Fixed(3)];
    let leaky = answer(Op::Unary(Unary::LeakyRelu(0.2)), input.clone(), &[]).unwrap();
    assert_close(&leaky, &x.maximum(&(&x * 0.2)));
    let elu = answer(Op::Unary(Unary::Elu(1.5)), input.clone(), &[]).unwrap();
    assert_close(&elu, &(x.relu() + (x.clamp_max(0.0).exp() - 1.0) * 1.5));
    let relu6 = answer(Op::Unary(Unary::Clamp(Some(0.0), Some(0.5))), input, &[]).unwrap();
    assert_close(&relu6, &x.clamp(0.0, 0.5));
}

#[test]
fn data_movements_make_the_shapes_that_were_inferred() {
    let ops = [
        Op::Reshape { shape: vec![Dim::Batch(2), Dim::Fixed(2), Dim::Fixed(16)] },
        Op::Permute { order: vec![0, 2, 3, 1] },
        Op::Slice { axis: 1, start: 1, end: 4, step: 2 },
        Op::Gather { axis: 1, indices: vec![3, 0, 0] },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, 2), (0, 1)], mode: PadMode::Reflect },
        Op::Pad { pads: vec![(0, 0), (0, 0), (1, -1), (0, 1)], mode: PadMode::Constant(0.5) },
        Op::Roll { shifts: vec![(2, 1), (3, -1)] },
        Op::Reduce { kind: Reduction::Mean, axes: vec![2, 3], keep_dims: true },
        Op::Resize { mode: Interpolation::Linear { align_corners: false }, output: vec![8, 6] },
        Op::Split { axis: 1, sizes: vec![4] },
    ];
    for op in ops {
        let y = answer(op.clone(), image(4, 4, 4), &[]).unwrap_or_else(|error| panic!("{op:?}: {error}"));
        assert!(bool::try_from(y.isfinite().all()).unwrap(), "{op:?}");
    }
}

#[test]
fn an_expanded_token_repeats_for_every_image() {
    let token = numbers(&[1, 1, 4]);
    let mut builder = GraphBuilder::new("token");
    let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(3), Dim::Fixed(4)]).unwrap();
    let (_, p) = builder.parameter("token", &[1, 1, 4], ElementType::F32, ParameterKind::Parameter).unwrap();
    let wide =
        builder.push("wide", Op::Expand { shape: vec![Dim::Batch(1), Dim::Fixed(1), Dim::Fixed(4)] }, &[p]).unwrap();
    let y = builder.push("cat", Op::Cat { axis: 1 }, &[wide, x]).unwrap();
    let network = Network {
        graph: builder.finish(&[y]).unwrap(),
        weights: vec![token.shallow_clone()],
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    let y = forward(&network, &numbers(&[3, 3, 4])).unwrap();
    assert_eq!(y.size(), [3, 4, 4]);
    assert_close(&y.narrow(0, 2, 1).narrow(1, 0, 1), &token);
}

#[test]
fn a_residual_is_not_overwritten_by_the_relu_beside_it() {
    let mut builder = GraphBuilder::new("residual");
    let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(3)]).unwrap();
    let double = builder.push("double", Op::Binary(Binary::Add), &[x, x]).unwrap();
    let relu = builder.push("relu", Op::Unary(Unary::Relu), &[double]).unwrap();
    let sum = builder.push("sum", Op::Binary(Binary::Add), &[double, relu]).unwrap();
    let graph = builder.finish(&[sum]).unwrap();
    let network = Network {
        graph,
        weights: Vec::new(),
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    let x = numbers(&[4, 3]);
    assert_close(&forward(&network, &x).unwrap(), &(&x * 2.0 + (&x * 2.0).relu()));
}

#[test]
fn an_input_of_another_shape_is_refused_by_name() {
    let mut builder = GraphBuilder::new("identity");
    let x = builder.input("image", image(3, 4, 4)).unwrap();
    let y = builder.push("relu", Op::Unary(Unary::Relu), &[x]).unwrap();
    let graph = builder.finish(&[y]).unwrap();
    let network = Network {
        graph,
        weights: Vec::new(),
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    let error = forward(&network, &numbers(&[2, 1, 4, 4])).unwrap_err();
    assert_eq!(error.to_string(), "input `image` has shape [2, 1, 4, 4], expected [N, 3, 4, 4]");
}

#[test]
fn an_error_of_libtorch_names_the_node() {
    let mut builder = GraphBuilder::new("broken weights");
    let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(3)]).unwrap();
    let (_, w) = builder.parameter("fc.weight", &[2, 3], ElementType::F32, ParameterKind::Parameter).unwrap();
    let y = builder.push("fc", Op::Linear { transposed: false }, &[x, w]).unwrap();
    assert_eq!(*builder.shape(w), fixed(&[2, 3]));
    let graph = builder.finish(&[y]).unwrap();
    let network = Network {
        graph,
        weights: vec![numbers(&[2, 4])],
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    let error = forward(&network, &numbers(&[1, 3])).unwrap_err();
    assert!(error.to_string().starts_with("linear at `fc`: "), "{error}");
}

#[test]
fn a_pass_stops_at_the_next_node_when_it_is_cancelled() {
    struct Cancel;
    impl Hook for Cancel {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let mut builder = GraphBuilder::new("identity");
    let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(3)]).unwrap();
    let y = builder.push("relu", Op::Unary(Unary::Relu), &[x]).unwrap();
    let graph = builder.finish(&[y]).unwrap();
    let network = Network {
        graph,
        weights: Vec::new(),
        format: Format::Onnx,
        precision: Default::default(),
        metadata: Default::default(),
    };
    assert_eq!(run(&network, &[numbers(&[1, 3])], &mut Cancel).unwrap_err(), ExecError::Cancelled);
}
