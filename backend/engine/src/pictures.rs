//! Images as passes take them, batch by batch. They stay the bytes that were decoded until a batch of them is needed: in the device's
//! memory, or on disk where there are too many.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use eagleeye_data::{PixelFile, PixelFileError, Preprocess, Samples};
use tch::{Device, TchError, Tensor};

use crate::arrivals::Inbox;
use crate::gathering::{Gathering, Normalisation, shape, tensor};
use crate::source::ImagesError;

/// Where batches of images come from.
pub trait Batches {
    /// Number of images.
    fn count(&self) -> usize;

    /// Some images that follow each other, `[n, C, H, W]`, prepared as the network takes them.
    fn batch(&self, range: Range<usize>) -> Result<Tensor, TchError>;

    /// Some images in the order of their numbers.
    fn chosen(&self, numbers: &[i64]) -> Result<Tensor, TchError>;
}

/// Images `[n, C, H, W]` that are prepared already.
impl Batches for Tensor {
    fn count(&self) -> usize {
        self.size().first().map_or(0, |&n| n as usize)
    }

    fn batch(&self, range: Range<usize>) -> Result<Tensor, TchError> {
        self.f_narrow(0, range.start as i64, range.len() as i64)
    }

    fn chosen(&self, numbers: &[i64]) -> Result<Tensor, TchError> {
        self.f_index_select(0, &Tensor::f_from_slice(numbers)?.f_to_device(self.device())?)
    }
}

/// Images of one size. Copies share the memory.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The first so many.
    count: usize,
    stored: Rc<Stored>,
    /// Where they arrive, and as which part, if they are not there from the beginning.
    arrival: Option<(Rc<Inbox>, usize)>,
}

#[derive(Debug)]
pub(crate) enum Stored {
    /// Prepared already.
    Prepared(Tensor),
    /// Bytes, or numbers, on the device.
    Memory { samples: Tensor, normalisation: Normalisation },
    /// In a file, by the number that an image has in its dataset.
    File {
        file: Arc<PixelFile>,
        indices: Vec<usize>,
        shape: [i64; 3],
        normalisation: Normalisation,
        device: Device,
        ahead: RefCell<Option<Ahead>>,
    },
}

impl From<Tensor> for Pictures {
    fn from(prepared: Tensor) -> Self {
        Self { count: prepared.count(), stored: Rc::new(Stored::Prepared(prepared)), arrival: None }
    }
}

/// The batch that will be asked for next, if they are asked for in order: it is read while the device computes.
#[derive(Debug)]
pub(crate) struct Ahead {
    range: Range<usize>,
    read: JoinHandle<Result<Samples, PixelFileError>>,
}

impl Stored {
    /// The images that are gathered there, whose memory is shared.
    pub fn in_memory(Gathering { samples, normalisation, .. }: &Gathering) -> Self {
        Self::Memory { samples: samples.shallow_clone(), normalisation: normalisation.shallow_clone() }
    }

    /// Images of a file, in the order of `indices`.
    pub fn in_file(
        file: Arc<PixelFile>,
        indices: Vec<usize>,
        preprocess: &Preprocess,
        device: Device,
    ) -> Result<Self, TchError> {
        let (shape, normalisation) = (shape(preprocess), Normalisation::of(preprocess, device)?);
        Ok(Self::File { file, indices, shape, normalisation, device, ahead: RefCell::default() })
    }
}

impl Pictures {
    /// So many images that arrive as a part.
    pub(crate) fn arriving(stored: Stored, count: usize, inbox: Rc<Inbox>, part: usize) -> Self {
        Self { count, stored: Rc::new(stored), arrival: Some((inbox, part)) }
    }

    /// The first so many.
    pub fn head(&self, count: usize) -> Self {
        Self { count: count.min(self.count), ..self.clone() }
    }

    /// Waits for all images that arrive where these do; `look` is told how many there are of how many, and may end it.
    pub(crate) fn until_all(&self, look: impl FnMut(u64, u64) -> Result<(), ImagesError>) -> Result<(), ImagesError> {
        self.arrival.as_ref().map_or(Ok(()), |(inbox, _)| inbox.until_all(look))
    }

    /// How many images are there where these arrive, of how many, where that has not been said before.
    pub(crate) fn news(&self) -> Option<(u64, u64)> {
        self.arrival.as_ref()?.0.news()
    }

    /// Waits for the first so many.
    fn until(&self, count: usize) -> Result<(), TchError> {
        self.arrival.as_ref().map_or(Ok(()), |(inbox, part)| inbox.until(*part, count))
    }

    /// Channels of an image.
    pub fn channels(&self) -> usize {
        let of = |images: &Tensor| images.size().get(1).map_or(0, |&channels| channels as usize);
        match &*self.stored {
            Stored::Prepared(images) => of(images),
            Stored::Memory { samples, .. } => of(samples),
            Stored::File { shape, .. } => shape[0] as usize,
        }
    }

    /// All of them at once.
    pub fn all(&self) -> Result<Tensor, TchError> {
        self.batch(0..self.count)
    }
}

impl Batches for Pictures {
    fn count(&self) -> usize {
        self.count
    }

