//! A search's images on its device, decoded and normalised once and not once per candidate.

use std::panic::resume_unwind;

use std::thread;

use eagleeye_data::{DataError, Dataset, Preprocess, Split};
use tch::{Device, TchError, Tensor};

use crate::search::{Observer, Phase};
use crate::tensors::reason;

/// Images between two looks at whether the search was cancelled, all threads together.
const CHUNK: usize = 256;

/// Calibration and scoring images, disjoint, on one device.
#[derive(Debug)]
pub struct Images {
    /// `[n, channels, height, width]`, `f32`.
    pub calibration: Tensor,
    /// `[m, channels, height, width]`, `f32`; held back from calibration.
    pub scoring: Tensor,
    /// Classes of the scoring images, `[m]`, `i64`.
    pub labels: Tensor,
}

/// Why a dataset's images cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("cancelled")]
    Cancelled,
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for ImagesError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl Images {
    /// Decodes the split's calibration and scoring images on all cores, in the split's order.
    pub fn decode(
        dataset: &Dataset,
        preprocess: &Preprocess,
        split: &Split,
        device: Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, ImagesError> {
        preprocess.validate()?;
        let total = (split.calibration.len() + split.scoring.len()) as u64;
        let mut done = 0;
        let mut part = |indices: &[usize]| {
            let mut pixels = Vec::with_capacity(indices.len() * image_size(preprocess));
            for chunk in indices.chunks(CHUNK) {
                if observer.cancelled() {
                    return Err(ImagesError::Cancelled);
                }
                observer.phase(Phase::Images, done, total);
                pixels.extend(decode_chunk(dataset, preprocess, chunk)?);
                done += chunk.len() as u64;
            }
            let Preprocess { channels, height, width, .. } = *preprocess;
            let shape = [indices.len(), channels, height, width].map(|size| size as i64);
            Ok(Tensor::f_from_slice(&pixels)?.f_reshape(shape)?.f_to_device(device)?)
        };
        let (calibration, scoring) = (part(&split.calibration)?, part(&split.scoring)?);
        observer.phase(Phase::Images, total, total);
        let labels: Vec<i64> = split.scoring.iter().map(|&index| dataset.label(index) as i64).collect();
        Ok(Self { calibration, scoring, labels: Tensor::f_from_slice(&labels)?.f_to_device(device)? })
    }
}

/// Values of one decoded image.
fn image_size(preprocess: &Preprocess) -> usize {
    preprocess.channels * preprocess.height * preprocess.width
}

/// Decodes some images on all cores; the result is in their order, and of several errors the first image's is returned.
fn decode_chunk(dataset: &Dataset, preprocess: &Preprocess, indices: &[usize]) -> Result<Vec<f32>, DataError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = indices.len().div_ceil(cores).max(1);
    let decode_all = |part: &[usize]| {
        let mut pixels = Vec::with_capacity(part.len() * image_size(preprocess));
        for &index in part {
            pixels.extend(dataset.decode(index, preprocess)?);
        }
        Ok::<_, DataError>(pixels)
    };
    let parts: Vec<Result<Vec<f32>, DataError>> = thread::scope(|scope| {
        let threads: Vec<_> = indices.chunks(share).map(|part| scope.spawn(move || decode_all(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut pixels = Vec::with_capacity(indices.len() * image_size(preprocess));
    for part in parts {
        pixels.extend(part?);
    }
    Ok(pixels)
}
