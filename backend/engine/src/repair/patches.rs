//! A layer as a product of matrices: what it reads at each row, and its weight.

use eagleeye_graph::{Conv, Node, Op};
use tch::{Kind, TchError, Tensor};

use super::rows::Rows;
use eagleeye_torchscript::tensors::signed;

/// What a layer reads at some rows of its output: `[rows, groups, unknowns]`. A convolution reads a patch of its input, with
/// zeros where that is padded; a transposed one is a convolution of its input with zeros between the entries. Of the unknowns
/// of a patch, all channels of one position come before those of the next.
pub(super) fn patches(node: &Node, weight: &Tensor, input: &Tensor, rows: &Rows) -> Result<Tensor, TchError> {
    let Op::Conv(conv) = &node.op else { return rows.of_output(node, input)?.f_unsqueeze(1) };
    let kernel = &weight.size()[2..];
    let is_pointwise = conv.transposed.is_none()
        && kernel.iter().all(|&size| size == 1)
        && conv.stride.iter().all(|&step| step == 1)
        && conv.padding.iter().all(|&pad| pad == (0, 0));
    let read = match &conv.transposed {
        _ if is_pointwise => rows.of_output(node, input)?.f_unsqueeze(1)?,
        None => unfolded(conv, &signed(&conv.stride), kernel, &padded(conv, input)?, rows)?,
        Some(output_padding) => {
            let apart = spread(conv, output_padding, kernel, input)?;
            unfolded(conv, &vec![1; kernel.len()], kernel, &apart, rows)?
        }
    };
    let (rows, taps, groups) = (read.size()[0], read.size()[1], conv.groups as i64);
    read.f_reshape([rows, taps, groups, -1])?.f_transpose(1, 2)?.f_reshape([rows, groups, -1])
}

