//! Operators that are compositions: each means here what libtorch makes of it, and so does the file that is written again.

use super::{assert_same, import};

fn all_same(cases: &[(&str, &str)]) {
    for (name, body) in cases {
        assert_same(name, body);
    }
}

#[test]
fn activations_with_every_parameter_are_those_of_libtorch() {
    all_same(&[
        ("softplus", "return torch.softplus(x, 2.5, 20.0)"),
        ("softshrink", "return torch.softshrink(x, 0.3)"),
        ("hardshrink", "return torch.hardshrink(x, 0.3)"),
        ("threshold", "return torch.threshold(x, 0.2, -1.5) + torch.threshold(x, 0.1, 0.1)"),
        ("celu", "return torch.celu(x, 1.7)"),
        ("elu", "return torch.elu(x, 1.5, 1.2, 0.7)"),
        ("log_sigmoid", "return torch.log_sigmoid(x)"),
        ("rrelu", "return torch.rrelu(x, 0.1, 0.3, False)"),
        ("logarithms", "y = torch.abs(x) + 0.5\nreturn torch.log1p(y) + torch.log2(y) + torch.log10(y)"),
        ("powers", "return torch.expm1(x) + torch.exp2(x) + torch.logit(x, 0.01)"),
        ("waves", "return torch.sin(x) + torch.cos(x) * torch.tan(x) + torch.atan(x) + torch.sinh(x) * torch.cosh(x)"),
        ("inverse waves", "return torch.asin(x * 0.5) + torch.acos(x * 0.5) + torch.asinh(x) + torch.atanh(x * 0.5)"),
        (
            "whole numbers",
            "y = x * 3.7\nreturn torch.floor(y) + torch.ceil(y) * 2.0 + torch.round(y) + torch.trunc(y) + torch.sign(y)",
        ),
        ("fractions", "y = x * 3.7\nreturn torch.frac(y) + torch.remainder(y, 1.3) + torch.fmod(y, 1.3)"),
        (
            "division with rounding",
            "y = x * 9.0\nreturn torch.div(y, 2.0, rounding_mode=\"floor\") + torch.div(y, 2.5, rounding_mode=\"trunc\")",
        ),
        ("clamp by tensors", "return torch.clamp(x, torch.mean(x, [2, 3], True), torch.amax(x, [1], True))"),
        ("lerp", "return torch.lerp(x, torch.relu(x), 0.3) + torch.lerp(x, torch.abs(x), torch.sigmoid(x))"),
        ("fake quantisation", "return torch.fake_quantize_per_tensor_affine(x, 0.07, 3, -8, 7)"),
        (
            "fake quantisation of halves by an odd zero point",
            "return torch.fake_quantize_per_tensor_affine(torch.round(x * 4.0) * 0.5, 1.0, 3, -8, 7)",
        ),
    ]);
}

#[test]
fn addcmul_and_addcdiv_scale_what_they_combine() {
    all_same(&[
        ("addcmul", "return torch.addcmul(x, x, torch.sigmoid(x), value=0.5)"),
        ("addcdiv", "return torch.addcdiv(x, x, torch.exp(x), value=-2.0)"),
        ("with a parameter", "y = torch.conv2d(x, self.w)\nb = self.b.view(1, 8, 1, 1)\nreturn torch.addcmul(b, b, y)"),
    ]);
}

#[test]
fn comparisons_choose_between_tensors_without_touching_what_is_not_chosen() {
    all_same(&[
        ("where", "return torch.where(x > 0.1, x, x * 0.2)"),
        ("an infinite side", "return torch.where(x > 0.0, torch.log(x), -1.0)"),
        ("masks", "m = (x > 0.0) & (x <= 0.5) | (x == 0.0)\nreturn torch.where(torch.logical_not(m), x, 2.0)"),
        ("a mask as numbers", "return x * (x >= 0.1).float() + (x < -0.3).to(6) + (x != 0.0).to(6)"),
        ("masked_fill", "return torch.softmax(torch.masked_fill(x, x < -0.2, float(\"-inf\")), 3)"),
        ("a mask as index", "y = x.clone()\ny[y < 0.0] = 0.25\nreturn y"),
        ("two masks as one index", "y = x.clone()\ny[(y < 0.0) & (y > -0.5)] = 0.25\nreturn y"),
        ("a moved mask as index", "y = x.clone()\ny[(x < 0.0).transpose(2, 3)] = 0.25\nreturn y"),
        ("no numbers", "return torch.nan_to_num(torch.sqrt(x), 0.5)"),
        ("a constant mask", "m = torch.tril(torch.ones([6, 6])) > 0.0\nreturn torch.where(m, x, -x)"),
    ]);
}

