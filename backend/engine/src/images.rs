//! A search's images on its device, decoded and normalised once and not once per candidate.

use std::panic::resume_unwind;

use std::thread;

use eagleeye_data::{DataError, Dataset, Preprocess, Split};
use tch::{Device, TchError, Tensor};

use crate::observer::{Observer, Phase};
use eagleeye_torchscript::tensors::reason;

/// Images between two looks at whether the search was cancelled, all threads together.
const CHUNK: usize = 256;

/// Calibration, scoring and test images, disjoint, on one device.
#[derive(Debug)]
pub struct Images {
    pub calibration: Part,
    /// Held back from calibration.
    pub scoring: Part,
    /// Held back from the choice of strategies too; there may be none.
    pub test: Part,
}

impl Images {
    /// The same, sharing their memory, but for the test images: these are for what is done with a candidate afterwards.
    pub fn without_test(&self) -> Result<Self, ImagesError> {
        let [calibration, scoring] = [&self.calibration, &self.scoring].map(|part| part.head(part.len()));
        Ok(Self { calibration: calibration?, scoring: scoring?, test: self.test.head(0)? })
    }
}

/// Images that serve for one thing.
#[derive(Debug)]
pub struct Part {
    /// `[n, channels, height, width]`, `f32`.
    pub images: Tensor,
    /// Their classes, `[n]`, `i64`; `None` where the dataset has no labels.
    pub labels: Option<Tensor>,
}

impl Part {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.size().first().map_or(0, |&n| n as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `count` images.
    pub fn first(&self, count: usize) -> Result<Tensor, TchError> {
        self.images.f_narrow(0, 0, count.min(self.len()) as i64)
    }

    /// The first `count` images with their classes, which share this part's memory.
    pub fn head(&self, count: usize) -> Result<Self, ImagesError> {
        let count = count.min(self.len());
        let labels = self.labels.as_ref().map(|labels| labels.f_narrow(0, 0, count as i64)).transpose()?;
        Ok(Self { images: self.first(count)?, labels })
    }
}

/// Where decoded images come from.
pub trait Source {
    /// Class indices of all images.
    fn labels(&self) -> &[usize];

    /// Some images as network input, each `[channels, height, width]`, one behind the other in the order of `indices`.
    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess) -> Result<Vec<f32>, ImagesError>;
}

/// A source whose labels are other ones than its own.
pub struct Relabelled<'a> {
    pub source: &'a mut dyn Source,
    pub labels: Vec<usize>,
}

impl Source for Relabelled<'_> {
    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess) -> Result<Vec<f32>, ImagesError> {
        self.source.decode(indices, preprocess)
    }
}

/// Reads in this process, on all cores; of several errors the first image's is returned.
impl Source for Dataset {
    fn labels(&self) -> &[usize] {
        Dataset::labels(self)
    }

    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess) -> Result<Vec<f32>, ImagesError> {
        Ok(decode_chunk(self, preprocess, indices)?)
    }
}

/// Why a dataset's images cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("cancelled")]
    Cancelled,
    /// The process that reads the dataset says so.
    #[error(transparent)]
    Reader(Box<dyn std::error::Error + Send + Sync>),
    #[error("found {found} values for {images} images with {each} values each")]
    Values { images: usize, each: usize, found: usize },
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for ImagesError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl Images {
    /// Images without a test set.
    #[cfg(test)]
    pub(crate) fn of(calibration: Tensor, scoring: Tensor, labels: Tensor) -> Self {
        let part = |images: Tensor, labels| Part { images, labels };
        let test = part(scoring.narrow(0, 0, 0), None);
        Self { calibration: part(calibration, None), scoring: part(scoring, Some(labels)), test }
    }

    /// Decodes the split's images, in the split's order.
    pub fn decode(
        source: &mut dyn Source,
        preprocess: &Preprocess,
        split: &Split,
        device: Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, ImagesError> {
        preprocess.validate()?;
        let total = (split.calibration.len() + split.scoring.len() + split.test.len()) as u64;
        let mut done = 0;
        let mut part = |indices: &[usize]| {
            let mut pixels = Vec::with_capacity(indices.len() * image_size(preprocess));
            for chunk in indices.chunks(CHUNK) {
                if observer.cancelled() {
                    return Err(ImagesError::Cancelled);
                }
                observer.phase(Phase::Images, done, total);
                let decoded = source.decode(chunk, preprocess)?;
                let (images, each, found) = (chunk.len(), image_size(preprocess), decoded.len());
                if found != images * each {
                    return Err(ImagesError::Values { images, each, found });
                }
                pixels.extend(decoded);
                done += chunk.len() as u64;
            }
            let Preprocess { channels, height, width, .. } = *preprocess;
            let shape = [indices.len(), channels, height, width].map(|size| size as i64);
            let images = Tensor::f_from_slice(&pixels)?.f_reshape(shape)?.f_to_device(device)?;
            Ok(Part { images, labels: labels(source.labels(), indices, device)? })
        };
        let (calibration, scoring) = (part(&split.calibration)?, part(&split.scoring)?);
        let test = part(&split.test)?;
        observer.phase(Phase::Images, total, total);
        Ok(Self { calibration, scoring, test })
    }
}

/// Classes of some images; `None` where there are no labels at all.
fn labels(all: &[usize], indices: &[usize], device: Device) -> Result<Option<Tensor>, ImagesError> {
    if all.is_empty() {
        return Ok(None);
    }
    let labels = indices.iter().map(|&index| label(all, index)).collect::<Result<Vec<i64>, _>>()?;
    Ok(Some(Tensor::f_from_slice(&labels)?.f_to_device(device)?))
}

fn label(labels: &[usize], index: usize) -> Result<i64, DataError> {
    let label = labels.get(index).ok_or(DataError::NoSuchImage { index, images: labels.len() })?;
    Ok(*label as i64)
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
