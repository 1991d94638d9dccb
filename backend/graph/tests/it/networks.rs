//! Architectures with published figures.

use eagleeye_graph::{Conv, Dim, Graph, Op, ValueId};

use crate::net::{Net, convolution};

/// torchvision's ResNets with basic blocks (`expansion` 1) or bottlenecks (4).
pub fn resnet(blocks: [usize; 4], expansion: usize, groups: usize, width: usize, side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let x = net.block(["conv1", "bn1"], x, 64, 7, 2, 1);
    let mut x = net.max_pool(x, 3, 2, 1);
    for (stage, &count) in blocks.iter().enumerate() {
        for block in 0..count {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let planes = 64 << stage;
            x = residual_block(&mut net, &name, x, planes, stride, expansion, (groups, planes * width / 64 * groups));
        }
    }
    net.classifier(x, 1000)
}

fn residual_block(
    net: &mut Net,
    name: &str,
    x: ValueId,
    planes: usize,
    stride: usize,
    expansion: usize,
    (groups, inner): (usize, usize),
) -> ValueId {
    let out = planes * expansion;
    let of = |layer: &str| format!("{name}.{layer}");
    let y = if expansion == 1 {
        let y = net.block([&of("conv1"), &of("bn1")], x, planes, 3, stride, 1);
        let y = net.conv(&of("conv2"), y, out, 3, 1);
        net.norm(&of("bn2"), y)
    } else {
        let y = net.block([&of("conv1"), &of("bn1")], x, inner, 1, 1, 1);
        let y = net.block([&of("conv2"), &of("bn2")], y, inner, 3, stride, groups);
        let y = net.conv(&of("conv3"), y, out, 1, 1);
        net.norm(&of("bn3"), y)
    };
    let shortcut = if stride != 1 || net.size(x, 1) != out {
        let s = net.conv(&of("downsample.0"), x, out, 1, stride);
        net.norm(&of("downsample.1"), s)
    } else {
        x
    };
    let sum = net.add(y, shortcut);
    net.relu(sum)
}

pub fn resnet18(side: usize) -> Graph {
    resnet([2, 2, 2, 2], 1, 1, 64, side)
}

pub fn resnet50(side: usize) -> Graph {
    resnet([3, 4, 6, 3], 4, 1, 64, side)
}

pub fn resnext50(side: usize) -> Graph {
    resnet([3, 4, 6, 3], 4, 32, 4, side)
}

pub fn mobilenet_v1(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let mut x = net.block(["features.0.0", "features.0.1"], x, 32, 3, 2, 1);
    let layers = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)];
    let layers = layers.into_iter().chain([(512, 1); 5]).chain([(1024, 2), (1024, 1)]);
    for (i, (out, stride)) in layers.enumerate() {
        let of = |layer: usize| format!("features.{}.{layer}", i + 1);
        let channels = net.size(x, 1);
        x = net.block([&of(0), &of(1)], x, channels, 3, stride, channels);
        x = net.block([&of(3), &of(4)], x, out, 1, 1, 1);
    }
    net.classifier(x, 1000)
}

pub fn vgg11_bn(side: usize) -> Graph {
    let (mut net, mut x) = Net::image(3, side);
    let mut index = 0;
    for (out, pooled) in
        [(64, true), (128, true), (256, false), (256, true), (512, false), (512, true), (512, false), (512, true)]
    {
        x = net.biased(&format!("features.{index}"), x, out, 3, 1);
        x = net.norm(&format!("features.{}", index + 1), x);
        x = net.relu(x);
        index += 3;
        if pooled {
            x = net.max_pool(x, 2, 2, 0);
            index += 1;
        }
    }
    x = net.push(Op::AdaptivePool { max: false, output: vec![7, 7] }, &[x]);
    x = net.flatten(x);
    for (layer, out) in [(0, 4096), (3, 4096)] {
        x = net.linear(&format!("classifier.{layer}"), x, out);
        x = net.relu(x);
    }
    x = net.linear("classifier.6", x, 1000);
    net.finish(&[x])
}

pub fn mobilenet_v2(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let mut x = net.block(["features.0.0", "features.0.1"], x, 32, 3, 2, 1);
    let stages =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    let mut index = 0;
    for (expansion, out, repeats, first_stride) in stages {
        for repeat in 0..repeats {
            index += 1;
            let of = |layer: &str| format!("features.{index}.conv.{layer}");
            let stride = if repeat == 0 { first_stride } else { 1 };
            let (input, hidden) = (x, net.size(x, 1) * expansion);
            let mut y = x;
            if expansion > 1 {
                y = net.block([&of("0.0"), &of("0.1")], y, hidden, 1, 1, 1);
            }
            y = net.block([&of("1.0"), &of("1.1")], y, hidden, 3, stride, hidden);
            y = net.conv(&of("2"), y, out, 1, 1);
            y = net.norm(&of("3"), y);
            x = if stride == 1 && net.size(input, 1) == out { net.add(input, y) } else { y };
        }
    }
    let x = net.block(["features.18.0", "features.18.1"], x, 1280, 1, 1, 1);
    net.classifier(x, 1000)
}

