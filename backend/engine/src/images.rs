//! A search's images, decoded once and not once per candidate.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use eagleeye_data::{DataError, Dataset, PixelFile, PixelFileError, Preprocess, SampleType, Samples, Split};
use tch::{Device, TchError, Tensor};

use crate::observer::{Observer, Phase};
use crate::pictures::{Batches, Gathering, Pictures};
use eagleeye_torchscript::tensors::reason;

/// Images between two looks at whether the search was cancelled, all threads together.
pub const CHUNK: usize = 256;

/// Bytes of decoded images that are kept in the device's memory: 14,000 of 224x224 in colour. More stay on disk, and passes read them
/// batch by batch.
pub const MEMORY_BYTES: u64 = 2 << 30;

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
    pub images: Pictures,
    /// Their classes, `[n]`, `i64`; `None` where the dataset has no labels.
    pub labels: Option<Tensor>,
}

impl Part {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `count` images.
    pub fn first(&self, count: usize) -> Pictures {
        self.images.head(count)
    }

    /// The first `count` images with their classes, which share this part's memory.
    pub fn head(&self, count: usize) -> Result<Self, ImagesError> {
        let count = count.min(self.len());
        let labels = self.labels.as_ref().map(|labels| labels.f_narrow(0, 0, count as i64)).transpose()?;
        Ok(Self { images: self.first(count), labels })
    }
}

/// Takes decoded images as they come.
pub type Sink<'s> = &'s mut dyn FnMut(Samples) -> Result<(), ImagesError>;

/// Where decoded images come from.
pub trait Source {
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

impl Images {
    /// Images without a test set.
    #[cfg(test)]
    pub(crate) fn of(calibration: Tensor, scoring: Tensor, labels: Tensor) -> Self {
        let part = |images: Tensor, labels| Part { images: images.into(), labels };
        let test = part(scoring.narrow(0, 0, 0), None);
        Self { calibration: part(calibration, None), scoring: part(scoring, Some(labels)), test }
    }

    /// Decodes the split's images, in the split's order; those that `kept` has already are taken from there.
    ///
    /// They stay in the device's memory up to [`MEMORY_BYTES`], else on disk.
    pub fn decode(
        source: &mut dyn Source,
        preprocess: &Preprocess,
        split: &Split,
        device: Device,
        kept: Option<PixelFile>,
        observer: &mut dyn Observer,
    ) -> Result<Self, ImagesError> {
        preprocess.validate()?;
        let Split { calibration, scoring, test } = split;
        let parts = [calibration, scoring, test];
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = (wanted * preprocess.values() * source.element().bytes()) as u64;
        let labels = |source: &dyn Source, part: &[usize]| labels(source.labels(), part, device);
        let mut decoding = Decoding { source, preprocess, observer, done: 0, total: wanted as u64 };
        let in_file = match kept {
            Some(file) => Some(file),
            None if bytes <= MEMORY_BYTES => None,
            None => {
                let (element, images) = (decoding.source.element(), decoding.source.count());
                Some(PixelFile::unnamed(element, preprocess.values(), images)?)
            }
        };
        let pictures = match in_file {
            None => parts.map(|part| decoding.in_memory(part, device)),
            Some(mut file) => {
                for part in parts {
                    decoding.complete(part, &mut file)?;
                }
                let file = Arc::new(file);
                parts.map(|part| match bytes <= MEMORY_BYTES {
                    true => read_whole(&file, part, preprocess, device),
                    false => Ok(Pictures::in_file(file.clone(), part.clone(), preprocess, device)?),
                })
            }
        };
        decoding.observer.phase(Phase::Images, decoding.total, decoding.total);
        let source = &*decoding.source;
        let [calibration, scoring, test] = pictures.map(|images: Result<Pictures, ImagesError>| images);
        let part = |images: Result<Pictures, ImagesError>, indices: &[usize]| {
            Ok::<_, ImagesError>(Part { images: images?, labels: labels(source, indices)? })
        };
        Ok(Self {
            calibration: part(calibration, parts[0])?,
            scoring: part(scoring, parts[1])?,
            test: part(test, parts[2])?,
        })
    }
}

/// Takes a chunk of decoded images, with their numbers in the dataset.
type Take<'t> = &'t mut dyn FnMut(&[usize], Samples) -> Result<(), ImagesError>;

/// Images that are being decoded.
struct Decoding<'a> {
    source: &'a mut dyn Source,
    preprocess: &'a Preprocess,
    observer: &'a mut dyn Observer,
    done: u64,
    total: u64,
}

impl Decoding<'_> {
    /// The images of a part in the device's memory.
    fn in_memory(&mut self, indices: &[usize], device: Device) -> Result<Pictures, ImagesError> {
        let mut all = Gathering::new(indices.len(), self.source.element(), self.preprocess, device)?;
        self.each_chunk(indices, &mut |_, samples| Ok(all.push(&samples)?))?;
        Ok(all.pictures())
    }

    /// Decodes those images of a part that a file lacks.
    fn complete(&mut self, part: &[usize], file: &mut PixelFile) -> Result<(), ImagesError> {
        let mut missing = Vec::new();
        for chunk in part.chunks(CHUNK) {
            self.report()?;
            for &index in chunk {
                if !file.has(index)? {
                    missing.push(index);
                }
            }
        }
        self.done += (part.len() - missing.len()) as u64;
        self.each_chunk(&missing, &mut |indices, samples| Ok(file.write(indices, &samples)?))
    }

    fn each_chunk(&mut self, indices: &[usize], take: Take) -> Result<(), ImagesError> {
        let Self { source, preprocess, observer, done, total } = self;
        let mut chunks = indices.chunks(CHUNK);
        look(*observer, *done, *total)?;
        source.decode(indices, preprocess, &mut |samples| {
            let chunk = chunks.next().unwrap_or_default();
            let (images, each, found) = (chunk.len(), preprocess.values(), samples.len());
            if found != images * each {
                return Err(ImagesError::Values { images, each, found });
            }
            take(chunk, samples)?;
            *done += images as u64;
            look(*observer, *done, *total)
        })
    }

    fn report(&mut self) -> Result<(), ImagesError> {
        look(self.observer, self.done, self.total)
    }
}

/// Says how far it is, and whether to go on.
fn look(observer: &mut dyn Observer, done: u64, total: u64) -> Result<(), ImagesError> {
    if observer.cancelled() {
        return Err(ImagesError::Cancelled);
    }
    observer.phase(Phase::Images, done, total);
    Ok(())
}

/// The images of a part, from a file that has them, in the device's memory.
fn read_whole(
    file: &PixelFile,
    part: &[usize],
    preprocess: &Preprocess,
    device: Device,
) -> Result<Pictures, ImagesError> {
    let mut all = Gathering::new(part.len(), file.element(), preprocess, device)?;
    for chunk in part.chunks(CHUNK) {
        all.push(&file.read(chunk)?)?;
    }
    Ok(all.pictures())
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
