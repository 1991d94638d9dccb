//! Operators of ONNX, read from a file and computed, against the same in libtorch.

use eagleeye_engine::forward;
use tch::{Device, Kind, Tensor};

use crate::difference::difference;
use crate::onnx_file::{Node, network, node};

const SIZES: [i64; 3] = [4, 6, 6];

/// The nodes on `x` `[N, 4, 6, 6]`, for batches of two sizes.
fn assert_same(
    name: &str,
    opset: i64,
    stored: &[(&str, Tensor)],
    nodes: &[Node],
    expected: impl Fn(&Tensor) -> Tensor,
) {
    let network = network(opset, &SIZES, stored, nodes).unwrap_or_else(|error| panic!("{name}: {error}"));
    for batch in [1, 3] {
        tch::manual_seed(batch);
        let x = Tensor::rand([batch, 4, 6, 6], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
        let found = forward(&network, &x).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = expected(&x).to_kind(Kind::Float);
        assert_eq!(found.size(), expected.size(), "{name}");
        assert!(difference(&found, &expected) < 1e-5, "{name}: {}", difference(&found, &expected));
    }
}

fn numbers(entries: &[f32]) -> Tensor {
    Tensor::from_slice(entries)
}

fn number(entry: f32) -> Tensor {
    numbers(&[entry]).reshape([0i64; 0])
}

fn ints(entries: &[i64]) -> Tensor {
    Tensor::from_slice(entries)
}

/// The entries on and below the diagonal.
fn lower() -> Tensor {
    Tensor::ones([6, 6], (Kind::Float, Device::Cpu)).tril(0).to_kind(Kind::Bool)
}

/// Attention of `x` to itself, by what is added to the scores.
fn attention(x: &Tensor, added: &Tensor) -> Tensor {
    let scores = x.matmul(&x.transpose(2, 3)) / 6f64.sqrt() + added;
    scores.softmax(-1, Kind::Float).matmul(x)
}

fn added_for(mask: &Tensor) -> Tensor {
    mask.logical_not().to_kind(Kind::Float) * -1e9
}

#[test]
fn attention_hides_what_a_mask_of_truths_does_not_show_and_adds_a_mask_of_numbers() {
    let fused = |inputs| node("y", "Attention", inputs);
    let nothing = Tensor::zeros([6, 6], (Kind::Float, Device::Cpu));
    assert_same("without a mask", 23, &[], &[fused(&["x", "x", "x"])], |x| attention(x, &nothing));
    assert_same("causal", 23, &[], &[fused(&["x", "x", "x"]).int("is_causal", 1)], |x| {
        attention(x, &added_for(&lower()))
    });
    assert_same("stored truths", 23, &[("m", lower())], &[fused(&["x", "x", "x", "m"])], |x| {
        attention(x, &added_for(&lower()))
    });
    let half = nothing.fill(0.5).tril(0);
    let stored = half.shallow_clone();
    assert_same("stored numbers", 23, &[("m", stored)], &[fused(&["x", "x", "x", "m"])], |x| attention(x, &half));
    let compared = || [node("positive", "Greater", &["x", "zero"]), fused(&["x", "x", "x", "positive"])];
    assert_same("a comparison", 23, &[("zero", number(0.0))], &compared(), |x| attention(x, &added_for(&x.gt(0.0))));
    let nodes = [
        node("positive", "Less", &["zero", "x"]),
        node("seen", "Or", &["positive", "m"]),
        node("turned", "Transpose", &["seen"]).ints("perm", &[0, 1, 3, 2]),
        fused(&["x", "x", "x", "turned"]),
    ];
    assert_same("a moved combination", 23, &[("zero", number(0.0)), ("m", lower())], &nodes, |x| {
        attention(x, &added_for(&x.gt(0.0).logical_or(&lower()).transpose(2, 3)))
    });
}

#[test]
fn functions_of_each_entry_are_those_of_libtorch() {
    assert_same("Celu", 12, &[], &[node("y", "Celu", &["x"]).float("alpha", 1.7)], |x| {
        x.clamp_min(0.0) + (((x / 1.7).exp() - 1.0) * 1.7).clamp_max(0.0)
    });
    assert_same("Swish", 24, &[], &[node("y", "Swish", &["x"]).float("alpha", 1.7)], |x| x * (x * 1.7).sigmoid());
    assert_same("ThresholdedRelu", 10, &[], &[node("y", "ThresholdedRelu", &["x"]).float("alpha", 0.25)], |x| {
        x * x.gt(0.25)
    });
    for (bound, bias) in [(0.25f32, 0.125f32), (0.25, 0.25), (0.25, 0.0)] {
        let nodes = [node("y", "Shrink", &["x"]).float("lambd", bound).float("bias", bias)];
        let (bound, bias) = (f64::from(bound), f64::from(bias));
        assert_same("Shrink", 9, &[], &nodes, |x| (x - bias) * x.gt(bound) + (x + bias) * x.lt(-bound));
    }
    let stored = [("c", number(0.3))];
    assert_same("Mod as in C", 13, &stored, &[node("y", "Mod", &["x", "c"]).int("fmod", 1)], |x| {
        x.fmod_tensor(&number(0.3))
    });
    assert_same("Mod as in Python", 13, &stored, &[node("y", "Mod", &["x", "c"])], |x| {
        x.remainder_tensor(&number(0.3))
    });
    assert_same("CastLike", 19, &stored, &[node("z", "CastLike", &["x", "c"]), node("y", "Neg", &["z"])], |x| -x);
}

#[test]
fn truths_are_combined_as_libtorch_combines_them() {
    for (operator, combined) in [
        ("And", Tensor::logical_and as fn(&Tensor, &Tensor) -> Tensor),
        ("Or", Tensor::logical_or),
        ("Xor", Tensor::logical_xor),
    ] {
        let stored = [("low", number(-0.3)), ("high", number(0.4))];
        let nodes = [
            node("above", "Greater", &["x", "low"]),
            node("below", "Less", &["x", "high"]),
            node("both", operator, &["above", "below"]),
            node("y", "Cast", &["both"]).int("to", 1),
        ];
        assert_same(operator, 17, &stored, &nodes, |x| combined(&x.gt(-0.3), &x.lt(0.4)));
    }
}

#[test]
fn what_is_no_number_is_replaced() {
    let stored = [("half", number(0.5))];
    let guarded = |operator| {
        [node("z", operator, &["x"]), node("nan", "IsNaN", &["z"]), node("y", "Where", &["nan", "half", "z"])]
    };
    assert_same("of a root", 17, &stored, &guarded("Sqrt"), |x| x.sqrt().nan_to_num(0.5, None, None));
    assert_same("of a logarithm", 17, &stored, &guarded("Log"), |x| x.log().nan_to_num(0.5, None, None));
    assert_same("of attention", 17, &stored, &guarded("Softmax"), |x| x.softmax(-1, Kind::Float));
}

#[test]
fn norms_and_reductions_are_those_of_libtorch() {
    for order in [1, 2] {
        let nodes = [node("y", "LpNormalization", &["x"]).int("axis", 1).int("p", order)];
        assert_same("LpNormalization", 17, &[], &nodes, |x| x / x.norm_scalaropt_dim(order, [1i64], true));
        let nodes = [node("y", "GlobalLpPool", &["x"]).int("p", order)];
        assert_same("GlobalLpPool", 17, &[], &nodes, |x| x.norm_scalaropt_dim(order, [2i64, 3], true));
    }
    for order in [1, 2, 3] {
        let nodes =
            [node("y", "LpPool", &["x"]).ints("kernel_shape", &[2, 3]).ints("strides", &[2, 1]).int("p", order)];
        assert_same("LpPool", 18, &[], &nodes, |x| {
            let powers = x.abs().pow_tensor_scalar(order);
            let sums = powers.avg_pool2d([2, 3], [2, 1], [0, 0], false, true, None) * 6.0;
            sums.pow_tensor_scalar(1.0 / order as f64)
        });
    }
    let nodes = [node("y", "MeanVarianceNormalization", &["x"]).ints("axes", &[1, 2, 3])];
    assert_same("MeanVarianceNormalization", 13, &[], &nodes, |x| {
        let axes = &[1i64, 2, 3][..];
        let centred = x - x.mean_dim(axes, true, Kind::Float);
        &centred / ((&centred * &centred).mean_dim(axes, true, Kind::Float).sqrt() + 1e-9)
    });
    let scale = || numbers(&[0.5, 1.0, 1.5, 2.0, -1.0, 0.25]);
    let nodes = [node("y", "RMSNormalization", &["x", "scale"]).float("epsilon", 0.25)];
    assert_same("RMSNormalization", 23, &[("scale", scale())], &nodes, |x| {
        let mean = (x * x).mean_dim(&[-1i64][..], true, Kind::Float);
        x / (mean + 0.25).sqrt() * scale()
    });
    let nodes = [node("size", "Abs", &["x"]), node("y", "ReduceLogSum", &["size"]).ints("axes", &[2, 3])];
    assert_same("ReduceLogSum", 13, &[], &nodes, |x| x.abs().sum_dim_intlist(&[2i64, 3][..], true, Kind::Float).log());
}

#[test]
fn images_are_sampled_and_put_together_as_by_libtorch() {
    let flat = || node("flat", "Reshape", &["x", "flat sizes"]);
    for align_corners in [0, 1] {
        let stored = [
            ("flat sizes", ints(&[0, -1])),
            ("start", ints(&[0])),
            ("end", ints(&[6])),
            ("axis", ints(&[1])),
            ("map", ints(&[0, 2, 3])),
            ("sizes", ints(&[1, 4, 5, 7])),
        ];
        let nodes = [
            flat(),
            node("six", "Slice", &["flat", "start", "end", "axis"]),
            node("theta", "Reshape", &["six", "map"]),
            node("y", "AffineGrid", &["theta", "sizes"]).int("align_corners", align_corners),
        ];
        assert_same("AffineGrid", 20, &stored, &nodes, |x| {
            let theta = x.flatten(1, 3).narrow(1, 0, 6).reshape([-1, 2, 3]);
            Tensor::affine_grid_generator(&theta, [x.size()[0], 4, 5, 7], align_corners == 1)
        });
    }
    for (columns, image, kernel, pads, strides) in [(4, [4, 4], [3, 3], 0, 1), (9, [4, 4], [2, 2], 1, 2)] {
        let stored = [("flat sizes", ints(&[0, -1, columns])), ("image", ints(&image)), ("window", ints(&kernel))];
        let nodes = [
            flat(),
            node("y", "Col2Im", &["flat", "image", "window"]).ints("pads", &[pads; 4]).ints("strides", &[strides; 2]),
        ];
        assert_same("Col2Im", 18, &stored, &nodes, |x| {
            let columns = x.reshape([x.size()[0], -1, columns]);
            columns.col2im(image, kernel, [1, 1], [pads; 2], [strides; 2])
        });
    }
    let stored = [("sizes", ints(&[3, 4]))];
    let resize = |mode| {
        [node("y", "Resize", &["x", "", "", "sizes"]).ints("axes", &[2, 3]).int("antialias", 1).text("mode", mode)]
    };
    assert_same("antialiased", 18, &stored, &resize("linear"), |x| {
        x.internal_upsample_bilinear2d_aa([3, 4], false, None, None)
    });
}

#[test]
fn whole_numbers_of_a_narrow_type_stay_in_it() {
    let five = || Tensor::from_slice(&[5u8]);
    let stored = [("five", five()), ("big", Tensor::from_slice(&[200u8])), ("one", Tensor::from_slice(&[1u8]))];
    let times =
        |operator: Node| [operator, node("float", "Cast", &["number"]).int("to", 1), node("y", "Mul", &["x", "float"])];
    assert_same("BitwiseNot", 18, &stored, &times(node("number", "BitwiseNot", &["five"])), |x| x * 250.0);
    let shifted = node("number", "BitShift", &["big", "one"]).text("direction", "LEFT");
    assert_same("BitShift", 18, &stored, &times(shifted), |x| x * 144.0);
    assert_same("Add", 18, &stored, &times(node("number", "Add", &["big", "big"])), |x| x * 144.0);
    let stored = [("wide", ints(&[300])), ("five", five())];
    assert_same("Cast", 18, &stored, &times(node("number", "Cast", &["wide"]).int("to", 2)), |x| x * 44.0);
    assert_same("CastLike", 18, &stored, &times(node("number", "CastLike", &["wide", "five"])), |x| x * 44.0);
}

#[test]
fn a_batch_norm_in_training_mode_standardises_the_weight_that_it_is_given() {
    let stored = [
        ("v", numbers(&[1.0, 3.0, -4.0, 8.0]).reshape([2, 1, 1, 2])),
        ("rows", ints(&[1, 2, -1])),
        ("kernel", ints(&[2, 1, 1, 2])),
        ("g", numbers(&[1.0, 2.0])),
        ("b", numbers(&[0.0, 5.0])),
    ];
    let nodes = [
        node("view", "Reshape", &["v", "rows"]),
        node("bn", "BatchNormalization", &["view", "g", "b", "g", "g"]).int("training_mode", 1).float("epsilon", 0.0),
        node("w", "Reshape", &["bn", "kernel"]),
        node("y", "Conv", &["x", "w"]),
    ];
    let network = network(17, &[1, 2, 2], &stored, &nodes).unwrap();
    let x = Tensor::from_slice(&[1.0f32, 2.0, -3.0, 0.5]).reshape([1, 1, 2, 2]);
    let weight = numbers(&[-1.0, 1.0, 3.0, 7.0]).reshape([2, 1, 1, 2]);
    let expected = x.conv2d(&weight, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
    assert!(difference(&forward(&network, &x).unwrap(), &expected) < 1e-6);
}
