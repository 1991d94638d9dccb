//! Decoded images as tensors.

use eagleeye_data::{Preprocess, SampleType, Samples};
use tch::{Device, Kind, TchError, Tensor};

/// Images that come one after the other into the device's memory.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// All of them, `[n, C, H, W]`, the first `filled` of which are there.
    pub samples: Tensor,
    filled: usize,
    shape: [i64; 3],
    pub normalisation: Normalisation,
}

impl Gathering {
    /// For `count` images.
    pub fn new(count: usize, element: SampleType, preprocess: &Preprocess, device: Device) -> Result<Self, TchError> {
        let kind = match element {
            SampleType::U8 => Kind::Uint8,
            SampleType::F32 => Kind::Float,
        };
        let [channels, height, width] = shape(preprocess);
        let samples = Tensor::f_zeros([count as i64, channels, height, width], (kind, device))?;
        let normalisation = Normalisation::of(preprocess, device)?;
        Ok(Self { samples, filled: 0, shape: [channels, height, width], normalisation })
    }

    /// The next images, one behind the other. Returns how many they are.
    pub fn push(&mut self, samples: &Samples) -> Result<usize, TchError> {
        let images = tensor(samples, self.shape)?;
        let count = images.size()[0] as usize;
        self.samples.f_narrow(0, self.filled as i64, count as i64)?.f_copy_(&images)?;
        self.filled += count;
        Ok(count)
    }
}

/// Channels, height and width.
pub(crate) fn shape(Preprocess { channels, height, width, .. }: &Preprocess) -> [i64; 3] {
    [channels, height, width].map(|&size| size as i64)
}

/// `[n, C, H, W]`
pub(crate) fn tensor(samples: &Samples, [channels, height, width]: [i64; 3]) -> Result<Tensor, TchError> {
    let flat = match samples {
        Samples::U8(values) => Tensor::f_from_slice(values)?,
        Samples::F32(values) => Tensor::f_from_slice(values)?,
    };
    let images = flat.numel() as i64 / (channels * height * width).max(1);
    flat.f_reshape([images, channels, height, width])
}

/// What is done to stored values: `(value * scale - mean) / deviation`, in `f32` and to the last bit as `eagleeye_data` does it.
#[derive(Debug)]
pub(crate) struct Normalisation {
    scale: f64,
    /// `[1, C, 1, 1]`
    mean: Tensor,
    deviation: Tensor,
}

impl Normalisation {
    pub fn of(preprocess: &Preprocess, device: Device) -> Result<Self, TchError> {
        let each = |values: &[f32]| Tensor::f_from_slice(values)?.f_reshape([1, -1, 1, 1])?.f_to_device(device);
        let (mean, deviation) = (each(&preprocess.mean)?, each(&preprocess.deviation)?);
        Ok(Self { scale: f64::from(preprocess.scale), mean, deviation })
    }

    pub fn shallow_clone(&self) -> Self {
        Self { scale: self.scale, mean: self.mean.shallow_clone(), deviation: self.deviation.shallow_clone() }
    }

    pub fn prepared(&self, samples: &Tensor) -> Result<Tensor, TchError> {
        samples.f_to_kind(Kind::Float)?.f_mul_scalar(self.scale)?.f_sub_(&self.mean)?.f_div_(&self.deviation)
    }
}