/// The patches of an input that is padded already, `[rows, kernel, channels]`.
fn unfolded(conv: &Conv, stride: &[i64], kernel: &[i64], input: &Tensor, rows: &Rows) -> Result<Tensor, TchError> {
    let sizes = input.size();
    let (spatial, dilation) = (&sizes[2..], signed(&conv.dilation));
    let axes = || 0..kernel.len();
    let positions = axes().map(|axis| (spatial[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1);
    let output: Vec<i64> = [sizes[0]].into_iter().chain(positions).collect();
    let at = rows.coordinates(&output, input)?;
    // The numbers of a row's first entry and of the kernel's entries from there, among all positions of all images.
    let (mut first, mut taps) = (at[0].shallow_clone(), Tensor::f_zeros([1], (Kind::Int64, input.device()))?);
    for axis in axes() {
        first = first.f_mul_scalar(spatial[axis])?.f_add(&at[axis + 1].f_mul_scalar(stride[axis])?)?;
        let along = Tensor::f_arange(kernel[axis], (Kind::Int64, input.device()))?.f_mul_scalar(dilation[axis])?;
        taps = taps.f_mul_scalar(spatial[axis])?.f_unsqueeze(1)?.f_add(&along)?.f_flatten(0, -1)?;
    }
    let index = first.f_unsqueeze(1)?.f_add(&taps)?;
    let order: Vec<i64> = [0].into_iter().chain(2..sizes.len() as i64).chain([1]).collect();
    let entries = input.f_permute(&order[..])?.f_reshape([-1, sizes[1]])?;
    entries.f_index_select(0, &index.f_flatten(0, -1)?)?.f_reshape([rows.len() as i64, -1, sizes[1]])
}

fn padded(conv: &Conv, input: &Tensor) -> Result<Tensor, TchError> {
    if conv.padding.iter().all(|&pad| pad == (0, 0)) {
        return Ok(input.shallow_clone());
    }
    pad(input, &conv.padding.iter().map(|&(before, after)| (before as i64, after as i64)).collect::<Vec<_>>())
}

/// The input with zeros between the entries and around them, of which a transposed convolution is a plain one.
fn spread(conv: &Conv, output_padding: &[usize], kernel: &[i64], input: &Tensor) -> Result<Tensor, TchError> {
    let mut sizes = input.size();
    for (axis, &stride) in conv.stride.iter().enumerate() {
        sizes[axis + 2] = (sizes[axis + 2] - 1) * stride as i64 + 1;
    }
    let apart = Tensor::f_zeros(&sizes[..], (input.f_kind()?, input.device()))?;
    let mut entries = apart.shallow_clone();
    for (axis, &stride) in conv.stride.iter().enumerate() {
        entries = entries.f_slice(axis as i64 + 2, None, None, stride as i64)?;
    }
    entries.f_copy_(input)?;
    let pads = kernel.iter().enumerate().map(|(axis, size)| {
        let reach = conv.dilation[axis] as i64 * (size - 1);
        let (before, after) = conv.padding[axis];
        (reach - before as i64, reach - after as i64 + output_padding[axis] as i64)
    });
    pad(&apart, &pads.collect::<Vec<_>>())
}

/// Zeros before and after along the spatial axes; negative numbers crop.
fn pad(input: &Tensor, pads: &[(i64, i64)]) -> Result<Tensor, TchError> {
    let last_first: Vec<i64> = pads.iter().rev().flat_map(|&(before, after)| [before, after]).collect();
    input.f_constant_pad_nd(&last_first[..])
}

/// A weight as matrices, `[groups, outputs, unknowns]`, which patches are multiplied by.
pub(super) fn to_matrices(node: &Node, weight: &Tensor) -> Result<Tensor, TchError> {
    match &node.op {
        Op::Conv(conv) => {
            let (groups, sizes) = (conv.groups as i64, weight.size());
            let split = [&[groups, sizes[0] / groups][..], &sizes[1..]].concat();
            let split = weight.f_reshape(&split[..])?;
            let plain = if conv.transposed.is_none() { split } else { turned(&split)? };
            let outputs = plain.size()[1];
            plain.f_flatten(3, -1)?.f_transpose(2, 3)?.f_reshape([groups, outputs, -1])
        }
        Op::Linear { transposed: true } => weight.f_transpose(0, 1)?.f_unsqueeze(0),
        _ => weight.f_unsqueeze(0),
    }
}

/// The way back, to a weight of the sizes of `like`.
pub(super) fn from_matrices(node: &Node, matrices: &Tensor, like: &Tensor) -> Result<Tensor, TchError> {
    let sizes = like.size();
    let weight = match &node.op {
        Op::Conv(conv) => {
            let (groups, taps) = (conv.groups as i64, sizes[2..].iter().product::<i64>());
            let outputs = matrices.size()[1];
            let plain = matrices.f_reshape([groups, outputs, taps, -1])?.f_transpose(2, 3)?;
            let inputs = plain.size()[2];
            let plain = plain.f_reshape(&[&[groups, outputs, inputs][..], &sizes[2..]].concat()[..])?;
            let split = if conv.transposed.is_none() { plain } else { turned(&plain)? };
            split.f_reshape(&sizes[..])?
        }
        Op::Linear { transposed: true } => matrices.f_squeeze_dim(0)?.f_transpose(0, 1)?,
        _ => matrices.f_squeeze_dim(0)?,
    };
    weight.f_to_kind(like.f_kind()?)?.f_contiguous()
}

/// Inputs and outputs of each group exchanged, and the kernel turned around.
fn turned(weight: &Tensor) -> Result<Tensor, TchError> {
    let kernel: Vec<i64> = (3..weight.dim() as i64).collect();
    weight.f_transpose(1, 2)?.f_flip(&kernel[..])
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::ValueId;

    use super::*;
    use crate::exec::operators::compute;
    use crate::repair::rows::Positions;
    use crate::testing::{difference, images};
    use eagleeye_graph::Dim;

    fn node(op: Op) -> Node {
        Node { name: "layer".to_owned(), op, inputs: vec![ValueId(0), ValueId(1)], outputs: vec![ValueId(2)] }
    }

    /// A layer's output, by the interpreter and as products of patches and matrices.
    fn compare(op: Op, input: &[usize], weight: &[usize]) {
        let (x, w) = (images(1, input), images(2, weight));
        let node = node(op);
        let y = compute(&node.op, &[&x, &w], input[0]).unwrap().swap_remove(0);
        let shape: Vec<Dim> = y
            .size()
            .iter()
            .enumerate()
            .map(|(a, &n)| if a == 0 { Dim::Batch(1) } else { Dim::Fixed(n as usize) })
            .collect();
        let rows = Positions::of(&node, &shape).unwrap().sample(0..input[0], input[0], usize::MAX / 2);
        let wanted = rows.of_output(&node, &y).unwrap();
        let read = patches(&node, &w, &x, &rows).unwrap();
        let matrices = to_matrices(&node, &w).unwrap();
        let found = read.transpose(0, 1).matmul(&matrices.transpose(1, 2)).transpose(0, 1).flatten(1, -1);
        assert_eq!(found.size(), wanted.size());
        assert!(difference(&found, &wanted) < 1e-5, "{:?}", node.op);
        let back = from_matrices(&node, &matrices.to_kind(Kind::Double), &w).unwrap();
        assert_eq!(back, w, "{:?}", node.op);
    }

    fn conv(stride: usize, pad: (usize, usize), dilation: usize, groups: usize, axes: usize) -> Conv {
        Conv {
            stride: vec![stride; axes],
            padding: vec![pad; axes],
            dilation: vec![dilation; axes],
            groups,
            transposed: None,
        }
    }

    #[test]
    fn a_layer_is_the_product_of_what_it_reads_and_its_matrices() {
        compare(Op::Conv(conv(1, (1, 1), 1, 1, 2)), &[3, 4, 7, 6], &[5, 4, 3, 3]);
        compare(Op::Conv(conv(2, (0, 1), 2, 2, 2)), &[3, 4, 9, 8], &[6, 2, 3, 2]);
        compare(Op::Conv(conv(2, (0, 0), 1, 1, 2)), &[3, 4, 7, 7], &[5, 4, 1, 1]);
        compare(Op::Conv(conv(1, (0, 0), 1, 2, 2)), &[3, 4, 5, 5], &[6, 2, 1, 1]);
        compare(Op::Conv(conv(1, (1, 1), 1, 4, 2)), &[3, 4, 5, 5], &[4, 1, 3, 3]);
        compare(Op::Conv(conv(2, (1, 0), 1, 1, 1)), &[3, 4, 9], &[5, 4, 3]);
        compare(Op::Conv(conv(1, (1, 1), 1, 1, 3)), &[2, 3, 4, 4, 4], &[4, 3, 3, 3, 3]);
        compare(Op::Linear { transposed: false }, &[3, 6, 4], &[5, 4]);
        compare(Op::Linear { transposed: true }, &[3, 4], &[4, 5]);
    }

    #[test]
    fn a_transposed_convolution_is_one_too() {
        for (stride, pad, dilation, groups, further) in
            [(2, (1, 1), 1, 1, 1), (3, (0, 0), 2, 2, 0), (1, (2, 2), 1, 2, 0)]
        {
            let conv = Conv { transposed: Some(vec![further; 2]), ..conv(stride, pad, dilation, groups, 2) };
            compare(Op::Conv(conv), &[2, 4, 5, 4], &[4, 3, 3, 3]);
        }
    }
}