#[test]
fn whole_numbers_are_not_combined_bit_by_bit_as_if_they_were_truths() {
    for body in [
        "return torch.bitwise_not((x * 3.0).to(4))",
        "y = (x * 3.0).to(4)\nreturn y & (x > 0.0).to(4)",
        "y = (x * 3.0).to(4)\nreturn y | y",
        "y = (x * 3.0).to(4)\nreturn torch.bitwise_and(y, 1)",
    ] {
        let error = import(body).err().unwrap_or_else(|| panic!("{body} is read")).to_string();
        assert!(error.contains("a bitwise operation on integers"), "{body}: {error}");
    }
}

#[test]
fn a_mask_of_truths_hides_scores_and_a_mask_of_numbers_is_added_to_them() {
    let tokens = "q = x.flatten(2)\ns = torch.matmul(q, q.transpose(1, 2))";
    let attends = |mask: &str| format!("{tokens}\nreturn torch.scaled_dot_product_attention(q, q, q, {mask})");
    all_same(&[
        ("a comparison", &attends("s > 0.0")),
        ("with a constant", &attends("torch.eq(s > 0.0, torch.tril(torch.ones([4, 4])) > 0.0)")),
        ("both", &attends("(s > 0.0) & (torch.tril(torch.ones([4, 4])) > 0.0)")),
        ("a constant", &attends("torch.tril(torch.ones([4, 4])) > 0.0")),
        ("cast to floats", &attends("(s > 0.0).to(6)")),
        ("numbers", &attends("s * 0.5")),
        (
            "one for all heads",
            &format!(
                "{tokens}\nh = q.unsqueeze(1).expand(-1, 2, 4, 36)\n\
                 return torch.scaled_dot_product_attention(h, h, h, (s > 0.0).unsqueeze(1))"
            ),
        ),
    ]);
}

#[test]
fn a_weight_is_standardised_by_a_batch_norm_without_running_statistics() {
    let standardised = |arguments: &str| {
        format!(
            "w = torch.batch_norm(self.w.view(1, 8, -1), {arguments}, None, None, True, 0.0, 1e-6, False)\n\
             return torch.conv2d(x, w.view(8, 4, 3, 3))"
        )
    };
    all_same(&[
        ("alone", &standardised("None, None")),
        ("with a gain", &standardised("self.b, None")),
        ("with a gain and a shift", &standardised("self.b, self.b * 0.5")),
    ]);
    let error = import("return torch.batch_norm(x, None, None, None, None, True, 0.0, 1e-6, False)").err().unwrap();
    assert!(error.to_string().contains("without running statistics"), "{error}");
}

#[test]
fn a_view_that_takes_the_batch_for_one_is_refused() {
    let error = import("return x.view(1, 144)").err().unwrap();
    assert!(error.to_string().contains("cannot view [N, 4, 6, 6] as [1, 144]"), "{error}");
}

#[test]
fn positions_to_split_at_count_from_the_end_where_they_are_negative() {
    all_same(&[(
        "in two and more",
        "a = torch.tensor_split(x, [2, -1], 3)\nb = torch.tensor_split(x, [-4], 2)\n\
         return torch.cat([a[0], a[2]], 3).mean(2) + torch.cat([b[1], b[0]], 2).narrow(3, 0, 3).mean(2)",
    )]);
}

#[test]
fn a_mask_over_several_axes_is_no_list_of_positions() {
    let error = import("m = torch.tril(torch.ones([4, 6])) > 0.0\nreturn x[:, m]").err().unwrap();
    assert!(error.to_string().contains("a mask of more than one axis"), "{error}");
}

