//! Layers as a processor computes them best (`cpp/layers.cpp`).

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use tch::{TchError, Tensor};

use super::{c_string, check};

#[repr(C)]
struct RawConvolution {
    padding: *const i64,
    stride: *const i64,
    dilation: *const i64,
    axes: usize,
    groups: i64,
    activation: *const c_char,
    scalars: *const f64,
    scalar_count: usize,
    algorithm: *const c_char,
}

#[repr(C)]
struct RawAdaptingNorm {
    weight: *const c_void,
    bias: *const c_void,
    running_mean: *mut c_void,
    running_variance: *mut c_void,
    momentum: f64,
    epsilon: f64,
    addend: *const c_void,
    relu: c_int,
    overwrites: c_int,
}

unsafe extern "C" {
    fn ee_convolution_fused(
        x: *const c_void,
        weight: *const c_void,
        bias: *const c_void,
        layer: *const RawConvolution,
        addend: *const c_void,
        overwrites: c_int,
        result: *mut *mut c_void,
    ) -> *mut c_char;
    fn ee_computes_bfloat16(result: *mut c_int) -> *mut c_char;
    fn ee_adapting_norm_forward(
        x: *const c_void,
        norm: *const RawAdaptingNorm,
        result: *mut *mut c_void,
    ) -> *mut c_char;
}

/// What is computed with each number that a convolution gives, by libtorch's names for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    pub name: &'static str,
    pub scalars: [f64; 2],
    /// How many of the scalars it takes.
    pub takes: usize,
    pub algorithm: Option<&'static str>,
}

/// A tensor that a convolution's output is added to.
#[derive(Clone, Copy, Debug)]
pub struct Addend<'a> {
    /// Of the shape of the output.
    pub tensor: &'a Tensor,
    /// Whether the sum may take its place.
    pub overwrites: bool,
}

/// A convolution over two axes with what follows it: a sum, then an activation. It is computed by oneDNN in one operation.
#[derive(Clone, Debug)]
pub struct Convolution {
    pub padding: Vec<i64>,
    pub stride: Vec<i64>,
    pub dilation: Vec<i64>,
    pub groups: i64,
    pub activation: Option<Activation>,
}

impl Convolution {
    /// All of one element type, `f32` or `bf16`: `x [N, in, H, W]` in a processor's memory, `weight [out, in / groups, h, w]`, plain or laid out by
    /// `mkldnn_reorder_conv2d_weight`, `bias [out]`.
    ///
    /// # Errors
    /// libtorch's own.
    pub fn forward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        addend: Option<Addend>,
    ) -> Result<Tensor, TchError> {
        if self.stride.len() != self.padding.len() || self.dilation.len() != self.padding.len() {
            return Err(TchError::Shape("padding, stride and dilation are of different lengths".to_owned()));
        }
        let activation = self.activation.map(|activation| c_string(activation.name)).transpose().map_err(torch)?;
        let algorithm = self.activation.and_then(|activation| activation.algorithm);
        let algorithm = algorithm.map(c_string).transpose().map_err(torch)?;
        let layer = RawConvolution {
            padding: self.padding.as_ptr(),
            stride: self.stride.as_ptr(),
            dilation: self.dilation.as_ptr(),
            axes: self.padding.len(),
            groups: self.groups,
            activation: text(activation.as_ref()),
            scalars: self.activation.as_ref().map_or(ptr::null(), |activation| activation.scalars.as_ptr()),
            scalar_count: self.activation.map_or(0, |activation| activation.takes.min(activation.scalars.len())),
            algorithm: text(algorithm.as_ref()),
        };
        let overwrites = addend.is_some_and(|addend| addend.overwrites);
        let addend = pointer(addend.map(|addend| addend.tensor));
        // SAFETY: tensors and `layer`, with the arrays that it names, live until the call returns; the arrays have the stated
        // lengths, and texts end with a zero.
        result(|result| unsafe {
            ee_convolution_fused(
                pointer(Some(x)),
                pointer(Some(weight)),
                pointer(bias),
                &raw const layer,
                addend,
                c_int::from(overwrites),
                result,
            )
        })
    }
}

/// A batch norm that takes mean and variance from the batch.
#[derive(Debug)]
pub struct AdaptingNorm<'a> {
    /// Gamma and beta, `[C]` each.
    pub affine: Option<(&'a Tensor, &'a Tensor)>,
    /// Updated in place: `running = (1 - momentum) * running + momentum * batch`.
    pub running_mean: &'a Tensor,
    /// As the mean; the batch's variance is unbiased.
    pub running_variance: &'a Tensor,
    pub momentum: f64,
    pub epsilon: f64,
    /// Added to the output, whose shape it has.
    pub addend: Option<&'a Tensor>,
    /// Whether a ReLU follows, which is computed as well.
    pub relu: bool,
    /// Whether the result may take the place of the input.
    pub overwrites: bool,
}

impl AdaptingNorm<'_> {
    /// `x [N, C, H, W]`, `f32` or `bf16`, in a processor's memory; vectors are `f32`. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// Tensors of other element types or sizes.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let norm = RawAdaptingNorm {
            weight: pointer(self.affine.map(|(weight, _)| weight)),
            bias: pointer(self.affine.map(|(_, bias)| bias)),
            running_mean: self.running_mean.as_ptr().cast_mut().cast(),
            running_variance: self.running_variance.as_ptr().cast_mut().cast(),
            momentum: self.momentum,
            epsilon: self.epsilon,
            addend: pointer(self.addend),
            relu: c_int::from(self.relu),
            overwrites: c_int::from(self.overwrites),
        };
        // SAFETY: tensors and `norm` live until the call returns, which checks sizes and element types before it reads or writes.
        result(|result| unsafe { ee_adapting_norm_forward(pointer(Some(x)), &raw const norm, result) })
    }
}