    fn batch(&self, range: Range<usize>) -> Result<Tensor, TchError> {
        self.until(range.end)?;
        match &*self.stored {
            Stored::Prepared(images) => images.batch(range),
            Stored::Memory { samples, normalisation } => normalisation.prepared(&samples.batch(range)?),
            Stored::File { file, indices, ahead, .. } => {
                let known = ahead.take().filter(|ahead| ahead.range == range).and_then(|ahead| ahead.read.join().ok());
                let samples = known.unwrap_or_else(|| file.read(&indices[range.clone()]));
                let next = range.end..(range.end + range.len()).min(self.there());
                if !next.is_empty() {
                    let (file, indices) = (file.clone(), indices[next.clone()].to_vec());
                    ahead.replace(Some(Ahead { range: next, read: thread::spawn(move || file.read(&indices)) }));
                }
                self.prepared(samples)
            }
        }
    }

    fn chosen(&self, numbers: &[i64]) -> Result<Tensor, TchError> {
        self.until(numbers.iter().max().map_or(0, |&last| last as usize + 1))?;
        match &*self.stored {
            Stored::Prepared(images) => images.chosen(numbers),
            Stored::Memory { samples, normalisation } => normalisation.prepared(&samples.chosen(numbers)?),
            Stored::File { file, indices, .. } => {
                let chosen: Vec<usize> = numbers.iter().map(|&number| indices[number as usize]).collect();
                self.prepared(file.read(&chosen))
            }
        }
    }
}

impl Pictures {
    /// How many of them are there by now.
    fn there(&self) -> usize {
        self.arrival.as_ref().map_or(self.count, |(inbox, part)| inbox.arrived(*part).min(self.count))
    }

    /// Images of a file, on the device and as the network takes them.
    fn prepared(&self, samples: Result<Samples, PixelFileError>) -> Result<Tensor, TchError> {
        let Stored::File { shape, normalisation, device, .. } = &*self.stored else {
            return Err(TchError::Shape("the images are not in a file".to_owned()));
        };
        let samples = samples.map_err(|error| TchError::FileFormat(error.to_string()))?;
        normalisation.prepared(&tensor(&samples, *shape)?.f_to_device(*device)?)
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_data::SampleType;
    use eagleeye_spec::{ChannelOrder, Filter, Resize};

    use super::*;

    fn preprocess() -> Preprocess {
        Preprocess {
            channels: 3,
            height: 2,
            width: 2,
            mean: vec![0.485, 0.456, 0.406],
            deviation: vec![0.229, 0.224, 0.225],
            scale: 1.0 / 255.0,
            resize: Resize::default(),
            filter: Filter::default(),
            order: ChannelOrder::default(),
        }
    }

    fn samples(images: usize) -> Vec<u8> {
        (0..images * 12).map(|i| (i * 37 % 256) as u8).collect()
    }

    fn in_memory(images: usize) -> Pictures {
        let mut gathering = Gathering::new(images, SampleType::U8, &preprocess(), Device::Cpu).unwrap();
        for chunk in samples(images).chunks(24) {
            gathering.push(&Samples::U8(chunk.to_vec())).unwrap();
        }
        there(Stored::in_memory(&gathering), images)
    }

    fn there(stored: Stored, count: usize) -> Pictures {
        Pictures { count, stored: Rc::new(stored), arrival: None }
    }

    fn on_disk(file: PixelFile, indices: &[usize]) -> Pictures {
        let stored = Stored::in_file(Arc::new(file), indices.to_vec(), &preprocess(), Device::Cpu).unwrap();
        there(stored, indices.len())
    }

    #[test]
    fn bytes_become_what_they_would_have_become_when_they_were_decoded() {
        let pictures = in_memory(3);
        let expected: Vec<f32> = samples(3)
            .iter()
            .enumerate()
            .map(|(i, &value)| {
                let channel = i % 12 / 4;
                let Preprocess { mean, deviation, scale, .. } = preprocess();
                (f32::from(value) * scale - mean[channel]) / deviation[channel]
            })
            .collect();
        assert_eq!(Vec::<f32>::try_from(pictures.all().unwrap().flatten(0, -1)).unwrap(), expected);
    }

    #[test]
    fn images_on_disk_are_those_in_memory() {
        let file = PixelFile::unnamed(SampleType::U8, 12, 5).unwrap();
        file.write(&[4, 0, 2], &Samples::U8(samples(3))).unwrap();
        let memory = in_memory(3);
        let disk = on_disk(file, &[4, 0, 2]);
        assert_eq!(memory.all().unwrap(), disk.all().unwrap());
        assert_eq!(memory.batch(1..3).unwrap(), disk.batch(1..3).unwrap());
        for range in [0..1, 1..2, 2..3, 0..1, 2..3, 0..2, 2..3] {
            assert_eq!(memory.batch(range.clone()).unwrap(), disk.batch(range.clone()).unwrap(), "{range:?}");
        }
        assert_eq!(memory.chosen(&[2, 0, 2]).unwrap(), disk.chosen(&[2, 0, 2]).unwrap());
        assert_eq!((disk.head(2).count(), disk.head(9).count()), (2, 3));
        let empty = in_memory(0);
        assert_eq!((empty.count(), empty.all().unwrap().size()), (0, vec![0, 3, 2, 2]));
    }

    #[test]
    fn an_image_that_was_never_written_is_named() {
        let disk = on_disk(PixelFile::unnamed(SampleType::U8, 12, 5).unwrap(), &[3]);
        assert!(disk.all().unwrap_err().to_string().contains("the decoded image 3 is damaged"));
    }
}