#[test]
fn any_equation_of_einsum_without_a_diagonal_is_products_and_sums() {
    all_same(&[
        ("a layer", "return torch.einsum(\"nchw,oc->nohw\", [torch.conv2d(x, self.w), self.fc])"),
        (
            "a layer, stored the other way",
            "return torch.einsum(\"oc,nohw->nchw\", [self.fc, torch.conv2d(x, self.w).narrow(1, 0, 5)])",
        ),
        ("several axes at once", "return torch.einsum(\"nchw,oikw->nohik\", [x.narrow(3, 0, 3), self.w])"),
        ("a batched product", "y = x.flatten(2)\nreturn torch.einsum(\"bcp,bdp->bcd\", [y, y])"),
        ("dots", "y = x.flatten(2)\nreturn torch.einsum(\"...cp,...dp->...dc\", [y, torch.relu(y)])"),
        ("an outer product", "y = x.mean([2, 3])\nreturn torch.einsum(\"bi,bj->bij\", [y, y])"),
        ("a sum over one axis", "return torch.einsum(\"nchw->nc\", [x])"),
        ("an order of axes", "return torch.einsum(\"nchw->nwhc\", [x])"),
        ("a scale of each channel", "return torch.einsum(\"nchw,c->nchw\", [torch.conv2d(x, self.w), self.b])"),
        ("a vector", "return torch.einsum(\"nchw,c->nhw\", [torch.conv2d(x, self.w), self.b])"),
        ("three operands", "y = x.flatten(2)\nreturn torch.einsum(\"bcp,bdp,bdq->bcq\", [y, y, y])"),
        ("implied", "return torch.einsum(\"nij,kj\", [torch.conv2d(x, self.w).mean(3).transpose(1, 2), self.fc])"),
    ]);
    let error = import("return torch.einsum(\"ncii->nc\", [x])").err().unwrap();
    assert!(error.to_string().contains("diagonal"), "{error}");
}

#[test]
fn products_with_vectors_and_over_listed_axes_are_products() {
    all_same(&[
        ("a vector on the right", "return torch.matmul(torch.conv2d(x, self.w).transpose(1, 3), self.b)"),
        ("a vector on the left", "return torch.matmul(self.b, torch.conv2d(x, self.w).flatten(2))"),
        ("tensordot", "return torch.tensordot(torch.conv2d(x, self.w), self.fc, [1], [1])"),
        (
            "bilinear",
            "y = x.mean([2, 3])\nw = self.w.flatten(2).narrow(2, 0, 4)\nreturn torch.bilinear(y, torch.relu(y), w, self.b)",
        ),
        ("cosine similarity", "return torch.cosine_similarity(x, torch.relu(x) + 0.1, 1)"),
        (
            "distances",
            "y = torch.conv2d(x, self.w).mean([2, 3])\nreturn torch.cdist(y.unsqueeze(1), self.fc.unsqueeze(0))",
        ),
    ]);
}

#[test]
fn windows_become_columns_and_columns_images() {
    all_same(&[
        ("side by side", "return torch.im2col(x, [2, 2], [1, 1], [0, 0], [2, 2])"),
        ("overlapping", "return torch.im2col(x, [3, 2], [2, 1], [1, 2], [2, 1])"),
        (
            "summed side by side",
            "y = torch.im2col(x, [2, 2], [1, 1], [0, 0], [2, 2])\nreturn torch.col2im(y, [6, 6], [2, 2], [1, 1], [0, 0], [2, 2])",
        ),
        (
            "summed where they overlap",
            "y = torch.im2col(x, [3, 3], [1, 1], [1, 1], [2, 2])\nreturn torch.col2im(y, [6, 6], [3, 3], [1, 1], [1, 1], [2, 2])",
        ),
        ("along one axis", "return x.unfold(2, 3, 2)"),
    ]);
}

#[test]
fn resizing_by_any_mode_and_factor_samples_where_libtorch_does() {
    all_same(&[
        ("bicubic", "return torch.upsample_bicubic2d(x, [9, 11], False) "),
        ("bicubic with corners", "return torch.upsample_bicubic2d(x, [9, 4], True)"),
        ("bicubic by factors", "return torch.upsample_bicubic2d(x, None, False, [1.3, 0.7])"),
        ("bilinear by factors", "return torch.upsample_bilinear2d(x, None, False, [0.4, 1.7])"),
        ("nearest by factors", "return torch.upsample_nearest2d(x, None, [0.4, 1.7])"),
        ("nearest, exact", "return torch._upsample_nearest_exact2d(x, [4, 9])"),
        ("antialiased", "return torch._upsample_bilinear2d_aa(x, [3, 4], False)"),
        ("antialiased bicubic", "return torch._upsample_bicubic2d_aa(x, [4, 8], False)"),
    ]);
}

#[test]
fn a_spatial_transformer_samples_where_its_map_says() {
    let theta = "theta = torch.tanh(x.mean([2, 3]).repeat(1, 2).narrow(1, 0, 6)).view(-1, 2, 3)";
    for (mode, padding, corners) in [(0, 0, "False"), (0, 1, "True"), (1, 0, "False"), (2, 0, "True"), (0, 2, "False")]
    {
        let sizes = "[x.size(0), 4, 5, 7]";
        let body = format!(
            "{theta}\ngrid = torch.affine_grid_generator(theta, {sizes}, {corners})\n\
             return torch.grid_sampler(x, grid, {mode}, {padding}, {corners})"
        );
        assert_same(&format!("mode {mode}, padding {padding}"), &body);
    }
}