pub fn squeezenet1_1(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let x = net.biased("features.0", x, 64, 3, 2);
    let x = net.relu(x);
    let mut x = net.max_pool(x, 3, 2, 0);
    let fires =
        [(16, 64, false), (16, 64, true), (32, 128, false), (32, 128, true), (48, 192, false), (48, 192, false)];
    for (i, (squeeze, expand, pool)) in fires.into_iter().chain([(64, 256, false); 2]).enumerate() {
        let mut layer = |name: &str, x, out, kernel| {
            let y = net.biased(&format!("fire{i}.{name}"), x, out, kernel, 1);
            net.relu(y)
        };
        let s = layer("squeeze", x, squeeze, 1);
        let (small, large) = (layer("expand1x1", s, expand, 1), layer("expand3x3", s, expand, 3));
        x = net.cat(&[small, large]);
        if pool {
            x = net.max_pool(x, 3, 2, 0);
        }
    }
    let x = net.biased("classifier.1", x, 1000, 1, 1);
    let x = net.global_pool(x);
    let x = net.flatten(x);
    net.finish(&[x])
}

pub fn convnext_tiny(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let patches = |net: &mut Net, name: &str, x, out, size| {
        let conv = Conv { padding: vec![(0, 0); 2], ..convolution(size, size, 1) };
        let weight = net.size(x, 1);
        let weight = net.parameter(&format!("{name}.weight"), &[out, weight, size, size]);
        let bias = net.parameter(&format!("{name}.bias"), &[out]);
        net.push(Op::Conv(conv), &[x, weight, bias])
    };
    let norm_2d = |net: &mut Net, name: &str, x| {
        let x = net.permute(x, &[0, 2, 3, 1]);
        let x = net.layer_norm(name, x);
        net.permute(x, &[0, 3, 1, 2])
    };
    let x = patches(&mut net, "features.0.0", x, 96, 4);
    let mut x = norm_2d(&mut net, "features.0.1", x);
    for (stage, (width, blocks)) in [(96, 3), (192, 3), (384, 9), (768, 3)].into_iter().enumerate() {
        if stage > 0 {
            x = norm_2d(&mut net, &format!("features.{}.0", 2 * stage), x);
            x = patches(&mut net, &format!("features.{}.1", 2 * stage), x, width, 2);
        }
        for block in 0..blocks {
            let of = |layer: &str| format!("features.{}.{block}.{layer}", 2 * stage + 1);
            let y = net.grouped(&of("block.0"), x, width, 7, 1, width);
            let y = net.permute(y, &[0, 2, 3, 1]);
            let y = net.layer_norm(&of("block.2"), y);
            let y = net.linear(&of("block.3"), y, 4 * width);
            let y = net.relu(y);
            let y = net.linear(&of("block.5"), y, width);
            let y = net.permute(y, &[0, 3, 1, 2]);
            let scale = net.parameter(&of("layer_scale"), &[width, 1, 1]);
            let y = net.mul(scale, y);
            x = net.add(y, x);
        }
    }
    let x = net.global_pool(x);
    let x = norm_2d(&mut net, "classifier.0", x);
    let x = net.flatten(x);
    let x = net.linear("classifier.2", x, 1000);
    net.finish(&[x])
}

pub fn densenet121(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let x = net.block(["conv0", "norm0"], x, 64, 7, 2, 1);
    let mut x = net.max_pool(x, 3, 2, 1);
    for (block, layers) in [6, 12, 24, 16].into_iter().enumerate() {
        let mut features = vec![x];
        for layer in 0..layers {
            let of = |part: &str| format!("block{block}.layer{layer}.{part}");
            let mut y = net.cat(&features);
            y = net.norm(&of("norm1"), y);
            y = net.relu(y);
            y = net.block([&of("conv1"), &of("norm2")], y, 128, 1, 1, 1);
            features.push(net.conv(&of("conv2"), y, 32, 3, 1));
        }
        x = net.cat(&features);
        if block < 3 {
            x = net.norm(&format!("transition{block}.norm"), x);
            x = net.relu(x);
            let out = net.size(x, 1) / 2;
            x = net.conv(&format!("transition{block}.conv"), x, out, 1, 1);
            x = net.max_pool(x, 2, 2, 0);
        }
    }
    let x = net.norm("norm5", x);
    let x = net.relu(x);
    net.classifier(x, 1000)
}

pub fn shufflenet_v2_x0_5(side: usize) -> Graph {
    let (mut net, x) = Net::image(3, side);
    let x = net.block(["conv1.0", "conv1.1"], x, 24, 3, 2, 1);
    let mut x = net.max_pool(x, 3, 2, 1);
    for (stage, (out, repeats)) in [(48, 4), (96, 8), (192, 4)].into_iter().enumerate() {
        for unit in 0..repeats {
            x = shuffle_unit(&mut net, &format!("stage{}.{unit}", stage + 2), x, out, unit == 0);
        }
    }
    let x = net.block(["conv5.0", "conv5.1"], x, 1024, 1, 1, 1);
    let x = net.mean(x, &[2, 3], false);
    let x = net.linear("fc", x, 1000);
    net.finish(&[x])
}

