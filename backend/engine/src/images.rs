//! A search's images, decoded once and not once per candidate.

use std::sync::Arc;
use std::thread;

use eagleeye_data::{DataError, PixelFile, Preprocess, Split};
use tch::{Device, TchError, Tensor};

use crate::arrivals::inbox_and_work;
use crate::gathering::Gathering;
use crate::observer::{Observer, Phase};
use crate::pictures::{Batches, Pictures, Stored};
use crate::source::{ImagesError, Source};

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

    /// How many images are there, of how many, where that has not been said before.
    pub fn news(&self) -> Option<(u64, u64)> {
        self.scoring.images.news()
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
        Self::while_decoding(source, preprocess, split, device, kept, &|| false, |images| {
            images.complete(observer).map(|()| images)
        })?
    }

    /// Waits until all are there.
    ///
    /// # Errors
    /// Why they will never be, or [`ImagesError::Cancelled`] if the observer wants so.
    pub fn complete(&self, observer: &mut dyn Observer) -> Result<(), ImagesError> {
        self.scoring.images.until_all(|done, total| look(observer, done, total))
    }

    /// As [`decode`](Self::decode), with images that are used before all are there: a batch is waited for. The scoring images come
    /// first and the calibration images last. `stops` is asked before images are handed over, and ends it.
    ///
    /// # Errors
    /// Why images have not come, whatever was made of that.
    pub fn while_decoding<R>(
        source: &mut dyn Source,
        preprocess: &Preprocess,
        split: &Split,
        device: Device,
        kept: Option<PixelFile>,
        stops: &(dyn Fn() -> bool + Sync),
        use_images: impl FnOnce(Self) -> R,
    ) -> Result<R, ImagesError> {
        preprocess.validate()?;
        let Split { calibration, scoring, test } = split;
        let parts = [calibration, scoring, test];
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = (wanted * preprocess.values() * source.element().bytes()) as u64;
        let file = match kept {
            Some(file) => Some(Arc::new(file)),
            None if bytes <= MEMORY_BYTES => None,
            None => Some(Arc::new(PixelFile::unnamed(source.element(), preprocess.values(), source.count())?)),
        };
        let is_small = bytes <= MEMORY_BYTES;
        let gathering = |part: &Vec<usize>| Gathering::new(part.len(), source.element(), preprocess, device);
        let [of_calibration, of_scoring, of_test] = parts.map(|part| is_small.then(|| gathering(part)).transpose());
        let memory = [of_calibration?, of_scoring?, of_test?];
        let stored: [_; 3] = std::array::from_fn(|part| match (&memory[part], &file) {
            (Some(memory), _) => Ok(Stored::in_memory(memory)),
            (None, Some(file)) => Stored::in_file(file.clone(), parts[part].clone(), preprocess, device),
            (None, None) => Err(TchError::Shape("images are neither in memory nor in a file".to_owned())),
        });
        let (inbox, work) = inbox_and_work(parts.map(Clone::clone).into(), file, memory.into());
        let part = |number: usize, stored: Result<Stored, TchError>| {
            let images = Pictures::arriving(stored?, parts[number].len(), inbox.clone(), number);
            Ok::<_, ImagesError>(Part { images, labels: labels(source.labels(), parts[number], device)? })
        };
        let [calibration, scoring, test] = stored;
        let images = Self { calibration: part(0, calibration)?, scoring: part(1, scoring)?, test: part(2, test)? };
        thread::scope(|scope| {
            scope.spawn(|| work.run(&ORDER, source, preprocess, stops));
            let closing = inbox.closing();
            let made = use_images(images);
            drop(closing);
            inbox.failure().map_or(Ok(made), Err)
        })
    }
}

/// The scoring images, on which the full network is looked at first, then the test images, then the calibration images.
const ORDER: [usize; 3] = [1, 2, 0];

/// Says how far it is, and whether to go on.
fn look(observer: &mut dyn Observer, done: u64, total: u64) -> Result<(), ImagesError> {
    if observer.cancelled() {
        return Err(ImagesError::Cancelled);
    }
    observer.phase(Phase::Images, done, total);
    Ok(())
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

#[cfg(test)]
mod tests;