#[test]
fn norms_of_every_order_and_other_reductions_are_those_of_libtorch() {
    all_same(&[
        (
            "orders",
            "return torch.linalg_vector_norm(x, 3.0, [2, 3]) + torch.linalg_vector_norm(x, float(\"inf\"), [2, 3])",
        ),
        (
            "the smallest and the count",
            "y = torch.relu(x)\nreturn torch.linalg_vector_norm(x, float(\"-inf\"), [1]) + torch.linalg_vector_norm(y, 0.0, [1])",
        ),
        ("logsumexp", "return torch.logsumexp(x, [1, 3]) + torch.logsumexp(x, [2, 3], True).mean([1, 3])"),
        ("a product", "return torch.prod(x, 3) + torch.prod(x, 2, False)"),
        ("running sums", "return torch.cumsum(x, 2)"),
        ("deviation and mean", "s, m = torch.std_mean(x, [2, 3])\nreturn s + m"),
        ("both ends", "low, high = torch.aminmax(x, dim=1)\nreturn high - low"),
        ("rms norm", "return torch.rms_norm(x, [6], None, 0.01)"),
        ("an average by a divisor", "return torch.avg_pool2d(x, [2, 3], [2, 1], [1, 1], False, True, 4)"),
    ]);
}

#[test]
fn what_is_assigned_to_a_part_is_seen_in_the_whole() {
    all_same(&[
        ("a slice", "y = torch.conv2d(x, self.w)\nz = y.clone()\nz[:, 2:5] = torch.relu(y[:, 1:4])\nreturn z * 2.0"),
        ("steps and a selection", "z = x.clone()\nz[:, 0:4:2] = x[:, 0:2]\nz[:, 1, 2:4] = x[:, 0, 0:2]\nreturn z"),
        ("numbers", "z = x.clone()\nz[:, :, 1:3].fill_(0.5)\nz[:, 1].zero_()\nz[:, 2].add_(1.0)\nreturn z"),
        ("a shift of some channels", "z = x.clone()\nz[:, :2, 1:] = x[:, :2, :-1]\nz[:, :2, 0:1] = 0.0\nreturn z"),
    ]);
}

#[test]
fn heads_that_share_keys_and_layers_of_a_fused_encoder_are_written_out() {
    let heads = "q = x.flatten(2).unsqueeze(2).expand(-1, 4, 9, 36)\nk = q[:, :2]";
    all_same(&[(
        "grouped queries",
        &format!("{heads}\nreturn torch.scaled_dot_product_attention(q, k, k, None, 0.0, False, enable_gqa=True)"),
    )]);
}

#[test]
fn turns_and_joins_move_data_alone() {
    all_same(&[
        ("quarter turns", "return torch.rot90(x, 1, [2, 3]) + torch.rot90(x, 3, [2, 3]) + torch.rot90(x, 2, [2, 3])"),
        ("joined", "return torch.hstack([x, torch.relu(x)]) + torch.column_stack([x, x])"),
        ("joined along the third axis", "return torch.dstack([x, torch.relu(x)])"),
    ]);
}

#[test]
fn an_image_can_be_repeated_for_each_of_its_windows() {
    all_same(&[
        (
            "once for each of two parts of an image",
            "parts = torch.reshape(x, [x.size(0) * 2, -1])\n\
             each = torch.repeat_interleave(torch.flatten(x, 1), 2, 0)\n\
             return torch.reshape(parts.sum(1, True) * each, [x.size(0), -1])",
        ),
        (
            "as often as there are windows of an image",
            "parts = torch.reshape(x, [x.size(0) * 4, -1])\n\
             times = parts.size(0) // x.size(0)\n\
             each = torch.repeat_interleave(torch.flatten(x, 1), times, 0)\n\
             return torch.reshape(parts.mean(1, True) + each, [x.size(0), -1])",
        ),
    ]);
}

#[test]
fn joining_an_empty_slice_adds_nothing() {
    all_same(&[
        ("no tokens before the first", "return torch.cat([x[:, :0], x * 2.0], 1)"),
        ("none behind the last", "y = torch.flatten(x, 2)\nreturn torch.cat([y[:, :, :36], y[:, :, 36:]], 2)"),
    ]);
}
