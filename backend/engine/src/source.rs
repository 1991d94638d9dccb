//! Where decoded images come from.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use eagleeye_data::{DataError, Dataset, PixelFileError, Preprocess, SampleType, Samples};
use eagleeye_torchscript::tensors::reason;
use tch::TchError;

/// Images between two looks at whether the search was cancelled, all threads together.
pub const CHUNK: usize = 256;

/// Takes decoded images as they come.
pub type Sink<'s> = &'s mut dyn FnMut(Samples) -> Result<(), ImagesError>;

/// Where decoded images come from.
pub trait Source: Send {
    /// Class indices of all images.
    fn labels(&self) -> &[usize];

    /// Number of images.
    fn count(&self) -> usize;

    /// What all images are made of.
    fn element(&self) -> SampleType;

    /// Gives the sink some images in the size of the network's input, each `[channels, height, width]` with its values as they are
    /// stored, in the order of `indices` and [`CHUNK`] at a time.
    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess, sink: Sink) -> Result<(), ImagesError>;
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

    fn count(&self) -> usize {
        self.source.count()
    }

    fn element(&self) -> SampleType {
        self.source.element()
    }

    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess, sink: Sink) -> Result<(), ImagesError> {
        self.source.decode(indices, preprocess, sink)
    }
}

/// Reads in this process, on all cores; of several errors the first image's is returned.
impl Source for Dataset {
    fn labels(&self) -> &[usize] {
        Dataset::labels(self)
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn element(&self) -> SampleType {
        Dataset::element(self)
    }

    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess, sink: Sink) -> Result<(), ImagesError> {
        indices.chunks(CHUNK).try_for_each(|chunk| sink(decode_chunk(self, preprocess, chunk)?))
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
    #[error(transparent)]
    File(#[from] PixelFileError),
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

/// Decodes some images on all cores; the result is in their order, and of several errors the first image's is returned.
pub fn decode_chunk(dataset: &Dataset, preprocess: &Preprocess, indices: &[usize]) -> Result<Samples, DataError> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(indices.len().max(1));
    let next = AtomicUsize::new(0);
    // Whoever is free takes the next image: they take different times.
    let decode_some = || {
        let mut decoded = Vec::new();
        while let place = next.fetch_add(1, Ordering::Relaxed)
            && let Some(&index) = indices.get(place)
        {
            decoded.push((place, dataset.fitted(index, preprocess)));
        }
        decoded
    };
    let mut decoded: Vec<(usize, Result<Samples, DataError>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(decode_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    decoded.sort_unstable_by_key(|(place, _)| *place);
    let mut all = Samples::none(dataset.element());
    for (_, samples) in decoded {
        all.append(samples?);
    }
    Ok(all)
}
