//! What does not depend on the input is computed while the network is read, whatever operator of `aten` computes it.

use eagleeye_graph::Op;

use super::import;

/// [`super::assert_same`] for a body that is indented as this file is.
fn assert_same(name: &str, body: &str) {
    let lines: Vec<&str> = body.lines().map(str::trim).collect();
    super::assert_same(name, &lines.join("\n"));
}

fn error(body: &str) -> String {
    import(body).err().unwrap_or_else(|| panic!("{body}\nis read")).to_string()
}

#[test]
fn padding_that_is_computed_from_the_traced_size_is_a_number() {
    assert_same(
        "TensorFlow's SAME padding",
        "
        s = torch.tensor(x.size(3))
        h = torch.clamp((torch.ceil(s / 2) - 1) * 2 + 3 - s, min=0).to(4)
        p = int(h)
        y = torch.constant_pad_nd(x, [p // 2, p - p // 2, p // 2, p - p // 2])
        return torch.conv2d(y, self.w, self.b, [2, 2])",
    );
    assert_same(
        "a size scaled by a float",
        "
        size = int(torch.floor(torch.tensor(x.size(2)).to(6) * torch.tensor(0.7)))
        return torch.adaptive_avg_pool2d(torch.conv2d(x, self.w), [size, int(torch.round(torch.tensor(2.5)))])",
    );
}

#[test]
fn functions_of_constants_are_computed_whatever_they_are() {
    for (name, constant) in [
        ("sines and cosines", "torch.sin(p / 10.0).view(1, 1, 1, -1) + torch.cos(p).view(1, 1, -1, 1)"),
        ("an outer product", "torch.outer(p, p + 1.0)"),
        ("a running sum of the identity", "torch.cumsum(torch.eye(4), 1)"),
        ("a choice", "torch.where(p > 1.0, p, torch.zeros_like(p))"),
        ("rounding", "torch.floor(p / 2.0) + torch.ceil(p / 3.0) + torch.round(p / 4.0) + torch.trunc(p / 3.0)"),
        ("bounds and remainders", "torch.clamp(p, 1.0, 2.0) + torch.remainder(p, 2.0) + torch.fmod(p, 3.0)"),
        ("exponentials", "torch.exp(-p) + torch.log1p(p) + torch.sqrt(p) + torch.tanh(p) + torch.sigmoid(p)"),
        ("a triangle", "torch.tril(torch.ones([4, 4])) + torch.triu(torch.ones([4, 4]), 1) * 2.0"),
        ("a product of matrices", "torch.matmul(p.view(4, 1), p.view(1, 4))"),
        ("sorting and searching", "torch.sort(p, 0, True)[0] + torch.flip(p, [0]) + torch.argmax(p).to(6)"),
        ("extremes and means", "p - p.mean() + p.max() + torch.maximum(p, torch.full([4], 1.5)) + p.std() + p.norm()"),
        ("a power and a sign", "torch.pow(2.0, p) + torch.sign(p - 1.0) + torch.pow(p, 2.0)"),
        (
            "places",
            "torch.zeros([4]).scatter(0, torch.tensor([1, 3]), 2.0) + torch.gather(p, 0, torch.tensor([3, 2, 1, 0]))",
        ),
        ("copies", "p.repeat([4, 1]) + p.unsqueeze(1).expand([4, 4]) + torch.stack([p, p, p, p], 1)"),
    ] {
        let body = format!("y = torch.conv2d(x, self.w)\np = torch.arange(y.size(3), dtype=6)\nreturn y + {constant}");
        assert_same(name, &body);
    }
}

#[test]
fn numbers_are_computed_by_the_functions_of_the_code() {
    assert_same(
        "logarithms and roots",
        "
        s = float(torch.log(torch.tensor(float(x.size(1)))))
        t = torch.sqrt(torch.tensor(x.size(2)).to(6)).item()
        return torch.conv2d(x, self.w) * s + t",
    );
}

#[test]
fn constants_sized_by_the_batch_are_those_of_one_image() {
    for (name, body) in [
        (
            "coordinates beside channels",
            "
            n, c, h, w = x.size()
            down = torch.linspace(-1.0, 1.0, h).view(1, 1, h, 1).expand(n, 1, h, w)
            y = torch.cat([x, down, torch.zeros([n, 1, h, w])], 1)
            return torch.conv2d(y[:, 1:5], self.w)",
        ),
        (
            "coordinates made by a matrix product and repeated",
            "
            ones = torch.ones([x.size(0), 1, 1, x.size(3)])
            across = torch.matmul(torch.arange(x.size(2), dtype=6).view(1, 1, -1, 1), ones) / 5.0 * 2.0 - 1.0
            return torch.conv2d(torch.cat([x[:, :2], across, across.transpose(2, 3)], 1), self.w)",
        ),
        (
            "sine positions of a mask",
            "
            y = torch.conv2d(x, self.w)
            seen = torch.logical_not(torch.zeros([y.size(0), y.size(2), y.size(3)], dtype=11))
            down = torch.cumsum(seen, 1, dtype=6).unsqueeze(3) / torch.pow(10.0, torch.arange(4, dtype=6) / 4.0)
            place = torch.stack([torch.sin(down[:, :, :, 0::2]), torch.cos(down[:, :, :, 1::2])], 4).flatten(3)
            return y[:, :4] + place.permute(0, 3, 1, 2)",
        ),
        (
            "a mask that is written into",
            "
            mask = x.new_zeros([x.size(0), 1, 6, 6])
            mask[:, :, 1:3, :4] = 1.0
            mask[:, 0, 5] += 0.5
            return torch.conv2d(x * mask, self.w)",
        ),
        (
            "constants like an activation",
            "
            y = torch.conv2d(x, self.w)
            y = y + torch.ones_like(y) * 2.0 - torch.full_like(y, 0.5)
            return torch.cat([y, torch.zeros_like(y), x.new_ones([x.size(0), y.size(1), 4, 4])], 1)",
        ),
        (
            "sizes in a tensor",
            "
            sizes = torch.tensor(x.size())
            return torch.conv2d(x, self.w).reshape(-1, int(sizes[2] - 2) * int(torch.prod(sizes[1:2])))",
        ),
        (
            "a mask over attention that is repeated over the batch",
            "
            y = torch.conv2d(x, self.w).flatten(2).transpose(1, 2).unsqueeze(1)
            mask = torch.tril(torch.ones([16, 16], dtype=11)).expand([x.size(0), 1, 16, 16])
            return torch.scaled_dot_product_attention(y, y, y, mask)",
        ),
    ] {
        assert_same(name, body);
    }
}

#[test]
fn a_constant_that_is_the_same_for_every_channel_takes_no_part_in_pruning() {
    let (network, ..) = import(
        "y = torch.conv2d(x, self.w)\ny = y + y.new_zeros(y.size()) + torch.ones_like(y)\nreturn torch.conv2d(y[:, :4], self.w)",
    )
    .unwrap();
    assert!(network.graph.parameters.iter().all(|p| !p.name.contains("constant")), "{:?}", network.graph.parameters);
    let (network, ..) =
        import("y = torch.conv2d(x, self.w)\nreturn y + torch.arange(4, dtype=6).expand(y.size())").unwrap();
    let constant = network.graph.parameters.iter().find(|p| p.name.contains("constant")).unwrap();
    assert_eq!(constant.shape, [1, 1, 1, 4]);
    assert!(network.graph.nodes.iter().all(|n| !matches!(n.op, Op::Expand { .. })));
}

#[test]
fn a_constant_that_differs_from_image_to_image_is_refused_by_name() {
    let images = error("return torch.conv2d(x, self.w) + torch.arange(x.size(0), dtype=6).view(-1, 1, 1, 1)");
    assert!(
        images.contains("aten::add at `add` (makes a constant tensor that is not the same for every image"),
        "{images}"
    );
    let entries = error("return torch.conv2d(x, self.w) + torch.full([4], float(x.size(0)))");
    assert!(entries.contains("depends on the batch size"), "{entries}");
}

#[test]
fn a_number_that_is_not_linear_in_the_batch_is_refused_by_name() {
    let square = error("n = x.size(0)\nreturn torch.conv2d(x, self.w).view(-1, n * n)");
    assert!(
        square.contains("aten::mul at `mul` (computes a size that is not a whole multiple of the batch"),
        "{square}"
    );
    let bound =
        error("n = int(torch.clamp(torch.full([1], x.size(0)), max=64)[0])\nreturn torch.conv2d(x, self.w) * n");
    assert!(bound.contains("depends on the batch size"), "{bound}");
}

#[test]
fn random_numbers_are_refused_by_name() {
    for call in [
        "torch.rand([4])",
        "torch.randn([x.size(0), 1, 1, 1])",
        "torch.randperm(4)",
        "torch.rand_like(x)[0, 0, :4, :4]",
    ] {
        let error = error(&format!("return torch.conv2d(x, self.w) + {call}"));
        assert!(error.contains("draws random numbers"), "{call}: {error}");
    }
}

#[test]
fn an_output_that_nobody_uses_does_not_spoil_the_others() {
    for (name, body) in [
        (
            "indices in a tuple",
            "
            pair = torch.adaptive_max_pool2d(torch.conv2d(x, self.w), [1, 1])
            return pair[0].flatten(1)",
        ),
        (
            "indices in a list",
            "
            values, indices = torch.max_pool2d_with_indices(torch.conv2d(x, self.w), [2, 2])
            both = [values, indices]
            return torch.relu(both[0])",
        ),
        ("a maximum", "return torch.max(torch.conv2d(x, self.w), 1)[0]"),
        ("a minimum", "values, indices = torch.min(torch.conv2d(x, self.w), 3)\nreturn values"),
        ("statistics of a norm", "return torch.native_layer_norm(torch.conv2d(x, self.w), [4], None, None, 0.001)[0]"),
        ("a constant's order", "return torch.conv2d(x, self.w) + torch.topk(torch.arange(8, dtype=6), 4)[0]"),
    ] {
        assert_same(name, body);
    }
}

#[test]
fn a_missing_output_that_is_used_is_named_with_the_operator_that_lacks_it() {
    let pool = "values, indices = torch.max_pool2d_with_indices(torch.conv2d(x, self.w), [2, 2])\n";
    let cause =
        "aten::max_pool2d_with_indices at `max_pool2d_with_indices` (its indices are used, which is not supported)";
    for used in ["return indices.to(6) * 2.0", "return torch.cat([values, indices.to(6)], 1)", "return indices"] {
        let error = error(&format!("{pool}{used}"));
        assert!(error.contains(cause), "{used}: {error}");
        assert!(!error.contains("found nothing") && !error.contains("expected a tensor"), "{error}");
    }
    let norm = error(
        "y, mean, deviation = torch.native_layer_norm(torch.conv2d(x, self.w), [4], None, None, 0.001)\nreturn y + mean",
    );
    assert!(norm.contains("aten::native_layer_norm at `native_layer_norm`"), "{norm}");
}

#[test]
fn operators_that_libtorch_trusts_are_not_computed() {
    for (call, reason) in [
        ("torch.special_hermite_polynomial_h(torch.ones([1]), 4)", "has a running time that one of its arguments sets"),
        ("torch.embedding_bag(torch.ones([3, 4]), torch.tensor([7]), torch.tensor([0]))[0]", "does not check"),
        ("torch.quantize_per_tensor(torch.ones([4]), 0.1, 0, 13).dequantize()", "quantised"),
    ] {
        let error = error(&format!("return torch.conv2d(x, self.w) + {call}"));
        assert!(error.contains(reason), "{call}: {error}");
    }
}

#[test]
fn whole_numbers_that_the_processor_cannot_divide_are_refused() {
    let least = "torch.sub(torch.full([2], -9223372036854775807), 1)";
    for call in ["torch.floor_divide({}, -1)", "torch.remainder({}, -1)", "torch.div({}, -1, rounding_mode='floor')"] {
        let error = error(&format!("return torch.conv2d(x, self.w) + {}.sum()", call.replace("{}", least)));
        assert!(error.contains("an entry is -2^63, which cannot be divided safely"), "{call}: {error}");
    }
}

#[test]
fn a_number_that_an_element_type_cannot_hold_is_said_to_be_so() {
    let error = error("return x * torch.full([2], 300, dtype=1).sum()");
    assert!(error.contains("cannot be converted") && !error.contains("too large"), "{error}");
}
