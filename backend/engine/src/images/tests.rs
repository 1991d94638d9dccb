//! Images are used while others are being decoded.

use std::sync::mpsc::{Receiver, Sender, channel};

use eagleeye_data::{SampleType, Samples};
use eagleeye_spec::{ChannelOrder, Filter, Resize};

use super::*;
use crate::source::{CHUNK, Sink};

fn preprocess() -> Preprocess {
    Preprocess {
        channels: 1,
        height: 1,
        width: 2,
        mean: vec![0.0],
        deviation: vec![1.0],
        scale: 1.0,
        resize: Resize::default(),
        filter: Filter::default(),
        order: ChannelOrder::default(),
    }
}

/// Images whose two values are their number's digits in base 256.
struct Numbered {
    images: usize,
    labels: Vec<usize>,
    /// Asked before each chunk after the first.
    goes_on: Option<Receiver<bool>>,
    decoded: Sender<usize>,
}

impl Source for Numbered {
    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn count(&self) -> usize {
        self.images
    }

    fn element(&self) -> SampleType {
        SampleType::U8
    }

    fn decode(&mut self, indices: &[usize], _: &Preprocess, sink: Sink) -> Result<(), ImagesError> {
        for (place, chunk) in indices.chunks(CHUNK).enumerate() {
            if place > 0
                && let Some(goes_on) = &self.goes_on
                && !goes_on.recv().unwrap_or(true)
            {
                return Err(ImagesError::Reader("the file is damaged".into()));
            }
            for &index in chunk {
                _ = self.decoded.send(index);
            }
            sink(Samples::U8(chunk.iter().flat_map(|&index| [(index / 256) as u8, (index % 256) as u8]).collect()))?;
        }
        Ok(())
    }
}

fn numbered(images: usize, goes_on: Option<Receiver<bool>>) -> (Numbered, Receiver<usize>) {
    let (decoded, seen) = channel();
    (Numbered { images, labels: (0..images).map(|index| index % 7).collect(), goes_on, decoded }, seen)
}

fn split(images: usize) -> Split {
    let at = |from: usize, to: usize| (from..to).rev().collect();
    Split {
        scoring: at(0, images / 2),
        test: at(images / 2, images / 2 + 10),
        calibration: at(images / 2 + 10, images),
    }
}

fn numbers(batch: &Tensor) -> Vec<usize> {
    let values = Vec::<f32>::try_from(batch.flatten(0, -1)).unwrap();
    values.as_chunks::<2>().0.iter().map(|[high, low]| *high as usize * 256 + *low as usize).collect()
}

fn in_use<R>(source: &mut Numbered, split: &Split, use_images: impl FnOnce(Images) -> R) -> Result<R, ImagesError> {
    Images::while_decoding(source, &preprocess(), split, Device::Cpu, None, &|| false, use_images)
}

#[test]
fn a_batch_is_there_before_the_next_images_are_decoded() {
    let (go, goes_on) = channel();
    let (mut source, seen) = numbered(1000, Some(goes_on));
    let split = split(1000);
    let used = in_use(&mut source, &split, |images| {
        let first = numbers(&images.scoring.images.batch(0..100).unwrap());
        assert_eq!(first, split.scoring[..100]);
        assert_eq!(seen.try_iter().count(), CHUNK, "the source waits");
        assert_eq!(images.news(), Some((CHUNK as u64, 1000)));
        assert_eq!(images.news(), None, "it was said");
        drop(go);
        let last = images.calibration.images.chosen(&[489, 3]).unwrap();
        assert_eq!(numbers(&last), [split.calibration[489], split.calibration[3]]);
        assert_eq!(numbers(&images.scoring.images.all().unwrap()), split.scoring);
        assert_eq!(numbers(&images.test.images.all().unwrap()), split.test);
        let labels = Vec::<i64>::try_from(images.test.labels.as_ref().unwrap()).unwrap();
        assert_eq!(labels, split.test.iter().map(|&index| index as i64 % 7).collect::<Vec<_>>());
    });
    used.unwrap();
}

#[test]
fn why_images_do_not_come_is_said_whatever_was_made_of_it() {
    let (go, goes_on) = channel();
    go.send(false).unwrap();
    let (mut source, _seen) = numbered(1000, Some(goes_on));
    let error = in_use(&mut source, &split(1000), |images| {
        assert!(images.scoring.images.batch(0..50).is_ok());
        images.calibration.images.batch(0..50).is_err()
    });
    assert_eq!(error.unwrap_err().to_string(), "the file is damaged");
}

#[test]
fn nothing_is_decoded_for_nobody() {
    let (mut source, seen) = numbered(20_000, None);
    in_use(&mut source, &split(20_000), |images| images.scoring.images.batch(0..1).map(drop)).unwrap().unwrap();
    drop(source);
    assert!(seen.iter().count() < 4000, "the thread ends when its images are not wanted");
}

/// Else the thread that decodes would wait for ever, and whoever waits for it.
#[test]
fn whoever_panics_keeps_nobody_waiting() {
    let (mut source, _seen) = numbered(20_000, None);
    let split = split(20_000);
    let used = std::panic::AssertUnwindSafe(|| in_use(&mut source, &split, |_| panic!("in the middle")).is_ok());
    assert!(std::panic::catch_unwind(used).is_err());
}

#[test]
fn those_that_a_file_has_are_not_decoded_again() {
    let split = split(1000);
    let file = PixelFile::unnamed(SampleType::U8, 2, 1000).unwrap();
    let kept: Vec<usize> = (200..900).collect();
    file.write(&kept, &Samples::U8(kept.iter().flat_map(|&i| [(i / 256) as u8, (i % 256) as u8]).collect())).unwrap();
    let (mut source, seen) = numbered(1000, None);
    let images =
        Images::decode(&mut source, &preprocess(), &split, Device::Cpu, Some(file), &mut crate::Unobserved).unwrap();
    drop(source);
    let decoded: Vec<usize> = seen.iter().collect();
    assert_eq!((decoded.len(), decoded.iter().any(|index| kept.contains(index))), (300, false));
    for (part, indices) in [(&images.scoring, &split.scoring), (&images.calibration, &split.calibration)] {
        assert_eq!(&numbers(&part.images.all().unwrap()), indices);
    }
}

#[test]
fn images_that_were_altered_meanwhile_are_not_handed_over() {
    let (mut source, _seen) = numbered(1000, None);
    let read =
        Images::while_decoding(&mut source, &preprocess(), &split(1000), Device::Cpu, None, &|| true, |images| {
            images.scoring.images.batch(0..1).is_ok()
        });
    assert!(matches!(read, Err(ImagesError::Cancelled)), "{read:?}");
}
