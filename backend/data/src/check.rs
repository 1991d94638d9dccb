//! The check of a dataset: every image is read once, or a sample of them.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use eagleeye_spec::report::{Class, DatasetContent, DatasetReport, ImageSize, ImageSizes};

use crate::dataset::{Content, Dataset, Files};
use crate::error::DataError;
use crate::limits::Limits;
use crate::picture::{self, Samples};
use crate::storage::Budget;

/// Images that a thread takes at a time.
const BATCH: usize = 16;

/// Reads a dataset from end to end and says what is in it.
///
/// Memory stays at one image a thread and the labels, whatever the size of the files.
pub fn check(files: &Files, limits: &Limits) -> Result<DatasetReport, DataError> {
    let mut budget = Budget::new(limits);
    let dataset = Dataset::open_within(files, limits, &mut budget)?;
    check_some(&dataset, dataset.len(), budget)
}

/// As [`check`] of a dataset that is open, but of the images only `sample` are read, which are spread evenly over the dataset.
/// Counts, classes and labels are those of all images; sizes and channels are those of the sample.
pub fn check_sample(dataset: &Dataset, sample: usize) -> Result<DatasetReport, DataError> {
    check_some(dataset, sample, Budget::new(&dataset.limits))
}

/// `budget` is what images may be unpacked to.
fn check_some(dataset: &Dataset, sample: usize, budget: Budget) -> Result<DatasetReport, DataError> {
    let limits = &dataset.limits;
    let chosen = Spread::over(dataset.len(), sample);
    let findings = match &dataset.content {
        Content::Array(images) => {
            if images.is_float() {
                (0..chosen.count).try_for_each(|place| finite(dataset, chosen.index(place)))?;
            }
            let size = size("0", images.width, images.height, limits)?;
            Findings { channels: images.channels as u32, sizes: BTreeMap::from([(size, images.count as u64)]) }
        }
        Content::Archive(_) | Content::Parquet(_) | Content::Shards(_) => {
            read_each(dataset, chosen, &Mutex::new(budget))?
        }
    };
    report(dataset, findings)
}

/// Some of the images, at equal distances.
#[derive(Clone, Copy, Debug)]
struct Spread {
    images: usize,
    count: usize,
}

impl Spread {
    fn over(images: usize, count: usize) -> Self {
        Self { images, count: count.min(images) }
    }

    /// The index of the image at a place below the count.
    fn index(self, place: usize) -> usize {
        (place as u128 * self.images as u128 / self.count.max(1) as u128) as usize
    }
}

/// What was seen in the images.
#[derive(Debug, Default)]
struct Findings {
    /// 1 when all images are grey, else 3.
    channels: u32,
    /// How many images have each size.
    sizes: BTreeMap<ImageSize, u64>,
}

impl Findings {
    fn merge(&mut self, other: Findings) {
        self.channels = self.channels.max(other.channels);
        for (size, count) in other.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
    }

    /// `None` where there are no images.
    fn sizes(&self) -> Option<ImageSizes> {
        let widths = || self.sizes.keys().map(|size| size.width);
        let heights = || self.sizes.keys().map(|size| size.height);
        // Of equally common sizes the smallest, so that the answer does not depend on anything else.
        let most_common = self.sizes.iter().rev().max_by_key(|&(_, count)| *count).map(|(size, _)| *size)?;
        Some(ImageSizes {
            min: ImageSize { width: widths().min()?, height: heights().min()? },
            max: ImageSize { width: widths().max()?, height: heights().max()? },
            most_common,
        })
    }
}

/// The size of an image whose number of pixels is within the limits.
fn size(entry: &str, width: usize, height: usize, limits: &Limits) -> Result<ImageSize, DataError> {
    let pixels = || {
        let (width, height, limit) = (width as u64, height as u64, limits.pixels.min(u32::MAX.into()));
        DataError::Pixels { entry: entry.to_owned(), width, height, limit }
    };
    let side = |length: usize| u32::try_from(length).map_err(|_| pixels());
    Ok(ImageSize { width: side(width)?, height: side(height)? })
}

fn finite(dataset: &Dataset, index: usize) -> Result<(), DataError> {
    let Samples::F32(values) = dataset.picture(index)?.samples else { return Ok(()) };
    match values.into_iter().find(|value| !value.is_finite()) {
        Some(value) => Err(DataError::NotFinite { index: index as u64, value }),
        None => Ok(()),
    }
}

/// Decodes PNG or JPEG files on all cores. Of several broken images the first is reported, however the threads
/// were scheduled: batches are handed out in order, and those already begun are finished.
fn read_each(dataset: &Dataset, chosen: Spread, budget: &Mutex<Budget>) -> Result<Findings, DataError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let work = || {
        let mut findings = Findings::default();
        while !stop.load(Ordering::Relaxed) {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= chosen.count {
                break;
            }
            for index in (first..chosen.count.min(first + BATCH)).map(|place| chosen.index(place)) {
                match read_one(dataset, index, budget) {
                    Ok(size) => findings.merge(size),
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        return Err((index, error));
                    }
                }
            }
        }
        Ok(findings)
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(own).chain(others).collect()
    });
    let mut all = Findings::default();
    let mut first_error: Option<(usize, DataError)> = None;
    for outcome in outcomes {
        match outcome {
            Ok(findings) => all.merge(findings),
            Err(error) if first_error.as_ref().is_none_or(|first| error.0 < first.0) => first_error = Some(error),
            Err(_) => {}
        }
    }
    match first_error {
        Some((_, error)) => Err(error),
        None => Ok(all),
    }
}

fn read_one(dataset: &Dataset, index: usize, budget: &Mutex<Budget>) -> Result<Findings, DataError> {
    let picture = match &dataset.content {
        Content::Archive(archive) if archive.is_packed() => {
            let bytes = archive.read_for_check(index, &dataset.limits)?;
            budget.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).spend(bytes.len() as u64)?;
            picture::decode(archive.name(index), &bytes, &dataset.limits)?
        }
        // These bytes were counted when they were unpacked, or are the upload's own.
        _ => dataset.picture(index)?,
    };
    let size = size(&dataset.entry(index), picture.width, picture.height, &dataset.limits)?;
    Ok(Findings { channels: picture.channels as u32, sizes: BTreeMap::from([(size, 1)]) })
}

fn report(dataset: &Dataset, findings: Findings) -> Result<DatasetReport, DataError> {
    let shapes = findings.sizes().ok_or(DataError::Empty)?;
    let mut counts = vec![0; dataset.classes().len()];
    for &label in dataset.labels() {
        counts[label] += 1;
    }
    let too_many = || DataError::TooManyClasses { found: counts.len() as u64, limit: u32::MAX.into() };
    let classes = dataset.classes().iter().zip(&counts).enumerate().map(|(index, (name, &count))| {
        let index = u32::try_from(index).map_err(|_| too_many())?;
        Ok(Class { index, name: name.clone(), count })
    });
    let classes = classes.collect::<Result<_, DataError>>()?;
    let content = DatasetContent {
        kind: dataset.kind,
        images: dataset.len() as u64,
        labelled: dataset.is_labelled(),
        classes,
        channels: findings.channels,
        width: shapes.most_common.width,
        height: shapes.most_common.height,
    };
    Ok(DatasetReport { content, shapes })
}
