//! Convolutions over one to three axes, plain, grouped and transposed.

use eagleeye_graph::Conv;
use tch::{TchError, Tensor};

use super::layout;
use eagleeye_torchscript::tensors::signed;

/// `x [N, in, ...]`, `weight [out, in / groups, kernel...]` (transposed: `[in, out / groups, kernel...]`), `bias [out]`.
pub(super) fn conv(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    match &conv.transposed {
        None => plain(conv, x, weight, bias),
        Some(output_padding) => transposed(conv, output_padding, x, weight, bias),
    }
}

fn plain(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let padded;
    let (x, padding) = match symmetric(&conv.padding) {
        Some(padding) => (x, padding),
        None => {
            padded = layout::pad_spatial(x, &conv.padding, 0.0)?;
            (&padded, vec![0; conv.padding.len()])
        }
    };
    let no_output_padding = vec![0i64; conv.stride.len()];
    x.f_convolution(
        weight,
        bias,
        signed(&conv.stride),
        padding,
        signed(&conv.dilation),
        false,
        no_output_padding,
        conv.groups as i64,
    )
}

fn transposed(
    conv: &Conv,
    output_padding: &[usize],
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor, TchError> {
    let same = symmetric(&conv.padding);
    let padding = same.clone().unwrap_or_else(|| vec![0; conv.padding.len()]);
    let y = x.f_convolution(
        weight,
        bias,
        signed(&conv.stride),
        padding,
        signed(&conv.dilation),
        true,
        signed(output_padding),
        conv.groups as i64,
    )?;
    // Padding of a transposed convolution crops its output.
    let crops: Vec<(i64, i64)> =
        conv.padding.iter().map(|&(before, after)| (-(before as i64), -(after as i64))).collect();
    if same.is_some() { Ok(y) } else { layout::crop_or_pad_spatial(&y, &crops, 0.0) }
}

/// The padding per axis where before and after are the same, which libtorch's operators require.
pub(super) fn symmetric(padding: &[(usize, usize)]) -> Option<Vec<i64>> {
    padding.iter().map(|&(before, after)| (before == after).then_some(before as i64)).collect()
}