fn shuffle_unit(net: &mut Net, name: &str, x: ValueId, out: usize, down: bool) -> ValueId {
    let half = out / 2;
    let of = |layer: &str| format!("{name}.{layer}");
    let (left, right, stride) = if down {
        let channels = net.size(x, 1);
        let left = net.grouped(&of("branch1.0"), x, channels, 3, 2, channels);
        let left = net.norm(&of("branch1.1"), left);
        (net.block([&of("branch1.2"), &of("branch1.3")], left, half, 1, 1, 1), x, 2)
    } else {
        let halves = net.nodes(Op::Split { axis: 1, sizes: vec![half, half] }, &[x]);
        (halves[0], halves[1], 1)
    };
    let right = net.block([&of("branch2.0"), &of("branch2.1")], right, half, 1, 1, 1);
    let right = net.grouped(&of("branch2.3"), right, half, 3, stride, half);
    let right = net.norm(&of("branch2.4"), right);
    let right = net.block([&of("branch2.5"), &of("branch2.6")], right, half, 1, 1, 1);
    let joined = net.cat(&[left, right]);
    channel_shuffle(net, joined, 2)
}

pub fn channel_shuffle(net: &mut Net, x: ValueId, groups: usize) -> ValueId {
    let (channels, side) = (net.size(x, 1), net.size(x, 2));
    let split = net.reshape(x, &[groups, channels / groups, side, side]);
    let swapped = net.permute(split, &[0, 2, 1, 3, 4]);
    net.reshape(swapped, &[channels, side, side])
}

/// A vision transformer; query, key and value in one linear layer, then cut apart (`packed`: as one more axis).
pub fn vision_transformer(depth: usize, width: usize, heads: usize, packed: bool) -> Graph {
    let (mut net, x) = Net::image(3, 32);
    let x = net.biased("conv_proj", x, width, 1, 8);
    let tokens = net.size(x, 2) * net.size(x, 3);
    let x = net.reshape(x, &[width, tokens]);
    let x = net.permute(x, &[0, 2, 1]);
    let token = net.parameter("class_token", &[1, 1, width]);
    let token = net.push(Op::Expand { shape: vec![Dim::Batch(1), Dim::Fixed(1), Dim::Fixed(width)] }, &[token]);
    let x = net.cat(&[token, x]);
    let position = net.parameter("pos_embedding", &[1, tokens + 1, width]);
    let mut x = net.add(x, position);
    for layer in 0..depth {
        let of = |part: &str| format!("layers.{layer}.{part}");
        let y = net.layer_norm(&of("ln_1"), x);
        let y = attention(&mut net, &of("attention"), y, heads, packed);
        x = net.add(x, y);
        let y = net.layer_norm(&of("ln_2"), x);
        let y = net.linear(&of("mlp.0"), y, width * 4);
        let y = net.push(Op::Unary(eagleeye_graph::Unary::Gelu { tanh: false }), &[y]);
        let y = net.linear(&of("mlp.3"), y, width);
        x = net.add(x, y);
    }
    let x = net.layer_norm("ln", x);
    let x = net.push(Op::Gather { axis: 1, indices: vec![0] }, &[x]);
    let x = net.reshape(x, &[width]);
    let x = net.linear("head", x, 10);
    net.finish(&[x])
}

pub fn attention(net: &mut Net, name: &str, x: ValueId, heads: usize, packed: bool) -> ValueId {
    let (tokens, width) = (net.size(x, 1), net.size(x, 2));
    let head = width / heads;
    let qkv = net.linear(&format!("{name}.qkv"), x, 3 * width);
    let [q, k, v] = if packed {
        let split = net.reshape(qkv, &[tokens, 3, heads, head]);
        let split = net.permute(split, &[0, 3, 1, 2, 4]);
        [0, 1, 2].map(|i| {
            let part = net.push(Op::Slice { axis: 3, start: i, end: i + 1, step: 1 }, &[split]);
            net.reshape(part, &[heads, tokens, head])
        })
    } else {
        let parts = net.nodes(Op::Split { axis: 2, sizes: vec![width; 3] }, &[qkv]);
        [0, 1, 2].map(|i| {
            let part = net.reshape(parts[i], &[tokens, heads, head]);
            net.permute(part, &[0, 2, 1, 3])
        })
    };
    let k = net.permute(k, &[0, 1, 3, 2]);
    let scores = net.push(Op::MatMul, &[q, k]);
    let scores = net.push(Op::Unary(eagleeye_graph::Unary::MulScalar(0.125)), &[scores]);
    let weights = net.push(Op::Softmax { axis: 3, log: false }, &[scores]);
    let y = net.push(Op::MatMul, &[weights, v]);
    let y = net.permute(y, &[0, 2, 1, 3]);
    let y = net.reshape(y, &[tokens, width]);
    net.linear(&format!("{name}.proj"), y, width)
}