/// Whether oneDNN computes convolutions of `bf16` on this processor.
///
/// # Errors
/// libtorch's own.
pub fn computes_bfloat16() -> Result<bool, TchError> {
    let mut answer = 0;
    // SAFETY: `answer` is written before the call returns.
    check(unsafe { ee_computes_bfloat16(&raw mut answer) }).map_err(torch)?;
    Ok(answer != 0)
}

fn torch(message: String) -> TchError {
    TchError::Torch(message)
}

fn text(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

fn pointer(tensor: Option<&Tensor>) -> *const c_void {
    tensor.map_or(ptr::null(), |tensor| tensor.as_ptr().cast())
}

/// The tensor that a function of the shim gives away.
fn result(call: impl FnOnce(*mut *mut c_void) -> *mut c_char) -> Result<Tensor, TchError> {
    let mut tensor = ptr::null_mut();
    check(call(&raw mut tensor)).map_err(torch)?;
    // SAFETY: on success the shim gives away a heap-allocated `at::Tensor`, which is what tch owns and frees.
    Ok(unsafe { Tensor::from_ptr(tensor.cast()) })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    fn images() -> Tensor {
        let count = 8 * 13 * 9 * 9;
        (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37).sin().reshape([8, 13, 9, 9]) + 20.0
    }

    fn adapted(x: &Tensor, relu: bool, overwrites: bool) -> (Tensor, Tensor, Tensor) {
        let (mean, variance) =
            (Tensor::zeros([13], (Kind::Float, Device::Cpu)), Tensor::ones([13], (Kind::Float, Device::Cpu)));
        let (running_mean, running_variance) = (&mean, &variance);
        let norm = AdaptingNorm {
            affine: None,
            running_mean,
            running_variance,
            momentum: 0.25,
            epsilon: 1e-5,
            addend: None,
            relu,
            overwrites,
        };
        let y = norm.forward(x).unwrap();
        (y, mean, variance)
    }

    #[test]
    fn a_batch_norm_adapts_as_libtorchs_own_does() {
        let x = images();
        let (mean, variance) =
            (Tensor::zeros([13], (Kind::Float, Device::Cpu)), Tensor::ones([13], (Kind::Float, Device::Cpu)));
        let none = None::<Tensor>;
        let y = x.batch_norm(none.as_ref(), none.as_ref(), Some(&mean), Some(&variance), true, 0.25, 1e-5, true).relu();
        let (found, found_mean, found_variance) = adapted(&x, true, false);
        for (found, expected) in [(found, y), (found_mean, mean), (found_variance, variance)] {
            let difference = (found - expected).abs().max().double_value(&[]);
            assert!(difference < 2e-5, "{difference}");
        }
    }

    #[test]
    fn the_number_of_threads_and_where_the_result_goes_change_no_bit() {
        let before = tch::get_num_threads();
        let results = [1, 2, 3].map(|threads| {
            tch::set_num_threads(threads);
            adapted(&images(), false, threads == 2)
        });
        tch::set_num_threads(before);
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
    }

    /// The same as in `f32` from the same numbers, but for the rounding of the result.
    #[test]
    fn a_batch_norm_adapts_to_bfloat16_as_to_the_numbers_that_it_has() {
        let half = images().to_kind(Kind::BFloat16);
        let addend = (images() - 20.0).to_kind(Kind::BFloat16);
        let adapted = |x: &Tensor, addend: &Tensor| {
            let mean = Tensor::zeros([13], (Kind::Float, Device::Cpu));
            let variance = Tensor::ones([13], (Kind::Float, Device::Cpu));
            let norm = AdaptingNorm {
                affine: None,
                running_mean: &mean,
                running_variance: &variance,
                momentum: 0.25,
                epsilon: 1e-5,
                addend: Some(addend),
                relu: true,
                overwrites: false,
            };
            (norm.forward(x).unwrap(), mean, variance)
        };
        let (y, mean, variance) = adapted(&half, &addend);
        let float = [&half, &addend].map(|tensor| tensor.to_kind(Kind::Float));
        let (expected, expected_mean, expected_variance) = adapted(&float[0], &float[1]);
        assert_eq!((y.kind(), mean, variance), (Kind::BFloat16, expected_mean, expected_variance));
        assert_eq!(y, expected.to_kind(Kind::BFloat16));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let x = images();
        let _ = x.get(0).get(3).get(0).get(0).fill_(f64::NAN);
        let (y, mean, _) = adapted(&x, true, false);
        assert!(y.select(1, 3).isnan().all().double_value(&[]) == 1.0);
        assert!(mean.isnan().sum(Kind::Int64).int64_value(&[]) == 1);
    }

    #[test]
    fn vectors_of_another_size_and_images_of_another_type_are_refused() {
        let x = images();
        let short = Tensor::zeros([12], (Kind::Float, Device::Cpu));
        let norm = |running_mean| AdaptingNorm {
            affine: None,
            running_mean,
            running_variance: running_mean,
            momentum: 0.1,
            epsilon: 1e-5,
            addend: None,
            relu: false,
            overwrites: false,
        };
        assert!(norm(&short).forward(&x).unwrap_err().to_string().contains("a number for each channel"));
        let right = Tensor::zeros([13], (Kind::Float, Device::Cpu));
        assert!(
            norm(&right)
                .forward(&x.to_kind(Kind::Double))
                .unwrap_err()
                .to_string()
                .contains("float32 or bfloat16 images")
        );
    }
}
